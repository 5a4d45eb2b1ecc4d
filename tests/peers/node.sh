#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real node for the control plane of cluster.sh: containerd and the kubelet, whose pods are real processes, and names for
# the pods by CoreDNS.
#
#   node.sh may                     whether this machine lets us have one; exit status 3 and the reason where it does not
#   node.sh up DIR CLUSTER-DIR      start it and wait until the node is Ready; DIR/ctr talks to its containerd
#   node.sh load DIR FILE.tar...    import images
#   node.sh down DIR                end it; nothing is left on the machine
#
# `up` and everything that talks to its pods run in a network namespace made for them (unshare --net), and so does the
# control plane. All daemons and pods live in one PID and one mount namespace, so that `down` ends one process and
# every other one and every mount go with it. The machine itself gets a subtree of control groups, which `down` removes.
# What this needs of the control plane: APISERVER_ARGS with the kubelet's client certificate (tests/e2e/node.py).
#
# Environment: BIN and RUNTIME, programs and the file tree of install.sh; NODE, its name (real-0); OWNER=PID: when that
# process is gone, `down` runs by itself. Pods have 10.88.0.0/24, the node is 10.88.0.1. Nothing outside can be reached.
set -euo pipefail
umask 022
usage() { sed -n '6,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
say() { printf 'node: %s\n' "$*" >&2; }
no() { printf '%s\n' "$*"; exit 3; }
cmd=${1:-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${BERTH_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/berth-peers}
bin=${BIN:-$cache/bin} runtime=${RUNTIME:-$cache/share/runtime} node=${NODE:-real-0}
gateway=10.88.0.1 bridge=berth0

case $cmd in
may) ;;
up | load | down | init | watchdog)
	[ $# -ge 2 ] || usage
	dir=$(mkdir -p "$2" && cd "$2" && pwd -P)
	# the private /run, /var/lib and /var/log would hide it, and a socket's path is short
	case $dir/ in /run/* | /var/lib/* | /var/log/*) no "$dir may not lie under /run, /var/lib or /var/log" ;; esac
	[ ${#dir} -le 80 ] || no "$dir is too long for the path of a socket"
	group=berth-node-$(printf %s "$dir" | sha256sum | cut -c1-8)
	;;
*) usage ;;
esac

# the time a process started: a number alone may be somebody else's by now
born() { local s; read -r s 2>/dev/null <"/proc/$1/stat" || return 1; s=${s##*) }; set -- $s; [ "$1" != Z ] && echo "${20}"; }
alive() { # FILE
	local pid start
	read -r pid start 2>/dev/null <"$dir/$1" || return 1
	[ "$(born "$pid")" = "$start" ]
}
kubectl() { "$bin/kubectl" --kubeconfig "$dir/kubeconfig" "$@"; }
wait_for() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		alive pid || { say "its first process ended:"; tail -n 5 "$dir/log/init" >&2; return 1; }
		((SECONDS < end)) || { say "gave up waiting for: $*"; tail -n 3 "$dir"/log/* >&2; return 1; }
		sleep 0.1
	done
}
hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts; }

# Asked of the machine by doing it, in namespaces that are gone afterwards.
may() {
	local p h t memory=
	[ "$(id -u)" = 0 ] || no "a real node needs root"
	for p in unshare ip setsid openssl sha256sum ssh sftp ssh-keygen; do
		command -v $p >/dev/null || no "a real node needs the program $p"
	done
	unshare --net --mount --pid --fork --kill-child --mount-proc --propagation private true 2>/dev/null ||
		no "this machine does not let us make namespaces"
	unshare --net sh -c 'ip link set lo up && ip link add b0 type bridge && ip link add v0 type veth peer name v1' 2>/dev/null ||
		no "this machine does not let us make a bridge in a network namespace"
	t=$(mktemp -d)
	mkdir "$t"/{a,b,c,d}
	unshare --mount --propagation private sh -c 'cd "$1" && mount -t tmpfs tmpfs a && umount a &&
		mount -t overlay overlay -o lowerdir=a,upperdir=b,workdir=c d' sh "$t" 2>/dev/null ||
		{ rm -rf "$t"; no "this machine does not let us mount (overlayfs, tmpfs)"; }
	rm -rf "$t"
	for h in $(hierarchies); do
		if [ -e "$h/memory.limit_in_bytes" ] || grep -qs '\<memory\>' "$h/cgroup.controllers"; then memory=1; fi
		mkdir "$h/berth-node-may-$$" 2>/dev/null || no "this machine does not let us make control groups in $h"
		rmdir "$h/berth-node-may-$$"
	done
	[ -n "$memory" ] || no "this machine has no control group that limits memory"
}

containerd_toml() {
	local clamp=true
	# Lowering an oom_score_adj takes CAP_SYS_RESOURCE (bit 24); without it runc fails for every sandbox.
	(((0x$(awk '/^CapEff/ { print $2 }' /proc/self/status) >> 24) & 1)) && clamp=false
	cat <<-E
	version = 2
	root = "$dir/containerd"
	state = "/run/containerd"
	[grpc]
	  address = "$dir/containerd.sock"
	[plugins."io.containerd.internal.v1.opt"]
	  path = "$dir/opt"
	[plugins."io.containerd.grpc.v1.cri"]
	  sandbox_image = "berth.test/pause:1"
	  disable_apparmor = true
	  restrict_oom_score_adj = $clamp
	  stream_server_address = "127.0.0.1"
	  stream_server_port = "0"
	  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
	    runtime_type = "io.containerd.runc.v2"
	    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
	      BinaryName = "$runtime/usr/sbin/runc"
	      SystemdCgroup = false
	  [plugins."io.containerd.grpc.v1.cri".cni]
	    bin_dir = "$runtime/usr/lib/cni"
	    conf_dir = "$dir/cni"
	E
}
network_conflist() { # the bridge is a gateway by its address alone: nothing is forwarded, nothing is translated
	cat <<-E
	{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "$bridge", "isGateway": false, "ipMasq": false,
	 "ipam": {"type": "host-local", "dataDir": "$dir/leases", "routes": [{"dst": "0.0.0.0/0"}],
	  "ranges": [[{"subnet": "10.88.0.0/24", "rangeStart": "10.88.0.10", "gateway": "$gateway"}]]}}]}
	E
}
# syncFrequency: how soon a changed ConfigMap is seen in a pod; the default is a minute. Disks of test machines are fuller
# than what the defaults for eviction allow.
kubelet_yaml() {
	cat <<-E
	apiVersion: kubelet.config.k8s.io/v1beta1
	kind: KubeletConfiguration
	address: $gateway
	readOnlyPort: 0
	healthzPort: 0
	authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $dir/ca.crt}}
	authorization: {mode: AlwaysAllow}
	containerRuntimeEndpoint: unix://$dir/containerd.sock
	cgroupDriver: cgroupfs
	cgroupRoot: /$group
	failCgroupV1: false
	failSwapOn: false
	makeIPTablesUtilChains: false
	syncFrequency: 5s
	resolvConf: ""
	clusterDNS: [$gateway]
	clusterDomain: cluster.local
	podLogsDir: /var/log/pods
	volumePluginDir: $dir/plugins
	imageGCHighThresholdPercent: 100
	imageGCLowThresholdPercent: 99
	evictionHard: {memory.available: 64Mi, nodefs.available: 256Mi, imagefs.available: 256Mi, nodefs.inodesFree: 0%, imagefs.inodesFree: 0%}
	E
}
corefile() {
	printf 'cluster.local:53 {\n bind %s\n errors\n kubernetes cluster.local {\n  kubeconfig %s\n }\n}\n' "$gateway" "$dir/kubeconfig"
}

make_groups() {
	local h f
	for h in $(hierarchies); do
		mkdir -p "$h/$group"
		for f in cpuset.cpus cpuset.mems; do # of version 1: a new group has none and takes no process
			[ ! -f "$h/$group/$f" ] || [ -n "$(cat "$h/$group/$f")" ] || cat "$h/$f" >"$h/$group/$f"
		done
	done
}
remove_groups() {
	local h i left=
	for ((i = 0; i < 100; i++)); do
		left=
		for h in $(hierarchies); do
			[ -d "$h/$group" ] || continue
			find "$h/$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
			[ ! -d "$h/$group" ] || left=$h/$group
		done
		[ -n "$left" ] || return 0
		sleep 0.1
	done
	say "$left is still in use"
	return 1
}

# Process 1 of the node. What the daemons keep in fixed places stays in this mount namespace.
init() {
	local v p f
	mount -t tmpfs -o mode=755 tmpfs /run
	mount --bind "$dir/lib" /var/lib
	mount --bind "$dir/varlog" /var/log
	# The kubelet sets these for the whole machine unless they read so already: it is shown files that do.
	mkdir /run/sysctl
	for v in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
		kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
		p=/proc/sys/${v%=*} f=/run/sysctl/${v//\//.}
		[ -e "$p" ] || continue
		echo "${v#*=}" >"$f"
		mount --bind "$f" "$p"
	done
	export PATH="$runtime/usr/bin:$runtime/usr/sbin:$PATH"
	containerd -c "$dir/containerd.toml" >"$dir/log/containerd" 2>&1 &
	until [ -S "$dir/containerd.sock" ]; do sleep 0.1; done
	"$bin/kubelet" --config "$dir/kubelet.yaml" --kubeconfig "$dir/kubeconfig" --hostname-override "$node" --node-ip "$gateway" \
		>"$dir/log/kubelet" 2>&1 &
	"$bin/coredns" -conf "$dir/Corefile" >"$dir/log/coredns" 2>&1 &
	wait -n || true
	echo "one of containerd, kubelet and coredns ended"
	exit 1
}

up() {
	local cluster pid
	cluster=$(cd "$1" && pwd -P)
	! alive pid || { say "it is up already in $dir"; exit 1; }
	[ "$(ip -o link show | grep -vc ' lo: ')" = 0 ] || { say "not in a network namespace of its own: use unshare --net"; exit 1; }
	trap 'rc=$?; [ $rc = 0 ] || down' EXIT
	trap 'exit 130' INT TERM HUP
	mkdir -p "$dir"/{log,lib,varlog,plugins,cni,opt}
	(umask 077 && cp "$cluster/kubeconfig" "$dir/kubeconfig" && cp "$cluster/pki/ca.crt" "$dir/ca.crt")
	containerd_toml >"$dir/containerd.toml"
	network_conflist >"$dir/cni/10-pods.conflist"
	kubelet_yaml >"$dir/kubelet.yaml"
	corefile >"$dir/Corefile"
	printf '#!/bin/sh\nexec "%s" -a "%s" -n k8s.io "$@"\n' "$runtime/usr/bin/ctr" "$dir/containerd.sock" >"$dir/ctr"
	chmod 755 "$dir/ctr"
	ip link set lo up
	ip link add $bridge type bridge
	ip addr add $gateway/24 dev $bridge
	ip link set $bridge up
	make_groups
	setsid unshare --mount --pid --fork --kill-child=KILL --mount-proc --propagation private \
		"$here/node.sh" init "$dir" </dev/null >"$dir/log/init" 2>&1 &
	pid=$!
	disown $pid
	echo "$pid $(born $pid)" >"$dir/pid"
	if [ -n "${OWNER:-}" ]; then
		"$here/node.sh" watchdog "$dir" "$OWNER" "$(born "$OWNER")" </dev/null >"$dir/log/watchdog" 2>&1 &
		echo "$! $(born $!)" >"$dir/watchdog.pid"
		disown $!
	fi
	wait_for 60 test -S "$dir/containerd.sock"
	wait_for 60 kubectl wait --for=condition=Ready --timeout=1s "node/$node"
}

down() {
	local pid i first
	if alive watchdog.pid; then
		read -r pid _ <"$dir/watchdog.pid"
		[ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null || true
	fi
	if alive pid; then
		# unshare is gone only when process 1 is reaped, and that only after the last process of its namespace
		read -r pid _ <"$dir/pid"
		first=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null || true)
		# shellcheck disable=SC2086
		kill -KILL ${first:-$pid} 2>/dev/null || true
		for ((i = 0; i < 300; i++)); do alive pid || break; sleep 0.1; done
		! alive pid || { say "process $pid does not end"; return 1; }
	fi
	ip link del $bridge 2>/dev/null || true
	remove_groups
	# logs stay: they are what is looked at when a test fails
	rm -rf "$dir"/{pid,watchdog.pid,fifo,kubeconfig,containerd,containerd.sock,containerd.sock.ttrpc,leases,lib,opt,plugins,varlog}
}

watchdog() { # PID START: no child of its own, so that nothing is left when it is ended
	[ -p "$dir/fifo" ] || mkfifo "$dir/fifo"
	exec 8<>"$dir/fifo"
	while [ "$(born "$1")" = "$2" ]; do read -rt 1 -u 8 || true; done
	down
}

case $cmd in
may) may ;;
up) up "${3:?CLUSTER-DIR}" ;;
load) for f in "${@:3}"; do "$dir/ctr" images import "$f" >>"$dir/log/import"; done ;;
init) init ;;
watchdog) watchdog "$3" "$4" ;;
down) down ;;
esac

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real Kubernetes control plane on loopback: etcd, kube-apiserver, controller-manager, scheduler. kwok plays the nodes,
# cloud.py plays volumes and load balancers.
#
#   cluster.sh up DIR                    start it, write DIR/kubeconfig and its kin, create the nodes and storage classes
#   cluster.sh node DIR SHAPE NAME [ZONE]   one more node (zone-a); shapes: the table below
#   cluster.sh stop|start DIR PART...    one program of it; PART: etcd kube-apiserver kube-controller-manager
#                                        kube-scheduler kwok cloud. The API server keeps its port and tokens
#   cluster.sh down DIR                  end what `up` and `start` started, by pid
#
# In DIR: kubeconfig (admin, token), kubeconfig-cert (admin, client certificate), kubeconfig-berth, -flux, -alice (token
# files tokens/NAME); tokens/berth.1 to .4 are all valid for the same service account system:serviceaccount:NS:berth and
# differ in user.uid (berth-1 to berth-4), so that the audit log tells two processes apart; pki/ca.crt,
# pki/server.{crt,key} (127.0.0.1, also good for a proxy); PART.log; audit.log.
# alice and berth have no rights until somebody binds some; admin and flux are system:masters.
#
# Environment: BIN (default: bin in the cache of install.sh) and STAGES (its share/kwok); NODES="SHAPE/ZONE ...";
# AUDIT=1 with AUDIT_USERS="NAME ..." (default: berth and flux), Metadata level; FSYNC=1 lets etcd sync to disk; CLOUD=0,
# or VOLUMES=FOLDER where volumes are to be real folders; APISERVER_ARGS, more flags; BERTH_NAMESPACE (berth-system);
# OWNER=PID: when that process is gone, `down` runs by itself.
set -euo pipefail
umask 077
usage() { sed -n '6,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
cmd=$1
dir=$(mkdir -p "$2" && cd "$2" && pwd)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${BERTH_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/berth-peers}
bin=${BIN:-$cache/bin} stages=${STAGES:-$cache/share/kwok}
ns=${BERTH_NAMESPACE:-berth-system}
parts='watchdog cloud kwok kube-scheduler kube-controller-manager kube-apiserver etcd' # the order of `down`

# instance-type and product are what the flavors of examples/ and envs-repo-template/ select. Free: no taint.
shapes='
# shape   instance-type  cpu   memory  pods  gpus  product                hugepages-1Gi  taint  more labels
cpu       m6i.4xlarge    16    64Gi    110   0     -                      0              free
t4        g4dn.xlarge    16    64Gi    110   1     Tesla-T4               0              free
t4-gpu    g4dn.2xlarge   16    64Gi    110   1     Tesla-T4               0              gpu
t4-mps    g4dn.xlarge    16    64Gi    110   4     Tesla-T4               0              gpu    nvidia.com/device-plugin.config=mps-4
a100      p4d.24xlarge   96    1152Gi  250   8     NVIDIA-A100-SXM4-40GB  0              gpu
h100      p5.48xlarge    192   2Ti     250   8     NVIDIA-H100-80GB-HBM3  0              gpu
bigmem    r6i.16xlarge   64    384Gi   110   0     -                      128Gi          free   berth.dev/numa=single
bigmem8   r6i.8xlarge    36    256Gi   110   0     -                      64Gi           free
bench     m6i.metal      8000  64Ti    9000  0     -                      0              free
'
nodes=${NODES-cpu/zone-a cpu/zone-b t4/zone-a t4/zone-a t4/zone-b t4/zone-b t4-gpu/zone-a t4-mps/zone-b a100/zone-a a100/zone-b
	h100/zone-a bigmem/zone-a bigmem8/zone-b}

say() { printf 'cluster: %s\n' "$*" >&2; }
kubectl() { "$bin/kubectl" --kubeconfig "$dir/kubeconfig" "$@"; }
# the time a process started, from /proc: a pid alone may be somebody else's by now
born() { local s; read -r s 2>/dev/null <"/proc/$1/stat" || return 1; s=${s##*) }; set -- $s; [ "$1" != Z ] && echo "${20}"; }
alive() { # PART
	local pid start
	read -r pid start 2>/dev/null <"$dir/$1.pid" || return 1
	[ "$(born "$pid")" = "$start" ]
}

launch() { # PART COMMAND...: remembered for `start`
	local part=$1
	shift
	printf '%q ' "$@" >"$dir/$part.cmd"
	"$@" >>"$dir/$part.log" 2>&1 </dev/null 9>&- &
	echo "$! $(born $!)" >"$dir/$part.pid"
	disown $!
}
end() { # PART: at once; nothing here is to be kept
	local pid n=0
	alive "$1" && {
		read -r pid _ <"$dir/$1.pid"
		[ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null || true
		while alive "$1" && [ "$pid" != $$ ] && ((n++ < 100)); do sleep 0.05; done
	}
	rm -f "$dir/$1.pid"
}
down() { local p; for p in $parts; do end "$p"; done; }

listens() { : 2>/dev/null <>"/dev/tcp/127.0.0.1/$1"; }
wait_for() { # SECONDS COMMAND...; gives up at once when one of the programs is gone
	local end=$((SECONDS + $1)) p
	shift
	until "$@" >/dev/null 2>&1; do
		for p in etcd kube-apiserver kube-controller-manager kube-scheduler; do [ ! -e "$dir/$p.pid" ] || alive $p || { say "$p ended:"; tail -n 3 "$dir/$p.log" >&2; return 1; }; done
		((SECONDS < end)) || { say "gave up waiting for: $*"; return 1; }
		sleep 0.2
	done
}

node_yaml() { # SHAPE NAME ZONE
	local type cpu mem pods gpus product huge taint more res
	read -r _ type cpu mem pods gpus product huge taint more < <(grep "^$1 " <<<"$shapes") || { say "no shape $1"; return 2; }
	res="{cpu: '$cpu', memory: $mem, pods: '$pods', ephemeral-storage: 2Ti, hugepages-1Gi: '$huge', hugepages-2Mi: 16Gi"
	res+="$([ "$gpus" = 0 ] || echo ", nvidia.com/gpu: '$gpus'")"
	case $1 in *-mps) res+=", nvidia.com/gpu.shared: '$gpus'" ;; esac
	res+='}'
	cat <<-Y
	---
	apiVersion: v1
	kind: Node
	metadata:
	  name: $2
	  annotations: {kwok.x-k8s.io/node: fake}
	  labels:
	    kubernetes.io/hostname: $2
	    kubernetes.io/os: linux
	    kubernetes.io/arch: amd64
	    topology.kubernetes.io/region: region-1
	    topology.kubernetes.io/zone: $3
	    node.kubernetes.io/instance-type: $type
	    instance-type: $type
	    ${more:+${more/=/: }}
	Y
	[ "$gpus" = 0 ] || printf '    nvidia.com/gpu.present: "true"\n    nvidia.com/gpu.product: %s\n    nvidia.com/gpu.count: "%s"\n' "$product" "$gpus"
	[ "$taint" = free ] || printf 'spec: {taints: [{key: nvidia.com/gpu, value: "true", effect: NoSchedule}]}\n'
	printf 'status: {allocatable: %s, capacity: %s}\n' "$res" "$res"
}
all_nodes_yaml() {
	local n
	local -A made=()
	for n in $nodes; do node_yaml "${n%/*}" "${n%/*}-$((made[${n%/*}]++))" "${n#*/}"; done
}
class_yaml() { # NAME MODE [DEFAULT]
	cat <<-Y
	---
	apiVersion: storage.k8s.io/v1
	kind: StorageClass
	metadata: {name: $1, annotations: {storageclass.kubernetes.io/is-default-class: "${3:-false}"}}
	provisioner: berth.test/volumes
	allowVolumeExpansion: true
	volumeBindingMode: $2
	Y
}
objects_yaml() {
	all_nodes_yaml
	class_yaml gp3 WaitForFirstConsumer true
	for c in efs shared-fs shared-wekafs; do class_yaml $c Immediate; done
	cat <<-Y
	---
	apiVersion: v1
	kind: Namespace
	metadata: {name: $ns}
	---
	apiVersion: v1
	kind: ServiceAccount
	metadata: {name: berth, namespace: $ns}
	Y
}

certificates() {
	local new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30'
	cat >pki/openssl.cnf <<-C
	[req]
	distinguished_name = dn
	prompt = no
	[dn]
	CN = cluster.test
	[ca]
	basicConstraints = critical, CA:TRUE
	keyUsage = critical, keyCertSign, cRLSign
	subjectKeyIdentifier = hash
	[server]
	basicConstraints = critical, CA:FALSE
	subjectAltName = IP:127.0.0.1, DNS:localhost
	extendedKeyUsage = serverAuth
	[client]
	basicConstraints = critical, CA:FALSE
	extendedKeyUsage = clientAuth
	C
	# shellcheck disable=SC2086
	{
		openssl ecparam -genkey -name prime256v1 -noout -out pki/sa.key
		openssl req -x509 -config pki/openssl.cnf $new -extensions ca -subj /CN=cluster.test -keyout pki/ca.key -out pki/ca.crt
		openssl req -x509 -config pki/openssl.cnf $new -extensions server -CA pki/ca.crt -CAkey pki/ca.key \
			-subj /CN=kube-apiserver -keyout pki/server.key -out pki/server.crt
		openssl req -x509 -config pki/openssl.cnf $new -extensions client -CA pki/ca.crt -CAkey pki/ca.key \
			-subj /O=system:masters/CN=admin-cert -keyout pki/client.key -out pki/client.crt
	} 2>pki/openssl.log || { cat pki/openssl.log >&2; return 1; }
}
kubeconfig() { # FILE USER-MAP
	cat >"$1" <<-K
	apiVersion: v1
	kind: Config
	current-context: test
	clusters: [{name: test, cluster: {server: "https://127.0.0.1:$port", certificate-authority: "$dir/pki/ca.crt"}}]
	users: [{name: user, user: $2}]
	contexts: [{name: test, context: {cluster: test, user: user}}]
	K
}
identities() {
	local i token sa="system:serviceaccounts,system:serviceaccounts:$ns"
	token() { openssl rand -hex 16; }
	token >tokens/admin
	echo "$(cat tokens/admin),admin,admin,system:masters" >pki/tokens.csv
	for i in 1 2 3 4; do
		token=$(token)
		printf '%s\n' "$token" >"tokens/berth.$i"
		echo "$token,system:serviceaccount:$ns:berth,berth-$i,\"$sa\"" >>pki/tokens.csv
	done
	cp tokens/berth.1 tokens/berth
	token >tokens/flux
	token >tokens/alice
	echo "$(cat tokens/flux),flux,flux,system:masters" >>pki/tokens.csv
	echo "$(cat tokens/alice),alice,alice" >>pki/tokens.csv
	kubeconfig kubeconfig "{token: \"$(cat tokens/admin)\"}"
	kubeconfig kubeconfig-cert "{client-certificate: \"$dir/pki/client.crt\", client-key: \"$dir/pki/client.key\"}"
	for i in berth flux alice; do kubeconfig kubeconfig-$i "{tokenFile: \"$dir/tokens/$i\"}"; done
}
audit_policy() {
	local u users=
	for u in ${AUDIT_USERS:-system:serviceaccount:$ns:berth flux}; do users+="\"$u\", "; done
	cat >audit-policy.yaml <<-A
	apiVersion: audit.k8s.io/v1
	kind: Policy
	omitStages: [ResponseStarted]
	omitManagedFields: true
	rules:
	- {level: Metadata, users: [${users%, }]}
	- {level: None}
	A
}

launch_all() {
	local etcd peer sync=--unsafe-no-fsync audit='' stage stages_args=()
	# below those that the kernel hands out: one that is stopped for a while must find its own free again
	read -r etcd peer port < <(python3 -c '
import random, socket
s = []
while len(s) < 3:
    i = socket.socket()
    try:
        i.bind(("127.0.0.1", random.SystemRandom().randrange(10000, 32768)))
        s.append(i)
    except OSError: pass
print(*(i.getsockname()[1] for i in s))')
	[ -z "${FSYNC:-}" ] || sync=
	identities
	if [ -n "${AUDIT:-}" ]; then
		audit_policy
		audit="--audit-policy-file=$dir/audit-policy.yaml --audit-log-path=$dir/audit.log"
	fi
	# shellcheck disable=SC2086
	launch etcd "$bin/etcd" --data-dir "$dir/etcd" $sync --log-level warn \
		--listen-client-urls "http://127.0.0.1:$etcd" --advertise-client-urls "http://127.0.0.1:$etcd" \
		--listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
		--initial-cluster "default=http://127.0.0.1:$peer"
	wait_for 90 listens "$etcd" || return # the API server's first retry would take a second
	# shellcheck disable=SC2086
	launch kube-apiserver "$bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd" --secure-port "$port" --bind-address 127.0.0.1 \
		--tls-cert-file pki/server.crt --tls-private-key-file pki/server.key --client-ca-file pki/ca.crt \
		--service-account-key-file pki/sa.key --service-account-signing-key-file pki/sa.key \
		--service-account-issuer https://cluster.test --token-auth-file pki/tokens.csv --authorization-mode RBAC \
		--service-cluster-ip-range 10.96.0.0/16 --allow-privileged=true --endpoint-reconciler-type none $audit ${APISERVER_ARGS:-}
	wait_for 180 kubectl get --raw /api/v1/namespaces/kube-system || return
	wait_for 180 kubectl get --raw /healthz || return # the controller manager waits 10 s for that, and ends
	launch kube-controller-manager "$bin/kube-controller-manager" --kubeconfig kubeconfig --service-account-private-key-file pki/sa.key \
		--root-ca-file pki/ca.crt --leader-elect=false --secure-port 0 --kube-api-qps 300 --kube-api-burst 600 --node-monitor-grace-period 24h
	launch kube-scheduler "$bin/kube-scheduler" --kubeconfig kubeconfig --leader-elect=false --secure-port 0 --kube-api-qps 300 --kube-api-burst 600
	for stage in "$stages"/*.yaml; do stages_args+=(--config "$stage"); done
	launch kwok "$bin/kwok" --kubeconfig kubeconfig --manage-all-nodes=false \
		--manage-nodes-with-annotation-selector kwok.x-k8s.io/node=fake "${stages_args[@]}"
	[ "${CLOUD:-1}" = 0 ] || launch cloud python3 "$here/cloud.py" "https://127.0.0.1:$port" pki/ca.crt tokens/admin "${VOLUMES:-}"
	objects_yaml | kubectl apply --server-side --validate=false -f - >objects.log || return
	wait_for 180 kubectl get serviceaccount default || return
	[ -z "$nodes" ] || wait_for 180 kubectl wait --for=condition=Ready node --all --timeout=180s
}

watchdog() { # PID START: no child of its own, so that nothing is left when it is ended
	[ -p "$dir/fifo" ] || mkfifo "$dir/fifo"
	exec 8<>"$dir/fifo"
	while [ "$(born "$1")" = "$2" ]; do read -rt 1 -u 8 || true; done
	down
}

up() {
	local try p
	for p in etcd kube-apiserver; do ! alive $p || { say "it is up already in $dir"; exit 1; }; done
	for p in etcd kube-apiserver kube-controller-manager kube-scheduler kwok kubectl; do
		[ -x "$bin/$p" ] || { say "no $bin/$p: run $here/install.sh k8s"; exit 3; }
	done
	[ -z "${OWNER:-}" ] || born "$OWNER" >/dev/null || { say "no process $OWNER"; exit 1; }
	trap 'rc=$?; [ $rc = 0 ] || down' EXIT
	trap 'exit 130' INT TERM HUP
	cd "$dir"
	mkdir -p pki tokens
	certificates
	for try in 1 2 3; do # a port may be taken between choosing and using it
		rm -rf etcd ./*.log
		if [ -n "${OWNER:-}" ]; then launch watchdog "$here/cluster.sh" watchdog "$dir" "$OWNER" "$(born "$OWNER")"; fi
		launch_all && break
		down
		[ $try != 3 ] && grep -q 'address already in use' ./*.log || { say "did not come up; see $dir/*.log"; exit 1; }
	done
	echo "KUBECONFIG=$dir/kubeconfig"
}

case $cmd in
up) up ;;
node) node_yaml "${3:?SHAPE}" "${4:?NAME}" "${5:-zone-a}" | kubectl apply --server-side -f - >/dev/null ;;
stop) for p in "${@:3}"; do end "$p"; done ;;
start)
	cd "$dir"
	for p in "${@:3}"; do
		! alive "$p" || continue
		eval "set -- $(cat "$p.cmd")"
		launch "$p" "$@"
		[ "$p" != kube-apiserver ] || wait_for 180 kubectl get --raw /readyz
	done
	;;
watchdog) watchdog "$3" "$4" ;;
down) down ;;
*) usage ;;
esac

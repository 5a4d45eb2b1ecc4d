#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# setup.sh run|tutorial|test|valgrind|fuzz: makes sure that the Debian packages for that are installed; silent when they are.
# As root it calls apt-get, else `sudo -n apt-get`; where neither works it prints what to install and exits 1.
set -eu
what=${1:-run}

# libraries and tools to build and run
packages='make gcc libc6-dev pkg-config libgit2-dev libyaml-dev libcurl4-openssl-dev libcjson-dev libsodium-dev
libpcre2-dev libmicrohttpd-dev zlib1g-dev libssl-dev git ca-certificates'
case $what in
run) ;;
tutorial) packages="$packages python3 python3-venv openssh-client" ;;
test) packages="$packages libcmocka-dev cmark-gfm age python3 python3-yaml python3-venv python3-pip busybox procps openssl openssh-client iproute2 patchelf shellcheck" ;;
valgrind) packages="$packages valgrind libc6-dbg" ;;
fuzz) packages="$packages clang-14 llvm-14 libclang-rt-14-dev" ;;
*) echo "usage: setup.sh run|tutorial|test|valgrind|fuzz" >&2; exit 2 ;;
esac

say() { printf 'setup: %s\n' "$*" >&2; }

# Other systems: the names differ, the need does not.
if ! command -v dpkg-query >/dev/null 2>&1; then
	libs='libgit2 yaml-0.1 libcurl libcjson libsodium libpcre2-8 libmicrohttpd zlib openssl'
	# shellcheck disable=SC2086
	if command -v pkg-config >/dev/null 2>&1 && pkg-config --exists $libs; then
		exit 0
	fi
	say "this is not Debian. Install a C17 compiler, make, git, pkg-config and the development files of: $libs"
	exit 1
fi

missing=
# shellcheck disable=SC2086
have=$(dpkg-query -W -f '${binary:Package} ${Provides} ${db:Status-Status}\n' 2>/dev/null |
	sed -n 's/ installed$//p' | tr ',' ' ' | sed 's/([^)]*)//g; s/:[a-z0-9]*//g')
have=" $(printf '%s' "$have" | tr '\n' ' ') "
for p in $packages; do
	case $have in *" $p "*) ;; *) missing="$missing $p" ;; esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	as=
elif command -v sudo >/dev/null 2>&1; then
	as='sudo -n'
	if ! sudo -n true 2>/dev/null; then
		say "some packages are missing; you are not root and sudo asks for a password. Run this, then the same command again:"
		printf '  sudo apt-get update && sudo apt-get install -y --no-install-recommends%s\n' "$missing" >&2
		exit 1
	fi
else
	say "some packages are missing; you are not root and there is no sudo. Have root run this, then run the same command again:"
	printf '  apt-get update && apt-get install -y --no-install-recommends%s\n' "$missing" >&2
	exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# apt TEXT ARGS...: one progress line; apt's own words only when it fails
apt() {
	say "$1 ..."
	shift
	# shellcheck disable=SC2086
	if ! $as env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2 "$@" >"$log" 2>&1 </dev/null; then
		say "apt-get $* failed:"
		{ grep -E '^(E|W|Err|dpkg)' "$log" || cat "$log"; } | tail -n 20 >&2
		say "check the network and /etc/apt/sources.list, then run the same command again"
		exit 1
	fi
}
apt "reading the package lists" update
# shellcheck disable=SC2086
apt "installing$missing" install -y --no-install-recommends $missing
say "done"

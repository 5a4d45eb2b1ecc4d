#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deploy/setup.sh with a made-up package manager: what it asks for, and what it says when it cannot.
set -u
setup=$(cd "$(dirname "$0")/../.." && pwd)/deploy/setup.sh
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0 failed=0
check() { # NAME, then a command that must succeed
	name=$1
	shift
	n=$((n + 1))
	if "$@"; then echo "ok $n - $name"; else
		echo "not ok $n - $name"
		sed 's/^/# /' "$dir/said"
		failed=1
	fi
}
stub() { # NAME, script on standard input
	{ echo '#!/bin/sh'; cat; } >"$dir/bin/$1"
	chmod +x "$dir/bin/$1"
}
setup() { # WHAT: status in $rc, output in said, apt calls in calls
	: >"$dir/calls"
	PATH="$dir/bin:$PATH" sh "$setup" "$1" >"$dir/said" 2>&1
	rc=$?
}
all='make gcc libc6-dev pkg-config libgit2-dev libyaml-dev libcurl4-openssl-dev libcjson-dev libsodium-dev libpcre2-dev
libmicrohttpd-dev zlib1g-dev libssl-dev git ca-certificates'
packages() { # installed ones
	for p in $1; do echo "$p  installed"; done >"$dir/packages"
}

mkdir "$dir/bin"
stub dpkg-query <<END
cat "$dir/packages"
END
stub apt-get <<END
echo "\$*" >>"$dir/calls"
[ ! -f "$dir/broken" ] || { echo "noise"; echo "E: Unable to fetch some archives"; exit 100; }
END
stub id <<END
cat "$dir/uid"
END
stub sudo <<END
[ -f "$dir/sudo" ] && [ "\$1" = -n ] && shift && exec "\$@"
exit 1
END
echo 0 >"$dir/uid"

packages "$all"
setup run
check "all is there: silent, no apt call, status 0" test "$rc" = 0 -a ! -s "$dir/said" -a ! -s "$dir/calls"

setup test
check "test needs more than run" grep -q 'install -y --no-install-recommends .*libcmocka-dev' "$dir/calls"
check "and nothing that is there already" sh -c "! grep -q libgit2-dev '$dir/calls'"

echo 'pkgconf:amd64 pkg-config (= 1.8.1-1), pkg-config:any installed' >>"$dir/packages"
sed -i '/^pkg-config /d' "$dir/packages"
setup run
check "a package that provides another counts" test "$rc" = 0 -a ! -s "$dir/calls"

packages "${all%libssl-dev*}"
setup run
check "the lists are read first" sh -c "head -n 1 '$dir/calls' | grep -q 'update$'"
check "then what is missing is installed" grep -q 'install .* libssl-dev git ca-certificates' "$dir/calls"

: >"$dir/broken"
setup run
check "a failing apt-get: status 1 and its error, without its noise" \
	sh -c "test $rc = 1 && grep -q 'E: Unable to fetch' '$dir/said' && ! grep -q noise '$dir/said'"
rm "$dir/broken"

echo 1000 >"$dir/uid"
: >"$dir/sudo"
setup run
check "not root: sudo -n" test "$rc" = 0 -a -s "$dir/calls"
rm "$dir/sudo"
setup run
check "no sudo: the command to type, status 1, no apt call" \
	sh -c "test $rc = 1 -a ! -s '$dir/calls' && grep -q 'sudo apt-get install -y --no-install-recommends libssl-dev git\|sudo apt-get update && sudo apt-get install' '$dir/said'"
setup nonsense
check "an unknown word is a usage error" test "$rc" = 2
echo "1..$n"
exit $failed

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# berth fmt: which files it touches, what it prints, its exit codes.
set -u
berth=${BERTH:-build/berth}
case $berth in /*) ;; *) berth=$PWD/$berth ;; esac
work=$(mktemp -d "${TMPDIR:-/tmp}/berth-fmt.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
n=0 bad=0
check() { # NAME COMMAND...
    name=$1
    shift
    n=$((n + 1))
    if "$@" >"$work/log" 2>&1; then echo "ok $n - $name"; else echo "not ok $n - $name" && sed 's/^/# /' "$work/log" && bad=1; fi
}
# exits STATUS WANTED-OUTPUT ARGS...: standard output and exit status of berth fmt
exits() {
    want=$1 text=$2
    shift 2
    out=$("$berth" fmt "$@" 2>"$work/err")
    got=$?
    [ $got = "$want" ] && [ "$out" = "$text" ] && return
    echo "exit status $got, output: $out"
    cat "$work/err"
    return 1
}
holds() { printf "$2" | cmp - "$1"; } # FILE TEXT
said() { grep -q "$1" "$work/err"; }

cd "$work" || exit 1
"$berth" init repo >/dev/null 2>&1 || exit 1
cd repo && [ -f envs/alice/train.yaml ] || exit 1
check "what berth init writes is canonical" exits 0 "" --check
mkdir -p envs/bo manifests
printf 'b:   1 # c\n' >envs/bo/untidy.yaml
printf 'a: [1\n' >envs/bo/broken.yaml
printf 'a:   1\n' >manifests/other.yaml
printf 'a:   1\n' >outside.yml
ln -s untidy.yaml envs/bo/link.yaml
chmod 640 envs/bo/untidy.yaml
cp envs/bo/broken.yaml ../broken

check "--check names the file and fails" exits 1 envs/bo/untidy.yaml --check
check "--check tells of the file that does not parse" said 'E101.*not closed'
check "--check writes nothing" holds envs/bo/untidy.yaml 'b:   1 # c\n'
check "fmt names the file; one that does not parse makes it fail" exits 1 envs/bo/untidy.yaml
check "fmt writes" holds envs/bo/untidy.yaml 'b: 1  # c\n'
check "the mode is kept" [ "$(stat -c %a envs/bo/untidy.yaml)" = 640 ]
check "a file that does not parse is left alone" cmp envs/bo/broken.yaml ../broken
check "what is no document is left alone" holds manifests/other.yaml 'a:   1\n'
rm envs/bo/broken.yaml
check "a second run has nothing to do" exits 0 ""
check "-C from elsewhere" sh -c "cd / && '$berth' fmt --check -C '$work/repo'"
check "a file named is formatted whatever its place" exits 0 outside.yml outside.yml
check "and it is written" holds outside.yml 'a: 1\n'
check "a symbolic link named is refused" sh -c "'$berth' fmt envs/bo/link.yaml; [ \$? -ge 1 ] && [ -h envs/bo/link.yaml ]"
check "a missing file is an error" sh -c "! '$berth' fmt nowhere.yaml"
check "files and -C together are a mistake" exits 2 "" -C . outside.yml
echo "1..$n"
exit $bad

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deploy/demo.sh as a newcomer uses it: start, edit, mistake, stop, start again.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d) || exit 1
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$dir"' EXIT
export DEMO="$dir/demo"
bare=$DEMO/environments.git
clone=$DEMO/environments
n=0 failed=0
check() { # NAME, then a command that must succeed
	name=$1
	shift
	n=$((n + 1))
	if "$@"; then echo "ok $n - $name"; else
		echo "not ok $n - $name"
		tail -n 40 "$dir/said" | sed 's/^/# /'
		failed=1
	fi
}
start() {
	sh "$top/deploy/demo.sh" >"$dir/said" 2>&1 &
	pid=$!
}
stop() {
	kill -TERM "$pid"
	wait "$pid"
	rc=$?
	pid=
	return $rc
}
until_true() { # at most 60 s
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return 0
		kill -0 "$pid" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}
shown() { git -C "$bare" show "$1"; }
all_rendered() {
	want=$(git -C "$clone" ls-files 'envs/*/*.yaml' | wc -l)
	got=$(git -C "$bare" grep -l '^phase: Rendered' berth/status -- envs | wc -l)
	[ "$want" -gt 4 ] && [ "$got" = "$want" ]
}
commit() { git -C "$clone" add -A && git -C "$clone" commit -qm "$1" && git -C "$clone" push -q; }
pending_shown() { shown berth/status:envs/alice/notebook.yaml | grep -q 'reason: Invalid'; }
gpu_rendered() { shown berth/rendered:envs/alice/notebook/statefulset-notebook.yaml | grep -q 'nvidia.com/gpu'; }
oops_told() { shown berth/status:envs/bo/oops.yaml | grep -q 'flavour'; }

start
check "every environment of the demo becomes Rendered" until_true all_rendered
schemas_there() { # every schema that the editor's settings name is a file of the repository
	sed -n 's|.*"\./\(.*\.schema\.json\)".*|\1|p' "$clone/.vscode/settings.json" >"$dir/schemas"
	[ "$(wc -l <"$dir/schemas")" = 7 ] && (cd "$clone" && xargs git ls-files --error-unmatch <"$dir/schemas" >/dev/null)
}
check "editors find the schemas" schemas_there
check "it says what to do next" grep -q 'git show origin/berth/rendered' "$dir/said"
told() { # berth status, asked in DIR
	"$BERTH" status -C "$1" >"$dir/table" 2>&1 && [ "$(grep -c ' Rendered ' "$dir/table")" -gt 4 ]
}
check "berth status in the clone shows them" told "$clone"
check "and in the repository itself" told "$bare"

sed -i 's/cpu-small/gpu-small/' "$clone/envs/alice/notebook.yaml"
check "an edit can be pushed" commit "notebook: take a GPU"
check "and arrives in the manifests" until_true gpu_rendered

git -C "$clone" mv envs/bo/oops.yaml.example envs/bo/oops.yaml
commit "oops: try it"
check "a bad file is reported with the name of the field" until_true oops_told

sed -i 's/gpu-small/gpu-huge/' "$clone/envs/alice/notebook.yaml"
commit "notebook: a flavor that is not there"
check "a bad new spec stands beside what is live" until_true pending_shown
check "which stays as it was" gpu_rendered

check "SIGTERM ends it with status 0" stop
before=$(git -C "$bare" for-each-ref)
start
check "it starts again" until_true grep -q 'Ctrl-C' "$dir/said"
sleep 2
check "runs on" kill -0 "$pid"
check "and stops again" stop
check "with the same demo, and nothing new to say" test "$before" = "$(git -C "$bare" for-each-ref)"
echo "1..$n"
exit $failed

#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make run: a demo in build/demo (a bare environments.git, a working clone), and the daemon in the foreground.
# A second run goes on with the same demo; `make demo-clean` removes it.
set -eu
cd "$(dirname "$0")/.."
berth=${BERTH:-$PWD/build/berth}
demo=${DEMO:-$PWD/build/demo}
bare=$demo/environments.git
clone=$demo/environments

if [ ! -f "$demo/made" ]; then
	rm -rf "$bare" "$clone" "$demo/state"
	mkdir -p "$demo"
	said=$("$berth" init "$clone" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
	git clone -q --bare "$clone" "$bare"
	git -C "$bare" remote remove origin
	git -C "$clone" config user.name alice
	git -C "$clone" config user.email alice@example.com
	git -C "$clone" config commit.gpgsign false
	git -C "$clone" remote add origin "$bare" 2>/dev/null || git -C "$clone" remote set-url origin "$bare"
	git -C "$clone" fetch -q origin
	git -C "$clone" branch -q --set-upstream-to=origin/main main
	: >"$demo/made"
fi

cat <<END
The demo is in build/demo: environments.git is the repository that berth follows, environments is your clone.
In another terminal, in $PWD:

  cd build/demo/environments
  \$EDITOR envs/alice/notebook.yaml                     change something (say: flavor: gpu-small), then
  git commit -am "notebook: take a GPU" && git push    and watch the lines below

  git mv envs/bo/oops.yaml.example envs/bo/oops.yaml   a bad one: commit, push, and see it reported

  git fetch && git log origin/berth/status             what happened, one commit a change
  git show origin/berth/rendered:envs/alice/train/     the manifests that were written
  ../../berth status                                   the table of all environments
  ../../berth validate                                 the same checks before you push

Ctrl-C stops it (make then says "Error 130"), \`make run\` goes on with it, \`make demo-clean\` removes it.

END
exec "$berth" run --repo "$bare" --target git --state "$demo/state" "$@"

#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The images of the real node (node.sh), made here: no registry is asked.
#
#   images.sh pause OUT.tar             what holds a pod together
#   images.sh debian RUNTIME OUT-DIR    debian.tar: plain Debian with Python, no SSH server; lab.tar: the same with JupyterLab,
#                                       where it can be had. As root, with the debootstrap of `install.sh runtime`
#   images.sh toolbox OUT.tar           /opt/berth of deploy/toolbox
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
say() { printf 'images: %s\n' "$*" >&2; }
image() { python3 "$here/image.py" "$@"; }
pack() { # ROOT OUT.tar [TAR OPTIONS...]
	tar -C "$1" --numeric-owner --sort=name --mtime=@0 -cf "$2" "${@:3}" .
}

pause() { # OUT.tar
	mkdir "$work/pause"
	cat >"$work/pause.c" <<-'C'
	#include <signal.h>
	#include <sys/wait.h>
	#include <unistd.h>
	static void end(int s) { (void)s; _exit(0); }
	static void reap(int s) { (void)s; while (waitpid(-1, NULL, WNOHANG) > 0) continue; }
	int main(void)
	{
		signal(SIGTERM, end);
		signal(SIGINT, end);
		for (signal(SIGCHLD, reap);;)
			pause();
	}
	C
	"${CC:-cc}" -Os -static -s -o "$work/pause/pause" "$work/pause.c"
	pack "$work/pause" "$work/pause.tar"
	image "$1" berth.test/pause:1 "$work/pause.tar" -- /pause
}

bootstrap() { # RUNTIME ROOT: from the mirror that apt uses here
	local uri name
	read -r uri name < <(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Identifier: Packages' 'Component: main')
	DEBOOTSTRAP_DIR=$1/usr/share/debootstrap unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
		sh "$1/usr/sbin/debootstrap" --keyring="$1/usr/share/keyrings/debian-archive-keyring.gpg" --variant=minbase --include=python3 \
		"$name" "$2" "$uri"
}
jupyter() { # ROOT LAYER-ROOT: wheels for the image's Python; the machine's may be another
	local version
	version=$(chroot "$1" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
	python3 -m venv "$work/venv"
	"$work/venv/bin/pip" install -q --disable-pip-version-check --target "$2/opt/lab" --only-binary=:all: --implementation cp \
		--python-version "$version" --abi "cp${version/./}" --abi abi3 --abi none --platform "manylinux2014_$(uname -m)" --platform any \
		'jupyterlab>=4,<5'
	mkdir -p "$2/usr/local/bin"
	cat >"$2/usr/local/bin/jupyter-lab" <<-'S'
	#!/bin/sh
	export PYTHONPATH=/opt/lab JUPYTER_CONFIG_PATH=/opt/lab/etc/jupyter JUPYTER_PATH=/opt/lab/share/jupyter JUPYTERLAB_DIR=/opt/lab/share/jupyter/lab
	exec python3 -m jupyterlab "$@"
	S
	chmod 755 "$2/usr/local/bin/jupyter-lab"
}
debian() { # RUNTIME OUT-DIR
	say "installing Debian into a folder ..."
	bootstrap "$1" "$work/root" >"$2/debootstrap.log" 2>&1 || { tail -n 5 "$2/debootstrap.log" >&2; return 1; }
	pack "$work/root" "$work/base.tar" --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
		--exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./var/log/*' --exclude='./proc/*' --exclude='./sys/*' --exclude='./dev/*'
	image "$2/debian.tar" berth.test/debian:1 "$work/base.tar"
	rm -f "$2/lab.tar"
	say "installing JupyterLab into a folder ..."
	if (umask 022 && jupyter "$work/root" "$work/lab") >"$2/jupyter.log" 2>&1; then
		pack "$work/lab" "$work/lab.layer"
		image "$2/lab.tar" berth.test/lab:1 "$work/base.tar" "$work/lab.layer"
	else
		say "no JupyterLab here; see $2/jupyter.log"
	fi
}

toolbox() { # OUT.tar
	sh "$here/../../deploy/toolbox/build.sh" --tar "$work/tools.tar" "$work/tools" >&2
	image "$1" berth.test/toolbox:1 "$work/tools.tar"
}

umask 022
[ $# -ge 2 ] || { sed -n '5,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
work=$(mktemp -d "${BERTH_WORK:-${TMPDIR:-/tmp}}/berth-images.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM HUP
"$@"

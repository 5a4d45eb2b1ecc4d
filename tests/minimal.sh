#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make minimal: both README commands in a fresh minimal Debian 12 that has nothing but git. Needs root, debootstrap,
# and this machine's apt sources. MINBASE_TAR=FILE keeps the bare system for the next time; MINIMAL_PEERS=none spares the
# build of a control plane (ten minutes, 7 GB). Prints TAP.
set -u
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/var/tmp}/berth-minimal.XXXXXX")
root=$work/root
tar=${MINBASE_TAR:-.cache/minbase.tar}
n=0 failed=0

finish() {
	umount "$root/proc" "$root/dev/pts" "$root/dev" 2>/dev/null
	rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

ok() { # NAME STATUS
	n=$((n + 1))
	if [ "$2" = 0 ]; then echo "ok $n - $1"; else
		echo "not ok $n - $1"
		failed=1
	fi
}
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb BERTH_PEERS="${MINIMAL_PEERS:-}" "$@"; }

base_system() {
	if [ ! -f "$tar" ]; then
		mkdir -p "$(dirname "$tar")"
		debootstrap --variant=minbase --include=git,ca-certificates bookworm "$work/new" >"$work/log" 2>&1 ||
			{ tail -n 20 "$work/log"; return 1; }
		tar -C "$work/new" -cf "$tar" . && rm -rf "$work/new"
	fi
	mkdir -p "$root" && tar -C "$root" -xf "$tar"
	# how this machine reaches its mirror
	cp -a /etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d "$root/etc/apt/" 2>/dev/null
	for f in /etc/apt/apt.conf /etc/pip.conf /etc/resolv.conf /etc/hosts /usr/share/keyrings/*; do
		[ -f "$f" ] && mkdir -p "$root$(dirname "$f")" && cp -L "$f" "$root$f"
	done
	rm -f "$root"/etc/apt/apt.conf.d/*packagekit* "$root"/etc/apt/apt.conf.d/*appstream*
	# third-party sources are not needed and their keys may be missing
	find "$root/etc/apt/sources.list.d" -type f ! -name 'debian*' -delete
	mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" && mount --bind /dev/pts "$root/dev/pts"
}

rendered() { # all demo environments are Rendered on the status branch
	local git="git -C $root/root/berth/build/demo/environments.git" want got
	git config --global --get-all safe.directory | grep -qx '*' || git="git -c safe.directory=* ${git#git }"
	want=$($git ls-tree -r --name-only main envs 2>/dev/null | grep -c '\.yaml$')
	got=$($git grep -l '^phase: Rendered' berth/status -- envs 2>/dev/null | wc -l)
	echo "# rendered: $got of $want" >"$work/rendered"
	[ "$want" -gt 0 ] && [ "$got" = "$want" ]
}

base_system || { echo "not ok 1 - no base system"; exit 1; }
git clone -q --bare . "$root/srv/berth.git"
inside sh -c 'cd /root && git clone -q /srv/berth.git berth' || exit 1

said=$(inside sh -c 'cp -r /root/berth /tmp/b && chown -R 1000 /tmp/b && cd /tmp/b && exec setpriv --reuid 1000 --clear-groups ./deploy/berth-up run' 2>&1)
rc=$?
[ $rc = 1 ] && grep -q 'apt-get install' <<<"$said"
ok "without root it names the packages and exits 1" $?

start=$SECONDS
inside sh -c 'cd /root/berth && exec ./deploy/berth-up run' >"$work/run.out" 2>&1 &
pid=$!
for _ in $(seq 300); do
	rendered && break
	kill -0 $pid 2>/dev/null || break
	sleep 1
done
rendered
ok "berth-up run: every demo environment is Rendered after $((SECONDS - start)) s" $?
cat "$work/rendered"
sed 's/^/# /' "$work/run.out" | tail -n 60
daemon=$(cat "$root/root/berth/build/demo/state/lock" 2>/dev/null)
kill -TERM "${daemon:-$pid}" 2>/dev/null
wait $pid
rc=$?
ok "SIGTERM ends it with status 0 (got $rc)" $rc

if [ "${MINIMAL_TEST:-1}" = 1 ]; then
	inside sh -c 'cd /root/berth && exec ./deploy/berth-up test' >"$work/test.out" 2>&1
	ok "berth-up test" $?
	tail -n 30 "$work/test.out" | sed 's/^/# /'
fi
echo "1..$n"
exit $failed

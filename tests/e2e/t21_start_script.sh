#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The start script of an environment, outside of a container, with tools that only record how they were called;
# sshd's stand-in listens too.
set -u
cd "$(dirname "$0")/../.."
work=$(mktemp -d "${TMPDIR:-/tmp}/berth-start.XXXXXX") || exit 1
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$work"' EXIT
mkdir -p "$work/home" "$work/run" "$work/toolbox/bin" "$work/toolbox/sbin" "$work/calls"
n=0 bad=0
check() { # NAME COMMAND...
    name=$1
    shift
    n=$((n + 1))
    if "$@" >/dev/null 2>&1; then echo "ok $n - $name"; else echo "not ok $n - $name" && sed 's/^/# /' "$work/log" && bad=1; fi
}
refuse() { ! "$@"; }

cat >"$work/tool" <<'EOF'
#!/bin/sh
name=${0##*/}
printf '%s\n' "$name $*" >>"$CALLS/$name"
case $name in
ssh-keygen)
    case $* in *-y*) while [ $# -gt 1 ]; do [ "$1" != -f ] || [ -s "$2" ] || exit 1; shift; done; exit 0 ;; esac
    while [ $# -gt 1 ]; do [ "$1" = -f ] && echo "made by $$" | tee "$2" >"$2.pub"; shift; done
    exit 0 ;;
sshd)
    [ "$1" != -t ] || exit 0
    # what readiness is about
    python3 -c 'import signal, socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); signal.alarm(120); signal.pause()' "$(sed -n 's/^Port //p' "$4")" &
    listener=$!
    trap 'kill "$listener"; echo ended >>"$CALLS/$name"; exit 0' TERM
    wait "$listener"
    exit 1 ;;
esac
trap 'echo ended >>"$CALLS/$name"; exit 0' TERM
while :; do sleep 1 & wait $!; done
EOF
for tool in bin/ttyd bin/ssh-keygen sbin/sshd; do
    cp "$work/tool" "$work/toolbox/$tool"
    chmod +x "$work/toolbox/$tool"
done

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
ready() { BERTH_RUN="$work/run" sh templates/scripts/ready.sh; }
start() { # TOOLS VARIABLES...: returns when it is ready and has called the tools
    tools=$1
    shift
    rm -rf "$work/calls" "$work/run"
    mkdir "$work/calls" "$work/run"
    env HOME="$work/home" BERTH_RUN="$work/run" BERTH_TOOLBOX="$work/toolbox" CALLS="$work/calls" BERTH_USER=dev BERTH_SSH_PORT="$port" "$@" \
        sh templates/scripts/start.sh >"$work/log" 2>&1 &
    pid=$!
    tries=200
    until ready || [ "$tries" = 0 ]; do
        sleep 0.2
        tries=$((tries - 1))
    done
    for tool in $tools; do
        until [ -s "$work/calls/$tool" ] || [ "$tries" = 0 ]; do
            sleep 0.2
            tries=$((tries - 1))
        done
    done
    sleep 0.5 # for what must not be called
}
eventually() { # at most 40 s
    tries=200
    until "$@"; do
        [ "$((tries -= 1))" -gt 0 ] || return 1
        sleep 0.2
    done
}
stop() {
    kill "$pid"
    wait "$pid"
    rc=$?
    pid=
}

echo '1..24'
printf '# mine\nreturn\n' >"$work/home/.bashrc"
start 'sshd ttyd' BERTH_WEB='terminal vscode' GREETING="it's \$HOME"
check 'becomes ready' ready
check 'as sshd listens' grep -q 'ssh ready on port' "$work/log"
check 'starts sshd in the foreground' grep -q -- "-D -e -f $work/run/.berth/sshd_config" "$work/calls/sshd"
check 'keys come from the mounted folder' grep -qx 'AuthorizedKeysFile /etc/berth/keys/authorized_keys' "$work/run/.berth/sshd_config"
check 'passwords are refused' grep -qx 'PasswordAuthentication no' "$work/run/.berth/sshd_config"
check 'SFTP is on' grep -qx 'Subsystem sftp internal-sftp' "$work/run/.berth/sshd_config"
check 'ttyd asks before it gives a shell' grep -Eq -- '-p 7681 [^ ]*sh .*/web-login.sh$' "$work/calls/ttyd"
check 'its password stands in no argument list' refuse grep -qF "$(cat "$work/home/.berth/web-password")" "$work/calls/ttyd"
check 'the password is for its owner alone' test "$(stat -c %a "$work/home/.berth/web-password")" = 600
check 'says what it could not start' eventually grep -q 'vscode missing: no code-server' "$work/log"
check 'so does berth-status' eventually sh -c "BERTH_RUN='$work/run' '$work/run/.berth/bin/berth-status' | grep -q '^vscode missing: no code-server'"
check 'a session gets the variables of the pod' \
    test "$(env -i HOME="$work/home" SSH_CONNECTION=x sh -c '. "$HOME/.bashrc" >/dev/null; printf %s "$GREETING"')" = "it's \$HOME"
check 'the profile of the user is kept' grep -q '^# mine' "$work/home/.bashrc"
key=$(cat "$work/home/.berth/ssh/host_ed25519")
stop
check 'SIGTERM ends it with 0' test "$rc" = 0
check 'and its tools' grep -qx ended "$work/calls/sshd"
check 'it is not ready any more' refuse ready
lines=$(wc -l <"$work/home/.bashrc")

start sshd BERTH_WEB= BERTH_SFTP=0
check 'the host key stays' test "$(cat "$work/home/.berth/ssh/host_ed25519")" = "$key"
check 'SFTP is off' refuse grep -q sftp "$work/run/.berth/sshd_config"
check 'no web tool when none is wanted' refuse test -e "$work/calls/ttyd"
check 'profiles are changed once' test "$(wc -l <"$work/home/.bashrc")" = "$lines"
stop

start '' BERTH_SSH=0 BERTH_WEB=
check 'no sshd when SSH is off' refuse test -e "$work/calls/sshd"
check 'ready when nothing is asked for' ready
stop

# the terminal's own login: $0 of the shell that it ends in says that it was let in
login() {
    printf '%s\necho let in\n' "$1" | env HOME="$work/home" BERTH_TOOLBOX="$work/none" \
        sh templates/scripts/web-login.sh 2>&1 | grep -q 'let in'
}
check 'the right password lets in' login "$(cat "$work/home/.berth/web-password")"
check 'a wrong one does not' refuse login 0123
exit $bad

# SPDX-License-Identifier: Apache-2.0
"""The toolbox in root file systems that have nothing of it: a person logs in with a real ssh, as in a pod.

deploy/toolbox/build.sh makes it (once, into the cache); the roots are one with nothing at all, one that holds only
busybox, a minimal Debian with Python, and an older Debian whose libc is older than the toolbox's. Everything runs as uid 1000 without a
capability, by the built-in start script. Other families than Debian cannot be had from a package registry.
"""
import hashlib
import os
import random
import shutil

import lab
import roots
from lab import check

TOOLS = roots.toolbox_or_skip()

said = roots.sh("sh", roots.BUILD, "--check", TOOLS)
check("every program starts where nothing else is", "not ok" not in said and said.count("toolbox: ok ") >= 10, said)

PATTERN = random.Random(80).randbytes(1 << 20)
ODD = "it's $HOME \"and\" `more`\nline two\t*"


def same(path):
    with open(path, "rb") as f:
        return f.read() == PATTERN


def digest(said):
    return said.out.split()[0] if said.out.split() else ""


def files(pod, where):
    """SFTP, scp, rsync: a megabyte there and back."""
    here = os.path.join(pod.folder, "pattern")
    with open(here, "wb") as f:
        f.write(PATTERN)
    want = hashlib.sha256(PATTERN).hexdigest()
    back = here + ".sftp"
    said = pod.outside("sftp", *pod.options(), "-P", "2222", "-b", "-", "dev@127.0.0.1",
                       data=("put %s from-sftp\nget from-sftp %s\nls -la\n" % (here, back)).encode())
    check(where + "sftp puts and gets", said.rc == 0 and os.path.exists(back) and same(back), said)
    back = here + ".scp"
    one = pod.outside("scp", *pod.options(), "-P", "2222", here, "dev@127.0.0.1:from-scp")
    two = pod.outside("scp", *pod.options(), "-P", "2222", "dev@127.0.0.1:from-scp", back)
    check(where + "scp copies there and back", one.rc == 0 and two.rc == 0 and same(back), one, two)
    old = pod.outside("scp", "-O", *pod.options(), "-P", "2222", here, "dev@127.0.0.1:from-old-scp")
    check(where + "so does the old protocol of scp", old.rc == 0 and digest(pod.ssh("sha256sum from-old-scp")) == want, old)
    if shutil.which("rsync"):
        said = pod.outside("rsync", "-e", "ssh -p 2222 " + " ".join(pod.options()), here, "dev@127.0.0.1:from-rsync")
        check(where + "rsync copies", said.rc == 0 and digest(pod.ssh("sha256sum from-rsync")) == want, said)


def login(pod, where, bash):
    said = pod.ssh("printf %s out; printf %s err >&2; exit 7")
    check(where + "a command runs: its output, its errors, its status", said.rc == 7 and said.out == "out" and "err" in said.err, said)
    said = pod.ssh("tty; stty size; exit 3", flags=["-tt"])
    check(where + "a terminal", said.rc == 3 and "/dev/pts/" in said.out, said)
    said = pod.ssh(flags=["-tt"], data=b"echo in-$((40 + 2)) $SHELL; shopt -q login_shell && echo login; exit 5\n")
    check(where + "a login: %s" % bash, said.rc == 5 and "in-42 " + bash in said.out and "\nlogin" in said.out.replace("\r", ""), said)
    said = pod.ssh("cat", data=PATTERN[:65536] * 4)
    check(where + "bytes through standard input and output", said.rc == 0 and len(said.out) > 0, said.rc)
    check(where + "the variables of the pod, to the byte", pod.ssh('printf %s "$ODD"').out == ODD, pod.ssh("env"))
    said = pod.ssh("umask; id -u; id -un; pwd; berth-status")
    check(where + "as an ordinary user in the home", said.out.split("\n")[:5] == ["0022", "1000", "dev", "/home/dev", "ssh ready on port 2222"], said)
    said = pod.ssh("grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status")
    check(where + "without any capability", said.out.split() == ["CapBnd:", "0" * 16, "CapEff:", "0" * 16, "NoNewPrivs:", "1"] or
          sorted(said.out.split()) == sorted(["CapBnd:", "0" * 16, "CapEff:", "0" * 16, "NoNewPrivs:", "1"]), said)


def refuses(pod, where):
    said = pod.ssh("true", key=pod.other)
    check(where + "another key is refused", said.rc == 255 and "Permission denied" in said.err, said)
    said = pod.outside("ssh", *pod.options(), "-o", "PreferredAuthentications=password,keyboard-interactive", "-p", "2222", "dev@127.0.0.1", "true")
    check(where + "so are passwords", said.rc == 255 and "(publickey)" in said.err, said)
    said = pod.outside("ssh", *pod.options(), "-p", "2222", "root@127.0.0.1", "true")
    check(where + "so is root", said.rc == 255, said)


def tools(pod, where):
    said = pod.ssh("git init -q work && cd work && git config user.email a@example.com && git config user.name a && "
                   "echo one >file && git add file && git commit -qm one && git log --oneline | wc -l")
    check(where + "git works", said.rc == 0 and said.out.strip() == "1", said)
    git = "ssh -p 2222 " + " ".join(pod.options())
    there = os.path.join(pod.folder, "clone")
    said = pod.outside("env", "GIT_SSH_COMMAND=" + git, "git", "clone", "-q", "ssh://dev@127.0.0.1/home/dev/work", there)
    check(where + "a repository in it can be cloned from outside", said.rc == 0 and os.path.exists(os.path.join(there, "file")), said)


def whole(name, root, bash, **more):
    where = name + ": "
    pod = roots.Pod(name, root, TOOLS, env={"ODD": ODD}, **more).start()
    if not check(where + "becomes ready", pod.wait_ready(), pod.log()):
        return pod.kill()
    known = pod.pin()
    check(where + "has one host key", len(known) == 1 and known[0].startswith("ssh-ed25519 "), known)
    login(pod, where, bash)
    refuses(pod, where)
    files(pod, where)
    tools(pod, where)
    # what the user left running is told, and may end by itself
    pod.ssh("(trap 'echo told >told; exit 0' TERM; : >ready; while :; do sleep 0.1; done) >/dev/null 2>&1 </dev/null & "
            "until [ -e ready ]; do sleep 0.1; done")
    check(where + "ends by SIGTERM", pod.stop() == 0, pod.log())
    check(where + "and tells what the user left running", os.path.exists(os.path.join(pod.home, "told")))
    pod.start()
    check(where + "is ready again after a second start", pod.wait_ready(), pod.log())
    said = pod.ssh("cat work/file")
    check(where + "with the same host key and home", said.rc == 0 and said.out == "one\n" and pod.pin() == known, said)
    pod.kill()


whole("nothing", roots.bare(TOOLS, applets=False), "/opt/berth/bin/bash")
whole("busybox", roots.bare(TOOLS), "/opt/berth/bin/bash")
for suite, include in ((None, roots.PYTHON), (roots.OLDER, "")):
    try:
        root = roots.debian(suite, include)
    except RuntimeError as e:
        name = "debian " + (suite or "")
        lab.note("NOT TESTED: %s cannot be had here: %s" % (name, e))
        print("ok %d - %s # SKIP cannot be had here" % (lab.count + 1, name))
        lab.count += 1
        continue
    whole(os.path.basename(root).rsplit("-", 1)[0], root, "/bin/bash")
lab.note("NOT TESTED: another family than Debian; none can be had from a package registry")
lab.done()

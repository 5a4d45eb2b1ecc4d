# SPDX-License-Identifier: Apache-2.0
"""The entry scripts of an environment in real root file systems: twice in a row, killed in the middle, keys that change.

Each shell that may run them (dash, bash, busybox) runs them as process 1 of a pod made of namespaces.
"""
import os
import shutil
import sys

import lab
import roots
from lab import check, until

TOOLS = roots.toolbox_or_skip()
DEBIAN = roots.debian(None, roots.PYTHON)
BARE = roots.bare(TOOLS)


def quiet(tree):
    """Without what is written anew at each start by design: logs."""
    return {k: v for k, v in tree.items() if not k.endswith(".log")}


def lines(pod, text):
    return [line for line in pod.log().splitlines() if text in line]


def fd(pod):
    """The process that listens as sshd, by its number in the pod."""
    for line in pod.enter("/opt/berth/bin/busybox", "ps", "-o", "pid,ppid,args").out.splitlines()[1:]:
        pid, _, args = line.split(None, 2)
        if "sshd" in args and "-D" in args:
            return pid
    return None


# -- twice in a row, in each shell ---------------------------------------------------------------------------------

for name, root, command in (("dash", DEBIAN, ["/bin/dash"]), ("bash", DEBIAN, ["/bin/bash"]), ("busybox", BARE, ["/bin/busybox", "sh"]),
                            ("toolbox-sh", roots.bare(TOOLS, applets=False), ["/opt/berth/bin/sh"])):
    where = name + ": "
    pod = roots.Pod(name, root, TOOLS, command)
    pod.file("scripts/setup.sh", "echo setup >>~/setups; echo was here\n", 0o555)
    check(where + "ready", pod.start().wait_ready(), pod.log())
    check(where + "its setup ran", until(lambda: pod.status().get("setup") == "done"), pod.status(), pod.log())
    known = pod.pin()
    first = quiet(pod.tree())
    check(where + "a home gets its first files", {".profile", ".bashrc"} <= set(first), sorted(first))
    check(where + "SIGTERM ends it with 0", pod.stop() == 0, pod.log())
    check(where + "ready again", pod.start().wait_ready(), pod.log())
    until(lambda: pod.status().get("setup") == "done")
    second = quiet(pod.tree())
    check(where + "the second run changes nothing but what the setup script does", {k: v for k, v in first.items() if k != "setups"} ==
          {k: v for k, v in second.items() if k != "setups"}, roots.differences(first, second))
    check(where + "and the host key is the same", pod.pin() == known and pod.ssh("true").rc == 0, pod.known)
    pod.kill()

# -- killed in the middle ------------------------------------------------------------------------------------------

pod = roots.Pod("killed", DEBIAN, TOOLS, ["/bin/dash"])
keys, broken = set(), []
for n in range(12):
    pod.start()
    # later and later: as soon as the n-th file is there, or at once
    until(lambda: len(pod.tree()) + len(lines(pod, "berth:")) >= n or not pod.running(), 10)
    pod.kill()
    key = os.path.join(pod.home, ".berth/ssh/host_ed25519")
    if os.path.exists(key):
        with open(key) as f:
            keys.add(f.read())
        if "PRIVATE KEY" not in open(key).read():
            broken.append(n)
check("killed at any point: never more than one host key, never half of one", len(keys) <= 1 and not broken, len(keys), broken)
check("ready after all that", pod.start().wait_ready(), pod.log())
pod.pin()
check("and a person gets in", pod.ssh("true").rc == 0, pod.log())
with open(os.path.join(pod.home, ".berth/ssh/host_ed25519")) as f:
    check("by the key that was made first", not keys or f.read() in keys)
left = [p for p in pod.tree() if p.endswith((".new", "-new", ".new.pub"))]
check("nothing half is left", not left, left)

# -- a toolbox of another time -------------------------------------------------------------------------------------

pod = roots.Pod("older", DEBIAN, TOOLS, ["/bin/dash"])
with open(os.path.join(pod.conf, "scripts/passwd")) as f:
    pod.file("scripts/passwd", f.read().replace("/opt/berth/bin/login-shell", "/opt/berth/bin/not-yet"))
pod.start()
check("a login shell that the toolbox lacks: nobody could log in, so it is said and the pod is not ready",
      until(lambda: "there is no /opt/berth/bin/not-yet" in pod.status().get("ssh", "")) and until(lambda: lines(pod, "nobody can get in")) and
      not until(pod.ready, 3), pod.status(), pod.log())
pod.kill()
pod = roots.Pod("kept", DEBIAN, TOOLS, ["/bin/dash"])
check("with the right one a person gets in", pod.start().wait_ready() and pod.pin() and pod.ssh("true").rc == 0, pod.log())

# -- sshd ends, keys change ----------------------------------------------------------------------------------------

before = fd(pod)
pod.enter("/opt/berth/bin/busybox", "kill", "-9", before)
check("sshd that was killed is started again", until(lambda: fd(pod) not in (None, before)) and pod.wait_ready(), pod.log())
check("which the log says", until(lambda: lines(pod, "ssh failed: it ended with status 137, again in 1 s")), pod.log())
check("and a person gets in by the same host key", pod.ssh("true").rc == 0)
pod.publish(pod.other + ".pub")
check("a key that was taken away is refused at once", pod.ssh("true").rc == 255)
check("the new one is let in", pod.ssh("true", key=pod.other).rc == 0)
check("without a restart", not lines(pod, "again in 2 s") and pod.running())
pod.stop()

# -- host keys -----------------------------------------------------------------------------------------------------

own = os.path.join(pod.home, ".berth/ssh/host_ed25519")
text = open(own).read()
with open(own, "w") as f:
    f.write(text[:100])
pod.publish(pod.key + ".pub")
pod.start().wait_ready()
check("a host key that is broken is put aside and said", open(own + ".broken").read() == text[:100] and lines(pod, "is broken"), pod.log())
check("so that people are warned", pod.ssh("true").rc == 255 and pod.ssh("true", flags=["-o", "UserKnownHostsFile=/dev/null"], strict="no").rc == 0)
pod.stop()
os.chmod(own, 0o660)  # what fsGroup does to a volume that changed hands
check("one whose mode was opened serves", pod.start().wait_ready(), pod.log())
pod.stop()
secret = os.path.join(pod.folder, "secret")
roots.sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", secret)
into = os.path.join(pod.conf, "hostkeys", "ssh_host_ed25519_key")
shutil.copy(secret, into)
os.chown(into, 0, 1000)
os.chmod(into, 0o440)  # as a Secret with defaultMode 0440 and fsGroup
with open(os.path.join(pod.conf, "hostkeys", "ssh_host_rsa_key"), "w") as f:
    f.write("not a key\n")
os.unlink(pod.known)
with open(secret + ".pub") as f:
    line = f.read().split()[:2]
with open(pod.known, "w") as f:
    f.write("[127.0.0.1]:2222 %s\n" % " ".join(line))
check("ready with a Secret", pod.start().wait_ready(), pod.log())
check("the Secret's host key is the one", pod.ssh("true").rc == 0, pod.log())
check("what is no key there is said, and not in the way", lines(pod, "ssh_host_rsa_key of the Secret is no private key"), pod.log())
check("no key reaches the log", not any(part in open(pod.log_path, errors="replace").read() for part in (open(secret).read().split("\n")[2], text.split("\n")[2])))
pod.stop()

# -- homes and shells ----------------------------------------------------------------------------------------------

pod = roots.Pod("home", DEBIAN, TOOLS, ["/bin/dash"], env={"BERTH_WEB": "terminal vscode"})
with open(os.path.join(pod.home, ".bashrc"), "w") as f:
    f.write("# mine\nexport MINE=1\n")
os.chown(os.path.join(pod.home, ".bashrc"), 1000, 1000)
pod.start().wait_ready()
pod.pin()
check("a person's own .bashrc is left alone", open(os.path.join(pod.home, ".bashrc")).read() == "# mine\nexport MINE=1\n")
check("the rest of the skeleton comes beside it", os.path.exists(os.path.join(pod.home, ".profile")))
check("a command of ssh reads it", pod.ssh("echo $MINE$BERTH_ENV").out == "1home\n")
with open(os.path.join(pod.home, ".berth", "shell"), "w") as f:
    f.write("/bin/dash\n")
check("another shell can be chosen", pod.ssh("echo $SHELL").out == "/bin/dash\n")
check("what is missing is in the status", until(lambda: pod.status().get("vscode") == "missing: no code-server in the image or the toolbox"), pod.status())
has_ttyd = os.path.exists(os.path.join(TOOLS, "opt/berth/bin/ttyd"))
if has_ttyd:
    check("ttyd answers", until(lambda: pod.http(7681, "/")[0] == 200), pod.status())
    client = [sys.executable, os.path.join(lab.TOP, "tests/e2e/ttyd_client.py"), "7681"]
    with open(os.path.join(pod.home, ".berth/web-password")) as f:
        password = f.read()
    said = pod.outside(*client, data=("%s\necho in-$((40 + 2)) $BERTH_ENV\n" % password).encode())
    check("the password lets a visitor in, to a shell with the pod's variables", "in-42 home" in said.out and password not in said.out, said)
    said = pod.outside(*client, data=b"wrong\necho in-$((40 + 2))\n")
    check("another does not", "wrong password" in said.out and "in-42" not in said.out, said)
else:
    check("so is a terminal without ttyd", until(lambda: pod.status().get("terminal") == "missing: no ttyd in the image or the toolbox"), pod.status())
    lab.note("NOT TESTED: ttyd itself; this distribution has no package of it, and TTYD_SOURCE names no source")
mode = oct(os.stat(os.path.join(pod.home, ".berth")).st_mode & 0o777)
check("berth's own folder is the user's alone", mode == "0o700", mode)
pod.stop()
pod = roots.Pod("none", BARE, TOOLS, env={"BERTH_SSH": "0"})
check("asked for nothing, it is ready", pod.start().wait_ready(), pod.log())
check("and nothing listens", pod.enter("/opt/berth/bin/busybox", "netstat", "-ltn").out.count("LISTEN") == 0)
pod.kill()
pod = roots.Pod("cannot", DEBIAN, TOOLS, ["/bin/dash"], env={"BERTH_SSH": "0", "BERTH_WEB": "vscode"})
pod.start()
check("when nobody can get in it says why", until(lambda: lines(pod, "nobody can get in")), pod.log())
check("and is not ready", not pod.ready() and pod.running())
pod.kill()

lab.done()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""root.sh with a real apt: packages are root's, everything else is the user's. Needs root and a Debian to lay a layer over."""
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import time

import lab
from lab import check
from pod import SCRIPTS, Web


def skip(why):
    print("1..0 # SKIP %s: nothing was shown about packages of the system" % why)
    sys.exit(0)


if os.getuid():
    skip("not root")
for tool in ("apt-get", "dpkg-deb", "setpriv", "unshare"):
    if not shutil.which(tool):
        skip(tool + " is not there")

repo, home = os.path.join(lab.folder, "repo"), os.path.join(lab.folder, "dev")
os.makedirs(repo)
os.makedirs(home)


def deb(name):
    top = os.path.join(lab.folder, "deb-" + name)
    os.makedirs(top + "/DEBIAN")
    os.makedirs(top + "/usr/bin")
    with open(top + "/DEBIAN/control", "w") as f:
        f.write("Package: %s\nVersion: 1.0\nArchitecture: all\nMaintainer: Alice <alice@example.com>\nDescription: test\n" % name)
    with open(top + "/usr/bin/" + name, "w") as f:
        f.write("#!/bin/sh\necho it is %s\n" % name)
    os.chmod(top + "/usr/bin/" + name, 0o755)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", top, os.path.join(repo, name + "_1.0_all.deb")], check=True, stdout=subprocess.DEVNULL)


for package in ("berth-one", "berth-two"):
    deb(package)
with open(os.path.join(repo, "Packages"), "w") as f:
    for name in sorted(n for n in os.listdir(repo) if n.endswith(".deb")):
        body = open(os.path.join(repo, name), "rb").read()
        control = subprocess.run(["dpkg-deb", "-f", os.path.join(repo, name)], capture_output=True, text=True, check=True).stdout
        f.write("%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n" % (control, name, len(body), hashlib.sha256(body).hexdigest()))
with open(os.path.join(repo, "Packages"), "rb") as f, gzip.open(os.path.join(repo, "Packages.gz"), "wb") as z:
    z.write(f.read())
web = Web(repo)

# A trap in every place that the user can write and root might run or read from.
trap = '#!/bin/sh\n[ "$(/usr/bin/id -u)" != 0 ] || echo "$0" >>/trapped\nPATH=/usr/bin:/bin exec "${0##*/}" "$@"\n'
os.makedirs(home + "/.local/bin")
for name in ("id", "cat", "sed", "setpriv", "sha256sum", "apt-get", "sleep", "mkdir", "dirname", "sh"):
    with open(home + "/.local/bin/" + name, "w") as f:
        f.write(trap)
    os.chmod(home + "/.local/bin/" + name, 0o755)
with open(home + "/.dpkg.cfg", "w") as f:
    f.write("pre-invoke=echo dpkg.cfg >>/trapped\n")

INSIDE = r"""
set -eu
mount -t tmpfs tmpfs "$1/mnt"
mkdir "$1/mnt/up" "$1/mnt/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/mnt/up,workdir=$1/mnt/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount --bind /dev dev
mount -t tmpfs tmpfs tmp
mkdir -p home/dev etc/berth/scripts
mount --bind "$2" home/dev
mount --bind "$3" etc/berth/scripts
mount -o remount,bind,ro etc/berth/scripts
rm -rf etc/apt/sources.list.d/* etc/apt/apt.conf.d/*proxy* etc/apt/preferences.d/* etc/apt/auth.conf.d/*
printf 'deb [trusted=yes] %s ./\n' "$4" >etc/apt/sources.list
printf 'Acquire::http::Proxy "DIRECT";\n' >etc/apt/apt.conf.d/99direct
touch ../outside
exec chroot . /usr/bin/env -i HOME=/home/dev PATH=/home/dev/bin:/usr/bin:/bin BERTH_SSH=0 BERTH_WEB= BERTH_EVERY=1 BERTH_PAUSE=1 \
    BERTH_UID=1000 BERTH_GID=1000 /bin/sh /etc/berth/scripts/start.sh
"""


def child_of(pid):
    """The first one, or nothing."""
    try:
        with open("/proc/%s/task/%s/children" % (pid, pid)) as f:
            return (f.read().split() or [""])[0]
    except OSError:
        return ""


class Container:
    def __init__(self, name):
        self.top = os.path.join(lab.folder, name)
        self.scripts = self.top + "/scripts"
        os.makedirs(self.top + "/mnt")
        os.makedirs(self.top + "/root")
        shutil.copytree(SCRIPTS, self.scripts)
        with open(self.scripts + "/passwd", "w") as f:
            f.write("root:x:0:0:root:/root:/bin/sh\ndev:x:1000:1000:alice:/home/dev:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")

    def write(self, *packages):
        with open(self.scripts + "/packages.new", "w") as f:
            f.writelines(p + "\n" for p in packages)
        os.rename(self.scripts + "/packages.new", self.scripts + "/packages.apt")

    def start(self):
        self.log = open(self.top + "/log", "w")
        # two levels, since a first process that changes its user is not told any more when its parent ends
        self.process = subprocess.Popen(["unshare", "--pid", "--fork", "--kill-child", "unshare", "--mount", "--pid", "--fork", "--kill-child",
                                         "sh", "-c", INSIDE, "sh", self.top, home, self.scripts, web.url],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        lab.processes.append(self.process)

    def inside(self, *command):
        """A command as root in the container."""
        pid = child_of(child_of(self.process.pid))
        if not pid:
            return ""
        return subprocess.run(["nsenter", "-t", pid, "-m", "-p", "-r", "-w", *command], capture_output=True, text=True,
                              env={"PATH": "/usr/bin:/bin"}).stdout

    def until(self, *beginnings):
        def look():
            said = self.inside("cat", "/tmp/.berth/status/system-packages").strip()
            return said if said.startswith(beginnings) else ""
        return lab.until(look, 2 * lab.WAIT) or self.inside("cat", "/tmp/.berth/status/system-packages").strip()

    def why(self):
        return open(self.top + "/log").read()[-1500:] + self.inside("cat", "/var/log/berth-packages.log")[-2500:]

    def stop(self):
        self.process.kill()
        self.process.wait()


os.chmod(lab.folder, 0o755)
for root, dirs, names in os.walk(home):
    for n in ["."] + dirs + names:
        os.lchown(os.path.join(root, n), 1000, 1000)

one = Container("one")
one.write("berth-one")
one.start()
if not lab.until(lambda: os.path.exists(one.top + "/outside") or one.process.poll() is not None) or one.process.poll() is not None:
    skip("no layer can be laid over this system (%s)" % open(one.top + "/log").read().strip()[-200:])
text = one.until("ready", "failed")
check("apt installs the list", text == "ready: 1" and one.inside("/usr/bin/berth-one") == "it is berth-one\n", text, one.why())
check("everything else is the user's", lab.until(lambda: "started as" in one.why()) and
      lab.until(lambda: "start.sh" in one.inside("ps", "-U", "1000", "-o", "args=")) and
      "start.sh" not in one.inside("ps", "-U", "0", "-o", "args=").replace("root.sh", ""), one.inside("ps", "-eo", "uid,args"))
check("what it says is the user's too", lab.until(lambda: one.inside("stat", "-c", "%u", "/tmp/.berth/status/system-packages").strip() == "1000"))
one.write("berth-one", "berth-two")
text = one.until("ready: 2")
check("a changed list reaches the running pod", text == "ready: 2" and one.inside("/usr/bin/berth-two") == "it is berth-two\n", text, one.why())
check("the user's own files lead root nowhere", one.inside("cat", "/trapped") == "", one.inside("cat", "/trapped"))
one.write("berth-one", "berth-nowhere", "berth-two")
text = one.until("failed")
check("a wrong name is named", text.startswith("failed: apt: berth-nowhere: see /var/log/berth-packages.log, again in"), text, one.why())
one.stop()

# A file of the right name and size where a cache could be, and variables that would load code into whatever root runs.
two = Container("two")
two.write("berth-one")
size = os.path.getsize(os.path.join(repo, "berth-one_1.0_all.deb"))
cache = os.path.join(home, ".cache", "berth", "apt")
os.makedirs(cache)
with open(cache + "/berth-one_1.0_all.deb", "wb") as f:
    f.write(b"x" * size)
value = "it's $(id) \"`id`\"\n#"
with open(two.scripts + "/user-env.sh", "w") as f:
    f.write("export GIVEN='%s'\nexport PATH='/home/dev/.local/bin:/usr/bin:/bin'\nexport LD_PRELOAD='/home/dev/none.so'\n" % value.replace("'", "'\\''"))
two.start()
text = two.until("ready", "failed")
check("a new container downloads them again, whatever lies in the home", text == "ready: 1" and two.inside("/usr/bin/berth-one") == "it is berth-one\n",
      text, two.why())


def environment(uid):
    out = []
    for pid in two.inside("ps", "-U", uid, "-o", "pid=").split():
        out.append(two.inside("cat", "/proc/%s/environ" % pid))
    return "\0".join(out)


check("variables of the spec reach the user as they were written", lab.until(lambda: "GIVEN=" + value + "\0" in environment("1000") + "\0"),
      environment("1000")[-500:])
check("and no process of root's", "GIVEN=" not in environment("0") and "LD_PRELOAD" not in environment("0"), environment("0"))
check("nothing that the user can write was run by root", two.inside("cat", "/trapped") == "", two.inside("cat", "/trapped"))
two.stop()
web.close()
lab.done()

# SPDX-License-Identifier: Apache-2.0
"""Root file systems and "pods" in them: what a container is, made of namespaces and chroot, without a container runtime.

A pod has its own mounts, processes and network (loopback alone), runs as uid 1000 without any capability, and is gone with
all that it started when its process ends. Needs root. What is built goes into a cache, by what it is built of.
"""
import atexit
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import lab

CACHE = os.environ.get("BERTH_PEERS") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "berth-peers")
if CACHE == "none":
    CACHE = os.path.join(lab.folder, "cache")
CACHE = os.path.join(CACHE, "roots")
SCRIPTS = os.path.join(lab.TOP, "templates", "scripts")
BUILD = os.path.join(lab.TOP, "deploy", "toolbox", "build.sh")
POINTS = ("tmp", "dev", "proc", "home/dev", "opt/berth", "etc/berth", "wheels")  # what a pod mounts on
PYTHON, OLDER = "python3,python3-venv", "bullseye"  # what the tests' Debian has beside its base; the release with an older libc
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def sh(*args, **more):
    p = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                       errors="replace", **more)
    if p.returncode:
        raise RuntimeError("%s: status %d\n%s" % (" ".join(args[:3]), p.returncode, p.stdout[-1500:]))
    return p.stdout


def refused():
    """Why no pod can be made on this machine, or nothing."""
    if os.geteuid():
        return "chroot and namespaces need root"
    for tool in ("unshare", "setpriv", "nsenter", "chroot", "mount", "ssh", "sftp", "scp", "ssh-keygen"):
        if not shutil.which(tool):
            return "there is no %s" % tool
    p = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "mount", "-t", "tmpfs", "none", "/mnt"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return "no namespaces or mounts are allowed here: " + p.stdout.strip() if p.returncode else None


def skip(why):
    print("1..0 # SKIP NOT TESTED: %s" % why)
    sys.exit(0)


# -- what is made once ---------------------------------------------------------------------------------------------


def made(name, recipe, make):
    """The folder CACHE/name-<digest of recipe>; make(folder) fills it. A folder that is half done never has its name."""
    path = os.path.join(CACHE, "%s-%s" % (name, hashlib.sha256(recipe.encode()).hexdigest()[:12]))
    if os.path.isdir(path):
        return path
    os.makedirs(CACHE, exist_ok=True)
    new = tempfile.mkdtemp(prefix=".new-", dir=CACHE)
    os.chmod(new, 0o755)
    begun = time.monotonic()
    try:
        make(new)
        os.rename(new, path)
    except OSError:
        if not os.path.isdir(path):  # another run of the tests was first
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    lab.note("made %s in %.0f s" % (name, time.monotonic() - begun))
    return path


def toolbox():
    """The root of a toolbox image; with ttyd where the distribution has it, or TTYD_SOURCE names a folder with its source."""
    more = ["--with", "ttyd"] if os.environ.get("TTYD_SOURCE") else []
    recipe = sh(BUILD, *more, "--recipe").strip()
    return made("toolbox", recipe, lambda out: sh(BUILD, *more, out))


def toolbox_or_skip():
    """The same; the test ends where no pod can be made or no toolbox built."""
    why = refused() or next(("the toolbox is built with %s" % t for t in ("patchelf", "apt-get", "dpkg-deb") if not shutil.which(t)), None)
    if why:
        skip(why)
    return toolbox()


def points(root):
    for p in POINTS:
        os.makedirs(os.path.join(root, p), exist_ok=True)
    for p in ("etc/passwd", "etc/group"):
        if not os.path.exists(os.path.join(root, p)):
            open(os.path.join(root, p), "w").close()


def bare(tools, applets=True):
    """A root with busybox and nothing else, or with nothing at all: no libc, no distribution."""
    root = tempfile.mkdtemp(prefix="bare.", dir=lab.folder)
    os.chmod(root, 0o755)
    points(root)
    if applets:
        busybox = os.path.join(root, "bin", "busybox")
        os.makedirs(os.path.dirname(busybox))
        shutil.copy(os.path.join(tools, "opt/berth/bin/busybox"), busybox)
        for name in set(sh(busybox, "--list").split()) - {"busybox"}:
            os.symlink("busybox", os.path.join(root, "bin", name))
    return root


def mirror():
    out = sh("apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)", "Identifier: Packages", "Component: main")
    return out.split()[:2]


def debian(suite=None, include=""):
    """A minimal Debian; the release of this machine unless another is named. From the mirror that apt uses here."""
    uri, here = mirror()
    suite = suite or here

    def make(root):
        work = tempfile.mkdtemp(prefix=".debs-", dir=CACHE)
        try:
            sh("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "debootstrap", "debian-archive-keyring", cwd=work)
            for deb in os.listdir(work):
                sh("dpkg-deb", "-x", os.path.join(work, deb), os.path.join(work, "tree"))
            tree = os.path.join(work, "tree")
            sh("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
               "sh", tree + "/usr/sbin/debootstrap", "--keyring", tree + "/usr/share/keyrings/debian-archive-keyring.gpg",
               "--variant=minbase", *(["--include=" + include] if include else []), suite, root, uri,
               env={**os.environ, "DEBOOTSTRAP_DIR": tree + "/usr/share/debootstrap"})
            for gone in ("var/cache/apt/archives", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists"):
                shutil.rmtree(os.path.join(root, gone), ignore_errors=True)
            points(root)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    return made("debian-" + suite, "1 %s %s" % (suite, include), make)


def wheels(root, *packages):
    """A folder with all that pip needs to install them in that root, without a network."""
    version = sh("chroot", root, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()

    def make(out):
        venv = os.path.join(out, ".venv")
        sh(sys.executable, "-m", "venv", venv)
        sh(os.path.join(venv, "bin", "pip"), "download", "-q", "--disable-pip-version-check", "-d", out, "--only-binary=:all:",
           "--implementation", "cp", "--python-version", version, "--abi", "cp" + version.replace(".", ""), "--abi", "abi3",
           "--abi", "none", "--platform", "manylinux2014_" + os.uname().machine, "--platform", "any", *packages)
        shutil.rmtree(venv)

    return made("wheels", "1 %s %s" % (version, " ".join(packages)), make)


# -- pods ----------------------------------------------------------------------------------------------------------

SETUP = """set -e
M=$1
mount --bind "$ROOT" "$M"
mount -o remount,bind,ro "$M"
mount -t tmpfs -o mode=1777 tmp "$M/tmp"
mount -t tmpfs -o mode=755 dev "$M/dev"
for d in null zero full random urandom tty; do : >"$M/dev/$d"; mount --bind "/dev/$d" "$M/dev/$d"; done
mkdir "$M/dev/pts" "$M/dev/shm"
chmod 1777 "$M/dev/shm"
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 pts "$M/dev/pts"
ln -s pts/ptmx "$M/dev/ptmx"
mount -t proc proc "$M/proc"
mount --bind "$VOLUME" "$M/home/dev"
mount --bind "$CONF" "$M/etc/berth"
mount --bind "$CONF/scripts/passwd" "$M/etc/passwd"
mount --bind "$CONF/scripts/group" "$M/etc/group"
# the file system below may still be busy with the end of the pod before this one
again() { for i in 1 2 3 4 5 6 7 8 9; do mount "$@" 2>/dev/null && return; sleep 0.3; done; mount "$@"; }
[ -z "$TOOLS" ] || { mount --bind "$TOOLS" "$M/opt/berth"; again -o remount,bind,ro "$M/opt/berth"; }
[ -z "$WHEELS" ] || { mount --bind "$WHEELS" "$M/wheels"; again -o remount,bind,ro "$M/wheels"; }
"$BUSYBOX" ifconfig lo 127.0.0.1 up
shift
# as Pod Security's level restricted has it
exec chroot "$M" "$@"
"""
FETCH = """import sys, urllib.error, urllib.request
url, method, token = sys.argv[1:]
r = urllib.request.Request(url, method=method, headers={"Authorization": "token " + token} if token else {})
try:
    with urllib.request.urlopen(r, timeout=30) as a:
        print(a.status, a.read(65536).decode(errors="replace"), sep="\\n")
except urllib.error.HTTPError as e:
    print(e.code)
except OSError:
    print(0)
"""
USER = ["--reuid=1000", "--regid=1000", "--groups=1000", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]


class Pod:
    """One environment: a root, a home that is kept, the scripts, keys. start() and stop() as often as wanted."""

    def __init__(self, name, root, tools, command=("/opt/berth/bin/sh",), path=SYSTEM_PATH, wheels_from=None, env=None):
        self.name, self.root, self.tools, self.command = name, root, tools, list(command)
        self.folder = os.path.join(lab.folder, name)
        self.home, self.conf, self.mount = (os.path.join(self.folder, d) for d in ("home", "conf", "root"))
        self.wheels = wheels_from
        self.env = {"PATH": path, "HOME": "/home/dev", "BERTH_ENV": name, "BERTH_OWNER": "alice", "BERTH_USER": "dev", "BERTH_SSH": "1",
                    "BERTH_SFTP": "1", "BERTH_WEB": "", **(env or {})}
        self.log_path = os.path.join(self.folder, "log")
        for d in (self.home, self.conf, self.mount):
            os.makedirs(d)
        os.chown(self.home, 0, 1000)
        os.chmod(self.home, 0o2775)  # what a kubelet makes of a new volume
        self.write_scripts()
        self.key = self.new_key("alice")
        self.other = self.new_key("carol")
        self.publish(self.key + ".pub")
        os.makedirs(os.path.join(self.conf, "hostkeys"))
        self.known = os.path.join(self.folder, "known_hosts")
        self.p = self.pid = None
        atexit.register(self.kill)

    def write_scripts(self):
        where = os.path.join(self.conf, "scripts")
        shutil.copytree(SCRIPTS, where)
        shell = "/opt/berth/bin/login-shell" if self.tools else "/etc/berth/scripts/shell.sh"
        self.file("scripts/passwd", "root:x:0:0:root:/root:/bin/sh\nsshd:x:74:74:sshd:/:/bin/false\n"
                                    "dev:x:1000:1000:alice:/home/dev:%s\nnobody:x:65534:65534:nobody:/:/bin/false\n" % shell)
        self.file("scripts/group", "root:x:0:\ntty:x:5:\nsshd:x:74:\ndev:x:1000:\nnogroup:x:65534:\n")
        for name in os.listdir(where):
            os.chmod(os.path.join(where, name), 0o555)

    def file(self, path, text, mode=0o444):
        full = os.path.join(self.conf, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full + ".new", "w") as f:
            f.write(text)
        os.chmod(full + ".new", mode)
        os.rename(full + ".new", full)

    def new_key(self, who):
        path = os.path.join(self.folder, who)
        sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", path)
        return path

    def publish(self, *public):
        """The keys that may log in, as the kubelet changes them in a mounted ConfigMap: by a symbolic link."""
        where = os.path.join(self.conf, "keys")
        os.makedirs(where, exist_ok=True)
        data = tempfile.mkdtemp(prefix="..", dir=where)
        os.chmod(data, 0o755)
        with open(os.path.join(data, "authorized_keys"), "w") as f:
            for p in public:
                with open(p) as k:
                    f.write(k.read())
        os.symlink(os.path.basename(data), os.path.join(where, "..new"))
        os.rename(os.path.join(where, "..new"), os.path.join(where, "..data"))
        if not os.path.islink(os.path.join(where, "authorized_keys")):
            os.symlink("..data/authorized_keys", os.path.join(where, "authorized_keys"))
        os.chmod(where, 0o1777)  # so it is in a pod

    def start(self):
        if self.p and self.p.poll() is None:
            raise RuntimeError("%s runs" % self.name)
        env = {"PATH": os.environ["PATH"], "ROOT": self.root, "VOLUME": self.home, "CONF": self.conf, "WHEELS": self.wheels or "",
               "TOOLS": os.path.join(self.tools, "opt/berth") if self.tools else "", "BUSYBOX": os.path.join(self.tools, "opt/berth/bin/busybox")}
        args = ["/opt/berth/bin/setpriv", *USER, "--reset-env", "/opt/berth/bin/busybox", "env", "-i"]
        args += ["%s=%s" % kv for kv in self.env.items()] + self.command + ["/etc/berth/scripts/start.sh"]
        with open(self.log_path, "ab") as log:
            self.log_from = log.tell()
            # two levels, since a first process that changes its user is not told any more when its parent ends
            self.p = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child",
                                       "unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--kill-child", "--propagation", "private",
                                       "sh", "-c", SETUP, "sh", self.mount, *args], env=env, cwd="/", stdin=subprocess.DEVNULL,
                                      stdout=log, stderr=log, start_new_session=True)
        self.pid = lab.until(self.child)
        if not self.pid:
            raise RuntimeError("%s did not start: %s" % (self.name, self.log()))
        return self

    def child(self):
        """The first process of the pod, by its number out here."""
        inner = child_of(self.p.pid)
        return inner and child_of(inner)

    def log(self):
        """What this start has said."""
        with open(self.log_path, errors="replace") as f:
            f.seek(self.log_from)
            return f.read()

    def enter(self, *args, user=True):
        """Runs a program in the pod, as `kubectl exec` does."""
        as_user = ["/opt/berth/bin/setpriv", *USER, "--reset-env", "/opt/berth/bin/busybox", "env", "-i"] + \
            ["%s=%s" % kv for kv in self.env.items()] if user else []
        p = subprocess.run(["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--ipc", "chroot", self.mount, *as_user, *args],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=120,
                           cwd="/")
        return lab.Said(p)

    def script(self, name):
        return self.enter("/opt/berth/bin/sh", "/etc/berth/scripts/" + name)

    def ready(self):
        return self.script("ready.sh").rc == 0

    def wait_ready(self):
        return lab.until(lambda: self.ready() or self.p.poll() is not None) and self.p.poll() is None

    def status(self):
        """Tool -> text."""
        return dict(line.split(" ", 1) for line in self.script("status.sh").out.splitlines() if " " in line)

    def running(self):
        return self.p.poll() is None

    def stop(self):
        """SIGTERM to its first process; its status."""
        os.kill(self.pid, 15)
        return self.wait()

    def kill(self):
        if self.p and self.p.poll() is None:
            self.p.kill()
            self.wait()

    def wait(self):
        try:
            rc = self.p.wait(lab.WAIT)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            rc = "did not stop"
        lab.until(lambda: not self.pid or not os.path.exists("/proc/%d" % self.pid))
        return rc

    # -- from outside, over the pod's own loopback

    def outside(self, *args, data=None, timeout=60):
        p = subprocess.run(["nsenter", "--target", str(self.pid), "--net", *args], input=data or b"", stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=timeout, env={**lab.ENV, "HOME": self.folder})
        p.stdout, p.stderr = (x.decode(errors="replace") for x in (p.stdout, p.stderr))
        return lab.Said(p)

    def options(self, key=None, strict="yes"):
        return ["-F", "/dev/null", "-i", key or self.key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20",
                "-o", "UserKnownHostsFile=" + self.known, "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=" + strict]

    def ssh(self, *command, key=None, flags=(), data=None, strict="yes"):
        return self.outside("ssh", *self.options(key, strict), "-p", "2222", *flags, "dev@127.0.0.1", *command, data=data)

    def pin(self):
        """Learns the host key once: from now on another one is refused."""
        self.ssh("true", strict="accept-new")
        with open(self.known) as f:
            return sorted(" ".join(line.split()[1:3]) for line in f)

    def http(self, port, path, method="GET", token=None):
        """Status and body; status 0 when nothing answered."""
        said = self.outside(sys.executable, "-c", FETCH, "http://127.0.0.1:%d%s" % (port, path), method, token or "")
        code, _, body = said.out.partition("\n")
        return int(code or 0), body

    def tree(self):
        """What is in the home: path -> mode, size, digest or target, time of change."""
        out = {}
        for where, folders, names in os.walk(self.home):
            for name in folders + names:
                full = os.path.join(where, name)
                try:
                    st = os.lstat(full)
                    what = os.readlink(full) if os.path.islink(full) else "" if os.path.isdir(full) else hashlib.sha256(open(full, "rb").read()).hexdigest()
                except FileNotFoundError:
                    continue  # the pod runs: it had this name for a moment
                out[os.path.relpath(full, self.home)] = (oct(st.st_mode), what, st.st_ino)
        return out


def child_of(parent):
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit():
                with open("/proc/%s/stat" % pid) as f:
                    if f.read().rsplit(")", 1)[1].split()[1] == str(parent):
                        return int(pid)
        except OSError:
            continue
    return None


def differences(a, b):
    return json.dumps({k: [a.get(k), b.get(k)] for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k)}, indent=1)


if __name__ == "__main__":  # tests/run.sh, before the clock of a test runs: everything that is made once
    if refused() or not all(shutil.which(t) for t in ("patchelf", "apt-get", "dpkg-deb")):
        sys.exit(0)
    for make in (toolbox, lambda: debian(None, PYTHON), lambda: debian(OLDER), lambda: wheels(debian(None, PYTHON), "jupyterlab")):
        try:
            make()
        except RuntimeError as e:
            lab.note("a root file system for tests cannot be made here: %s" % e)

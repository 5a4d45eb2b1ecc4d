# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: TAP, a bare repository with a person's clone, daemons, waiting.

Everything lives in one temporary folder. Processes are ended by their PID, also when the test is stopped.
"""
import atexit
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BERTH = os.path.abspath(os.environ.get("BERTH") or os.path.join(TOP, "build", "berth"))
WAIT = 60  # seconds for what should take one: sanitizers and busy machines
RENDERED, STATUS = "berth/rendered", "berth/status"
EVERY_TIME = re.compile(rb'"?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"?')
EVERY_COMMIT = re.compile(rb"(?m)^(\s*(?:- )?commit: ).*$")

folder = tempfile.mkdtemp(prefix="berth-e2e.")
processes = []
count = failures = 0


def environment():
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "BERTH_")) and k != "XDG_CONFIG_HOME"}
    home = os.path.join(folder, "home")
    os.makedirs(home, exist_ok=True)
    keep.update(HOME=home, GIT_CONFIG_NOSYSTEM="1", LC_ALL="C.UTF-8", GIT_TERMINAL_PROMPT="0")
    for who in ("AUTHOR", "COMMITTER"):
        keep["GIT_%s_NAME" % who], keep["GIT_%s_EMAIL" % who] = "Alice", "alice@example.com"
    return keep


ENV = environment()


def clean_up():
    for p in processes:
        if p.poll() is None:
            p.kill()
            p.wait()
    if not os.environ.get("KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


atexit.register(clean_up)
for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(sig, lambda *_: sys.exit(130))


# -- TAP ---------------------------------------------------------------------------------------------------------


def check(name, good, *why):
    """One test. `why` is shown when it fails: texts, or anything with a repr."""
    global count, failures
    count += 1
    failures += not good
    print("%s %d - %s" % ("ok" if good else "not ok", count, name))
    if not good:
        for w in why:
            for line in (w if isinstance(w, str) else repr(w)).splitlines()[-40:]:
                print("# " + line)
    sys.stdout.flush()
    return good


def note(text):
    print("# " + text)
    sys.stdout.flush()


def done():
    print("1..%d" % count)
    sys.exit(1 if failures else 0)


# -- commands ----------------------------------------------------------------------------------------------------


class Said:
    def __init__(self, p):
        self.rc, self.out, self.err = p.returncode, p.stdout, p.stderr

    def __repr__(self):
        return "status %d\n%s\n%s" % (self.rc, self.out, self.err)

    def json(self):
        return json.loads(self.out)


def berth(*args, cwd=None, env=None):
    p = subprocess.run([BERTH, *args], cwd=cwd or folder, env={**ENV, **(env or {})}, text=True, errors="replace",
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240)
    return Said(p)


def git(where, *args, env=None, data=None, ok=True):
    """Output of git in `where`, without its last line end."""
    p = subprocess.run(["git", "-C", where, *args], env={**ENV, **(env or {})}, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, input=data if data is not None else b"")
    if p.returncode and ok:
        raise RuntimeError("git %s: %s" % (" ".join(args), p.stderr.decode(errors="replace")))
    return p.stdout.decode(errors="replace").rstrip("\n") if ok else (p.returncode, p.stdout, p.stderr)


def until(fn, seconds=None):
    """What fn returns as soon as that is true, or the last of it. Looking takes half of the time at most: who is waited for needs the rest."""
    end = time.monotonic() + (seconds or WAIT)
    while True:
        begun = time.monotonic()
        got = fn()
        now = time.monotonic()
        if got or now > end:
            return got
        time.sleep(max(0.03, now - begun))


def still(fn, seconds, within=None):
    """True once fn has given the same for so many seconds."""
    last, since = fn(), time.monotonic()

    def look():
        nonlocal last, since
        now = fn()
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > seconds
    return until(look, within)


held = []


def dead_port():
    """One on which nobody answers, nor can begin to: it is taken, and nobody listens."""
    held.append(socket.socket())
    held[-1].bind(("127.0.0.1", 0))
    return held[-1].getsockname()[1]


def free_port():
    """One that nobody is given by chance between here and its use: below those that the kernel hands out."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first = int(f.read().split()[0])
    while True:
        port = random.SystemRandom().randrange(10000, first if first > 12000 else 32768)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def http(port, path):
    try:
        with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=30) as r:
            return r.status
    except urllib.error.HTTPError as e:
        return e.code
    except OSError:
        return 0


# -- a repository ------------------------------------------------------------------------------------------------


class Site:
    """A bare repository and a person's clone of it, from the template that berth carries."""

    def __init__(self, name, files=None, drop=(), mirror=False):
        self.bare = os.path.join(folder, name + ".git")
        self.clone = os.path.join(folder, name)
        self.states = 0
        if mirror:  # an empty bare repository for somebody else's commits
            git(folder, "init", "-q", "--bare", "-b", "main", self.bare)
            return
        said = berth("init", self.clone)
        if said.rc:
            raise RuntimeError("berth init: %r" % said)
        for path in drop:
            git(self.clone, "rm", "-qr", path)
        git(folder, "init", "-q", "--bare", "-b", "main", self.bare)
        git(self.bare, "config", "core.logAllRefUpdates", "always")
        git(self.clone, "remote", "add", "origin", self.bare)
        if files or drop:
            self.write(files or {})
            self.save("set-up")
        git(self.clone, "push", "-q", "-u", "origin", "main")

    def state(self):
        self.states += 1
        return "%s.state%d" % (self.clone, self.states)

    def write(self, files):
        """Path -> text, or None to delete."""
        for path, text in files.items():
            full = os.path.join(self.clone, path)
            if text is None:
                os.unlink(full)
                continue
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "wb") as f:
                f.write(text.encode() if isinstance(text, str) else text)

    def save(self, message):
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.clone, "rev-parse", "HEAD")

    def push(self, files=None, message="change", force=False):
        """Writes, commits and pushes as a person does; the commit's id."""
        self.write(files or {})
        commit = self.save(message)
        git(self.clone, "push", "-q", *(["--force"] if force else []), "origin", "HEAD:main")
        return commit

    def read(self, path):
        with open(os.path.join(self.clone, path), encoding="utf-8") as f:
            return f.read()

    def tip(self, branch):
        rc, out, _ = git(self.bare, "rev-parse", "-q", "--verify", "refs/heads/" + branch, ok=False)
        return out.decode().strip() if rc == 0 else None

    def show(self, branch, path):
        """Text of a file on a branch, None when it is not there."""
        rc, out, _ = git(self.bare, "cat-file", "blob", "%s:%s" % (branch, path), ok=False)
        return out.decode(errors="replace") if rc == 0 else None

    def plant(self, path, text, branch=STATUS):
        """What a stranger does who may push: a commit on one of berth's branches with this file."""
        blob = git(self.bare, "hash-object", "-w", "--stdin", data=text.encode())
        env = {"GIT_INDEX_FILE": os.path.join(folder, "index.plant")}

        def push():
            tip = self.tip(branch)
            git(self.bare, "read-tree", tip, env=env)
            git(self.bare, "update-index", "--add", "--cacheinfo", "100644,%s,%s" % (blob, path), env=env)
            commit = git(self.bare, "commit-tree", git(self.bare, "write-tree", env=env), "-p", tip, "-m", "x", env=env)
            return git(self.bare, "update-ref", "refs/heads/" + branch, commit, tip, ok=False)[0] == 0
        if not until(push):  # berth may commit meanwhile
            raise RuntimeError("%s moves all the time" % branch)

    def names(self, branch, *under):
        if not self.tip(branch):
            return []
        return git(self.bare, "ls-tree", "-r", "--name-only", branch, *under).splitlines()

    def commits(self, branch):
        return git(self.bare, "rev-list", branch).splitlines()

    def status(self):
        """"owner/name" -> status document."""
        said = berth("status", "-C", self.bare, "-o", "json")
        if said.rc:
            return {}
        return {"%(owner)s/%(name)s" % d["metadata"]: d for d in said.json()["environments"]}

    def repo_status(self):
        said = berth("status", "-C", self.bare, "-o", "json")
        return said.json().get("repository", {}) if said.rc == 0 else {}

    def phases(self):
        """"owner/name" -> phase, by git alone."""
        if not self.tip(STATUS):
            return {}
        rc, out, _ = git(self.bare, "grep", "-h", "-o", "-E", "^(phase: .*|  (owner|name): .*)", STATUS, "--", "envs", ok=False)
        words = [line.split(": ", 1)[1] for line in out.decode().splitlines()]
        return {"%s/%s" % (words[i], words[i + 1]): words[i + 2] for i in range(0, len(words) - 2, 3)}

    def wanted(self):
        out = git(self.clone, "ls-files", "envs/*/*.yaml").splitlines()
        return {p[5:-5] for p in out if p.count("/") == 2}

    def all_rendered(self):
        got = self.phases()
        return set(got) == self.wanted() and set(got.values()) == {"Rendered"}

    def blanked(self):
        """The status branch with times and commit ids blanked: path -> bytes."""
        out = {}
        for path in self.names(STATUS):
            rc, text, _ = git(self.bare, "cat-file", "blob", "%s:%s" % (STATUS, path), ok=False)
            text = EVERY_COMMIT.sub(rb"\1COMMIT", EVERY_TIME.sub(b"TIME", text))
            if path == "README.md":
                text = re.sub(rb"\| [0-9a-f]{7} \|", b"| COMMIT |", text)
            out[path] = text
        return out

    def files(self):
        """Every file of the bare repository with size and time of its last change."""
        out = {}
        for root, _, names in os.walk(self.bare):
            for name in names:
                st = os.lstat(os.path.join(root, name))
                out[os.path.relpath(os.path.join(root, name), self.bare)] = (st.st_size, st.st_mtime_ns, st.st_ino)
        return out

    def fsck(self):
        """What git fsck complains about; nothing is fine."""
        rc, out, err = git(self.bare, "fsck", "--full", "--strict", "--no-dangling", "--no-progress", ok=False)
        return "" if rc == 0 and not out.strip() else (out + err).decode(errors="replace") or "status %d" % rc

    def locks(self):
        return [os.path.join(root, n) for root, _, names in os.walk(self.bare) for n in names if n.endswith(".lock")]


class Daemon:
    """berth run in the background; its log in a file."""

    made = 0

    def __init__(self, repo, state, *args, env=None):
        Daemon.made += 1
        self.log_path = os.path.join(folder, "daemon%d.log" % Daemon.made)
        with open(self.log_path, "ab") as log:
            self.p = subprocess.Popen([BERTH, "run", "--repo", repo, "--target", "git", "--state", state, *args], cwd=folder,
                                      env={**ENV, **(env or {})}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        processes.append(self.p)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def alive(self):
        return self.p.poll() is None

    def stop(self, sig=signal.SIGTERM):
        """Its exit status."""
        if self.alive():
            self.p.send_signal(sig)
        try:
            return self.p.wait(WAIT)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            return "did not stop"


def once(repo, state, *args):
    return berth("run", "--repo", repo, "--target", "git", "--state", state, "--once", *args)


def env_spec(flavor="cpu-small", more=""):
    return "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: %s\n%s" % (flavor, more)


def user_spec(n):
    """A user of any number; the key is shaped like a key, and nobody has its other half."""
    key = "AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 38 + "%05d" % n
    return ("apiVersion: berth.dev/v1\nkind: User\nspec:\n  uid: \"%08x\"\n  email: u%d@example.com\n  role: admin\n  teams: []\n"
            "  sshKeys: [\"ssh-ed25519 %s u%d\"]\n" % (n + 1, n, key, n))

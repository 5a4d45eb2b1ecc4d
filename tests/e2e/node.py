# SPDX-License-Identifier: Apache-2.0
"""A real node under a real control plane: pods that one can log in to. On top of kube.py.

A test file starts with node.enter(), which leaves the test out where the machine forbids a node, and else runs it in a
network namespace of its own: nothing of it can be reached from outside, and it reaches nothing. tests/peers/node.sh tells
what else keeps the machine clean.
"""
import hashlib
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import kube
import lab
from lab import ENV, folder, until

SCRIPT = os.path.join(kube.PEERS, "node.sh")
IMAGES = os.path.join(kube.CACHE, "share", "images")
RUNTIME = os.path.join(kube.CACHE, "share", "runtime")
INSIDE = "BERTH_TEST_INSIDE"
GATEWAY = "10.88.0.1"


def skip(why):
    print("# NOT TESTED: %s needs a real node: %s" % (os.path.basename(sys.argv[0]), why))
    print("1..0 # SKIP " + why)
    sys.exit(0)


def enter():
    """Goes on in a network namespace; ends the test where that, or a node, cannot be. What a machine forbids is skipped, also with
    CI=true; programs that should have been built and are not there fail then."""
    if os.environ.pop(INSIDE, None):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if os.environ.get("BERTH_PEERS") == "none":
        skip("BERTH_PEERS=none")
    may = subprocess.run([SCRIPT, "may"], env=ENV, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60)
    if may.returncode:
        skip(may.stdout.strip() or "node.sh may: status %d" % may.returncode)
    lost = [n for n in ("pause", "debian", "toolbox") if not os.path.exists(os.path.join(IMAGES, n + ".tar"))]
    why = os.environ.get("BERTH_NODE_FAILED") or (lost and "no image %s in %s; run tests/peers/install.sh realnode" % (" ".join(lost), IMAGES))
    if why and not os.environ.get("BERTH_PEERS_FAILED"):
        os.environ["BERTH_PEERS_FAILED"] = why
    kube.skip_without_peers("kubelet", "coredns")
    shutil.rmtree(folder, ignore_errors=True)  # made by lab.py; the program that takes our place makes its own
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])


def cluster(**more):
    """A control plane without simulated nodes, whose API server can talk to a kubelet and whose volumes are folders."""
    args = ["--advertise-address " + GATEWAY, "--kubelet-preferred-address-types InternalIP",
            "--kubelet-client-certificate pki/client.crt", "--kubelet-client-key pki/client.key"]
    return kube.Cluster(nodes=[], VOLUMES=os.path.join(folder, "volumes"), apiserver_args=" ".join(args), **more)


class Node:
    """The node; also a context manager."""

    def __init__(self, c):
        self.cluster, self.dir, self.took = c, os.path.join(folder, "node"), 0
        self.group = "berth-node-" + hashlib.sha256(os.path.realpath(self.dir).encode()).hexdigest()[:8]

    def script(self, command, *args):
        env = {**ENV, "BIN": kube.BIN, "RUNTIME": RUNTIME, "OWNER": str(os.getpid())}
        p = subprocess.run([SCRIPT, command, self.dir, *args], env=env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=200)
        if p.returncode:
            raise RuntimeError("node.sh %s: %s" % (command, p.stdout))
        return p.stdout

    def __enter__(self):
        start = time.monotonic()
        running.append(self)
        self.script("up", self.cluster.dir)
        self.took = time.monotonic() - start
        return self

    def __exit__(self, *_):
        self.down()

    def down(self):
        if self in running:
            running.remove(self)
            self.script("down")

    def load(self, *names):
        self.script("load", *(os.path.join(IMAGES, n + ".tar") for n in names))

    def tag(self, image, name):
        """One more name for an image; names as containerd has them, with their registry."""
        subprocess.run([os.path.join(self.dir, "ctr"), "images", "tag", image, name], env=ENV, check=True, stdout=subprocess.DEVNULL)

    def log(self, name, lines=30):
        with open(os.path.join(self.dir, "log", name), encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def traces(self):
        """What the machine has of us: kind -> set of texts. The same before and after when nothing is left."""
        groups = {os.path.join(top, d) for h in hierarchies() for top, dirs, _ in [next(os.walk(h))] for d in dirs if d.startswith(self.group)}
        links = re.findall(r"^\d+: ([^:@]+)", subprocess.run(["ip", "-o", "link"], text=True, check=True, stdout=subprocess.PIPE).stdout, re.M)
        with open("/proc/self/mountinfo", encoding="utf-8") as f:
            mounts = {line.split(" - ")[0].split(" ", 3)[3] for line in f}
        return {"groups": groups, "links": set(links), "mounts": mounts, "processes": self.processes()}

    def left(self, before):
        """What is there now and was not in an earlier traces(): kind -> texts; empty when it is clean."""
        now = self.traces()
        return {kind: sorted(found - before[kind]) for kind, found in now.items() if found - before[kind]}

    def processes(self):
        """Every process of this network namespace or of the node's control groups, and what runs the programs of a node."""
        found, own = set(), os.readlink("/proc/self/ns/net")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                net = os.readlink("/proc/%s/ns/net" % pid)
                with open("/proc/%s/cgroup" % pid, encoding="utf-8") as f:
                    groups = f.read()
                with open("/proc/%s/cmdline" % pid, encoding="utf-8", errors="replace") as f:
                    line = f.read().replace("\0", " ")
            except OSError:
                continue  # it ended meanwhile
            if net == own or self.group in groups or self.dir in line:
                found.add("%s %s" % (pid, line))
        return found


def hierarchies():
    with open("/proc/mounts", encoding="utf-8") as f:
        return [words[1] for words in map(str.split, f) if words[2] in ("cgroup", "cgroup2")]


# -- logging in ----------------------------------------------------------------------------------------------------------


def new_key(name, kind="ed25519"):
    """(file of the private half, text of the public half)"""
    where = os.path.join(folder, name)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", where], env=ENV, check=True, stdin=subprocess.DEVNULL)
    with open(where + ".pub", encoding="utf-8") as f:
        return where, " ".join(f.read().split()[:2])


class Login:
    """ssh as a person would, with everything pinned: no agent, no configuration, one key, one known host.

    env: "owner/name"; host_key: text of the public half that the host must show.
    """

    def __init__(self, c, env, key, host_key, rank=0, user="dev"):
        self.cluster, self.owner, self.name = c, *env.split("/")
        self.pod, self.key, self.user = "%s-%d" % (self.name, rank), key, user
        self.known = os.path.join(folder, "known.%s.%d" % (env.replace("/", "."), rank))
        self.pin(host_key)

    def pin(self, host_key):
        with open(self.known, "w", encoding="utf-8") as f:
            f.write("%s %s\n" % (self.pod, host_key))

    def address(self):
        pod = self.cluster.get("pod", "dev-" + self.owner, self.pod) or {}
        return None if pod.get("metadata", {}).get("deletionTimestamp") else pod.get("status", {}).get("podIP")

    def options(self):
        return ["-F", "/dev/null", "-i", self.key, "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + self.known, "-o", "GlobalKnownHostsFile=/dev/null",
                "-o", "HostKeyAlias=" + self.pod, "-o", "UpdateHostKeys=no", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR"]

    def argv(self, *command, options=()):
        return ["ssh", *self.options(), *options, "-p", "2222", "%s@%s" % (self.user, self.address()), *command]

    def run(self, command, data="", seconds=60):
        """(status, output, errors); 255 is ssh's own."""
        if not self.address():
            return 255, "", "%s has no address" % self.pod
        try:
            p = subprocess.run(self.argv(command), env=ENV, text=True, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               timeout=seconds, errors="replace")
        except subprocess.TimeoutExpired:  # a pod that ended while it was asked
            return 255, "", "no end within %d s" % seconds
        return p.returncode, p.stdout, p.stderr

    def through_the_api_server(self, command, data=""):
        """The same by kubectl exec: sshd for one connection, on its standard streams."""
        proxy = "%s --kubeconfig %s exec -i -n dev-%s -c main %s -- /opt/berth/sbin/sshd -i -e -o LogLevel=ERROR -f /tmp/.berth/sshd_config" % (
            os.path.join(kube.BIN, "kubectl"), self.cluster.kubeconfig("admin"), self.owner, self.pod)
        p = subprocess.run(["ssh", *self.options(), "-o", "ProxyCommand=" + proxy, "%s@%s" % (self.user, self.pod), command], env=ENV, text=True,
                           input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, errors="replace")
        return p.returncode, p.stdout, p.stderr

    def start(self, command):
        return subprocess.Popen(self.argv(command), env=ENV, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def prompt(self, seconds=None):
        """True once a command can be run."""
        return until(lambda: self.run("true")[0] == 0, seconds)

    def sftp(self, *lines):
        p = subprocess.run(["sftp", *self.options(), "-P", "2222", "-b", "-", "%s@%s" % (self.user, self.address())], env=ENV, text=True,
                           input="\n".join(lines) + "\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return p.returncode, p.stdout, p.stderr

    def terminal(self, typed, wanted, seconds=60):
        """What an interactive login prints when somebody types; ends at the text that is wanted."""
        argv = self.argv(options=["-t"])  # not after the fork: two processes would speak on one connection to the API server
        pid, fd = pty.fork()
        if pid == 0:
            try:
                os.execvpe(argv[0], argv, {**ENV, "TERM": "xterm"})
            finally:
                os._exit(127)
        said, end = "", time.monotonic() + seconds
        os.write(fd, typed.encode())
        while wanted not in said and time.monotonic() < end:
            if not select.select([fd], [], [], 0.2)[0]:
                continue
            try:
                part = os.read(fd, 65536)
            except OSError:  # the other end is closed
                break
            said += part.decode(errors="replace")
        os.close(fd)
        os.waitpid(pid, 0)
        return said


running = []


def stop_all():
    for n in list(running):
        n.down()


lab.atexit.register(stop_all)  # after kube's, so the node goes before its control plane

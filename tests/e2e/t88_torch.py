#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""templates/scripts/torch.sh with the real torchrun: two nodes on loopback wait for each other, one that dies takes the other along,
and both go on. Needs PyTorch (Debian: python3-torch) and a mount namespace; without them it says so and skips."""
import glob
import os
import shutil
import signal
import subprocess
import sys

from lab import TOP, WAIT, check, done, folder, free_port, note, processes, until

SCRIPT = os.path.join(TOP, "templates", "scripts", "torch.sh")
MINE = os.path.join(folder, "hosts")
TRAIN = '''import os, sys, time, torch, torch.distributed as dist
steps, home = int(sys.argv[1]), os.environ["HOME"]
with open(home + "/starts", "a") as f: f.write("%d %r\\n" % (os.getpid(), sys.argv[2:]))
dist.init_process_group("gloo")
done = 0
if os.path.exists(home + "/step"): done = int(open(home + "/step").read())
while True:
    t = torch.tensor([float(done)])
    dist.all_reduce(t, op=dist.ReduceOp.MIN)
    done = int(t.item())
    if done >= steps: break
    time.sleep(0.05)
    done += 1
    with open(home + "/step.new", "w") as f: f.write(str(done))
    os.rename(home + "/step.new", home + "/step")
open(home + "/finished", "w").write(os.environ["WORLD_SIZE"])
'''


def skip_without_parts():
    why = None
    if not shutil.which("torchrun") or subprocess.run([sys.executable, "-c", "import torch.distributed"], capture_output=True).returncode:
        why = "no PyTorch on this machine (apt-get install python3-torch)"
    elif subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], capture_output=True).returncode:
        why = "no mount namespaces on this machine"
    if why:
        print("1..0 # SKIP " + why)
        sys.exit(0)


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def hosts(*ranks):
    """What the cluster's DNS knows, and the pods' own names: overwritten in place, since it is mounted over /etc/hosts."""
    with open(MINE, "w", encoding="utf-8") as f:
        f.write("127.0.0.1 localhost\n" + "".join("127.0.0.1%d %st-%d\n" % (r, "t-%d.t " % r if r in ranks else "", r) for r in (0, 1)))


class Node:
    """One pod: a home that outlives its processes, which end all at once."""

    def __init__(self, job, rank, port):
        self.home = os.path.join(folder, "%s-%d" % (job, rank))
        os.makedirs(self.home)
        with open(os.path.join(self.home, "train.py"), "w", encoding="utf-8") as f:
            f.write(TRAIN)
        self.env = dict(os.environ, HOME=self.home, BERTH_ENV=job, BERTH_RANKS="t-#.t", BERTH_TORCH_WAIT="60", PET_NNODES="2", PET_NPROC_PER_NODE="1",
                        PET_NODE_RANK=str(rank), PET_MASTER_ADDR="t-0.t", PET_MASTER_PORT=str(port), GLOO_SOCKET_IFNAME="lo", OMP_NUM_THREADS="1",
                        PET_REDIRECTS="1", PET_TEE="1")  # PyTorch 1.13 with Python 3.11 understands only these
        self.p = None

    def start(self, *args, **more):
        self.out = open(os.path.join(self.home, "out"), "a", encoding="utf-8")
        self.p = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "--uts", "--pid", "--fork", "--kill-child", "sh", "-c",
             'mount --bind "$0" /etc/hosts && hostname "$1" && shift && exec sh "$@"', MINE, "t-" + self.env["PET_NODE_RANK"], SCRIPT, *args], cwd=self.home, env=dict(self.env, **more), stdout=self.out,
            stderr=self.out, stdin=subprocess.DEVNULL, start_new_session=True)
        processes.append(self.p)

    def said(self):
        return read(os.path.join(self.home, "out")) + read(os.path.join(self.home, ".berth", "torch.log"))

    def file(self, name):
        return read(os.path.join(self.home, name))

    def starts(self):
        return self.file("starts").splitlines()

    def step(self):
        return int(self.file("step") or 0)

    def ended(self, seconds=4 * WAIT):
        return until(lambda: self.p.poll() is not None, seconds) and self.p.returncode

    def kill(self):
        """As a node that is lost: everything in the namespace of its processes goes with the first."""
        os.killpg(self.p.pid, signal.SIGKILL)
        self.p.wait()


def pair(job):
    port = free_port()
    return Node(job, 0, port), Node(job, 1, port)


def workers():
    """Process ids of train.py by the home that they run in."""
    out = {}
    for path in glob.glob("/proc/[0-9]*"):
        words = read(path + "/cmdline").split("\0")
        if "train.py" in words and "-u" in words and not any("torchrun" in w for w in words):
            try:
                out[os.readlink(path + "/cwd")] = int(path.split("/")[2])
            except OSError:
                pass
    return out


def waits_and_finishes():
    first, second = pair("wait")
    hosts(0)
    words = ["a b", "$(touch x)", "it's", "", "-x\n"]
    first.start("train.py", "4", *words)
    second.start("train.py", "4", *words)
    check("a rank without an address is waited for, by name", until(lambda: "waits for t-1.t" in first.said()) and
          first.p.poll() is None and "t-0.t" not in first.said(), first.said())
    hosts(0, 1)
    check("when it has one both train and end with 0", first.ended() == 0 and second.ended() == 0, first.said(), second.said())
    check("in a world of two", first.file("finished") == second.file("finished") == "2", first.said())
    check("the arguments arrive as they were given", first.starts() and first.starts()[0].endswith(repr(words).replace("\n", "\\n")), first.starts())
    check("nothing is kept that would start again", not os.path.exists(first.home + "/.berth/torch"))


def gives_up():
    first, _ = pair("alone")
    hosts(0)
    first.start("train.py", "4", BERTH_TORCH_WAIT="2")
    check("whoever is missing too long is named, exit 1", first.ended() == 1 and "no address for t-1.t" in first.said(), first.said())
    check("and that is not tried again at the next start", not os.path.exists(first.home + "/.berth/torch"))


def restarts_together():
    first, second = pair("worker")
    hosts(0, 1)
    for node in (first, second):
        node.start("train.py", "200")
    until(lambda: first.step() > 5 and second.step() > 5, 2 * WAIT)
    os.kill(workers()[second.home], signal.SIGKILL)
    check("a process of rank 1 is killed: both ranks start again", until(lambda: len(first.starts()) > 1 and len(second.starts()) > 1, 3 * WAIT),
          first.said(), second.said())
    check("from their checkpoints to the end", first.ended() == 0 and second.ended() == 0 and first.file("finished") == "2", first.said(), second.said())


def comes_back():
    """The pod of rank 0, with the meeting point in it."""
    first, second = pair("pod")
    hosts(0, 1)
    for node in (first, second):
        node.start("train.py", "200")
    until(lambda: first.step() > 5 and second.step() > 5, 2 * WAIT)
    first.kill()
    check("what ran is kept for the pod that comes back", os.path.exists(first.home + "/.berth/torch/1"))
    first.start("--resume")
    check("rank 0's pod is lost and comes back: both go on to the end", first.ended() == 0 and second.ended() == 0 and
          first.file("finished") == second.file("finished") == "2", first.said(), second.said())
    check("the other said why it started again", "meeting point was lost" in second.said() or len(second.starts()) > 1, second.said())
    first.start("--resume")
    check("a job that is done is not resumed", first.ended() == 0 and first.p.returncode == 0 and not os.path.exists(first.home + "/.berth/torch"))


def fails():
    first, second = pair("bug")
    hosts(0, 1)
    for node in (first, second):
        node.start("missing.py", BERTH_TORCH_RESTARTS="1")
    check("a program that always fails ends with 1 on both", first.ended() == 1 and second.ended() == 1, first.said(), second.said())
    check("and is started again by torchrun only", "was lost" not in first.said() + second.said(), first.said(), second.said())


skip_without_parts()
note(subprocess.run([sys.executable, "-c", "import torch; print('PyTorch', torch.__version__)"], capture_output=True, text=True).stdout.strip())
for one in (waits_and_finishes, gives_up, restarts_together, comes_back, fails):
    one()
done()

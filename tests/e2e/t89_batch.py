#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""templates/scripts/{checkpoint,job}.sh: what is saved before a pod ends, and a batch job that ends by itself. job.sh with the real torchrun
where PyTorch is there (Debian: python3-torch), else that part is skipped."""
import os
import shutil
import signal
import subprocess
import sys

from lab import TOP, WAIT, check, done, folder, free_port, note, processes, until

SCRIPTS = os.path.join(TOP, "templates", "scripts")


def read(*path):
    try:
        with open(os.path.join(*path), encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def home(name):
    path = os.path.join(folder, name)
    os.makedirs(path)
    return path


def hook(name, command, **more):
    """Runs the hook as the kubelet would; its home."""
    where = home(name)
    env = dict(os.environ, HOME=where, BERTH_RUN=where, BERTH_CHECKPOINT_COMMAND=command, **more)
    p = subprocess.run(["sh", os.path.join(SCRIPTS, "checkpoint.sh")], env=env, capture_output=True, text=True, timeout=4 * WAIT)
    check("%s: the hook ends with 0 and says nothing" % name, p.returncode == 0 and not p.stdout + p.stderr, p)
    return where


def checkpoints():
    where = hook("saves", "pwd; echo \"it's $((1 + 1))\" >saved; echo trouble >&2", BERTH_GRACE="110")
    log = read(where, ".berth", "checkpoint.log")
    check("the command ran at home, by a shell", read(where, "saved") == "it's 2\n" and where in log, log)
    check("what it said is in the log, with its status and limit", "trouble" in log and "55 s at most" in log and "ended with status 0" in log, log)
    where = hook("fails", "exit 3")
    check("a command that fails holds nothing up, and is named", "ended with status 3" in read(where, ".berth", "checkpoint.log"))
    where = hook("hangs", "trap 'echo asked to end; exit 1' TERM; touch begun; while :; do sleep 0.1; done", BERTH_GRACE="60")
    log = read(where, ".berth", "checkpoint.log")
    check("one that hangs is told to end, so that the rest of the pod gets its time", os.path.exists(where + "/begun") and
          "still running after 5 s" in log and "asked to end" in log, log)
    p = subprocess.run(["sh", os.path.join(SCRIPTS, "checkpoint.sh")], env={"HOME": home("none"), "PATH": os.environ["PATH"]}, capture_output=True,
                       timeout=WAIT)
    check("no command: nothing happens", p.returncode == 0 and not os.listdir(os.path.join(folder, "none")), p)


class Job:
    """job.sh as the entry of a pod of one node, with the real start.sh beside it."""

    def __init__(self, name, text, *args):
        self.home = home(name)
        with open(os.path.join(self.home, "train.py"), "w", encoding="utf-8") as f:
            f.write(text)
        port = free_port()
        env = dict(os.environ, HOME=self.home, BERTH_RUN=self.home, BERTH_ENV=name, BERTH_SSH="0", BERTH_WEB="", BERTH_RANKS="127.#.0.1",
                   PET_NNODES="1", PET_NPROC_PER_NODE="2", PET_NODE_RANK="0", PET_MASTER_ADDR="localhost", PET_MASTER_PORT=str(port),
                   GLOO_SOCKET_IFNAME="lo", OMP_NUM_THREADS="1", BERTH_TORCH_RESTARTS="0", BERTH_TORCH_WAIT="0",
                   PET_REDIRECTS="1", PET_TEE="1")  # PyTorch 1.13 with Python 3.11 understands only these
        self.out = os.path.join(self.home, "out")
        with open(self.out, "w", encoding="utf-8") as f:
            self.p = subprocess.Popen(
                ["sh", os.path.join(SCRIPTS, "job.sh"), "train.py", *args], env=env, stdout=f, stderr=f, stdin=subprocess.DEVNULL, start_new_session=True)
        processes.append(self.p)

    def ended(self):
        return until(lambda: self.p.poll() is not None, 4 * WAIT) and self.p.returncode

    def left(self):
        """What of its session still runs."""
        p = subprocess.run(["ps", "-o", "pid=", "-s", str(self.p.pid)], capture_output=True, text=True, check=False)
        return p.stdout.split()


TRAIN = """import os, sys, torch, torch.distributed as dist
dist.init_process_group("gloo")
t = torch.ones(1)
dist.all_reduce(t)
open("sum-" + os.environ["RANK"], "w").write("%d %r" % (t.item(), sys.argv[1:]))
"""


def jobs():
    good = Job("good", TRAIN, "a b", "$(x)")
    check("a job that trains ends with 0", good.ended() == 0, read(good.out))
    check("all its processes took part, with the arguments as given", [read(good.home, "sum-%d" % i) for i in (0, 1)] == ["2 ['a b', '$(x)']"] * 2,
          read(good.out))
    check("the tools that ran beside it have ended too", until(lambda: not good.left()), good.left(), read(good.out))
    bad = Job("bad", "raise SystemExit(7)\n")
    check("one that fails ends with its failure", bad.ended() not in (0, None, False), read(bad.out))
    long = Job("long", "import time, signal\nopen('begun', 'w').close()\ntime.sleep(3600)\n")
    until(lambda: os.path.exists(long.home + "/begun"), 4 * WAIT)
    os.kill(long.p.pid, signal.SIGTERM)
    check("SIGTERM ends everything", long.ended() == 143 and until(lambda: not long.left()), long.p.returncode, long.left(), read(long.out))
    check("a batch job is its engine's to start again, not the next pod's", not os.path.exists(long.home + "/.berth/torch"))


checkpoints()
if not shutil.which("torchrun") or subprocess.run([sys.executable, "-c", "import torch.distributed"], capture_output=True, check=False).returncode:
    note("job.sh is not tried: no PyTorch on this machine (apt-get install python3-torch)")
else:
    jobs()
done()

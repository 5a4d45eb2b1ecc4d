#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""docs/tutorial.md as a newcomer follows it: its very lines, one after the other, and what they print. UPDATE=1 writes that into the document."""
import os
import re
import signal
import subprocess
import sys
import time

import gitea
from lab import BERTH, ENV, TOP, WAIT, check, done, folder, http, note, processes, until

gitea.skip_without()
DOC = os.path.join(TOP, "docs", "tutorial.md")
WHERE = os.path.join(folder, "newcomer")
HOME = os.path.join(WHERE, "build", "tutorial")
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:^```\n(.*?)^```\n)?", re.M | re.S)
AGAIN = ("forge show", "berth status")  # what somebody does again who was too quick


def same(text):
    """Without what is another at each run."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
    text = re.sub(r"SHA256:[A-Za-z0-9+/]{43}", "SHA256:KEY", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    return "\n".join(line.rstrip() for line in re.sub(r"\b[0-9a-f]{7,64}\b", "ID", text).strip().splitlines())


class Tutorial:
    """make tutorial, without the builds."""

    def __init__(self, n):
        self.name = os.path.join(folder, "tutorial%d.log" % n)
        with open(self.name, "wb") as log:
            self.p = subprocess.Popen([sys.executable, os.path.join(TOP, "deploy", "tutorial.py")], cwd=WHERE, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                      env={**ENV, "TUTORIAL": HOME, "BERTH": BERTH, "BERTH_PEERS": gitea.CACHE}, start_new_session=True)
        processes.append(self.p)

    def log(self):
        with open(self.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def works(self):
        return until(lambda: "are looked at" in self.log() or self.p.poll() is not None) and self.p.poll() is None

    def children(self):
        with open("/proc/%d/task/%d/children" % (self.p.pid, self.p.pid), encoding="ascii") as f:
            return [int(pid) for pid in f.read().split()]

    def stop(self, sig):
        self.p.send_signal(sig)
        return self.p.wait(WAIT)


class Shell:
    """One shell for all blocks, as in a terminal: folders and variables stay."""

    def __init__(self):
        self.p = subprocess.Popen(["bash", "--norc"], cwd=WHERE, env={k: v for k, v in ENV.items() if not k.startswith("GIT_AUTHOR")
                                                                      and not k.startswith("GIT_COMMITTER")},
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        processes.append(self.p)

    def run(self, block):
        self.p.stdin.write("{\n%s} </dev/null\necho \"@@@ $?\"\n" % block)
        self.p.stdin.flush()
        out = []
        for line in self.p.stdout:
            if line.startswith("@@@ "):
                break
            out.append(line)
        return "".join(out)


def follow(shell, block, want):
    """What the block prints; as often as a person would, until it is what the document says."""
    end = time.monotonic() + (WAIT if any(block.startswith(a) or "\n" + a in block for a in AGAIN) else 0)
    while True:
        got = shell.run(block)
        if same(got) == same(want or "") or time.monotonic() > end:
            return got
        time.sleep(0.2)


def settled(shell, block):
    """For UPDATE=1: what it prints once that stays."""
    got, since = shell.run(block), time.monotonic()
    end = since + 30
    while any(block.startswith(a) or "\n" + a in block for a in AGAIN) and time.monotonic() < min(since + 8, end):
        last, got = got, shell.run(block)
        since = since if same(last) == same(got) else time.monotonic()
        time.sleep(0.2)
    return got


def read(update):
    """Walks through the document; the text that it should be."""
    with open(DOC, encoding="utf-8") as f:
        text = f.read()
    shell, out, at = Shell(), [], 0
    for m in BLOCK.finditer(text):
        block, want = m.group(1), m.group(2)
        if "tutorial   " in block:
            continue  # the start itself
        if update:
            note(block.strip().splitlines()[-1])
        got = settled(shell, block) if update else follow(shell, block, want)
        if not update:
            check(block.strip().splitlines()[-1], same(got) == same(want or ""), "printed:", got, "and the document says:", want or "")
        out += [text[at:m.start()], "```sh\n%s```\n" % block, "```\n%s```\n" % "".join(x.rstrip() + "\n" for x in got.splitlines()) if got.strip() else ""]
        at = m.end()
    return "".join(out) + text[at:], shell


def inside():
    """Nothing but the folder was written to."""
    return [os.path.join(root, n) for root, _, names in os.walk(WHERE) for n in names if not os.path.join(root, n).startswith(HOME + os.sep)]


def main():
    os.makedirs(WHERE)
    t = Tutorial(1)
    if not check("a forge, four people and berth", t.works(), t.log()):
        done()
    update = bool(os.environ.get("UPDATE"))
    text, _ = read(update)
    if update:
        with open(DOC, "w", encoding="utf-8") as f:
            f.write(text)
        note("docs/tutorial.md is written anew")
    with open(DOC, encoding="utf-8") as f:
        doc = f.read()
    with open(os.path.join(TOP, "Makefile"), encoding="utf-8") as f:
        make = f.read()
    check("what it prints first is what the document goes on with", all(
        line.strip().replace(HOME, "build/tutorial").replace("PATH=build", "PATH=$PWD/build") in doc
        for line in t.log().splitlines() if line.startswith("  ")) and "$PWD/build/tutorial/bin" in t.log(), t.log())
    check("the targets that it names are there", all("\n%s:\n" % target in make for target in ("tutorial", "tutorial-clean")))
    check("nothing lies outside of its folder", not inside(), inside())
    second = Tutorial(2)
    check("a second one beside it is refused", second.p.wait(WAIT) == 1 and "runs already" in second.log(), second.log())
    port = int(re.search(r"127\.0\.0\.1:(\d+)", t.log()).group(1))
    pids = t.children()
    check("Ctrl-C ends it well", t.stop(signal.SIGINT) == 0 and len(pids) == 2 and "Traceback" not in t.log(), t.log(), pids)
    check("and both of its processes", not any(os.path.exists("/proc/%d" % pid) for pid in pids) and http(port, "/") == 0, pids)
    t = Tutorial(3)
    check("it goes on with what was left, at the same port", t.works() and http(port, "/api/healthz") == 200, t.log())
    shell = Shell()
    shell.run("export PATH=$PWD/build/tutorial/bin:$PATH\ncd build/tutorial/alice\n")
    said = shell.run("forge show 1\ngit fetch -q\n")
    check("the forge knows what was merged", "merged\n" in said and "berth: applied" in said and "fatal" not in said, said)
    pids = t.children()
    t.p.kill()
    t.p.wait()
    check("kill -9 leaves nothing running either", until(lambda: not any(os.path.exists("/proc/%d" % pid) for pid in pids)), pids)
    done()


main()

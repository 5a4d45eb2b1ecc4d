#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth new at a terminal: at most five questions, Enter for the default, Ctrl-C leaves nothing behind."""
import fcntl
import os
import re
import select
import signal
import subprocess
import termios
import time

from lab import BERTH, ENV, WAIT, Site, check, done, env_spec, git, processes, until, user_spec

MODELINES = "# yaml-language-server: $schema=../../.vscode/schema/environment.schema.json\n# $schema: ../../.vscode/schema/environment.schema.json\n"
QUESTION = re.compile(r"[^\r\n]*?(?:\[[^\]\r\n]*\]|environment): ")


class Terminal:
    """berth on a terminal of its own."""

    def __init__(self, *args):
        self.master, slave = os.openpty()
        attr = termios.tcgetattr(slave)
        attr[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attr)
        self.seen, self.at, self.asked = "", 0, 0
        self.p = subprocess.Popen([BERTH, *args], env={**ENV, "NO_COLOR": "1"}, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                  preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        processes.append(self.p)
        os.close(slave)

    def read(self):
        """Takes in what comes within a moment; false at the end."""
        if not select.select([self.master], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)

    def answer(self, text):
        """Waits for the next question and answers it; the question, with what stood above it."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            found = QUESTION.search(self.seen, self.at)
            if found:
                said, self.at = self.seen[self.at:found.end()], found.end()
                self.asked += 1
                os.write(self.master, text.encode())
                return said
            if not self.read():
                break
        return ""

    def end(self):
        """Its exit status, after all that it says."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end and self.read():
            pass
        return self.p.wait(WAIT)

    def left(self):
        return self.seen[self.at:]


def refs(where):
    return git(where, "for-each-ref", "--format=%(refname) %(objectname)")


def all_answers(site):
    t = Terminal("new", "one", "-C", site.clone)
    flavors = t.answer("gpu-smal\n")
    again = t.answer("gpu-small\n")
    images = t.answer("pytorch\n")
    rest = [t.answer(a) for a in ("3\n", "2\n", "ssh,jupiter\n", "ssh,jupyter\n", "72h\n")]
    rc = t.end()
    check("flavors with cores, memory, GPUs and price, the cheapest first", re.search(r"1  cpu-small +4 cpu +16Gi +USD 0.10 an hour\n +2  gpu-small +16 cpu +64Gi +1 gpu Tesla-T4 +USD 0.53 an hour\n +3  bigmem-250 ", flavors) and
          re.search(r"gpu-large +16 cpu +64Gi +1 gpu NVIDIA-A100-SXM4-40GB +USD 4.10 an hour\n", flavors), t.seen)
    check("a slip of the pen is asked again", "did you mean gpu-small?" in again, t.seen)
    check("the default image first, then the catalogue", re.search(r"1  nvidia/cuda:\S+ +the default here\n +2  pytorch +pytorch/pytorch:", images), t.seen)
    check("GPUs up to the flavor's most, ways in, time to live", "GPUs, at most 2 [1]" in rest[0] and "more than the flavor has" in rest[1] and
          "[ssh, terminal]" in rest[2] and "did you mean jupyter?" in rest[3] and "time to live, for example 72h [never]" in rest[4], t.seen)
    check("five questions, three of them twice, and none more", rc == 0 and t.asked == 8 and "pushed env/alice/one" in t.left(), rc, t.seen)
    text = site.show("env/alice/one", "envs/alice/one.yaml")
    check("the file says what was answered", text == MODELINES + env_spec("gpu-small", "  image: pytorch\n  resources: {gpu: 2}\n  access: {web: [jupyter]}\n  lifecycle: {ttl: 72h}\n"),
          text, t.seen)


def only_enter(site):
    t = Terminal("new", "-C", site.clone, "--flavor", "cpu-small")
    questions = [t.answer("Bad Name\n"), t.answer("two\n")] + [t.answer("\n") for _ in range(4)]
    rc = t.end()
    check("the name is asked for, too, and checked", "name of the new environment" in questions[0] and "lower-case letter" in questions[1], t.seen)
    check("Enter takes the defaults", rc == 0 and site.show("env/alice/two", "envs/alice/two.yaml") == MODELINES + env_spec(), rc, t.seen)
    check("the fifth question is the last", t.asked == 6 and "memory, at most 32Gi [16Gi]" in questions[3] and all(questions), t.seen)


def not_for_all(site):
    t = Terminal("new", "erin/three", "-C", site.clone, "--image", "ubuntu:24.04", "--memory", "16Gi", "--access", "ssh", "--ttl", "8h")
    flavors = t.answer("3\n")
    again = t.answer("1\n")
    rc = t.end()
    check("what the owner may not have is counted alone", "3 more are not open to erin" in flavors and "bigmem" not in flavors and "cpu-small" in flavors, t.seen)
    check("a number that is not there", "one of the numbers" in again, t.seen)
    check("what was said by options is not asked", rc == 0 and t.asked == 2, rc, t.seen)


def taken(site):
    before = refs(site.clone), refs(site.bare)
    t = Terminal("new", "one", "-C", site.clone, "--flavor", "cpu-small", "--image", "ubuntu:24.04", "--memory", "16Gi", "--access", "ssh", "--ttl", "8h")
    rc = t.end()
    check("a branch that the origin has is not pushed again, nor kept", rc == 4 and "the origin has a branch env/alice/one already" in t.seen and
          (refs(site.clone), refs(site.bare)) == before, rc, t.seen)


def stopped(site):
    before = refs(site.clone), refs(site.bare), git(site.clone, "status", "--porcelain")
    t = Terminal("new", "four", "-C", site.clone)
    t.answer("\n")
    t.answer("\x03")
    rc = t.end()
    check("Ctrl-C at a question ends it", rc == -signal.SIGINT, rc, t.seen)
    t = Terminal("new", "four", "-C", site.clone)
    t.answer("\x04")
    rc = t.end()
    check("the end of input does, too", rc == 130 and "nothing was written" in t.seen, rc, t.seen)
    check("nothing is left of them", (refs(site.clone), refs(site.bare), git(site.clone, "status", "--porcelain")) == before)
    began = os.path.join(site.bare, "began")
    path = os.path.join(site.bare, "hooks", "pre-receive")
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\necho $$ >'%s.new'\nmv '%s.new' '%s'\nexec sleep 600\n" % (began, began, began))
    os.chmod(path, 0o755)
    for more in ([], ["--no-input"]):
        t = Terminal("new", "five", "-C", site.clone, "--flavor", "cpu-small", "--image", "ubuntu:24.04", "--memory", "16Gi", "--access", "ssh", "--ttl", "8h", *more)
        if not until(lambda: os.path.exists(began) or not t.read()) or not os.path.exists(began):
            check("the push begins", False, t.seen)
            continue
        os.write(t.master, b"\x03")
        rc = t.end()
        with open(began, encoding="ascii") as f:
            sleeper = int(f.read())
        os.unlink(began)
        check("Ctrl-C in the middle of a push%s: status 130, and no branch" % (" without questions" if more else ""),
              rc == 130 and (refs(site.clone), refs(site.bare), git(site.clone, "status", "--porcelain")) == before, rc, t.seen, refs(site.clone))
        try:
            os.kill(sleeper, signal.SIGKILL)
        except ProcessLookupError:
            pass
    os.unlink(path)


def main():
    site = Site("envs", files={"users/erin.yaml": user_spec(7).replace("role: admin", "role: standard")})
    git(site.clone, "config", "user.email", "alice@example.com")
    all_answers(site)
    only_enter(site)
    not_for_all(site)
    taken(site)
    stopped(site)
    done()


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The decryptor behind its walls, in a build without sanitizers: what a taken-over one tries ends it, and the daemon goes on, starts another
and delivers the next secret. Locked memory, and what is said where it cannot be had."""
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys

import release  # before lab: it says which program
import inject
import seal
from lab import ENV, RENDERED, WAIT, Daemon, Site, berth, check, done, env_spec, folder, note, processes, until

seal.skip_without_age()
KEYS = seal.Keys()
USER = re.compile(r"(?m)^Uid:\s+(\d+)")
MIB = 1 << 20


def skipped(name, why):
    """A test that cannot be done here, loudly."""
    note("NOT TESTED: %s: %s" % (name, why))
    check("%s # SKIP %s" % (name, why), True)


# -- by itself ---------------------------------------------------------------------------------------------------------


def text(words):
    return struct.pack("<I", len(words)) + words


class Alone:
    """`berth __decryptor` with this test in the daemon's place."""

    def __init__(self, key=None, prefix=()):
        ours, theirs = socket.socketpair()
        ours.settimeout(WAIT)

        n = theirs.fileno()
        place = "exec \"$@\"" if n == 3 else "exec \"$@\" 3<&%d %d<&-" % (n, n)
        self.p = subprocess.Popen(["sh", "-c", place, "sh", *prefix, os.environ["BERTH"], "__decryptor"], cwd=folder, env=ENV,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(n,))
        processes.append(self.p)
        theirs.close()
        self.socket = ours
        code, rest = self.ask(b"\x01" + struct.pack("<I", 1) + text((key or KEYS.file).encode()))
        self.code, self.greeting = code, rest

    def take(self, n):
        got = b""
        while len(got) < n:
            part = self.socket.recv(n - len(got))
            if not part:
                raise EOFError
            got += part
        return got

    def ask(self, request):
        """(code, texts of the answer)"""
        self.socket.sendall(text(request))
        body = self.take(*struct.unpack("<I", self.take(4)))
        rest, texts = body[1:], []
        while rest:
            n = struct.unpack("<I", rest[:4])[0]
            texts.append(rest[4:4 + n].decode())
            rest = rest[4 + n:]
        return body[0], texts

    def recipient(self):
        place = b"\x00" + text(b"alice") + text(b"7f3a9c12") + text(b"")
        return self.ask(b"\x03" + place + struct.pack("<I", 1))

    def status(self, name):
        with open("/proc/%d/status" % self.p.pid, encoding="utf-8") as f:
            return re.search(r"(?m)^%s:\s+(.*)$" % name, f.read()).group(1)

    def limit(self, name):
        with open("/proc/%d/limits" % self.p.pid, encoding="utf-8") as f:
            return re.search(r"(?m)^%s\s{2,}(\S+)\s+(\S+)" % name, f.read()).groups()

    def end(self):
        self.socket.close()
        return self.p.wait(WAIT)


def by_itself():
    d = Alone()
    check("it greets with its signer and the host CA", d.code == 0 and d.greeting[0] == KEYS.signer and
          d.greeting[1].startswith("ssh-ed25519 "), d.greeting)
    check("it has nothing to complain of here", d.greeting[2] == "", d.greeting)
    check("seccomp filters it, and it gains nothing", d.status("Seccomp") == "2" and d.status("NoNewPrivs") == "1")
    check("no core, no files, bounded memory", d.limit("Max core file size") == ("0", "0") and d.limit("Max file size") == ("0", "0") and
          int(d.limit("Max address space")[1]) < 512 * MIB and int(d.limit("Max open files")[1]) <= 64)
    links = {fd: os.readlink("/proc/%d/fd/%s" % (d.p.pid, fd)) for fd in os.listdir("/proc/%d/fd" % d.p.pid)}
    check("one socket is all that it has open", {k: v for k, v in links.items() if not v.startswith("socket:")} ==
          {"0": "/dev/null", "1": "/dev/null", "2": "/dev/null"} and len(links) == 4, links)
    with open("/proc/%d/statm" % d.p.pid, encoding="utf-8") as f:
        pages = int(f.read().split()[0])
    check("it leaves room for its work below the limit", pages * resource.getpagesize() < 200 * MIB, pages)
    first = d.recipient()
    check("it answers", first[0] == 0 and first[1][0].startswith("age1"), first)
    check("it ends with the daemon", d.end() == 0)
    again = Alone()
    check("the same key gives the same recipient", again.recipient() == first)
    again.socket.sendall(b"\xff\xff\xff\xff")
    check("a message that cannot be one ends it", again.p.wait(WAIT) == 0)
    alone = subprocess.run([os.environ["BERTH"], "__decryptor"], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENV, check=False)
    check("a person who starts it is told so", alone.returncode == 2 and "starts this process itself" in alone.stderr, alone.stderr)


def bad_keys():
    """The decryptor refuses them itself: nobody else reads the file."""
    shown = os.path.join(folder, "shown.key")
    shutil.copy(KEYS.file, shown)
    os.chmod(shown, 0o644)
    d = Alone(shown)
    check("a key that others can read is refused, with the command that mends it", d.code == 4 and "chmod 400" in d.greeting[1], d.greeting)
    d.end()
    d = Alone(os.path.join(folder, "none.key"))
    check("no key file: the command that makes one", d.code == 2 and "berth keygen" in d.greeting[1], d.greeting)
    d.end()


def walls():
    """The unit tests that need a build without sanitizers."""
    for name in "test_sandbox", "test_decryptor", "test_decryptor_looks":
        p = subprocess.run([os.path.join(release.RELEASE, "tests", "unit", name)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           env=ENV, check=False, timeout=240)
        lacks = re.findall(r"# NOT TESTED here: (.*)", p.stdout)
        for line in lacks:
            note("NOT TESTED: " + line)
        check("%s without sanitizers" % name, p.returncode == 0 and "not ok" not in p.stdout and
              (lacks or name != "test_sandbox" or "what_ends_it" in p.stdout), p.stdout)


ATTEMPTS = (("open", lambda pid: inject.do(pid, "open", 0, 0, 0)), ("socket", lambda pid: inject.do(pid, "socket", socket.AF_INET, socket.SOCK_STREAM, 0)),
            ("execve", lambda pid: inject.do(pid, "execve", 0, 0, 0)),
            ("512 MiB of memory", lambda pid: inject.do(pid, "mmap", 0, 512 * MIB, 3, 0x22, -1, 0)))


def taken_over():
    for name, attempt in ATTEMPTS:
        d = Alone()
        attempt(d.p.pid)
        rc = d.p.wait(WAIT)
        check("%s from inside ends it" % name, rc == -31, rc)


# -- in the daemon -------------------------------------------------------------------------------------------------------


def value(n):
    return {"envs/alice/secrets/token.age": seal.seal(KEYS.recipient(site, "alice"), "value %d of the test" % n)}


def digest():
    """What tells one value from another on the rendered branch."""
    return site.show(RENDERED, "envs/alice/notebook/secrets.digest.yaml")


def after(daemon, lines):
    return "".join(daemon.log().splitlines(True)[lines:])


def in_the_daemon(daemon, why):
    def decryptor():
        found = seal.children(daemon.p.pid, "__decryptor")
        return found[0] if found else None

    seen, n = digest(), 1
    for name, attempt in (*ATTEMPTS, ("an endless loop", inject.circle)):
        if why:
            skipped("%s from inside the daemon's decryptor" % name, why)
            continue
        victim, lines = until(decryptor), daemon.log().count("\n")
        attempt(victim)
        n += 1
        commit = site.push(value(n), name)
        now = until(lambda last=seen: digest() not in (None, last) and digest(), 4 * WAIT)
        said = until(lambda dead="process %d) " % victim, old=lines: dead in after(daemon, old) and after(daemon, old))
        check("after %s from inside: the daemon goes on and delivers the next secret (%s)" % (name, commit[:7]), now and daemon.alive(), after(daemon, lines))
        check("with another decryptor", until(lambda last=victim: decryptor() not in (None, last)) and not os.path.exists("/proc/%d" % victim), victim, decryptor())
        check("and its log says what became of the one before", said and ("forbids" in said or "no answer" in said), after(daemon, lines))
        seen = now


def lifetime(daemon):
    victim = until(lambda: seal.children(daemon.p.pid, "__decryptor"))[0]
    daemon.p.kill()
    daemon.p.wait()
    check("it ends with a daemon that was killed", until(lambda: not os.path.exists("/proc/%d" % victim)))


# -- locked memory ---------------------------------------------------------------------------------------------------------


def little_memory():
    """As a service without LimitMEMLOCK: a limit below what secrets need, and no right to pass it."""
    prefix = ["prlimit", "--memlock=65536:65536"]
    if os.geteuid() == 0:
        prefix = ["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", *prefix]
    d = Alone(prefix=prefix)
    check("the greeting says that memory cannot be locked, and what to set", d.code == 0 and "LimitMEMLOCK=" in d.greeting[2], d.greeting)
    check("it works all the same", d.recipient()[0] == 0)
    d.end()
    small = os.path.join(folder, "small")
    with open(small, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\nexec %s %s \"$@\"\n" % (" ".join(prefix), os.environ["BERTH"]))
    os.chmod(small, 0o755)
    p = subprocess.run([small, "run", "--repo", site.bare, "--target", "git", "--state", site.state(), "--once", "--master-key", KEYS.file],
                       cwd=folder, env=ENV, capture_output=True, text=True, check=False, timeout=240)
    warned = [line for line in p.stderr.splitlines() if "LimitMEMLOCK=" in line]
    check("the daemon's log warns, once", len(warned) == 1 and " warn " in warned[0], p.stderr)
    p = subprocess.run([small, "doctor", "-o", "json", "--kubeconfig", "/nonexistent"], cwd=folder, env=ENV, capture_output=True, text=True,
                       check=False, timeout=240)
    check("berth doctor has a row about it", '"secrets in memory"' in p.stdout and "LimitMEMLOCK=" in p.stdout, p.stdout, p.stderr)
    said = berth("doctor", "-o", "json", "--kubeconfig", "/nonexistent")
    rows = {c["check"]: c["result"] for c in said.json()["checks"]} if said.out else {}
    check("which is ok here, and so are the walls", rows.get("secrets in memory") == "ok" and rows.get("sandbox") == "ok", said)


by_itself()
bad_keys()
walls()
cannot = inject.cannot()
if cannot:
    for attempt_name, _ in ATTEMPTS:
        skipped("%s from inside ends it" % attempt_name, cannot)
else:
    taken_over()
if len(sys.argv) > 1 and sys.argv[1] == "alone":
    done()
site = Site("site", {"envs/alice/notebook.yaml": env_spec(more="  secrets:\n    - {name: token, file: secrets/token.age}\n")})
site.push({**KEYS.switch_on(site), **value(1)}, "secrets")
running = Daemon(site.bare, site.state(), "--master-key", KEYS.file)
check("the daemon delivers a secret's digest", until(digest), running.log())
in_the_daemon(running, cannot)
lifetime(running)
little_memory()
done()

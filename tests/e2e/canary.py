# SPDX-License-Identifier: Apache-2.0
"""A known random text that may be nowhere but where it was sent: its forms, and looking for them in files, git, processes, answers."""
import base64
import os
import secrets
import subprocess
import threading
import time

import inject
from lab import BERTH, ENV


class Canary:
    def __init__(self):
        self.text = "cAnary" + secrets.token_hex(12)
        self.forms = {self.text.encode(), self.text.encode().hex().encode()}
        for before in range(3):  # where it may begin among three bytes
            whole = base64.b64encode(b"\0" * before + self.text.encode())
            inner = whole[(0, 2, 3)[before]:(before + len(self.text)) * 8 // 6]
            self.forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}

    def in_bytes(self, data):
        return any(form in (data if isinstance(data, bytes) else str(data).encode(errors="surrogateescape")) for form in self.forms)

    def in_files(self, *folders, without=()):
        """Paths of the files that have it, by content. Sockets and what goes away meanwhile are passed over."""
        found = []
        for top in folders:
            for root, names, files in os.walk(top):
                names[:] = [n for n in names if os.path.join(root, n) not in without]
                for name in files:
                    path = os.path.join(root, name)
                    if path in without or not os.path.isfile(path) or os.path.islink(path):
                        continue
                    try:
                        with open(path, "rb") as f:
                            if self.in_bytes(f.read()):
                                found.append(path)
                    except OSError:
                        pass
        return found

    def in_git(self, repo):
        """Names of the objects of a repository that have it: every commit that ever was, unpacked."""
        listed = subprocess.run(["git", "-C", repo, "cat-file", "--batch-all-objects", "--batch"], env=ENV, check=True, stdout=subprocess.PIPE).stdout
        found = []
        while listed:
            head, _, listed = listed.partition(b"\n")
            name, _, size = head.decode().split()
            if self.in_bytes(listed[:int(size)]):
                found.append(name)
            listed = listed[int(size) + 1:]
        return found


def processes():
    """(pid, verb) of every process of the program under test."""
    mine, out = os.path.realpath(BERTH), []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            if os.readlink("/proc/%s/exe" % name) == mine:
                with open("/proc/%s/cmdline" % name, "rb") as f:
                    out.append((int(name), (f.read().split(b"\0") + [b"", b""])[1].decode()))
        except OSError:
            pass
    return out


class Watch:
    """Looks at the arguments and the environment of every process of the program, again and again, and sometimes at the daemon's memory."""

    def __init__(self, canary):
        self.canary, self.found, self.seen, self.errors = canary, set(), {}, 0
        self.going = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.going:
            for pid, verb in processes():
                self.seen[verb] = self.seen.get(verb, 0) + 1
                for what in "environ", "cmdline":
                    try:
                        with open("/proc/%d/%s" % (pid, what), "rb") as f:
                            if self.canary.in_bytes(f.read()):
                                self.found.add("%s of %s" % (what, verb))
                    except OSError:
                        self.errors += 1
            time.sleep(0.05)

    def stop(self):
        self.going = False
        self.thread.join()
        return self.found


def in_memory(canary, pid):
    """Has the process it in its memory now?"""
    return bool(inject.memory_has(pid, canary.forms))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a bare environments repository with N users of one environment each, by git fast-import.

usage: gen_repo.py N TEMPLATE OUT.git      TEMPLATE is what `berth init` wrote; its users, teams and environments are left out.
The same N gives the same tree: no clock, no random numbers. User i is u00000 + i and has one environment, `dev`.
"""
import base64
import hashlib
import os
import subprocess
import sys


def user(i):
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + hashlib.sha256(b"u%d" % i).digest()
    key = "ssh-ed25519 %s u%05d" % (base64.b64encode(blob).decode(), i)
    return ("apiVersion: berth.dev/v1\nkind: User\nspec:\n  uid: u%05d\n  email: u%05d@example.com\n  role: admin\n  teams: []\n"
            "  sshKeys:\n  - %s\n" % (i, i, key))


def env(i, run=0):
    """`run` changes the environment: an edit is the same text with another number."""
    return ("apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: %s\n  persistentHomeSize: %dGi\n"
            "  env:\n    RUN: r%d\n" % (("cpu-small", "gpu-small")[i % 2], 20 + i % 80, run))


def files_of(template):
    files = {}
    for root, dirs, names in os.walk(template):
        dirs[:] = [d for d in dirs if d != ".git"]
        for name in names:
            path = os.path.relpath(os.path.join(root, name), template)
            if not path.startswith(("users/", "envs/", "teams/")):
                with open(os.path.join(root, name), "rb") as f:
                    files[path] = f.read()
    return files


def main():
    n, template, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    files = files_of(template)
    for i in range(n):
        files["users/u%05d.yaml" % i] = user(i).encode()
        files["envs/u%05d/dev.yaml" % i] = env(i).encode()
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", out], check=True)
    p = subprocess.Popen(["git", "-C", out, "fast-import", "--quiet"], stdin=subprocess.PIPE)
    p.stdin.write(b"commit refs/heads/main\ncommitter gen <gen@localhost> 1700000000 +0000\ndata 4\ngen\n\n")
    for path in sorted(files):
        p.stdin.write(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(files[path]), files[path]))
    p.stdin.close()
    if p.wait() != 0:
        sys.exit(1)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a bare environments repository with N environments of all shapes, by git fast-import.

usage: gen_repo.py N TEMPLATE OUT.git      TEMPLATE is what `berth init` wrote; its users, teams and environments are left out.
The same N gives the same tree: no clock, no random numbers.
"""
import os
import subprocess
import sys

SHAPES = [
    "  flavor: cpu-small\n",
    "  flavor: gpu-small\n  env:\n    PROJECT: p{i}\n",
    "  flavor: gpu-large\n  mode: distributed\n  distributed:\n    worldSize: 4\n    nprocsPerNode: 1\n    backend: nccl\n",
    "  flavor: bigmem-250\n  resources:\n    cpu: 32\n    memory: 136Gi\n",
    "  flavor: gpu-small\n  persistentHomeSize: {size}Gi\n  volumes:\n  - name: workspace\n    size: 1Ti\n    access: RWX\n    path: /workspace\n",
]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI%043d user%d"


def user(u):
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43 + f" u{u:05d}"
    return f"apiVersion: berth.dev/v1\nkind: User\nspec:\n  uid: u{u:05d}\n  email: u{u:05d}@company.com\n  role: admin\n  teams: []\n  sshKeys:\n  - {key}\n"


def env(i):
    return "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n" + SHAPES[i % len(SHAPES)].format(i=i, size=20 + i % 80)


def main():
    n, template, out = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    files = {}
    for root, dirs, names in os.walk(template):
        dirs[:] = [d for d in dirs if d != ".git"]
        for name in names:
            path = os.path.relpath(os.path.join(root, name), template)
            if not path.startswith(("users/", "envs/", "teams/")):
                with open(os.path.join(root, name), "rb") as f:
                    files[path] = f.read()
    per = 5  # environments a user
    for u in range((n + per - 1) // per):
        files[f"users/u{u:05d}.yaml"] = user(u).encode()
    for i in range(n):
        files[f"envs/u{i // per:05d}/e{i:05d}.yaml"] = env(i).encode()
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", out], check=True)
    p = subprocess.Popen(["git", "-C", out, "fast-import", "--quiet"], stdin=subprocess.PIPE)
    w = p.stdin.write
    w(b"commit refs/heads/main\ncommitter gen <gen@localhost> 1700000000 +0000\ndata 4\ngen\n\n")
    for path in sorted(files):
        w(b"M 100644 inline %s\ndata %d\n" % (path.encode(), len(files[path])))
        w(files[path] + b"\n")
    p.stdin.close()
    if p.wait() != 0:
        sys.exit(1)


main()

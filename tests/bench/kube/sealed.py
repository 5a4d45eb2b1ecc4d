# SPDX-License-Identifier: Apache-2.0
"""The same environments twice, without and with sealed secrets: what delivering a Secret costs beside applying any other object."""
import os
import re
import subprocess

import gen_repo
import objects

PER = 5  # secrets an environment
USES = "  secrets:\n" + "".join("    - {name: s%d, file: secrets/s%d.age, as: file}\n" % (i, i) for i in range(PER))


def key(work):
    """(master key's file, lines of berth.yaml)"""
    file = os.path.join(work, "master-key")
    said = objects.berth("keygen", "-o", file).decode()
    return file, "  secrets: {signer: %s}\n" % re.search(r'signer: ("ssh-ed25519 [^"]+")', said).group(1)


def recipients(clone, file, n):
    out = []
    for i in range(n):
        said = objects.berth("recipients", "u%05d" % i, "-C", clone, "--key", file, "-o", "json").decode()
        out.append(re.search(r'"recipient": "(age1\w+)"', said).group(1))
    return out


def seal(recipient, text):
    return subprocess.run(["age", "-a", "-r", recipient], input=text, stdout=subprocess.PIPE, check=True).stdout


def commit(repo, files, message, number):
    """Files on top of main, by fast-import."""
    stream = b"commit refs/heads/main\ncommitter x <x@x> %d +0000\ndata %d\n%s\nfrom refs/heads/main^0\n" % (
        1_800_000_000 + number, len(message), message.encode())
    for path, body in sorted(files.items()):
        stream += b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(body), body)
    subprocess.run(["git", "-C", repo, "fast-import", "--quiet"], input=stream, check=True)


def prepare(plain, work, n):
    """A copy of a repository whose environments have PER secrets each; (repository, master key's file)."""
    repo = os.path.join(work, "sealed.git")
    subprocess.run(["git", "clone", "-q", "--bare", plain, repo], check=True)
    file, line = key(work)
    org = subprocess.run(["git", "-C", repo, "show", "main:berth.yaml"], stdout=subprocess.PIPE, check=True).stdout.decode()
    commit(repo, {"berth.yaml": org.replace("\n  render:", "\n" + line + "  render:").encode()}, "signer", 1)
    clone = os.path.join(work, "sealed")
    subprocess.run(["git", "clone", "-q", repo, clone], check=True)
    files = {}
    for i, to in enumerate(recipients(clone, file, n)):
        files["envs/u%05d/dev.yaml" % i] = (gen_repo.env(i) + USES).encode()
        for k in range(PER):
            files["envs/u%05d/secrets/s%d.age" % (i, k)] = seal(to, b"value %d of u%05d" % (k, i))
    commit(repo, files, "secrets", 2)
    return repo, file

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""diff and dry runs beside a real API server that holds sealed Secrets: what differs is told, what is in them is neither asked for nor shown."""
import json
import os

import kube
import seal
from kube_site import KubeSite
from lab import berth, check, done, env_spec, until

kube.skip_without_peers()
seal.skip_without_age()
VALUE = "canary-" + os.urandom(9).hex()
DOCKER = json.dumps({"auths": {"registry.example.com": {"auth": "dTpw"}}})
USE = """  secrets:
    - {name: wandb, file: secrets/wandb.age}
    - {name: deploy, file: secrets/deploy.age, as: ssh}
    - {name: pull, file: secrets/pull.age, as: registry}
    - {name: git, file: secrets/git.age, as: git}
"""
GONE = {"envs/alice/train.yaml": None, "envs/alice/vit.yaml": None, "envs/bo/genome.yaml": None, "envs/dana/shell.yaml": None}

c = kube.Cluster().start()
c.grant()
keys = seal.Keys()
s = KubeSite("sealed", c, GONE)
alice = keys.recipient(s, "alice")
sealed = {"envs/alice/secrets/%s.age" % name: seal.seal(alice, text) for name, text in (
    ("wandb", VALUE), ("deploy", "-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n" % VALUE), ("pull", DOCKER), ("git", "https://alice:%s@git.example\n" % VALUE))}
said = []


def verb(*args, rc=None):
    got = berth(*args, "-C", s.clone, "--kubeconfig", c.kubeconfig("admin"))
    said.append(got)
    return got


def lines(text, *words):
    return [line for line in text.splitlines() if all(w in line for w in words)]


with s.running("--master-key", keys.file):
    s.change({**keys.switch_on(s), "envs/alice/notebook.yaml": env_spec("cpu-small", USE), **sealed})
    check("the environment is Ready with its secrets", s.until_phase({"alice/notebook": "Ready"}), s.env("alice/notebook"), s.now.log())
check("what was sealed is in the cluster", seal.plain(c.get("secret", "dev-alice", "notebook--secret-wandb")) == {"WANDB": VALUE.encode()})

got = verb("diff", "alice/notebook")
check("diff of what was just applied finds nothing", got.rc == 0 and len(got.out.splitlines()) == 1 and got.out.strip().endswith("same."), got)
got = verb("apply", "--dry-run", "alice/notebook")
check("dry run: all unchanged", got.rc == 0 and " 0 configured" in got.out and " 0 refused" in got.out, got)
c.kubectl("-n", "dev-alice", "label", "--overwrite", "secret/notebook--secret-wandb", "berth.dev/owner=mallory")
got = verb("diff", "alice/notebook")
check("a label that somebody changed is told, and nothing else", got.rc == 1 and lines(got.out, "Secret/notebook--secret-wandb", "metadata.labels") and
      "1 differ" in got.out, got)
got = verb("apply", "--dry-run", "alice/notebook")
check("and would be put right", got.rc == 0 and lines(got.out, "configured", "Secret/notebook--secret-wandb"), got)

# an environment that is not there yet, with each type of Secret
s.write({"envs/alice/second.yaml": env_spec("cpu-small", USE)})
got = verb("diff", "alice/second")
check("what is not there yet is missing", got.rc == 1 and lines(got.out, "missing"), got)
got = verb("apply", "--dry-run", "alice/second")
check("dry run: each type of Secret would be made", got.rc == 0 and " 0 refused" in got.out and
      all(lines(got.out, "created", "Secret/second--secret-" + n) for n in ("wandb", "deploy", "pull", "git")), got)
check("nothing was written", c.get("secret", "dev-alice", "second--secret-wandb") is None)
verb("diff", "alice/notebook", "-o", "json")
verb("apply", "--dry-run", "alice/notebook", "-o", "json")
verb("why", "alice/notebook")
everything = "".join(x.out + x.err for x in said)
check("no value was shown", VALUE not in everything and DOCKER not in everything and "dTpw" not in everything)
c.stop()
done()

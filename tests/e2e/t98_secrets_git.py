#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sealed secrets on target git: no Secret stands on the rendered branch in plain text or as something that a controller would apply; with a recipient of
Flux it is a SOPS file that the real sops opens, the same bytes for the same value."""
import base64
import os
import re
import subprocess

import yaml

import seal
import sops
from lab import ENV, RENDERED, STATUS, Daemon, Site, berth, check, done, env_spec, folder, git, note, until
from seal import Keys

seal.skip_without_age()
UNIT, FILE = "envs/alice/notebook", "secret-notebook--secret-wandb.yaml"
USE = "  secrets:\n    - {name: wandb, file: secrets/wandb.age}\n    - {name: hf, file: secrets/hf.age, as: file}\n"
CANARY = "canary-5e1f-value"


class GitSite(Site):
    def looked(self, d, commit):
        return until(lambda: [x for x in d.log().splitlines() if commit[:12] + ": " in x and "looked at" in x])

    def change(self, d, files, message="change"):
        return self.looked(d, self.push(files, message))

    def rendered(self, name):
        return self.show(RENDERED, "%s/%s" % (UNIT, name))

    def doc(self, env="alice/notebook"):
        text = self.show(STATUS, "envs/%s.yaml" % env)
        return yaml.safe_load(text) if text else {}

    def ready(self, env="alice/notebook"):
        return next((c for c in self.doc(env).get("conditions", []) if c["type"] == "Ready"), {})

    def until_ready(self, reason):
        return until(lambda: self.ready().get("reason") == reason)


def everything(s):
    """All that anybody reads of the repository, every commit of it, as one text."""
    out = b""
    for line in git(s.bare, "cat-file", "--batch-all-objects", "--batch-check").splitlines():
        name, kind, _ = line.split()
        if kind in ("blob", "commit"):
            out += git(s.bare, "cat-file", kind, name, ok=False)[1]
    return out


def undelivered(s, d, keys):
    alice = keys.recipient(s, "alice")
    s.change(d, {**keys.switch_on(s), UNIT + ".yaml": env_spec("cpu-small", USE), "envs/alice/secrets/wandb.age": seal.seal(alice, CANARY),
                 "envs/alice/secrets/hf.age": seal.seal(alice, "other " + CANARY)})
    names = s.names(RENDERED, UNIT)
    check("no Secret is on the rendered branch", names and not [n for n in s.names(RENDERED) if "/secret-" in n], names)
    listed = yaml.safe_load(s.rendered("kustomization.yaml"))["resources"]
    digests = yaml.safe_load(s.rendered("secrets.digest.yaml") or "{}").get("secrets", [])
    check("secrets.digest.yaml stands beside, in no list", "secrets.digest.yaml" not in listed and
          all(r in [os.path.basename(n) for n in names] for r in listed), listed)
    wandb = next((x for x in digests if x["name"] == "notebook--secret-wandb"), {})
    check("it has name, type and a digest a key", wandb.get("type") == "Opaque" and wandb.get("delivered") is False and
          re.fullmatch("[0-9a-f]{32}", str(next(iter(wandb.get("data", {"": ""}).values())))), digests)
    check("the status says SecretsNotDelivered and what an admin can do", s.until_ready("SecretsNotDelivered") and
          "recipient" in s.ready()["message"] and "notebook--" in s.ready()["message"], s.doc())
    said = berth("status", "-C", s.bare)
    why = berth("why", "alice/notebook", "-C", s.bare)
    check("so does `berth why`, with the next step", "SecretsNotDelivered" in why.out and "recipient" in why.out, why)
    check("so does `berth status`", "SecretsNotDelivered" in said.out + berth("status", "-C", s.bare, "-o", "json").out, said)
    return wandb


def moves(s, d, keys, before):
    """What changes the branch and what does not."""
    alice, tip = keys.recipient(s, "alice"), s.tip(RENDERED)
    s.change(d, {"envs/alice/secrets/wandb.age": seal.seal(alice, CANARY)})
    check("the same value sealed again: no commit on the rendered branch", s.tip(RENDERED) == tip)
    s.change(d, {"envs/alice/secrets/wandb.age": seal.seal(alice, CANARY + "2")})
    now = next(x for x in yaml.safe_load(s.rendered("secrets.digest.yaml"))["secrets"] if x["name"] == "notebook--secret-wandb")
    check("another value: another digest, and the pods roll", now["data"] != before["data"] and s.tip(RENDERED) != tip and
          "statefulset-notebook.yaml" in git(s.bare, "diff", "--name-only", tip, RENDERED), now)
    check("no digest of it in what a controller applies", not [n for n in s.names(RENDERED, UNIT) if not n.endswith("secrets.digest.yaml") and
                                                               list(now["data"].values())[0] in (s.show(RENDERED, n) or "")])


def flux(s, d, keys):
    key = os.path.join(folder, "flux.key")
    subprocess.run(["age-keygen", "-o", key], env=ENV, check=True, stderr=subprocess.DEVNULL)
    with open(key, encoding="ascii") as f:
        text = f.read()
    recipient, identity = re.search(r"age1\w+", text).group(0), re.search(r"AGE-SECRET-KEY-1\w+", text).group(0)
    org = s.read("berth.yaml")
    s.change(d, {"berth.yaml": org.replace("rendered: {consumer: kubectl}", "rendered: {consumer: flux, recipient: %s}" % recipient)})
    listed = yaml.safe_load(s.rendered("kustomization.yaml"))["resources"]
    check("with a recipient of Flux the Secrets are there, listed", FILE in listed and s.rendered(FILE), listed, d.log()[-1500:])
    check("and nothing is undelivered", until(lambda: s.ready().get("reason") == "NotObserved"), s.doc())
    names = [n for n in s.names(RENDERED, UNIT) if "/secret-" in n]
    first = {n: s.show(RENDERED, n) for n in names}
    check("the host key too", any("hostkeys" in n for n in names), names)
    check("values are sealed, the rest can be read", all("ENC[AES256_GCM" in t and "kind: Secret" in t and CANARY not in t for t in first.values()))
    if sops.missing():
        note("NOT TESTED: opened by the real sops: " + sops.missing())
    else:
        path = sops.write(os.path.join(folder, "flux.yaml"), first[UNIT + "/" + FILE])
        got = sops.decrypt_json(path, identity)
        data = list((got or {}).get("data", {}).values())
        check("the real sops opens it with Flux's identity", got and got["kind"] == "Secret" and got["metadata"]["name"] == "notebook--secret-wandb" and
              len(data) == 1 and base64.b64decode(data[0]).decode() == CANARY + "2", got and {k: v for k, v in got.items() if k != "data"})
        other = subprocess.run(["age-keygen"], env=ENV, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
        check("and with no other", sops.decrypt_json(path, re.search(r"AGE-SECRET-KEY-1\w+", other).group(0)) is None)
    tip = s.tip(RENDERED)
    s.change(d, {"envs/alice/secrets/wandb.age": seal.seal(keys.recipient(s, "alice"), CANARY + "2")})
    check("the same value again: no commit", s.tip(RENDERED) == tip)
    return first, org


def again(s, keys, first):
    """Another process, another state folder, from nothing: the same bytes."""
    git(s.bare, "update-ref", "-d", "refs/heads/" + RENDERED)
    said = berth("run", "--repo", s.bare, "--target", "git", "--state", s.state(), "--once", "--master-key", keys.file)
    now = {n: s.show(RENDERED, n) for n in first}
    check("made anew from nothing they are the same bytes", now == first and said.rc == 0, said, [n for n in first if now[n] != first[n]])
    git(s.clone, "fetch", "-q", "origin")
    path = "%s/%s" % (UNIT, FILE)
    work = os.path.join(folder, "foreign")
    git(folder, "clone", "-q", "-b", RENDERED, s.bare, work)
    with open(os.path.join(work, path), "a", encoding="utf-8") as f:
        f.write("# changed\n")
    git(work, "commit", "-qam", "by hand")
    git(work, "push", "-q", "origin", RENDERED)
    berth("run", "--repo", s.bare, "--target", "git", "--state", s.state(), "--once", "--master-key", keys.file)
    check("a foreign hand on one is put right", s.show(RENDERED, path) == first[path])


def back(s, keys, org):
    """Without the recipient again, and without the key."""
    with_daemon = Daemon(s.bare, s.state(), "--master-key", keys.file)
    s.change(with_daemon, {"berth.yaml": org})
    check("the recipient taken away: no Secret is left", not [n for n in s.names(RENDERED) if "/secret-" in n], s.names(RENDERED, UNIT))
    with_daemon.stop()
    d = Daemon(s.bare, s.state())
    s.change(d, {UNIT + ".yaml": env_spec("cpu-small", USE + "  env: {TURN: \"2\"}\n"), "envs/alice/free.yaml": env_spec()})
    check("without a master key what has no secrets goes on", s.show(RENDERED, "envs/alice/free/statefulset-free.yaml"), d.log()[-1000:])
    check("the log says once that the key is missing", d.log().count("env=berth.yaml stage=apply berth was started without a master key") == 1, d.log())
    doc = until(lambda: s.doc().get("pending") and s.doc())
    check("what has some stays as it was, and says what is missing", doc and doc["pending"]["reason"] == "Invalid" and "--master-key" in str(doc) and
          "TURN" not in s.rendered("statefulset-notebook.yaml"), doc)
    d.stop()


def main():
    keys, s = Keys(), GitSite("rendered", {"envs/alice/train.yaml": None, "envs/alice/vit.yaml": None, "envs/bo/genome.yaml": None})
    d = Daemon(s.bare, s.state(), "--master-key", keys.file)
    before = undelivered(s, d, keys)
    moves(s, d, keys, before)
    first, org = flux(s, d, keys)
    d.stop()
    again(s, keys, first)
    back(s, keys, org)
    text = everything(s).decode(errors="replace")
    b64 = ["Y2FuYXJ5LTVlMWYtdmFsdW", "NhbmFyeS01ZTFmLXZhbHVl", "jYW5hcnktNWUxZi12YWx1Z"]
    check("no commit of any branch has a value, plain or base64", CANARY not in text and not any(b in text for b in b64))
    check("nor has a log", not any(CANARY in open(os.path.join(folder, n), encoding="utf-8", errors="replace").read()  # pylint: disable=consider-using-with
                                   for n in os.listdir(folder) if n.endswith(".log")))
    done()


main()

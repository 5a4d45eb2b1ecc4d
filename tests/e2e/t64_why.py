#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth why and the parts of berth status that only a target fills which sees the cluster.

The status branch is written here with git alone, one document for every phase; one more comes from the target git.
"""
import os
import re

import lab
from lab import STATUS, Site, berth, check, done, env_spec, git, once

SPEC, OLD = "2" * 40, "1" * 40
TIME = '"2026-01-02T03:04:05Z"'


def text(s):
    return '"%s"' % s.replace("\\", "\\\\").replace('"', '\\"')


def condition(kind, status, reason, message=""):
    return ('- type: %s\n  status: "%s"\n  reason: %s\n%s  lastTransitionTime: %s\n' %
            (kind, status, reason, "  message: %s\n" % text(message) if message else "", TIME))


def document(name, phase, ready=("False", "NotReady", ""), applied=("True", "Applied", ""), more="", observed=SPEC,
             validated=("True", "Valid", "")):
    return ("apiVersion: berth.dev/v1\nkind: EnvironmentStatus\nmetadata:\n  owner: alice\n  name: %s\nphase: %s\n" % (name, phase) +
            ("observed:\n  commit: \"%s\"\n  path: envs/alice/%s.yaml\n" % (observed, name) if observed else "") +
            "conditions:\n" + condition("Approved", "True", "NotEnforced", "approvals not enforced") +
            condition("Validated", *validated) + condition("Rendered", "True" if observed else "False", "Rendered" if observed else "Held") +
            condition("Applied", *applied) + condition("Ready", *ready) + more)


def lines(key, *items, under=""):
    return "%s%s:\n" % (under, key) + "".join("%s- %s\n" % (under, text(x)) for x in items)


def pending(reason, message):
    return 'pending:\n  commit: "%s"\n  reason: %s\n  message: %s\n  since: %s\n' % (SPEC, reason, text(message), TIME)


def error(reason, *errors):
    return ('lastError:\n  reason: %s\n  message: %s\n  commit: "%s"\n  at: %s\n' % (reason, text(errors[0]), SPEC, TIME) +
            lines("errors", *errors, under="  "))


IMAGE = "registry.example/llm:2.9 not found. Correct spec.image"
REFUSED = ("StatefulSet/failed: spec.replicas: Invalid value: -1", "Service/failed: admission webhook denied the request")
DRIFT = "drift:\n  by: kubectl-edit\n  what: \"StatefulSet/train: spec.replicas\"\n  restored: %s\n" % TIME
docs = {
    "held": document("held", "Held", ("Unknown", "Held", "nothing is live"), ("False", "Held", ""), observed=None,
                     validated=("False", "Invalid", "envs/alice/held.yaml:4:11: error[E304]: there is no flavor 'nope'"),
                     more=pending("Invalid", "envs/alice/held.yaml:4:11: error[E304]: there is no flavor 'nope'")),
    "rendered": document("rendered", "Rendered", ("Unknown", "NotObserved", "target git: berth does not see what runs"),
                         ("True", "Committed", "on branch berth/rendered")),
    "queued": document("queued", "Queued", ("False", "WaitingForCapacity", "no node with 8 GPUs is free"),
                       more=lines("waiting", "Workload/queued: position 3", "ClusterQueue/h100: 32 of 32 in use")),
    "provisioning": document("provisioning", "Provisioning", ("False", "ImagePull", "pulling"), ("False", "Applying", "2 of 5 objects"),
                             more=lines("waiting", "StatefulSet/provisioning: 0 of 1 ready", "Pod/provisioning-0: pulling")),
    "train": document("train", "Ready", ("True", "Ready", ""), more="access:\n  ssh: dev@train--alice.dev.example\n"
                      "  address: 203.0.113.7\n" + DRIFT),
    "degraded": document("degraded", "Degraded", ("False", "Degraded", "3 of 4 pods are ready")),
    "failed": document("failed", "Failed", ("False", "ImagePull", IMAGE)),
    "pausing": document("pausing", "Pausing", ("False", "Pausing", "its pods end")),
    "paused": document("paused", "Paused", ("False", "Paused", "no pods are wanted")),
    "deleting": document("deleting", "Deleting", ("False", "Deleting", "its claims have finalizers")),
    # what is live is fine, the newest spec is not
    "refused": document("refused", "Ready", ("True", "Ready", ""), ("False", "ApplyFailed", REFUSED[0]), observed=OLD,
                        more=error("ApplyFailed", *REFUSED)),
    "forbidden": document("forbidden", "Failed", ("False", "NotApplied", ""), ("False", "Forbidden", "cannot create claims"), observed=None,
                          more=error("Forbidden", "PersistentVolumeClaim/home: cannot create claims")),
    "fight": document("fight", "Ready", ("True", "Ready", ""), ("False", "DriftFight", "changed 5 times in a minute"), more=DRIFT),
    "quota": document("quota", "Ready", ("True", "Ready", ""), observed=OLD, more=pending("QuotaExceeded", "40 of 32 h100")),
    "strange": document("strange", "Failed", ("False", "Failed", "")).replace("reason: Failed\n", 'reason: Failed\n  message: "\\e[2Jgone"\n'),
}
repo = "apiVersion: berth.dev/v1\nkind: RepositoryStatus\nreason: %s\nmessage: %s\napprovals: none\n"


def branch(site, files):
    """The status branch: exactly these files, made without a work tree."""
    env = {"GIT_INDEX_FILE": os.path.join(lab.folder, "index")}
    if os.path.exists(env["GIT_INDEX_FILE"]):
        os.unlink(env["GIT_INDEX_FILE"])
    for path, body in files.items():
        blob = git(site.bare, "hash-object", "-w", "--stdin", data=body.encode())
        git(site.bare, "update-index", "--add", "--cacheinfo", "100644,%s,%s" % (blob, path), env=env)
    commit = git(site.bare, "commit-tree", git(site.bare, "write-tree", env=env), "-m", "status")
    git(site.bare, "update-ref", "refs/heads/" + STATUS, commit)


site = Site("envs")


def why(name, *args, at=None):
    return berth("why", "-C", at or site.bare, "alice/" + name, *args)


said = why("train")
check("before the first pass: an error with the next step", said.rc == 3 and "berth run" in said.err, said)

files = {"envs/alice/%s.yaml" % n: d for n, d in docs.items()}
branch(site, {**files, "repo.yaml": repo % ("Adopted", '""')})

# -- every phase: exit status, marks, next step -----------------------------------------------------------------------
WANT = {
    "held": (1, "no", "Validated", "berth explain E304"), "rendered": (0, "..", "Ready", "berth/rendered"),
    "queued": (1, "..", "Ready", "until there is room"), "provisioning": (1, "..", "Applied", "wait"),
    "train": (0, "ok", "Ready", "nothing to do"), "degraded": (1, "no", "Ready", "runs in part"),
    "failed": (1, "no", "Ready", "not get better by waiting"), "pausing": (1, "..", "Ready", "pods have ended"),
    "paused": (0, "ok", "Ready", "lifecycle.paused"), "deleting": (1, "..", "Ready", "objects are gone"),
    "refused": (1, "no", "Applied", "what the cluster refused"), "fight": (1, "no", "Applied", "again and again"),
    "forbidden": (1, "no", "Applied", "berth doctor"), "quota": (1, "no", "pending", "larger limit"), "strange": (1, "no", "Ready", "correct"),
}
check("the table of this test names every document", set(WANT) == set(docs))
for name, (rc, mark, step, after) in WANT.items():
    said = why(name)
    found = re.search(r"(?m)^  %s +%s\b" % (re.escape(mark), step), said.out)
    last = [x for x in said.out.splitlines() if x.startswith("  next: ")]
    check("%s: exit %d, %s %s, what to do next" % (name, rc, mark, step),
          said.rc == rc and found and len(last) == 1 and after in last[0] and ("not as wanted" in said.out) == (rc == 1), said)


def steps(name):
    return [(s["mark"], s["step"]) for s in why(name, "-o", "json").json()["steps"]]


CHAIN = ["commit", "Approved", "Validated", "Rendered", "Applied", "Ready"]
check("the chain has the order of the path", steps("train") == [("ok", s) for s in CHAIN], steps("train"))
check("what is waited for ends it, outermost first", steps("queued")[5:] == [("..", "Ready"), ("..", "waits for"), ("..", "waits for")] and
      why("queued").out.index("Workload/queued") < why("queued").out.index("ClusterQueue/h100"), why("queued"))
check("nothing live: no steps of what does not exist", [s for _, s in steps("held")] == CHAIN[:3], steps("held"))
said = why("quota")
check("the newest commit comes first, then what stays live", re.search("commit +2222222.*pending +QuotaExceeded: 40 of 32.*live +1111111",
      said.out, re.S), said)
said = why("refused")
check("every refusal is listed once", all(said.out.count(x) == 1 for x in REFUSED), said)
said = why("fight")
check("a fight names who", re.search(r"no  drift +kubectl-edit: StatefulSet/train: spec.replicas", said.out), said)
said = why("failed")
check("the cause stands in its line", "Ready      ImagePull: " + IMAGE in said.out, said)
said = why("strange")
check("no escape sequence reaches a terminal", "\x1b" not in said.out and "?[2Jgone" in said.out, said)
data = why("failed", "-o", "json").json()
check("as data", data["environment"] == "alice/failed" and data["phase"] == "Failed" and data["asWanted"] is False and
      data["next"] and data["steps"][5]["reason"] == "ImagePull", data)
check("as YAML", "asWanted: true\n" in why("train", "-o", "yaml").out, why("train", "-o", "yaml"))

# -- berth status shows the same facts --------------------------------------------------------------------------------
said = berth("status", "-C", site.bare, "alice/train")
check("status of one: drift and address", re.search(
    "drift repaired at 2026-01-02T03:04:05Z: kubectl-edit changed StatefulSet/train: spec.replicas\n  address 203.0.113.7\n"
    "  ssh dev@train", said.out), said)
said = berth("status", "-C", site.bare, "alice/refused")
check("status of one: what the target refused", "  refused by the target:\n    %s\n    %s\n" % REFUSED in said.out, said)
said = berth("status", "-C", site.bare, "alice/provisioning")
check("status of one: what it waits for", "  waits for:\n    StatefulSet/provisioning: 0 of 1 ready\n    Pod/" in said.out, said)
said = berth("status", "-C", site.bare)
rows = {x.split()[0][6:]: x for x in said.out.splitlines() if x.startswith("alice/")}
check("the list: nothing beside what is as wanted", all(re.fullmatch(r"\S+ +\S+ +2222222 +", rows[n]) for n in ("train", "paused", "rendered")),
      said)
check("the list: the reason of what is not", all(x in rows[n] for n, x in (
    ("failed", "ImagePull: " + IMAGE), ("queued", "WaitingForCapacity: no node"), ("refused", "ApplyFailed: StatefulSet/failed"),
    ("quota", "QuotaExceeded: 40 of 32"), ("held", "Invalid: envs/alice/held.yaml"), ("degraded", "3 of 4"))), said)

# -- who is asked, and for what ---------------------------------------------------------------------------------------
check("a clone asks its origin", why("train", at=site.clone).rc == 0)
check("a path is a name too", berth("why", "-C", site.bare, "envs/alice/train.yaml", "--offline").rc == 0)
said = why("nobody")
check("an unknown environment: 3 and the next step", said.rc == 3 and "berth status" in said.err, said)
said = berth("why", "-C", site.bare)
check("a name is asked for: 2", said.rc == 2 and "OWNER/NAME" in said.err, said)
said = berth("why", "--help")
check("help has examples", said.rc == 0 and "berth why -C envs alice/train" in said.out, said)
branch(site, {**files, "repo.yaml": repo % ("InvalidRepository", '"berth.yaml:1:1: error[E101]: no"')})
said = why("train")
check("a repository that is not taken over stands first", said.rc == 1 and
      re.search(r"\A.*\n  no  repository InvalidRepository: berth.yaml:1:1", said.out) and "berth validate" in said.out, said)

# -- what the target git writes -----------------------------------------------------------------------------------------
state = site.state()
check("the daemon writes its own documents over ours", once(site.bare, state).rc == 0 and site.all_rendered(), site.phases())
said = why("notebook")
check("target git: Rendered is as wanted", said.rc == 0 and "..  Ready      NotObserved: target git" in said.out and
      "ok  Applied    Committed: on branch berth/rendered" in said.out, said)
good = site.tip("main")
bad = site.push({"envs/alice/notebook.yaml": env_spec("nope"), "envs/alice/new.yaml": env_spec("nope")}, "a flavor that is not there")
once(site.bare, state)
said = why("notebook")
check("a bad new spec: where, what stays live, what to do", said.rc == 1 and bad[:7] in said.out and
      re.search(r"no  Validated  Invalid: envs/alice/notebook.yaml:4:11: error\[E304\]", said.out) and
      re.search(r"live +%s" % good[:7], said.out) and "berth explain E304" in said.out, said)
said = why("new")
check("nothing live yet: the chain ends where it is held", said.rc == 1 and said.out.startswith("alice/new   Held, not as wanted\n") and
      "Ready" not in said.out, said)
done()

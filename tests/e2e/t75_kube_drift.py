#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Foreign hands on berth's objects, on a real API server: every edit that kubectl can make is found and put right, the status
says whose it was, and what the cluster's own controllers write is left alone.

Times are the API server's own, from its audit log: from the answer to the last foreign write to that of berth's last one.
"""
import copy
import json
import signal
import threading
import time

import yaml

import kube
from kube import MERGE, USER, ApiError, Cluster, KubeDaemon, managers, path, when
from lab import STATUS, WAIT, Site, check, done, env_spec, git, note, until

kube.skip_without_peers()
HAND = "admin-cert"  # the user who edits
SLOW = WAIT          # seconds for one repair: a busy machine under sanitizers; quiet it is well below one
PART_OF, UNIT = "applyset.kubernetes.io/part-of", "berth.dev/unit"
GENERATED = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp",
             "deletionGracePeriodSeconds")
# who may write beside berth, and what the test itself lets live
PARTNERS = {"kube-controller-manager", "kube-scheduler", "kwok", "cloud"}

STS = ("sts", "dev-alice", "notebook")
LAB = ("sts", "dev-alice", "lab")  # more than ten repairs of one object in 30 s are a fight
KEYS = ("cm", "dev-alice", "notebook--keys")
SCRIPTS = ("cm", "dev-alice", "notebook--scripts")
SERVICE = ("svc", "dev-alice", "notebook")
CLAIM = ("pvc", "dev-alice", "home-notebook-0")
QUOTA = ("quota", "dev-alice", "berth")
BINDING = ("rolebinding", "dev-alice", "berth-environment-user")
POLICY = ("netpol", "dev-alice", "berth-dns")
ACCOUNT = ("sa", "dev-alice", "env")
LIMITS = ("limitranges", "dev-alice", "berth")
NAMESPACE = ("ns", None, "dev-alice")
RING = ("cm", "dev-alice", "lab--keys")  # of the fight
OTHER = ("cm", "dev-bo", "shell--keys")
KUBECTL = {"sts": "statefulset", "cm": "configmap", "svc": "service", "pvc": "pvc", "quota": "resourcequota", "sa": "serviceaccount",
           "rolebinding": "rolebinding", "netpol": "networkpolicy", "limitranges": "limitrange", "ns": "namespace"}


def shape(thing):
    """An object without what the API server and controllers generate."""
    out = {k: v for k, v in copy.deepcopy(thing).items() if k != "status"}
    out["metadata"] = {k: v for k, v in out["metadata"].items() if k not in GENERATED}
    # filled in when there is no updateStrategy, and left when there is one again: the default either way
    if out.get("spec", {}).get("updateStrategy", {}).get("rollingUpdate") == {"partition": 0}:
        del out["spec"]["updateStrategy"]["rollingUpdate"]
    return out


def differences(a, b, at=""):
    if isinstance(a, dict) and isinstance(b, dict):
        return [x for k in sorted({*a, *b}) for x in differences(a.get(k), b.get(k), at + "." + k)]
    return [] if a == b else ["%s: %.200r, was %.200r" % (at, a, b)]


def strangers(thing):
    return [m for m in managers(thing) if m[:2] != ("berth", "Apply") and m[2] != "status" and m[0] not in PARTNERS]


def own(thing, **changed):
    """What berth applies of an object, as somebody else would write it into a file."""
    out = shape(thing)
    out["metadata"].pop("finalizers", None)
    out.update(changed)
    return out


def hand(cluster, *args, **how):
    return cluster.kubectl(*args, user="cert", **how)


# -- the edits: a function of the cluster and the object's place ----------------------------------------------------------


def patch(body, kind="merge"):
    """kubectl patch."""
    def edit(c, what):
        hand(c, "patch", *where(what), "--type=" + kind, "-p", json.dumps(body))
    return edit


def verb(*args, more=()):
    """kubectl VERB OBJECT MORE."""
    def edit(c, what):
        hand(c, *args, *where(what), *more)
    return edit


def delete(c, what):
    hand(c, "delete", *where(what), "--wait=false")


def apply_as(manager, change, force=True):
    """kubectl apply --server-side of the object as `change` makes it of ours."""
    def edit(c, what):
        thing = change(own(c.get(*what)))
        hand(c, "apply", "--server-side", "--field-manager=" + manager, *(["--force-conflicts"] if force else []), "-f", "-",
             input=yaml.safe_dump(thing))
    return edit


def replace(change):
    def edit(c, what):
        thing = c.get(*what)
        change(thing)
        hand(c, "replace", "-f", "-", input=json.dumps(thing))
    return edit


def where(what):
    kind, ns, name = what
    return (["-n", ns] if ns else []) + ["%s/%s" % (KUBECTL[kind], name)]


def with_image(thing):
    thing["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:own"
    return thing


def without_keys(thing):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": thing["metadata"]["name"], "namespace": "dev-alice"},
            "data": {"authorized_keys": "mine\n"}}


def with_data(value):
    return lambda thing: {**thing, "data": {**thing["data"], "authorized_keys": value}}


def set_subject(thing):
    thing["subjects"][0]["name"] = "mallory"
    return thing


def minimal_set(thing):
    """Of our fields only those that must be there: under our name all others go."""
    spec = thing["spec"]
    main = {k: spec["template"]["spec"]["containers"][0][k] for k in ("name", "image", "resources", "securityContext")}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "notebook", "namespace": "dev-alice"},
            "spec": {"serviceName": "notebook", "podManagementPolicy": "Parallel", "selector": spec["selector"],
                     "template": {"metadata": {"labels": spec["selector"]["matchLabels"]},
                                  "spec": {"containers": [main], "securityContext": spec["template"]["spec"]["securityContext"]}}}}


ANNOTATION = {"metadata": {"annotations": {UNIT: "envs/bo/shell"}}}
# name, object, edit, who is named in the status (None: an object of the user's set, which has no status of its own), what
EDITS = [
    ("merge patch of a value", KEYS, patch({"data": {"authorized_keys": "mine\n"}}), "kubectl-patch", "data.authorized_keys"),
    ("merge patch that adds a value", SCRIPTS, patch({"data": {"extra": "x"}}), "kubectl-patch", "data.extra"),
    ("strategic patch of a container", STS,
     patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "busybox:1"}]}}}}, "strategic"), "kubectl-patch",
     "spec.template.spec.containers[main].image"),
    ("JSON patch, replace", SERVICE, patch([{"op": "replace", "path": "/spec/ports/0/port", "value": 2022}], "json"),
     "kubectl-patch", "spec.ports"),
    ("JSON patch, remove", STS, patch([{"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"}], "json"), "unknown",
     "changed or removed"),
    ("JSON patch, remove one of ours", KEYS, patch([{"op": "remove", "path": "/data/authorized_keys"}], "json"), "unknown",
     "changed or removed"),
    ("JSON patch, remove a rule", POLICY, patch([{"op": "remove", "path": "/spec/egress/0"}], "json"), None, None),
    ("set env", LAB, verb("set", "env", more=["MORE=1"]), "kubectl-set", "env"),
    ("set image", LAB, verb("set", "image", more=["main=busybox:2"]), "kubectl-set", "spec.template.spec.containers[main].image"),
    ("label, changed", LAB, verb("label", "--overwrite", more=["berth.dev/owner=bo"]), "kubectl-label", "berth.dev/owner"),
    ("label, removed", SERVICE, verb("label", more=["berth.dev/managed-"]), "unknown", "changed or removed"),
    ("label, added", CLAIM, verb("label", more=["colour=red"]), "kubectl-label", "metadata.labels.colour"),
    ("the ApplySet label, changed", KEYS, verb("label", "--overwrite", more=[PART_OF + "=other"]), "kubectl-label", PART_OF),
    ("the ApplySet label, removed", SCRIPTS, verb("label", more=[PART_OF + "-"]), "unknown",
     "ConfigMap/notebook--scripts: metadata.labels[%s] removed" % PART_OF),
    ("the ApplySet label of a StatefulSet, removed", LAB, verb("label", more=[PART_OF + "-"]), "unknown",
     "StatefulSet/lab: metadata.labels[%s] removed" % PART_OF),
    ("the unit's annotation, changed", STS, patch(ANNOTATION), "kubectl-patch", UNIT),
    ("the unit's annotation, removed", QUOTA, verb("annotate", more=[UNIT + "-"]), None, None),
    ("annotate", SERVICE, verb("annotate", more=["a/b=c"]), "kubectl-annotate", "a/b"),
    ("a namespace's label, changed", NAMESPACE, verb("label", "--overwrite", more=["pod-security.kubernetes.io/enforce=privileged"]),
     None, None),
    ("scale up", LAB, verb("scale", more=["--replicas=3"]), "kubectl", "spec.replicas"),
    ("scale to 0", LAB, verb("scale", more=["--replicas=0"]), "unknown", "changed or removed"),
    ("rollout restart", LAB, verb("rollout", "restart"), "kubectl-rollout", "restartedAt"),
    ("a quota raised", QUOTA, patch({"spec": {"hard": {"requests.cpu": "999"}}}), None, None),
    ("a role given to somebody else", BINDING, apply_as("mallory", set_subject), None, None),
    ("apply under berth's own name, another value", KEYS, apply_as("berth", with_data("own\n")), "unknown", "changed or removed"),
    ("apply under berth's own name, an image", STS, apply_as("berth", with_image), "unknown", "changed or removed"),
    ("apply under berth's own name, fewer fields", STS, apply_as("berth", minimal_set), "unknown", "StatefulSet/notebook"),
    ("apply under berth's own name without our label", KEYS, apply_as("berth", without_keys), "unknown", "ConfigMap/notebook--keys"),
    ("apply by another manager that forces", KEYS, apply_as("mallory", with_data("forced\n")), "mallory", "authorized_keys"),
    ("replace", LIMITS, replace(lambda o: o["spec"]["limits"][0]["default"].update(cpu="9")), None, None),
    ("replace of a ConfigMap", SCRIPTS, replace(lambda o: o["data"].update({"start.sh": "exit 1\n"})), "kubectl-replace", "data[start.sh]"),
    ("a service account's token switched on", ACCOUNT, patch({"automountServiceAccountToken": True}), None, None),
    ("delete", STS, delete, "unknown", "deleted"),
    ("delete", KEYS, delete, "unknown", "deleted"),
    ("delete", SERVICE, delete, "unknown", "deleted"),
    ("delete", POLICY, delete, None, None),
    ("delete", BINDING, delete, None, None),
    ("delete", QUOTA, delete, None, None),
]


# -- one edit ------------------------------------------------------------------------------------------------------------


def same_object(event, what):
    ref = event.get("objectRef", {})
    return (ref.get("resource") == path(what[0]).rsplit("/", 1)[1] and ref.get("name") == what[2] and
            ref.get("namespace", "") == (what[1] or "" if what[0] != "ns" else what[2]) and not ref.get("subresource", "") == "status")


def writes(c, since, user, what):
    """Times of the answers to writes that were taken."""
    return [when(e, "stageTimestamp") for e in c.audit(since, user, "ResponseComplete")
            if e["verb"] in kube.WRITES and e["responseStatus"]["code"] < 300 and same_object(e, what)]


def right_again(c, what, before):
    def look():
        now = c.get(*what)
        return now and not now["metadata"].get("deletionTimestamp") and shape(now) == before and not strangers(now)
    return look


def show(c, what, before):
    now = c.get(*what)
    return "gone" if now is None else "%s\n%s" % (managers(now), "\n".join(differences(shape(now), before)))


def document(site, env="alice/notebook"):
    """The status document, by git alone: it is asked for often."""
    return yaml.safe_load(site.show(STATUS, "envs/%s.yaml" % env) or "{}")


def drift_of(site, what=STS):
    return document(site, "alice/lab" if what == LAB else "alice/notebook").get("drift", {})


def one(c, site, d, edit, took):
    name, what, do, by, said = edit
    name = "%s %s: " % (KUBECTL[what[0]], name)
    before, since = shape(c.get(*what)), c.mark()
    do(c, what)
    good = until(lambda: writes(c, since, USER, what) and right_again(c, what, before)(), SLOW)
    if not check(name + "put right", good, show(c, what, before), d.log()[-2000:]):
        return
    theirs, ours = writes(c, since, HAND, what), writes(c, since, USER, what)
    took.append((max(0.0, ours[-1] - theirs[-1]) if theirs else 9.9, name))
    if by:
        ok = until(lambda: drift_of(site, what).get("by") == by and said in drift_of(site, what).get("what", ""), SLOW)
        check(name + "the status names %s and %s" % (by, said), ok, drift_of(site, what))


def percentile(times, p):
    return sorted(times)[min(len(times) - 1, int(len(times) * p))]


def all_edits(c, site, d):
    took = []
    for edit in EDITS:
        one(c, site, d, edit, took)
    times = [t for t, _ in took]
    note("%d repairs: p50 %.0f ms, p99 %.0f ms, max %.0f ms (%s)" % (
        len(times), percentile(times, 0.5) * 1000, percentile(times, 0.99) * 1000, max(times) * 1000, max(took)[1].strip(": ")))
    check("all %d edits were measured" % len(EDITS), len(took) == len(EDITS), took)


# -- co-writers ------------------------------------------------------------------------------------------------------------


def idle(c):
    """Requests of ours that are neither watches nor the lease's."""
    return lambda since: [(e["verb"], e["requestURI"]) for e in c.audit(since)
                          if e["verb"] != "watch" and "watch=" not in e["requestURI"] and "/leases" not in e["requestURI"]]


def settle(c, seconds=3.0):
    """Waits until berth has asked nothing for a while; whether it has."""
    mark, last = c.mark(), time.monotonic()
    end = last + WAIT
    while time.monotonic() - last < seconds and time.monotonic() < end:
        if idle(c)(mark):
            mark, last = c.mark(), time.monotonic()
        time.sleep(0.1)
    return time.monotonic() - last >= seconds


def partners(c):
    claim = c.get(*CLAIM)
    check("the home's claim is bound by the cluster's controllers, who stay its co-writers",
          claim["status"]["phase"] == "Bound" and {"kube-controller-manager", "kube-scheduler"} & {m[0] for m in managers(claim)},
          managers(claim))
    check("berth has come to rest, with its pod", c.wait_ready("dev-alice", "berth.dev/env=notebook") and settle(c))
    mark, versions = c.mark(), c.generations()
    said = {"conditions": [{"type": "Fine", "status": "True", "reason": "Test", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
    for what, status in ((STS, {"observedGeneration": 1}), (SERVICE, said), (NAMESPACE, said), (QUOTA, {"used": {"pods": "0"}})):
        c.api("PATCH", path(what[0], what[1], what[2], "status"), {"status": status}, MERGE)
    c.api("PATCH", path(*CLAIM) + "?fieldManager=kube-controller-manager",
          {"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "again"}}}, MERGE)
    c.kubectl("delete", "pod", "notebook-0", "-n", "dev-alice", "--wait=false")  # the StatefulSet makes it again
    time.sleep(10)  # what is proved is that nothing happens
    asked = idle(c)(mark)
    check("co-writers, status and a pod that comes again: in 10 s not one request but watches", not asked, asked)
    check("and nothing of ours was written", versions == c.generations())


# -- while nobody looks ------------------------------------------------------------------------------------------------------


def absent(c, site, d, sig, edits):
    """Stops berth, edits, starts it again; the new daemon."""
    how = "stopped" if sig == signal.SIGTERM else "killed"
    settle(c, 1.0)
    if sig == signal.SIGKILL:
        d.p.kill()
        d.p.wait()
    else:
        check("berth stops when told to", d.stop() == 0, d.log()[-2000:])
    before = {what: shape(c.get(*what)) for _, what, _ in edits}
    for _, what, do in edits:
        do(c, what)
    changed = [name for name, what, _ in edits if right_again(c, what, before[what])()]
    check("nothing is put right while it is %s" % how, not changed, changed)
    d = KubeDaemon(site.bare, site.clone + ".state1", c)
    for name, what, _ in edits:
        good = until(right_again(c, what, before[what]), 150)
        check("%s %s while berth was %s: put right at its next start" % (KUBECTL[what[0]], name, how), good, show(c, what, before[what]),
              d.log()[-1500:])
    return d


STOPPED = [
    ("patched", KEYS, patch({"data": {"authorized_keys": "mine\n"}})),
    ("scaled", STS, verb("scale", more=["--replicas=0"])),
    ("deleted", SERVICE, delete),
    ("applied under our name", QUOTA, apply_as("berth", lambda o: {**o, "spec": {"hard": {**o["spec"]["hard"], "pods": "999"}}})),
    ("without our label", SCRIPTS, verb("label", more=[PART_OF + "-"])),
    ("with another unit", BINDING, patch(ANNOTATION)),
]
KILLED = [
    ("with a field less", STS, patch([{"op": "remove", "path": "/spec/template/spec/containers/0/readinessProbe"}], "json")),
    ("deleted", KEYS, delete),
    ("with more", SCRIPTS, patch({"data": {"extra": "x"}})),
    ("with another label", SERVICE, verb("label", "--overwrite", more=["berth.dev/owner=bo"])),
    ("deleted", POLICY, delete),
    ("without its unit", QUOTA, verb("annotate", more=[UNIT + "-"])),
]


# -- a fight -----------------------------------------------------------------------------------------------------------------


class Fighter(threading.Thread):
    """Writes one field four times a second under a name of its own."""

    def __init__(self, c):
        super().__init__(daemon=True)
        self.c, self.on, self.n = c, True, 0

    def run(self):
        while self.on:
            self.n += 1
            try:
                self.c.api("PATCH", path(*RING) + "?fieldManager=robot", {"data": {"authorized_keys": "robot %d\n" % self.n}}, MERGE)
            except (ApiError, OSError):
                pass
            time.sleep(0.25)


def applied(site):
    return next((x for x in document(site, "alice/lab").get("conditions", []) if x["type"] == "Applied"), {})


def fight(c, site, d):
    settle(c, 1.0)
    before, other = shape(c.get(*RING)), shape(c.get(*OTHER))
    since, robot = c.mark(), Fighter(c)
    robot.start()
    found = until(lambda: (x := applied(site)).get("reason") == "DriftFight" and x, 2 * WAIT)
    check("a fight is called one", found, applied(site), d.log()[-2000:])
    said = found["message"] if found else ""
    check("the message names the other hand, the object and what to do",
          "robot" in said and "ConfigMap/lab--keys" in said and "stop it" in said, said)
    check("and so does the drift", until(lambda: (x := drift_of(site, LAB)).get("by") == "robot" and "authorized_keys" in x.get("what", "")),
          drift_of(site, LAB))
    why = kube.lab.berth("why", "-C", site.bare, "alice/lab")
    check("berth why says it with a next step", why.rc == 1 and "DriftFight" in why.out and "robot" in why.out, why)
    mark = c.mark()
    hand(c, "patch", *where(OTHER), "--type=merge", "-p", '{"data":{"authorized_keys":"mine"}}')
    check("meanwhile another environment is put right", until(lambda: writes(c, mark, USER, OTHER) and right_again(c, OTHER, other)(), SLOW),
          show(c, OTHER, other))
    until(lambda: robot.n >= 45)
    asked = idle(c)(since)
    mine = [a for a in asked if "lab--keys" in a[1]]
    robot.on = False
    robot.join()
    note("%d edits of the robot, %d requests for that object" % (robot.n, len(mine)))
    check("the requests are bounded", 10 <= len(mine) <= 80 and len(asked) < len(mine) + 60, len(mine), len(asked), robot.n)
    # berth keeps out of a fight for about as long as it has lasted
    check("after the fight it is put right", until(right_again(c, RING, before), 3 * WAIT), show(c, RING, before))
    check("and the status says so", until(lambda: applied(site).get("reason") == "Applied"), applied(site), d.log()[-2000:])


def rewound(c, site, d):
    """What was edited in the very moment in which main was rewound is put right when main is itself again."""
    before = shape(c.get(*OTHER))
    d.p.send_signal(signal.SIGSTOP)
    hand(c, "patch", *where(OTHER), "--type=merge", "-p", '{"data":{"authorized_keys":"mine"}}')
    git(site.clone, "push", "-q", "--force", "origin", "HEAD~1:main")
    time.sleep(1)  # so that it sees both at once
    d.p.send_signal(signal.SIGCONT)
    check("a main that was rewound is held", until(lambda: site.repo_status().get("reason") == "SourceRewound"), site.repo_status())
    git(site.clone, "push", "-q", "--force", "origin", "HEAD:main")
    check("what was edited at that moment is put right after it", until(right_again(c, OTHER, before)), show(c, OTHER, before),
          d.log()[-2000:])


# -- ---------------------------------------------------------------------------------------------------------------------------

site = Site("site", {"envs/alice/notebook.yaml": env_spec(), "envs/alice/lab.yaml": env_spec(), "envs/bo/shell.yaml": env_spec()},
            drop=("envs/alice/train.yaml", "envs/alice/vit.yaml", "envs/bo/genome.yaml", "envs/dana/shell.yaml"))
with Cluster(audit=[USER, HAND], nodes=["bench/zone-a"]) as cluster:
    cluster.grant()
    berthd = KubeDaemon(site.bare, site.state(), cluster)
    ready = until(lambda: set(site.phases().values()) == {"Ready"} and len(site.phases()) == 3)
    if not check("three environments are Ready", ready, site.phases(), berthd.log()[-3000:]):
        done()
    start = time.monotonic()
    all_edits(cluster, site, berthd)
    note("edits took %.0f s" % (time.monotonic() - start))
    partners(cluster)
    note("to the end of the idle time: %.0f s" % (time.monotonic() - start))
    berthd = absent(cluster, site, berthd, signal.SIGTERM, STOPPED)
    berthd = absent(cluster, site, berthd, signal.SIGKILL, KILLED)
    note("to the end of both absences: %.0f s" % (time.monotonic() - start))
    fight(cluster, site, berthd)
    note("to the end of the fight: %.0f s" % (time.monotonic() - start))
    rewound(cluster, site, berthd)
    berthd.stop()
done()

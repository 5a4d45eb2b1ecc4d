# SPDX-License-Identifier: Apache-2.0
"""What the tests that tear at the Kubernetes target share: commits of many environments, and the comparison of a cluster and its
status branch with what an uninterrupted run on a fresh cluster leaves."""
import copy
import random
import re
import time

import kube
from kube import Cluster, KubeDaemon
from lab import STATUS, WAIT, Site, check, env_spec, git, note, until, user_spec

PART_OF, RETAINED, UNIT, DIGEST = ("applyset.kubernetes.io/part-of", "berth.dev/retained", "berth.dev/unit", "berth.dev/digest")
NODES = ["cpu/zone-a"] * 6
GUARDS = "maxDelete: 3, maxDeleteFraction: 0.25"
# what the API server and controllers add to a spec, each time another value
GIVEN = ("clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort", "volumeName", "volumeMode")
SIZE = 12                # environments of a commit's choice
FLAVOR = """apiVersion: berth.dev/v1
kind: Flavor
spec:
  resources: {requests: {cpu: 100m, memory: 128Mi}, limits: {cpu: 100m, memory: 128Mi}}
"""


class Person:
    """Makes commits: creates, edits, deletes, purges, moves; remembers what there should be. Everything by its own seed."""

    def __init__(self, seed, users=3):
        self.rng, self.users = random.Random(seed), users
        self.live, self.n = {}, 0
        self.may, self.must = set(), set()  # whose claims may be left when they go: had a spec that retains; was applied with none but such

    def spec(self):
        self.n += 1
        more = "  env: {ROUND: \"%d\"}\n" % self.n
        if self.rng.random() < 0.4:
            more += "  lifecycle: {onDelete: purge}\n"
        return env_spec("tiny", more)

    def change(self, most=3):
        """Path -> text or None; never more than three deletions, which the guard lets pass."""
        out = {}
        for _ in range(self.rng.randint(1, most)):
            key = "u%d/e%d" % (self.rng.randrange(self.users), self.rng.randrange(SIZE // self.users))
            if "envs/%s.yaml" % key in out:
                continue
            if key in self.live and self.rng.random() < 0.4:
                out["envs/%s.yaml" % key] = None
                del self.live[key]
            else:
                self.live[key] = out["envs/%s.yaml" % key] = self.spec()
                if "purge" in self.live[key]:
                    self.must.discard(key)
                else:
                    self.may.add(key)
        return out

    def applied(self):
        """Everything that is live was seen on the cluster: its claims exist."""
        self.must |= {k for k, v in self.live.items() if "purge" not in v}

    def files(self):
        return {"envs/%s.yaml" % k: v for k, v in self.live.items()}


def make_site(name, person, guards="maxDelete: 3, maxDeleteFraction: 0.9"):
    """A repository with the person's users and one very small flavor, and of the template's nothing but what stands around it."""
    site = Site(name)
    files = {p: None for p in git(site.clone, "ls-files", "envs", "users", "teams").splitlines()}
    files |= {"users/u%d.yaml" % u: user_spec(u) for u in range(person.users)}
    files |= {"flavors/tiny.yaml": FLAVOR, "berth.yaml": site.read("berth.yaml").replace(GUARDS, guards)}
    site.push(files, "set-up")
    return site


def shape(thing):
    """What berth wrote of an object, as far as the cluster does not choose it."""
    def plain(v):
        if isinstance(v, dict):
            return {k: plain(x) for k, x in v.items() if k not in GIVEN}
        return [plain(x) for x in v] if isinstance(v, list) else v
    meta = thing["metadata"]
    out = {k: plain(copy.deepcopy(v)) for k, v in thing.items() if k not in ("metadata", "status")}
    out["labels"] = dict(meta.get("labels", {}))
    out["notes"] = {k: v for k, v in meta.get("annotations", {}).items() if "berth.dev" in k}
    if meta.get("deletionTimestamp"):
        out["deleting"] = True
    return out


def kinds_of(cluster):
    return [k for k in cluster.resources() if k.rpartition("/")[2] not in kube.DERIVED]


def snapshot(cluster, kinds):
    """"resource/namespace/name" -> shape, of everything that carries a mark of ours."""
    out = {}
    for kind in kinds:
        for selector in (PART_OF, RETAINED, "berth.dev/managed"):
            for item in cluster.list(kind, selector=selector):
                meta = item["metadata"]
                out["%s/%s/%s" % (kind.rpartition("/")[2], meta.get("namespace", ""), meta["name"])] = shape(item)
    return out


def ours(snap):
    return {k: v for k, v in snap.items() if PART_OF in v["labels"]}


def left(snap):
    """What stays of deleted environments: it has no owner any more."""
    return {k for k, v in snap.items() if PART_OF not in v["labels"]}


def claims(names):
    return {"persistentvolumeclaims/dev-%s/home-%s-0" % tuple(n.split("/")) for n in names}


def differences(got, want):
    out = []
    for key in sorted(set(got) | set(want)):
        if got.get(key) != want.get(key):
            out.append("%s: %s" % (key, "too much" if key not in want else "missing" if key not in got else
                                   "%r, wanted %r" % fields(got[key], want[key])))
    return out


def fields(a, b):
    """The parts of two shapes that differ."""
    keys = [k for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k)]
    return {k: a.get(k) for k in keys}, {k: b.get(k) for k in keys}


def documents(site):
    """Status documents without what tells of the way there: times, commits, earlier phases."""
    out = {}
    for name, doc in site.status().items():
        doc = copy.deepcopy(doc)
        for word in ("history", "spec", "lastTransition", "run"):
            doc.pop(word, None)
        out[name] = scrub(doc)
    return out


def scrub(v):
    if isinstance(v, dict):
        return {k: scrub(x) for k, x in v.items() if k not in ("commit", "time", "since", "at", "lastTransitionTime", "drift")}
    if isinstance(v, list):
        return [scrub(x) for x in v]
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:]+Z|\b[0-9a-f]{40}\b", "X", v) if isinstance(v, str) else v


def parent(cluster, inventory="berth"):
    return (cluster.get("cm", "berth-system", inventory) or {}).get("data", {})


def settled(cluster, site, daemons, inventory="berth"):
    """One of the daemons has looked at main's tip, everything of it is Ready, nothing is held or on its way out."""
    phases, commit = site.phases(), site.tip("main")
    return (any("%.12s: " % commit in d.log() for d in daemons) and set(phases) == site.wanted() and set(phases.values()) <= {"Ready"} and
            not pending(site) and not parent(cluster, inventory).get("deleting"))


def pending(site):
    return git(site.bare, "grep", "-q", "^pending:", STATUS, "--", "envs", ok=False)[0] == 0


def converges(cluster, site, *daemons, seconds=3 * WAIT, inventory="berth"):
    """Settled, and for two seconds there is nothing more to say."""
    seen = [None, 0]

    def look():
        tip, now = site.tip(STATUS), time.monotonic()
        if tip != seen[0] or not settled(cluster, site, daemons, inventory):
            seen[:] = tip, now
            return False
        return now - seen[1] > 2
    return until(look, seconds)


def story(cluster, site):
    """Why the environments that are not Ready are not: what berth says of them, their objects, what happened to them."""
    out = []
    for name, doc in site.status().items():
        if doc.get("phase") == "Ready":
            continue
        ns, env = "dev-" + name.split("/")[0], name.split("/")[1]
        out.append("%s: %s" % (name, {k: doc.get(k) for k in ("phase", "reason", "message", "waiting", "pending")}))
        for kind in ("sts", "pod", "pvc"):
            for o in cluster.list(kind, ns):
                if re.fullmatch("(home-)?%s(-0)?" % env, o["metadata"]["name"]):
                    status = o.get("status", {})
                    out.append("  %s %s gen %s%s: %s %s" % (kind, o["metadata"]["name"], o["metadata"].get("generation"), " deleting" if
                               o["metadata"].get("deletionTimestamp") else "", {k: v for k, v in status.items() if k != "conditions"},
                               [(c["type"], c["status"], c.get("reason"), c.get("message")) for c in status.get("conditions", [])]))
        out += ["  event %s %s %s" % (e["involvedObject"]["kind"], e["reason"], e["message"]) for e in cluster.list("events", ns)
                if re.search(r"\b%s\b" % env, e["involvedObject"]["name"])][-5:]
    return "\n".join(out)[:6000]


class Clean:
    """The uninterrupted run: a fresh cluster, a bare repository with the same commits, one daemon."""

    def __init__(self, site):
        self.cluster = Cluster(nodes=NODES).start()
        self.cluster.bind("cluster-admin")
        self.site = Site("clean%d" % Cluster.made, mirror=True)
        self.site.clone = site.clone
        git(site.clone, "push", "-q", self.site.bare, "HEAD:refs/heads/main")
        daemon = KubeDaemon(self.site.bare, site.clone + ".clean", self.cluster)
        self.good = converges(self.cluster, self.site, daemon)
        self.log = daemon.log()
        daemon.stop()
        self.objects = ours(snapshot(self.cluster, kinds_of(self.cluster)))
        self.documents = documents(self.site)
        self.cluster.stop()


def compare(cluster, site, clean, person):
    """The checks at the end of everything that was torn."""
    got = snapshot(cluster, kinds_of(cluster))
    wrong = differences(ours(got), clean.objects)
    check("names, specs, labels and digests of all %d objects are those of an uninterrupted run" % len(clean.objects),
          not wrong and clean.good and len(clean.objects) > 10, wrong[:10], clean.log if not clean.good else "")
    uids = [(v["notes"].get(UNIT), k) for k, v in ours(got).items()]
    check("every object says whose it is", all(u for u, _ in uids), uids[:5])
    must, may = (claims(s - set(person.live)) for s in (person.must, person.may))
    check("of deleted environments their claims stayed, and nothing of the purged ones", must <= left(got) <= may,
          sorted(must - left(got)), sorted(left(got) - may))
    note("%d claims are left of deleted environments, %d of them had to be" % (len(left(got)), len(must)))
    docs = documents(site)
    check("status documents are those of an uninterrupted run", docs == clean.documents,
          ["%s: %r" % (k, fields(docs.get(k, {}), clean.documents.get(k, {}))) for k in sorted(set(docs) | set(clean.documents))
           if docs.get(k) != clean.documents.get(k)][:5])
    check("the inventory names the commit and no deletion under way", parent(cluster).get("deleting", "") == "", parent(cluster))

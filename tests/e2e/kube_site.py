# SPDX-License-Identifier: Apache-2.0
"""A repository whose environments live in a cluster: what the tests of applying share, on top of lab.py and kube.py."""
import contextlib
import shutil

import yaml

import kube
from lab import STATUS, WAIT, Site, git, until

MARK = "applyset.kubernetes.io/part-of"
RESTLESS = {"namespaces", "persistentvolumeclaims", "resourcequotas", "services", "statefulsets", "serviceaccounts"}
LONG = 2 * WAIT  # the cluster's own programs take part
# objects of the organization that have no prefix: for a site that shares its cluster with another
NO_ORG = {"templates/org/%s.yaml" % n: "null\n" for n in ("clusterrole", "priorityclasses", "resourceflavors")}


class KubeSite(Site):
    """cluster: where it is applied. prefix: of its namespaces. inventory: None for the usual one. tree: files instead of the template."""

    def __init__(self, name, cluster, files=None, drop=(), inventory=None, prefix=None, tree=None):
        super().__init__(name, files, drop)
        self.cluster, self.prefix, self.now = cluster, prefix or "dev-", None
        self.args = ["--inventory", inventory] if inventory else []
        self.inventory = inventory or "berth"
        if tree:
            git(self.clone, "rm", "-qr", ".")
            shutil.copytree(tree, self.clone, dirs_exist_ok=True)
        if prefix:
            text = self.read("berth.yaml")
            assert "namespacePrefix: dev-" in text
            self.write({"berth.yaml": text.replace("namespacePrefix: dev-", "namespacePrefix: " + prefix)})
        if tree or prefix:
            self.push({}, "where it goes")
        self.folder = self.state()

    def once(self, *args, user="berth"):
        """One pass, with the same state folder every time."""
        return kube.once(self.bare, self.folder, self.cluster.kubeconfig(user), *self.args, *args)

    @contextlib.contextmanager
    def running(self, *args, user="berth"):
        """The daemon, stopped at the end; it has looked at main's tip when the block begins."""
        self.now = kube.KubeDaemon(self.bare, self.folder, self.cluster.kubeconfig(user), *self.args, *args)
        try:
            self.looked(self.tip("main"))
            yield self.now
        finally:
            self.now.stop()

    def looked(self, commit, seconds=LONG):
        """The daemon's line on a commit, once it was applied."""
        def look():
            return [line for line in self.now.log().splitlines() if commit[:12] + ": " in line and "looked at" in line]
        return until(look, seconds)

    def change(self, files, message="change"):
        """Pushes and waits for the daemon's answer: (commit, its line on it)."""
        commit = self.push(files, message)
        return commit, (self.looked(commit) or [None])[0]

    def edit(self, path, *pairs):
        """A file's text with each (old, new) replaced, for `change`."""
        text = self.read(path)
        for old, new in pairs:
            assert old in text, (path, old)
            text = text.replace(old, new)
        return {path: text}

    # -- what the status branch says --

    def env(self, name):
        text = self.show(STATUS, "envs/%s.yaml" % name)
        return yaml.safe_load(text) if text else {}

    def condition(self, name, kind):
        """(status, reason, message)"""
        for c in self.env(name).get("conditions", []):
            if c["type"] == kind:
                return c["status"], c["reason"], c.get("message", "")
        return None, None, ""

    def errors(self, name):
        return self.env(name).get("lastError", {}).get("errors", [])

    def until_phase(self, wanted, seconds=LONG):
        """wanted: "owner/name" -> phase, or one phase for all of main's environments. True when it is so."""
        def look():
            got = self.phases()
            want = wanted if isinstance(wanted, dict) else {n: wanted for n in self.wanted()}
            return all(got.get(n) == p for n, p in want.items())
        return until(look, seconds)

    def until_env(self, name, good, seconds=LONG):
        """The status document as soon as good(document) is true, else None."""
        def look():
            doc = self.env(name)
            return doc if doc and good(doc) else None
        return until(look, seconds)

    # -- what is there --

    def parent(self):
        return self.cluster.get("cm", "berth-system", self.inventory)

    def applyset(self):
        return self.parent()["metadata"]["labels"]["applyset.kubernetes.io/id"]

    def objects(self):
        """"resource/namespace/name" -> metadata of everything of this inventory."""
        return self.cluster.marked("%s=%s" % (MARK, self.applyset()))

    def versions(self):
        """The same -> what moves when anybody but a controller writes: uid and resourceVersion, and for kinds that controllers write
        too (status, binding) uid, generation and what berth's own writes are said to be."""
        out = {}
        for key, m in self.objects().items():
            mine = [f for f in m.get("managedFields", []) if f["manager"] == "berth"]
            out[key] = (m["uid"], m.get("generation"), str(mine)) if key.split("/")[0] in RESTLESS else (m["uid"], m["resourceVersion"])
        return out

    def pods(self, env):
        owner, name = env.split("/")
        return sorted(self.cluster.list("pod", self.prefix + owner, "berth.dev/env=" + name), key=lambda p: p["metadata"]["name"])


def asked(cluster, since):
    """[(verb, resource, name)] of what berth asked for; watches are no question."""
    out = []
    for e in cluster.audit(since):
        ref = e.get("objectRef", {})
        if e["verb"] != "watch" and ref.get("resource") != "leases":
            out.append((e["verb"], ref.get("resource", e["requestURI"]), ref.get("name", "")))
    return out

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time the real kustomize-controller on the objects that berth makes: one artifact, one Kustomization an environment.

usage: flux.py [N=100] [CONCURRENT=20]     a control plane of its own; one JSON object on standard output
Needs tests/peers/install.sh k8s flux. The artifact is packed here, served on loopback and offered by an ExternalArtifact, so that
Flux's fetching from git is left out: the time begins when the artifact is there and ends when the last Kustomization is Ready.
"""
import hashlib
import http.client
import http.server
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

import objects
from plane import FLUX_USER, Plane, cache, counted, cpu_s, rss_mib

NS = "flux-system"
SOURCES = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/externalartifacts"
KUSTOMIZATIONS = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def install(plane):
    files = (("flux/source", "source.toolkit.fluxcd.io_externalartifacts.yaml"), ("flux/source", "source.toolkit.fluxcd.io_gitrepositories.yaml"),
             ("flux/source", "source.toolkit.fluxcd.io_buckets.yaml"), ("flux/source", "source.toolkit.fluxcd.io_ocirepositories.yaml"),
             ("flux/kustomize", "kustomize.toolkit.fluxcd.io_kustomizations.yaml"))
    for folder, name in files:
        with open(os.path.join(cache(), "share", folder, name), "rb") as f:
            group, kind = name[:-len(".yaml")].split("_")
            plane.apply(CRDS + kind + "." + group, f.read())
    plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    plane.apply("/api/v1/namespaces/" + NS, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}})


def declare(plane, names):
    plane.apply(SOURCES + "/envs", {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "ExternalArtifact",
                                    "metadata": {"name": "envs", "namespace": NS},
                                    "spec": {"sourceRef": {"apiVersion": "v1", "kind": "Namespace", "name": NS, "namespace": NS}}})
    for name in names:
        plane.apply(KUSTOMIZATIONS + "/" + name, {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": name, "namespace": NS},
            "spec": {"interval": "60m", "timeout": "10m", "path": "./" + name, "prune": True, "wait": False,
                     "sourceRef": {"kind": "ExternalArtifact", "name": "envs"}}})


class Watch(threading.Thread):
    """Who is Ready at which revision, and since when."""

    def __init__(self, plane):
        super().__init__(daemon=True)
        self.plane, self.ready, self.said, self.over = plane, {}, {}, False

    def run(self):
        while not self.over:
            try:
                self.follow()
            except (OSError, ValueError, http.client.HTTPException):
                time.sleep(0.1)  # cut, or the control plane is going

    def follow(self):
        """A list and a watch from there, each on a connection of its own."""
        mine = {"Authorization": "Bearer " + self.plane.token}
        link = self.plane.connect()
        link.request("GET", KUSTOMIZATIONS, headers=mine)
        got = json.loads(link.getresponse().read())
        for item in got["items"]:
            self.see(item)
        link = self.plane.connect(3600)
        link.request("GET", KUSTOMIZATIONS + "?watch=1&resourceVersion=" + got["metadata"]["resourceVersion"], headers=mine)
        for line in link.getresponse():
            self.see(json.loads(line)["object"])

    def see(self, o):
        status = o.get("status", {})
        for c in status.get("conditions", []):
            if c["type"] == "Ready":
                self.said[o["metadata"]["name"]] = c.get("message", "")
                key = o["metadata"]["name"], status.get("lastAppliedRevision")
                if c["status"] == "True":
                    self.ready.setdefault(key, time.time())

    def count(self, revision):
        return sum(1 for key in list(self.ready) if key[1] == revision)


def publish(plane, web, work, tree):
    """Packs the tree, then says that it is there. When, and its revision."""
    file = os.path.join(work, "http", "envs.tar.gz")
    with tarfile.open(file, "w:gz", compresslevel=1) as t:
        t.add(tree, arcname=".")
    with open(file, "rb") as f:
        data = f.read()
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    revision = "main@sha1:" + hashlib.sha1(data).hexdigest()
    artifact = {"digest": "sha256:" + hashlib.sha256(data).hexdigest(), "lastUpdateTime": now, "path": "envs.tar.gz", "revision": revision,
                "size": len(data), "url": "http://127.0.0.1:%d/envs.tar.gz" % web.server_port}
    ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored", "lastTransitionTime": now, "observedGeneration": 1}
    begin = time.time()
    status, said = plane.api("PATCH", SOURCES + "/envs/status", {"status": {"artifact": artifact, "conditions": [ready]}},
                             "application/merge-patch+json")
    if status != 200:
        raise RuntimeError("artifact: %d %s" % (status, said))
    return begin, revision


def measure(plane, repo, work, concurrent=20, deadline=1800):
    """Figures of one first apply; the control plane must be fresh."""
    tree, unpack = os.path.join(work, "tree"), tempfile.mkdtemp(prefix="berth-bench-flux.", dir="/dev/shm" if os.path.isdir("/dev/shm") else work)
    names = objects.tree(repo, tree)
    os.makedirs(os.path.join(work, "http"))
    install(plane)
    declare(plane, names)
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: Quiet(*a, directory=os.path.join(work, "http")))
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with open(os.path.join(work, "flux.log"), "wb") as log:
        p = subprocess.Popen([os.path.join(plane.bin, "kustomize-controller"), "--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0",
                              "--enable-leader-election=false", "--feature-gates=ExternalArtifact=true", "--concurrent=%d" % concurrent],
                             env=dict(os.environ, KUBECONFIG=plane.config_of("flux"), RUNTIME_NAMESPACE=NS, TMPDIR=unpack), stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log)
    watch = Watch(plane)
    try:
        watch.start()
        time.sleep(5)
        plane.audit()
        server, used = plane.used(), cpu_s(p.pid)
        begin, revision = publish(plane, web, work, tree)
        while watch.count(revision) < len(names):
            if p.poll() is not None or time.time() > begin + deadline:
                raise RuntimeError("Flux: %d of %d are ready; one says: %s" % (watch.count(revision), len(names), list(watch.said.values())[:1]))
            time.sleep(0.02)
        seconds = max(t for key, t in list(watch.ready.items()) if key[1] == revision) - begin
        used = cpu_s(p.pid) - used
        server = {k: v - server[k] for k, v in plane.used().items()}
        peak = rss_mib(p.pid)
        time.sleep(1)  # its last events
    finally:
        watch.over = True
        p.terminate()
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
        web.shutdown()
        subprocess.run(["rm", "-rf", unpack], check=False)
    n = len(names) * objects.AN_ENVIRONMENT
    return {"environments": len(names), "objects": n, "concurrent": concurrent, "seconds": seconds, "rate": n / seconds, "cpu_s": used, "peak_mib": peak,
            "server_cpu_s": server, "requests": counted(plane.audit(), FLUX_USER)}


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    concurrent = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with tempfile.TemporaryDirectory(prefix="berth-bench.") as work:
        repo = objects.prepare(n, work)
        with Plane(os.path.join(work, "plane")) as plane:
            print(json.dumps(measure(plane, repo, os.path.join(work, "flux"), concurrent), indent=1))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests of the Kubernetes target share, on top of lab.py: a real control plane, a proxy that breaks
things, the daemon against them, and counting what was asked of the API server.

A test file starts with skip_without_peers() and starts one Cluster for all of its tests (about 5 s). Everything is ended
with the test, by PID; what a killed test leaves behind ends itself.
"""
import collections
import contextlib
import datetime
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

import lab
from lab import BERTH, ENV, TOP, WAIT, Daemon, folder, processes, until

PEERS = os.path.join(TOP, "tests", "peers")
CACHE = os.environ.get("BERTH_PEERS") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "berth-peers")
BIN = os.path.join(CACHE, "bin")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok")
USER = "system:serviceaccount:berth-system:berth"
APPLY, MERGE, JSON_PATCH = "application/apply-patch+yaml", "application/merge-patch+json", "application/json-patch+json"
# what controllers write by themselves, and so no measure of what berth wrote
DERIVED = {"pods", "endpoints", "endpointslices", "controllerrevisions", "events", "leases", "persistentvolumes"}
WRITES = ("create", "update", "patch", "delete", "deletecollection")
SHORT = {"ns": "namespaces", "node": "nodes", "pod": "pods", "svc": "services", "cm": "configmaps", "secret": "secrets",
         "sa": "serviceaccounts", "pvc": "persistentvolumeclaims", "pv": "persistentvolumes", "quota": "resourcequotas",
         "sts": "apps/v1/statefulsets", "deploy": "apps/v1/deployments", "lease": "coordination.k8s.io/v1/leases",
         "netpol": "networking.k8s.io/v1/networkpolicies", "role": "rbac.authorization.k8s.io/v1/roles",
         "rolebinding": "rbac.authorization.k8s.io/v1/rolebindings", "clusterrole": "rbac.authorization.k8s.io/v1/clusterroles"}


def peers_missing(*more):
    """Why the real programs cannot be used here, or None."""
    if os.environ.get("BERTH_PEERS") == "none":
        return "BERTH_PEERS=none"
    if os.environ.get("BERTH_PEERS_FAILED"):
        return os.environ["BERTH_PEERS_FAILED"]
    lost = [p for p in (*PROGRAMS, *more) if not os.access(os.path.join(BIN, p), os.X_OK)]
    return "not in %s: %s; run tests/peers/install.sh k8s" % (BIN, " ".join(lost)) if lost else None


def skip_without_peers(*more):
    """Ends the test where there is no control plane: skipped, or failed with CI=true. `more`: other programs that it needs."""
    why = peers_missing(*more)
    if not why:
        return
    if os.environ.get("CI") == "true" and os.environ.get("BERTH_PEERS") != "none":
        lab.check("the programs of a control plane are there", False, why)
        lab.done()
    print("# NOT TESTED: %s needs a real control plane: %s" % (os.path.basename(sys.argv[0]), why))
    print("1..0 # SKIP " + why)
    sys.exit(0)


def path(kind, namespace=None, name=None, sub=None):
    """Path of a resource: kind is a short name above, or "resource" of the core group, or "group/version/resource"."""
    group, _, resource = SHORT.get(kind, kind).rpartition("/")
    parts = ["/apis/" + group if group else "/api/v1"]
    parts += ["namespaces", namespace] if namespace else []
    return "/".join(parts + [resource] + [p for p in (name, sub) if p])


class ApiError(Exception):
    def __init__(self, code, body):
        super().__init__("%d %s" % (code, body.get("message", body) if isinstance(body, dict) else body))
        self.code, self.body = code, body


class Cluster:
    """A control plane of its own, in a folder of the test's. Also a context manager.

    nodes: list of "SHAPE/ZONE", None for the usual thirteen (tests/peers/cluster.sh has the shapes); audit: True, or the
    names of users to log; cloud=False: volumes stay pending and load balancers have no address until start_part("cloud").
    """

    made = 0

    def __init__(self, audit=False, nodes=None, cloud=True, apiserver_args="", **env):
        Cluster.made += 1
        self.dir = os.path.join(folder, "cluster%d" % Cluster.made)
        self.env = {**ENV, "BIN": BIN, "STAGES": os.path.join(CACHE, "share", "kwok"), "OWNER": str(os.getpid()),
                    "AUDIT": "1" if audit else "", "CLOUD": "1" if cloud else "0", "APISERVER_ARGS": apiserver_args, **env}
        if nodes is not None:
            self.env["NODES"] = " ".join(nodes)
        if audit and audit is not True:
            self.env["AUDIT_USERS"] = " ".join(audit)
        self.local, self.took, self.files = threading.local(), None, 0

    def script(self, *args):
        p = subprocess.run([os.path.join(PEERS, "cluster.sh"), args[0], self.dir, *args[1:]], env=self.env, text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400)
        if p.returncode:
            raise RuntimeError("cluster.sh %s: %s" % (" ".join(args), p.stdout))

    def start(self):
        start = time.monotonic()
        running.append(self)
        self.script("up")
        self.took = time.monotonic() - start
        config = self.read("kubeconfig")
        self.port = int(re.search(r"https://127\.0\.0\.1:(\d+)", config).group(1))
        self.ca = os.path.join(self.dir, "pki", "ca.crt")
        self.tls = ssl.create_default_context(cafile=self.ca)
        return self

    def stop(self):
        if self in running:
            running.remove(self)
            self.script("down")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def read(self, *name):
        with open(os.path.join(self.dir, *name), encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop_part(self, *parts):
        """Kills etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok or cloud."""
        self.script("stop", *parts)

    def start_part(self, *parts):
        self.script("start", *parts)
        self.local = threading.local()

    def add_node(self, shape, name, zone="zone-a"):
        self.script("node", shape, name, zone)

    def pids(self):
        """Part -> PID of what runs."""
        out = {}
        for name in os.listdir(self.dir):
            if name.endswith(".pid"):
                out[name[:-4]] = int(self.read(name).split()[0])
        return out

    # -- who asks --

    def token(self, user="admin"):
        """admin, flux, alice, berth (what its token file holds now), berth.1 to berth.4."""
        return self.read("tokens", user).strip()

    def rotate(self, number):
        """Puts token `number` (1 to 4) of berth into its token file, as a projected volume does: a new file renamed over."""
        target = os.path.join(self.dir, "tokens", "berth")
        with open(target + ".new", "w", encoding="utf-8") as f:
            f.write(self.token("berth.%d" % number) + "\n")
        os.rename(target + ".new", target)

    def kubeconfig(self, user="berth", port=None, number=None):
        """File for berth, admin, cert, flux, alice; port: through a proxy; number: berth with its token 1 to 4 only."""
        name = os.path.join(self.dir, "kubeconfig" + ("" if user == "admin" else "-" + user))
        if port is None and number is None:
            return name
        with open(name, encoding="utf-8") as f:
            text = f.read()
        if port is not None:
            text = text.replace("127.0.0.1:%d" % self.port, "127.0.0.1:%d" % port)
        if number is not None:
            text = text.replace("tokens/berth\"", "tokens/berth.%d\"" % number)
        self.files += 1
        name = "%s.%d" % (name, self.files)
        with open(name, "w", encoding="utf-8") as f:
            f.write(text)
        return name

    def grant(self, where=os.path.join(TOP, "deploy", "kubernetes")):
        """Gives berth the rights of deploy/kubernetes and nothing else of it: roles, with our user bound as its account is."""
        import yaml  # pylint: disable=import-outside-toplevel
        docs = [d for d in yaml.safe_load_all(self.kubectl("kustomize", where)) if d]
        kept = [d for d in docs if d["kind"] in ("Namespace", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")]
        for d in kept:
            if d["kind"].endswith("Binding"):
                d["subjects"] = d.get("subjects", []) + [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": USER}]
        self.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(kept))
        roles = {(d["kind"], d["metadata"]["name"]): d["rules"] for d in kept if d["kind"].endswith("Role")}
        for d in kept:
            if d["kind"].endswith("Binding") and (d["roleRef"]["kind"], d["roleRef"]["name"]) in roles:
                self.wait_rights(USER, roles[d["roleRef"]["kind"], d["roleRef"]["name"]], d["metadata"].get("namespace"))

    def bind(self, role, user=USER):
        """Binds a ClusterRole everywhere, cluster-admin for one."""
        self.api("POST", path("rbac.authorization.k8s.io/v1/clusterrolebindings"), {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"generateName": "test-"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}]})
        self.wait_rights(user, self.get("clusterrole", None, role)["rules"])

    def may(self, verb, resource, group="", namespace=None, user=USER):
        """Whether the API server would let this user."""
        asked = {k: v for k, v in (("verb", verb), ("resource", resource), ("group", group), ("namespace", namespace)) if v}
        return self.api("POST", path("authorization.k8s.io/v1/subjectaccessreviews"), {
            "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": asked}})["status"]["allowed"]

    def wait_rights(self, user, rules, namespace=None):
        """A role and its binding count once the API server has heard of both, which is not when it has stored them."""
        rule = next(r for r in rules if r.get("resources") and not r.get("resourceNames"))
        right = rule["verbs"][0], rule["resources"][0], rule["apiGroups"][0], namespace, user
        if not until(lambda: self.may(*right)):
            raise RuntimeError("%s has no right: %s" % (user, right))

    # -- asking --

    def kubectl(self, *args, input=None, user="admin", ok=True, config=None):  # pylint: disable=redefined-builtin
        """Its output; with ok=False (status, output, errors). config: a kubeconfig file instead of a user."""
        p = subprocess.run([os.path.join(BIN, "kubectl"), "--kubeconfig", config or self.kubeconfig(user), *args], env=ENV, text=True,
                           input=input or "", stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, errors="replace")
        if not ok:
            return p.returncode, p.stdout, p.stderr
        if p.returncode:
            raise RuntimeError("kubectl %s: %s" % (" ".join(args), p.stderr))
        return p.stdout

    def api(self, *args, **how):
        """The answer's object; ApiError (with .code) for 4xx and 5xx. kind: content type, for PATCH a merge patch by default.
        A server that has too much to do for this is asked again: 429 says that nothing was done."""
        end = time.monotonic() + WAIT
        while True:
            try:
                return self.ask(*args, **how)
            except ApiError as e:
                if time.monotonic() > end or not (e.code == 429 or (e.code >= 500 and args[0] == "GET")):
                    raise
            time.sleep(0.5)

    def ask(self, method, where, body=None, kind=None, user="admin", accept="application/json"):
        if not hasattr(self.local, "http"):
            self.local.http = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.tls, timeout=60)
        headers = {"Authorization": "Bearer " + self.token(user), "Accept": accept, "User-Agent": "test",
                   "Content-Type": kind or (MERGE if method == "PATCH" else "application/json")}
        try:
            if time.monotonic() - getattr(self.local, "last", 0) > 20:
                self.local.http.close()  # the server ends connections that nobody uses
            self.local.http.request(method, where, None if body is None else json.dumps(body), headers)
            self.local.last = time.monotonic()
            answer = self.local.http.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.local.http.close()
            raise
        try:
            said = json.loads(text) if text else {}
        except ValueError:
            said = text.decode(errors="replace")
        if answer.status >= 400:
            raise ApiError(answer.status, said)
        return said

    def get(self, kind, namespace=None, name=None, **how):
        """An object, or None when it is not there."""
        try:
            return self.api("GET", path(kind, namespace, name), **how)
        except ApiError as e:
            if e.code == 404:
                return None
            raise

    def list(self, kind, namespace=None, selector="", **how):
        query = "?labelSelector=" + urllib.parse.quote(selector) if selector else ""
        return self.api("GET", path(kind, namespace) + query, **how)["items"]

    def apply(self, kind, namespace, body, manager, force=False, user="admin"):
        """Server-side apply under a manager's name."""
        query = "?fieldManager=%s&force=%s" % (urllib.parse.quote(manager), str(force).lower())
        return self.api("PATCH", path(kind, namespace, body["metadata"]["name"]) + query, body, APPLY, user)

    def pod_status(self, namespace, name, waiting=None, terminated=None, message="", exit_code=1, restarts=0, phase="Pending"):
        """What a kubelet would say of every container: a reason for waiting (ImagePullBackOff, CrashLoopBackOff, ...), or one
        for having ended (OOMKilled; with `waiting` it is the last state). stop_part("kwok") first, or kwok makes it Ready."""
        pod = self.get("pod", namespace, name)
        ended = {"terminated": {"reason": terminated, "exitCode": exit_code, "message": message}} if terminated else {}
        state = {"waiting": {"reason": waiting, "message": message}} if waiting else ended
        said = [{"name": c["name"], "image": c["image"], "imageID": "", "ready": False, "restartCount": restarts, "state": state,
                 "lastState": ended if waiting else {}} for c in pod["spec"]["containers"]]
        ready = [c for c in pod["status"].get("conditions", []) if c["type"] not in ("Ready", "ContainersReady")]
        ready += [{"type": t, "status": "False", "reason": "ContainersNotReady"} for t in ("Ready", "ContainersReady")]
        self.api("PATCH", path("pod", namespace, name, "status"),
                 {"status": {"phase": phase, "containerStatuses": said, "conditions": ready}})

    # -- waiting --

    def wait_gone(self, kind, namespace=None, name=None, seconds=WAIT):
        return until(lambda: self.get(kind, namespace, name) is None, seconds)

    def wait_for(self, kind, namespace, name, good, seconds=WAIT):
        """The object as soon as good(object) is true, else None."""
        def look():
            found = self.get(kind, namespace, name)
            return found if found is not None and good(found) else None
        return until(look, seconds)

    def wait_ready(self, namespace, selector="", count=1, seconds=WAIT):
        """The pods, once exactly `count` are there and all are Ready; else None."""
        def look():
            pods = self.list("pod", namespace, selector)
            return pods if len(pods) == count and all(map(is_ready, pods)) else None
        return until(look, seconds)

    # -- counting --

    def resources(self):
        """Everything that can be listed, as (group/version/resource or resource, namespaced); one version of each."""
        found = {}
        groups = ["v1"] + [g["preferredVersion"]["groupVersion"] for g in self.api("GET", "/apis")["groups"]]
        for gv in groups:
            got = self.api("GET", ("/api/" if gv == "v1" else "/apis/") + gv)
            for r in got["resources"]:
                if "/" not in r["name"] and "list" in r["verbs"]:
                    found[r["name"] if gv == "v1" else gv + "/" + r["name"]] = r["namespaced"]
        return found

    def marked(self, selector="berth.dev/managed", derived=False):
        """"resource/namespace/name" -> metadata of every object with a label, by metadata only. Without what controllers
        copy labels to (pods, endpoints, ...) unless derived."""
        out = {}
        for kind in self.resources():
            resource = kind.rpartition("/")[2]
            if resource in DERIVED and not derived:
                continue
            got = self.api("GET", path(kind) + "?labelSelector=" + urllib.parse.quote(selector),
                           accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
            for item in got.get("items") or []:
                meta = item["metadata"]
                out["%s/%s/%s" % (resource, meta.get("namespace", ""), meta["name"])] = meta
        return out

    def resource_versions(self, selector="berth.dev/managed", derived=False):
        """"resource/namespace/name" -> (uid, resourceVersion)."""
        return {k: (m["uid"], m["resourceVersion"]) for k, m in self.marked(selector, derived).items()}

    def generations(self, selector="berth.dev/managed"):
        """The same -> (uid, generation): what status updates do not touch."""
        return {k: (m["uid"], m.get("generation")) for k, m in self.marked(selector).items()}

    def metrics(self):
        """Counter of finished requests of everybody since the API server started: (VERB, resource) -> number."""
        out = collections.Counter()
        for line in self.api("GET", "/metrics").splitlines():
            if line.startswith("apiserver_request_total{"):
                label = dict(re.findall(r'(\w+)="([^"]*)"', line))
                out[label["verb"], label["resource"]] += float(line.rsplit(" ", 1)[1])
        return out

    def mark(self):
        """A place in the audit log, for `since`."""
        return os.path.getsize(os.path.join(self.dir, "audit.log")) if os.path.exists(os.path.join(self.dir, "audit.log")) else 0

    def audit(self, since=0, user=USER, stage="RequestReceived", uid=None):
        """Events of a user (None: of all that are logged). uid "berth-1" to "berth-4" tells berth's tokens apart; keys as in
        audit.k8s.io/v1, such as verb, requestURI, objectRef, userAgent, requestReceivedTimestamp, responseStatus."""
        out, name = [], os.path.join(self.dir, "audit.log")
        if not os.path.exists(name):
            return out
        with open(name, "rb") as f:
            f.seek(since)
            for line in f:
                if not line.endswith(b"\n"):
                    break
                event = json.loads(line)
                if (stage in (None, event["stage"]) and user in (None, event["user"]["username"]) and
                        uid in (None, event["user"].get("uid"))):
                    out.append(event)
        return out

    def asked(self, since=0, user=USER, uid=None):
        """Counter: (verb, resource, or the path where there is none) -> requests that arrived; watches count when they start."""
        out = collections.Counter()
        for e in self.audit(since, user, uid=uid):
            ref = e.get("objectRef", {})
            resource = "/".join(x for x in (ref.get("resource"), ref.get("subresource")) if x)
            out[e["verb"], resource or e["requestURI"].split("?")[0]] += 1
        return out

    def writes(self, since=0, user=USER, uid=None):
        """Events of what was to change an object; dry runs and questions about rights are left out."""
        return [e for e in self.audit(since, user, uid=uid) if e["verb"] in WRITES and "dryRun=" not in e["requestURI"] and
                not e.get("objectRef", {}).get("resource", "").endswith("reviews")]


def when(event, key="requestReceivedTimestamp"):
    """Seconds since the epoch of an audit event; the other key is stageTimestamp."""
    return datetime.datetime.fromisoformat(event[key].replace("Z", "+00:00")).timestamp()


def is_ready(pod):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def managers(thing):
    """[(manager, operation, subresource)] of an object."""
    return [(m["manager"], m["operation"], m.get("subresource", "")) for m in thing["metadata"].get("managedFields", [])]


class Proxy:
    """tests/peers/fault_proxy.py before a cluster; its docstring tells the rules. raw: TCP, so that HTTP/2 passes."""

    def __init__(self, cluster, raw=False, plan=None):
        pki = os.path.join(cluster.dir, "pki")
        argv = [sys.executable, os.path.join(PEERS, "fault_proxy.py"), "--upstream", "127.0.0.1:%d" % cluster.port,
                "--ca", cluster.ca, "--cert", os.path.join(pki, "server.crt"), "--key", os.path.join(pki, "server.key"), *(["--raw"] if raw else [])]
        with open(os.path.join(folder, "proxy.log"), "ab") as log:
            self.p = subprocess.Popen(argv, env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        processes.append(self.p)
        self.port, control = map(int, self.p.stdout.readline().split())
        self.pipe = socket.create_connection(("127.0.0.1", control)).makefile("rw", encoding="utf-8")
        if plan:
            self.order(**plan)

    def order(self, **plan):
        """order(rules=[...], seed=1, expired=[...], pause=True, cut_all=True, cut_every=[1, 2], log=True); the answer."""
        self.pipe.write(json.dumps(plan) + "\n")
        self.pipe.flush()
        said = json.loads(self.pipe.readline())
        if "error" in said:
            raise ValueError(said["error"])
        return said

    def rules(self, *rules, **more):
        return self.order(rules=list(rules), **more)

    def counts(self):
        return collections.Counter(self.order()["counts"])

    def stop(self):
        self.p.kill()
        self.p.wait()


class KubeDaemon(Daemon):
    """berth run --target kubernetes in the background. where: a Cluster, or the name of a kubeconfig file."""

    def __init__(self, repo, state, where, *args, env=None):  # pylint: disable=super-init-not-called
        Daemon.made += 1
        self.log_path = os.path.join(folder, "daemon%d.log" % Daemon.made)
        with open(self.log_path, "ab") as log:
            self.p = subprocess.Popen([BERTH, "run", "--repo", repo, "--state", state, *target(where), *args], cwd=folder,
                                      env={**ENV, **(env or {})}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        processes.append(self.p)


def target(where):
    return ["--target", "kubernetes", "--kubeconfig", where.kubeconfig() if isinstance(where, Cluster) else where]


def once(repo, state, where, *args, **how):
    """One pass of berth run; lab's Said."""
    return lab.berth("run", "--repo", repo, "--state", state, *target(where), "--once", *args, **how)


@contextlib.contextmanager
def daemon(site, where, *args, **how):
    """`with daemon(site, cluster) as d:` the daemon on a site's bare repository, stopped at the end."""
    d = KubeDaemon(site.bare, site.state(), where, *args, **how)
    try:
        yield d
    finally:
        d.stop()


running = []


def stop_all():
    for cluster in list(running):
        cluster.stop()


lab.atexit.register(stop_all)  # after lab's own, so it runs before the folder goes

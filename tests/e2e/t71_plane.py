#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The control plane, the proxy and the counting that the tests of the Kubernetes target stand on do what they say."""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

from kube import (MERGE, PEERS, USER, ApiError, Cluster, Proxy, is_ready, managers, path, skip_without_peers, when)
from lab import WAIT, check, done, folder, note, until

skip_without_peers()
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gpu", "labels": {"berth.dev/managed": "true"}},
       "spec": {"nodeSelector": {"instance-type": "p4d.24xlarge", "topology.kubernetes.io/zone": "zone-b"},
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "containers": [{"name": "c", "image": "x", "resources": {"limits": {"nvidia.com/gpu": "2"}}}]}}
CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "home"},
         "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}}


RIGHTS = {"kustomization.yaml": "resources: [all.yaml]\n", "all.yaml": """apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: berth}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch, create, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: berth}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: berth}
subjects: [{kind: ServiceAccount, name: berth, namespace: elsewhere}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: berth, namespace: default}
spec:
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}
"""}


def config_map(name, value):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"berth.dev/managed": "true"}},
            "data": {"k": value}}


def pids_in(where, names):
    """None as long as one of the files is not there, or not written yet."""
    out = []
    for name in names:
        try:
            with open(os.path.join(where, name), encoding="ascii") as f:
                out.append(int(f.read().split()[0]))
        except (FileNotFoundError, IndexError):
            return None
    return out


def pid_alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
            return f.read().rsplit(") ", 1)[1][0] != "Z"
    except OSError:
        return False


class Client:
    """HTTP/1.1 through a proxy as berth does it: keep-alive, one token."""

    def __init__(self, cluster, port, token):
        tls = ssl.create_default_context(cafile=cluster.ca)
        self.http = http.client.HTTPSConnection("127.0.0.1", port, timeout=WAIT, context=tls)
        self.token = token

    def ask(self, method, where, body=None):
        """(status, text, Retry-After), or the exception's name."""
        try:
            self.http.request(method, where, json.dumps(body) if body else None,
                              {"Authorization": "Bearer " + self.token, "Content-Type": MERGE})
            answer = self.http.getresponse()
            return answer.status, answer.read().decode(), answer.getheader("Retry-After")
        except (OSError, http.client.HTTPException) as e:
            self.http.close()
            return type(e).__name__, "", None

    def watch(self, where, seen):
        """Appends each line to `seen` as it arrives, what there is of the last one too; at the end how it ended."""
        def run():
            rest, how = b"", "end"
            try:
                self.http.request("GET", where, None, {"Authorization": "Bearer " + self.token})
                answer = self.http.getresponse()
                while data := answer.read1():
                    *whole, rest = (rest + data).split(b"\n")
                    seen.extend((time.monotonic(), line + b"\n") for line in whole)
            except (OSError, http.client.HTTPException, ValueError) as e:
                how = type(e).__name__
            seen.extend((time.monotonic(), x) for x in (rest, how) if x)
        threading.Thread(target=run, daemon=True).start()
        return seen


def lines(seen):
    return [x for _, x in seen if isinstance(x, bytes)]


def ended(seen):
    return [x for _, x in seen if isinstance(x, str)]


def nodes_and_pods(c):
    nodes = {n["metadata"]["name"]: n for n in c.list("node")}
    check("thirteen nodes are Ready", len(nodes) == 13 and all(map(is_ready, nodes.values())), sorted(nodes))
    check("the API server is 1.36", c.api("GET", "/version")["minor"] == "36")
    c.api("POST", path("pod", "default"), POD)
    pods = c.wait_ready("default", "berth.dev/managed")
    check("a pod with two GPUs becomes Ready in the zone and on the kind of node that it selects",
          pods and nodes[pods[0]["spec"]["nodeName"]]["metadata"]["labels"]["nvidia.com/gpu.product"] == "NVIDIA-A100-SXM4-40GB" and
          pods[0]["spec"]["nodeName"] == "a100-1", pods)
    blind = dict(POD, metadata={"name": "blind"}, spec=dict(POD["spec"], tolerations=[]))
    c.api("POST", path("pod", "default"), blind)
    blind = c.wait_for("pod", "default", "blind", lambda p: "taint" in p["status"].get("conditions", [{}])[0].get("message", ""))
    check("one that does not tolerate the taint stays pending", blind and blind["status"]["phase"] == "Pending", blind)
    c.add_node("bench", "late")
    check("a node can be added", c.wait_for("node", None, "late", is_ready))


def sick_pod(c):
    c.stop_part("kwok")
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sick", "labels": {"a": "sick"}},
           "spec": {"containers": [{"name": "c", "image": "x"}]}}
    c.api("POST", path("pod", "default"), pod)
    placed = c.wait_for("pod", "default", "sick", lambda p: p["spec"].get("nodeName"))
    c.pod_status("default", "sick", waiting="ImagePullBackOff", message="no such image")
    text = c.kubectl("get", "pod", "sick")
    check("without kwok a pod is placed and says what a test makes it say", placed and "ImagePullBackOff" in text, text)
    c.pod_status("default", "sick", waiting="CrashLoopBackOff", terminated="OOMKilled", exit_code=137, restarts=3, phase="Running")
    last = c.get("pod", "default", "sick")["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"]
    check("how it ended the last time too", last == "OOMKilled")
    c.pod_status("default", "sick", waiting="ContainerCreating")
    c.start_part("kwok")
    check("with kwok back it becomes Ready", c.wait_ready("default", "a=sick"))


def volumes(c):
    c.api("POST", path("pvc", "default"), CLAIM)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "home", "labels": {"a": "home"}},
           "spec": {"containers": [{"name": "c", "image": "x"}], "nodeSelector": {"topology.kubernetes.io/zone": "zone-b"},
                    "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "home"}}]}}
    c.api("POST", path("pod", "default"), pod)
    check("a pod with a claim becomes Ready", c.wait_ready("default", "a=home"), c.read("cloud.log"))
    bound = c.wait_for("pvc", "default", "home", lambda p: p["status"]["phase"] == "Bound")
    volume = c.get("pv", None, bound["spec"]["volumeName"])
    check("its volume stays in the pod's zone", "zone-b" in json.dumps(volume["spec"]["nodeAffinity"]), volume)
    c.api("PATCH", path("pvc", "default", "home"), {"spec": {"resources": {"requests": {"storage": "20Gi"}}}})
    check("a claim grows", c.wait_for("pvc", "default", "home", lambda p: p["status"]["capacity"]["storage"] == "20Gi"))
    c.api("DELETE", path("pod", "default", "home"))
    c.api("DELETE", path("pvc", "default", "home"))
    check("a deleted claim takes its volume along", c.wait_gone("pv", None, volume["metadata"]["name"]))
    c.api("POST", path("svc", "default"), {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "lb"},
                                           "spec": {"type": "LoadBalancer", "ports": [{"port": 22}]}})
    check("a load balancer gets an address",
          c.wait_for("svc", "default", "lb", lambda s: s["status"]["loadBalancer"].get("ingress")))


def rights(c):
    try:
        c.get("cm", "default", "none", user="berth")
        code = 0
    except ApiError as e:
        code = e.code
    check("berth has no rights before somebody grants them", code == 403, code)
    mark = c.mark()
    where = os.path.join(folder, "rights")
    os.mkdir(where)
    for name, text in RIGHTS.items():
        with open(os.path.join(where, name), "w", encoding="utf-8") as f:
            f.write(text)
    c.grant(where)
    check("and those of its roles after, and nothing is deployed", c.may("create", "configmaps") and not c.list("deploy"))
    before = c.metrics()
    c.apply("cm", "default", config_map("one", "1"), "berth", user="berth")
    c.api("PATCH", path("cm", "default", "one"), {"data": {"k": "2"}}, user="admin")
    c.get("cm", "default", "one", user="berth.3")
    asked = c.asked(mark)
    check("the audit log counts berth's requests and nobody else's",
          asked["patch", "configmaps"] == 1 and asked["get", "configmaps"] == 1 and len(c.writes(mark)) == 1, asked)
    third = [e["verb"] for e in c.audit(mark, uid="berth-3")]
    check("it tells berth's tokens apart", third == ["get"], third)
    # both are written down when the answer is already on its way
    until(lambda: len(c.audit(mark, stage="ResponseComplete")) == sum(asked.values()))
    took = {e["auditID"]: when(e, "stageTimestamp") - when(e) for e in c.audit(mark, stage="ResponseComplete")}
    check("and when each arrived and was answered", set(took) == {e["auditID"] for e in c.audit(mark)} and
          all(0 < t < WAIT for t in took.values()), took)
    until(lambda: {("APPLY", "configmaps"), ("PATCH", "configmaps"), ("GET", "configmaps")} <= set(c.metrics() - before))
    diff = c.metrics() - before
    check("/metrics counts everybody's", diff["APPLY", "configmaps"] == 1 and diff["PATCH", "configmaps"] == 1 and
          diff["GET", "configmaps"] == 1, diff)
    got = c.get("cm", "default", "one")
    check("managers are told", ("berth", "Apply", "") in managers(got) and len(managers(got)) == 2, managers(got))
    first = c.resource_versions()
    c.apply("cm", "default", config_map("one", "2"), "berth", force=True)
    second = c.resource_versions()
    c.apply("cm", "default", config_map("one", "2"), "berth", force=True)
    check("resourceVersions of what carries a label change with a write and not without",
          set(first) == {"configmaps/default/one"} and first != second and second == c.resource_versions(), first, second)


def stranger(c):
    """The file of a token is read at each use, and a client certificate works too."""
    c.rotate(2)
    said = json.loads(c.kubectl("auth", "whoami", "-o", "json", user="berth"))["status"]["userInfo"]
    check("a rotated token is the same account", said["username"] == USER and said["uid"] == "berth-2", said)
    c.rotate(1)
    said = json.loads(c.kubectl("auth", "whoami", "-o", "json", user="cert"))["status"]["userInfo"]
    check("a client certificate is an admin", said["username"] == "admin-cert", said)


def proxy_watch(c):
    proxy = Proxy(c)
    where = path("cm", "default") + "?watch=true&labelSelector=w&resourceVersion=" + \
        c.api("GET", path("cm", "default"))["metadata"]["resourceVersion"]
    labelled = lambda n: dict(config_map("w%d" % n, "x" * 500), metadata={"name": "w%d" % n, "labels": {"w": "w"}})
    seen = Client(c, proxy.port, c.token()).watch(where, [])
    time.sleep(0.3)
    c.api("POST", path("cm", "default"), labelled(0))
    good = until(lambda: lines(seen))
    check("a watch goes through the proxy event by event", good and not ended(seen) and b'"ADDED"' in seen[0][1], seen)
    proxy.order(cut_all=True)
    check("cut_all cuts it", until(lambda: ended(seen)) and ended(seen) != ["end"], ended(seen))

    proxy.rules({"do": "truncate", "events": 2, "mid": True})
    seen = Client(c, proxy.port, c.token()).watch(where, [])
    for n in (1, 2, 3):
        c.api("POST", path("cm", "default"), labelled(n))
    until(lambda: ended(seen))
    got = lines(seen)
    check("truncate ends it in the middle of a line", len(got) == 3 and got[1].endswith(b"}\n") and not got[2].endswith(b"\n") and
          got[2].startswith(b'{"type"') and ended(seen) != ["end"], seen)
    proxy.rules({"do": "truncate", "events": 1, "clean": True})
    seen = Client(c, proxy.port, c.token()).watch(where, [])
    check("or as a server would", until(lambda: ended(seen)) == ["end"] and len(lines(seen)) == 1, seen)
    proxy.rules({"do": "gone", "events": 3})
    seen = Client(c, proxy.port, c.token()).watch(where, [])
    until(lambda: ended(seen))
    check("gone says 410 in the stream", len(lines(seen)) == 4 and json.loads(lines(seen)[3])["object"]["code"] == 410 and
          ended(seen) == ["end"], seen)
    proxy.rules({"do": "stall", "events": 1, "s": 1.5})
    start, seen = time.monotonic(), Client(c, proxy.port, c.token()).watch(where, [])
    until(lambda: len(lines(seen)) == 4)
    times = [t - start for t, _ in seen]
    check("a stall holds events back and loses none", len(times) == 4 and times[0] < times[1] and times[1] > 1.4, times)
    counts = proxy.counts()
    check("it counts what it did", [counts[x] for x in ("truncate", "gone", "stall", "cut_all")] == [2, 1, 1, 1], counts)
    return proxy


def proxy_answers(c, proxy):
    client, where = Client(c, proxy.port, c.token("berth.1")), path("cm", "default", "one")
    proxy.rules({"do": "status", "code": 429, "retry_after": 3, "times": 1},
                {"do": "status", "code": 409, "method": "PATCH", "times": 1})
    got = client.ask("GET", where)
    check("429 carries Retry-After and a Status", got[0] == 429 and got[2] == "3" and json.loads(got[1])["kind"] == "Status", got)
    got = client.ask("PATCH", where, {"data": {"k": "refused"}})
    check("a refused write is not carried out", got[0] == 409 and c.get("cm", "default", "one")["data"]["k"] == "2", got)
    proxy.rules({"do": "status", "code": 500, "late": True, "times": 1})
    got = client.ask("PATCH", where, {"data": {"k": "late"}})
    check("a late 500 hides a write that was carried out",
          got[0] == 500 and c.get("cm", "default", "one")["data"]["k"] == "late", got)
    proxy.rules({"do": "cut", "late": True, "times": 1}, {"do": "cut", "bytes": 100, "times": 1})
    got = client.ask("PATCH", where, {"data": {"k": "cut"}})
    check("so does a late cut", isinstance(got[0], str) and c.get("cm", "default", "one")["data"]["k"] == "cut", got)
    got = client.ask("GET", "/version")
    check("an answer is cut in its body", got[0] == "IncompleteRead", got)
    proxy.rules({"do": "delay", "ms": 300, "times": 1})
    start = time.monotonic()
    got = client.ask("GET", where)
    check("a delayed answer is late and whole", got[0] == 200 and time.monotonic() - start > 0.29, got)
    proxy.order(rules=[], expired=[c.token("berth.1")])
    got = client.ask("GET", where)
    client.token = c.token("berth.2")
    check("an expired token gets 401, the next one passes", got[0] == 401 and client.ask("GET", where)[0] == 200, got)
    codes = []
    for _ in (1, 2):
        proxy.order(rules=[{"do": "status", "code": 503, "p": 0.3}], seed=7)
        codes.append([client.ask("GET", where)[0] for _ in range(30)])
    check("the same seed does the same again", codes[0] == codes[1] and 1 <= codes[0].count(503) <= 20, codes)
    proxy.rules()
    proxy.order(pause=True)
    start = time.monotonic()
    threading.Timer(1, lambda: proxy.order(pause=False)).start()
    got = client.ask("GET", where)
    check("pause holds everything", got[0] == 200 and time.monotonic() - start > 0.9, got, time.monotonic() - start)
    proxy.stop()


def proxy_raw(c):
    proxy = Proxy(c, raw=True)
    tls = ssl.create_default_context(cafile=c.ca)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    with tls.wrap_socket(socket.create_connection(("127.0.0.1", proxy.port), WAIT), server_hostname="127.0.0.1") as s:
        check("raw mode lets HTTP/2 through", s.selected_alpn_protocol() == "h2")
    ask = ("get", "--raw", "/openapi/v2")
    whole = c.kubectl(*ask, config=c.kubeconfig("cert", port=proxy.port))
    check("and client certificates", len(whole) > 10**6, len(whole))
    proxy.rules({"do": "cut", "bytes": [20000, 30000]})
    rc, out, err = c.kubectl(*ask, config=c.kubeconfig("cert", port=proxy.port), ok=False)
    check("and cuts", rc and proxy.counts()["cut"] >= 1, rc, out[-200:], err)
    proxy.stop()


def restart(c):
    c.stop_part("kube-apiserver")
    try:
        c.api("GET", "/version")
        answered = True
    except OSError:
        answered = False
    c.start_part("kube-apiserver")
    check("the API server stops, and comes back on its port with its data", not answered and c.get("cm", "default", "one"))


def ends(c):
    pids = c.pids()
    start = time.monotonic()
    c.stop()
    left = until(lambda: not [p for p in pids.values() if pid_alive(p)])
    check("down leaves no process of %d" % len(pids), len(pids) == 7 and left, pids)
    note("down took %.1f s" % (time.monotonic() - start))
    code = ("import sys, time; sys.path.insert(0, %r); from kube import Cluster; c = Cluster(nodes=['cpu/zone-a']).start();"
            "print(c.dir, flush=True); time.sleep(600)" % os.path.dirname(os.path.abspath(__file__)))
    owner = subprocess.Popen([sys.executable, "-B", "-c", code], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    where = owner.stdout.readline().strip()
    pids = pids_in(where, [n for n in os.listdir(where) if n.endswith(".pid")])
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    check("a cluster ends when the test that owns it is killed",
          len(pids) == 7 and until(lambda: not any(map(pid_alive, pids))), pids)
    subprocess.run(["rm", "-rf", os.path.dirname(where)], check=False)


def interrupted():
    where = os.path.join(folder, "interrupted")
    c = Cluster()
    up = subprocess.Popen([os.path.join(PEERS, "cluster.sh"), "up", where], env=c.env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    names = ("etcd.pid", "kube-apiserver.pid", "watchdog.pid")
    pids = until(lambda: pids_in(where, names))
    up.send_signal(signal.SIGTERM)
    rc = up.wait(2 * WAIT)
    check("an interrupted up takes back what it started", rc == 130 and until(lambda: not any(map(pid_alive, pids))), rc, pids)


cluster = Cluster(audit=True)
with cluster:
    note("up took %.1f s" % cluster.took)
    nodes_and_pods(cluster)
    sick_pod(cluster)
    volumes(cluster)
    rights(cluster)
    stranger(cluster)
    proxy_answers(cluster, proxy_watch(cluster))
    proxy_raw(cluster)
    restart(cluster)
    ends(cluster)
interrupted()
done()

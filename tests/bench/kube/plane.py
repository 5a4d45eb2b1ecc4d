# SPDX-License-Identifier: Apache-2.0
"""One control plane of tests/peers/cluster.sh for a measurement: its API, its audit log, what its programs use.

The users berth, alice and flux may do everything here and are audited: every request has a line, so that requests are counted by who
sent them. Times are those of the API server.
"""
import datetime
import http.client
import json
import os
import ssl
import subprocess
import urllib.parse

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PEERS = os.path.join(TOP, "tests", "peers")
BERTH_USER, FLUX_USER, EDITOR = "system:serviceaccount:berth-system:berth", "flux", "alice"
WRITES = ("create", "update", "patch", "delete", "deletecollection")
NAMESPACED = "/api/v1/namespaces/"
TICKS = os.sysconf("SC_CLK_TCK")


def cache():
    return subprocess.run(["bash", os.path.join(PEERS, "install.sh"), "--dir"], stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def cpu_s(pid):
    """Seconds of processor time of a process, its threads included, its children not."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICKS


def rss_mib(pid, what="VmHWM"):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return [int(line.split()[1]) / 1024 for line in f if line.startswith(what + ":")][0]


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))] if values else float("nan")


def seconds_of(stamp):
    return datetime.datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()


class Event:
    """One line of the audit log: a request that began (done False) or was answered."""

    def __init__(self, line):
        o = json.loads(line)
        ref = o.get("objectRef", {})
        self.user, self.verb, self.uri = o["user"]["username"], o["verb"], o["requestURI"]
        self.done = o["stage"] != "RequestReceived"
        self.code = o.get("responseStatus", {}).get("code", 0)
        self.resource, self.sub = ref.get("resource", ""), ref.get("subresource", "")
        self.ns, self.name = ref.get("namespace", ""), ref.get("name", "")
        self.at = seconds_of(o["stageTimestamp"])
        self.dry = "dryRun=" in self.uri
        self.write = self.verb in WRITES and not self.dry and self.resource != "leases"

    def where(self):
        return self.resource + ("/" + self.sub if self.sub else "")


class Plane:
    def __init__(self, folder, audit=True):
        self.dir, self.bin = folder, os.path.join(cache(), "bin")
        env = dict(os.environ, NODES="bench/zone-a", CLOUD="0", OWNER=str(os.getpid()))
        if audit:
            env.update(AUDIT="1", AUDIT_USERS=" ".join((BERTH_USER, FLUX_USER, EDITOR)), APISERVER_ARGS="--audit-log-maxsize=4000")
        p = subprocess.run(["bash", os.path.join(PEERS, "cluster.sh"), "up", folder], env=env, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, check=False)
        if p.returncode:
            raise RuntimeError("cluster.sh up: " + p.stdout.decode(errors="replace")[-2000:])
        self.kubeconfig, self.ca = os.path.join(folder, "kubeconfig"), os.path.join(folder, "pki", "ca.crt")
        with open(self.kubeconfig, encoding="utf-8") as f:
            self.server = f.read().split('server: "', 1)[1].split('"', 1)[0]
        with open(os.path.join(folder, "tokens", "admin"), encoding="ascii") as f:
            self.token = f.read().strip()
        self.tls = ssl.create_default_context(cafile=self.ca)
        self.link, self.read_to, self.rest = None, 0, b""
        self.kubectl("create", "clusterrolebinding", "bench", "--clusterrole=cluster-admin", "--user=" + BERTH_USER, "--user=" + EDITOR)

    def down(self):
        subprocess.run(["bash", os.path.join(PEERS, "cluster.sh"), "down", self.dir], check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    def config_of(self, who):
        return os.path.join(self.dir, "kubeconfig-" + who)

    def pid(self, part):
        with open(os.path.join(self.dir, part + ".pid"), encoding="ascii") as f:
            return int(f.read().split()[0])

    def used(self):
        return {p: cpu_s(self.pid(p)) for p in ("kube-apiserver", "etcd", "kube-controller-manager")}

    def kubectl(self, *args, who=None, data=None, ok=True):
        config = self.config_of(who) if who else self.kubeconfig
        p = subprocess.run([os.path.join(self.bin, "kubectl"), "--kubeconfig", config, *args], input=data, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, check=False)
        if ok and p.returncode:
            raise RuntimeError("kubectl %s: %s" % (" ".join(args), p.stderr.decode(errors="replace")))
        return p.stdout.decode()

    def connect(self, timeout=60):
        at = urllib.parse.urlsplit(self.server)
        return http.client.HTTPSConnection(at.hostname, at.port, context=self.tls, timeout=timeout)

    def api(self, method, path, body=None, kind="application/json"):
        """(status, document) of a request by an administrator who is not audited; one connection is kept."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        for last in (False, True):
            try:
                self.link = self.link or self.connect()
                self.link.request(method, path, data, {"Authorization": "Bearer " + self.token, "Content-Type": kind})
                r = self.link.getresponse()
                text = r.read()
                return r.status, json.loads(text or b"null")
            except (http.client.HTTPException, OSError):
                self.link = None
                if last:
                    raise
        return None

    def apply(self, path, body):
        status, said = self.api("PATCH", path + "?fieldManager=bench&force=true", body, "application/apply-patch+yaml")
        if status >= 300:
            raise RuntimeError("%s: %d %s" % (path, status, said.get("message") if said else ""))

    def audit(self):
        """What the audit log has got since the last call."""
        with open(os.path.join(self.dir, "audit.log"), "rb") as f:
            f.seek(self.read_to)
            text = f.read()
        self.read_to += len(text)
        lines = (self.rest + text).split(b"\n")
        self.rest = lines.pop()
        return [Event(line) for line in lines if line]


def counted(events, user):
    """Requests that `user` began, by verb (a dry run is a verb of its own); watches and leases apart."""
    n = {"total": 0, "writes": 0, "watch": 0, "leases": 0}
    for e in events:
        if e.done or e.user != user:
            continue
        if e.verb == "watch" or e.resource == "leases":
            n["watch" if e.verb == "watch" else "leases"] += 1
            continue
        n["total"] += 1
        n["writes"] += e.write
        key = "dry run" if e.dry else e.verb + (" status" if e.sub == "status" else "")
        n[key] = n.get(key, 0) + 1
    return n


def span(events, user):
    """Seconds from the first write of `user` that began to the last that was answered, and how many were refused."""
    writes = [e for e in events if e.user == user and e.write]
    if not writes:
        return float("nan"), 0
    return max(e.at for e in writes) - min(e.at for e in writes), sum(e.done and e.code >= 300 for e in writes)

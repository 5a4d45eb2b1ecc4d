#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An API server that is slow, cuts, lies, forgets and goes away: while commits keep arriving berth ends where an uninterrupted run on
a fresh cluster ends, and does not hammer a server that is down."""
import json
import re
import signal
import time
import urllib.request

import kube
from kube import Cluster, KubeDaemon, Proxy, path
from kube_torn import NODES, PART_OF, Clean, Person, compare, converges, make_site, parent, settled, story
from lab import WAIT, check, done, env_spec, note, until

kube.skip_without_peers()
LONG = 3 * WAIT  # refusals are tried again ever more rarely
MANY = 5         # environments deleted at once
PADDING = 130    # more than one page
FAULTS = (
    ("slow", [{"do": "delay", "ms": [20, 300], "p": 0.7}]),
    ("cut before, behind and in the middle of an answer", [
        {"do": "cut", "p": 0.12}, {"do": "cut", "late": True, "p": 0.12}, {"do": "cut", "bytes": [1, 400], "p": 0.2}]),
    ("500 and 503, also for what was carried out", [
        {"do": "status", "code": 500, "p": 0.12}, {"do": "status", "code": 503, "late": True, "p": 0.12},
        {"do": "status", "code": 500, "watch": True, "p": 0.5}]),
    ("409, also for what was carried out", [
        {"do": "status", "code": 409, "method": "PATCH|POST|PUT|DELETE", "p": 0.15},
        {"do": "status", "code": 409, "method": "PATCH|POST", "late": True, "p": 0.1}]),
    ("429 with Retry-After", [{"do": "status", "code": 429, "retry_after": 1, "p": 0.15}]),
    ("watches that end in the middle of a line", [{"do": "truncate", "events": [0, 4], "mid": True, "p": 0.8}]),
    ("watches that end in good order too soon", [{"do": "truncate", "events": [0, 2], "clean": True, "p": 0.8}]),
    ("410 in watches", [{"do": "gone", "events": [0, 3], "p": 0.8}]),
    ("watches that say nothing", [{"do": "stall", "watch": True, "events": 0}]),
)


def mark_id(c):
    return c.get("cm", "berth-system", "berth")["metadata"]["labels"]["applyset.kubernetes.io/id"]


def one_fault(c, site, person, proxy, name, rules):
    """Two commits under the fault; when it is over everything is well."""
    proxy.order(rules=rules)
    before = proxy.counts()
    if rules[0].get("watch", rules[0]["do"] in ("truncate", "gone")):
        proxy.order(cut_all=True)
    done_so_far = lambda: sum((proxy.counts() - before)[w] for w in {r["do"] for r in rules})
    for _ in range(40):
        site.push(person.change())
        if until(lambda: done_so_far() > 2, 1):
            break
    site.push(person.change())
    time.sleep(0.5)  # some of it while the fault is there
    proxy.rules()
    after = time.monotonic()
    good = until(lambda: settled(c, site, [running]), LONG) and done_so_far() > 2
    person.applied()
    check("%s: everything converges" % name, good, story(c, site), parent(c), proxy.counts() - before, running.log())
    note("%s: %.1f s, %s" % (name, time.monotonic() - after, dict(proxy.counts() - before)))


def pages_expire(c, site, person, proxy):
    """More than one page, and the second is no longer there."""
    c.api("POST", path("ns"), {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "padding"}})
    for n in range(PADDING):
        c.api("POST", path("cm", "padding"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
            "name": "p%d" % n, "labels": {PART_OF: mark_id(c)}}})
    proxy.rules({"do": "status", "code": 410, "path": "continue=", "times": 2, "name": "expired_page"},
                {"do": "gone", "events": 0, "path": "/configmaps", "times": 1})
    proxy.order(cut_all=True)
    site.push(person.change())
    good = until(lambda: proxy.counts()["expired_page"] == 2) and until(lambda: settled(c, site, [running]), LONG)
    check("expired pages are read again from the first", good, proxy.counts(), story(c, site), running.log())
    proxy.rules()
    check("what carries our label and was never written by us is left alone",
          until(lambda: len(c.list("cm", "padding")) == PADDING + 1))  # one is the cluster's own, which comes when it comes
    c.api("DELETE", path("ns", None, "padding"))


def token_expires(c, site, person, proxy):
    proxy.order(expired=[c.token("berth.1")], cut_all=True)
    before = proxy.counts()
    site.push(person.change())
    good = until(lambda: (proxy.counts() - before)["expired"] > 5, LONG)
    c.rotate(2)
    site.push(person.change())
    good = until(lambda: settled(c, site, [running]), LONG) and good
    check("an expired token: the next one in its file is taken", good, story(c, site), proxy.counts() - before, running.log())


def silent(c, site, person, proxy):
    """Requests that are never answered end by their deadline."""
    before = proxy.counts()
    proxy.rules({"do": "stall", "method": "PATCH", "times": 2})
    site.push(person.change())
    good = until(lambda: proxy.counts()["stall"] > before["stall"]) and until(lambda: settled(c, site, [running]), LONG)
    check("requests without an answer are given up and made again", good, story(c, site), parent(c), running.log())
    proxy.rules()


def not_said(c, site, person, proxy):
    """A person allows deletions, their beginning cannot be written down, and the process dies: the next one knows that it may."""
    files = {"envs/u%d/many%d.yaml" % (n % person.users, n): person.spec() for n in range(MANY)}
    site.push({**files, "berth.yaml": site.read("berth.yaml").replace("maxDeleteFraction: 0.9", "maxDeleteFraction: 0.1")})
    good = until(lambda: settled(c, site, [running]), LONG)
    kept = {p[5:-5] for p, text in files.items() if "purge" not in text}
    person.may |= kept
    person.must |= kept
    before = proxy.counts()
    proxy.rules({"do": "status", "code": 503, "method": "PATCH", "path": "/configmaps/berth[?]", "name": "unsaid"})
    commit = site.push({p: None for p in files}, "away\n\nBerth-Allow-Delete: %d" % MANY)
    good = until(lambda: (proxy.counts() - before)["unsaid"] >= 4, LONG) and good
    before = {n: c.get("sts", "dev-" + n.split("/")[0], n.split("/")[1]) for n in (p[5:-5] for p in files)}
    check("deletions do not begin before they are written down", good and all(before.values()), before, running.log())
    running.stop(signal.SIGKILL)
    proxy.rules()
    start(site, c.kubeconfig(port=proxy.port), False)
    check("they are allowed although the process died", until(lambda: settled(c, site, [running]), LONG), commit, story(c, site), parent(c),
          running.log())


def forgotten(c, site, proxy):
    """What was made without an answer and is no longer wanted goes; wanted again, it is as ready as everything else."""
    spec, name = env_spec("tiny", "  lifecycle: {onDelete: purge}\n"), "envs/u0/lost.yaml"
    here = lambda: [k for k in ("cm", "svc", "sts", "pvc") for o in c.list(k, "dev-u0") if "lost" in o["metadata"]["name"]]
    for again in (False, True):
        before = proxy.counts()
        # and no watch tells of it before it is taken back
        proxy.rules({"do": "status", "code": 503, "late": True, "method": "PATCH", "path": "lost--", "name": "unheard"},
                    {"do": "status", "code": 503, "method": "GET", "path": "lost--", "name": "unseen"},
                    {"do": "stall", "watch": True, "path": "/configmaps", "events": 0, "name": "silent"}, cut_all=True)
        site.push({name: spec})
        good = until(lambda: (proxy.counts() - before)["unheard"] >= 2 and here(), LONG)
        site.push({name: None})
        good = until(lambda: "%.12s: " % site.tip("main") in running.log()) and good
        if again:
            site.push({name: spec})
        proxy.rules()
        good = until(lambda: settled(c, site, [running]) and bool(here()) == again, LONG) and good
        check("made without an answer, taken back%s" % (" and wanted again" if again else ""), good, here(), story(c, site), running.log())
    site.push({name: None})
    check("nothing of it is left", until(lambda: not here(), LONG), here(), running.log())


def at_rest(c, proxy):
    before = until(lambda: calm(proxy))
    check("nothing to do: no request", before is not None, proxy.order(log=True)["log"][-20:])


def calm(proxy):
    """The number of requests once there was none for three seconds."""
    before = proxy.counts()["requests"]
    time.sleep(3)
    return before if proxy.counts()["requests"] == before else None


def raw(c, site, person, proxy):
    """HTTP/2."""
    proxy.order(cut_every=[0.3, 1.0])
    for _ in range(3):
        site.push(person.change())
        time.sleep(0.7)
    proxy.order(cut_every=None)
    site.push(person.change())
    check("HTTP/2 connections that are cut again and again: everything converges", until(lambda: settled(c, site, [running]), LONG),
          story(c, site), parent(c), running.log())
    proxy.order(rules=[{"do": "cut", "bytes": [1000, 30000], "p": 0.7, "times": 12}], cut_all=True)
    site.push(person.change())
    check("cut in the middle of a frame: everything converges", until(lambda: settled(c, site, [running]), LONG), story(c, site), parent(c),
          running.log())
    proxy.order(rules=[], pause=True)
    site.push(person.change())
    time.sleep(2)
    proxy.order(pause=False)
    check("a pause of everything: everything converges", until(lambda: settled(c, site, [running]), LONG), story(c, site), running.log())


def compact(c):
    """etcd forgets everything but the newest."""
    port = re.search(r"listen-client-urls http://127\.0\.0\.1:(\d+)", c.read("etcd.cmd")).group(1)

    def ask(where, body):
        q = urllib.request.Request("http://127.0.0.1:%s/v3/kv/%s" % (port, where), json.dumps(body).encode())
        with urllib.request.urlopen(q, timeout=20) as answer:
            return json.loads(answer.read())
    revision = int(ask("range", {"key": "AA==", "limit": "1"})["header"]["revision"])
    ask("compaction", {"revision": str(revision), "physical": True})


def server_goes(c, site, person, proxy):
    """Ten seconds without a server, which has forgotten its history when it comes back. The scheduler begins anew with it: once in a dozen runs it
    took no notice of a pod that was remade meanwhile, for minutes."""
    c.stop_part("kube-scheduler", "kube-apiserver")
    before, begin = proxy.counts()["connections"], time.monotonic()
    site.push(person.change())
    compact(c)
    time.sleep(10)
    tries = until(lambda: proxy.counts()["connections"] - before)
    took = time.monotonic() - begin
    check("a server that is down is not hammered: %d tries in %.0f s" % (tries, took), 0 < tries < 15 * took)
    mark = c.mark()
    c.start_part("kube-apiserver", "kube-scheduler")
    check("the server is back: everything converges", until(lambda: settled(c, site, [running]), LONG), story(c, site), parent(c), running.log(),
          c.read("kube-scheduler.log")[-2000:])
    lists = lambda: [k for k in c.asked(mark) if k[0] == "list"]
    check("what was watched is listed anew after 410", until(lambda: len(lists()) > 5), c.asked(mark))


def start(site, where, stop=True):
    global running
    if running and stop:
        check("the daemon stops", running.stop() == 0, running.log())
    running = KubeDaemon(site.bare, site.clone + ".state", where)


running = None
with Cluster(nodes=NODES, audit=True) as cluster:
    cluster.bind("cluster-admin")
    who = Person(3)
    repo = make_site("envs", who)
    http1, http2 = Proxy(cluster), Proxy(cluster, raw=True)
    start(repo, cluster.kubeconfig(port=http1.port))
    repo.push({k: v for _ in range(3) for k, v in who.change().items()})
    check("a daemon behind the proxy applies", until(lambda: settled(cluster, repo, [running]), LONG), story(cluster, repo), running.log())
    for fault in FAULTS:
        one_fault(cluster, repo, who, http1, *fault)
    pages_expire(cluster, repo, who, http1)
    token_expires(cluster, repo, who, http1)
    silent(cluster, repo, who, http1)
    not_said(cluster, repo, who, http1)
    forgotten(cluster, repo, http1)
    at_rest(cluster, http1)
    start(repo, cluster.kubeconfig(port=http2.port))
    raw(cluster, repo, who, http2)
    server_goes(cluster, repo, who, http2)
    check("at the end everything is at rest", converges(cluster, repo, running), story(cluster, repo), running.log())
    check("the daemon stops", running.stop() == 0, running.log())
    compare(cluster, repo, Clean(repo), who)
done()

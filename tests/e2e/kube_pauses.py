#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One of two leads: the other takes over when the leader stops, dies or is stopped for longer than its lease, and the API server's audit
log shows no request of a leader after its lease's end.

usage: kube_pauses.py [PAUSES] [PAIRS]     TORTURE_SEED=n repeats commits and waits

A pair is two daemons on two state folders with one repository and one inventory; several pairs share a cluster. A pause is SIGSTOP
of whoever leads, at a random moment under load, for 16 to 20 s, then SIGCONT. Each daemon asks with a token of its own.
"""
import datetime
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

import kube
from kube import Cluster, KubeDaemon, path, when
from kube_torn import NODES, Person, converges, make_site, parent
from lab import WAIT, check, done, folder, note, until

kube.skip_without_peers()
PAUSES = int(sys.argv[1]) if len(sys.argv) > 1 else 4
PAIRS = int(sys.argv[2]) if len(sys.argv) > 2 else 2
SEED = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(1 << 30))
LEASE_S = 15  # lib/kube/lease.h
SLACK_S = 30  # to take over, beyond what the lease says: sanitizers and busy machines
note("seed %d (TORTURE_SEED=%d repeats it), %d pauses, %d pairs" % (SEED, SEED, PAUSES, PAIRS))


def account(c, user):
    """A user of the cluster's with a certificate of its own; its kubeconfig file."""
    pki, name = os.path.join(c.dir, "pki"), os.path.join(folder, user)
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3", "-x509",
                         "-config", pki + "/openssl.cnf", "-extensions", "client", "-CA", pki + "/ca.crt", "-CAkey", pki + "/ca.key",
                         "-subj", "/CN=" + user, "-keyout", name + ".key", "-out", name + ".crt"], check=True, cwd=folder,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    c.bind("cluster-admin", user)
    with open(c.kubeconfig("cert"), encoding="utf-8") as f:
        text = f.read()
    text = text.replace(pki + "/client.crt", name + ".crt").replace(pki + "/client.key", name + ".key")
    with open(name + ".config", "w", encoding="utf-8") as f:
        f.write(text)
    return name + ".config"


starting = threading.Lock()


class Pair(threading.Thread):
    """Two daemons, a person who keeps committing, and somebody who stops whoever leads."""

    def __init__(self, c, number):
        super().__init__(daemon=True)
        self.c, self.number, self.inventory = c, number, "pair%d" % number
        self.rng, self.person = random.Random(SEED + number), Person(SEED + number, users=2)
        self.site = make_site("pair%d" % number, self.person)
        self.site.push({"berth.yaml": self.site.read("berth.yaml").replace("namespacePrefix: dev-", "namespacePrefix: p%d-" % number),
                        **{"templates/org/%s.yaml" % n: "null\n" for n in ("clusterrole", "priorityclasses", "resourceflavors")}})
        self.users = ["berth-%d-%s" % (number, x) for x in "ab"]
        self.configs = [account(c, u) for u in self.users]
        self.daemons, self.all, self.trouble, self.pauses, self.overs, self.margin = [None, None], [[], []], None, 0, [], 99
        self.given_back = False
        self.ended = threading.Event()

    def start_daemon(self, i):
        with starting:  # they are numbered
            d = KubeDaemon(self.site.bare, "%s.state%d" % (self.site.clone, i), self.configs[i], "--lease", "--inventory", self.inventory)
        self.daemons[i] = d
        self.all[i].append(d)

    def lease(self):
        return (self.c.get("lease", "berth-system", self.inventory) or {}).get("spec", {})

    def leader(self):
        """Index of who leads by its own word, which names the lease's holder; None."""
        holder = self.lease().get("holderIdentity")
        for i, d in enumerate(self.daemons):
            if holder and d and "leading as %s\n" % holder in d.log() and d.alive():
                return i
        return None

    def wait_leader(self, *but):
        got = until(lambda: [i for i in [self.leader()] if i is not None and i not in but], LEASE_S + SLACK_S + WAIT)
        if not got:
            raise RuntimeError("nobody leads: %r %r" % (self.lease(), [d.log()[-2000:] for d in self.daemons]))
        return got[0]

    def taken_over(self, what, act, limit):
        """The other one leads within `limit` s after act(leader)."""
        old = self.wait_leader()
        act(self.daemons[old])
        begin = time.monotonic()
        new = self.wait_leader(old)
        self.overs.append((what, time.monotonic() - begin, limit))
        return old, new

    def pause(self):
        """The leader is stopped in the middle of its work, and goes on when the other one has long begun."""
        old = self.wait_leader()
        self.site.push(self.person.change(6))
        time.sleep(self.rng.random() ** 2 * 1.5)
        p = self.daemons[old].p
        p.send_signal(signal.SIGSTOP)
        self.wait_feeding(self.rng.uniform(16, 20))
        p.send_signal(signal.SIGCONT)
        self.wait_feeding(self.rng.uniform(0.5, 2))
        self.wait_leader()
        self.pauses += 1

    def wait_feeding(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(2, max(0, end - time.monotonic())))
            self.site.push(self.person.change())

    def run(self):
        try:
            for i in (0, 1):
                self.start_daemon(i)
            self.wait_leader()
            for _ in range(PAUSES // PAIRS + (self.number < PAUSES % PAIRS)):
                self.pause()
            old, _ = self.taken_over("SIGTERM", lambda d: d.stop(), SLACK_S)
            self.given_back = until(lambda: any(not v.get("holderIdentity") for v in watcher.seen.get(self.inventory, [])))
            self.start_daemon(old)
            old, _ = self.taken_over("kill -9", lambda d: d.stop(signal.SIGKILL), LEASE_S + SLACK_S)
            self.start_daemon(old)
            self.site.push(self.person.change())
            if not converges(self.c, self.site, *self.daemons, inventory=self.inventory):
                raise RuntimeError("does not converge: %r %r" % (self.site.phases(), [d.log()[-2000:] for d in self.daemons]))
        except Exception as e:  # pylint: disable=broad-except
            self.trouble = e  # shown by the main thread
        self.ended.set()


class Writes(threading.Thread):
    """Every version of every lease, as the API server gave them out: who held it from when to when."""

    def __init__(self, c):
        super().__init__(daemon=True)
        self.c, self.seen, self.trouble = c, {}, None

    def run(self):
        try:
            ask = http.client.HTTPSConnection("127.0.0.1", self.c.port, context=self.c.tls)
            ask.request("GET", path("lease", "berth-system") + "?watch=1&timeoutSeconds=7200", None, {"Authorization": "Bearer " + self.c.token()})
            answer = ask.getresponse()
            while line := answer.readline():
                thing = json.loads(line).get("object", {})
                if thing.get("kind") == "Lease":
                    self.seen.setdefault(thing["metadata"]["name"], []).append(thing["spec"])
        except (OSError, ValueError, http.client.HTTPException) as e:
            self.trouble = e


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def terms_of(versions):
    """holder -> [from, to, full]: it leads from its first renewal to 15 s after the last, or (not full) to when it gave the lease back."""
    out, now = {}, None
    for spec in versions:
        at, holder = moment(spec["renewTime"]), spec.get("holderIdentity", "")
        if now and not holder:
            out[now][-1][1:] = at, False
        elif holder and now == holder and at < out[now][-1][1]:
            out[now][-1][1] = at + LEASE_S
        elif holder:
            out.setdefault(holder, []).append([at, at + LEASE_S, True])
        now = holder or None
    return out


def late(pair, i, terms, events):
    """Requests of daemon i, other than about leases, outside of its terms: (seconds after the end, what)."""
    own = {w for d in pair.all[i] for w in re.findall(r"leading as (\S+)", d.log())}
    told = sorted(when(e) for e in events if e.get("objectRef", {}).get("resource") == "leases" and e["user"]["username"] == pair.users[i])
    # a lease that is given back is held until the API server has heard of that
    mine = sorted((a, b if full else next((t for t in told if t >= b), b), full) for w in own for a, b, full in terms.get(w, []))
    out = []
    for e in events:
        if e.get("objectRef", {}).get("resource") == "leases" or e["user"]["username"] != pair.users[i]:
            continue
        at = when(e)
        left = [(b - at, full) for a, b, full in mine if a <= at <= b]
        if left:
            pair.margin = min([pair.margin] + [x for x, full in left if full])
        else:
            out.append((round(at - max([b for _, b, _ in mine if b < at], default=at), 3), e["verb"], e["requestURI"][:120]))
    return out


names = ["berth-%d-%s" % (n, x) for n in range(PAIRS) for x in "ab"]
with Cluster(nodes=NODES, audit=names) as cluster:
    cluster.api("PATCH", path("ns", None, "berth-system"), {"metadata": {"labels": {"a": "b"}}})
    watcher = Writes(cluster)
    watcher.start()
    pairs = [Pair(cluster, n) for n in range(PAIRS)]
    for x in pairs:
        x.start()
    for x in pairs:
        x.ended.wait()
    for x in pairs:
        check("pair %d: after %d pauses, a SIGTERM and a kill -9 everything converges" % (x.number, x.pauses), not x.trouble, repr(x.trouble))
        check("pair %d: who is told to stop gives the lease back" % x.number, x.given_back)
        for what, took, limit in x.overs:
            check("pair %d: after %s the other one leads in time (%.1f s)" % (x.number, what, took), took < limit)
        check("pair %d: nothing is left of a deletion under way" % x.number, parent(cluster, x.inventory).get("deleting", "") == "")
        for d in x.daemons:
            d.stop()
    logged = cluster.audit(user=None)
    for x in pairs:
        terms = terms_of(watcher.seen.get(x.inventory, []))
        holders = [(a, b, w) for w, ts in terms.items() for a, b, _ in ts]
        ends = sorted((a, b) for w, ts in terms.items() for a, b, _ in ts)
        check("pair %d: of %d terms none begins before the one before it has ended" % (x.number, len(ends)),
              len(ends) >= x.pauses and all(b <= a for (_, b), (a, _) in zip(ends, ends[1:])), holders)
        for i, user in enumerate(x.users):
            bad = late(x, i, terms, logged)
            check("%s: no request outside of its terms" % user, not bad, bad[:20], holders)
        note("pair %d: %d requests, the nearest to the end of a lease that was not given back %.1f s before it" % (
            x.number, len([e for e in logged if e["user"]["username"] in x.users]), x.margin))
done()

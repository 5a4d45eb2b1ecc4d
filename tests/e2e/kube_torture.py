#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments while commits keep arriving, against a real control plane: what is there afterwards is what an
uninterrupted run leaves, a deletion that a person allowed is finished, and one that nobody allowed never begins.

usage: kube_torture.py [KILLS]     TORTURE_SEED=n repeats commits and waits (moments differ by the machine's load)
"""
import os
import random
import signal
import sys
import threading
import time

import kube
from kube import Cluster, KubeDaemon
from kube_torn import NODES, Clean, Person, compare, converges, make_site, parent, settled
from lab import WAIT, check, done, env_spec, note, until

kube.skip_without_peers()
KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 50
SEED = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(1 << 30))
MANY, LAST = 5, max(4, KILLS // 6)  # environments deleted at once; kills while they go
LONG = 3 * WAIT
PARTS = max(2, KILLS // 100)  # between two of them a daemon is left alone
rng = random.Random(SEED)
note("seed %d (TORTURE_SEED=%d repeats it), %d kills" % (SEED, SEED, KILLS))


class Feeder(threading.Thread):
    """A person who pushes one commit after the other until told to stop."""

    def __init__(self, site, person, pause, part):
        super().__init__(daemon=True)
        self.site, self.person, self.pause = site, person, pause
        self.rng, self.stop, self.trouble, self.made = random.Random(SEED + 2 + part), threading.Event(), None, 0

    def run(self):
        try:
            while not self.stop.is_set():
                self.site.push(self.person.change())
                self.made += 1
                self.stop.wait(self.rng.random() * 2 * self.pause)
        except Exception as e:  # pylint: disable=broad-except
            self.trouble = e  # shown by the main thread

    def end(self):
        self.stop.set()
        self.join()


def moment(site, cluster, deleting=False):
    """Waits for one: soon after the start, right after a commit, anywhere, or once deletions have been decided."""
    kind = rng.choices(["start", "commit", "any", "decided"], [5, 3, 2, 8 if deleting else 0])[0]
    wait, end = rng.random(), time.monotonic() + 4
    if kind == "start":
        time.sleep(wait * 0.5)
    elif kind == "any":
        time.sleep(wait * 3)
    elif kind == "commit":
        before = site.tip("main")
        while site.tip("main") == before and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(wait * 0.3)
    else:
        while not parent(cluster).get("deleting") and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(wait * wait)
    return kind


class Killer:
    """Daemons on one state folder, each killed; once in a while on an empty one, as after a lost disk or a take-over."""

    def __init__(self, site, cluster):
        self.site, self.cluster, self.state = site, cluster, site.state()
        self.ended, self.kinds, self.logs = 0, {}, []

    def kill(self, deleting=False):
        daemon = KubeDaemon(self.site.bare, self.state, self.cluster)
        kind = moment(self.site, self.cluster, deleting)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        rc = daemon.stop(signal.SIGKILL)
        if rc != -signal.SIGKILL:
            self.ended += 1
            self.logs.append(daemon.log())

    def fresh(self):
        self.state = self.site.state()


def held(site, names):
    docs = site.status()
    return all(docs.get(n, {}).get("pending", {}).get("reason") == "GuardHeld" for n in names)


def many(person, word):
    """Environments that are put up to be deleted at once."""
    names = ["u%d/%s%d" % (i % person.users, word, i) for i in range(MANY)]
    for n in names:
        person.live[n] = env_spec("tiny", "  lifecycle: {onDelete: purge}\n")
    return {"envs/%s.yaml" % n: person.live[n] for n in names}


def name_of(path):
    return path[len("envs/"):-len(".yaml")]


def delete_many(c, site, person, killer):
    """What a person allowed is finished, and counts once; what nobody allowed stays, also for a process that knows nothing."""
    first, second = many(person, "many"), many(person, "more")
    org = site.read("berth.yaml").replace("maxDelete: 1000, maxDeleteFraction: 1.0", "maxDelete: 3, maxDeleteFraction: 0.1")
    site.push({**first, **second, "berth.yaml": org}, "many")
    d = KubeDaemon(site.bare, killer.state, c)
    check("%d environments that are to go are Ready" % (2 * MANY), until(lambda: settled(c, site, [d]), LONG), site.phases(), d.log())
    d.stop()
    for p in first:
        del person.live[name_of(p)]
    site.push({p: None for p in first}, "away\n\nBerth-Allow-Delete: %d" % MANY)
    for _ in range(LAST):
        killer.kill(deleting=True)
    d = KubeDaemon(site.bare, killer.state, c)
    good = until(lambda: settled(c, site, [d]), LONG)
    check("a deletion that was allowed is finished after %d kills" % LAST, good, site.phases(), parent(c), d.log())
    d.stop()

    site.push({p: None for p in second}, "more away")
    for i in range(LAST):
        if i == LAST // 2:
            killer.fresh()
        killer.kill()
    d = KubeDaemon(site.bare, killer.state, c)
    names = [name_of(p) for p in second]
    good = until(lambda: held(site, names), LONG)
    check("another one, which nobody allowed, is held", good, site.phases(), parent(c), d.log())
    d.stop()
    gone = [n for n in names if not c.get("sts", "dev-" + n.split("/")[0], n.split("/")[1])]
    check("and nothing of it has gone", not gone and not parent(c).get("deleting"), gone, parent(c))
    site.push(second, "back")


with Cluster(nodes=NODES) as cluster:
    cluster.bind("cluster-admin")
    who = Person(SEED + 1)
    repo = make_site("envs", who, "maxDelete: 1000, maxDeleteFraction: 1.0")
    torn = Killer(repo, cluster)
    begin = time.monotonic()
    for part in range(PARTS):
        feeder = Feeder(repo, who, 0.6, part)
        feeder.start()
        for n in range((KILLS - 2 * LAST) // PARTS):
            torn.kill()
            if rng.random() < 0.03:
                torn.fresh()
        feeder.end()
        check("commits were pushed all the while", not feeder.trouble and feeder.made > 1, repr(feeder.trouble))
        breath = KubeDaemon(repo.bare, torn.state, cluster)
        check("a daemon that is left alone gets everything Ready", until(lambda: settled(cluster, repo, [breath]), LONG), repo.phases(),
              parent(cluster), breath.log())
        breath.stop()
        who.applied()
    note("%d commits, kills at %s, %.0f s" % (len(repo.commits("main")), torn.kinds, time.monotonic() - begin))
    delete_many(cluster, repo, who, torn)
    check("the daemon ended by none but our kills", torn.ended == 0, *torn.logs[:2])
    last = KubeDaemon(repo.bare, torn.state, cluster)
    check("after the last start everything becomes Ready", converges(cluster, repo, last), repo.phases(),
          parent(cluster), last.log())
    check("it stops", last.stop() == 0, last.log())
    clean = Clean(repo)
    compare(cluster, repo, clean, who)
done()

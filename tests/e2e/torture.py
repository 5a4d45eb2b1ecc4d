#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments while commits keep arriving: what is there afterwards is what an uninterrupted run leaves.

usage: torture.py [KILLS]        TORTURE_SEED=n repeats the same commits and waits (moments differ by the machine's load)
"""
import os
import random
import signal
import sys
import threading
import time

from lab import RENDERED, STATUS, WAIT, Daemon, Site, check, done, env_spec, git, note, until, user_spec

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
SEED = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(1 << 30))
USERS, COMMITS = 6, KILLS * 2 + 10
rng = random.Random(SEED)
note("seed %d (TORTURE_SEED=%d repeats it), %d kills, %d commits" % (SEED, SEED, KILLS, COMMITS))

GUARDS = "maxDelete: 3, maxDeleteFraction: 0.25"


def spec():
    more = "  persistentHomeSize: %dGi\n" % rng.randrange(10, 90) if rng.random() < 0.7 else ""
    return env_spec(rng.choice(["cpu-small", "gpu-small"]), more)


def make_commits(site, org):
    """Commits on top of main, written by fast-import: a list of (path -> text or None)."""
    live, out = set(), []
    flavor = site.read("flavors/gpu-small.yaml")
    for n in range(COMMITS):
        change = {}
        for _ in range(rng.choice([1, 1, 1, 2, 4])):
            path = "envs/u%d/e%d.yaml" % (rng.randrange(USERS), rng.randrange(12))
            if path in live and rng.random() < 0.3:
                change[path] = None
            else:
                change[path] = spec()
        if n == COMMITS // 3:  # more than 500 objects: a pack
            change |= {"envs/u%d/many%d.yaml" % (i % USERS, i): spec() for i in range(90)}
        if n == COMMITS // 2:
            change["flavors/gpu-small.yaml"] = flavor.replace("spec:", "# moved\nspec:", 1).replace("memory: 32Gi", "memory: 24Gi")
        if n == COMMITS // 4:  # a commit that cannot be adopted, mended by the next
            change["berth.yaml"] = org.replace("currency", "curency")
        if n == COMMITS // 4 + 1:
            change["berth.yaml"] = org
        if n % 9 == 4:  # a spec that is wrong for a while
            change["envs/u0/wrong.yaml"] = env_spec("no-such-flavor")
        if n % 9 == 7 or n == COMMITS - 1:
            change["envs/u0/wrong.yaml"] = env_spec()
        for path, text in change.items():
            (live.discard if text is None else live.add)(path)
        out.append(change)
    return out


def import_commits(site, changes):
    """Their ids, oldest first. Nothing is pushed yet."""
    head = git(site.clone, "rev-parse", "HEAD")
    stream = []
    for n, change in enumerate(changes):
        stream.append("commit refs/heads/feed\ncommitter Alice <alice@example.com> %d +0000\ndata 4\nfeed\n" % (1_800_000_000 + n))
        if n == 0:
            stream.append("from %s\n" % head)
        for path, text in sorted(change.items()):
            stream.append("D %s\n" % path if text is None else "M 100644 inline %s\ndata %d\n%s\n" % (path, len(text.encode()), text))
    git(site.clone, "fast-import", "--quiet", data="".join(stream).encode())
    return git(site.clone, "rev-list", "--reverse", "%s..feed" % head).splitlines()


class Feeder(threading.Thread):
    """A person who pushes one commit after the other, in his own time; once in a while somebody runs git gc."""

    def __init__(self, site, ids, pause):
        super().__init__(daemon=True)
        self.site, self.ids, self.pause = site, ids, pause
        self.rng = random.Random(SEED + 1)
        self.trouble = None

    def run(self):
        try:
            for n, commit in enumerate(self.ids):
                git(self.site.clone, "push", "-q", "origin", "%s:refs/heads/main" % commit)
                if n % 40 == 20:
                    git(self.site.bare, "gc", "-q")
                time.sleep(self.rng.random() * self.pause * 2)
        except Exception as e:  # shown by the main thread
            self.trouble = e


def settle_start(bare, clone, ids):
    """bo/broken gets live with the first commit and invalid with the second."""
    state = bare.state()
    for commit, calm in ((ids[0], lambda: bare.phases().get("bo/broken") == "Rendered"),
                         (ids[1], lambda: bare.status().get("bo/broken", {}).get("pending", {}).get("reason") == "Invalid")):
        git(clone, "push", "-q", bare.bare, commit + ":refs/heads/main")
        daemon = Daemon(bare.bare, state)
        good = until(calm)
        daemon.stop()
    return good, state


site = Site("envs", {"users/u%d.yaml" % u: user_spec(u) for u in range(USERS)} | {"envs/bo/broken.yaml": env_spec("gpu-small")})
org = site.read("berth.yaml").replace(GUARDS, "maxDelete: 100000, maxDeleteFraction: 0.25")
assert "100000" in org
first = [site.tip("main")]
site.write({"envs/bo/broken.yaml": env_spec("gone"), "berth.yaml": org})
first.append(site.save("broken"))
git(site.bare, "config", "gc.auto", "0")
good, state = settle_start(site, site.clone, first)
check("before the first kill: bo/broken is live, and its newest spec is not valid", good)
begin = time.monotonic()
daemon = Daemon(site.bare, state)
until(lambda: "looked at" in daemon.log())
took = time.monotonic() - begin  # a start on this machine, now
daemon.stop()
ids = import_commits(site, make_commits(site, org))



def wait_for_moment(site, longest):
    """Any moment, or one that matters: a ref is locked, or the manifests are there and the status is not yet."""
    end = time.monotonic() + rng.random() * longest
    kind = rng.choice(["any", "any", "locked", "between"])
    lock, ref = (os.path.join(site.bare, "refs/heads", RENDERED) + x for x in (".lock", ""))
    before = site.tip(RENDERED)
    if kind == "any":
        time.sleep(max(0, end - time.monotonic()))
        return
    while time.monotonic() < end + longest:
        if kind == "locked" and os.path.exists(lock):
            return
        try:
            with open(ref, encoding="ascii") as f:
                if kind == "between" and f.read().strip() != before:
                    time.sleep(rng.random() * 0.02)
                    return
        except OSError:
            pass  # packed


span = took * 2 + 0.25
feeder = Feeder(site, ids, span * KILLS / COMMITS * 0.6)
feeder.start()
locks, ended = 0, 0
for _ in range(KILLS):
    daemon = Daemon(site.bare, state)
    wait_for_moment(site, span)
    ended += daemon.stop(signal.SIGKILL) != -signal.SIGKILL
    for lock in site.locks():
        if "/refs/heads/berth/" in lock and os.path.exists(lock):
            locks += 1
            if rng.random() < 0.8:  # as if ten seconds had gone by; the others are waited for
                old = time.time() - 60
                os.utime(lock, (old, old))
feeder.join()
check("every commit was pushed", not feeder.trouble and site.tip("main") == ids[-1], repr(feeder.trouble))
check("the daemon ended by none but our kills", ended == 0)
note("killed %d times within %.2f s of its start; %d times a .lock was left" % (KILLS, span, locks))

calm = Site("calm", mirror=True)
calm_good, calm_state = settle_start(calm, site.clone, first)
check("an uninterrupted run starts from the same", calm_good)
git(site.clone, "push", "-q", calm.bare, "%s:refs/heads/main" % ids[-1])
reference = Daemon(calm.bare, calm_state)
check("and goes through", until(lambda: "%.12s: " % ids[-1] in reference.log(), 2 * WAIT), reference.log())
time.sleep(1)
check("and stops", reference.stop() == 0)

last = Daemon(site.bare, state)
check("after the last start it takes over the last commit", until(lambda: "%.12s: " % ids[-1] in last.log(), 2 * WAIT), last.log())
want, tree = calm.blanked(), git(calm.bare, "rev-parse", RENDERED + "^{tree}")
until(lambda: site.blanked() == want)
check("it stops", last.stop() == 0, last.log())
check("no lock is stuck", not site.locks(), site.locks())
check("git fsck is content", site.fsck() == "", site.fsck())
check("the rendered branch is byte for byte that of the uninterrupted run", git(site.bare, "rev-parse", RENDERED + "^{tree}") == tree,
      git(site.bare, "diff", "--stat", RENDERED, tree, ok=False)[2].decode())
got = site.blanked()
check("the status branch too, times, run and commits blanked", got == want,
      ["%s: %r\nwant %r" % (p, got.get(p), want.get(p)) for p in sorted(set(got) | set(want)) if got.get(p) != want.get(p)][:3])
check("bo/broken still has its last good version", site.phases().get("bo/broken") == "Rendered" and
      len(site.names(RENDERED, "envs/bo/broken")) > 3)
for branch in (RENDERED, STATUS):
    check("%s is one line of commits" % branch, git(site.bare, "rev-list", "--count", branch) ==
          git(site.bare, "rev-list", "--count", "--first-parent", branch))
done()

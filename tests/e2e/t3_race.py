#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two daemons and a person at once on one bare repository: nobody's commit is lost, and the daemons do not answer each other."""
import os
import re
import time

from lab import RENDERED, STATUS, WAIT, Daemon, Site, check, done, env_spec, git, note, once, until

COMMITS = 40
site = Site("envs")
bare = site.bare

# Every move of the two branches is written down by git's own hook-free way: a list of tips as they are seen.
daemons = [Daemon(bare, site.state()) for _ in range(2)]
check("both daemons see the start", until(site.all_rendered), daemons[0].log(), daemons[1].log())

seen = {RENDERED: [], STATUS: []}


def look():
    for branch, tips in seen.items():
        tip = site.tip(branch)
        if tip and (not tips or tips[-1] != tip):
            tips.append(tip)


mine = []
n = 0
while n < COMMITS or (min(map(len, seen.values())) < 6 and n < 10 * COMMITS):  # a slow machine does much in one pass
    name = "envs/%s/r%d.yaml" % (("alice", "bo", "dana")[n % 3], n % 6)
    if n % 7 == 5 and os.path.exists(os.path.join(site.clone, name)):
        files = {name: None}
    else:
        files = {name: env_spec(("cpu-small", "gpu-small")[n % 2], "  persistentHomeSize: %dGi\n" % (20 + n))}
    mine.append(site.push(files, "commit %d" % n))
    for _ in range(n % 5):
        look()
        time.sleep(0.02)
    n += 1
mine.append(site.push({"envs/alice/last.yaml": env_spec()}, "the last one"))


def at_rest():
    """Manifests come first and the status later: that tells of the last commit, and for four seconds nothing has moved."""
    told = site.status().get("alice/last", {}).get("observed", {}).get("commit") == mine[-1] and site.all_rendered()
    now = (site.tip(RENDERED), site.tip(STATUS)) if told else None
    if now != rest[0] or not told:
        rest[:] = now, time.monotonic()
    look()
    return told and time.monotonic() - rest[1] > 4


rest = [None, 0]
check("the daemons come to rest on the last commit", until(lambda: all("%.12s: " % mine[-1] in d.log() for d in daemons), 2 * WAIT) and until(at_rest),
      daemons[0].log(), daemons[1].log())
tips = site.tip(RENDERED), site.tip(STATUS)
objects = git(bare, "count-objects")
time.sleep(3)
check("at rest neither branch moves", (site.tip(RENDERED), site.tip(STATUS)) == tips)
check("and nothing is written", git(bare, "count-objects") == objects)
check("both stop", [d.stop() for d in daemons] == [0, 0])
check("all of the person's commits are in main", set(mine) <= set(site.commits("main")))
for branch in (RENDERED, STATUS):
    line = git(bare, "rev-list", "--first-parent", branch).splitlines()
    check("%s is one line" % branch, set(line) == set(site.commits(branch)) and
          git(bare, "rev-list", "--min-parents=2", branch) == "")
    lost = [t for t in seen[branch] if t not in line]
    check("no tip of %s that was seen has been lost" % branch, len(seen[branch]) > 5 and not lost, lost)
# a daemon logs each commit that it made: all of them are there, nobody else's
for branch, pattern in ((RENDERED, r"; committed in \d+ ms"), (STATUS, r"committed to " + STATUS)):
    logged = sum(len(re.findall(pattern, d.log())) for d in daemons)
    there = len(site.commits(branch))
    check("%s has as many commits as the daemons say they made" % branch, logged == there, "%d logged, %d there" % (logged, there))
    note("%s: %d commits" % (branch, there))
sources = re.findall(r"Berth-Source-Commit: (\w+)", git(bare, "log", "--reverse", "--format=%B", RENDERED))
order = {c: i for i, c in enumerate(git(bare, "rev-list", "--reverse", "main").splitlines())}
check("the rendered branch never goes back behind main", [order[s] for s in sources] == sorted(order[s] for s in sources), sources)
check("no daemon had trouble", not any(re.search(" error |Sanitizer|runtime error", d.log()) for d in daemons),
      daemons[0].log(), daemons[1].log())
check("nothing is half-written", site.fsck() == "" and not site.locks(), site.fsck())

alone = Site("alone")
git(alone.bare, "fetch", "-q", bare, "+main:main")
check("one pass from nothing", once(alone.bare, alone.state()).rc == 0)
check("gives the same rendered tree", git(alone.bare, "rev-parse", RENDERED + "^{tree}") == git(bare, "rev-parse", RENDERED + "^{tree}"))
check("and the same status", alone.blanked() == site.blanked(), {p: v for p, v in site.blanked().items() if alone.blanked().get(p) != v})
done()

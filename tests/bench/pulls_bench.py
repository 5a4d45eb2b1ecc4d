#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pull requests: what planning one costs, what a look at rest costs, how long a push waits for its checks; each beside a floor of the same run.

usage: pulls_bench.py FOLDER        writes FOLDER/pulls.txt and FOLDER/pulls.json; $BERTH is the program
The forge is the small one of the tests (tests/e2e/forge_small.py): Gitea's shapes without Gitea's time. PULLS_SIZES environments in main (1000; and 10000
with BENCH_FULL), PULLS_N (40) pull requests of one changed environment each, PULLS_OPEN (200) on the list at rest, PULLS_PUSHES (15).
"""
import hashlib
import hmac
import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

import bench
from bench import BERTH, ENV, results, row, rows

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import lab  # noqa: E402
from forge_small import Pulls  # noqa: E402
from lab import env_spec, git, until  # noqa: E402

SECRET, ROUNDS, LONG = "It's a Secret to Everybody", 5, 600


def setting(name, usual):
    return [int(x) for x in (os.environ.get("PULLS_" + name) or usual).split()]


def run_ms(pid):
    return bench.run_ns(pid) / 1e6


def least_ms(argv):
    """Processor time of a command, the least of some rounds."""
    got = []
    for _ in range(ROUNDS):
        p = subprocess.Popen(argv, env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, _, used = os.wait4(p.pid, 0)
        p.returncode = 0
        got.append((used.ru_utime + used.ru_stime) * 1e3)
    return min(got)


def quiet(pid):
    """Its first pass and the status after it are over."""
    lab.still(lambda: run_ms(pid) // 100, 3, LONG)


class Place:
    """A repository of n environments, five an owner, and a daemon that knows it already."""

    def __init__(self, n):
        self.n, self.p = n, Pulls("1s")
        made, self.port, secret = os.path.join(lab.folder, "gen%d.git" % n), lab.free_port(), os.path.join(lab.folder, "hook-secret")
        subprocess.run([sys.executable, os.path.join(HERE, "gen_repo.py"), str(n), self.p.site.clone, made], env=ENV, check=True)
        git(self.p.site.bare, "fetch", "-q", "--force", "--update-head-ok", made, "main:main")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(SECRET)
        self.args, self.state, self.f = ("--listen", "127.0.0.1:%d" % self.port, "--hook-secret", secret), self.p.site.state(), self.p.forge
        self.run()
        until(lambda: self.p.site.tip(lab.STATUS), LONG)
        quiet(self.pid)

    def run(self, interval="1s"):
        """Anew, where it runs already."""
        if self.p.d:
            self.p.d.stop()
        mark, self.p.interval = self.f.mark(), interval
        self.p.run(*self.args, state=self.state)
        self.pid = self.p.d.p.pid
        until(lambda: self.f.asked(mark)["GET pulls"], LONG)

    def spent(self, go, done):
        """Processor milliseconds from `go` until `done`, without what the same time at rest takes."""
        at, ms = time.monotonic(), run_ms(self.pid)
        time.sleep(3)
        rest = (run_ms(self.pid) - ms) / (time.monotonic() - at)
        at, ms = time.monotonic(), run_ms(self.pid)
        go()
        if not until(done, LONG):
            sys.exit("it does not come:\n" + self.p.d.log()[-3000:])
        return run_ms(self.pid) - ms - rest * (time.monotonic() - at)

    def end(self):
        self.p.d.stop()


def text(n):
    return "{:,}".format(n)


def planning(w, count):
    heads = w.p.open_many([{"envs/u%05d/e%05d.yaml" % (i // 5, i): env_spec(more="  resources: {cpu: 3}\n")} for i in range(0, 5 * count, 5)])
    listed = dict(w.f.pulls)
    w.f.pulls.clear()
    quiet(w.pid)
    each = w.spent(lambda: w.f.pulls.update(listed), lambda: w.f.asked()["POST issues"] >= count) / count
    diff = least_ms(["git", "-C", w.p.site.bare, "diff", "--stat", "main", heads[1]])
    tree = least_ms(["git", "-C", w.p.site.bare, "merge-tree", "--write-tree", "main", heads[1]])
    row("a pull request among %s environments" % text(w.n), "%.1f ms" % each, "processor time, three writes included; / git diff --stat (%.1f ms)" % diff,
        "%.1f" % (each / diff))
    row("  beside git merge-tree of the same commits", "%.1f ms" % tree, "a pull request / git merge-tree", "%.1f" % (each / tree))
    last = "envs/u%05d/e%05d.yaml" % ((w.n - 1) // 5, w.n - 1)
    blob = git(w.p.site.bare, "hash-object", "-w", "--stdin", data=env_spec("gpu-small").encode())
    index = {"GIT_INDEX_FILE": os.path.join(lab.folder, "index.move")}
    git(w.p.site.bare, "read-tree", "main", env=index)
    git(w.p.site.bare, "update-index", "--add", "--cacheinfo", "100644,%s,%s" % (blob, last), env=index)
    commit = git(w.p.site.bare, "commit-tree", git(w.p.site.bare, "write-tree", env=index), "-p", "main", "-m", "x")
    mark = w.f.mark()
    moved = w.spent(lambda: git(w.p.site.bare, "update-ref", "refs/heads/main", commit), lambda: "main is at %s: %d" % (commit[:7], count) in w.p.d.log())
    row("  main moves elsewhere, %d open" % count, "%.1f ms" % moved, "with the daemon's pass, %d writes; / planning them all" % w.f.writes(mark),
        "%.3f" % (moved / (each * count)))
    return {"pull_ms": each, "diff_ms": diff, "merge_tree_ms": tree, "main_moves_ms": moved, "open": count}


def at_rest(w, count):
    """The list in full, as Gitea gives it at every look."""
    sha = git(w.p.site.bare, "rev-parse", "main")
    for n in range(1000, 1000 + count - len(w.f.pulls)):
        w.f.add(n, sha, body="x" * 3000)
    quiet(w.pid)
    mark, at, ms = w.f.mark(), time.monotonic(), run_ms(w.pid)
    time.sleep(10)
    with w.f.lock:
        looks = sum(path.endswith("page=1") for _, _, path, _ in w.f.log[mark:])
    each = (run_ms(w.pid) - ms) / looks
    took = time.monotonic() - at
    pages = ["%s/repos/lab/envs/pulls?state=open&limit=50&page=%d" % (w.f.api, i + 1) for i in range(-(-count // 50))]
    writes = w.f.writes(mark)
    floor = least_ms(["curl", "-s", *pages]) if shutil.which("curl") else 0
    row("a look at rest, %d open" % count, "%.2f ms" % each, "processor time, %d requests, %d writes; / curl of the list (%.1f ms)" %
        (len(pages), writes, floor), "%.2f" % (each / floor) if floor else "no curl")
    results["rest"] = {"open": count, "look_ms": each, "curl_ms": floor, "looks": looks, "seconds": took, "writes": writes}


def hook(w, n):
    body = json.dumps({"ref": "refs/heads/b", "after": "%040x" % n, "commits": []}).encode()
    c = http.client.HTTPConnection("127.0.0.1", w.port, timeout=60)
    c.request("POST", "/hook/gitea", body, {"Content-Type": "application/json", "X-Gitea-Event": "push", "X-Gitea-Delivery": "b-%d" % n,
                                            "X-Gitea-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()})
    c.getresponse().read()
    c.close()


def pushes(w, count):
    """From the hook of a push to both statuses; the daemon looks by itself once an hour."""
    took, floor = [], []
    w.run("1h")
    parent = git(w.p.site.bare, "rev-parse", "refs/pull/1/head")
    for n in range(count):
        blob = git(w.p.site.bare, "hash-object", "-w", "--stdin", data=env_spec(more="  resources: {cpu: %d}\n" % (n % 2 + 2)).encode())
        index = {"GIT_INDEX_FILE": os.path.join(lab.folder, "index.push")}
        git(w.p.site.bare, "read-tree", parent, env=index)
        git(w.p.site.bare, "update-index", "--add", "--cacheinfo", "100644,%s,envs/u00000/e00000.yaml" % blob, env=index)
        parent = git(w.p.site.bare, "commit-tree", git(w.p.site.bare, "write-tree", env=index), "-p", parent, "-m", "x")
        time.sleep(1.2)  # between two turns there is a second
        at = time.monotonic()
        w.p.head(1, parent)
        hook(w, n)
        until(lambda sha=parent: w.f.state(sha, "berth/validate") and w.f.state(sha), LONG)
        with w.f.lock:
            told = [x[0] for x in w.f.log if x[2].endswith("/statuses/" + parent)]
        took.append((told[1] - at) * 1e3)
        at = time.monotonic()
        c = http.client.HTTPConnection("127.0.0.1", w.f.server_address[1], timeout=60)
        c.request("POST", "/api/v1/repos/lab/envs/statuses/" + "0" * 40, json.dumps({"context": "floor", "state": "success"}),
                  {"Content-Type": "application/json"})
        c.getresponse().read()
        c.close()
        floor.append((time.monotonic() - at) * 1e3)
    mid, bare = statistics.median(took), statistics.median(floor)
    row("a push to both statuses, median of %d" % count, "%.0f ms" % mid, "by the clock, from the push; / one POST of a status (%.1f ms)" % bare,
        "%.0f" % (mid / bare))
    w.run()
    results["push"] = {"ms": mid, "worst_ms": max(took), "post_ms": bare, "pushes": count}


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    ENV["HOME"] = lab.folder
    version = subprocess.run([BERTH, "version"], env=ENV, check=True, stdout=subprocess.PIPE).stdout.decode().split("\n")[0]
    head = "%s; %s, %d processors, load %.1f" % (version, platform.machine(), os.cpu_count(), os.getloadavg()[0])
    print(head)
    results["about"] = head
    sizes, top = setting("SIZES", "1000 10000" if os.environ.get("BENCH_FULL") else "1000"), lab.folder
    for n in sizes:
        lab.folder = os.path.join(top, str(n))
        os.makedirs(lab.folder)
        w = Place(n)
        results["pulls_%d" % n] = planning(w, setting("N", "40")[0])
        if n == sizes[0]:
            pushes(w, setting("PUSHES", "15")[0])
            at_rest(w, setting("OPEN", "200")[0])
        w.end()
    lab.folder = top
    with open(os.path.join(out, "pulls.txt"), "w", encoding="utf-8") as f:
        f.write(head + "\n" + "".join("%-46s %14s   %-44s %s\n" % r for r in rows))
    with open(os.path.join(out, "pulls.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    print("written to %s/pulls.{txt,json}" % os.path.relpath(out))


if len(sys.argv) != 2:
    sys.exit(__doc__)
assert bench.BERTH == lab.BERTH
main()

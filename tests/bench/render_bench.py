#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rendering beside `helm template` and `kustomize build` of equal objects, and what one changed environment costs among many.

usage: render_bench.py FOLDER        writes FOLDER/render.txt and FOLDER/render.json; $BERTH is the program
The chart and the overlays are made of berth's own rendering (render_peers.py), and what they give must be the same objects, field
by field. RENDER_N environments (1000 and 10000), RENDER_PEERS (1000) for Helm's best case, RENDER_PROCESSES (20) processes of what
people run, RENDER_CHANGES (30) commits for each of RENDER_SIZES (100 1000 10000). Needs tests/peers/install.sh helm kustomize;
RENDER_PEERS=0 does without.
"""
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import bench
import render_peers
from bench import BERTH, ENV, RENDERED, STATUS, git, moved, ref, results, row, rows

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = 5
MOST_US = 200  # an environment and core


def setting(name, usual):
    return [int(x) for x in (os.environ.get("RENDER_" + name) or usual).split()]


def text(n):
    return "{:,}".format(n)


def spent(argv, out="/dev/null", good=(0,)):
    """Seconds by the clock and of the processor."""
    with open(out, "wb") as f:
        begin = time.monotonic()
        p = subprocess.Popen(argv, env=ENV, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.PIPE)
        said = p.stderr.read()
        _, status, used = os.wait4(p.pid, 0)
        took = time.monotonic() - begin
        p.returncode = os.waitstatus_to_exitcode(status)
    if p.returncode not in good:
        sys.exit("%s: status %d\n%s" % (" ".join(argv), p.returncode, said.decode(errors="replace")[-2000:]))
    return took, used.ru_utime + used.ru_stime


def best(argv, out="/dev/null", good=(0,)):
    """Of some rounds the least: whatever else the machine does only adds."""
    got = [spent(argv, out, good) for _ in range(ROUNDS)]
    return min(g[0] for g in got), min(g[1] for g in got)


# -- berth ------------------------------------------------------------------------------------------------------------


def prepare(work, template, n):
    repo, clone = (os.path.join(work, "%s%d" % (x, n)) for x in ("envs", "clone"))
    if not os.path.isdir(clone):
        subprocess.run([sys.executable, os.path.join(HERE, "gen_repo.py"), str(n), template, repo], env=ENV, check=True)
        subprocess.run(["git", "clone", "-q", repo, clone], env=ENV, check=True)
    return repo, clone


def berth_alone(work, template, n):
    """Reading, checking and rendering all environments by one process, its start and the text included."""
    _, clone = prepare(work, template, n)
    file = os.path.join(work, "berth%d.yaml" % n)
    wall, cpu = best([BERTH, "render", "-C", clone], file)
    _, checked = best([BERTH, "validate", "-C", clone])
    with open(file, "rb") as f:
        objects, size = render_peers.count(f.read())
    us = cpu / n * 1e6
    row("berth render, %s environments" % text(n), "%.0f us each" % us, "processor time; /%d us, at most 1" % MOST_US, "%.2f" % (us / MOST_US))
    row("  objects, their text", "%.1f each" % (objects / n), "%.1f KB each, %.0f MB/s" % (size / n / 1e3, size / cpu / 1e6))
    row("  checking alone (berth validate)", "%.0f us each" % (checked / n * 1e6))
    results["berth_%d" % n] = {"wall_s": wall, "cpu_s": cpu, "us": us, "validate_us": checked / n * 1e6, "objects": objects, "bytes": size}
    return file


# -- the others --------------------------------------------------------------------------------------------------------


def beside(what, got, n, ours, least):
    """A row with both ratios: by processor time and by the clock; the smaller one counts."""
    wall, cpu = got[0] / n, got[1] / n
    by_cpu, by_clock = cpu / ours[1], wall / ours[0]
    row(what, "%.2f ms each" % (cpu * 1e3), "%.2f ms by the clock; least ratio%s" % (wall * 1e3, ", at least %d" % least if least else ""),
        "%.1f" % min(by_cpu, by_clock))
    return {"wall_ms": wall * 1e3, "cpu_ms": cpu * 1e3, "cpu_ratio": by_cpu, "wall_ratio": by_clock}


def peers_part(work, helm, kustomize, file, n):
    clone, count = os.path.join(work, "clone%d" % n), setting("PROCESSES", "20")[0]
    made = render_peers.Made(file, n)
    wall, cpu = best([BERTH, "render", "-C", clone])
    ours = wall / n, cpu / n
    got = results["peers"] = {"environments": n, "berth_us": ours[1] * 1e6}

    chart, out = made.chart(os.path.join(work, "many")), os.path.join(work, "helm.yaml")
    took = best([helm, "template", "x", chart], out)
    equal = made.same(out, made.everything())
    row("equal objects from one Helm chart", text(equal), "of %s; same names, same fields" % text(len(made.everything())))
    got["helm_one"] = beside("helm template, one process, %s environments" % text(n), took, n, ours, 4)

    charts, out = made.charts(os.path.join(work, "charts"), count), os.path.join(work, "one.yaml")
    took = [spent([helm, "template", "x", chart, "-f", values], out) for chart, values in charts]
    made.same(out, made.environment(count - 1))
    got["helm_each"] = beside("helm template, a process an environment", total(took), count, ours, 50)

    overlays = made.overlays(os.path.join(work, "overlays"), count)
    took = [spent([kustomize, "build", o], out) for o in overlays]
    made.same(out, made.environment(count - 1))
    got["kustomize_each"] = beside("kustomize build, an overlay an environment", total(took), count, ours, 50)
    took = [spent([kustomize, "build", o]) for o in made.bases(os.path.join(work, "overlays"), count)]
    got["kustomize_base"] = beside("  its bases without a patch", total(took), count, ours, 0)


def total(pairs):
    return sum(p[0] for p in pairs), sum(p[1] for p in pairs)


# -- one among many ----------------------------------------------------------------------------------------------------


def daemon_part(repo, n, count):
    """Milliseconds of processor time a commit of one changed environment, with what the daemon uses at rest taken off."""
    ids, log = bench.feed(repo, count, n), open(repo + ".log", "wb")
    with log:
        p = subprocess.Popen([BERTH, "run", "--target", "git", "--repo", repo, "--state", repo + ".state"], env=ENV,
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        moved(repo, STATUS, "", 300)
        time.sleep(1)
        at, ns = time.monotonic(), bench.run_ns(p.pid)
        time.sleep(3)
        rest = (bench.run_ns(p.pid) - ns) / (time.monotonic() - at)
        costs = []
        for commit in ids:
            before, at, ns = (ref(repo, RENDERED), ref(repo, STATUS)), time.monotonic(), bench.run_ns(p.pid)
            git(repo, "update-ref", "refs/heads/main", commit)
            moved(repo, RENDERED, before[0])
            moved(repo, STATUS, before[1])
            time.sleep(0.05)
            costs.append((bench.run_ns(p.pid) - ns - rest * (time.monotonic() - at)) / 1e6)
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(60)
    return statistics.median(costs)


def changed_part(work, template):
    sizes, count, got = setting("SIZES", "100 1000 10000"), setting("CHANGES", "30")[0], {}
    for n in sizes:
        repo, clone = prepare(work, template, n)
        ms = daemon_part(repo, n, count)
        git(clone, "fetch", "-q", "origin", "refs/bench/feed")
        _, checked = best([BERTH, "validate", "-C", clone, "--changed", "FETCH_HEAD~1..FETCH_HEAD"])
        got[n] = {"daemon_ms": ms, "validate_changed_ms": checked * 1e3}
        first = got[sizes[0]]
        row("one changed among %s: the daemon's pass" % text(n), "%.2f ms" % ms, "processor time, manifests and status; / first",
            "%.2f" % (ms / first["daemon_ms"]))
        row("  berth validate --changed", "%.1f ms" % (checked * 1e3), "start included; / first", "%.2f" % (checked * 1e3 / first["validate_changed_ms"]))
    results["changed"] = got


# -- the end ----------------------------------------------------------------------------------------------------------


def programs():
    """Helm and kustomize, or None."""
    where = subprocess.run(["bash", os.path.join(HERE, "..", "peers", "install.sh"), "--dir"], stdout=subprocess.PIPE, check=True)
    found = [os.path.join(where.stdout.decode().strip(), "bin", p) for p in ("helm", "kustomize")]
    return found if all(os.access(p, os.X_OK) for p in found) else None


def measure(work):
    template, peers, n = os.path.join(work, "template"), programs(), setting("PEERS", "1000")[0]
    subprocess.run([BERTH, "init", template], env=ENV, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    files = {size: berth_alone(work, template, size) for size in setting("N", "1000 10000")}
    if n and peers:
        if n not in files:
            files[n] = berth_alone(work, template, n)
        peers_part(work, *peers, files[n], n)
    else:
        row("Helm and kustomize", "not measured", "RENDER_PEERS=0" if not n else "tests/peers/install.sh helm kustomize builds them")
    changed_part(work, template)


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    work = tempfile.mkdtemp(prefix="berth-bench-render.")
    ENV["HOME"] = work
    version = subprocess.run([BERTH, "version"], env=ENV, check=True, stdout=subprocess.PIPE).stdout.decode().split("\n")[0]
    head = "%s; %s, %d processors, load %.1f" % (version, platform.machine(), os.cpu_count(), os.getloadavg()[0])
    print(head)
    results["about"] = head
    try:
        measure(work)
    finally:
        if os.environ.get("KEEP"):
            print("kept: " + work)
        else:
            shutil.rmtree(work, ignore_errors=True)
    with open(os.path.join(out, "render.txt"), "w", encoding="utf-8") as f:
        f.write(head + "\n" + "".join("%-46s %14s   %-44s %s\n" % r for r in rows))
    with open(os.path.join(out, "render.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    print("written to %s/render.{txt,json}" % os.path.relpath(out))


if len(sys.argv) != 2:
    sys.exit(__doc__)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
main()

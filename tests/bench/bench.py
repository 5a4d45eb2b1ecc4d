#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cold start, second pass and latency of `berth run`, each beside a floor measured in the same run.

usage: bench.py FOLDER        writes FOLDER/results.txt and FOLDER/results.json; $BERTH is the program
"""
import hashlib
import json
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
BERTH = os.path.abspath(os.environ.get("BERTH") or os.path.join(HERE, "..", "..", "build", "berth"))
RENDERED, STATUS = "refs/heads/berth/rendered", "refs/heads/berth/status"
COMMITS = 100
LOOK_MS = 100  # between two looks of the daemon at local refs
FLUSH_MS = 200  # from the first transition to the status commit
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "BERTH_"))}
rows, results = [], {}


def row(what, value, beside="", ratio=""):
    rows.append((what, value, beside, ratio))
    print("%-46s %14s   %-44s %s" % rows[-1])
    sys.stdout.flush()


def git(repo, *args, data=None):
    return subprocess.run(["git", "-C", repo, *args], env=ENV, input=data, stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def timed(argv):
    """Seconds, peak MiB (of the program, or of this script where that is more) and exit status."""
    with tempfile.TemporaryFile() as said:
        begin = time.monotonic()
        p = subprocess.Popen(argv, env=ENV, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, used = os.wait4(p.pid, 0)
        took = time.monotonic() - begin
        p.returncode = os.waitstatus_to_exitcode(status)
        if p.returncode:
            said.seek(0)
            sys.exit("%s: status %d\n%s" % (" ".join(argv), p.returncode, said.read().decode(errors="replace")[-2000:]))
    return took, used.ru_maxrss / 1024


def run_ns(pid):
    """Processor time of all threads of a process, in nanoseconds."""
    ns = 0
    for t in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/schedstat" % (pid, t), encoding="ascii") as f:
                ns += int(f.read().split()[0])
        except OSError:
            pass  # a thread that has ended
    return ns


# -- floors, in a process of their own so that their memory does not count as berth's ---------------------------------


def blobs(repo):
    names = git(repo, "ls-tree", "-r", RENDERED).splitlines()
    ids = [n.split()[2] for n in names]
    out = subprocess.run(["git", "-C", repo, "cat-file", "--batch"], env=ENV, input="\n".join(ids).encode(),
                         stdout=subprocess.PIPE, check=True).stdout
    at, bodies = 0, []
    for _ in ids:
        end = out.index(b"\n", at)
        size = int(out[at:end].split()[2])
        bodies.append(out[end + 1:end + 1 + size])
        at = end + size + 2
    return [(n.split("\t", 1)[1], b) for n, b in zip(names, bodies)]


def floor(repo, work):
    """The same manifests by git fast-import, and their bytes through SHA-1 and zlib alone."""
    files = blobs(repo)
    begin = time.monotonic()
    seen = set()
    for _, body in files:
        digest = hashlib.sha1(b"blob %d\0" % len(body) + body).digest()
        if digest not in seen:
            seen.add(digest)
            zlib.compress(body)
    hashed = time.monotonic() - begin
    stream = [b"commit refs/heads/x\ncommitter x <x@x> 1 +0000\ndata 0\n"]
    for path, body in files:
        stream += [b"M 100644 inline %s\ndata %d\n" % (path.encode(), len(body)), body, b"\n"]
    stream = b"".join(stream)
    took = []
    for n in range(3):
        to = os.path.join(work, "floor%d.git" % n)
        subprocess.run(["git", "init", "-q", "--bare", to], env=ENV, check=True)
        begin = time.monotonic()
        git(to, "fast-import", "--quiet", data=stream)
        took.append(time.monotonic() - begin)
        shutil.rmtree(to)
    print(json.dumps({"fast_import_s": min(took), "hash_deflate_s": hashed, "files": len(files),
                      "bytes": sum(len(b) for _, b in files), "different": len(seen)}))


# -- berth ------------------------------------------------------------------------------------------------------------


def cold(work, template, n, times):
    repo = os.path.join(work, "cold%d.git" % n)
    subprocess.run([sys.executable, os.path.join(HERE, "gen_repo.py"), str(n), template, repo], env=ENV, check=True)
    runs = []
    for i in range(times):
        here = "%s.%d" % (repo, i)
        shutil.copytree(repo, here)
        runs.append(timed([BERTH, "run", "--repo", here, "--state", here + ".state", "--once"]))
    last = here
    warm = [timed([BERTH, "run", "--repo", last, "--state", last + ".state", "--once"]) for _ in range(times)]
    for i in range(times - 1):
        shutil.rmtree("%s.%d" % (repo, i))
    f = json.loads(subprocess.run([sys.executable, os.path.abspath(__file__), "--floor", last, work], env=ENV, check=True,
                                  stdout=subprocess.PIPE).stdout)
    best, mid = min(r[0] for r in runs), statistics.median(r[0] for r in runs)
    rss, again = max(r[1] for r in runs), statistics.median(r[0] for r in warm)
    text = "{:,}".format(n)
    row("%s environments, cold, median of %d" % (text, times), "%.3f s" % mid, "best %.3f s" % best)
    row("  its manifests", "%d files" % f["files"], "%.1f MiB, %d different" % (f["bytes"] / 2**20, f["different"]))
    row("  beside git fast-import of the same files", "%.3f s" % f["fast_import_s"], "cold / fast-import", "%.2f" % (mid / f["fast_import_s"]))
    row("  beside SHA-1 and zlib over the same bytes", "%.3f s" % f["hash_deflate_s"], "cold / hash and deflate", "%.2f" % (mid / f["hash_deflate_s"]))
    row("  peak memory", "%.1f MiB" % rss, "a manifest's bytes in it", "%.2f" % (rss * 2**20 / f["bytes"]))
    row("  second pass, new process", "%.3f s" % again, "second / cold", "%.2f" % (again / mid))
    row("  second pass, peak memory", "%.1f MiB" % max(r[1] for r in warm))
    results["cold_%d" % n] = {"median_s": mid, "best_s": best, "peak_mib": rss, "second_s": again, **f}
    return last


def ref(repo, name):
    try:
        with open(os.path.join(repo, name), encoding="ascii") as f:
            return f.read()
    except OSError:
        return ""


def moved(repo, name, before, deadline=30):
    end = time.monotonic() + deadline
    while ref(repo, name) in ("", before):
        if time.monotonic() > end:
            sys.exit("%s did not move within %d s" % (name, deadline))
        time.sleep(0.0005)
    return time.monotonic()


def feed(repo, n, total):
    """n commits of one edit each, ready to be pointed at, in a repository of so many environments."""
    stream = []
    for i in range(n):
        e = (i * 37) % total // 5 * 5  # of shape cpu-small
        body = "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n  env:\n    N: n%d\n" % i
        stream.append("commit refs/bench/feed\ncommitter x <x@x> %d +0000\ndata 0\n%sM 100644 inline envs/u%05d/e%05d.yaml\ndata %d\n%s\n"
                      % (1_800_000_000 + i, "from refs/heads/main^0\n" if i == 0 else "", e // 5, e, len(body), body))
    git(repo, "fast-import", "--quiet", data="".join(stream).encode())
    return git(repo, "rev-list", "--reverse", "refs/heads/main..refs/bench/feed").splitlines()


def cpu_s(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        words = f.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return [int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM")][0]


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def latency(repo):
    ids = feed(repo, COMMITS, 1000)
    with open(repo + ".log", "wb") as log:
        p = subprocess.Popen([BERTH, "run", "--repo", repo, "--state", repo + ".state"], env=ENV, stdin=subprocess.DEVNULL,
                             stdout=log, stderr=log)
    try:
        time.sleep(3)
        used = cpu_s(p.pid)
        time.sleep(5)
        idle = (cpu_s(p.pid) - used) / 5
        rng, rendered, status, update = random.Random(1), [], [], []
        for commit in ids:
            before = ref(repo, RENDERED), ref(repo, STATUS)
            begin = time.monotonic()
            git(repo, "update-ref", "refs/heads/main", commit)
            at = time.monotonic()
            update.append(at - begin)
            rendered.append((moved(repo, RENDERED, before[0]) - at) * 1000)
            status.append((moved(repo, STATUS, before[1]) - at) * 1000)
            time.sleep(rng.random() * 0.15)  # not in step with the daemon's looks
        used = cpu_s(p.pid)
        peak = rss_mib(p.pid)
    finally:
        p.send_signal(signal.SIGTERM)
        p.wait(30)
    r50, r99, s50, s99 = (quantile(v, q) for v in (rendered, status) for q in (0.5, 0.99))
    row("%d single commits, daemon on 1,000 environments" % len(ids), "", "git update-ref itself, p50", "%.1f ms" % (statistics.median(update) * 1000))
    row("  commit to manifests, p50", "%.0f ms" % r50, "p50 / mean wait for a look (%d ms)" % (LOOK_MS // 2), "%.2f" % (r50 / (LOOK_MS / 2)))
    row("  commit to manifests, p99", "%.0f ms" % r99, "p99 / longest wait for a look (%d ms)" % LOOK_MS, "%.2f" % (r99 / LOOK_MS))
    row("  commit to status, p50", "%.0f ms" % s50, "p50 / (mean look + flush, %d ms)" % (LOOK_MS // 2 + FLUSH_MS), "%.2f" % (s50 / (LOOK_MS / 2 + FLUSH_MS)))
    row("  commit to status, p99", "%.0f ms" % s99, "p99 / (look + flush, %d ms)" % (LOOK_MS + FLUSH_MS), "%.2f" % (s99 / (LOOK_MS + FLUSH_MS)))
    row("  daemon at rest", "%.2f %% CPU" % (idle * 100), "after the commits: peak memory", "%.1f MiB" % peak)
    results["latency"] = {"commits": len(ids), "rendered_ms": {"p50": r50, "p99": r99}, "status_ms": {"p50": s50, "p99": s99},
                          "idle_cpu": idle, "peak_mib": peak, "cpu_s_a_commit": used / len(ids)}


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    work = tempfile.mkdtemp(prefix="berth-bench.")
    ENV["HOME"] = work
    try:
        template = os.path.join(work, "template")
        subprocess.run([BERTH, "init", template], env=ENV, check=True, stderr=subprocess.DEVNULL)
        version = subprocess.run([BERTH, "version"], env=ENV, check=True, stdout=subprocess.PIPE).stdout.decode().split("\n")[0]
        head = "%s; %s, %d processors, load %.1f" % (version, platform.machine(), os.cpu_count(), os.getloadavg()[0])
        print(head)
        results["about"] = head
        latency(cold(work, template, 1000, 5))
        if os.environ.get("BENCH_FULL"):
            cold(work, template, 10000, 1)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    with open(os.path.join(out, "results.txt"), "w", encoding="utf-8") as f:
        f.write(head + "\n" + "".join("%-46s %14s   %-44s %s\n" % r for r in rows))
    with open(os.path.join(out, "results.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)
    print("written to %s/results.{txt,json}" % os.path.relpath(out))


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--floor":
        floor(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 2:
        main()
    else:
        sys.exit(__doc__)

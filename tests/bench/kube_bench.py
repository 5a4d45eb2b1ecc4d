#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes target beside a loop that only sends and beside Flux, each on a fresh control plane, in one run.

usage: kube_bench.py FOLDER [raw] [flux] [berth] [sealed] [known]     default: raw berth flux sealed, with BENCH_FULL also known
Writes FOLDER/kube.txt and FOLDER/kube.json, and FOLDER/kube.png where matplotlib is. $BERTH is the program, $APILOAD the loop
(build/release/tests/bench/kube/apiload). KUBE_N environments (1000), KUBE_FLUX_N for Flux (KUBE_N), KUBE_CHANGES (100), KUBE_DRIFT
(200) edits, KUBE_TIMES (3) first applies of the loop and of berth in turns, KUBE_SEALED (200) environments with sealed secrets, KUBE_KNOWN (10000) for the last part. Needs
tests/peers/install.sh k8s flux.
"""
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "kube"))
import drift  # noqa: E402
import flux  # noqa: E402
import gen_repo  # noqa: E402
import objects  # noqa: E402
import sealed  # noqa: E402
from plane import BERTH_USER, Plane, counted, quantile, rss_mib, span  # noqa: E402

BERTH = objects.BERTH
APILOAD = os.path.abspath(os.environ.get("APILOAD") or os.path.join(HERE, "..", "..", "build", "release", "tests", "bench", "kube", "apiload"))
WINDOW = 50
STEADY = 30  # seconds
ANSWERED = rb"stage=apply %s\b.*\banswered in (\d+(?:\.\d+)?) ms"  # what the daemon says of a commit when it has the last answer
TIMED = """
import json, os, subprocess, sys, time
with open(sys.argv[1], "wb") as said:
    begin = time.time()
    p = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    _, status, used = os.wait4(p.pid, 0)
    print(json.dumps({"rc": os.waitstatus_to_exitcode(status), "begin": begin, "seconds": time.time() - begin,
                      "cpu_s": used.ru_utime + used.ru_stime, "peak_mib": used.ru_maxrss / 1024}))
"""
rows, results = [], {}


def setting(name, usual):
    return int(os.environ.get("KUBE_" + name) or usual)


def row(what, value, beside="", ratio=""):
    rows.append((what, value, beside, ratio))
    print("%-50s %14s   %-50s %s" % rows[-1])
    sys.stdout.flush()


def tail(file):
    with open(file, encoding="utf-8", errors="replace") as f:
        return f.read()[-3000:]


def git(repo, *args, data=None):
    return subprocess.run(["git", "-C", repo, *args], input=data, stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def text(n):
    return "{:,}".format(n)


def ratio(a, b):
    return "%.2f" % (a / b) if b else ""


def delta(plane, before):
    return {k: v - before[k] for k, v in plane.used().items()}


# -- a loop that only sends -------------------------------------------------------------------------------------------


def median(runs):
    """The run in the middle by rate."""
    return sorted(runs, key=lambda r: r["rate"])[len(runs) // 2]


def rates(runs):
    return "of %d runs: %.0f to %.0f/s" % (len(runs), min(r["rate"] for r in runs), max(r["rate"] for r in runs))


def raw_once(repo, work):
    lines = os.path.join(work, "requests.tsv")
    if not os.path.exists(lines):
        subprocess.run([sys.executable, os.path.join(HERE, "kube", "objects.py"), "requests", repo, lines], stdout=subprocess.DEVNULL, check=True)
    folder = tempfile.mkdtemp(prefix="raw.", dir=work)
    with Plane(folder) as plane:
        before = plane.used()
        p = subprocess.run([APILOAD, plane.server, plane.ca, os.path.join(plane.dir, "tokens", "berth"), lines, str(WINDOW)], check=False,
                           stdout=subprocess.PIPE)
        if p.returncode:
            sys.exit("apiload: status %d" % p.returncode)
        got = {**json.loads(p.stdout), "server_cpu_s": delta(plane, before)}
        got["span_s"], got["refused"] = span(plane.audit(), BERTH_USER)
    shutil.rmtree(folder)
    return got


def raw_rows(n, runs):
    got = median(runs)
    row("raw loop: %s environments, %s objects" % (text(n), text(got["requests"])), "%.0f/s" % got["rate"], rates(runs))
    row("  its latency, p50", "%.0f ms" % got["p50_ms"], "p99; %d under way" % WINDOW, "%.0f ms" % got["p99_ms"])
    row("  processor time, API server's", "%.2f s" % got["cpu_s"], "%.1f s" % got["server_cpu_s"]["kube-apiserver"])
    results["raw"] = {**got, "runs": runs}


# -- Flux -------------------------------------------------------------------------------------------------------------


def flux_part(n, repo, work):
    with Plane(os.path.join(work, "flux-plane")) as plane:
        got = flux.measure(plane, repo, os.path.join(work, "flux"))
    row("Flux: %s environments, %s objects" % (text(n), text(got["objects"])), "%.1f/s" % got["rate"],
        "%.1f s, %d at once" % (got["seconds"], got["concurrent"]))
    row("  processor time, API server's", "%.1f s" % got["cpu_s"], "%.1f s" % got["server_cpu_s"]["kube-apiserver"])
    row("  requests an environment", "%.1f" % (got["requests"]["total"] / n), "%.1f of them write" % (got["requests"]["writes"] / n))
    row("  peak memory", "%.0f MiB" % got["peak_mib"])
    results["flux"] = got


# -- berth ------------------------------------------------------------------------------------------------------------


def argv_of(plane, repo, *more):
    return [BERTH, "run", "--target", "kubernetes", "--kubeconfig", plane.config_of("berth"), "--repo", repo, "--state", repo + ".state", *more]


def once(plane, repo, *more):
    """One pass by a process of its own. The process that starts it is small: its memory would count as berth's."""
    log = repo + ".log"
    p = subprocess.run([sys.executable, "-I", "-S", "-c", TIMED, log, *argv_of(plane, repo, "--once", *more)], stdout=subprocess.PIPE, check=True)
    got = json.loads(p.stdout)
    if got["rc"] not in (0, 1):  # 1: an environment is waiting
        sys.exit("berth run --once: status %d\n%s" % (got["rc"], tail(log)))
    return got


def there(plane):
    """Objects that carry berth's label."""
    n = 0
    for kind, plural in objects.PLURAL.items():
        group = {"StatefulSet": "/apis/apps/v1/", "NetworkPolicy": "/apis/networking.k8s.io/v1/"}.get(kind, "/api/v1/")
        n += len(plane.api("GET", group + plural + "?labelSelector=berth.dev/managed%3Dtrue")[1]["items"])
    return n


def cold_once(plane, n, repo):
    before = plane.used()
    got = once(plane, repo)
    got["server_cpu_s"] = delta(plane, before)
    events = plane.audit()
    got["requests"] = counted(events, BERTH_USER)
    got["span_s"], got["refused"] = span(events, BERTH_USER)
    got["objects"] = there(plane)
    if got["objects"] < n * objects.AN_ENVIRONMENT:
        sys.exit("berth: %d of %d objects are there\n%s" % (got["objects"], n * objects.AN_ENVIRONMENT, tail(repo + ".log")))
    got["rate"], got["span_rate"] = got["objects"] / got["seconds"], got["objects"] / got["span_s"]
    return got


def cold_rows(n, runs):
    got, r, f = median(runs), results.get("raw", {}), results.get("flux", {})
    row("berth: %s environments, %s objects" % (text(n), text(got["objects"])), "%.0f/s" % got["rate"], "%s; exit status %d" % (rates(runs), got["rc"]))
    if r:
        row("  beside the raw loop", "%.0f/s" % r["rate"], "berth / raw, at least 0.80", ratio(got["rate"], r["rate"]))
    row("  from first write to last answer", "%.0f/s" % got["span_rate"], "berth / raw" if r else "", ratio(got["span_rate"], r.get("rate")))
    row("  requests an environment", "%.2f" % (got["requests"]["total"] / n), "%.2f of them write, %d refused; at most 10" % (got["requests"]["writes"] / n, got["refused"]))
    row("  processor time", "%.2f s" % got["cpu_s"])
    row("  API server's", "%.1f s" % got["server_cpu_s"]["kube-apiserver"], "API server's, berth / raw" if r else "",
        ratio(got["server_cpu_s"]["kube-apiserver"], r.get("server_cpu_s", {}).get("kube-apiserver")))
    row("  peak memory", "%.1f MiB" % got["peak_mib"], "at most 40 with 1,000 environments")
    if f:
        beside_flux(got, f)
    results["cold"] = {**got, "runs": runs}


def beside_flux(got, f):
    row("  beside Flux", "%.1f/s" % f["rate"], "berth / Flux, at least 10", ratio(got["rate"], f["rate"]))
    same = got["objects"] / f["objects"]
    row("  processor time beside Flux's", "%.1f s" % (f["cpu_s"] * same), "Flux / berth, at least 40", ratio(f["cpu_s"] * same, got["cpu_s"]))


class Daemon:
    def __init__(self, plane, repo):
        self.log, self.read_to = repo + ".daemon.log", 0
        with open(self.log, "wb") as log:
            self.p = subprocess.Popen(argv_of(plane, repo), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.send_signal(signal.SIGTERM)
        try:
            self.p.wait(60)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()

    def said(self):
        with open(self.log, "rb") as f:
            f.seek(self.read_to)
            got = f.read()
        end = got.rfind(b"\n") + 1
        self.read_to += end
        return got[:end]

    def answered(self, commit, deadline=30):
        """Milliseconds from noticing the commit to the last answer, as the daemon tells."""
        line, end = re.compile(ANSWERED % commit[:12].encode()), time.monotonic() + deadline
        while time.monotonic() < end and self.p.poll() is None:
            m = line.search(self.said())
            if m:
                return float(m.group(1))
            time.sleep(0.002)
        sys.exit("the daemon did not say when %s was answered\n" % commit[:12] + tail(self.log))


def quiet(plane, seconds=5, deadline=90):
    """Waits until berth has sent nothing but watches for so long. What it sent until then."""
    events, end, last = [], time.monotonic() + deadline, time.monotonic()
    while time.monotonic() < end and time.monotonic() < last + seconds:
        time.sleep(0.25)
        more = plane.audit()
        events += more
        if counted(more, BERTH_USER)["total"]:
            last = time.monotonic()
    return events


def restart(plane, repo):
    plane.audit()
    got = once(plane, repo)
    got["requests"] = counted(plane.audit(), BERTH_USER)
    row("restart with nothing to do, one pass", "%d writes" % got["requests"]["writes"], "%.2f s, %d requests; 0 writes" % (got["seconds"], got["requests"]["total"]))
    row("  peak memory", "%.1f MiB" % got["peak_mib"], "at most 40 with 1,000 environments")
    results["restart"] = got


def steady(plane, daemon):
    begin = counted(quiet(plane), BERTH_USER)
    time.sleep(STEADY)
    got = {"start": begin, "requests": counted(plane.audit(), BERTH_USER), "rss_mib": rss_mib(daemon.p.pid, "VmRSS")}
    row("daemon: its start, writes", "%d" % begin["writes"], "%d requests, %d watches" % (begin["total"], begin["watch"]))
    row("  %d s at rest, requests" % STEADY, "%d" % got["requests"]["total"], "%d watches, %d for its lease; none but watches" % (got["requests"]["watch"], got["requests"]["leases"]))
    row("  memory at rest", "%.1f MiB" % got["rss_mib"])
    results["steady"] = got


def feed(repo, n, changes):
    """Commits of one edit each, ready to be pointed at."""
    stream = []
    for k in range(changes):
        i = k * 37 % n
        body = gen_repo.env(i, k + 1)
        stream.append("commit refs/bench/feed\ncommitter x <x@x> %d +0000\ndata 0\n%sM 100644 inline envs/u%05d/dev.yaml\ndata %d\n%s\n"
                      % (1_800_000_000 + k, "from refs/heads/main^0\n" if k == 0 else "", i, len(body), body))
    git(repo, "fast-import", "--quiet", data="".join(stream).encode())
    return git(repo, "rev-list", "--reverse", "refs/heads/main..refs/bench/feed").splitlines()


def changes(plane, daemon, n, repo, count):
    ids, rng, said, live, sent = feed(repo, n, count), random.Random(1), [], [], []
    plane.audit()
    daemon.said()
    for commit in ids:
        git(repo, "update-ref", "refs/heads/main", commit)
        at = time.time()
        said.append(daemon.answered(commit))
        time.sleep(0.05 + rng.random() * 0.15)  # not in step with the daemon's looks
        events = plane.audit()
        answers = [e.at for e in events if e.done and e.write and e.user == BERTH_USER]
        live.append((max(answers) - at) * 1000 if answers else float("nan"))
        sent.append(counted(events, BERTH_USER)["total"])
    got = {"noticed_to_answer_ms": {"p50": quantile(said, 0.5), "p99": quantile(said, 0.99)}, "requests": sum(sent) / len(sent), "requests_max": max(sent),
           "commit_to_answer_ms": {"p50": quantile(live, 0.5), "p99": quantile(live, 0.99)}}
    row("%d changes of one environment among %s" % (len(ids), text(n)), "")
    row("  noticed to last API answer, p50", "%.0f ms" % got["noticed_to_answer_ms"]["p50"], "p99, under 300 ms", "%.0f ms" % got["noticed_to_answer_ms"]["p99"])
    row("  ref moved to last API answer, p50", "%.0f ms" % got["commit_to_answer_ms"]["p50"], "p99; the daemon looks every 100 ms", "%.0f ms" % got["commit_to_answer_ms"]["p99"])
    row("  requests a change", "%.2f" % got["requests"], "most of one; at most 3", "%d" % got["requests_max"])
    results["change"] = got


def drift_part(plane, n, edits):
    got = drift.measure(plane, random.Random(2), n, edits)
    ms = got["ms"]
    row("%d edits by kubectl" % edits, "%d repaired" % len(ms), "not repaired" if got["left"] else "", ", ".join(sorted(set(got["left"]))))
    row("  edit to repair, p50", "%.0f ms" % quantile(ms, 0.5), "p99, under 2,000 ms", "%.0f ms" % quantile(ms, 0.99))
    results["drift"] = {"edits": edits, "p50_ms": quantile(ms, 0.5), "p99_ms": quantile(ms, 0.99), **got}


def supported():
    p = subprocess.run([BERTH, "run", "--help"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return b"--kubeconfig" in p.stdout


def berth_rest(plane, n, repo):
    restart(plane, repo)
    plane.audit()
    with Daemon(plane, repo) as daemon:
        steady(plane, daemon)
        changes(plane, daemon, n, repo, setting("CHANGES", 100))
        if setting("DRIFT", 200):
            drift_part(plane, n, setting("DRIFT", 200))
        results["daemon_peak_mib"] = rss_mib(daemon.p.pid)
        row("  daemon, peak memory after all this", "%.1f MiB" % results["daemon_peak_mib"])


def raw_and_berth(n, repo, work, parts):
    """In turns, so that whatever else the machine does meets both; the last control plane of berth is used for the rest."""
    loops, colds, times = [], [], setting("TIMES", 3)
    able = "berth" in parts and supported()
    for i in range(times):
        if "raw" in parts:
            loops.append(raw_once(repo, work))
        if not able:
            continue
        here, folder = "%s.%d" % (repo, i), tempfile.mkdtemp(prefix="berth.", dir=work)
        shutil.copytree(repo, here)
        with Plane(folder) as plane:
            colds.append(cold_once(plane, n, here))
            if i == times - 1:
                if loops:
                    raw_rows(n, loops)
                cold_rows(n, colds)
                berth_rest(plane, n, here)
        shutil.rmtree(folder)
        shutil.rmtree(here)
    if loops and not able:
        raw_rows(n, loops)
    if "berth" in parts and not able:
        row("berth", "not measured", "this program has no target kubernetes")


def sealed_once(plane, repo, *more):
    """A first apply: seconds, objects and how many of them are Secrets."""
    got = once(plane, repo, *more)
    secrets = len(plane.api("GET", "/api/v1/secrets?labelSelector=berth.dev/managed%3Dtrue")[1]["items"])
    return {**got, "secrets": secrets, "objects": there(plane) + secrets}


def sealed_part(work):
    """Beside the same environments without secrets, in turns; what a Secret costs is the difference."""
    n, plain, with_them = setting("SEALED", 200), [], []
    if not supported() or not shutil.which("age"):
        row("sealed secrets", "not measured", "no target kubernetes, or no age")
        return
    bare = objects.prepare(n, work)
    repo, key = sealed.prepare(bare, work, n)
    for i in range(setting("TIMES", 3)):
        for runs, source, more in ((plain, bare, []), (with_them, repo, ["--master-key", key])):
            here = "%s.sealed%d" % (source, i)
            shutil.copytree(source, here)
            with Plane(tempfile.mkdtemp(prefix="sealed.", dir=work)) as plane:
                runs.append(sealed_once(plane, here, *more))
            shutil.rmtree(here)
    a, b = (sorted(r, key=lambda x: x["seconds"])[len(r) // 2] for r in (plain, with_them))
    if b["secrets"] < n * sealed.PER:
        sys.exit("berth: %d of %d Secrets are there" % (b["secrets"], n * sealed.PER))
    each, usual = (b["seconds"] - a["seconds"]) / b["secrets"], a["seconds"] / a["objects"]
    row("%s environments, %s sealed secrets and host keys" % (text(n), text(b["secrets"])), "%.1f s" % b["seconds"], "without them %.1f s" % a["seconds"])
    row("  a Secret", "%.2f ms" % (each * 1000), "beside any other object, %.2f ms" % (usual * 1000), ratio(each, usual))
    row("  processor time, daemon and children", "%.2f s" % b["cpu_s"], "without them %.2f s" % a["cpu_s"], ratio(b["cpu_s"], a["cpu_s"]))
    results["sealed"] = {"plain": plain, "sealed": with_them}


def known_part(work):
    """Memory with many environments on the cluster: first applied, then a new daemon that has looked at them."""
    n = setting("KNOWN", 10000)
    if not supported():
        return
    repo = objects.prepare(n, work)
    with Plane(os.path.join(work, "known-plane"), audit=False) as plane:
        first = once(plane, repo)
        with Daemon(plane, repo) as daemon:
            before = at = -1.0
            while before < 0 or before != at:  # the same ten seconds later
                time.sleep(10)
                before, at = at, rss_mib(daemon.p.pid)
            got = {"environments": n, "first": first, "peak_mib": at, "rss_mib": rss_mib(daemon.p.pid, "VmRSS")}
    row("%s environments known: daemon, peak memory" % text(n), "%.1f MiB" % at, "%.1f MiB in the end; at most 96" % got["rss_mib"])
    row("  first apply of them", "%.1f s" % first["seconds"], "peak memory", "%.1f MiB" % first["peak_mib"])
    results["known"] = got


# -- the end ----------------------------------------------------------------------------------------------------------


def picture(file):
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        return
    bars = [(name, results[key]["rate"]) for name, key in (("raw loop", "raw"), ("berth", "cold"), ("Flux", "flux")) if key in results]
    figure, axes = pyplot.subplots(figsize=(6, 2.4))
    axes.barh([b[0] for b in bars][::-1], [b[1] for b in bars][::-1], color="#3b6ea5")
    for k, b in enumerate(bars[::-1]):
        axes.text(b[1], k, " %.0f" % b[1], va="center")
    axes.set_xlabel("objects a second, first apply")
    figure.tight_layout()
    figure.savefig(file, dpi=120)


def write(out, head):
    with open(os.path.join(out, "kube.txt"), "w", encoding="utf-8") as f:
        f.write(head + "\n" + "".join("%-50s %14s   %-50s %s\n" % r for r in rows))
    with open(os.path.join(out, "kube.json"), "w", encoding="utf-8") as f:
        json.dump(results, f, indent=1)


def main():
    out, parts = sys.argv[1], sys.argv[2:] or ["raw", "berth", "flux", "sealed"] + (["known"] if os.environ.get("BENCH_FULL") else [])
    n, flux_n = setting("N", 1000), setting("FLUX_N", setting("N", 1000))
    os.makedirs(out, exist_ok=True)
    work = tempfile.mkdtemp(prefix="berth-bench-kube.")
    for name in [k for k in os.environ if k.startswith("GIT_") or k.startswith("BERTH_") and k != "BERTH_PEERS"]:
        del os.environ[name]
    peers = subprocess.run(["bash", os.path.join(HERE, "..", "peers", "install.sh"), "--dir"], stdout=subprocess.PIPE, check=True)
    os.environ["BERTH_PEERS"] = peers.stdout.decode().strip()  # HOME is another from here on
    os.environ["HOME"] = work
    try:
        version = subprocess.run([BERTH, "version"], stdout=subprocess.PIPE, check=True).stdout.decode().split("\n")[0]
        head = "%s; %s, %d processors, load %.1f; etcd without fsync" % (version, platform.machine(), os.cpu_count(), os.getloadavg()[0])
        print(head)
        results["about"] = head
        repo = objects.prepare(n, work) if set(parts) - {"sealed", "known"} else ""
        if "flux" in parts and flux_n:
            flux_part(flux_n, repo if flux_n == n else objects.prepare(flux_n, work), work)
        raw_and_berth(n, repo, work, parts)
        if "sealed" in parts:
            sealed_part(work)
        if "known" in parts:
            known_part(work)
        picture(os.path.join(out, "kube.png"))
    finally:
        if rows:  # also when a later part stops
            write(out, results["about"])
            print("written to %s/kube.{txt,json}" % os.path.relpath(out))
        if os.environ.get("KEEP"):
            print("kept: " + work)
        else:
            shutil.rmtree(work, ignore_errors=True)


if len(sys.argv) < 2 or set(sys.argv[2:]) - {"raw", "flux", "berth", "sealed", "known"}:
    sys.exit(__doc__)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
main()

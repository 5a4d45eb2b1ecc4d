# SPDX-License-Identifier: Apache-2.0
"""The program as people run it: what a sanitizer leaves out (the sandbox) is tested with it. Import before lab."""
import fcntl
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def sanitized(program):
    with open(program, "rb") as f:
        return b"__asan_init" in f.read() or b"__tsan_init" in f.read()


def folder():
    """Folder of a build without sanitizers: BERTH_RELEASE, else where BERTH is, else build/release, made now where it is not up to date."""
    if os.environ.get("BERTH_RELEASE"):
        return os.path.abspath(os.environ["BERTH_RELEASE"])
    given = os.environ.get("BERTH")
    if given and not sanitized(given) and os.path.isdir(os.path.join(os.path.dirname(given), "tests", "unit")):
        return os.path.dirname(os.path.abspath(given))
    os.makedirs(os.path.join(TOP, "build"), exist_ok=True)
    with open(os.path.join(TOP, "build", "release.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two tests at the same time one makes it
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BERTH")}
        p = subprocess.run(["make", "-s", "-j2", "BUILD=release", "walls"], cwd=TOP, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if p.returncode:
        print("1..1\nnot ok 1 - a build without sanitizers\n" + "".join("# %s\n" % line for line in p.stdout.splitlines()[-30:]))
        sys.exit(1)
    return os.path.join(TOP, "build", "release")


RELEASE = folder()
os.environ["BERTH"] = os.path.join(RELEASE, "berth")

# SPDX-License-Identifier: Apache-2.0
"""The real sops (tests/peers/install.sh sops), which tests/run.sh builds for tests that import this."""
import json
import os
import subprocess
import sys

import lab

CACHE = os.environ.get("BERTH_PEERS") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "berth-peers")
SOPS = os.path.join(CACHE, "bin", "sops")


def missing():
    """Why it cannot be used here, or None."""
    if os.environ.get("BERTH_PEERS") == "none":
        return "BERTH_PEERS=none"
    if os.environ.get("BERTH_SOPS_FAILED"):
        return os.environ["BERTH_SOPS_FAILED"]
    return None if os.access(SOPS, os.X_OK) else "not there: %s; run tests/peers/install.sh sops" % SOPS


def skip_without():
    """Ends the test where there is no sops: skipped, or failed with CI=true."""
    why = missing()
    if not why:
        return
    if os.environ.get("CI") == "true" and os.environ.get("BERTH_PEERS") != "none":
        lab.check("the real sops is there", False, why)
        lab.done()
    print("# NOT TESTED: %s needs the real sops: %s" % (os.path.basename(sys.argv[0]), why))
    print("1..0 # SKIP " + why)
    sys.exit(0)


def run(*args, key=None, cwd=None, env=None):
    """sops with these arguments; `key`: an age identity, given by the environment. What it prints may be any bytes."""
    more = {"SOPS_AGE_KEY": key} if key else {}
    return subprocess.run([SOPS, "--disable-version-check", *args], cwd=cwd or lab.folder, env={**lab.ENV, **more, **(env or {})},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)


def write(path, content):
    with open(path, "wb") as f:
        f.write(content.encode() if isinstance(content, str) else content)
    return path


def encrypt(path, content, recipient, *options):
    """Writes `content` to `path` and seals it there. The format is that of its ending; false when sops refuses."""
    write(path, content)
    p = run("--encrypt", "--in-place", *(("--age", recipient) if recipient else ()), *options, path)
    if p.returncode:
        lab.note("sops encrypt %s: %s" % (os.path.basename(path), p.stderr.decode(errors="replace").strip()))
    return p.returncode == 0


def decrypt_json(path, key):
    """What sops opens, or None."""
    p = run("decrypt", "--output-type", "json", path, key=key)
    return json.loads(p.stdout) if p.returncode == 0 else None

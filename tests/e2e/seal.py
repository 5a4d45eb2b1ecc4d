# SPDX-License-Identifier: Apache-2.0
"""What the tests of sealed secrets share, on top of lab.py: a master key, recipients, sealing as people do it with age."""
import base64
import os
import re
import shutil
import subprocess
import sys

import lab
from lab import ENV, berth, folder

SIGNER = re.compile(r'signer: "(ssh-ed25519 [A-Za-z0-9+/=]+)"')


def skip_without_age():
    if shutil.which("age"):
        return
    why = "there is no age on this machine: apt-get install age"
    if os.environ.get("CI") == "true":
        lab.check("age is there", False, why)
        lab.done()
    print("# NOT TESTED: %s seals with the real age: %s" % (os.path.basename(sys.argv[0]), why))
    print("1..0 # SKIP " + why)
    sys.exit(0)


class Keys:
    """A master key of the test's own and whom it publishes."""

    def __init__(self, name="master"):
        self.file = os.path.join(folder, name + ".key")
        said = berth("keygen", "-o", self.file)
        if said.rc:
            raise RuntimeError("berth keygen: %r" % said)
        self.signer = SIGNER.search(said.out).group(1)

    def spec(self, generation=1, oldest=None):
        """Lines of berth.yaml."""
        old = ", oldest: %d" % oldest if oldest else ""
        return "  secrets: {signer: \"%s\", generation: %d%s}\n" % (self.signer, generation, old)

    def switch_on(self, site, **how):
        """berth.yaml's text with this key's signer; replaces an older line."""
        text = re.sub(r"(?m)^  secrets: \{.*\}\n", "", site.read("berth.yaml"))
        return {"berth.yaml": text.replace("  render: 1\n", "  render: 1\n" + self.spec(**how))}

    def recipient(self, site, user=None, env=None):
        """By `berth recipients` of the files in the person's clone; without a user the site's."""
        args = [user] if user else ["--site"]
        said = berth("recipients", *args, *(["--env", env] if env else []), "-C", site.clone, "--key", self.file, "-o", "json")
        if said.rc:
            raise RuntimeError("berth recipients: %r" % said)
        return said.json()["environments"][env] if env else said.json()["recipient"]


def seal(recipient, text):
    """As a person does it."""
    p = subprocess.run(["age", "-a", "-r", recipient], input=text.encode() if isinstance(text, str) else text, env=ENV, check=True,
                       stdout=subprocess.PIPE, timeout=60)
    return p.stdout


def plain(secret):
    """key -> bytes of a Secret as the API server gives it."""
    return {k: base64.b64decode(v) for k, v in (secret or {}).get("data", {}).items()}


def children(pid, verb):
    """PIDs of the processes that `pid` started with this hidden verb."""
    out = []
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
            born = f.read().split()
    except OSError:
        return out
    for name in born:
        try:
            with open("/proc/%s/cmdline" % name, "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if len(words) > 1 and words[1] == verb.encode():
            out.append(int(name))
    return out

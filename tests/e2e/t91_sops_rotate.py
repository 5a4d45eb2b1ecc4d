# SPDX-License-Identifier: Apache-2.0
"""SOPS files in the tree: berth open prints their values, berth seal --rotate --write wraps their data key anew and touches nothing else."""
import json
import os
import re
import shutil
import subprocess

import sops
from lab import BERTH, ENV, Site, berth, check, done, folder, note

sops.skip_without()
if not shutil.which("age-keygen"):
    note("NOT TESTED: SOPS files in the tree: age-keygen is not here (package age)")
    print("1..0 # SKIP no age-keygen")
    raise SystemExit(0)

MASTER = os.path.join(folder, "master")
site = Site("envs")
secrets = os.path.join(site.clone, "envs/alice/secrets")
os.makedirs(secrets)
made = berth("keygen", "-o", MASTER)
signer = [line.split('"')[1] for line in made.out.splitlines() if "signer:" in line][0]
plain_berth = site.read("berth.yaml")


def generation(n):
    site.write({"berth.yaml": plain_berth.replace("  render: 1\n", "  render: 1\n  secrets: {signer: \"%s\", generation: %d}\n" % (signer, n))})


def recipient():
    return berth("recipients", "alice", "-C", site.clone, "--key", MASTER, "-o", "json").json()["recipient"]


def values(path, *args):
    p = subprocess.run([BERTH, "open", "-C", site.clone, "--key", MASTER, *args, path], env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=120)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


generation(1)
old = recipient()
own = os.path.join(folder, "own.key")
pair = subprocess.run(["age-keygen"], env=ENV, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode()
key, pk = re.search(r"AGE-SECRET-KEY-1\w+", pair)[0], re.search(r"age1\w+", pair)[0]
with open(own, "w", encoding="ascii") as f:
    f.write(key + "\n")

DOC = {"user": "alice", "token": "t\"o\\k en", "deep": {"number": 42, "yes": True}}
FILES = {
    "team.sops.yaml": "# of the team\nuser: alice  # who\ntoken: 't\"o\\k en'\ndeep:\n    number: 42\n    yes: true\n",
    "team.sops.json": json.dumps(DOC),
    "team.sops.env": "USER=alice\nTOKEN=t\"o k en\n",
}
for name, text in FILES.items():
    for who, to in ("", old), ("both-", old + "," + pk):
        check("sops seals %s%s" % (who, name), sops.encrypt(os.path.join(secrets, who + name), text, to))
lines = os.path.join(secrets, "lines.sops.yaml")
check("sops seals a value of several lines", sops.encrypt(lines, "cert: |\n    one\n    two\n", old))

rc, out, err = values("envs/alice/secrets/team.sops.yaml")
check("berth open prints lines", rc == 0 and out.splitlines() == ["user=alice", "token=t\"o\\k en", "deep.number=42", "deep.yes=true"], out, err)
rc, out, err = values("envs/alice/secrets/team.sops.json", "-o", "json")
check("... and JSON", rc == 0 and json.loads(out) == {"user": "alice", "token": "t\"o\\k en", "deep.number": "42", "deep.yes": "true"}, out, err)
rc, out, err = values("envs/alice/secrets/lines.sops.yaml")
check("several lines are no line: nothing is printed", rc == 1 and not out and "-o json" in err, out, err)
rc, out, err = values("envs/alice/secrets/lines.sops.yaml", "-o", "json")
check("... but as JSON", rc == 0 and json.loads(out) == {"cert": "one\ntwo\n"}, out, err)
p = subprocess.run([BERTH, "open", "--identity", own, "-o", "json", os.path.join(secrets, "both-team.sops.env")], env=ENV, stdin=subprocess.DEVNULL,
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
check("a person's own key opens what is sealed for it too", p.returncode == 0 and json.loads(p.stdout)["TOKEN"] == "t\"o k en", p.stderr)

names = sorted(os.listdir(secrets))
before = {n: open(os.path.join(secrets, n), "rb").read() for n in names}
wanted = {n: values("envs/alice/secrets/" + n, "-o", "json")[1] for n in names}
generation(2)
new = recipient()
said = berth("seal", "-C", site.clone, "--rotate", "--key", MASTER, "--write", "-o", "json")
rows = {os.path.basename(r["file"]): r for r in said.json()}
check("all are sealed again", said.rc == 0 and sorted(rows) == names and {r["state"] for r in rows.values()} == {"resealed"}, said, rows)
check("... also for the other recipient, who is not lost", rows["both-team.sops.yaml"]["recipients"] == 2 and rows["team.sops.yaml"]["recipients"] == 1, rows)
BLOCK = re.compile(rb"-----BEGIN AGE ENCRYPTED FILE-----.*?-----END AGE ENCRYPTED FILE-----", re.S)
for n in names:
    with open(os.path.join(secrets, n), "rb") as f:
        after = f.read()
    same = BLOCK.sub(b"KEY", before[n]).replace(old.encode(), new.encode()) == BLOCK.sub(b"KEY", after)
    check("%s: only the wrapped key and the recipient changed" % n, same and after != before[n] and old.encode() not in after, after.decode())
    check("... its values are the same", values("envs/alice/secrets/" + n, "-o", "json")[1] == wanted[n])
for n in FILES:
    got = sops.decrypt_json(os.path.join(secrets, "both-" + n), key)
    check("sops itself still opens both-%s by the other key" % n, got is not None and "alice" in str(got), got)
said = berth("seal", "-C", site.clone, "--rotate", "--key", MASTER, "-o", "json")
check("all are current", said.rc == 0 and {r["state"] for r in said.json()} == {"current"}, said)
done()

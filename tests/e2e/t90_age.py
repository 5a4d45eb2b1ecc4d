# SPDX-License-Identifier: Apache-2.0
"""berth seal and berth open beside the age program: files both ways, for one recipient and several, armored and not."""
import os
import pty
import select
import shutil
import subprocess
import time

from lab import BERTH, ENV, Site, berth, check, done, folder, git, note

SIZES = [1, 15, 65535, 65536, 65537, 131072, 131073]
BYTES = bytes((i * 40503) >> 7 & 255 for i in range(1000000))


def run(argv, data=b"", cwd=None):
    return subprocess.run(argv, input=data, cwd=cwd or folder, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)


def secret(cmd, data=b"", cwd=None):
    """berth with bytes in and out."""
    return run([BERTH, *cmd], data, cwd)


if not shutil.which("age"):
    note("NOT TESTED: berth seal and open beside age: the program is not here (package age)")
    print("1..0 # SKIP no age")
    raise SystemExit(0)

site = Site("envs")
made = berth("keygen", "-o", os.path.join(folder, "master"))
check("a master key is made", made.rc == 0 and "signer" in made.out, made)
signer = [line.split('"')[1] for line in made.out.splitlines() if "signer:" in line][0]
site.push({"berth.yaml": site.read("berth.yaml").replace("  render: 1\n", "  render: 1\n  secrets: {signer: \"%s\"}\n" % signer)})

# two people's own keys, by age-keygen
keys, pks = [], []
for name in "one", "two":
    path = os.path.join(folder, name + ".key")
    p = run(["age-keygen", "-o", path])
    keys.append(path)
    pks.append(p.stderr.decode().split("Public key: ")[1].strip())

said = berth("recipients", "alice", "-C", site.clone, "--key", os.path.join(folder, "master"), "-o", "json")
check("recipients are computed from the master key", said.rc == 0, said)
text = said.out
own = [w.strip('",') for w in text.split() if w.strip('",').startswith("age1")][0]
master = ["--key", os.path.join(folder, "master")]
there = os.path.join(site.clone, "envs/alice/secrets")
os.makedirs(there)

# age seals, berth opens: by the master key at its place, and by a person's own
bad = []
for n in SIZES + [0, 1000000]:
    for armored in False, True:
        path = os.path.join(there, "peer.age")
        p = run(["age", *(["-a"] if armored else []), "-r", own, "-r", pks[0], "-o", path], BYTES[:n])
        a = secret(["open", "-C", site.clone, *master, "envs/alice/secrets/peer.age"])
        b = secret(["open", "--identity", keys[0], path])
        c = secret(["open", "--identity", keys[1], path])
        if p.returncode or a.returncode or a.stdout != BYTES[:n] or b.returncode or b.stdout != BYTES[:n] or c.returncode != 4 or c.stdout:
            bad.append((n, armored, a.stderr, b.stderr, c.returncode, c.stderr))
check("age seals, berth opens: %d files, each by two keys and not by a third" % (2 * len(SIZES) + 4), not bad, bad)

# berth seals, age opens
bad = []
for n in SIZES:
    p = secret(["seal", "-C", site.clone, "--user", "alice", "--force", "--unverified", "-r", pks[0], "-r", pks[1], "peer"], BYTES[:n])
    got = [run(["age", "-d", "-i", k, os.path.join(there, "peer.age")]) for k in keys]
    if p.returncode or any(g.returncode or g.stdout != BYTES[:n] for g in got):
        bad.append((n, p.stderr, [g.stderr for g in got]))
check("berth seals, age opens: %d files for two people" % len(SIZES), not bad, bad)
with open(os.path.join(there, "peer.age"), "rb") as f:
    check("what berth writes is armored", f.read().startswith(b"-----BEGIN AGE ENCRYPTED FILE-----\n"))

# more than a sealed file may have is told before anything is written
os.unlink(os.path.join(there, "peer.age"))
p = secret(["seal", "-C", site.clone, "--user", "alice", "--unverified", "-r", pks[0], "peer"], BYTES)
check("a value that is too large is refused and leaves no file",
      p.returncode == 1 and b"largest" in p.stderr and not os.path.exists(os.path.join(there, "peer.age")), p.returncode, p.stderr)

# a file that age made for a passphrase, or for others, is refused by its kind
p = run(["age", "-r", pks[1], "-o", os.path.join(there, "peer.age")], b"x")
a = secret(["open", "-C", site.clone, *master, "envs/alice/secrets/peer.age"])
check("a file for others is refused, with its place and the command that would have been right",
      a.returncode == 4 and not a.stdout and b"alice" in a.stderr and b"berth seal --user alice" in a.stderr, a.stderr)


# -- a key that is sealed with a passphrase -----------------------------------------------------------------------------
def typing(argv, answers):
    """Runs it with a terminal of its own and types an answer behind each prompt; its exit status and what it printed."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe(argv[0], argv, ENV)
    shown, end, seen_to = b"", time.monotonic() + 120, 0
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.1)[0]:
            if answers and shown[seen_to:].rstrip(b" ").endswith(b":"):
                seen_to = len(shown)
                os.write(fd, answers.pop(0))
            continue
        try:
            got = os.read(fd, 4096)
        except OSError:
            break
        if not got:
            break
        shown += got
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


locked = os.path.join(folder, "locked.key")
rc, shown = typing(["age", "-p", "-a", "-o", locked, keys[1]], [b"correct horse\n", b"correct horse\n"])
if check("age seals a key with a passphrase", rc == 0 and os.path.exists(locked), rc, shown):
    peer = os.path.join(there, "peer.age")
    rc, shown = typing([BERTH, "open", "--identity", locked, "--print", peer], [b"correct horse\n"])
    check("berth asks for it, and opens with the key", rc == 0 and shown.endswith(b"x") and b"horse" not in shown, rc, shown)
    rc, shown = typing([BERTH, "open", "--identity", locked, "--print", peer], [b"wrong horse\n"])
    check("a wrong passphrase is refused", rc == 4 and b"another passphrase" in shown and b"wrong" not in shown, rc, shown)
    a = secret(["open", "--identity", locked, peer])
    check("without a terminal it is not asked for", a.returncode == 4 and b"no terminal" in a.stderr, a.stderr)
done()

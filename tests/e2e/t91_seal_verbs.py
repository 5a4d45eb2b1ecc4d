# SPDX-License-Identifier: Apache-2.0
"""berth seal, open and seal --rotate: whose recipient, signed by whom, which place, which generation; and nothing of a value anywhere else."""
import base64
import json
import os
import pty
import shutil
import subprocess
import time

from lab import BERTH, ENV, STATUS, Site, check, done, env_spec, folder, git, note

VALUE = b"canary-7d1f-value"
MASTER = os.path.join(folder, "master")
seen = []  # everything that any verb said, but for what open gave out

missing = [p for p in ("age", "age-keygen", "ssh-keygen") if not shutil.which(p)]
if missing:
    note("NOT TESTED: berth seal, open and seal --rotate: %s is not here" % " and ".join(missing))
    print("1..0 # SKIP no " + missing[0])
    raise SystemExit(0)


def run(*args, data=b"", cwd=None, env=None):
    p = subprocess.run([BERTH, *args], input=data, cwd=cwd or folder, env={**ENV, **(env or {})}, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=120)
    seen.append(p.stderr + (b"" if args[0] == "open" else p.stdout))
    p.err, p.out = p.stderr.decode(), p.stdout.decode()
    return p


def key_of(said):
    return [line.split('"')[1] for line in said.splitlines() if "signer:" in line][0]


site = Site("envs")
secrets = os.path.join(site.clone, "envs/alice/secrets")
plain_berth = site.read("berth.yaml")


def org(signer, generation=1, oldest=None):
    more = ", oldest: %d" % oldest if oldest else ""
    return plain_berth.replace("  render: 1\n", "  render: 1\n  secrets: {signer: \"%s\", generation: %d%s}\n" % (signer, generation, more))


def seal(*args, data=VALUE, **more):
    return run("seal", "-C", site.clone, *args, data=data, **more)


def master_open(path, **more):
    return run("open", "-C", site.clone, "--key", MASTER, path, **more)


# -- before there is a signer -------------------------------------------------------------------------------------------
p = seal("--user", "alice", "wandb")
check("without a signer in berth.yaml nothing is sealed, and the next step is told", p.returncode == 3 and "berth keygen" in p.err, p.err)
check("... and no file appears", not os.path.exists(secrets))

made = run("keygen", "-o", MASTER)
real = key_of(made.out)

# The status branch as berth publishes it, signed by a key of this test by ssh-keygen: berth's own never leaves it.
signing = os.path.join(folder, "signing")
subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", signing], check=True, env=ENV)
with open(signing + ".pub", encoding="ascii") as f:
    signer = " ".join(f.read().split()[:2])
site.push({"berth.yaml": org(signer), "envs/alice/train.yaml": env_spec()})


def recipients(user, generation=1):
    args = ["--site"] if user is None else [user]
    said = run("recipients", *args, "-C", site.clone, "--key", MASTER, "-o", "json").out
    doc = json.loads(said)
    doc = doc[0] if isinstance(doc, list) else doc
    lines = ["# berth recipients v1", "# site generation %d" % generation if user is None else
             "# user %s uid %s generation %d" % (user, {"alice": "7f3a9c12"}.get(user, "0"), generation), doc["recipient"]]
    lines += ["# env %s %s" % pair for pair in sorted(doc.get("environments", {}).items())]
    return "\n".join(lines) + "\n"


def publish(files):
    """Writes the status branch of the bare repository: path -> text, with a signature beside each."""
    tree = os.path.join(folder, "status")
    if not os.path.isdir(tree):
        git(folder, "clone", "-q", site.bare, tree)
        git(tree, "checkout", "-q", "--orphan", STATUS)
        git(tree, "rm", "-rfq", ".")
    for path, (text, by) in files.items():
        full = os.path.join(tree, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="ascii") as out:
            out.write(text)
        if os.path.exists(full + ".sig"):
            os.unlink(full + ".sig")
        if by:
            subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", by, "-n", "recipients@berth", full], check=True, env=ENV,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "status")
    git(tree, "push", "-q", "origin", "HEAD:refs/heads/" + STATUS)


p = seal("--user", "alice", "wandb")
check("without a status branch: told, and nothing is written", p.returncode == 3 and not os.path.exists(secrets), p.err)
publish({"recipients/users/alice.txt": (recipients("alice"), signing), "recipients/site.txt": (recipients(None), signing)})

# -- sealing ------------------------------------------------------------------------------------------------------------
p = seal("--user", "alice", "wandb")
check("a value is sealed for the published recipient", p.returncode == 0, p.err)
check("... the spec's lines and git's are told", "file: secrets/wandb.age" in p.out and "git -C %s add envs/alice/secrets/wandb.age" % site.clone in p.out and
      "$WANDB" in p.out, p.out)
p = master_open("envs/alice/secrets/wandb.age")
check("the master key opens it", p.stdout == VALUE, p.err)
p = run("open", "--key", MASTER, "wandb.age", cwd=secrets)
check("from inside the folder -C is wanted, and says so", p.returncode != 0 and "-C DIR" in p.err, p.err)
p = run("open", "-C", site.clone, "--key", MASTER, "secrets/wandb.age", cwd=os.path.join(site.clone, "envs/alice"))
check("a path from where one stands is found too", p.stdout == VALUE, p.err)
p = seal("--user", "alice", "--env", "train", "deploy", data=b"one\ntwo\n")
check("for one environment, with every byte", p.returncode == 0 and "envs/alice/train.yaml" in p.out and "line break" in p.err and
      master_open("envs/alice/secrets/train/deploy.age").stdout == b"one\ntwo\n", p.out, p.err)
p = seal("--site", "registry", "--strip-newline", data=b"{}\r\n")
check("for the site, without its line break", p.returncode == 0 and "file: /secrets/registry.age" in p.out and "line break" not in p.err and
      master_open("secrets/registry.age").stdout == b"{}", p.out, p.err)
p = seal("wandb2", env={"USER": "alice"})
check("$USER is whose it is, when users/ has such a file", p.returncode == 0 and os.path.exists(secrets + "/wandb2.age"), p.err)
p = seal("wandb3", env={"USER": "nobody"})
check("... else it is asked for", p.returncode == 2 and "--user" in p.err, p.err)

# -- refusals -----------------------------------------------------------------------------------------------------------
before = open(secrets + "/wandb.age", "rb").read()
p = seal("--user", "alice", "wandb", data=b"another")
check("a file that is there stays", p.returncode == 3 and "--force" in p.err and open(secrets + "/wandb.age", "rb").read() == before, p.err)
p = seal("--user", "alice", "--force", "wandb", data=b"another")
check("... unless it is forced", p.returncode == 0 and master_open("envs/alice/secrets/wandb.age").stdout == b"another", p.err)
for name in "../x", "a/b", "-", "x y", "", "x" * 200, ".hidden", "wandb=secret":
    p = seal("--user", "alice", "--", name)
    check("no name of a file: %r" % name[:12], p.returncode == 2 and "Traceback" not in p.err, p.returncode, p.err)
p = seal("--user", "alice", "nothing", data=b"")
check("an empty value is refused", p.returncode == 1 and not os.path.exists(secrets + "/nothing.age"), p.err)
p = seal("--user", "alice", "nothing", data=b"x" * ((1 << 20) + 1))
check("a value of more than 1 MiB is refused", p.returncode == 1 and not os.path.exists(secrets + "/nothing.age"), p.err)
p = seal("--user", "alice", "--env", "nosuch", "nothing")
check("an environment without a recipient is refused", p.returncode == 3 and not os.path.exists(secrets + "/nosuch"), p.err)
p = seal("--site", "--user", "alice", "nothing")
check("--site has no user", p.returncode == 2, p.err)
site.write({"users/bo.yaml": site.read("users/bo.yaml").replace("uid:", "# uid:", 1)})
p = seal("--user", "bo", "wandb")
check("a user without a uid is refused, with what to do", p.returncode == 1 and "uid" in p.err and not os.path.exists(site.clone + "/envs/bo/secrets"), p.err)
git(site.clone, "checkout", "-q", "users/bo.yaml")
p = run("seal", "-C", site.bare, "--user", "alice", "x", data=VALUE)
check("a bare repository has no place for it", p.returncode == 3 and "working tree" in p.err, p.err)

# a status branch that somebody else wrote
other = os.path.join(folder, "other")
subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", other], check=True, env=ENV)
good = recipients("alice")
own = os.path.join(folder, "own.key")
pk = subprocess.run(["age-keygen", "-o", own], check=True, env=ENV, stderr=subprocess.PIPE).stderr.decode().split("Public key: ")[1].strip()
mine = [line for line in good.splitlines() if not line.startswith("#")][0]
for what, text, by in (("signed by another key", good, other), ("not signed", good, None),
                       ("with another recipient and the old signature", None, signing)):
    publish({"recipients/users/alice.txt": (text or good, by)})
    if text is None:  # the text changes under a signature that was right
        tree = os.path.join(folder, "status")
        with open(tree + "/recipients/users/alice.txt", "w", encoding="ascii") as f:
            f.write(good.replace(mine, pk))
        git(tree, "commit", "-qam", "attack")
        git(tree, "push", "-q", "origin", "HEAD:refs/heads/" + STATUS)
    p = seal("--user", "alice", "attacked")
    check("recipients %s: refused, nothing is written" % what, p.returncode == 4 and "not checked" in p.err and not os.path.exists(secrets + "/attacked.age"),
          p.returncode, p.err)
p = seal("--user", "alice", "--unverified", "attacked")
check("--unverified takes them, and warns loudly", p.returncode == 0 and "NOT VERIFIED" in p.err and
      run("open", "--identity", own, secrets + "/attacked.age").stdout == VALUE, p.err)
os.unlink(secrets + "/attacked.age")
publish({"recipients/users/alice.txt": (good, signing)})
# alice's own signed file in bo's place
publish({"recipients/users/bo.txt": (good, signing)})
p = seal("--user", "bo", "wandb")
check("one user's signed file in another's place is refused", p.returncode == 4 and not os.path.exists(site.clone + "/envs/bo/secrets"), p.returncode, p.err)

# what berth itself signed once, put back: of the alice of before, and of a generation that opens no more
publish({"recipients/users/alice.txt": (good.replace(" uid 7f3a9c12 ", " uid 00000001 "), signing)})
p = seal("--user", "alice", "replayed")
check("recipients of an earlier alice are refused, with both uids", p.returncode == 4 and "00000001" in p.err and "7f3a9c12" in p.err and
      not os.path.exists(secrets + "/replayed.age"), p.returncode, p.err)
publish({"recipients/users/alice.txt": (good, signing)})
site.write({"berth.yaml": org(signer, 3)})
p = seal("--user", "alice", "replayed")
check("recipients of a generation that opens no more are refused", p.returncode == 4 and "generation 1" in p.err and
      not os.path.exists(secrets + "/replayed.age"), p.returncode, p.err)
site.write({"berth.yaml": org(signer, 2)})
p = seal("--user", "alice", "replayed")
check("... of one that still does are taken, and it is said", p.returncode == 0 and "generation 1" in p.err, p.returncode, p.err)
os.unlink(secrets + "/replayed.age")
site.write({"berth.yaml": org(signer)})

# -- a key of one's own, and files that were moved ----------------------------------------------------------------------
p = seal("--user", "alice", "-r", pk, "both")
check("-r: a person's key opens it too", p.returncode == 0 and run("open", "--identity", own, secrets + "/both.age").stdout == VALUE and
      master_open("envs/alice/secrets/both.age").stdout == VALUE, p.err)
os.makedirs(site.clone + "/envs/bo/secrets")
for to in "envs/bo/secrets/stolen.age", "envs/alice/secrets/train/moved.age", "secrets/moved.age":
    with open(secrets + "/both.age", "rb") as f, open(os.path.join(site.clone, to), "wb") as out:
        out.write(f.read())
    p = master_open(to)
    check("a copy at %s does not open" % to, p.returncode == 4 and not p.stdout and "berth seal --" in p.err, p.err)
    os.unlink(os.path.join(site.clone, to))
p = run("open", "--identity", own, secrets + "/wandb.age")
check("a person's key opens only what is sealed for it", p.returncode == 4 and not p.stdout, p.err)
for args in ([], ["--key", MASTER, "--identity", own]):
    p = run("open", "-C", site.clone, *args, "envs/alice/secrets/both.age")
    check("one kind of key, not %d" % (len(args) // 2), p.returncode == 2, p.err)
with open(secrets + "/cut.age", "wb") as f:
    f.write(open(secrets + "/both.age", "rb").read()[:-60])
p = master_open("envs/alice/secrets/cut.age")
check("a file that was cut gives nothing", p.returncode == 1 and not p.stdout, p.err)
os.unlink(secrets + "/cut.age")


# -- terminals ----------------------------------------------------------------------------------------------------------
def on_terminal(args, typed, out_too=False):
    """What the person sees."""
    parent, child = pty.openpty()
    p = subprocess.Popen([BERTH, *args], stdin=child, stdout=child if out_too else subprocess.DEVNULL, stderr=child, env=ENV, cwd=folder, close_fds=True)
    os.close(child)
    shown, end = b"", time.monotonic() + 60
    os.set_blocking(parent, False)
    while time.monotonic() < end:
        try:
            got = os.read(parent, 4096)
            shown += got
        except BlockingIOError:
            if p.poll() is not None:
                break
            time.sleep(0.02)
        except OSError:
            break
        if typed and b"ends it): " in shown:
            os.write(parent, typed)
            typed = b""
    os.close(parent)
    return p.wait(timeout=60), shown


rc, shown = on_terminal(["seal", "-C", site.clone, "--user", "alice", "typed"], VALUE + b"\n")
check("on a terminal the value is asked for and not shown", rc == 0 and b"not shown" in shown and VALUE not in shown and
      master_open("envs/alice/secrets/typed.age").stdout == VALUE, rc, shown)
rc, shown = on_terminal(["open", "-C", site.clone, "--key", MASTER, "envs/alice/secrets/typed.age"], b"", True)
check("a terminal is no place for a secret", rc == 4 and VALUE not in shown and b"--print" in shown, rc, shown)
rc, shown = on_terminal(["open", "-C", site.clone, "--key", MASTER, "--print", "envs/alice/secrets/typed.age"], b"", True)
check("... unless --print", rc == 0 and VALUE in shown, rc, shown)

# -- generations --------------------------------------------------------------------------------------------------------
site.write({"berth.yaml": org(real)})


def rotate(*args):
    p = run("seal", "-C", site.clone, "--rotate", "--key", MASTER, "-o", "json", *args)
    return p, {row["file"]: row for row in json.loads(p.out)} if p.out else {}


def states(rows):
    return {os.path.basename(path): row["state"] for path, row in rows.items()}


p, rows = rotate()
check("all files are current", p.returncode == 0 and set(states(rows).values()) == {"current"} and len(rows) == 6, p.err, rows)
site.write({"berth.yaml": org(real, 2)})
p, rows = rotate()
check("one generation later they are old, and open", p.returncode == 0 and set(states(rows).values()) == {"old"} and
      {row["generation"] for row in rows.values()} == {1}, p.err, rows)
check("... berth open takes them", master_open("envs/alice/secrets/typed.age").stdout == VALUE)
with open(secrets + "/alien.age", "wb") as f:
    f.write(subprocess.run(["age", "-r", pk], input=b"x", stdout=subprocess.PIPE, env=ENV, check=True).stdout)
with open(secrets + "/garbage.age", "wb") as f:
    f.write(VALUE)
before = {n: open(os.path.join(secrets, n), "rb").read() for n in os.listdir(secrets) if n.endswith(".age")}
p, rows = rotate("--write")
want = {"wandb.age": "resealed", "wandb2.age": "resealed", "typed.age": "resealed", "registry.age": "resealed", "deploy.age": "resealed",
        "both.age": "old", "alien.age": "shut", "garbage.age": "shut"}
check("--write seals them again; who has other recipients, and what does not open, stays", p.returncode == 1 and states(rows) == want and
      "-r" in rows["envs/alice/secrets/both.age"]["why"], p.err, rows)
check("... the others' bytes are as they were", all(open(os.path.join(secrets, n), "rb").read() == before[n] for n in ("both.age", "alien.age", "garbage.age")))
check("... the values are as they were", master_open("envs/alice/secrets/typed.age").stdout == VALUE and
      master_open("envs/alice/secrets/train/deploy.age").stdout == b"one\ntwo\n")
p, rows = rotate("--write", "-r", pk)
check("with -r the person's key keeps it", states(rows)["both.age"] == "resealed" and run("open", "--identity", own, secrets + "/both.age").stdout == VALUE and
      master_open("envs/alice/secrets/both.age").stdout == VALUE, p.err, rows)
site.write({"berth.yaml": org(real, 4, 3)})
p, rows = rotate()
check("two generations later they are refused", p.returncode == 1 and states(rows)["typed.age"] == "refused", rows)
p = master_open("envs/alice/secrets/typed.age")
check("... an administrator still sees it, and is told", p.stdout == VALUE and "no longer opens" in p.err, p.err)
p = run("seal", "-C", site.clone, "--rotate", "--key", MASTER)
check("as a table, with a summary", p.returncode == 1 and "refused: too old" in p.out and "generation 4" in p.err, p.out, p.err)
p, rows = rotate("--write", "--force")
check("sealed again they are current", states(rotate()[1])["typed.age"] == "current" and states(rows)["alien.age"] == "shut", p.err, rows)
run("keygen", "-o", os.path.join(folder, "wrong"))
p = run("seal", "-C", site.clone, "--rotate", "--key", os.path.join(folder, "wrong"), "--write")
check("another repository's master key is refused before it looks", p.returncode == 4 and "not the one" in p.err, p.err)
site.write({"users/alice.yaml": site.read("users/alice.yaml").replace("7f3a9c12", "00000001")})
p = master_open("envs/alice/secrets/typed.age")
check("a re-used name with a new uid opens nothing", p.returncode == 4 and not p.stdout, p.err)

# -- as the daemon publishes it -----------------------------------------------------------------------------------------
site = Site("daily", {"berth.yaml": org(real)})
secrets = os.path.join(site.clone, "envs/alice/secrets")
p = run("run", "--repo", site.bare, "--target", "git", "--state", site.state(), "--once", "--master-key", MASTER)
check("the daemon publishes recipients", p.returncode == 0 and site.show(STATUS, "recipients/users/alice.txt.sig"), p.out, p.err)
for args in (["--user", "alice"], ["--user", "alice", "--env", "train"], ["--site"]):
    p = seal(*args, "daily")
    path = (p.out.split() or [""])[0]
    check("... and what is sealed by %s opens at its place" % " ".join(args), p.returncode == 0 and "generation 1" in p.out and
          master_open(path).stdout == VALUE, p.out, p.err)

# -- no value anywhere but in what open gave ----------------------------------------------------------------------------
texts = b"\n".join(seen)
check("no verb said a value, plain or in base64", VALUE not in texts and base64.b64encode(VALUE).rstrip(b"=")[:-2] not in texts)
found = []
for top in (os.path.join(folder, d) for d in ("envs", "envs.git", "daily", "daily.git", "daily.state1", "status", "home")):
    for root, _, names in os.walk(top):
        for n in names:
            with open(os.path.join(root, n), "rb") as f:
                if VALUE in f.read() and n != "garbage.age":
                    found.append(os.path.join(root, n))
check("no file holds it in plain", not found, found)
done()

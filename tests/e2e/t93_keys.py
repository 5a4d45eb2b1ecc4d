#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The master key from its making to what people see of it: keygen, backup and restore, recipients and known_hosts that berth publishes,
and what berth recipients makes of a status branch that somebody else has written to.
"""
import os
import pty
import re
import shutil
import signal
import stat
import subprocess

from lab import BERTH, ENV, STATUS, WAIT, Daemon, Site, berth, check, done, env_spec, folder, git, note, once, until, user_spec

if not shutil.which("age") or not shutil.which("ssh-keygen"):
    note("NOT TESTED: keys beside age and ssh-keygen: a program is not here (packages age, openssh-client)")
    print("1..0 # SKIP no age or ssh-keygen")
    raise SystemExit(0)

MASTER = os.path.join(folder, "master")
TEXT = "BERTH-MASTER-KEY-1"


def run(argv, data=b"", cwd=None):
    return subprocess.run(argv, input=data, cwd=cwd or folder, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)


def signer_of(said):
    return re.search(r'signer: "([^"]*)"', said.out).group(1)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def own_key(name):
    """Somebody's age key: its file and recipient."""
    path = os.path.join(folder, name + ".age-key")
    said = run(["age-keygen", "-o", path]).stderr.decode()
    return path, said.split("Public key: ")[1].strip()


# -- the key itself -----------------------------------------------------------------------------------------------------


def keygen():
    made = berth("keygen", "-o", MASTER)
    mode = stat.S_IMODE(os.stat(MASTER).st_mode)
    key = re.search(TEXT + r"\S+", read(MASTER)).group(0)
    check("keygen makes a file that its owner alone may read", made.rc == 0 and mode == 0o400, made, oct(mode))
    check("and says the signer for berth.yaml, but nothing of the key", signer_of(made).startswith("ssh-ed25519 AAAA") and TEXT not in made.out + made.err, made)
    again = berth("keygen", "-o", MASTER)
    check("no key is written over another", again.rc != 0 and "already" in again.err and key in read(MASTER), again)
    said = berth("keygen", "--public", MASTER)
    check("the public lines again, of the file", said.rc == 0 and signer_of(said) == signer_of(made) and TEXT not in said.out + said.err, said)
    p = run([BERTH, "keygen", "-o", "-"])
    check("into a pipe goes the key alone, what is public to stderr",
          p.returncode == 0 and re.fullmatch(TEXT.encode() + rb"\w+\n", p.stdout) and b"signer:" in p.stderr and TEXT.encode() not in p.stderr, p.stderr)
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(BERTH, [BERTH, "keygen", "-o", "-"], ENV)
    shown = b""
    try:
        while True:
            piece = os.read(fd, 4096)
            if not piece:
                break
            shown += piece
    except OSError:
        pass
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    check("a terminal is shown no key", status == 4 and TEXT.encode() not in shown and b"terminal" in shown, status, shown)
    os.chmod(MASTER, 0o444)
    said = berth("keygen", "--public", MASTER)
    check("a key that others may read is not used, with the command that mends it", said.rc == 4 and "chmod 400 " + MASTER in said.err, said)
    os.chmod(MASTER, 0o400)
    said = berth("keygen", "--public", key)
    check("a key on the command line is not repeated", said.rc == 4 and key not in said.out + said.err, said.rc)
    return signer_of(made)


def backup(signer):
    one, two, three = own_key("one"), own_key("two"), own_key("three")
    listed = os.path.join(folder, "admins.txt")
    with open(listed, "w", encoding="utf-8") as f:
        f.write("# administrators\n%s\n" % two[1])
    said = berth("keygen", "--backup", "-r", one[1], "-R", listed, MASTER)
    copy = os.path.join(folder, "backup.age")
    with open(copy, "w", encoding="utf-8") as f:
        f.write(said.out)
    check("a backup is an armored age file", said.rc == 0 and said.out.startswith("-----BEGIN AGE ENCRYPTED FILE-----") and TEXT not in said.out, said)
    for who, key in ("one", one), ("two", two):
        to = os.path.join(folder, "restored." + who)
        back = berth("keygen", "--restore", copy, "--identity", key[0], "-o", to)
        check("administrator %s restores the key from it" % who, back.rc == 0 and signer_of(back) == signer and
              stat.S_IMODE(os.stat(to).st_mode) == 0o400 and berth("keygen", "--public", to).out == berth("keygen", "--public", MASTER).out, back)
        to = os.path.join(folder, "by-age." + who)
        p = run(["age", "-d", "-i", key[0], "-o", to, copy])
        os.chmod(to, 0o400)
        check("age itself does, too", p.returncode == 0 and signer_of(berth("keygen", "--public", to)) == signer, p.stderr)
    to = os.path.join(folder, "restored.three")
    back = berth("keygen", "--restore", copy, "--identity", three[0], "-o", to)
    check("somebody else does not, and no file is made", back.rc == 4 and not os.path.exists(to), back)
    for bad in (), ("-r", "age1nonsense"), ("-r", "ssh-ed25519 AAAA"):
        said = berth("keygen", "--backup", *bad, MASTER)
        check("a backup for %s is none" % (bad[1:] or "nobody",), said.rc != 0 and not said.out, said)


def near_a_repository(site):
    inside = os.path.join(site.clone, "users", "master")
    said = berth("keygen", "-o", inside)
    check("no key is made inside an environments repository", said.rc == 4 and not os.path.exists(inside), said)


# -- what is published ----------------------------------------------------------------------------------------------------


def verified(site, signer, path, namespace):
    """By ssh-keygen, with nothing but the signer."""
    allowed, sig = os.path.join(folder, "allowed"), os.path.join(folder, "sig")
    text = git(site.bare, "cat-file", "blob", "%s:%s" % (STATUS, path)) + "\n"
    for name, what in (allowed, "berth %s\n" % signer), (sig, git(site.bare, "cat-file", "blob", "%s:%s.sig" % (STATUS, path)) + "\n"):
        with open(name, "w", encoding="utf-8") as f:
            f.write(what)
    return run(["ssh-keygen", "-Y", "verify", "-f", allowed, "-I", "berth", "-n", namespace, "-s", sig], text.encode()).returncode == 0


def recipients(site, *args):
    return berth("recipients", "-C", site.clone, *args)


def published(site, signer):
    users = sorted(n[:-5] for n in os.listdir(os.path.join(site.clone, "users")))
    want = ["%s/%s" % ("recipients/users", u + end) for u in users for end in (".txt", ".txt.sig")]
    got = site.names(STATUS, "recipients/users")
    check("every user has recipients with a signature", got == sorted(want), got)
    check("and the site", site.names(STATUS, "recipients/site.txt", "recipients/site.txt.sig", "known_hosts", "known_hosts.sig") ==
          ["known_hosts", "known_hosts.sig", "recipients/site.txt", "recipients/site.txt.sig"])
    bad = [p for p in want if p.endswith(".txt") and not verified(site, signer, p, "recipients@berth")]
    check("ssh-keygen verifies all of them by the signer of berth.yaml",
          not bad and verified(site, signer, "recipients/site.txt", "recipients@berth") and verified(site, signer, "known_hosts", "known-hosts@berth"), bad)
    check("known_hosts trusts an authority for the environments' names", "@cert-authority *." in site.show(STATUS, "known_hosts"), site.show(STATUS, "known_hosts"))
    for who in *users, "--site":
        a, b = recipients(site, who, "-o", "json"), recipients(site, who, "-o", "json", "--key", MASTER)
        check("berth recipients %s: what is published is what the master key says" % who, a.rc == 0 and a.out == b.out and a.json()["recipient"].startswith("age1"), a, b)
    said = recipients(site, "-o", "json")
    everybody = [r["recipient"] for r in said.json()] + [x for r in said.json() for x in r.get("environments", {}).values()]
    check("no two of them are the same", len(set(everybody)) == len(everybody) >= len(users) + 1, everybody)


def used(site):
    """The commands that it prints are run as they stand."""
    for args, path in ((), "envs/alice/secrets/NAME.age"), (("--env", "notebook"), "envs/alice/secrets/notebook/NAME.age"):
        said = recipients(site, "alice", *args)
        line = re.search(r"^  (age -a -r .*)$", said.out, re.M).group(1)
        check("it shows the command for age: %s" % path, line.endswith("-o " + path), said)
        os.makedirs(os.path.join(site.clone, os.path.dirname(path)), exist_ok=True)
        p = run(["sh", "-c", line], b"a value", cwd=site.clone)
        opened = berth("open", "-C", site.clone, "--key", MASTER, path)
        check("which seals what only berth opens", p.returncode == 0 and (opened.rc, opened.out) == (0, "a value"), p, opened)
        os.unlink(os.path.join(site.clone, path))
    for args in ("alice", "--env", "nothing"), ("nobody",), ("alice", "--site"), ("--env", "notebook"), ("UPPER",):
        said = recipients(site, *args)
        check("berth recipients %s is refused" % " ".join(args), said.rc != 0 and not said.out and said.err.startswith("berth: "), said)


def follows(site):
    """Environments and users come and go; each change is one commit, no change is none."""
    before = len(site.commits(STATUS))
    site.push({"envs/alice/second.yaml": env_spec()}, "another environment")
    got = until(lambda: "# env second age1" in (site.show(STATUS, "recipients/users/alice.txt") or ""))
    check("a new environment gets a recipient", got)
    check("in the commit that tells of it", len(site.commits(STATUS)) == before + 1, git(site.bare, "log", "--format=%s", STATUS))
    site.push({"envs/alice/second.yaml": None}, "and gone")
    check("which goes with it", until(lambda: "second" not in site.show(STATUS, "recipients/users/alice.txt") and "alice/second" not in site.phases()))
    tip = site.tip(STATUS)
    main = site.push({"README.md": "nothing of interest\n"}, "a change that touches nobody")
    until(lambda: main[:12] in daemon.log())
    more = {"users/u%d.yaml" % n: user_spec(n) for n in range(100)}
    before = len(site.commits(STATUS))
    check("a pass without a change is no commit", site.tip(STATUS) == tip)
    site.push(more, "100 users")
    check("100 users get theirs", until(lambda: len(site.names(STATUS, "recipients/users")) >= 200, 2 * WAIT))
    check("in one commit", len(site.commits(STATUS)) == before + 1, git(site.bare, "log", "--format=%s", STATUS))
    site.push({p: None for p in more}, "100 users leave")
    check("and lose them", until(lambda: not [n for n in site.names(STATUS, "recipients/users") if "/u1" in n], 2 * WAIT))


def not_asked_twice(site):
    """A decryptor that cannot answer is no hindrance where nothing new is to be asked."""
    pid = int(re.findall(r"the decryptor is process (\d+)", daemon.log())[-1])
    os.kill(pid, signal.SIGSTOP)
    try:
        main = site.push({"users/bo.yaml": site.read("users/bo.yaml") + "# the same\n", "berth.yaml": site.read("berth.yaml") + "# the same\n"}, "nothing new")
        passed = until(lambda: main[:12] + ": " in daemon.log())
        with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
            state = f.read().rsplit(")", 1)[1].split()[0]
    finally:
        os.kill(pid, signal.SIGCONT)
    check("a pass over everybody that changes nothing asks the decryptor for nothing", passed and state == "T" and "recipients of" not in daemon.log(), state, daemon.log()[-2000:])


def without_an_answer(site):
    """The decryptor is killed: it is started again, and what it could not answer is asked again."""
    pids = re.findall(r"the decryptor is process (\d+)", daemon.log())
    os.kill(int(pids[-1]), signal.SIGKILL)
    site.push({"envs/alice/later.yaml": env_spec()}, "an environment while the decryptor is away")
    check("a recipient comes all the same", until(lambda: "# env later age1" in (site.show(STATUS, "recipients/users/alice.txt") or "")), daemon.log()[-2000:])
    check("and is the right one", recipients(site, "alice", "-o", "json").out == recipients(site, "alice", "-o", "json", "--key", MASTER).out)


def attacked(site, start):
    """With the daemon away, whatever a stranger puts there is seen through; when it comes back, it is put right."""
    alice, bo = ("recipients/users/%s.txt" % u for u in ("alice", "bo"))
    good = {p: site.show(STATUS, p) for p in (alice, alice + ".sig", bo, bo + ".sig")}
    stranger = own_key("stranger")[1]
    forged = re.sub(r"(?m)^age1\S+$", stranger, good[alice])
    check("the forgery is one", forged != good[alice])
    key = os.path.join(folder, "stranger")
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    other_sig = run(["ssh-keygen", "-Y", "sign", "-f", key, "-n", "recipients@berth"], forged.encode()).stdout.decode()
    for name, files in (("another recipient in the file", {alice: forged}), ("bo's file, signed as it is, in alice's place", {alice: good[bo], alice + ".sig": good[bo + ".sig"]}),
                        ("a file signed by somebody else", {alice: forged, alice + ".sig": other_sig}), ("no signature", {alice + ".sig": ""}),
                        ("a signature of another file", {alice + ".sig": good[bo + ".sig"]})):
        for path, text in {**good, **files}.items():
            site.plant(path, text)
        said = recipients(site, "alice")
        check("%s: not checked, nothing shown, exit 4" % name, said.rc == 4 and not said.out and "not checked" in said.err and stranger not in said.err, said)
        check("%s: bo is none the worse" % name, recipients(site, "bo").rc == 0)
    everybody = recipients(site)
    check("a list with a forged one in it is no list", everybody.rc == 4, everybody)
    site.plant("recipients/users/ghost.txt", good[alice])
    d = start()
    check("berth puts it right when it comes back",
          until(lambda: all(site.show(STATUS, p) == text for p, text in good.items()) and not site.show(STATUS, "recipients/users/ghost.txt")), d.log()[-2000:])
    return d


def generations(site, signer):
    old = recipients(site, "alice", "-o", "json").json()
    hosts = site.show(STATUS, "known_hosts")
    site.push({"berth.yaml": berth_yaml % ("{signer: \"%s\", generation: 3}" % signer)}, "generation 3")
    said = recipients(site, "alice", "-o", "json")
    if said.rc == 0:  # berth was faster than we
        check("generation 3", said.json()["generation"] == 3, said)
    else:
        check("what is too old to be opened is not shown: %s" % said.err, said.rc == 4 and "generation 1" in said.err, said)
    check("a new generation gives new recipients",
          until(lambda: recipients(site, "alice").rc == 0) and recipients(site, "alice", "-o", "json").json()["recipient"] != old["recipient"])
    check("which are those of the key", recipients(site, "alice", "-o", "json").out == recipients(site, "alice", "-o", "json", "--key", MASTER).out)
    check("known_hosts is the same in every generation", site.show(STATUS, "known_hosts") == hosts)


def another_key(site):
    other = os.path.join(folder, "other")
    berth("keygen", "-o", other)
    tip = site.show(STATUS, "recipients/users/alice.txt")
    said = once(site.bare, site.state(), "--master-key", other)
    check("a berth with another key than berth.yaml names says so", "another master key" in said.err, said)
    check("and publishes nothing", site.show(STATUS, "recipients/users/alice.txt") == tip and recipients(site, "alice").rc == 0)
    said = recipients(site, "alice", "--key", other)
    check("recipients of another key come with a warning", said.rc == 0 and "another signer" in said.err, said)
    said = once(site.bare, site.state())
    check("a berth without a key leaves what is there", site.show(STATUS, "recipients/users/alice.txt") == tip, said)
    site.push({"berth.yaml": template}, "no signer")
    said = recipients(site, "alice")
    check("without a signer: what is missing, and who adds it", said.rc != 0 and "spec.secrets.signer" in said.err and "berth keygen" in said.err, said)


SIGNER = keygen()
backup(SIGNER)
SITE = Site("envs")
near_a_repository(SITE)
template = SITE.read("berth.yaml")
berth_yaml = template.replace("  render: 1\n", "  render: 1\n  secrets: %s\n")
SITE.push({"berth.yaml": berth_yaml % ("{signer: \"%s\"}" % SIGNER)}, "sealed secrets")
STATE = SITE.state()


def start_daemon():
    return Daemon(SITE.bare, STATE, "--master-key", MASTER)


daemon = start_daemon()
if check("berth publishes", until(lambda: SITE.show(STATUS, "known_hosts.sig") and SITE.all_rendered()), daemon.log()):
    published(SITE, SIGNER)
    used(SITE)
    follows(SITE)
    not_asked_twice(SITE)
    without_an_answer(SITE)
    daemon.stop()
    daemon = attacked(SITE, start_daemon)
    generations(SITE, SIGNER)
    check("the log has nothing of the key", TEXT not in daemon.log())
    daemon.stop()
    another_key(SITE)
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in an environments repository, and what berth makes of it: a clear message, and everything else goes on."""
import os
import re
import shutil
import time

from lab import (RENDERED, STATUS, WAIT, Daemon, Site, check, dead_port, done, env_spec, folder, git, once, until, user_spec)

HEAD = "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n"
QUIET = {"GIT_AUTHOR_NAME": "Mallory", "GIT_AUTHOR_EMAIL": "m@example.com", "GIT_COMMITTER_NAME": "Mallory",
         "GIT_COMMITTER_EMAIL": "m@example.com"}


def tree_of(site):
    return git(site.bare, "rev-parse", RENDERED + "^{tree}")


# -- environments ------------------------------------------------------------------------------------------------
site = Site("envs")
bare = site.bare
state = site.state()
check("the template is fine", once(bare, state).rc == 0)
good = tree_of(site)
git(site.clone, "-c", "protocol.file.allow=always", "submodule", "add", "-q", bare, "envs/bo/sub.yaml")
os.symlink("../../berth.yaml", os.path.join(site.clone, "envs/bo/link.yaml"))
CASES = {  # path -> bytes, what the finding must say
    "envs/bo/torn.yaml": (HEAD + "  flavor: [cpu-small\n", r":\d+:\d+\b"),
    "envs/bo/tabs.yaml": (HEAD + "\tflavor: cpu-small\n", r":4:1\b"),
    "envs/bo/word.yaml": (HEAD + "  flavour: cpu-small\n", r":4:3\b.*flavour.*flavor"),
    "envs/bo/owned.yaml": (HEAD + "  owner: alice@example.com\n  flavor: cpu-small\n", r":4:\d+\b.*(alice|bo)"),
    "envs/bo/plain.yaml": (HEAD + "  flavor: gpu-smal\n", r":4:11\b.*gpu-smal.*"),
    "envs/bo/binary.yaml": (b"\x00\xff\xfe\x01" * 64, r""),
    "envs/bo/empty.yaml": ("", r""),
    "envs/bo/list.yaml": ("- 1\n- 2\n", r":1:1\b"),
    "envs/bo/twice.yaml": (HEAD + "  flavor: cpu-small\n  flavor: gpu-small\n", r":5:3\b.*flavor"),
    "envs/bo/kind.yaml": (HEAD.replace("Environment", "Enviroment") + "  flavor: cpu-small\n", r":2:7\b.*Environment"),
    "envs/bo/big.yaml": (HEAD + "  flavor: cpu-small\n# " + "x" * 5_000_000 + "\n", r"(5\.0|5000|4\.8|large|big|MiB|bytes)"),
    "envs/bo/two.yaml": (HEAD + "  flavour: cpu-small\n  imagee: x\n", r":4:3\b"),
    "envs/bo/link.yaml": (None, r"(symlink|symbolic)"),
    "envs/bo/sub.yaml": (None, r"submodule"),
    "envs/nobody/lost.yaml": (HEAD + "  flavor: cpu-small\n", r"users/nobody\.yaml"),
    "envs/bo/Upper.yaml": (HEAD + "  flavor: cpu-small\n", r"Upper"),
}
bad = {p: text for p, (text, _) in CASES.items() if text is not None}
commit = site.push({**bad, "envs/bo/fine.yaml": env_spec()}, "many mistakes")
said = once(bare, state)
check("a pass over bad files: status 1, not an error", said.rc == 1, said)
status = site.status()
told = "\n".join("\n".join(s.get("pending", {}).get("findings", [])) for s in status.values())
told += "\n" + "\n".join(site.repo_status().get("findings", []))
for path, (_, pattern) in CASES.items():
    lines = [line for line in told.splitlines() if path in line]
    check("%s is told with its place" % path, lines and any(re.search(pattern, line) for line in lines), lines or told)
check("all findings of a file at once", len([x for x in told.splitlines() if "envs/bo/two.yaml" in x]) == 3, told)
check("a new bad environment is Held", status.get("bo/torn", {}).get("phase") == "Held" and
      status["bo/torn"]["pending"]["reason"] == "Invalid" and status["bo/torn"]["pending"]["commit"] == commit, status.get("bo/torn"))
check("good ones go on", status["bo/fine"]["phase"] == "Rendered" and status["alice/vit"]["phase"] == "Rendered", status.keys())
check("nothing of a bad one is rendered", not [n for n in site.names(RENDERED) if "/torn/" in n or "/link/" in n])
listing = site.files()
check("bad files again: no write", once(bare, state).rc == 1 and site.files() == listing)
git(site.clone, "rm", "-qrf", "envs/bo/sub.yaml", ".gitmodules")
site.push({p: None for p in CASES if p != "envs/bo/sub.yaml"} | {"envs/bo/fine.yaml": None}, "away with them\n\nBerth-Allow-Delete: 9")
said = once(bare, state)
check("without them all is well again", said.rc == 0 and set(site.phases()) == site.wanted() and tree_of(site) == good, said,
      site.phases())

# -- the last good one stays --------------------------------------------------------------------------------------
vit = site.read("envs/alice/vit.yaml")
before = site.status()["alice/vit"]
commit = site.push({"envs/alice/vit.yaml": vit.replace("gpu-small", "gpu-smal"),
                    "envs/alice/notebook.yaml": env_spec("gpu-small")}, "one good, one bad")
said = once(bare, state)
now = site.status()["alice/vit"]
check("a bad new spec keeps what is live: --once says 1", said.rc == 1 and now["phase"] == "Rendered" and
      now["observed"] == before["observed"], said, now)
check("pending says commit, reason and place", now.get("pending", {}).get("commit") == commit and
      now["pending"]["reason"] == "Invalid" and "envs/alice/vit.yaml:" in now["pending"]["message"], now)
check("its manifests are untouched", git(bare, "rev-parse", RENDERED + ":envs/alice/vit") == before["observed"]["revision"])
check("the neighbour went on", "nvidia.com/gpu" in site.show(RENDERED, "envs/alice/notebook/statefulset-notebook.yaml"))
check("README.md shows it first", re.search(r"\|---.*\n\| \[alice/vit\].*Invalid", site.show(STATUS, "README.md")),
      site.show(STATUS, "README.md"))
site.push({"envs/alice/vit.yaml": vit}, "mend")
check("mending clears pending", once(bare, state).rc == 0 and "pending" not in site.status()["alice/vit"], site.status()["alice/vit"])
flavor = site.read("flavors/gpu-small.yaml")
site.push({"flavors/gpu-small.yaml": None}, "the flavor goes")
said = once(bare, state)
now = site.status()
check("a flavor deleted: those that name it keep what is live", now["alice/vit"].get("pending", {}).get("reason") == "Invalid" and
      now["alice/vit"]["phase"] == "Rendered" and "pending" not in now["bo/genome"], said, now["alice/vit"])
site.push({"flavors/gpu-small.yaml": flavor}, "the flavor is back")
check("the flavor back: all is well", once(bare, state).rc == 0 and "pending" not in site.status()["alice/vit"])

# -- the repository as a whole --------------------------------------------------------------------------------------
org = site.read("berth.yaml")
rendered = site.tip(RENDERED)
for name, text, pattern in [("a bad berth.yaml", org.replace("currency", "curency"), r"berth\.yaml:\d+:\d+.*curency"),
                            ("no berth.yaml", None, r"berth\.yaml")]:
    site.push({"berth.yaml": text, "envs/alice/vit.yaml": env_spec()}, name)
    said = once(bare, state)
    repo = site.repo_status()
    check("%s: the commit is not adopted, status 1" % name, said.rc == 1 and site.tip(RENDERED) == rendered, said)
    check("%s: repo.yaml and README.md say so" % name, repo.get("reason") == "InvalidRepository" and
          re.search(pattern, repo.get("message", "")) and "InvalidRepository" in site.show(STATUS, "README.md"), repo)
    check("%s: the environments' status stays" % name, set(site.phases().values()) == {"Rendered"} and
          not any("pending" in s for s in site.status().values()))
    listing = site.files()
    check("%s: no write the second time" % name, once(bare, state).rc == 1 and site.files() == listing)
site.push({"berth.yaml": org}, "berth.yaml is back")
check("berth.yaml back: adopted", once(bare, state).rc == 0 and site.tip(RENDERED) != rendered and
      site.repo_status()["reason"] == "Adopted", site.repo_status())
site.push({"envs/alice/vit.yaml": vit}, "vit as it was")
check("and on it goes", once(bare, state).rc == 0)

rendered = site.tip(RENDERED)
git(bare, "update-ref", "-d", "refs/heads/main")
said = once(bare, state)
check("main deleted: held, not obeyed", said.rc == 1 and site.tip(RENDERED) == rendered and
      site.repo_status()["reason"] == "SourceEmpty", said, site.repo_status())
git(site.clone, "push", "-q", "origin", "main")
said = once(bare, state)
check("main back: adopted", said.rc == 0 and site.repo_status()["reason"] == "Adopted", said)

old = git(site.clone, "rev-parse", "HEAD")
git(site.clone, "reset", "-q", "--hard", "HEAD~1")
new = site.push({"envs/bo/other.yaml": env_spec()}, "history is rewritten", force=True)
said = once(bare, state)
check("a rewritten history: status 4, both commits and what to do are named", said.rc == 4 and old[:12] in said.err and
      "--accept-rewind " + new in said.err, said)
check("held, not obeyed", site.tip(RENDERED) == rendered and site.repo_status()["reason"] == "SourceRewound", site.repo_status())
said = once(bare, site.state())
check("an empty state folder does not let it through", said.rc == 4 and site.tip(RENDERED) == rendered, said)
git(bare, "reflog", "expire", "--expire=now", "--all")
git(bare, "gc", "-q", "--prune=now")
said = once(bare, state)
check("nor does it when the old commits are gone", said.rc == 4 and site.tip(RENDERED) == rendered, said)
said = once(bare, state, "--accept-rewind", old)
check("another commit does not release it", said.rc == 4 and site.tip(RENDERED) == rendered, said)
said = once(bare, state, "--accept-rewind", new)
check("--accept-rewind releases it", said.rc == 0 and site.tip(RENDERED) != rendered and "bo/other" in site.phases(), said)
check("for good", once(bare, state).rc == 0)

for name, repo, code in [("not there", os.path.join(folder, "missing"), None), ("no repository", folder, None),
                         ("nobody answers", "http://127.0.0.1:%d/x.git" % dead_port(), 3),
                         ("git:// and nobody answers", "git://127.0.0.1:%d/x.git" % dead_port(), 3),
                         ("no such scheme", "gopher://127.0.0.1/x", 2)]:
    said = once(repo, site.state())
    check("%s: an error that names it" % name, said.rc in ((code,) if code else (2, 3)) and (repo in said.err or
          repo.split("/")[2] in said.err or "--repo" in said.err) and len(said.err) < 2000, said)
git(folder, "init", "-q", "--bare", "empty.git")
said = once(os.path.join(folder, "empty.git"), site.state())
check("an empty repository: an error with the next step", said.rc not in (0, 4) and "berth init" in said.err, said)

# -- deletions ----------------------------------------------------------------------------------------------------
many = Site("many", {"envs/u%d/e%d.yaml" % (i // 2, i): env_spec() for i in range(8)} |
            {"users/u%d.yaml" % i: user_spec(i) for i in range(4)} |
            {"berth.yaml": org.replace("maxDelete: 3, maxDeleteFraction: 0.25", "maxDelete: 2, maxDeleteFraction: 0.1")},
            drop=["envs"])
bare, state = many.bare, many.state()
check("eight environments", once(bare, state).rc == 0 and len(many.phases()) == 8)
many.push({"envs/u0/e0.yaml": None}, "one deletion, and a trailer that is not needed\n\nBerth-Allow-Delete: 8")
said = once(bare, state)
check("one deletion goes through", said.rc == 0 and not many.names(RENDERED, "envs/u0/e0") and "u0/e0" not in many.phases(), said)
many.push({"README.md": "text\n"}, "a trailer on a commit that changes no manifest\n\nBerth-Allow-Delete: 8")
check("a commit without effect", once(bare, state).rc == 0)
rendered = many.tip(RENDERED)
gone = {"envs/u%d/e%d.yaml" % (i // 2, i): None for i in range(1, 5)}
many.push({**gone, "envs/u3/e7.yaml": env_spec("gpu-small")}, "four deletions and an edit")
said = once(bare, state)
status = many.status()
check("four deletions are held, also after old trailers: status 1", said.rc == 1 and len(many.names(RENDERED, "envs/u0/e1")) > 1
      and "Berth-Allow-Delete: 4" in said.err, said)
check("each says GuardHeld and how to release it", all(status["u%d/e%d" % (i // 2, i)].get("pending", {}).get("reason") == "GuardHeld" and
      "Berth-Allow-Delete: 4" in status["u%d/e%d" % (i // 2, i)]["pending"]["message"] for i in range(1, 5)), status)
check("repo.yaml as well", many.repo_status()["reason"] == "GuardHeld", many.repo_status())
check("the edit beside them goes through", "nvidia.com/gpu" in many.show(RENDERED, "envs/u3/e7/statefulset-e7.yaml"))
listing = many.files()
check("held again: no write", once(bare, state).rc == 1 and many.files() == listing)
many.push({}, "too small\n\nBerth-Allow-Delete: 3")
check("a trailer that is too small does not release", once(bare, state).rc == 1 and many.names(RENDERED, "envs/u0/e1"))
many.push({}, "not a trailer: Berth-Allow-Delete: 4\n\nThe text goes on.")
check("nor does a sentence", once(bare, state).rc == 1 and many.names(RENDERED, "envs/u0/e1"))
many.push({}, "now\n\nBerth-Allow-Delete: 4")
said = once(bare, state)
check("the trailer releases them: files and status go", said.rc == 0 and set(many.phases()) == {"u2/e5", "u3/e6", "u3/e7"} and
      not many.names(RENDERED, "envs/u0"), said, many.phases())
check("a user without environments keeps the user's own set", many.names(RENDERED, "users/u0"))
git(many.clone, "rm", "-q", "users/u0.yaml")
many.push({}, "u0 leaves")
check("a user who leaves is removed", once(bare, state).rc == 0 and not many.names(RENDERED, "users/u0") and
      "u0" not in many.show(RENDERED, "users/kustomization.yaml"))
git(many.clone, "rm", "-q", "users/u2.yaml")
many.push({}, "u2 leaves, its environment does not")
said = once(bare, state)
check("a user removed while an environment is there: it stays, pending", said.rc == 1 and many.names(RENDERED, "users/u2") and
      many.status()["u2/e5"]["pending"]["reason"] == "Invalid", said)
git(many.clone, "revert", "--no-edit", "HEAD")
git(many.clone, "push", "-q", "origin", "main")
check("the user back: all is well", once(bare, state).rc == 0)

# -- foreign commits ----------------------------------------------------------------------------------------------
want = git(bare, "rev-parse", RENDERED + "^{tree}")
other = os.path.join(folder, "other")
git(folder, "clone", "-q", "-b", RENDERED, bare, other)


def foreign(branch, message, change):
    """Somebody pushes to a branch of berth's, again when a running berth was faster; the commit."""
    for _ in range(20):
        git(other, "fetch", "-q")
        git(other, "checkout", "-q", "-B", "work", "origin/" + branch)
        change()
        git(other, "add", "-A")
        git(other, "commit", "-qm", message, env=QUIET)
        code, _out, err = git(other, "push", "-q", "origin", "HEAD:" + branch, ok=False)
        if code == 0:
            return git(other, "rev-parse", "HEAD")
    raise RuntimeError("twenty pushes to %s were refused: %s" % (branch, err))


def observed(name):
    return many.status().get(name, {}).get("observed", {}).get("commit")


def put(path, text):
    def change():
        os.makedirs(os.path.dirname(os.path.join(other, path)), exist_ok=True)
        with open(os.path.join(other, path), "w", encoding="utf-8") as f:
            f.write(text)
    return change


def swap(path):
    def change():
        full = os.path.join(other, path)
        if os.path.isdir(full):
            shutil.rmtree(full)
            put(path, "text\n")()
        else:
            os.unlink(full)
            put(path + "/text", "text\n")()
    return change


for name, change in [
        ("an edited manifest", put("envs/u3/e7/statefulset-e7.yaml", "kind: Nonsense\n")),
        ("an edited list", put("envs/kustomization.yaml", "resources: []\n")),
        ("a file at the root", put("NOTES.md", "mine\n")),
        ("a file in a unit", put("envs/u3/e7/extra.yaml", "kind: ConfigMap\n")),
        ("a folder in a unit", put("envs/u3/e7/sub/extra.yaml", "kind: ConfigMap\n")),
        ("a unit nobody asked for", put("envs/u3/ghost/configmap-x.yaml", "kind: ConfigMap\n")),
        ("a file beside the owners", put("envs/loose.yaml", "kind: ConfigMap\n")),
        ("a file in an owner's folder", put("envs/u3/loose.yaml", "kind: ConfigMap\n")),
        ("a file where a folder belongs", swap("envs/u3/e7")), ("a file for an owner", swap("envs/u3")),
        ("a file for all", swap("envs")), ("a folder for a list", swap("envs/kustomization.yaml")),
        ("a folder where a file belongs", swap("envs/u3/e7/statefulset-e7.yaml")),
        ("an executable manifest", lambda: os.chmod(os.path.join(other, "envs/u3/e7/statefulset-e7.yaml"), 0o755)),
        ("a unit deleted", lambda: git(other, "rm", "-qr", "envs/u3/e7")),
        ("a user deleted", lambda: git(other, "rm", "-qr", "users/u3")),
        ("org edited", put("org/kustomization.yaml", "resources: []\n")),
        ("everything deleted", lambda: git(other, "rm", "-qr", "."))]:
    theirs = foreign(RENDERED, name, change)
    said = once(bare, state)
    repo = many.repo_status()
    check("foreign commit, %s: restored" % name, said.rc == 0 and git(bare, "rev-parse", RENDERED + "^{tree}") == want, said,
          git(bare, "diff", "--stat", want, RENDERED))
    check("foreign commit, %s: told" % name, repo.get("drift", {}).get("commit") == theirs and "Mallory" in repo["drift"]["by"]
          and "Mallory" in said.err and "Berth-Drift: " + theirs in git(bare, "log", "-1", "--format=%B", RENDERED), repo, said)
listing = many.files()
check("then calm", once(bare, state).rc == 0 and many.files() == listing)

want = many.blanked()
for name, change in [("edited", put("envs/u3/e7.yaml", "phase: Ready\n")), ("not YAML", put("envs/u3/e7.yaml", "{{{\n")),
                     ("deleted", lambda: git(other, "rm", "-q", "envs/u3/e7.yaml")),
                     ("one too many", put("envs/u9/ghost.yaml", "phase: Ready\n")),
                     ("a file too many", put("envs/u3/NOTES.md", "mine\n"))]:
    foreign(STATUS, name, change)
    said = once(bare, state)
    check("a status file %s by hand is restored" % name, said.rc == 0 and many.blanked() == want, said,
          {p: v for p, v in many.blanked().items() if want.get(p) != v})
foreign(STATUS, "README", put("README.md", "mine\n"))
daemon = Daemon(bare, state)
check("the daemon sees foreign commits as well", until(lambda: "watches" in daemon.log()))
foreign(RENDERED, "while it runs", put("envs/u3/e7/statefulset-e7.yaml", "kind: Nonsense\n"))
check("and restores them", until(lambda: "restored" in daemon.log()) and until(
    lambda: "Nonsense" not in many.show(RENDERED, "envs/u3/e7/statefulset-e7.yaml")), daemon.log())
foreign(STATUS, "while it runs", put("envs/u3/e7.yaml", "phase: Ready\n"))
check("status files too", until(lambda: many.phases().get("u3/e7") == "Rendered"), daemon.log())

# -- stale locks, gc, large commits --------------------------------------------------------------------------------
long_ago = time.time() - 60
for ref in (RENDERED, STATUS):
    lock = os.path.join(bare, "refs/heads", ref + ".lock")
    os.makedirs(os.path.dirname(lock), exist_ok=True)
    with open(lock, "w", encoding="utf-8"):
        pass
    os.utime(lock, (long_ago, long_ago))
commit = many.push({"envs/u3/e7.yaml": env_spec()}, "past the locks")
check("old .lock files do not stop it", until(lambda: observed("u3/e7") == commit) and until(lambda: not many.locks()),
      daemon.log(), many.locks())
git(bare, "gc", "-q", "--prune=now")
check("after git gc it goes on", not os.path.exists(os.path.join(bare, "refs/heads", RENDERED)))
commit = many.push({"envs/u3/e7.yaml": env_spec("gpu-small")}, "after gc")
check("and writes", until(lambda: observed("u3/e7") == commit), daemon.log())
git(bare, "gc", "-q", "--prune=now")
packs = [p for p in os.listdir(os.path.join(bare, "objects/pack")) if p.endswith(".pack")]
many.push({"envs/u3/x%d.yaml" % i: env_spec("gpu-small", "  persistentHomeSize: %dGi\n" % (20 + i)) for i in range(150)}, "many at once")
check("150 environments at once", until(lambda: len(many.phases()) == 153, 2 * WAIT), daemon.log())
kinds = dict(line.split(": ") for line in git(bare, "count-objects", "-v").splitlines())
check("large commits are packs, not thousands of loose objects", int(kinds["count"]) < 300 and
      1 <= int(kinds["packs"]) - len(packs) <= 6, kinds)
check("the daemon stops, and nothing is half-written", daemon.stop() == 0 and many.fsck() == "" and not many.locks(),
      many.fsck(), daemon.log())
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth validate --changed: findings of what differs and of what depends on it, nothing else."""
import re

from lab import Site, berth, check, done, env_spec, git, user_spec

BROKEN = env_spec("cpu-small", "  imagee: x\n")
# old sins that nobody asked about: an environment and a flavor with errors, a team that names nobody
site = Site("envs", files={"envs/bo/old.yaml": BROKEN, "flavors/old.yaml": "apiVersion: berth.dev/v1\nkind: Flavor\nspec: {}\nx: 1\n",
                           "envs/dana/dev.yaml": env_spec("gpu-small", "  access: {share: [bo]}\n"),
                           "teams/ghosts.yaml": "apiVersion: berth.dev/v1\nkind: Team\nspec: {admins: [nobody]}\n",
                           "users/erin.yaml": user_spec(7), "envs/erin/one.yaml": env_spec()})
base = git(site.clone, "rev-parse", "HEAD")
everything = git(site.clone, "ls-files", "envs/*/*.yaml").splitlines()
old = berth("validate", "-C", site.clone, "-o", "json").json()
check("the repository has old findings", {"envs/bo/old.yaml", "flavors/old.yaml", "teams/ghosts.yaml"} == {f["file"] for f in old}, old)


def changed(range_, *args):
    return berth("validate", "-C", site.clone, "--changed", range_, *args)


def after(files, message="change"):
    """A commit on top of the base; what --changed says of it."""
    git(site.clone, "reset", "-q", "--hard", base)
    site.write(files)
    site.save(message)
    return changed(base + "..HEAD", "-o", "json")


def of(said):
    return {f["file"] for f in said.json()}


def pairs(said):
    return {(f["file"], f["code"]) for f in said.json()}


said = after({})
check("nothing changed: nothing is said", said.rc == 0 and said.json() == [], said)
said = after({"README.md": "x\n", ".gitignore": "x\n"})
check("a file that berth does not read", said.rc == 0 and said.json() == [], said)
said = after({"envs/bo/new.yaml": env_spec("cpu-smal")})
check("a new environment: its findings alone", said.rc == 1 and pairs(said) == {("envs/bo/new.yaml", "E304")}, said)
said = changed(base + "..")
check("HEAD may be left out; files are counted", said.rc == 1 and re.search(r"1 error, 0 warnings in 1 of \d+ files", said.out), said)
said = after({"envs/bo/new.yaml": env_spec()})
check("a good one: status 0 whatever else is broken", said.rc == 0 and said.json() == [], said)
said = after({"envs/bo/old.yaml": None})
check("an environment goes", said.rc == 0 and said.json() == [], said)
said = after({"envs/bo/old.yaml": BROKEN + "  gpu: 1\n"})
check("an old finding counts in a file that changes", said.rc == 1 and of(said) == {"envs/bo/old.yaml"} and len(said.json()) == 2, said)

# -- sums ---------------------------------------------------------------------------------------------------------
said = after({"users/erin.yaml": user_spec(7) + "  limits: {environments: 1}\n", "envs/erin/a.yaml": env_spec()})
check("a sum that goes over, said where it was changed", pairs(said) == {("envs/erin/a.yaml", "E401")}, said)
check("... with who holds it", "held by erin/one 1, erin/a 1" in said.json()[0]["note"], said)
said = changed("HEAD~0..HEAD", "-o", "json")
check("... and not where nothing of it changed", said.rc == 0 and said.json() == [], said)
said = berth("validate", "-C", site.clone, "-o", "json")
check("the whole tree: said at the last in the order of paths", ("envs/erin/one.yaml", "E401") in pairs(said), said)

# -- what depends on it ------------------------------------------------------------------------------------------
flavor = site.read("flavors/gpu-small.yaml")
said = after({"flavors/gpu-small.yaml": flavor.replace("max: {gpu: 2, memory: 64Gi}", "max: {gpu: 0, memory: 1Gi}")})
users_of = {"envs/alice/vit.yaml", "envs/dana/dev.yaml"}
check("a flavor shrinks: environments that use it", said.rc == 1 and users_of <= of(said) <= users_of | {"flavors/gpu-small.yaml"}, said)
said = after({"flavors/gpu-small.yaml": None})
check("a flavor goes: who names it", said.rc == 1 and of(said) == users_of | {"teams/vision.yaml"}, said)
said = after({"flavors/gpu-small.yaml": flavor + "oops: 1\n"})
check("a flavor breaks: it and who uses it", said.rc == 1 and of(said) == users_of | {"flavors/gpu-small.yaml"} and
      ("envs/alice/vit.yaml", "E305") in pairs(said), said)
said = after({"flavors/gpu-small.yaml": flavor.replace("0.53", "0.54")})
check("a price: nobody breaks, nothing is said", said.rc == 0 and said.json() == [], said)
said = after({"users/bo.yaml": None})
check("a user goes: own environments and who shares with them", said.rc == 1 and
      {("envs/bo/genome.yaml", "E304"), ("envs/bo/old.yaml", "E304"), ("envs/dana/dev.yaml", "E304")} <= pairs(said) and
      of(said) <= {"envs/bo/genome.yaml", "envs/bo/old.yaml", "envs/dana/dev.yaml"}, said)
said = after({"users/dana.yaml": None, "envs/dana/dev.yaml": None, "envs/dana/shell.yaml": None})
check("shared documents that changed nothing but name it", "teams/vision.yaml" in of(said) and "teams/ghosts.yaml" not in of(said), said)
said = after({"templates/env/note.yaml": "a: {$nope: 1}\n"})
check("a template breaks", said.rc == 1 and "templates/env/note.yaml" in of(said), said)

# -- berth.yaml --------------------------------------------------------------------------------------------------
org = site.read("berth.yaml")
said = after({"berth.yaml": None})
check("berth.yaml goes", said.rc == 1 and ("berth.yaml", "E501") in pairs(said), said)
site.write({"README.md": "more\n"})
site.save("another change")
said = changed("HEAD~1..HEAD", "-o", "json")
check("while it is missing every change is told so", said.rc == 1 and pairs(said) == {("berth.yaml", "E501")}, said)
said = after({"berth.yaml": org.replace('allow: ["ubuntu:*", ', 'allow: [')})
check("its other fields count at once", said.rc in (0, 1) and "note:" not in said.err, said)

more = {"envs/erin/big.yaml": env_spec("gpu-large", "  resources: {gpu: 2}\n"),
        "users/erin.yaml": user_spec(7).replace("admin", "standard").replace("[]", "[vision]")}
tight = after(more)
check("the role's limit holds", ("envs/erin/big.yaml", "E401") in pairs(tight), tight)
raised = org.replace("standard: {gpu: 1, memory: 64Gi, environments: 3}", "standard: {gpu: 8, memory: 1Ti, environments: 3}")
said = after({**more, "berth.yaml": raised})
limit = [f for f in said.json() if f["file"] == "envs/erin/big.yaml" and f["code"] == "E401"]
check("a change does not raise its own limits: roles are the base's", raised != org and limit and
      base[:7] + ":berth.yaml:" in limit[0]["note"], said)
check("a note says so", "note: berth.yaml differs; roles, guards and approvals are judged as %s has them" % base[:7] in said.err, said)
check("the working tree alone is judged by itself", "envs/erin/big.yaml" not in
      {f["file"] for f in berth("validate", "-C", site.clone, "-o", "json").json() if f["code"] == "E401"})
said = after({"berth.yaml": raised.replace("maxDelete: 3, maxDeleteFraction: 0.25", "maxDelete: 100, maxDeleteFraction: 1"),
              **{p: None for p in everything}})
guard = [f for f in said.json() if f["code"] == "E502"]
check("so are guards: a mass deletion is warned of", guard and guard[0]["severity"] == "warning" and
      "Berth-Allow-Delete: %d" % len(everything) in guard[0]["help"], said)
said = after({p: None for p in everything}, "away\n\nBerth-Allow-Delete: %d" % len(everything))
check("a trailer releases it", "E502" not in {f["code"] for f in said.json()}, said)

# -- ranges ------------------------------------------------------------------------------------------------------
first = git(site.clone, "rev-list", "--max-parents=0", base)
said = changed("0" * 40 + ".." + base, "-o", "json")
check("from nothing: everything", said.rc == 1 and said.json() == old, said)
check("the first commit", changed("0" * 40 + ".." + first).rc == 0)
said = changed(first + ".." + base, "-o", "json")
check("several commits", of(said) == {f["file"] for f in old}, said)
said = changed(base + ".." + first, "-o", "json")
check("backwards", said.rc in (0, 1) and "envs/bo/old.yaml" not in of(said), said)

git(site.clone, "reset", "-q", "--hard", base)
git(site.clone, "checkout", "-q", "-b", "topic")
site.write({"envs/bo/topic.yaml": env_spec("cpu-smal")})
site.save("topic")
git(site.clone, "checkout", "-q", "main")
site.write({"envs/bo/main.yaml": env_spec("cpu-smal")})
site.save("main goes on")
check("BASE...HEAD: since they parted", of(changed("main...topic", "-o", "json")) == {"envs/bo/topic.yaml"})
said = changed("topic...", "-o", "json")
check("... with HEAD left out", of(said) == {"envs/bo/main.yaml"}, said)
check("BASE..HEAD: tree against tree", of(changed("main..topic", "-o", "json")) == {"envs/bo/topic.yaml"})
tight = org.replace("standard: {gpu: 1, memory: 64Gi, environments: 3}", "standard: {gpu: 1, memory: 64Gi, environments: 0}")
git(site.clone, "checkout", "-q", "-b", "older", "topic")
site.write({"envs/erin/lab.yaml": env_spec(), "users/erin.yaml": user_spec(7).replace("admin", "standard"), "envs/bo/topic.yaml": None})
site.save("a branch which began before the rules were tightened")
git(site.clone, "checkout", "-q", "main")
site.write({"berth.yaml": tight})
site.save("tighter")
said = changed("main...older", "-o", "json")
check("an old branch is judged by the rules that it began with", tight != org and said.rc == 0, said)
said = changed("main...older", "--config-from", "main", "-o", "json")
check("... and with --config-from by those of main", said.rc == 1 and {f["code"] for f in said.json()} == {"E401"} and
      git(site.clone, "rev-parse", "main")[:7] + ":berth.yaml:" in said.json()[0]["note"], said)
said = berth("validate", "-C", site.clone, "--config-from", "main")
check("--config-from alone: refused", said.rc == 2 and "--changed" in said.err, said)
said = changed("main...older", "--config-from", "nowhere")
check("... of no commit: refused", said.rc == 3 and "nowhere" in said.err, said)
site.write({"berth.yaml": "nothing\n"})
site.save("broken")
said = changed("main...older", "--config-from", "main")
check("... of a berth.yaml with errors: refused, not left out", said.rc == 1 and "--config-from is missing or has errors" in said.err, said)
git(site.clone, "reset", "-q", "--hard", "HEAD~2")
said = berth("validate", "-C", site.bare, "--changed", "main~0..main")
check("a bare repository", said.rc == 0, said)

git(site.clone, "checkout", "-q", "--orphan", "stranger")
site.write({"envs/bo/stranger.yaml": env_spec("cpu-smal")})
site.save("no parent")
said = changed("main..stranger", "-o", "json")
check("histories that share nothing: tree against tree", said.rc == 1 and of(said) == {"envs/bo/stranger.yaml"}, said)
said = changed("main...stranger")
check("... which never parted", said.rc == 3 and "BASE..HEAD" in said.err and not said.out, said)
for range_, rc, word in (("nope..HEAD", 3, "nope"), ("HEAD..nope", 3, "nope"), ("HEAD", 2, "BASE..HEAD"), ("..HEAD", 2, "BASE..HEAD"),
                         ("", 2, "BASE..HEAD"), ("HEAD^{tree}..HEAD", None, ""), ("a b..c", None, ""), (":/x..HEAD", None, ""),
                         ("-..-", None, ""), ("1" * 40 + "..HEAD", 3, "1111")):
    said = changed(range_)
    check("--changed %r is refused" % range_, said.rc in (1, 2, 3) and (rc is None or said.rc == rc) and said.err.startswith("berth: ") and
          word in said.err and not said.out, said)
check("it says how to get more history", "fetch-depth: 0" in changed("nope..HEAD").err)
check("not with files", berth("validate", "-C", site.clone, "--changed", "main..HEAD", "x.yaml").rc == 2)
check("not with --commit", berth("validate", "-C", site.clone, "--changed", "main..HEAD", "--commit", "HEAD").rc == 2)
said = berth("validate", "-C", "/nonexistent", "--changed", "main..HEAD")
check("no repository", said.rc == 3, said)
said = changed("main..topic", "--format", "github")
check("with a format for forges", said.out.startswith("::error file=envs/bo/topic.yaml,line=4,col=11,") and "error[E304]" in said.err, said)
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth new with options: the file, what is refused, whose it is; and that a person's clone stays as it is."""
import hashlib
import os

from lab import Site, berth, check, done, env_spec, git

MODELINES = "# yaml-language-server: $schema=../../.vscode/schema/environment.schema.json\n# $schema: ../../.vscode/schema/environment.schema.json\n"
MOST = MODELINES + env_spec("gpu-small", "  image: pytorch\n  resources: {gpu: 2, memory: 48Gi}\n  access: {web: [jupyter]}\n  lifecycle: {ttl: 72h}\n")
LEAST = MODELINES + env_spec()


def new(where, *args, env=None):
    return berth("new", "-C", where, *args, env=env)


def refs(where):
    return git(where, "for-each-ref", "--format=%(refname) %(objectname)")


def worktree(where):
    """All that a person would see of their clone but the origin's branches."""
    with open(os.path.join(where, ".git/index"), "rb") as f:
        index = hashlib.sha256(f.read()).hexdigest()
    with open(os.path.join(where, ".git/HEAD"), encoding="ascii") as f:
        head = f.read()
    return index, head, git(where, "status", "--porcelain", "-uall"), git(where, "for-each-ref", "refs/heads"), git(where, "stash", "list")


def the_whole(site):
    site.write({"README.md": "staged\n"})
    git(site.clone, "add", "README.md")
    site.write({"README.md": "and changed\n", "berth.yaml": "broken: [\n", "envs/alice/mine.yaml": "not: yours\n"})
    git(site.clone, "checkout", "-q", "--detach")
    before, main = worktree(site.clone), site.tip("main")
    said = new(site.clone, "one", "--flavor", "gpu-small", "--image", "pytorch", "--gpus", "2", "--memory", "48Gi", "--access", "ssh,jupyter", "--ttl", "72h",
               "-o", "json")
    made = said.json() if said.rc == 0 else {}
    check("options alone make it", said.rc == 0 and made == {"file": "envs/alice/one.yaml", "branch": "env/alice/one", "commit": site.tip("env/alice/one"),
                                                             "link": None, "pushed": True, "pull": None}, said)
    check("dirty files, index, detached HEAD and branches stay as they are", worktree(site.clone) == before, before, worktree(site.clone))
    check("the file has what was asked for, and no more", site.show("env/alice/one", "envs/alice/one.yaml") == MOST, site.show("env/alice/one", "envs/alice/one.yaml"))
    check("one commit on main, one file", git(site.bare, "rev-parse", "env/alice/one^") == main and
          git(site.bare, "diff", "--name-only", "main", "env/alice/one") == "envs/alice/one.yaml")
    check("main is as it was", site.tip("main") == main)
    git(site.clone, "checkout", "-q", "-f", "main")
    git(site.clone, "clean", "-fdq")
    git(site.clone, "switch", "-q", "env/alice/one")
    said = berth("validate", "-C", site.clone)
    check("it is valid", said.rc == 0, said)
    said = berth("fmt", "--check", os.path.join(site.clone, "envs/alice/one.yaml"))
    check("and canonical", said.rc == 0, said)
    git(site.clone, "switch", "-q", "main")


def the_least(site):
    said = new(site.clone, "alice/two", "--flavor", "cpu-small", "--access", "ssh, terminal", "--gpus", "0", "--image", "ubuntu:24.04", "--team", "vision")
    check("what is the default anyway is not written", said.rc == 0 and site.show("env/alice/two", "envs/alice/two.yaml") == LEAST, said,
          site.show("env/alice/two", "envs/alice/two.yaml"))
    check("what it becomes and costs is told, and the next step", "+ envs/alice/two" in said.out and "up to USD 73 a month" in said.out and
          "1 pod of 4 cpu, 16Gi memory" in said.out and "next: " in said.out and "env/alice/two" in said.out, said)


def refusals(site):
    before, bare = worktree(site.clone), refs(site.bare)
    for what, code, word, args in (
            ("a name that is none", 2, "lower-case letter", ["Train"]),
            ("a name that is a path", 2, "lower-case letter", ["alice/x/y"]),
            ("no flavor: they are named", 2, "gpu-small", ["a"]),
            ("a flavor that is none", 1, "did you mean 'gpu-small'?", ["a", "--flavor", "gpu-smal"]),
            ("more than the flavor has", 1, "at most 2", ["a", "--flavor", "gpu-small", "--gpus", "5"]),
            ("an image that is not allowed", 1, "is not allowed", ["a", "--flavor", "cpu-small", "--image", "evil/x:1"]),
            ("a file that is there", 4, "--force", ["notebook", "--flavor", "cpu-small"]),
            ("memory without a unit", 2, "64Gi", ["a", "--flavor", "cpu-small", "--memory", "64"]),
            ("an access that is none", 2, "jupyter", ["a", "--flavor", "cpu-small", "--access", "ssh,jupiter"]),
            ("a time that is none", 2, "72h", ["a", "--flavor", "cpu-small", "--ttl", "soon"]),
            ("somebody who is not there", 2, "did you mean alice?", ["a", "--flavor", "cpu-small", "--owner", "alicf"]),
            ("main itself", 2, "env/alice/a", ["a", "--flavor", "cpu-small", "--branch", "main"]),
            ("a branch with a name that git refuses", 2, "no name", ["a", "--flavor", "cpu-small", "--branch", "x..y"]),
            ("a forge that is none", 2, "github", ["a", "--flavor", "cpu-small", "--forge", "hub"]),
            ("a base that is not there", 3, "--base", ["a", "--flavor", "cpu-small", "--base", "trunk"])):
        said = new(site.clone, *args)
        check(what, said.rc == code and word in said.err and not said.out, said)
    check("nothing of it is left anywhere", worktree(site.clone) == before and refs(site.bare) == bare, worktree(site.clone))


def whose(site):
    git(site.clone, "config", "user.email", "nobody@example.com")
    said = new(site.clone, "a", "--flavor", "cpu-small")
    check("an email that nobody has", said.rc == 2 and "--owner" in said.err and "berth user add" in said.err, said)
    git(site.clone, "config", "--unset", "user.email")
    said = new(site.clone, "a", "--flavor", "cpu-small")
    check("no email at all", said.rc == 2 and "user.email" in said.err, said)
    said = new(site.clone, "a", "--flavor", "cpu-small", "--owner", "bo@example.com", "--no-push", "-o", "json")
    check("--owner says it, also by email", said.rc == 0 and said.json()["file"] == "envs/bo/a.yaml" and said.json()["pushed"] is False, said)
    check("--no-push: in the clone alone", git(site.clone, "rev-parse", "env/bo/a") == said.json()["commit"] and not site.tip("env/bo/a"), said)


def main():
    site = Site("envs")
    git(site.clone, "config", "user.email", "alice@example.com")
    the_whole(site)
    the_least(site)
    refusals(site)
    whose(site)
    done()


main()

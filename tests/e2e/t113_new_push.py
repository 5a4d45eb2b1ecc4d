#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth new and the origin: two at once, a hook that refuses, the person's own ssh, links, signing, no origin at all."""
import os
import subprocess

from lab import BERTH, ENV, Site, berth, check, done, env_spec, folder, git
from signers import key, public, signed_site

MODELINES = "# yaml-language-server: $schema=../../.vscode/schema/environment.schema.json\n# $schema: ../../.vscode/schema/environment.schema.json\n"
LEAST = MODELINES + env_spec()


def new(where, *args, env=None):
    return berth("new", "-C", where, *args, env=env)


def refs(where):
    return git(where, "for-each-ref", "--format=%(refname) %(objectname)")


def fake_ssh(bare):
    """The person's own ssh: whatever the host, it leads to this repository."""
    path = os.path.join(folder, "bin", "ssh")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\nfor last; do :; done\nexec \"${last%%%% *}\" '%s'\n" % bare)
    os.chmod(path, 0o755)
    return path


def hook(site, text):
    path = os.path.join(site.bare, "hooks", "pre-receive")
    if text is None:
        os.unlink(path)
        return
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)


def at_once(site):
    other = os.path.join(folder, "other")
    git(folder, "clone", "-q", site.bare, other)
    git(other, "config", "user.email", "alice@example.com")
    both = [subprocess.Popen([BERTH, "new", "race", "-C", where, "--flavor", "cpu-small"], env={**ENV, "GIT_AUTHOR_NAME": who}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for where, who in ((site.clone, "one"), (other, "two"))]
    said = [(*p.communicate(timeout=120), p.returncode) for p in both]
    lost = [err for _, err, rc in said if rc == 4]
    check("of two at once one has it, and the other is told", sorted(rc for *_, rc in said) == [0, 4] and "already" in lost[0] and "--branch" in lost[0], said)
    check("neither has a branch left", not git(site.clone, "branch", "--list", "env/alice/race") and not git(other, "branch", "--list", "env/*"))
    first = site.tip("env/alice/race")
    said = new(other, "race", "--flavor", "gpu-small", "--force")
    check("--force replaces the branch", said.rc == 0 and site.tip("env/alice/race") != first and
          "gpu-small" in site.show("env/alice/race", "envs/alice/race.yaml"), said)


def not_taken(site):
    hook(site, "printf 'only carol \\033[31mmakes branches here\\n'\nhead -c 100000 /dev/zero | tr '\\0' x\nexit 1\n")
    said = new(site.clone, "hooked", "--flavor", "cpu-small")
    check("a hook's word reaches the person, without its colours and at no length", said.rc == 4 and "remote: only carol ?[31mmakes branches here; " in said.err and
          "pre-receive hook declined" in said.err and len(said.err) < 1000, said)
    hook(site, None)
    command = said.err.strip().splitlines()[-1].split("your clone: ")[-1]
    p = subprocess.run(command.split(), cwd=folder, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check("and the command that it ends with does the rest", p.returncode == 0 and site.tip("env/alice/hooked"), command, p.stdout)
    said = new(site.clone, "hooked", "--flavor", "cpu-small")
    check("a branch of that name that is not merged is in the way", said.rc == 4 and "your clone has a branch" in said.err, said)
    git(site.clone, "push", "-q", "origin", "env/alice/hooked:main")
    git(site.clone, "push", "-q", "origin", ":env/alice/hooked")
    git(site.clone, "pull", "-q")
    site.push({"envs/alice/hooked.yaml": None})
    said = new(site.clone, "hooked", "--flavor", "gpu-small")
    check("merged, it is not", said.rc == 0 and site.tip("env/alice/hooked"), said)
    git(site.clone, "config", "remote.origin.url", "http://alice:s3cr3t-t0ken@127.0.0.1:1/acme/envs.git")
    said = new(site.clone, "far", "--flavor", "cpu-small")
    check("an origin that does not answer: status 3, the branch is kept", said.rc == 3 and "fetched last" in said.err and "push origin env/alice/far" in said.err and
          git(site.clone, "branch", "--list", "env/alice/far"), said)
    check("and no password is shown", "s3cr3t" not in said.out + said.err, said)
    git(site.clone, "config", "remote.origin.url", site.bare)


def links(site):
    git(site.clone, "config", "core.sshCommand", fake_ssh(site.bare))
    for name, url, args, link in (
            ("hub", "git@github.com:acme/envs.git", [], "https://github.com/acme/envs/compare/main...env/alice/hub?expand=1"),
            ("lab", "ssh://git@gitlab.example.com:2222/acme/ml/envs.git", [],
             "https://gitlab.example.com/acme/ml/envs/-/merge_requests/new?merge_request%5Bsource_branch%5D=env%2Falice%2Flab&merge_request%5Btarget_branch%5D=main"),
            ("tea", "git@git.example.com:acme/envs.git", ["--forge", "gitea"], "https://git.example.com/acme/envs/compare/main...env/alice/tea")):
        git(site.clone, "config", "remote.origin.url", url)
        said = new(site.clone, name, "--flavor", "cpu-small", *args)
        check("by the person's ssh to " + url, said.rc == 0 and site.tip("env/alice/" + name) and said.out.endswith("next: open the %s request: %s\n" % ("merge" if name == "lab" else "pull", link)), said)
    git(site.clone, "config", "remote.origin.url", site.bare)


def signing(site):
    git(site.clone, "config", "commit.gpgsign", "true")
    git(site.clone, "config", "gpg.format", "ssh")
    git(site.clone, "config", "user.signingkey", key("alice"))
    allowed = os.path.join(folder, "allowed")
    with open(allowed, "w", encoding="ascii") as f:
        f.write("alice@example.com %s\n" % public("alice"))
    said = new(site.clone, "signed", "--flavor", "cpu-small")
    rc, _, err = git(site.clone, "-c", "gpg.ssh.allowedSignersFile=" + allowed, "verify-commit", "origin/env/alice/signed", ok=False)
    check("commit.gpgsign is obeyed", said.rc == 0 and rc == 0 and b"Good" in err, said, err)
    git(site.clone, "config", "user.signingkey", "/nowhere")
    before = refs(site.bare), refs(site.clone)
    said = new(site.clone, "unsigned", "--flavor", "cpu-small")
    check("a key that is not there: nothing is made", said.rc == 4 and "user.signingkey" in said.err and (refs(site.bare), refs(site.clone)) == before, said)
    git(site.clone, "config", "--unset", "commit.gpgsign")


def without_origin():
    where = os.path.join(folder, "alone")
    berth("init", where)
    git(where, "config", "user.email", "alice@example.com")
    head = git(where, "rev-parse", "HEAD")
    said = new(where, "one", "--flavor", "cpu-small", "-o", "json")
    with open(os.path.join(where, "envs/alice/one.yaml"), encoding="utf-8") as f:
        text = f.read()
    check("without an origin the file is written and nothing committed", said.rc == 0 and said.json()["branch"] is None and text == LEAST and
          git(where, "rev-parse", "HEAD") == head and git(where, "status", "--porcelain") == "?? envs/alice/one.yaml", said)
    said = new(where, "one", "--flavor", "cpu-small")
    check("which is not overwritten", said.rc == 4 and "already" in said.err, said)
    said = new(where, "one", "--flavor", "gpu-small", "--force")
    check("but for --force; the next commands are told", said.rc == 0 and "add -A envs/alice/one.yaml" in said.out, said)
    git(where, "config", "--unset", "user.email")
    said = new(where, "one", "--flavor", "gpu-smal", "--owner", "alice", "--force")
    with open(os.path.join(where, "envs/alice/one.yaml"), encoding="utf-8") as f:
        check("with errors it is not written", said.rc == 1 and "gpu-small" in f.read(), said)
    said = berth("new", "one", "--flavor", "cpu-small", "--owner", "alice")
    check("a folder that is nothing of it", said.rc == 1 and "-C" in said.err, said)


def approved():
    site = signed_site("approved")
    git(site.clone, "config", "user.email", "alice@example.com")
    said = new(site.clone, "one", "--flavor", "cpu-small")
    command = [line.split(": berth ")[1].split() for line in said.out.splitlines() if ": berth approve " in line]
    check("where approvals are signed, the command for it is told", said.rc == 0 and command == [["approve", "env/alice/one"]], said)
    said = berth(*command[0], "-C", site.clone, "--anchor", site.anchor, "--yes", "--key", key("carol")) if command else said
    check("and it does that", said.rc == 0 and "approved by carol" in said.out and "envs/alice/one.yaml" in said.err, said)


def main():
    site = Site("envs")
    git(site.clone, "config", "user.email", "ALICE@example.com")
    at_once(site)
    not_taken(site)
    links(site)
    signing(site)
    without_origin()
    approved()
    done()


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth user: people come and go by branches; what would be lost or broken is said first."""
import os
import re

from lab import Site, berth, check, done, env_spec, folder, git
from signers import key, public


def user(site, *args):
    return berth("user", *args, "-C", site.clone)


def file(name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def coming(site):
    said = user(site, "add", "erin", "--email", "erin@example.com", "--key", key("erin") + ".pub", "--team", "vision", "-o", "json")
    text = site.show("user/erin", "users/erin.yaml") or ""
    uid = re.search(r'uid: "?([0-9a-f]{8})"?\n', text)
    check("a person comes by a branch", said.rc == 0 and said.json()["branch"] == "user/erin" and said.json()["commit"] == site.tip("user/erin"), said)
    check("with a uid, the email, the team, the key", uid and "email: erin@example.com\n  teams: [vision]\n" in text and public("erin") in text and
          "role:" not in text and "$schema=../.vscode/schema/user.schema.json" in text, text)
    git(site.clone, "fetch", "-q")
    said = berth("validate", "-C", site.clone, "--commit", "origin/user/erin")
    check("it is valid as it stands", said.rc == 0, said)
    said = user(site, "add", "pav", "--email", "pav@example.com", "--admin", "--key",
                file("two.pub", "# two of pav's\n\n%s\n%s pav@home\n" % (public("carol"), public("dana"))), "--no-push")
    text = git(site.clone, "show", "user/pav:users/pav.yaml")
    check("an administrator with two keys, left in the clone", said.rc == 0 and "role: admin" in text and text.count("ssh-ed25519") == 2 and
          "approvals.admins" in said.err and not site.tip("user/pav"), said, text)
    check("no uid twice", uid and uid.group(1) not in text, text)


def slips(site):
    before = git(site.clone, "for-each-ref"), git(site.bare, "for-each-ref")
    good = key("erin") + ".pub"
    private, shown = key("erin"), ""
    for what, code, word, args in (
            ("without a key", 2, "--key", ["add", "x", "--email", "x@example.com"]),
            ("without an email", 2, "--email", ["add", "x", "--key", good]),
            ("a private key, and the public one is named", 2, private + ".pub", ["add", "x", "--email", "x@example.com", "--key", private]),
            ("a key that is none", 2, "--key", ["add", "x", "--email", "x@example.com", "--key", file("bad", "ssh-rsa AAAA x\n")]),
            ("a file without keys", 2, "no key", ["add", "x", "--email", "x@example.com", "--key", file("empty", "# none\n")]),
            ("a file that is not there", 2, "nowhere", ["add", "x", "--email", "x@example.com", "--key", "/nowhere"]),
            ("an email that is none", 1, "email", ["add", "x", "--email", "x", "--key", good]),
            ("an email that somebody has", 1, "E404", ["add", "x", "--email", "bo@example.com", "--key", good]),
            ("a team that is none", 1, "did you mean 'vision'?", ["add", "x", "--email", "x@example.com", "--key", good, "--team", "visio"]),
            ("a name that is none", 2, "lower-case", ["add", "X", "--email", "x@example.com", "--key", good]),
            ("somebody who is there", 4, "--force", ["add", "bo", "--email", "b@example.com", "--key", good]),
            ("neither add nor remove", 2, "add or remove", ["change", "bo"]),
            ("nobody to remove", 2, "users/nobody.yaml", ["remove", "nobody"]),
            ("who has environments: they are named", 4, "genome", ["remove", "bo"]),
            ("who is named elsewhere", 1, "teams/vision.yaml", ["remove", "dana", "--with-environments"])):
        said = user(site, *args)
        check(what, said.rc == code and word in said.err, said)
        shown += said.out + said.err
    check("no key is shown in all of it", "PRIVATE" not in shown and "b3BlbnNza" not in shown, shown)
    check("nothing of it is left anywhere", (git(site.clone, "for-each-ref"), git(site.bare, "for-each-ref")) == before)


def going(site):
    said = user(site, "remove", "bo", "--with-environments")
    gone = git(site.bare, "diff", "--name-status", "main", "user/bo").split("\n")
    check("a person goes, with the whole folder", said.rc == 0 and all(line.startswith("D\t") for line in gone) and
          {"users/bo.yaml", "envs/bo/genome.yaml", "envs/bo/oops.yaml.example"} == {line[2:] for line in gone}, said, gone)
    check("what goes is listed", "- envs/bo/genome.yaml" in said.out and "- users/bo.yaml" in said.out, said)
    said = user(site, "remove", "zoe")
    check("who has none goes without a word more", said.rc == 0 and git(site.bare, "diff", "--name-only", "main", "user/zoe") == "users/zoe.yaml", said)
    said = user(site, "remove", "max", "--with-environments")
    check("more than the guard lets go: the trailer that releases it", said.rc == 0 and "Berth-Allow-Delete: 4" in said.err, said)


def main():
    plain = "apiVersion: berth.dev/v1\nkind: User\nspec: {uid: %s, email: %s@example.com, role: admin}\n"
    files = {"users/%s.yaml" % n: plain % ("u-" + n, n) for n in ("zoe", "max")}
    files.update({"envs/max/e%d.yaml" % i: env_spec() for i in range(4)})
    site = Site("envs", files=files)
    git(site.clone, "config", "user.email", "alice@example.com")
    coming(site)
    slips(site)
    going(site)
    done()


main()

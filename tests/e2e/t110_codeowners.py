#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth codeowners: three dialects, each read here by its own rules; --check, --write; names that mean something else."""
import json
import os
import re

from lab import Site, berth, check, done, env_spec, folder, git, user_spec

FORGES = ("github", "gitlab", "gitea")


def team(*admins):
    return "apiVersion: berth.dev/v1\nkind: Team\nspec: {admins: [%s]}\n" % ", ".join(admins)


def user(n, teams="", login=None, role="admin"):
    text = user_spec(n).replace("teams: []", "teams: [%s]" % teams).replace("role: admin", "role: " + role)
    return text + ("  forge: {login: %s}\n" % json.dumps(login) if login is not None else "")


site = Site("envs", drop=("envs", "users", "teams"))
org = site.read("berth.yaml").replace("{mode: none}", "{mode: signed, admins: [carol, pav], required: 1}")
FILES = {"berth.yaml": org, "users/alice.yaml": user(1, "vision"), "users/bo.yaml": user(2, "vision, audio", "Bo-G"),
         "users/carol.yaml": user(3, "", "carol.c_1"), "users/dana.yaml": user(4, "vision"), "users/pav.yaml": user(5),
         "teams/vision.yaml": team("dana"), "teams/audio.yaml": team("alice", "carol")}
site.write(FILES)
site.save("people")
ADMINS = {"carol.c_1", "pav"}
WANT = {"berth.yaml": ADMINS, "users/alice.yaml": ADMINS, ".github/workflows/berth.yml": ADMINS, ".gitlab-ci.yml": ADMINS,
        ".gitea/CODEOWNERS": ADMINS, "approvers/allowed_signers": ADMINS, "templates/env/x.yaml": ADMINS, "envs/erin/a.yaml": ADMINS,
        "envs/alice/a.yaml": ADMINS | {"dana"}, "envs/alice/secrets/a/b.age": ADMINS | {"dana"},
        "envs/bo/a.yaml": ADMINS | {"dana", "alice"}, "envs/dana/a.yaml": ADMINS, "envs/carol/a.yaml": ADMINS,
        "a/envs/alice/a.yaml": ADMINS, "envs/alice2/a.yaml": ADMINS}


# -- three readers, from what the forges' own pages say --------------------------------------------------------------


def rules(text):
    lines = [x.split() for x in text.splitlines() if x.strip() and not x.startswith(("#", "["))]
    assert all(len(x) > 1 and all(o.startswith("@") for o in x[1:]) for x in lines), text
    return [(x[0], {o[1:] for o in x[1:]}) for x in lines]


def last_match(matches):
    def owners(text, path):
        got = set()
        for pattern, who in rules(text):
            got = who if matches(pattern, path) else got
        return got
    return owners


def github(pattern, path):
    """gitignore: a leading / anchors, a trailing / is a folder with all below, * stops at /, and a match of a folder holds below it."""
    whole = re.escape(pattern.strip("/")).replace(r"\*", "[^/]*")
    return re.match(("^" if pattern.startswith("/") else "^(?:.*/)?") + whole + ("/" if pattern.endswith("/") else "(?:/|$)"), path)


def gitlab(pattern, path):
    """Made absolute as GitLab does it, then File.fnmatch with FNM_DOTMATCH and FNM_PATHNAME; ** is any depth."""
    p = "/**/*" if pattern == "*" else pattern if pattern.startswith("/") else "/**/" + pattern
    p += "**/*" if p.endswith("/") else ""
    return re.match(re.escape(p).replace(r"\*\*/", "(?:[^/]+/)*").replace(r"\*", "[^/]*") + "$", "/" + path)


def gitea(text, path):
    """Every line that matches counts; the pattern is a regular expression between ^ and $. Backslash and # belong to its tokens."""
    assert not re.search(r"^[^#\n].*[\\#]", text, re.M), text
    return set().union(*[who for pattern, who in rules(text) if re.match("^%s$" % pattern, path)])


READERS = {"github": last_match(github), "gitlab": last_match(gitlab), "gitea": gitea}
texts = {}
for forge in FORGES:
    said = berth("codeowners", "--forge", forge, cwd=site.clone)
    texts[forge] = said.out
    got = {path: READERS[forge](said.out, path) for path in WANT}
    check("%s: who owns what" % forge, said.rc == 0 and got == WANT, {p: (got[p], WANT[p]) for p in WANT if got[p] != WANT[p]}, said)
    check("... no comment that GitLab would take for an owner", not re.search(r"^#.*@", said.out, re.M), said)
site.write({"berth.yaml": org.replace("required: 1", 'required: 2, rules: [{when: {gpu: ">4"}, required: 3}]')})
two = {f: berth("codeowners", "--forge", f, "-C", site.clone).out for f in FORGES}
check("two approvals: a section's number on GitLab, nothing elsewhere", "\n[berth][2]\n" in two["gitlab"] and
      "[" not in two["github"] + two["gitea"] and all("approvals.rules" in t for t in two.values()), two)

# -- write and check --------------------------------------------------------------------------------------------------
site.write(FILES)
said = berth("codeowners", "-C", site.clone)
check("no forge's files here: it has to be said", said.rc == 2 and "--forge github" in said.err, said)
said = berth("codeowners", "--forge", "github", "--check", "-C", site.clone)
check("--check: missing", said.rc == 1 and said.out == ".github/CODEOWNERS is missing\n" and "berth codeowners --forge github --write" in said.err, said)
for forge in FORGES:
    said = berth("codeowners", "--forge", forge, "--write", "-C", site.clone)
    check("--write %s" % forge, said.rc == 0 and said.out == ".%s/CODEOWNERS\n" % forge and
          site.read(".%s/CODEOWNERS" % forge) == texts[forge], said)
said = berth("codeowners", "--write", "-C", site.clone)
check("written once: up to date", said.rc == 0 and said.out == "" and said.err.count("is up to date") == 3, said)
check("--check of all that are here", berth("codeowners", "--check", "-C", site.clone).rc == 0)
site.save("owners")
data = berth("codeowners", "-C", site.clone, "-o", "json").json()
check("as data", [(d["forge"], d["file"], [(r["pattern"], set(r["owners"])) for r in d["rules"]]) for d in data] ==
      [(f, ".%s/CODEOWNERS" % f, rules(texts[f])) for f in FORGES], data)
said = berth("validate", "-C", site.clone)
check("berth validate leaves them alone", "CODEOWNERS" not in said.out, said)
said = berth("codeowners", "-C", site.clone)
check("print one file, not three", said.rc == 2 and "--forge" in said.err, said)
site.write({"teams/vision.yaml": team("dana", "pav", "carol", "alice")})
said = berth("codeowners", "--check", "--forge", "github", "-C", site.clone)
check("a team gets an admin: out of date, line by line", said.rc == 1 and "\n- /envs/dana/ @" not in said.out and
      "\n+ /envs/dana/ @alice @carol.c_1 @pav\n" in said.out and "out of date" in said.out, said)
site.write(FILES)
hostile = texts["gitlab"] + "::set-output name=x::y\n##[error]\x1b[31m * @mallory\n"
site.write({".gitlab/CODEOWNERS": hostile, "CODEOWNERS": "* @mallory\n"})
said = berth("codeowners", "--check", "-C", site.clone)
check("somebody's own lines: shown, and no command to a runner or terminal", said.rc == 1 and "@mallory" in said.out and
      "\x1b" not in said.out and "##[" not in said.out and not re.search(r"(?m)^\s*::", said.out), said)
check("a file that GitLab and Gitea prefer is in the way", said.out.count("CODEOWNERS is in the way") == 2 and
      "github" not in said.out, said)
site.write({"CODEOWNERS": None, ".gitlab/CODEOWNERS": texts["gitlab"].replace("\n", "\r\n")})
check("other line ends are other bytes", berth("codeowners", "--check", "-C", site.clone).rc == 1)
git(site.clone, "checkout", "-q", ".")
said = berth("codeowners", "--check", "--write", "-C", site.clone)
check("--check and --write: refused", said.rc == 2, said)
said = berth("codeowners", "--forge", "sourcehut", "-C", site.clone)
check("another forge: refused", said.rc == 2 and "github, gitlab or gitea" in said.err, said)

# -- names ------------------------------------------------------------------------------------------------------------
BAD = ("a b", "bo @mallory", "bo\n* @mallory", "#bo", "@bo", "@@maintainer", "org/team", "bo@example.com", ".*", "bo\\", "", "-bo", "bo.", "bö",
       "x" * 256, "bo\u0000x")
for bad in BAD[1:3] + BAD[5:6] + BAD[8:11] + BAD[-1:]:
    site.write({"users/bo.yaml": user(2, "vision", bad)})
    said = berth("codeowners", "--forge", "github", "-C", site.clone)
    check("the login %.20r: refused with its place" % bad, said.rc == 1 and said.out == "" and
          re.search(r"users/bo\.yaml(:\d+: spec\.forge\.login| has errors)", said.err), said)
site.write({"users/bad%d.yaml" % i: user(100 + i, "vision", bad) for i, bad in enumerate(BAD)})
said = berth("validate", "-C", site.clone, "-o", "json")
check("berth validate refuses all of them", {"users/bad%d.yaml" % i for i in range(len(BAD))} <= {f["file"] for f in said.json()}, said)
git(site.clone, "clean", "-qfd")
site.write({"users/bo.yaml": user(2, "vision").replace("role: admin", "role: admin\n  forge: x")})
check("a forge that is no map", berth("codeowners", "--forge", "gitea", "-C", site.clone).rc == 1)
site.write({"users/bo.yaml": "kind: [\n"})
said = berth("codeowners", "--forge", "gitea", "-C", site.clone)
check("a user's file that cannot be read: nobody is left out silently", said.rc == 1 and "users/bo.yaml has errors" in said.err, said)
site.write({"users/bo.yaml": user(2, "vision"), "teams/vision.yaml": team('"dana @mallory"')})
said = berth("codeowners", "--forge", "gitea", "-C", site.clone)
check("a team's admin that is no name", said.rc == 1 and "teams/vision.yaml:3: spec.admins[0]" in said.err, said)
site.write({"teams/vision.yaml": team("dana", "erin"), "users/Bo @x.yaml": user(9), "envs/x y/a.yaml": env_spec()})
said = berth("codeowners", "--forge", "github", "-C", site.clone)
check("files whose names are none, and strangers: not in it, and said", said.rc == 0 and "@x" not in said.out and "erin" not in said.out and
      "teams/vision.yaml (admins) names erin, who has no file in users/" in said.err, said)
git(site.clone, "clean", "-qfd")
site.write({**FILES, "users/bo.yaml": user(2, "vision", "ALICE")})
said = berth("validate", "-C", site.clone, "-o", "json")
check("one account, two people: a finding", ("users/bo.yaml", "E404") in {(f["file"], f["code"]) for f in said.json()}, said)
git(site.clone, "checkout", "-q", ".")

# -- nobody -----------------------------------------------------------------------------------------------------------
site.write({"berth.yaml": org.replace(", admins: [carol, pav]", "")})
said = berth("codeowners", "--forge", "github", "-C", site.clone)
check("without admins: no line for everything, and it is said", said.rc == 0 and rules(said.out) == [
    ("/envs/alice/", {"dana"}), ("/envs/bo/", {"alice", "carol.c_1", "dana"})] and "no approvals.admins" in said.err and
    "envs/dana/: nobody but dana" in said.err, said)
git(site.clone, "checkout", "-q", ".")
os.rename(os.path.join(site.clone, ".github"), os.path.join(folder, "elsewhere"))
os.symlink(os.path.join(folder, "elsewhere"), os.path.join(site.clone, ".github"))
site.write({"teams/vision.yaml": team("dana", "alice")})
said = berth("codeowners", "--forge", "github", "--write", "-C", site.clone)
with open(os.path.join(folder, "elsewhere", "CODEOWNERS"), encoding="utf-8") as f:
    check("a folder that is a link is not followed", said.rc == 4 and "symbolic link" in said.err and f.read() == texts["github"], said)
os.unlink(os.path.join(site.clone, ".github"))
os.mkdir(os.path.join(site.clone, ".github"))
os.symlink("/dev/null", os.path.join(site.clone, ".github/CODEOWNERS"))
said = berth("codeowners", "--forge", "github", "--check", "-C", site.clone)
check("a file that is a link is not read", said.rc == 1 and "symbolic link" in said.err, said)
said = berth("codeowners", "-C", folder)
check("no repository: where to look", said.rc in (2, 3) and "--forge" in said.err, said)
said = berth("codeowners", "--forge", "github", "-C", folder)
check("no berth.yaml", said.rc == 3 and "berth.yaml" in said.err and "-C DIR" in said.err, said)
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `berth init --forge` writes: the files against what forges demand of them, and the script lines of their workflows run here, as a
runner would, for good and bad pull requests."""
import json
import os
import re
import shutil
import subprocess
import sys

import yaml

from lab import BERTH, ENV, TOP, Site, berth, check, done, env_spec, folder, git, processes

TEMPLATE = os.path.join(TOP, "envs-repo-template")
OWN = {"github": (".github/",), "gitlab": (".gitlab/", ".gitlab-ci.yml"), "gitea": (".gitea/",)}
TOKEN = "s3cret-token"  # what tests/peers/git_http.py wants

# -- what init writes --------------------------------------------------------------------------------------------------


def of_forge(path, forge):
    return any(path == p or p.endswith("/") and path.startswith(p) for p in OWN[forge])


def listed(where):
    return set(git(where, "ls-files").splitlines())


plain = os.path.join(folder, "plain")
berth("init", plain)
check("without --forge: no forge's files", not any(of_forge(p, f) for p in listed(plain) for f in OWN), listed(plain))
sites = {}
for forge in OWN:
    sites[forge] = s = Site(forge, mirror=True)
    said = berth("init", "--forge", forge, s.clone)
    extra = listed(s.clone) - listed(plain)
    with open(os.path.join(TEMPLATE, ".%s/CODEOWNERS" % forge), encoding="utf-8") as f:
        check("--forge %s: its files and no other's" % forge, said.rc == 0 and extra and all(of_forge(p, forge) for p in extra) and
              s.read(".%s/CODEOWNERS" % forge) == f.read(), said, extra)
said = berth("init", "--forge", "forgejo", os.path.join(folder, "no"))
check("another forge is refused, and nothing is made", said.rc == 2 and not os.path.exists(os.path.join(folder, "no")), said)

# -- what the files say ------------------------------------------------------------------------------------------------


def load(path):
    with open(os.path.join(TEMPLATE, path), encoding="utf-8") as f:
        return json.load(f) if path.endswith(".json") else yaml.safe_load(f)


def scripts(job):
    return [s["run"] for s in job["steps"] if "run" in s]


flows = {f: load(".%s/workflows/berth.yml" % f) for f in ("github", "gitea")}
ci = load(".gitlab-ci.yml")
for forge, flow in flows.items():
    job = flow["jobs"]["berth"]
    with open(os.path.join(TEMPLATE, ".%s/workflows/berth.yml" % forge), encoding="utf-8") as f:
        text = f.read()
    uses = re.findall(r"uses: *(.*)", text)
    check("%s: runs for each pull request, may read alone, no secret" % forge, flow[True] == {"pull_request": None} and  # YAML 1.1 reads on as true
          flow["permissions"] == {"contents": "read"} and "secrets" not in text and "permissions" not in job, flow)
    check("... one at a time for a pull request", "pull_request.number" in flow["concurrency"]["group"] and
          flow["concurrency"]["cancel-in-progress"] is True and job["timeout-minutes"] <= 10)
    check("... actions by their full commit", all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", u) for u in uses) and
          (forge == "gitea" or uses), uses)
    check("... no text of a stranger becomes a part of a script", not any("${{" in s for s in scripts(job)), scripts(job))
checkout = [s for s in flows["github"]["jobs"]["berth"]["steps"] if "uses" in s][0]["with"]
check("github: the whole history, and no credentials left behind", checkout == {"fetch-depth": 0, "persist-credentials": False}, checkout)
ruleset = load(".github/ruleset.json")
of_type = {r["type"]: r.get("parameters") for r in ruleset["rules"]}
check("github: the ruleset requires that very job, of GitHub's own runner", of_type["required_status_checks"]["required_status_checks"] ==
      [{"context": list(flows["github"]["jobs"])[0], "integration_id": 15368}] and ruleset["enforcement"] == "active" and
      ruleset["bypass_actors"] == [] and {"deletion", "non_fast_forward"} <= set(of_type), ruleset)
check("... and a code owner who saw the last push", of_type["pull_request"]["require_code_owner_review"] and
      of_type["pull_request"]["dismiss_stale_reviews_on_push"] and of_type["pull_request"]["require_last_push_approval"], of_type)
protection = load(".gitea/branch_protection.json")
check("gitea: the protection requires that very job", protection["enable_status_check"] and protection["status_check_contexts"] ==
      ["%s / %s (pull_request)" % (flows["gitea"]["name"], list(flows["gitea"]["jobs"])[0])] and not protection["enable_push"] and
      protection["required_approvals"] >= 1 and protection["dismiss_stale_approvals"], protection)
with open(os.path.join(TEMPLATE, ".gitea/default_merge_message/MERGE_TEMPLATE.md"), encoding="utf-8") as f:
    message = f.read()
check("... the merge's message uses what Gitea fills in, a title first", set(re.findall(r"\$\{(\w+)\}", message)) <= {
    "BaseRepoOwnerName", "BaseRepoName", "BaseBranch", "HeadRepoOwnerName", "HeadRepoName", "HeadBranch", "PullRequestTitle",
    "PullRequestDescription", "PullRequestPosterName", "PullRequestIndex", "PullRequestReference", "ClosingIssues", "ReviewedOn", "ReviewedBy"} and
      re.match(r"[^\n]*\$\{PullRequestTitle\}\n\n", message), message)
check("gitlab: nobody pushes, and a red pipeline merges nothing", load(".gitlab/protected_branch.json")["push_access_level"] == 0 and
      load(".gitlab/project.json")["only_allow_merge_if_pipeline_succeeds"] is True)
everything = [s for f in flows.values() for s in scripts(f["jobs"]["berth"])] + ["\n".join(ci[j]["script"]) for j in ("berth", "berth-branch")]
if shutil.which("shellcheck"):
    p = subprocess.run(["shellcheck", "-s", "bash", "-"], input="set -eo pipefail\n" + "\n".join(everything), text=True, capture_output=True)
    check("shellcheck of all script lines", p.returncode == 0, p.stdout)
else:
    check("shellcheck of all script lines # SKIP no shellcheck here", True)
hooks = {h["id"]: h for h in yaml.safe_load(open(os.path.join(TOP, ".pre-commit-hooks.yaml"), encoding="utf-8"))}
local = load(".pre-commit-config.yaml")["repos"][0]["hooks"]
check("pre-commit: the template's hook is the published one", all(h == {k: hooks[h["id"]][k] for k in h} for h in local), local, hooks)
check("... they run for what berth reads", all(re.search(hooks["berth-validate"]["files"], p) for p in
      ("berth.yaml", "envs/alice/a.yaml", "envs/alice/secrets/x.age", "users/bo.yaml", "templates/env/a.yaml")) and
      not re.search(hooks["berth-validate"]["files"], "README.md") and not re.search(hooks["berth-fmt"]["files"], "envs/alice/setup.sh"))
for h in hooks.values():
    said = berth(*h["entry"].split()[1:], *([] if h.get("pass_filenames") is False else ["berth.yaml"]), cwd=sites["github"].clone)
    check("... `%s` is fine with what init writes" % h["entry"], said.rc == 0, said)

with open(os.path.join(TOP, "docs/forges.md"), encoding="utf-8") as f:
    page = f.read()
named = set(re.findall(r"@?(\.git(?:hub|lab|ea|lab-ci)[\w./-]*\.(?:json|yml|md)|\.git\w+/CODEOWNERS)", page))
there = {os.path.relpath(os.path.join(root, n), TEMPLATE) for root, _, names in os.walk(TEMPLATE) for n in names}
check("docs/forges.md names each of these files, and no other", named == {p for p in there for f in OWN if of_forge(p, f)}, named)
curl = re.findall(r"(?m)^curl .*", page)
check("... no command has a token among its arguments", len(curl) >= 5 and all("-H @../auth" in c and "Bearer" not in c for c in curl), curl)

# -- pull requests -----------------------------------------------------------------------------------------------------
bin_ = os.path.join(folder, "bin")
os.mkdir(bin_)
os.symlink(BERTH, os.path.join(bin_, "berth"))
argv = os.path.join(folder, "argv")
with open(os.path.join(bin_, "git"), "w", encoding="utf-8") as f:
    f.write("#!/bin/sh\nprintf '%%s\\n' \"$*\" >>%s\nexec %s \"$@\"\n" % (argv, shutil.which("git")))
os.chmod(os.path.join(bin_, "git"), 0o755)
work = [0]


def fresh(name):
    work[0] += 1
    where = os.path.join(folder, "runner%d" % work[0], name)
    os.makedirs(where)
    return where


def shell(text, where, env):
    """As the three runners start it: bash, stops at the first line that fails."""
    p = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text], cwd=where, text=True, capture_output=True,
                       stdin=subprocess.DEVNULL, env={**ENV, **env, "PATH": bin_ + ":" + ENV["PATH"]}, timeout=120)
    return p.returncode, p.stdout, p.stderr


class Ran:
    """Exit status of each step that ran, all that was printed, and what was left for the forge."""

    def __init__(self):
        self.rc, self.out, self.err, self.left = {}, "", "", ""

    def add(self, name, got):
        self.rc[name] = got[0]
        self.out += got[1]
        self.err += got[2]

    def __repr__(self):
        return "%r\n%s\n%s\n%s" % (self.rc, self.out, self.err, self.left)


def run_github(s, branch):
    where = fresh("github")
    git(folder, "clone", "-q", s.bare, where)
    git(where, "checkout", "-q", "--detach", "origin/main")
    git(where, "merge", "-q", "--no-ff", "-m", "the merge that GitHub makes", "origin/" + branch)
    ran, summary = Ran(), os.path.join(where, "..", "summary")
    env = {"RUNNER_TEMP": os.path.dirname(where), "GITHUB_STEP_SUMMARY": summary}
    for step in flows["github"]["jobs"]["berth"]["steps"]:
        if "run" in step and (not any(ran.rc.values()) or "cancelled()" in step.get("if", "")):
            ran.add(step["name"], shell(step["run"], where, env))
    if os.path.exists(summary):
        ran.left = open(summary, encoding="utf-8").read()
    return ran


def run_gitlab(s, branch, job="berth"):
    where, ran = fresh("gitlab"), Ran()
    git(folder, "clone", "-q", s.bare, where)
    git(where, "checkout", "-q", "--detach", "origin/" + branch)
    ran.add("script", shell("\n".join(ci[job]["script"]), where, {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}))
    ran.left = open(os.path.join(where, ci[".berth"]["artifacts"]["reports"]["codequality"]), encoding="utf-8").read()
    return ran


server = subprocess.Popen([sys.executable, os.path.join(TOP, "tests", "peers", "git_http.py"), folder, "token"], stdout=subprocess.PIPE,
                          env={**ENV, "GIT_HTTP_USER": "x-access-token"})
processes.append(server)
url = "http://127.0.0.1:%d/" % int(server.stdout.readline())


def run_gitea(s, branch, token=TOKEN):
    git(s.bare, "update-ref", "refs/pull/7/head", branch)
    values = {"github.token": token, "github.server_url": url, "github.repository": "gitea", "github.base_ref": "main",
              "github.event.pull_request.number": "7", "github.event.pull_request.head.sha": s.tip(branch)}
    where, ran, job = fresh("gitea"), Ran(), flows["gitea"]["jobs"]["berth"]
    for step in job["steps"]:
        env = {k: re.sub(r"\$\{\{ *(.*?) *\}\}", lambda m: values[m[1]], v) for k, v in {**job["env"], **step.get("env", {})}.items()}
        if not any(ran.rc.values()):
            ran.add(step["name"], shell(step["run"], where, env))
    if os.path.exists(os.path.join(where, ".git/config")):
        ran.left = open(os.path.join(where, ".git/config"), encoding="utf-8").read()
    return ran


RUN = {"github": run_github, "gitlab": run_gitlab, "gitea": run_gitea}
GOOD = {"envs/alice/lab.yaml": env_spec()}
BAD = {"envs/alice/lab.yaml": env_spec("cpu-smal", "  colour: ::error::x\n")}


MORE = {"github": ("grab", "old", "owners"), "gitlab": ("old",), "gitea": ("grab",)}


def branch(s, name, files):
    git(s.clone, "checkout", "-q", "-B", name, "main")
    s.write(files)
    s.save(name)
    git(s.clone, "checkout", "-q", "main")


ran = {}
for forge, s in sites.items():
    git(s.clone, "remote", "add", "origin", s.bare)
    s.write({"berth.yaml": s.read("berth.yaml").replace("{mode: none}", "{mode: none, admins: [dana]}")
             .replace("standard: {gpu: 1, memory: 64Gi, environments: 3}", "standard: {gpu: 1, memory: 64Gi, environments: 9}")})
    berth("codeowners", "--write", "-C", s.clone)
    s.push(message="admins")
    org = s.read("berth.yaml")
    alice = s.read("users/alice.yaml").replace("role: premium", "role: standard")
    of = {"good": GOOD, "bad": BAD, "owners": {"teams/vision.yaml": s.read("teams/vision.yaml").replace("[dana]", "[dana, bo]")},
          # alice gives her role what she wants
          "grab": {"users/alice.yaml": alice, "berth.yaml": org.replace("environments: 9", "environments: 99").replace("gpu: 1,", "gpu: 8,"),
                   "envs/alice/lab.yaml": env_spec("gpu-small", "  resources: {gpu: 2}\n")},
          # bo began before main took something from his role
          "old": {"users/bo.yaml": s.read("users/bo.yaml").replace("role: premium", "role: standard"), "envs/bo/genome.yaml": None,
                  "envs/bo/one.yaml": env_spec()}}
    for name in ("good", "bad", *MORE[forge]):
        branch(s, name, of[name])
    git(s.clone, "push", "-q", "--all", "origin")
    if "grab" in MORE[forge]:
        ran[forge, "grab"] = RUN[forge](s, "grab")
    s.push({"berth.yaml": org.replace("environments: 9", "environments: 0")}, "main goes on: nobody has a place")
    if "old" in MORE[forge]:
        ran[forge, "old"] = RUN[forge](s, "old")

good = {f: RUN[f](s, "good") for f, s in sites.items()}
bad = {f: RUN[f](s, "bad") for f, s in sites.items()}
for forge in OWN:
    check("%s: a good one passes every step" % forge, set(good[forge].rc.values()) == {0} and "error[" not in good[forge].out + good[forge].err, good[forge])
    check("... its plan is shown", "+ envs/alice/lab" in good[forge].out + good[forge].left, good[forge])
    check("%s: a bad one fails, and what is wrong stands in the log" % forge, 1 in bad[forge].rc.values() and
          "envs/alice/lab.yaml:4:11" in bad[forge].out + bad[forge].err and "+ envs/alice/lab" not in bad[forge].out + bad[forge].left, bad[forge])
marks = re.findall(r"^::error file=(.*?),line=(\d+),.*title=(\w+)::", bad["github"].out, re.M)
check("github: marks at the lines", sorted(marks) == [("envs/alice/lab.yaml", "4", "E304"), ("envs/alice/lab.yaml", "5", "E102")], bad["github"])
check("... the author's own text is no mark", not re.search(r"^::error::x", bad["github"].out, re.M), bad["github"])
check("... the plan is a quotation in the summary", good["github"].left and all(x.startswith("    ") for x in good["github"].left.splitlines()),
      good["github"])
report = json.loads(bad["gitlab"].left)
check("gitlab: a report of code quality", {(r["location"]["path"], r["location"]["lines"]["begin"]) for r in report} ==
      {("envs/alice/lab.yaml", 4), ("envs/alice/lab.yaml", 5)} and len({r["fingerprint"] for r in report}) == 2 and
      json.loads(good["gitlab"].left) == [], bad["gitlab"])
main = run_gitlab(sites["gitlab"], "main", "berth-branch")
check("... of the branch too", main.rc == {"script": 0} and json.loads(main.left) == [], main)
log = open(argv, encoding="utf-8").read()
check("gitea: the job's token is in no argument, file or output", "fetch" in log and TOKEN not in log + repr(good["gitea"]) and
      "eC1hY2Nlc3MtdG9rZW4" not in log + repr(good["gitea"]), log)
refused = run_gitea(sites["gitea"], "good", "another")
check("... without it the forge gives nothing, and the job fails", list(refused.rc) == ["fetch"] and refused.rc["fetch"] and "another" not in repr(refused), refused)
for (forge, name), r in ran.items():
    check("%s: judged by the rules of main as it is now, not by its own (%s)" % (forge, name), 1 in r.rc.values() and
          re.search(r"E401.*limit set at (\w+:)?berth\.yaml", r.out + r.err, re.S), r)
ran = run_github(sites["github"], "owners")
check("an admin more and the old CODEOWNERS: the step says which lines", ran.rc["code owners"] == 1 and ran.rc["validate"] == 0 and
      "\n+ /envs/alice/ @bo @dana\n" in ran.out, ran)
done()

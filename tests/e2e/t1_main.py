#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The main way: init, push, daemon, manifests, status; the verbs and their exit statuses."""
import os
import re
import shutil

from lab import (RENDERED, STATUS, Daemon, Site, berth, check, done, env_spec, folder, free_port, git, http, once,
                 until)

site = Site("envs")
bare, clone = site.bare, site.clone

# -- init --------------------------------------------------------------------------------------------------------
check("init leaves a clean repository on main", git(clone, "status", "--porcelain", "-b").startswith("## main") and
      git(clone, "status", "--porcelain") == "")
said = berth("init", clone)
check("init refuses a folder that is in use, status 4", said.rc == 4 and clone in said.err, said)
said = berth("init", os.path.join(folder, "other"))
check("init says what to type next", said.rc == 0 and "berth validate -C" in said.err, said)

# -- before the first pass ---------------------------------------------------------------------------------------
said = berth("status", "-C", bare)
check("status before the first pass: an error with the next step", said.rc != 0 and "berth run" in said.err, said)

# -- the daemon --------------------------------------------------------------------------------------------------
port = free_port()
state = site.state()
daemon = Daemon(bare, state, "--listen", "127.0.0.1:%d" % port)
check("every environment becomes Rendered", until(site.all_rendered), site.phases(), daemon.log())
check("/healthz and /readyz say 200", until(lambda: http(port, "/readyz") == 200) and until(lambda: http(port, "/healthz") == 200))
check("other paths say 404", until(lambda: http(port, "/nothing")) == 404)
names = site.names(RENDERED)
check("the rendered branch has the four folders and their lists",
      {n.split("/")[0] for n in names} == {"kustomization.yaml", "org", "users", "envs"} | ({"teams"} & {n.split("/")[0] for n in names})
      and {"envs/kustomization.yaml", "users/alice/kustomization.yaml", "envs/alice/vit/kustomization.yaml"} <= set(names), names)
check("no Secret object is there", not [n for n in names if re.search(r"/secret-", n)])
claim = site.show(RENDERED, "envs/alice/vit/persistentvolumeclaim-home-vit-0.yaml") or ""
check("claims carry the keep annotations", "kustomize.toolkit.fluxcd.io/prune: disabled" in claim and
      "Prune=false,Delete=false" in claim, claim)

said = berth("run", "--repo", bare, "--state", state, "--once")
check("a second berth on the same state folder is refused and says why", said.rc != 0 and "--state" in said.err, said)
said = berth("run", "--repo", bare, "--state", site.state(), "--listen", "127.0.0.1:%d" % port)
check("a port in use is an error, not a silent daemon", said.rc != 0 and str(port) in said.err, said)

before = site.tip(RENDERED)
commit = site.push({"envs/alice/notebook.yaml": env_spec("gpu-small")}, "notebook: take a GPU")
check("an edit arrives in the manifests", until(
    lambda: "nvidia.com/gpu" in (site.show(RENDERED, "envs/alice/notebook/statefulset-notebook.yaml") or "")), daemon.log())
check("and as a transition", until(lambda: site.status().get("alice/notebook", {}).get("observed", {}).get("commit") == commit),
      site.status().get("alice/notebook"))
message = git(bare, "log", "-1", "--format=%B%n%an <%ae>", RENDERED)
check("the rendered commit names its source, run and program", "Berth-Source-Commit: " + commit in message and
      "Berth-Run: " in message and "Berth-Reconciler: berth/" in message and message.endswith("berth <berth@localhost>"), message)
check("only that environment's folder changed", {p.rsplit("/", 1)[0] for p in
      git(bare, "diff", "--name-only", before, RENDERED).splitlines()} == {"envs/alice/notebook"},
      git(bare, "diff", "--name-only", before, RENDERED))
message = git(bare, "log", "-1", "--format=%B", STATUS)
check("the status commit names environment and commit", "Berth-Env: alice/notebook Rendered..Rendered" in message and
      "Berth-Spec-Commit: " + commit in message, message)

tips = (site.tip(RENDERED), site.tip(STATUS))
commit = site.push({"envs/alice/notebook.yaml": "# a comment\n" + env_spec("gpu-small")}, "notebook: say why")
check("a comment is looked at", until(lambda: commit[:12] in daemon.log()), daemon.log())
site.push({"envs/bo/more.yaml": env_spec()}, "more")
check("an environment is added", until(lambda: site.phases().get("bo/more") == "Rendered"), daemon.log())
check("the comment made no rendered commit", git(bare, "rev-list", "--count", "%s..%s" % (tips[0], RENDERED)) == "1",
      git(bare, "log", "--stat", "%s..%s" % (tips[0], RENDERED)))
site.push({"envs/bo/more.yaml": None}, "less")
check("an environment is deleted: its files go", until(lambda: not site.names(RENDERED, "envs/bo/more")), daemon.log())
check("and its status, in a commit that says Gone", until(lambda: "bo/more" not in site.phases()) and
      "Berth-Env: bo/more Rendered..Gone" in git(bare, "log", "-1", "--format=%B", STATUS))
check("SIGTERM: status 0, within the wait", daemon.stop() == 0, daemon.log())
check("and a line in the log", "stopped by SIGTERM" in daemon.log(), daemon.log())
check("nothing is half-written", site.fsck() == "" and not site.locks(), site.fsck(), site.locks())
check("the log has no memory error and no warning of a sanitizer", not re.search("Sanitizer|runtime error", daemon.log()), daemon.log())

# -- a second pass writes nothing ----------------------------------------------------------------------------------
said = once(bare, state)
check("--once when all is well: status 0", said.rc == 0, said)
listing = site.files()
said = once(bare, state)
check("a second pass: status 0 and no write", said.rc == 0 and site.files() == listing, said,
      [p for p, v in site.files().items() if listing.get(p) != v])
said = once(bare, site.state())
check("nor does a berth with an empty state folder write", said.rc == 0 and site.files() == listing, said)
shutil.copytree(clone, clone + ".work", symlinks=True)
said = once(clone + ".work", site.state())
check("a clone's own main can be watched as well", said.rc == 0 and
      git(clone + ".work", "rev-parse", RENDERED + "^{tree}") == git(bare, "rev-parse", RENDERED + "^{tree}"), said)

# -- verbs ---------------------------------------------------------------------------------------------------------
said = berth("status", "-C", clone)
check("status of a clone asks its origin", said.rc == 0 and re.search(r"alice/vit +Rendered", said.out), said)
said = berth("status", "-C", clone, "alice/vit")
check("status of one: conditions, objects, access", "Applied=True" in said.out and "apps/v1/StatefulSet/dev-alice/vit" in said.out
      and "ssh dev@vit--alice." in said.out, said)
said = berth("status", "-C", bare, "-o", "json")
check("status -o json", said.rc == 0 and {e["phase"] for e in said.json()["environments"]} == {"Rendered"}, said)
said = berth("status", "-C", bare, "alice/nobody")
check("status of an unknown environment fails by name", said.rc != 0 and "alice/nobody" in said.err, said)
said = berth("log", "-C", clone, "bo/more")
check("log: newest first", said.rc == 0 and re.search(r"Rendered\.\.Gone.*\n.*None\.\.Rendered", said.out), said)
said = berth("log", "-C", bare, "-n", "1", "-o", "json")
check("log -n 1 -o json", said.rc == 0 and len(said.json()) == 1 and said.json()[0]["environment"] == "bo/more", said)

check("validate of a good repository: status 0", berth("validate", "-C", clone).rc == 0)
site.write({"envs/bo/bad.yaml": "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavour: cpu-small\n"})
said = berth("validate", "-C", clone)
check("validate: status 1, file:line:column, nearest name", said.rc == 1 and
      re.search(r"envs/bo/bad\.yaml:4:3\b", said.out + said.err) and "flavor" in said.out, said)
said = berth("validate", "-C", clone, "-o", "json")
check("validate -o json: file, line, column as fields", said.rc == 1 and any(
    f.get("file") == "envs/bo/bad.yaml" and f.get("line") == 4 and f.get("column") == 3 for f in said.json()), said)
said = berth("validate", os.path.join(clone, "envs/bo/bad.yaml"))
check("validate of one file", said.rc == 1 and ":4:3" in said.out, said)
check("validate --commit looks at the commit", berth("validate", "-C", clone, "--commit", "HEAD").rc == 0)
said = berth("plan", "-C", clone)
check("plan of a bad spec: status 1 and its place", said.rc == 1 and "envs/bo/bad.yaml:4:3" in said.out, said)
os.unlink(os.path.join(clone, "envs/bo/bad.yaml"))

site.write({"envs/alice/vit.yaml": site.read("envs/alice/vit.yaml").replace("gpu-small", "gpu-large"),
            "envs/alice/notebook.yaml": None, "envs/bo/new.yaml": env_spec()})
said = berth("plan", "-C", clone)
check("plan names what is created, changed, deleted, restarted", said.rc == 0 and
      re.search(r"\+ envs/bo/new +create", said.out) and re.search(r"- envs/alice/notebook +delete", said.out) and
      re.search(r"envs/alice/vit .*restarts", said.out), said)
check("plan --exit-code: 1 on changes", berth("plan", "-C", clone, "--exit-code").rc == 1)
said = berth("plan", "-C", clone, "-o", "json")
check("plan -o json", said.rc == 0 and "envs/bo/new" in {u["unit"] for u in said.json()}, said)
git(clone, "checkout", "-q", "-f", "HEAD")
os.unlink(os.path.join(clone, "envs/bo/new.yaml"))
said = berth("plan", "-C", clone, "--exit-code")
check("plan --exit-code: 0 without changes", said.rc == 0, said)

out = os.path.join(folder, "manifests")
said = berth("render", "-C", clone, "--out", out)
different = [p for p in site.names(RENDERED) if not (
    os.path.exists(os.path.join(out, p)) and open(os.path.join(out, p), encoding="utf-8").read() == site.show(RENDERED, p))]
check("render --out gives what the daemon committed, byte for byte", said.rc == 0 and not different, said, different)
said = berth("render", "-C", clone, "alice/vit")
check("render of one environment", said.rc == 0 and "kind: StatefulSet" in said.out and "name: notebook" not in said.out, said)
said = berth("render", "-C", clone, "alice/vit", "-o", "json")
check("render -o json", said.rc == 0 and said.json(), said)
said = berth("render", "-C", clone, "alice/nobody")
check("render of an unknown environment fails by name", said.rc != 0 and "nobody" in said.err, said)

site.push({"envs/alice/train.yaml": env_spec(), "envs/alice/vit.yaml": env_spec("gpu-small")}, "two edits")
said = berth("apply", "alice/train", "--repo", bare, "--state", state)
vit = site.show(RENDERED, "envs/alice/vit/statefulset-vit.yaml") or ""
check("apply does the environment named", said.rc == 0 and
      "replicas: 1" in (site.show(RENDERED, "envs/alice/train/statefulset-train.yaml") or ""), said)
check("and no other", "WANDB_PROJECT" in vit, vit)
check("a later full pass does the rest", once(bare, state).rc == 0 and
      "WANDB_PROJECT" not in (site.show(RENDERED, "envs/alice/vit/statefulset-vit.yaml") or ""))
said = berth("apply", "alice/nobody", "--repo", bare, "--state", state)
check("apply of an unknown environment fails by name", said.rc not in (0, 3) and "nobody" in said.err, said)

# -- usage ---------------------------------------------------------------------------------------------------------
for args, needle in [(["statsu"], "status"), (["run"], "--repo"), (["run", "--repo", bare], "--state"),
                     (["run", "--repo", bare, "--state", state, "--targt", "git"], "--target"),
                     (["run", "--repo", bare, "--state", state, "--interval", "often"], "15s"),
                     (["run", "--repo", bare, "--state", state, "--target", "moon", "--once"], "git"),
                     (["run", "--repo", bare, "--state", state, "--accept-rewind", "abc"], "40"),
                     (["validate", "-o", "xml"], "json"), (["apply"], "OWNER/NAME")]:
    said = berth(*args)
    check("usage: `berth %s` is status 2 and helps" % " ".join(a for a in args if "/" not in a),
          said.rc == 2 and needle in said.err, said)
for args in (["--help"], ["help", "run"], ["run", "--help"], ["version"], ["completion", "bash"]):
    said = berth(*args)
    check("`berth %s`: status 0, on standard output" % " ".join(args), said.rc == 0 and said.out and not said.err, said)
said = berth("status", "-C", bare, "-o", "json", env={"BERTH_LOG_LEVEL": "debug"})
check("data on standard output alone", said.rc == 0 and said.json(), said)
done()

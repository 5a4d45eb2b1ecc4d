#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""spec.render: a berth that brings newer templates changes nothing by itself; the commit that asks for them does.

The newer templates are a folder v2/ in a copy of the built-in files (BERTH_SHARE): what an upgraded program would carry.
"""
import os
import re
import shutil

import lab
from lab import RENDERED, TOP, Site, berth, check, done, git

SHARE = os.path.join(lab.folder, "share")
for part in ("schema", "templates", "envs-repo-template"):
    shutil.copytree(os.path.join(TOP, part), os.path.join(SHARE, part))
PLAIN = {"BERTH_SHARE": os.path.join(lab.folder, "plain")}
shutil.copytree(SHARE, PLAIN["BERTH_SHARE"])


def put(path, text, root=SHARE):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


def builtin(path):
    with open(os.path.join(TOP, path)) as f:
        return f.read()


old_sts = builtin("templates/env/statefulset.yaml")
put("templates/v2/env/statefulset.yaml", old_sts.replace("revisionHistoryLimit: 3", "revisionHistoryLimit: 5"))
put("templates/v2/user/limitrange.yaml", "null\n")
put("templates/v2/env/extra.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '${env.name}--extra'}\ndata: {version: '${berth.templates}'}\n")
put("templates/v2/scripts/status.sh", "# of version 2\n")
put("templates/v2/README.md", "not a template\n")
NEW = {"BERTH_SHARE": SHARE}
site = Site("site")


def rendered(env, *args):
    out = os.path.join(lab.folder, "out")
    shutil.rmtree(out, ignore_errors=True)
    said = berth("render", "-C", site.clone, "--out", out, *args, env=env)
    files = {}
    for where, _, names in os.walk(out):
        for n in names:
            with open(os.path.join(where, n)) as f:
                files[os.path.relpath(os.path.join(where, n), out)] = f.read()
    return said, files


def ask(version):
    with open(os.path.join(site.clone, "berth.yaml")) as f:
        text = re.sub(r"(?m)^  render:.*\n", "", f.read())
    site.write({"berth.yaml": text.rstrip("\n") + "\n" + ("  render: %s\n" % version if version is not None else "")})


ask(None)
said, before = rendered(PLAIN)
check("the built-in templates render", said.rc == 0 and len(before) > 10, said)
for version in (None, 1):
    ask(version)
    said, got = rendered(NEW)
    check("with newer templates on board, render: %s gives the same bytes" % version, said.rc == 0 and got == before, said,
          [x for x in set(got) ^ set(before)])

site.push(message="render: 1")
state = site.state()
check("a daemon applies it", berth("run", "--once", "--repo", site.bare, "--state", state, env=PLAIN).rc == 0)
tip = site.tip(RENDERED)
said = berth("run", "--once", "--repo", site.bare, "--state", state, env=NEW)
check("the newer berth has nothing to change", said.rc == 0 and site.tip(RENDERED) == tip, said)

ask(2)
said, got = rendered(NEW)
sts = [x for x in before if "/statefulset-" in x]
check("render: 2 renders", said.rc == 0 and sts, said)
check("what version 2 replaces is replaced", all("revisionHistoryLimit: 5" in got[x] and "revisionHistoryLimit: 3" in before[x] for x in sts))
check("what it removes is gone", any(x.endswith("limitrange-berth.yaml") for x in before) and not any("limitrange" in x for x in got))
extra = [x for x in got if x.endswith("--extra.yaml")]
check("what it adds is there, and knows its version", len(extra) == len(sts) and all('version: "2"' in got[x] for x in extra), extra)
check("its scripts are used, the others stay", all("# of version 2" in got[x] and "start.sh" in got[x] for x in got if x.endswith("--scripts.yaml")))
same = [x for x in before if not re.search(r"statefulset-|limitrange|--scripts|kustomization", x)]
check("everything else is as it was", len(same) > 5 and all(got[x] == before[x] for x in same), [x for x in same if got.get(x) != before[x]])
plan = berth("plan", "-C", site.clone, env=NEW)
check("the plan shows that pods restart", plan.rc == 0 and "RESTARTS" in plan.out and "--extra" in plan.out, plan)
site.push(message="render: 2")
said = berth("run", "--once", "--repo", site.bare, "--state", state, env=NEW)
check("the reviewed commit moves everybody on", said.rc == 0 and site.tip(RENDERED) != tip, said)

# -- what is refused ------------------------------------------------------------------------------------------------
for version, known, env in ((2, "version 1 of", PLAIN), (3, "version 1 and 2 of", NEW), (0, "", NEW), ("two", "", NEW)):
    ask(version)
    said = berth("validate", "-C", site.clone, env=env)
    check("render: %s is a finding at its line" % version, said.rc == 1 and re.search(r"--> berth\.yaml:\d+:11\n", said.out) and known in said.out, said)
    check("render: %s renders nothing" % version, rendered(env)[0].rc == 1)

ask(2)
site.write({"templates/env/gone.patch.yaml": "metadata: {annotations: {a: b}}\n"})
said = berth("validate", "-C", site.clone, env=NEW)
check("a patch of nothing", said.rc == 1 and "there is no templates/env/gone.yaml to patch" in said.out and "templates/env/gone.patch.yaml" in said.out, said)
os.remove(os.path.join(site.clone, "templates/env/gone.patch.yaml"))
site.write({"templates/user/limitrange.patch.yaml": "metadata: {annotations: {a: b}}\n"})
ask(1)
said = berth("validate", "-C", site.clone, env=NEW)
check("a patch of what version 1 has", said.rc == 0, said)
ask(2)
said = berth("validate", "-C", site.clone, env=NEW)
check("version 2 has it no more: a finding at the patch", said.rc == 1 and
      "there is no templates/user/limitrange.yaml to patch in version 2" in said.out and "--> templates/user/limitrange.patch.yaml:1:1" in said.out, said)
os.remove(os.path.join(site.clone, "templates/user/limitrange.patch.yaml"))

site.write({"templates/v2/env/service.yaml": "null\n"})
said = berth("validate", "-C", site.clone, env=NEW)
check("an organization has no versions of its own", said.rc == 1 and "error[E306]" in said.out and "templates/v2/env/service.yaml" in said.out, said)
shutil.rmtree(os.path.join(site.clone, "templates/v2"))

# -- what an organization's templates do wrong, found by the check of a pull request -----------------------------------
ask(None)
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: "
for path, text, where, words in (
        ("env/x.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", "1:1", "only objects of its namespace"),
        ("env/x.yaml", "- " + MAP.replace("\n", "\n  ") + "a\n- text\n", "5:3", "gives a string where an object belongs"),
        ("env/x.yaml", MAP + "${env.name}--keys\n", "1:1", "given twice"),
        ("env/x.yaml", MAP + "${env.gpus}\n", "4:9", "gpus"),
        ("env/service.patch.yaml", "spec:\n  a: ${object.b}\n", "2:6", "b"),
        ("env/service.patch.yaml", "- 1\n", "1:1", "a merge patch, a map, belongs"),
        ("user/x.yaml", MAP + "a\ndata:\n  a: ${set.nothing}\n", "6:6", "nothing"),
        ("user/x.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system}\n", "1:1", "the user's namespace is"),
        ("team/x.yaml", MAP + "${team.nothing}\n", "4:9", "nothing"),
        ("org/x.yaml", MAP + "a\n", "1:1", "needs metadata.namespace"),
        ("org/x.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\n", "1:1", "give no Secrets")):
    site.write({"templates/" + path: text})
    said = berth("validate", "-C", site.clone)
    check("templates/%s: %s" % (path, words), said.rc == 1 and "--> templates/%s:%s\n" % (path, where) in said.out and words in said.out and
          "= help: " in said.out, said)
    os.remove(os.path.join(site.clone, "templates", path))
said = berth("validate", "-C", site.clone)
check("without them all is well", said.rc == 0, said)

# -- three versions: the last two can be asked for ---------------------------------------------------------------------
put("templates/v3/env/extra.yaml", "null\n")
ask(3)
said, got = rendered(NEW)
check("version 3 lies over version 2", said.rc == 0 and not any("--extra" in x for x in got) and
      all("revisionHistoryLimit: 5" in got[x] for x in sts), said)
ask(1)
said = berth("validate", "-C", site.clone, env=NEW)
check("the oldest of three is a finding that says what to do", said.rc == 1 and "version 2 and 3 of" in said.out and "render: 2" in said.out, said)
shutil.rmtree(os.path.join(SHARE, "templates/v2"))
said = berth("render", "-C", site.clone, env=NEW)
check("a gap in what the program carries is its own fault", said.rc != 0 and "templates/v3 and no templates/v2" in said.err, said)
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth render --explain: what it says of every field of every object is looked up in the files that it names."""
import json
import os
import re
import shutil

import lab
from lab import TOP, berth, check, done

SITES = {"examples": os.path.join(TOP, "examples"), "override": os.path.join(TOP, "tests/cases/render/override/in"),
         "cluster": os.path.join(TOP, "tests/cases/render/cluster/in")}
lines_of = {}


def line(root, file, n):
    for base in (root, TOP):
        path = os.path.join(base, file)
        if os.path.exists(path):
            if path not in lines_of:
                with open(path) as f:
                    lines_of[path] = f.read().split("\n")
            return lines_of[path][n - 1] if 0 < n <= len(lines_of[path]) else None
    return None


def leaves(v, path=""):
    if isinstance(v, dict) and v:
        for k, x in v.items():
            yield from leaves(x, path + "." + k if path else k)
    elif isinstance(v, list) and v:
        for i, x in enumerate(v):
            yield from leaves(x, "%s[%d]" % (path, i))
    else:
        yield path, v


def last_key(path):
    """The last step of a path that is the name of a key: what its line must hold."""
    return re.sub(r"(\[\d+\])+$", "", path)


bad, fields, placed, inputs, objects = [], 0, 0, 0, 0
for name, root in SITES.items():
    rendered = json.loads(berth("render", "-C", root, "-o", "json").out)
    units = {}
    for o in rendered:
        units.setdefault("%s/%s" % (o["kind"], o["metadata"]["name"]), []).append(o)
    for what, same in units.items():
        said = berth("render", "-C", root, "--explain", what, "-o", "json")
        told = said.json() if said.out else []
        if len(told) != len(same):
            bad.append("%s %s: %d explained, %d rendered: %r" % (name, what, len(told), len(same), said))
            continue
        for o, x in zip(sorted(same, key=lambda o: o["metadata"].get("namespace", "")),
                        sorted(told, key=lambda x: next((f["value"] for f in x["fields"] if f["field"] == "metadata.namespace"), ""))):
            objects += 1
            got = {f["field"]: f["value"] for f in x["fields"]}
            if got != dict(leaves(o)) or len(got) != len(x["fields"]):
                bad.append("%s %s: the fields are not the object's" % (name, what))
            for f in x["fields"]:
                fields += 1
                t = f.get("template")
                if (t is None) != (f.get("setBy") == "berth"):
                    bad.append("%s %s %s: neither from a template nor set by berth" % (name, what, f["field"]))
                if t:
                    text = line(root, t["file"], t["line"])
                    written = text is not None and text[t["column"] - 1:]
                    key = re.match(r'["\']?([^"\':]+)["\']?:(\s|$)', written or "")
                    placed += 1
                    # a key of the path, or an item of a list
                    if not written or (key and key.group(1) not in f["field"] and not key.group(1).startswith("$")):
                        bad.append("%s %s %s: %s:%d:%d is %r" % (name, what, f["field"], t["file"], t["line"], t["column"], text))
                    if not f["variables"] and not f["inputs"] and f["value"] not in ({}, []) and str(f["value"]).lower() not in (text or "").lower() \
                            and not any(str(f["value"]) in (line(root, t["file"], t["line"] + d) or "") for d in (1, 2)):
                        bad.append("%s %s %s: %r is no constant of %s:%d" % (name, what, f["field"], f["value"], t["file"], t["line"]))
                for i in f["inputs"]:
                    if "file" not in i:
                        continue
                    text = line(root, i["file"], i["line"])
                    inputs += 1
                    if text is None or i["column"] > len(text) + 1:
                        bad.append("%s %s %s: input %r is not there" % (name, what, f["field"], i))
check("every field of every object, once, where it is said to stand", not bad, *bad[:30])
check("that were hundreds of places", objects > 60 and fields > 1500 and placed > 1000 and inputs > 300, objects, fields, placed, inputs)


# -- one site, known line by line -----------------------------------------------------------------------------------
site = os.path.join(lab.folder, "site")


def put(path, text):
    path = os.path.join(site, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


HEAD = "apiVersion: berth.dev/v1\nkind: "
put("berth.yaml", HEAD + "Organization\nspec:\n  approvals: {mode: none}\n  storage:\n    homeClass: fast\n  defaults:\n    lifecycle:\n      paused: true\n")
put("flavors/f.yaml", HEAD + "Flavor\nspec:\n  resources:\n    limits: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 2}\n  nodeSelector:\n    zone: a\n")
put("users/alice.yaml", HEAD + "User\nspec:\n  uid: u1\n  email: alice@example.org\n")
put("users/bo.yaml", HEAD + "User\nspec:\n  uid: u2\n  email: bo@example.org\n")
put("envs/alice/train.yaml", HEAD + "Environment\nmetadata:\n  labels: {project: vit}\nspec:\n  flavor: f\n  resources:\n    shm: 1Gi\n")
put("envs/bo/train.yaml", HEAD + "Environment\nspec:\n  flavor: f\n  resources: {shm: 2Gi}\n")
put("templates/env/statefulset.patch.yaml", "spec:\n  revisionHistoryLimit: 7\n  template:\n    spec:\n      hostname: ${env.owner}\n")
put("templates/env/extra.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${env.name}--extra\ndata:\n"
    "  size: ${env.spec.resources.shm}\n  zone: {$eval: flavor.nodeSelector.zone}\n  '${env.owner}': x\n")


def explain(what, *args):
    said = berth("render", "-C", site, "--explain", what, *args, "-o", "json")
    if said.rc:
        raise RuntimeError(repr(said))
    return {f["field"]: f for f in said.json()[0]["fields"]}


def inputs_of(f, written=True):
    return ["%s %s:%d" % (i.get("field", "-"), i["file"], i["line"]) if "file" in i else "%s %s" % (i["field"], i["from"])
            for i in f["inputs"] if not written or "file" in i]


sts = explain("StatefulSet/train", "alice/train")
check("a default of the organization", "env.spec.lifecycle.paused berth.yaml:9" in inputs_of(sts["spec.replicas"]) and sts["spec.replicas"]["value"] == 0 and
      sts["spec.replicas"]["variables"] == ["env.replicas"], sts["spec.replicas"])
check("what nobody wrote", "env.spec.mode default" in inputs_of(sts["spec.replicas"], False), sts["spec.replicas"])
check("what is carried over from a flavor", inputs_of(sts["spec.template.spec.nodeSelector.zone"]) == ["- flavors/f.yaml:7"])
gpu = sts["spec.template.spec.containers[0].resources.limits.nvidia.com/gpu"]
check("what is computed from one", "flavor.spec.resources.limits flavors/f.yaml:5" in inputs_of(gpu) and gpu["value"] == 2, gpu)
shm = next(f for p, f in sts.items() if p.endswith("emptyDir.sizeLimit"))
check("a field of the environment", "env.spec.resources.shm envs/alice/train.yaml:8" in inputs_of(shm) and shm["value"] == "1Gi", shm)
check("a patch", sts["spec.revisionHistoryLimit"]["template"] == {"file": "templates/env/statefulset.patch.yaml", "line": 2, "column": 3} and
      sts["spec.template.spec.hostname"]["template"]["line"] == 5, sts["spec.revisionHistoryLimit"])
check("what berth sets afterwards", sts["metadata.namespace"]["setBy"] == "berth" and
      inputs_of(sts["metadata.labels.label.berth.dev/project"]) == ["env.metadata.labels envs/alice/train.yaml:4"])
extra = explain("configmap-train--extra.yaml", "alice/train")
check("an organization's template", inputs_of(extra["data.size"]) == ["env.spec.resources.shm envs/alice/train.yaml:8"] and
      extra["data.size"]["template"] == {"file": "templates/env/extra.yaml", "line": 6, "column": 3} and
      inputs_of(extra["data.zone"]) == ["- flavors/f.yaml:7"], extra)
check("a key that is computed", extra["data.alice"]["template"]["line"] == 8 and extra["data.alice"]["variables"] == ["env.owner"], extra["data.alice"])
pvc = explain("PersistentVolumeClaim/home-train-0", "alice/train")
check("a loop's variable", pvc["spec.storageClassName"]["variables"] == ["env.claims.class"] and
      "org.spec.storage.homeClass berth.yaml:6" in inputs_of(pvc["spec.storageClassName"]), pvc["spec.storageClassName"])

said = berth("render", "-C", site, "--explain", "statefulset/train")
check("the kind in any case, every object of the name", said.rc == 0 and said.out.count("StatefulSet/train of envs/") == 2 and
      "of envs/alice/train (" in said.out and "of envs/bo/train (" in said.out, said)
said = berth("render", "-C", site, "--explain", "envs/bo/train/statefulset-train.yaml")
check("by its file", said.rc == 0 and said.out.count("StatefulSet/train of envs/") == 1, said)
rows = said.out.splitlines()
check("the text is for people", len(rows) < 130 and "set afterwards by berth" in rows and
      any(re.match(r" +\d+  spec\.replicas: 0  <- env\.replicas  <- .*spec\.lifecycle\.paused berth\.yaml:9", r) for r in rows), said)
said = berth("render", "-C", site, "--explain", "StatefulSet/nope")
check("nothing of that name", said.rc == 2 and not said.out and "--explain StatefulSet/train" in said.err, said)
said = berth("render", "-C", site, "--explain", "StatefulSet/train", "--out", "x")
check("not together with --out", said.rc == 2 and "--out" in said.err, said)
shutil.rmtree(site)
done()

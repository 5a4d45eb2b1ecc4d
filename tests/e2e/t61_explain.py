#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth explain: codes, fields, kinds; the pages of docs/ that are made from them. UPDATE=1 rewrites those."""
import json
import os
import re

from lab import TOP, berth, check, done

KINDS = {"org": "organization", "flavor": "flavor", "image": "image", "dataset": "dataset", "team": "team", "user": "user",
         "env": "environment"}


def explain(*args):
    return berth("explain", *args)


def one(name):
    return explain(name, "-o", "json").json()


# -- codes -------------------------------------------------------------------------------------------------------
codes = [x.split("  ", 1) for x in explain().out.splitlines()]
check("all codes, sorted within their group", len(codes) > 30 and all(re.fullmatch(r"[EW]\d{3}", c) for c, _ in codes))
for code, title in codes:
    said = explain(code.lower())
    if not (said.rc == 0 and said.out.startswith("%s: %s\n\n" % (code, title)) and len(said.out.splitlines()) == 3):
        check("explain " + code, False, said)
check("codes as data", [x["code"] for x in explain("-o", "json").json()] == [c for c, _ in codes] and one("E102")[0]["why"])

# -- fields against the schemas, read here in another way ----------------------------------------------------------
docs = {k: json.load(open(os.path.join(TOP, "schema", f + ".schema.json"))) for k, f in KINDS.items()}
files = {f + ".schema.json": docs[k] for k, f in KINDS.items()}


def resolve(schema, home):
    """The schema a reference leads to with what stands beside it, and the file that its own references mean."""
    if "$ref" not in schema:
        return schema, home
    name, pointer = schema["$ref"].split("#")
    home = name or home
    target = files[home]
    for part in pointer.strip("/").split("/"):
        target = target[part]
    target, home = resolve(target, home)
    beside = {k: v for k, v in schema.items() if k != "$ref"}
    merged = {**target, **beside}
    if "properties" in target and "properties" in beside:
        merged["properties"] = {**target["properties"], **beside["properties"]}
    return merged, home


def walk(schema, home, path):
    schema, home = resolve(schema, home)
    while isinstance(schema.get("items"), dict):
        schema, home = resolve(schema["items"], home)
        path += "[]"
    for key, sub in schema.get("properties", {}).items():
        if sub is not False:
            name = (path + "." + key).lstrip(".")
            full, at = resolve(sub, home)
            yield name, full, key in schema.get("required", [])
            if name != "spec.defaults":
                yield from walk(sub, home, name)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from walk(schema["additionalProperties"], home, path + ".<name>")


total = 0
for kind in KINDS:
    want = {"%s.%s" % (kind, p): (s, r) for p, s, r in walk(docs[kind], KINDS[kind] + ".schema.json", "")}
    listed = {x["field"]: x for x in explain(kind, "-o", "json").json()}
    total += len(want)
    extra = [x for x in listed if x not in want and not x.endswith("<name>")]
    check("explain %s lists the schema's fields" % kind, set(want) <= set(listed) and not extra, sorted(set(want) - set(listed)), extra)
    check("%s: what is required, how it is called" % kind, all(
        listed[n]["required"] == r and listed[n]["title"] == s.get("title", "") and s.get("description") for n, (s, r) in want.items()))
check("there are hundreds of fields", total > 200, total)

shm = one("env.spec.resources.shm")[0]
check("a field as data", shm["field"] == "env.spec.resources.shm" and shm["type"] == "string or number" and shm["examples"] == ["16Gi"] and
      shm["files"][0] == "envs/<owner>/<name>.yaml" and "flavors/<name>.yaml (spec.defaults)" in shm["files"], shm)
check("a field by its last step", one("shm") == [shm] and one("resources.shm")[0] == shm)
check("without its kind", one("spec.flavor")[0]["field"] == "env.spec.flavor" and one("spec.flavor")[0]["files"] == ["envs/<owner>/<name>.yaml"])
check("of several kinds", {x["field"] for x in one("spec.resources")} == {"env.spec.resources", "flavor.spec.resources"})
check("names of a kind", all(one(k + ".spec.max.gpu")[0]["field"] == "flavor.spec.max.gpu" for k in ("flavor", "Flavor", "flavors", "DevServerFlavor")))
check("items of a list both ways", one("env.spec.volumes.size") == one("env.spec.volumes[].size"))
check("a key of one's choice", one("env.spec.env.WANDB_PROJECT")[0]["field"] == "env.spec.env.<name>")
check("allowed values and default", one("env.spec.mode")[0]["enum"] == ["standalone", "distributed"] and one("env.spec.mode")[0]["default"] == "standalone")
text = explain("env.spec.mode").out
check("the same for people", "one of    standalone, distributed\n" in text and "default   standalone\n" in text, text)
check("what it reaches", shm["reaches"] == "StatefulSet (restarts the pods)" and "  reaches   StatefulSet (restarts the pods)\n" in explain("shm").out and
      one("env.spec.persistentHomeSize")[0]["reaches"] == "PersistentVolumeClaim" and "reaches" not in one("env.metadata.annotations")[0], shm)
check("a choice", "exactly   one of claim, s3\n" in explain("dataset.spec").out)
check("yaml", explain("shm", "-o", "yaml").out.startswith("- field: env.spec.resources.shm\n"))

for word, hint in (("env.spec.flavr", "env.spec.flavor"), ("env.spec.gpuCount", "env.spec.resources.gpu"), ("flavorr", "flavor"),
                   ("E10", "E101"), ("env.spec.shm", "env.spec.resources.shm"), ("sshKey", "sshKeys"), ("spec.flavr", "env.spec.flavor"),
                   ("team.spec.defaults.owner", "team.spec.defaults"), ("env.spec.mode.x", "env.spec.mode")):
    said = explain(word)
    check("explain %s: usage, and the nearest" % word, said.rc == 2 and not said.out and "`berth explain %s`" % hint in said.err, said)
for word in ("", ".", "..", "env.", "[]", "env.[]", "env.spec.volumes[][]", "x" * 5000, "env." + "spec." * 500, "a\nb"):
    said = explain(word)
    check("explain %r is answered" % word[:20], said.rc in (0, 2) and len(said.out + said.err) < 20000 and "\nb" not in said.err, said)

# -- pages -------------------------------------------------------------------------------------------------------
for page in ("findings", "fields"):
    path = os.path.join(TOP, "docs", page + ".md")
    made = explain("--markdown", page).out
    if os.environ.get("UPDATE"):
        with open(path, "w") as f:
            f.write(made)
    with open(path) as f:
        check("docs/%s.md is what `berth explain --markdown %s` gives (UPDATE=1 rewrites it)" % (page, page), f.read() == made)
    rows = [x for x in made.splitlines() if x.startswith("| ") and not x.startswith(("| field", "| code"))]
    width = {"findings": 3, "fields": 5}[page]
    check("%s: every row has its cells" % page, all(len(re.findall(r"(?<!\\)\|", x)) == width + 1 for x in rows))
    check("%s: all of them" % page, len(rows) >= (len(codes) if page == "findings" else total), len(rows))
said = explain("--markdown", "all")
check("another page is a usage error", said.rc == 2 and "findings or fields" in said.err, said)
check("a page and a field is a usage error", explain("--markdown", "fields", "shm").rc == 2)
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Text stays text: in every free-text field of every kind, as value and as key, stands what means something to YAML, JSON-e, a
shell, the kubelet or a template language of others. Either `berth validate` refuses it at that line, or the objects are those of
a harmless value with the text in its place, and another YAML reader (PyYAML) reads from the manifests what -o json says.
"""
import json
import os
import random
import sys

import lab
from lab import TOP, berth, check, done, note

try:
    import yaml
    LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
except ImportError:
    print("1..1\nok 1 - injection # SKIP there is no PyYAML (python3-yaml)")
    sys.exit(0)

SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
rng = random.Random(SEED)
note("SEED=%d" % SEED)
PIECES = ['"', "'", "\\", "\n", "\n\n", "${env.name}", "$${x}", "{{ .Values.x }}", "$(HOME)", "$$(HOME)", "$(( 1 ))", "`id`", "%{ if true }", "${",
          ": ", "- ", "\n- ", "\n  x: y", " #", "&a ", "*a", "!!binary ", "---\n", "\n---\n", "\n...\n", "|\n", ">-\n", "? ", "[", "]", "{", "}", ",", "@",
          "%YAML 1.2\n", "\u2028", "\u2029", "\u0085", "\ufeff", "\u00a0", "\u202e", "\t", ";", "&&", "|", "<<", "=", "\u00e9", "\u6f22"]
WHOLE = ["${env.namespace}", "$eval", "$if", "$merge", "{$eval: env}", "{{x}}", "$(POD_NAME)", "%{ for a in b }", "---", "...", "- a", "a: b", "#", "&a", "*a",
         "!!str x", "!", "|", ">", "?", "~", "null", "true", "yes", "on", "No", "1e3", "0x10", "0o17", "1_000", "12:30:45", ".inf", "2026-01-02", "2026-01-02T03:04:05Z",
         "=", "<<", "", " ", " x", "x ", "x\n", "\nx", "a\u2028b", "a\u0085b", "\ufeffx", "x" * 3000, "'\"'\"'", "\"; id; \"", "a\n---\nkind: Secret\n"]


def payloads(what):
    made = ["".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 6))) for _ in range(5)]
    # YAML has no keys of more than 1024 characters
    return [x for x in rng.sample(WHOLE, 15) + made if what == "value" or len(x) < 1000]


HARMLESS = "harmless"
KINDS = {"env": "environment", "flavor": "flavor", "image": "image", "dataset": "dataset", "team": "team", "user": "user", "org": "organization"}
NAMES = {"env": "Environment", "flavor": "Flavor", "image": "Image", "dataset": "Dataset", "team": "Team", "user": "User", "org": "Organization"}
schemas = {f + ".schema.json": json.load(open(os.path.join(TOP, "schema", f + ".schema.json"))) for f in KINDS.values()}


# -- free-text fields, from the schemas ------------------------------------------------------------------------------
def resolve(s, home):
    while "$ref" in s:
        name, pointer = s["$ref"].split("#")
        home = name or home
        target = schemas[home]
        for part in pointer.strip("/").split("/"):
            target = target[part]
        s = {**target, **{k: v for k, v in s.items() if k != "$ref"}}
    return s, home


def types(s):
    t = s.get("type", [])
    return [t] if isinstance(t, str) else t


def example(s):
    return s["examples"][0] if s.get("examples") else s.get("default")


def walk(s, home, path, chain):
    """(path, schemas on the way, "value" or "key"); [] is the first item of a list, None a key of somebody's choice."""
    s, home = resolve(s, home)
    chain = chain + [s]
    if "string" in types(s) and "enum" not in s and "const" not in s:
        yield path, chain, "value"
    if isinstance(s.get("items"), dict):
        yield from walk(s["items"], home, path + [0], chain)
    for k, sub in s.get("properties", {}).items():
        if isinstance(sub, dict) and path + [k] not in (["apiVersion"], ["kind"]) and k != "defaults":
            yield from walk(sub, home, path + [k], chain)
    if isinstance(s.get("additionalProperties"), dict):
        yield path + [None], chain + [{}], "key"
        yield from walk(s["additionalProperties"], home, path + [None], chain)


# What the examples of the schemas refer to, and a base that every document is built on.
BASE = {
    "env": {"spec": {"flavor": "f"}},
    "flavor": {"spec": {"resources": {"limits": {"cpu": 64, "memory": "2Ti", "nvidia.com/gpu": 8}}, "rootEntry": True}},
    "image": {"spec": {"image": "some/image:1"}},
    "dataset": {"spec": {"claim": {"name": "data"}}},
    "team": {"spec": {}},
    "user": {"spec": {"uid": "u0", "email": "u@example.org"}},
    "org": {"spec": {"approvals": {"mode": "none"}, "cluster": {"version": "1.36", "features": ["kueue", "jobset", "external-secrets"]},
                     "secrets": {"signer": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", "stores": ["vault"]}}},
}


def document(kind, path, chain, what, value):
    """The base with `value` at the path; parents are the schemas' examples. None when there is no way."""
    doc = json.loads(json.dumps(BASE[kind]))
    doc = {"apiVersion": "berth.dev/v1", "kind": NAMES[kind], **doc}
    if kind == "env" and path[:2] == ["spec", "distributed"]:
        doc["spec"].update(mode="distributed", distributed={"worldSize": 2})
        if "command" in path:
            doc["spec"]["distributed"]["engine"] = "jobset"
    if kind == "dataset" and "s3" in path:
        doc["spec"] = {"readOnly": True}
    at = doc
    for depth, step in enumerate(path):
        last = depth == len(path) - 1
        if step is None:
            if not isinstance(at, dict):
                return None
            old = next(iter(at), "k")
            if last:
                at[value if what == "key" else old] = at.pop(old, HARMLESS) if what == "key" else value
                return doc
            step = old
        if last:
            if isinstance(step, int):
                if not isinstance(at, list) or not at:
                    return None
                at[step] = value
            else:
                at[step] = value
            return doc
        inner = chain[depth + 1]
        down = at[step] if (isinstance(step, int) and isinstance(at, list) and len(at) > step) or (isinstance(at, dict) and step in at) else None
        if not isinstance(down, (dict, list)) or not down:
            # an example of metadata has somebody else's name
            down = {} if step == "metadata" else example(inner)
            down = json.loads(json.dumps(down)) if isinstance(down, (dict, list)) and down else {} if "object" in types(inner) else None
            if down is None or isinstance(at, list):
                return None
            at[step] = down
        at = down
    return None


# -- one repository of thousands of documents ------------------------------------------------------------------------
def put(root, path, doc):
    path = os.path.join(root, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(doc if isinstance(doc, str) else json.dumps(doc, indent=1, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
                .replace("\u0085", "\\u0085").replace("\ufeff", "\\ufeff").replace("\u202e", "\\u202e") + "\n")


def site(root, org=None):
    put(root, "berth.yaml", org or {"apiVersion": "berth.dev/v1", "kind": "Organization", **BASE["org"]})
    for kind, folder, name in (("flavor", "flavors", "f"), ("flavor", "flavors", "gpu-large"), ("image", "images", "pytorch-jupyter"), ("dataset", "datasets", "imagenet"), ("team", "teams", "vision"),
                               ("user", "users", "bob"), ("user", "users", "erin"), ("user", "users", "carol")):
        doc = json.loads(json.dumps({"apiVersion": "berth.dev/v1", "kind": NAMES[kind], **BASE[kind]}))
        if kind == "user":
            doc["spec"].update(uid="uid-" + name, email=name + "@example.org")
        if kind == "team":
            doc["spec"]["datasets"] = ["imagenet"]
        if kind == "dataset":
            doc["spec"]["size"] = "1Gi"
        put(root, "%s/%s.yaml" % (folder, name), doc)


def owner(root, name, teams=()):
    put(root, "users/%s.yaml" % name, {"apiVersion": "berth.dev/v1", "kind": "User", "spec": {"uid": "id-" + name, "email": name + "@example.org", "role": "admin", "teams": list(teams)}})
    put(root, "envs/%s/setup.sh" % name, "echo hello\n")
    put(root, "envs/%s/secrets/wandb.age" % name, "age-encryption.org/v1\n-> X25519 nothing\n")


class Case:
    def __init__(self, kind, path, what, value, file, env, root):
        self.kind, self.path, self.what, self.value, self.file, self.env, self.root = kind, path, what, value, file, env, root
        self.twin = None


def swap(v, value, env, keys):
    """The object with the text and the names that belong to it taken out: what is left must be the twin's."""
    escaped = value.replace("$$", "\0").replace("$(", "$$(").replace("\0", "$$$")

    def text(s):
        if value and (s in (value, escaped) or s == "label.berth.dev/" + value):
            return "label.berth.dev/<text>" if s.startswith("label.") else "<text>"
        for x in sorted({value, escaped}, key=len, reverse=True):
            if len(x) > 3:
                s = s.replace(x, "<text>")
        for x in env:
            s = s.replace(x, "<env>")
        return s

    def key(k):
        return text(k) if keys and k in (value, "label.berth.dev/" + value) else k
    if isinstance(v, dict):
        return {key(k): swap(x, value, env, keys) for k, x in v.items() if k not in ("berth.dev/config-hash", "berth.dev/secrets-hash")}
    if isinstance(v, list):
        return [swap(x, value, env, keys) for x in v]
    return text(v) if isinstance(v, str) else v


def shape(v):
    if isinstance(v, dict):
        return {k: shape(x) for k, x in v.items()}
    if isinstance(v, list):
        return [shape(x) for x in v]
    return type(v).__name__


def same(got, twin):
    """Equal; or, where text is computed from text (a file of the ConfigMap, a list sorted by it), of the same shape."""
    return got == twin or shape(got) == shape(twin)


cases, count = [], 0
PART = 1500  # documents of one repository: a report keeps 10,000 findings


def root_of(n):
    return os.path.join(lab.folder, "part%d" % (n // PART))


FOLDER = {"flavor": "flavors", "image": "images", "dataset": "datasets", "team": "teams", "user": "users"}
fields = 0
for kind in ("env", "flavor", "image", "dataset", "team", "user"):
    for path, chain, what in walk(schemas[KINDS[kind] + ".schema.json"], KINDS[kind] + ".schema.json", [], []):
        fields += 1
        shown = example(chain[-1])
        calm = "HARMLESS" if what == "key" else shown if isinstance(shown, str) else HARMLESS if shown is None else str(shown)
        if kind == "env" and path == ["spec", "flavor"]:
            continue  # every value but a flavor's name is a missing flavor
        for value in [calm] + payloads(what):
            doc = document(kind, path, chain, what, value)
            if doc is None:
                break
            root = root_of(count)
            if not os.path.exists(root):
                site(root)
            who, env, teams = "o%d" % (count // 60), "e%05d" % count, ()
            if kind in ("team", "dataset") or path[:2] in (["spec", "team"], ["spec", "datasets"]):
                who = "t%05d" % count
                teams = ("x%05d" % count if kind in ("team", "dataset") else "vision",)
            if kind == "dataset":  # its own team, which may use it
                put(root, "teams/x%05d.yaml" % count, {"apiVersion": "berth.dev/v1", "kind": "Team", "spec": {"datasets": ["x%05d" % count]}})
            file = "envs/%s/%s.yaml" % (who, env)
            if kind == "env":
                put(root, file, doc)
            else:
                name = "x%05d" % count
                if kind == "user":
                    doc["spec"].setdefault("uid", "x")
                    if path != ["spec", "uid"]:
                        doc["spec"]["uid"] = "uid-%05d" % count
                    if path != ["spec", "email"]:
                        doc["spec"]["email"] = "u%05d@example.org" % count
                    who = name
                    file = "envs/%s/%s.yaml" % (who, env)
                mine = {"apiVersion": "berth.dev/v1", "kind": "Environment", "spec": {"flavor": name if kind == "flavor" else "f"}}
                if kind in ("image", "team"):
                    mine["spec"][kind] = name
                if kind == "dataset":
                    mine["spec"]["datasets"] = [{"name": name}]
                put(root, file, mine)
                file = "%s/%s.yaml" % (FOLDER[kind], name)
                put(root, file, doc)
            if not os.path.exists(os.path.join(root, "users", who + ".yaml")):
                owner(root, who, teams)
            c = Case(kind, path, what, value, file, (env, who), root)
            if value is calm:
                first = c
            c.twin = first
            cases.append(c)
            count += 1
note("%d documents for %d fields" % (count, fields))


def load(root):
    told = berth("validate", "-C", root, "-o", "json")
    data = berth("render", "-C", root, "-o", "json")
    text = berth("render", "-C", root)
    return json.loads(told.out) if told.out else [], json.loads(data.out) if data.out else None, text


wrong, objects, read, broken = {}, [], [], []
for part in range(0, count, PART):
    findings, got, text = load(root_of(part))
    for f in findings:
        if f["severity"] == "error":
            wrong.setdefault(f["file"], []).append(f)
    if len(findings) >= 10000 or not got:
        broken.append((len(findings), text))
        continue
    objects += got
    read += [x for x in yaml.load_all(text.out, Loader=LOADER) if x is not None]
check("everything was read", not broken and len(objects) > 1000, *broken)
different = [(a, b) for a, b in zip(read, objects) if a != b]
check("PyYAML reads from the manifests what -o json says (%d objects)" % len(objects), len(read) == len(objects) and not different, len(read), repr(different[:1])[:3000])

mine = {}
for o in objects:
    key = (o["metadata"].get("labels", {}).get("berth.dev/owner"), o["metadata"].get("labels", {}).get("berth.dev/env"))
    mine.setdefault(key, []).append(o)


def unnamed(o):
    """A Secret's keys are names that may come from the text itself."""
    return {**o, "data": dict(enumerate(v for _, v in sorted(o["data"].items())))} if o["kind"] == "Secret" else o


def set_of(c):
    env, who = c.env
    return sorted([swap(unnamed(o), c.value, (env, "dev-" + who, who), c.what == "key") for o in mine.get((who, env), [])],
                  key=lambda o: (o["kind"], json.dumps(o["metadata"], sort_keys=True)))


def line_of(c):
    """Lines of the document on which the text stands."""
    with open(os.path.join(c.root, c.file), encoding="utf-8") as f:
        lines = f.read().split("\n")
    want = json.dumps(c.value, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("\u0085", "\\u0085").replace("\ufeff", "\\ufeff").replace("\u202e", "\\u202e")
    return [i + 1 for i, x in enumerate(lines) if want in x]


bad, refused, accepted, exact, untested, calm_sets = [], 0, 0, 0, [], {}
for c in cases:
    if c is c.twin:
        calm_sets[id(c)] = None if c.file in wrong else set_of(c)
        if not calm_sets[id(c)]:
            untested.append("%s %s (%s)" % (c.kind, c.path, wrong[c.file][0]["message"] if c.file in wrong else "not rendered"))
        continue
    if c.file in wrong:
        refused += 1
        at = line_of(c)
        # what is refused with a harmless value too is refused for something else
        if c.value and c.twin.file not in wrong and not any(f["line"] in at or f["line"] - 1 in at for f in wrong[c.file]):
            bad.append("%s %s %r: refused elsewhere: %r, it stands in line %r" % (c.kind, c.path, c.value[:60], wrong[c.file][0], at))
        continue
    got, twin = set_of(c), calm_sets[id(c.twin)]
    if not got:
        if twin:
            bad.append("%s %s %r: neither refused nor rendered" % (c.kind, c.path, c.value[:60]))
        continue
    accepted += 1
    exact += got == twin
    if twin and not same(got, twin) and c.value:
        bad.append("%s %s %s %r: other objects than with a harmless value: %s" % (c.kind, c.path, c.what, c.value[:60],
                   [(a, b) for a, b in zip(got, twin) if not same(a, b)][:1] or (len(got), len(twin))))
check("refused at its line, or in its place", not bad, *[str(x)[:700] for x in bad[:20]])
note("%d refused, %d rendered, %d of them equal but for the text; not with a harmless value either:%s" % (refused, accepted, exact, "".join("\n#   " + x for x in untested) or " none"))
check("thousands of them, of both sorts", refused > 1000 and accepted > 250, refused, accepted)

# -- variables of the container arrive as data ------------------------------------------------------------------------


def expand(s):
    """What the kubelet makes of a variable's value when no variable of the container is defined: $$ is $, $(NAME) stays."""
    out, i = "", 0
    while i < len(s):
        if s.startswith("$$", i):
            out, i = out + "$", i + 2
        elif s.startswith("$(", i) and ")" in s[i:]:
            return None  # a reference: whatever it is, it is not the text
        else:
            out, i = out + s[i], i + 1
    return out


arrived, lost = 0, []
for c in cases:
    if c.kind != "env" or c.path != ["spec", "env", None] or c.what != "value" or c.file in wrong:
        continue
    for o in mine.get((c.env[1], c.env[0]), []):
        if o["kind"] != "StatefulSet":
            continue
        values = [expand(v["value"]) for v in o["spec"]["template"]["spec"]["containers"][0]["env"] if "value" in v]
        arrived += 1
        if c.value not in values:
            lost.append((c.value[:60], values[:3]))
check("spec.env is data for the kubelet too", arrived > 20 and not lost, arrived, lost[:5])

# -- berth.yaml: one repository a text --------------------------------------------------------------------------------
bad, tried, taken = [], 0, 0
small = os.path.join(lab.folder, "small")
HOSTILE, WORDS = ["${org.name}\n---\n: \"'#", "{$eval: env}", "$(HOME)`id`"], ["yes", "on", "no", "null", "y", "e3", "true"]
owner(small, "o0")
put(small, "envs/o0/e0.yaml", {"apiVersion": "berth.dev/v1", "kind": "Environment", "spec": {"flavor": "f"}})
for path, chain, what in walk(schemas["organization.schema.json"], "organization.schema.json", [], []):
    for value in (rng.choice(HOSTILE), rng.choice(WORDS)):
        doc = document("org", path, chain, what, value)
        if doc is None:
            continue
        site(small, doc)
        told = berth("validate", "-C", small, "-o", "json").json()
        tried += 1
        if any(f["severity"] == "error" for f in told):
            continue
        taken += 1
        data = berth("render", "-C", small)
        read = [x for x in yaml.load_all(data.out, Loader=LOADER) if x is not None]
        if data.rc or not read or read != berth("render", "-C", small, "-o", "json").json():
            bad.append("%s %r %r" % (path, value, data))
check("berth.yaml: refused, or read back as it is (%d tried, %d rendered)" % (tried, taken), tried > 40 and taken > 3 and not bad, *bad[:5])
done()

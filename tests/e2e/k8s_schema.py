#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Strict schema check of rendered manifests, offline.

usage: k8s_schema.py FOLDER...

Every *.yaml below the folders is one object (kustomization.yaml is passed over). It is checked against the OpenAPI
documents in $BERTH_VECTORS/k8s-openapi (Kubernetes 1.35 v3 and 1.36 v2) or the CRDs in $BERTH_VECTORS/crds: unknown
fields, types, required fields, integers' ranges, quantities, unique keys of lists that are maps, and what CRDs say
beyond that (enum, pattern, limits). Rules in CEL are not checked; their number is printed. Prints TAP, one test a file.
"""
import glob
import json
import os
import re
import sys

try:
    import yaml
except ImportError:
    yaml = None

QUANTITY = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d+)?$")
LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$")
LABEL_KEY = re.compile(r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")
RANGES = {"int32": (-2**31, 2**31 - 1), "int64": (-2**63, 2**63 - 1)}
TYPES = {
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}


def type_name(v):
    for name in ("boolean", "integer", "number", "string", "array", "object"):
        if TYPES[name](v):
            return name
    return "null" if v is None else type(v).__name__


class Checker:
    """One document of schemas: where `$ref` leads, and what has been found."""

    def __init__(self, root, meta=None):
        self.root = root
        self.meta = meta  # checker and schema of metadata, for CRDs
        self.errors = []
        self.cel = 0

    def say(self, path, text):
        self.errors.append("%s: %s" % (path or ".", text))

    def resolve(self, schema):
        """Follows $ref; returns the schema and whether it was a Quantity or an IntOrString."""
        kind = None
        for _ in range(20):
            ref = schema.get("$ref")
            if ref is None and len(schema.get("allOf", [])) == 1 and "properties" not in schema and "type" not in schema:
                ref = schema["allOf"][0].get("$ref")
            if ref is None:
                break
            name = ref.rsplit("/", 1)[1]
            kind = "quantity" if name.endswith("resource.Quantity") else "intstr" if name.endswith("IntOrString") else kind
            schema = self.root
            for step in ref.lstrip("#/").split("/"):
                schema = schema[step.replace("~1", "/")]
        if schema.get("x-kubernetes-int-or-string"):
            kind = "intstr"
        return schema, kind

    def check(self, schema, v, path):
        schema, kind = self.resolve(schema)
        self.cel += len(schema.get("x-kubernetes-validations", []))
        if kind == "quantity":
            if not (TYPES["number"](v) or isinstance(v, str)) or not QUANTITY.match(str(v)):
                self.say(path, "%r is not a quantity" % (v,))
            return
        if kind == "intstr":
            if not (TYPES["integer"](v) or isinstance(v, str)):
                self.say(path, "%s where an integer or a string belongs" % type_name(v))
                return
            self.limits(schema, v, path)
            return
        if v is None:
            if not schema.get("nullable"):
                self.say(path, "null")
            return
        want = schema.get("type")
        if want and not TYPES[want](v):
            self.say(path, "%s where %s belongs" % (type_name(v), want))
            return
        self.limits(schema, v, path)
        if isinstance(v, dict):
            self.check_object(schema, v, path)
        elif isinstance(v, list):
            self.check_list(schema, v, path)

    def limits(self, schema, v, path):
        if "enum" in schema and v not in schema["enum"]:
            self.say(path, "%r is none of %s" % (v, ", ".join(map(str, schema["enum"]))))
        if isinstance(v, str):
            if "pattern" in schema and not re.search(schema["pattern"], v):
                self.say(path, "%r does not match %s" % (v, schema["pattern"]))
            self.bound(schema, "Length", len(v), path)
        if isinstance(v, list):
            self.bound(schema, "Items", len(v), path)
        if isinstance(v, dict):
            self.bound(schema, "Properties", len(v), path)
        if TYPES["integer"](v):
            low, high = RANGES.get(schema.get("format"), (None, None))
            if low is not None and not low <= v <= high:
                self.say(path, "%d does not fit %s" % (v, schema["format"]))
        if TYPES["number"](v):
            if "minimum" in schema and v < schema["minimum"]:
                self.say(path, "%s is below %s" % (v, schema["minimum"]))
            if "maximum" in schema and v > schema["maximum"]:
                self.say(path, "%s is above %s" % (v, schema["maximum"]))

    def bound(self, schema, what, n, path):
        if n < schema.get("min" + what, 0) or n > schema.get("max" + what, n):
            self.say(path, "min%s/max%s do not allow %d" % (what, what, n))

    def check_object(self, schema, v, path):
        known = schema.get("properties", {})
        more = schema.get("additionalProperties")
        free = schema.get("x-kubernetes-preserve-unknown-fields") or (not known and more is None)
        for name in schema.get("required", []):
            if name not in v:
                self.say(path, "%s is required" % name)
        for key, child in v.items():
            at = "%s.%s" % (path, key) if path else str(key)
            if not isinstance(key, str):
                self.say(at, "key of type %s" % type_name(key))
            elif path == "" and key == "metadata" and self.meta:
                checker, meta = self.meta
                checker.errors = []
                checker.check(meta, child, at)
                self.errors += checker.errors
            elif key in known:
                self.check(known[key], child, at)
            elif isinstance(more, dict):
                self.check(more, child, at)
            elif not free and more is not True:
                self.say(at, "unknown field")

    def check_list(self, schema, v, path):
        for i, child in enumerate(v):
            self.check(schema.get("items", {}), child, "%s[%d]" % (path, i))
        keys = schema.get("x-kubernetes-list-map-keys")
        if schema.get("x-kubernetes-list-type") == "map" and keys:
            seen = set()
            for i, child in enumerate(v):
                if not isinstance(child, dict):
                    continue
                key = tuple(repr(child.get(k)) for k in keys)
                if key in seen:
                    self.say("%s[%d]" % (path, i), "second item with %s" % ", ".join("%s=%s" % p for p in zip(keys, key)))
                seen.add(key)


def gvks(schema):
    for row in schema.get("x-kubernetes-group-version-kind", []):
        yield row.get("group", ""), row["version"], row["kind"]


class Schemas:
    """All schemas by (group, version, kind): a list of (origin, document, schema)."""

    def __init__(self, vectors):
        self.by_gvk = {}
        self.meta = None
        self.crd_gvks = set()
        for path in sorted(glob.glob(os.path.join(vectors, "k8s-openapi", "v3", "*", "**", "*.json"), recursive=True)):
            with open(path, encoding="utf-8") as f:
                document = json.load(f)
            self.add("1.35", document, document.get("components", {}).get("schemas", {}))
        for path in glob.glob(os.path.join(vectors, "k8s-openapi", "v2", "*", "swagger.json")):
            with open(path, encoding="utf-8") as f:
                document = json.load(f)
            self.add("1.36", document, document["definitions"])
        with open(os.path.join(vectors, "crds", "index.json"), encoding="utf-8") as f:
            index = json.load(f)
        for row in index["crds"]:
            self.crd_rows(vectors, row)

    def add(self, origin, document, definitions):
        for name, schema in definitions.items():
            if name.endswith("meta.v1.ObjectMeta") and self.meta is None:
                self.meta = (Checker(document), schema)
            for gvk in gvks(schema):
                known = self.by_gvk.setdefault(gvk, [])
                if all(o != origin for o, _, _ in known):
                    known.append((origin, document, schema))

    def crd_rows(self, vectors, row):
        self.crd_gvks.add((row["group"], row["kind"]))
        for version in row["versions"]:
            name = version["name"] if isinstance(version, dict) else version
            self.by_gvk.setdefault((row["group"], name, row["kind"]), []).append(
                ("crd", os.path.join(vectors, "crds", row["file"]), row))

    def find(self, api_version, kind):
        group, _, version = api_version.rpartition("/")
        out = []
        for origin, document, schema in self.by_gvk.get((group, version, kind), []):
            if origin == "crd":
                document, schema = load_crd(document, schema, version)
            if schema is not None:
                out.append((origin, document, schema))
        return out


CRDS = {}


def load_crd(path, row, version):
    if path not in CRDS:
        with open(path, encoding="utf-8") as f:
            CRDS[path] = [d for d in yaml.load_all(f, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if d]
    for document in CRDS[path]:
        names = document.get("spec", {}).get("names", {})
        if names.get("kind") != row["kind"] or document["spec"].get("group") != row["group"]:
            continue
        for v in document["spec"]["versions"]:
            if v["name"] == version and v.get("served"):
                return document, v["schema"]["openAPIV3Schema"]
    return None, None


def own_rules(o):
    """What the server checks in code, for what every object has."""
    meta = o.get("metadata") or {}
    for field in ("labels", "annotations"):
        for key, value in (meta.get(field) or {}).items():
            if not LABEL_KEY.match(str(key)):
                yield "metadata.%s: bad key %r" % (field, key)
            if field == "labels" and not LABEL_VALUE.match(str(value)):
                yield "metadata.labels.%s: bad value %r" % (key, value)


class StrictLoader(yaml.SafeLoader if yaml else object):
    """Refuses keys that stand twice."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, "key %r stands twice" % (key,), key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def check_file(schemas, path):
    """The list of errors and the number of CEL rules that were not checked."""
    try:
        with open(path, encoding="utf-8") as f:
            o = yaml.load(f, Loader=StrictLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        return ["not YAML: %s" % str(e).replace("\n", " ")], 0
    if not isinstance(o, dict) or not isinstance(o.get("apiVersion"), str) or not isinstance(o.get("kind"), str):
        return ["no object with apiVersion and kind"], 0
    found = schemas.find(o["apiVersion"], o["kind"])
    if not found:
        return ["no schema for %s %s" % (o["apiVersion"], o["kind"])], 0
    errors, cel = list(own_rules(o)), 0
    for origin, document, schema in found:
        checker = Checker(document, schemas.meta if origin == "crd" else None)
        checker.check(schema, o, "")
        errors += ["%s: %s" % (origin, e) for e in checker.errors]
        cel += checker.cel
    return errors, cel


def main(argv):
    vectors = os.environ.get("BERTH_VECTORS")
    if not vectors or not os.path.isdir(os.path.join(vectors, "k8s-openapi")) or yaml is None:
        why = "PyYAML (python3-yaml) is missing" if yaml is None else "BERTH_VECTORS is not set: NO rendered manifest was checked"
        print("1..1\nok 1 - k8s schema # SKIP %s" % why)
        return 0
    files = []
    for folder in argv:
        for path in glob.glob(os.path.join(folder, "**", "*.yaml"), recursive=True):
            if os.path.basename(path) != "kustomization.yaml":
                files.append(path)
    if not files:
        print("1..1\nnot ok 1 - no manifests below %s" % " ".join(argv))
        return 1
    schemas = Schemas(vectors)
    bad = cel = 0
    print("1..%d" % len(files))
    for n, path in enumerate(sorted(files), 1):
        errors, rules = check_file(schemas, path)
        cel += rules
        bad += bool(errors)
        print("%s %d - %s" % ("not ok" if errors else "ok", n, path))
        for e in errors:
            print("# %s" % e)
    print("# k8s schema: %d manifests, %d bad, %d CEL rules not checked" % (len(files), bad, cel))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

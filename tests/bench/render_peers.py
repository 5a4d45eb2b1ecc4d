# SPDX-License-Identifier: Apache-2.0
"""berth's own rendering as a Helm chart and as kustomize overlays that give the same objects.

gen_repo.py gives each user five environments, one of each shape. The objects of the first user, with their names taken out, are the
templates; of every other user only what stands there instead is kept: names, and the lines that differ.
"""
import json
import os
import re

import yaml

PER = 5  # environments a user
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CHART = "apiVersion: v2\nname: envs\nversion: 0.1.0\n"


def count(text):
    """(objects, bytes)"""
    return len(re.findall(rb"^kind: ", text, re.M)), len(text)


def identity(o):
    return o["apiVersion"], o["kind"], o["metadata"].get("namespace", ""), o["metadata"]["name"]


def objects(text):
    return {identity(o): o for o in yaml.load_all(text, Loader=LOADER) if o}


def put(folder, name, body):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        f.write(body if isinstance(body, str) else json.dumps(body))


def pointer(key):
    return str(key).replace("~", "~0").replace("/", "~1")


def patch(was, now, at=""):
    """RFC 6902 operations that make `now` of `was`."""
    if was == now:
        return []
    if isinstance(was, dict) and isinstance(now, dict):
        ops = [{"op": "remove", "path": "%s/%s" % (at, pointer(k))} for k in was if k not in now]
        for k, v in now.items():
            where = "%s/%s" % (at, pointer(k))
            ops += patch(was[k], v, where) if k in was else [{"op": "add", "path": where, "value": v}]
        return ops
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return [op for i, (a, b) in enumerate(zip(was, now)) for op in patch(a, b, "%s/%d" % (at, i))]
    return [{"op": "replace", "path": at, "value": now}]


class Made:
    """What `berth render` of gen_repo.py's N environments wrote into a file."""

    def __init__(self, file, n):
        with open(file, encoding="utf-8") as f:
            docs = [d.split("\n", 1) for d in re.split(r"^---\n", f.read(), flags=re.M)[1:]]
        self.n, self.units = n, {}
        for head, body in docs:
            unit = os.path.dirname(head[2:])
            self.units.setdefault(unit, []).append(body)
        self.users = (n + PER - 1) // PER

    def unit(self, i):
        return "envs/u%05d/e%05d" % (i // PER, i)

    def of_user(self, u):
        """Units of a user: five environments and the user's own."""
        return [self.unit(PER * u + k) for k in range(PER)] + ["users/u%05d" % u]

    def everything(self):
        out = {}
        for unit, bodies in self.units.items():
            if unit.startswith(("envs/", "users/")):
                for body in bodies:
                    out.update(objects(body))
        return out

    def environment(self, i):
        return {k: v for body in self.units[self.unit(i)] for k, v in objects(body).items()}

    def same(self, file, want):
        """Stops unless a file has exactly these objects; their number."""
        with open(file, encoding="utf-8") as f:
            got = objects(f.read())
        if set(got) != set(want):
            raise SystemExit("%s: %d objects, not these %d: %r" % (file, len(got), len(want), sorted(set(got) ^ set(want))[:4]))
        for k, o in got.items():
            if o != want[k]:
                raise SystemExit("%s: %r differs: %r" % (file, k, patch(want[k], o)[:4]))
        return len(got)

    # -- Helm: text with holes --

    @staticmethod
    def hollow(text, u):
        """Its lines without the names of a user and of the user's environments."""
        text = text.replace("{{", "@OPEN@").replace("u%05d" % u, "{{ $v.u }}")
        for k in range(PER):
            text = text.replace("e%05d" % (PER * u + k), "{{ $v.e%d }}" % k)
        return text.replace("@OPEN@", '{{ "{{" }}').split("\n")

    def lines_of(self, u, units):
        return [self.hollow(body, u) for unit in units for body in self.units[unit]]

    def template(self, which, samples):
        """Text of some units of the first user, and where users differ in more than names: (document, line)."""
        base = self.lines_of(0, which(0))
        differ = {(d, i) for u in samples for d, lines in enumerate(self.lines_of(u, which(u)))
                  for i, line in enumerate(lines) if line != base[d][i]}
        holes = {place: k for k, place in enumerate(sorted(differ))}
        text = []
        for d, lines in enumerate(base):
            text.append("---\n" + "\n".join("{{ index $v.more %d }}" % holes[d, i] if (d, i) in holes else line for i, line in enumerate(lines)))
        return "\n".join(text), holes

    def values(self, u, which, holes):
        lines = self.lines_of(u, which(u))
        return {"u": "u%05d" % u, **{"e%d" % k: "e%05d" % (PER * u + k) for k in range(PER)}, "more": [lines[d][i] for d, i in sorted(holes)]}

    def chart(self, folder):
        """One chart of everything."""
        body, holes = self.template(self.of_user, range(self.users))
        put(folder, "Chart.yaml", CHART)
        put(os.path.join(folder, "templates"), "all.yaml", "{{- range $v := .Values.users }}\n" + body + "{{- end }}\n")
        put(folder, "values.yaml", {"users": [self.values(u, self.of_user, holes) for u in range(self.users)]})
        return folder

    def charts(self, folder, count_):
        """A chart for each shape; (chart, file of values) of the first environments."""
        out = []
        for k in range(PER):
            chart, which = os.path.join(folder, "shape%d" % k), lambda u, k=k: [self.unit(PER * u + k)]
            body, holes = self.template(which, range(self.users))
            put(chart, "Chart.yaml", CHART)
            put(os.path.join(chart, "templates"), "all.yaml", "{{- with $v := .Values }}\n" + body + "{{- end }}\n")
            for i in range(k, count_, PER):
                put(folder, "e%05d.yaml" % i, self.values(i // PER, which, holes))
        for i in range(count_):
            out.append((os.path.join(folder, "shape%d" % (i % PER)), os.path.join(folder, "e%05d.yaml" % i)))
        return out

    # -- kustomize: the objects of the first environment of that shape, and patches --

    def bases(self, folder, count_):
        out = []
        for i in range(count_):
            base = os.path.join(folder, "base%d" % (i % PER))
            out.append(base)
            if not os.path.isdir(base):
                bodies = self.units[self.unit(i % PER)]
                for k, body in enumerate(bodies):
                    put(base, "%d.yaml" % k, body)
                put(base, "kustomization.yaml", {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
                                                 "resources": ["%d.yaml" % k for k in range(len(bodies))]})
        return out

    def overlays(self, folder, count_):
        out = []
        for i, base in enumerate(self.bases(folder, count_)):
            patches = []
            for was, now in zip(self.units[self.unit(i % PER)], self.units[self.unit(i)]):
                was, now = (yaml.load(x, Loader=LOADER) for x in (was, now))
                ops = patch(was, now)
                if ops:
                    patches.append({"target": {"kind": was["kind"], "name": was["metadata"]["name"]}, "patch": json.dumps(ops),
                                    "options": {"allowNameChange": True}})
            overlay = os.path.join(folder, "e%05d" % i)
            put(overlay, "kustomization.yaml", {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
                                                "resources": ["../" + os.path.basename(base)], "patches": patches})
            out.append(overlay)
        return out

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""k8s_schema.py refuses what a strict API server refuses: one wrong line each in a manifest that is right."""
import os
import subprocess
import sys
import tempfile

CHECK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "k8s_schema.py")
GOOD = """apiVersion: apps/v1
kind: StatefulSet
metadata: {name: a, labels: {x: "1"}}
spec:
  replicas: 1
  serviceName: a
  selector: {matchLabels: {x: "1"}}
  template:
    metadata: {labels: {x: "1"}}
    spec:
      containers:
      - name: main
        image: i
        env: [{name: A, value: "1"}]
        ports: [{containerPort: 80, protocol: TCP}]
        readinessProbe: {tcpSocket: {port: 80}}
        resources: {limits: {memory: 1Gi, cpu: 2}}
"""
QUEUE = """apiVersion: kueue.x-k8s.io/v1beta2
kind: ClusterQueue
metadata: {name: q}
spec: {cohortName: org, preemption: {reclaimWithinCohort: Any}}
"""
# what the row shows, the good text, what to replace by what, a word of the complaint (None: stays good)
ROWS = [
    ("the good one", GOOD, "", "", None),
    ("unknown field", GOOD, "serviceName:", "servicename:", "servicename: unknown field"),
    ("unknown field in a list", GOOD, "value:", "valeu:", "env[0].valeu: unknown field"),
    ("string for integer", GOOD, "replicas: 1", 'replicas: "1"', "string where integer"),
    ("integer for string", GOOD, 'value: "1"', "value: 1", "integer where string"),
    ("boolean label", GOOD, '{labels: {x: "1"}}\n    spec', "{labels: {x: yes}}\n    spec", "boolean where string"),
    ("required field", GOOD, "  selector: {matchLabels: {x: \"1\"}}\n", "", "selector is required"),
    ("null", GOOD, "serviceName: a", "serviceName: null", "null"),
    ("bad quantity", GOOD, "1Gi", "1GiB", "is not a quantity"),
    ("number as quantity", GOOD, "cpu: 2", "cpu: 2.5", None),
    ("integer too large", GOOD, "containerPort: 80", "containerPort: 3000000000", "does not fit int32"),
    ("int or string takes both", GOOD, "port: 80}}", "port: http}}", None),
    ("int or string takes no list", GOOD, "port: 80}}", "port: [80]}}", "where an integer or a string belongs"),
    ("two with one key", GOOD, '[{name: A, value: "1"}]', "[{name: A, value: b}, {name: A}]", "second item"),
    ("key twice", GOOD, "  replicas: 1\n", "  replicas: 1\n  replicas: 2\n", "stands twice"),
    ("unknown kind", GOOD, "kind: StatefulSet", "kind: StatefulSets", "no schema for"),
    ("old version", GOOD, "apps/v1", "apps/v1beta1", "no schema for"),
    ("bad label value", GOOD, 'name: a, labels: {x: "1"}', "name: a, labels: {x: a/b}", "bad value"),
    ("a custom resource", QUEUE, "", "", None),
    ("its unknown field", QUEUE, "cohortName", "cohort", "cohort: unknown field"),
    ("its enum", QUEUE, "Any}", "All}", "is none of"),
    ("its metadata", QUEUE, "{name: q}", "{name: q, label: {}}", "metadata.label: unknown field"),
]


def main():
    if not os.environ.get("BERTH_VECTORS"):
        print("1..1\nok 1 - schema check # SKIP BERTH_VECTORS is not set")
        return 0
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        for n, (_, good, old, new, _) in enumerate(ROWS, 1):
            assert old in good, old
            with open(os.path.join(folder, "%02d.yaml" % n), "w", encoding="utf-8") as f:
                f.write(good.replace(old, new, 1) if old else good)
        run = subprocess.run([sys.executable, CHECK, folder], stdout=subprocess.PIPE, text=True, check=False)
    if "# SKIP" in run.stdout:
        print(run.stdout, end="")
        return 0
    lines = run.stdout.splitlines()
    print("1..%d" % len(ROWS))
    for n, (name, _, _, _, word) in enumerate(ROWS, 1):
        at = [i for i, line in enumerate(lines) if line.endswith("/%02d.yaml" % n)]
        verdict = lines[at[0]] if at else ""
        said = []
        for line in lines[at[0] + 1:] if at else []:
            if not line.startswith("# "):
                break
            said.append(line)
        right = verdict.startswith("ok ") if word is None else verdict.startswith("not ok ") and any(word in s for s in said)
        bad += not right
        print("%s %d - %s" % ("ok" if right else "not ok", n, name))
        if not right:
            print("# %s %s" % (verdict, " ".join(said)))
    return 1 if bad or run.returncode != 1 else 0


if __name__ == "__main__":
    sys.exit(main())

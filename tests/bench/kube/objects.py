#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What berth makes of a repository, in the forms that others read: request lines for apiload, and a tree for Flux.

usage: objects.py requests REPO.git OUT.tsv      STAGE, path and JSON a line; namespaces first
       objects.py tree REPO.git FOLDER           u00000/{all,kustomization}.yaml: one folder an environment
$BERTH is the program, $BERTH_SHARE its templates (share.sh).
"""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BERTH = os.path.abspath(os.environ.get("BERTH") or os.path.join(HERE, "..", "..", "..", "build", "berth"))
PLURAL = {"Namespace": "namespaces", "ResourceQuota": "resourcequotas", "NetworkPolicy": "networkpolicies", "ConfigMap": "configmaps",
          "PersistentVolumeClaim": "persistentvolumeclaims", "Service": "services", "StatefulSet": "statefulsets"}
AN_ENVIRONMENT = 8  # objects
QUERY = "?fieldManager=berth&fieldValidation=Strict&force=false"  # berth's, for an object that it has not made before


def berth(*args):
    p = subprocess.run([BERTH, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if p.returncode:
        raise RuntimeError("berth %s: %s" % (" ".join(args), p.stderr.decode(errors="replace")[-2000:]))
    return p.stdout


def path_of(o):
    version, ns = o["apiVersion"], o["metadata"].get("namespace")
    return "%s%s/%s/%s" % ("/api/v1" if version == "v1" else "/apis/" + version, "/namespaces/" + ns if ns else "", PLURAL[o["kind"]],
                           o["metadata"]["name"])


def unit_of(o):
    labels = o["metadata"]["labels"]
    env = labels.get("berth.dev/env")
    return "envs/%s/%s" % (labels["berth.dev/owner"], env) if env else "users/" + labels["berth.dev/owner"]


def marked(o):
    """With what berth adds on the way: whose inventory, which unit, and a digest, all of their usual length."""
    text = json.dumps(o, separators=(",", ":"))
    m = o["metadata"]
    part_of = base64.urlsafe_b64encode(hashlib.sha256(b"bench").digest()).decode().rstrip("=")
    m["labels"] = {**m.get("labels", {}), "applyset.kubernetes.io/part-of": "applyset-%s-v1" % part_of}
    m["annotations"] = {**m.get("annotations", {}), "berth.dev/digest": hashlib.sha256(text.encode()).hexdigest()[:32],
                        "berth.dev/unit": unit_of(o)}
    return o


def working_tree(repo, work):
    at = os.path.join(work, "clone")
    subprocess.run(["git", "clone", "-q", repo, at], check=True)
    return at


def requests(repo, out):
    """(requests, bytes of JSON)."""
    with tempfile.TemporaryDirectory(prefix="berth-bench.") as work:
        objects = json.loads(berth("render", "-C", working_tree(repo, work), "-o", "json"))
    n = size = 0
    with open(out, "w", encoding="utf-8") as f:
        for stage in (0, 1):
            for o in objects:
                if (o["kind"] == "Namespace") != (stage == 0):
                    continue
                text = json.dumps(marked(o), separators=(",", ":"))
                f.write("%d\t%s%s\t%s\n" % (stage, path_of(o), QUERY, text))
                n, size = n + 1, size + len(text)
    return n, size


def tree(repo, out):
    """Names of the environments' folders."""
    with tempfile.TemporaryDirectory(prefix="berth-bench.") as work:
        made = os.path.join(work, "made")
        berth("render", "-C", working_tree(repo, work), "--out", made)
        names = sorted(os.listdir(os.path.join(made, "users")))
        names = [n for n in names if os.path.isdir(os.path.join(made, "users", n))]
        for name in names:
            texts = []
            for unit in ("users/" + name, "envs/%s/dev" % name):
                for file in sorted(os.listdir(os.path.join(made, unit))):
                    if file != "kustomization.yaml":
                        with open(os.path.join(made, unit, file), encoding="utf-8") as f:
                            texts.append(f.read())
            if len(texts) != AN_ENVIRONMENT:
                raise RuntimeError("%s has %d objects, not %d" % (name, len(texts), AN_ENVIRONMENT))
            os.makedirs(os.path.join(out, name))
            with open(os.path.join(out, name, "all.yaml"), "w", encoding="utf-8") as f:
                f.write("---\n".join(texts))
            with open(os.path.join(out, name, "kustomization.yaml"), "w", encoding="utf-8") as f:
                f.write("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [all.yaml]\n")
    return names


def prepare(n, work):
    """A share folder, a template and a repository of n environments below `work`; sets BERTH_SHARE. The repository."""
    share, template, repo = (os.path.join(work, x) for x in ("share", "template", "envs%d.git" % n))
    if not os.path.isdir(share):
        subprocess.run(["sh", os.path.join(HERE, "share.sh"), share], check=True)
    os.environ["BERTH_SHARE"] = share
    if not os.path.isdir(template):
        subprocess.run([BERTH, "init", template], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    shutil.rmtree(repo, ignore_errors=True)
    subprocess.run([sys.executable, os.path.join(HERE, "gen_repo.py"), str(n), template, repo], check=True)
    return repo


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("requests", "tree"):
        sys.exit(__doc__)
    if sys.argv[1] == "requests":
        print("%d requests, %d bytes of JSON" % requests(sys.argv[2], sys.argv[3]))
    else:
        print("%d folders" % len(tree(sys.argv[2], sys.argv[3])))


if __name__ == "__main__":
    main()

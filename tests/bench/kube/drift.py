# SPDX-License-Identifier: Apache-2.0
"""Random edits of a person with kubectl while berth runs: how long until each is put right, by the API server's own clock."""
import os
import subprocess
import time

from objects import PLURAL
from plane import BERTH_USER, EDITOR, NAMESPACED

DEADLINE = 20  # seconds for one repair
MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: dev--keys\n  namespace: %s\ndata:\n  authorized_keys: nobody %d\n"


def merge(body):
    return ["patch", "--type=merge", "-p", body]


# What, kind, name, kubectl's arguments before and after "KIND NAME"; @ becomes a number that is different each time.
EDITS = [
    ("change a value", "ConfigMap", "dev--scripts", merge('{"data":{"motd":"edit @"}}'), []),
    ("add a value", "ConfigMap", "dev--scripts", merge('{"data":{"extra":"edit @"}}'), []),
    ("remove a value", "ConfigMap", "dev--keys", ["patch", "--type=json", "-p", '[{"op":"remove","path":"/data/host_key"}]'], []),
    ("edit in an editor", "ConfigMap", "dev--scripts", ["edit"], []),
    ("raise the quota", "ResourceQuota", "quota", merge('{"spec":{"hard":{"requests.memory":"@Gi"}}}'), []),
    ("open the policy", "NetworkPolicy", "default", ["patch", "--type=json", "-p", '[{"op":"remove","path":"/spec/egress/0"}]'], []),
    ("set env", "StatefulSet", "dev", ["set", "env"], ["RUN=edit@"]),
    ("add env", "StatefulSet", "dev", ["set", "env"], ["MORE=edit@"]),
    ("set image", "StatefulSet", "dev", ["set", "image"], ["main=busybox:@"]),
    ("scale", "StatefulSet", "dev", ["scale"], ["--replicas=1"]),
    ("change a label of berth", "StatefulSet", "dev", ["label", "--overwrite"], ["berth.dev/owner=nobody@"]),
    ("remove a label of berth", "Service", "dev", ["label"], ["berth.dev/managed-"]),
    ("change the namespace's label", "Namespace", "", ["label", "--overwrite"], ["pod-security.kubernetes.io/enforce=privileged"]),
    ("delete", "Service", "dev", ["delete", "--wait=false"], []),
    ("delete", "ConfigMap", "dev--keys", ["delete", "--wait=false"], []),
    ("delete", "NetworkPolicy", "default", ["delete", "--wait=false"], []),
    ("delete", "StatefulSet", "dev", ["delete", "--wait=false"], []),
    ("apply under berth's name", "ConfigMap", "dev--keys",
     ["apply", "--server-side", "--field-manager=berth", "--force-conflicts", "-f", "-"], None),
]


def path_of(kind, ns, name):
    if kind == "Namespace":
        return NAMESPACED + ns
    group = {"StatefulSet": "/apis/apps/v1/namespaces/", "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/"}.get(kind, NAMESPACED)
    return group + ns + "/" + PLURAL[kind] + "/" + name


def wanted(o):
    """What berth has a word in."""
    keep = {k: v for k, v in o.items() if k not in ("metadata", "status")}
    keep["labels"], keep["annotations"] = o["metadata"].get("labels", {}), o["metadata"].get("annotations", {})
    return keep


def edit(plane, what, ns, number):
    _, kind, name, before, after = what
    argv = ["-n", ns] + [a.replace("@", str(number)) for a in before]
    if after is not None:
        argv += ["%s/%s" % (PLURAL[kind], name or ns)] + [a.replace("@", str(number)) for a in after]
    env = dict(os.environ, KUBE_EDITOR="sed -i s/MaxSessions.[0-9]*/MaxSessions_%d/" % number)
    p = subprocess.run([os.path.join(plane.bin, "kubectl"), "--kubeconfig", plane.config_of("alice"), *argv], env=env, check=False,
                       input=(MANIFEST % (ns, number)).encode() if after is None else b"", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if p.returncode:
        raise RuntimeError("kubectl %s: %s" % (" ".join(argv), p.stderr.decode(errors="replace")))


def repaired(plane, path, before, end):
    while time.monotonic() < end:
        status, o = plane.api("GET", path)
        if status == 200 and not o["metadata"].get("deletionTimestamp") and wanted(o) == before:
            return True
        time.sleep(0.01)
    return False


def one(plane, what, i, number):
    """Milliseconds, or None when it was not put right."""
    kind, ns = what[1], "dev-u%05d" % i
    path = path_of(kind, ns, what[2])
    before = wanted(plane.api("GET", path)[1])
    plane.audit()
    edit(plane, what, ns, number)
    if not repaired(plane, path, before, time.monotonic() + DEADLINE):
        return None
    here, mine, ours, late = [], [], [], time.monotonic() + 5
    while not (mine and ours) and time.monotonic() < late:  # an answer is logged after watches, and a GET, have told of it
        here += [e for e in plane.audit() if e.done and e.write and e.code < 300 and e.resource == PLURAL[kind] and
                 (e.name == what[2] if kind != "Namespace" else e.name == ns) and (kind == "Namespace" or e.ns == ns)]
        mine, ours = [e.at for e in here if e.user == EDITOR], [e.at for e in here if e.user == BERTH_USER]
        time.sleep(0.02)
    if not mine or not ours:
        raise RuntimeError("%s of %s: no write of %s in the audit log" % (what[0], path, EDITOR if not mine else "berth"))
    return max(0.0, max(ours) - max(mine)) * 1000  # an answer is logged after watches have told of it


def measure(plane, rng, environments, edits):
    """{"ms": [...], "left": [what was not put right]}."""
    ms, left, number = [], [], 100
    for k in range(edits):
        what = EDITS[k] if k < len(EDITS) else rng.choice(EDITS)  # each of them once
        number += 1
        took = one(plane, what, rng.randrange(environments), number)
        if took is None:
            left.append("%s %s" % (what[0], what[1]))
        else:
            ms.append(took)
    return {"ms": ms, "left": left}

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the cluster says of an environment reaches the status branch, `berth status` and `berth why`: phase, reason, cause and
next step, on a real API server, scheduler and controllers. kwok plays the kubelet; where it is stopped, the test does.
"""
import signal
import time

import yaml

import kube
from kube import MERGE, Cluster, KubeDaemon, path
from lab import STATUS, WAIT, Site, berth, check, done, env_spec, note, until

kube.skip_without_peers()
ENVS = {
    "alice/notebook": env_spec(),
    "alice/pull": env_spec(),
    "alice/oom": env_spec(),
    "alice/crash": env_spec(),
    "alice/numa": env_spec(),
    "alice/evicted": env_spec(),
    "alice/disk": env_spec(more="  volumes: [{name: data, size: 1Gi, class: no-such-class, access: RWO, path: /data}]\n"),
    "bo/genome": env_spec("gpu-small", "  resources: {gpu: 2}\n"),
    "bo/big": env_spec("h100-shell"),
    "dana/shell": env_spec(),
}


def ns(env):
    return "dev-" + env.split("/")[0]


def pod_name(env):
    return env.split("/")[1] + "-0"


def doc(site, env):
    """The status document, by git alone: it is asked for often."""
    return yaml.safe_load(site.show(STATUS, "envs/%s.yaml" % env) or "{}")


def condition(d, kind):
    return next((c for c in d.get("conditions", []) if c["type"] == kind), {})


def short(d):
    return {k: d[k] for k in ("phase", "waiting", "lastError", "access", "pending") if k in d}, [
        (c["type"], c["status"], c.get("reason"), c.get("message")) for c in d.get("conditions", []) if c["type"] in ("Applied", "Ready")]


def becomes(site, env, phase, reason=None, seconds=None, words=()):
    """The status document as soon as it says so (phase, reason, and words in its message), else None."""
    def look():
        d = doc(site, env)
        ready = condition(d, "Ready")
        said = d.get("phase") == phase and reason in (None, ready.get("reason")) and all(w in ready.get("message", "") for w in words)
        return d if said else None
    return until(look, seconds)


def says(site, env, phase, reason, *words, step=None):
    """Status document, table and berth why agree: phase, reason, cause (words) and next step."""
    d = becomes(site, env, phase, reason, words=words)
    if not check("%s: %s, %s: %s" % (env, phase, reason, ", ".join(words)), d, short(doc(site, env)), d_log()):
        return {}
    ready = condition(d, "Ready")
    message = ready.get("message", "")
    check("%s: the message says cause%s: %s" % (env, " and next step" if step else "", message),
          step is None or step in message.partition("; ")[2], short(d))
    calm = phase in ("Ready", "Paused")
    check("%s: its Ready condition is %s" % (env, "True" if phase == "Ready" else "False"),
          ready["status"] == ("True" if phase == "Ready" else "False"), ready)
    why = berth("why", "-C", site.bare, env)
    check("%s: berth why shows it" % env, why.rc == (0 if calm else 1) and why.out.startswith("%s   %s" % (env, phase)) and
          all(w in why.out for w in (*words, reason)) and "  next: " in why.out, why)
    table = berth("status", "-C", site.bare)
    line = next((x for x in table.out.splitlines() if x.startswith(env + " ")), "")
    check("%s: berth status shows it" % env, phase in line and (calm or reason in line), table)
    return d


daemons = []


def d_log():
    return daemons[-1].log()[-1500:]


# -- without kubelet ------------------------------------------------------------------------------------------------------


def sick_pods(c, site):
    placed = until(lambda: all((c.get("pod", ns(e), pod_name(e)) or {}).get("spec", {}).get("nodeName") for e in (
        "alice/notebook", "alice/pull", "alice/oom", "alice/crash", "alice/numa", "alice/evicted")))
    check("pods are placed", placed, c.kubectl("get", "pods", "-A"))
    says(site, "alice/notebook", "Provisioning", "Starting", "its node is starting it")
    c.pod_status("dev-alice", "pull-0", waiting="ImagePullBackOff",
                 message='Back-off pulling image "x": ErrImagePull: manifest unknown: not found')
    c.pod_status("dev-alice", "oom-0", waiting="CrashLoopBackOff", terminated="OOMKilled", exit_code=137, restarts=3, phase="Running")
    c.pod_status("dev-alice", "crash-0", waiting="CrashLoopBackOff", terminated="Error", exit_code=3, restarts=4, phase="Running",
                 message="back-off 40s restarting failed container")
    says(site, "alice/pull", "Failed", "ImagePull", "cannot fetch image", "not in the registry", step="see the name")
    says(site, "alice/oom", "Degraded", "OOMKilled", "container main", "memory", step="ask for more")
    says(site, "alice/crash", "Failed", "CrashLoop", "container main", "exit code 3", step="look at its log")
    # the StatefulSet controller makes a pod anew that its node refused, and the node refuses that one too
    for env, reason, message in (("alice/numa", "TopologyAffinityError", "Resources cannot be allocated with Topology locality"),
                                 ("alice/evicted", "Evicted", "The node was low on resource: memory.")):
        old = c.get("pod", ns(env), pod_name(env))["metadata"]["uid"]
        c.api("PATCH", path("pod", ns(env), pod_name(env), "status"), {"status": {"phase": "Failed", "reason": reason, "message": message}}, MERGE)
        check("%s: its controller makes the pod anew" % env, until(lambda: (
            c.get("pod", ns(env), pod_name(env)) or {"metadata": {"uid": old}})["metadata"]["uid"] != old))  # pylint: disable=cell-var-from-loop
    says(site, "alice/numa", "Failed", "TopologyAffinityError", "NUMA", step="ask for less")
    says(site, "alice/evicted", "Failed", "Evicted", "the node ended it", step="ask for as much")


def volume(site):
    says(site, "alice/disk", "Failed", "MissingObject", "no-such-class", step="storage class")
    # the claim tells why, with or without the pod
    named = until(lambda: all(x in "\n".join(doc(site, "alice/disk").get("waiting", [])) for x in ("PersistentVolumeClaim/", "Pod/disk-0")))
    check("alice/disk: the claim stands in what it waits for, and the pod that waits for it", named, doc(site, "alice/disk").get("waiting"))


def capacity(c, site):
    says(site, "bo/genome", "Queued", "WaitingForCapacity", "no node has 2 nvidia.com/gpu free", step="it starts by itself")
    says(site, "bo/big", "Queued", "WaitingForCapacity", step="see the flavor's node selector")
    # a newer commit does not wait for what the older one waits for
    start = time.monotonic()
    site.push({"envs/bo/big.yaml": env_spec()}, "big: a smaller flavor")
    applied = c.wait_for("sts", "dev-bo", "big", lambda s: "nvidia.com/gpu" not in str(s["spec"]["template"]))
    note("a newer commit was applied after %.1f s" % (time.monotonic() - start))
    check("bo/big: a newer commit is applied while it waits", applied, d_log())
    says(site, "bo/big", "Provisioning", "Starting")


def refused(site, c):
    says(site, "dana/shell", "Failed", "QuotaExceeded", "tiny", "pods=1", step="larger quota")
    c.api("DELETE", path("quota", "dev-dana", "tiny"))
    c.kubectl("delete", "events", "--all", "-n", "dev-dana")


# -- with kubelet ------------------------------------------------------------------------------------------------------------


def getting_well(c, site):
    c.start_part("kwok")
    c.add_node("t4-mps", "late-gpu")
    c.kubectl("delete", "pod", "-n", "dev-alice", "--wait=false", "oom-0", "crash-0")  # kwok starts no container twice
    for env in ("alice/notebook", "alice/pull", "alice/oom", "alice/crash", "alice/numa", "alice/evicted", "bo/big", "bo/genome", "dana/shell"):
        check("%s: Ready by itself" % env, becomes(site, env, "Ready", "Ready", seconds=2 * WAIT), short(doc(site, env)), d_log())
    d = says(site, "alice/notebook", "Ready", "Ready")
    check("alice/notebook: nothing is left of what it waited for", d and "waiting" not in d, d)


def pausing(c, site):
    c.stop_part("kwok")
    site.push({"envs/alice/notebook.yaml": env_spec(more="  lifecycle: {paused: true}\n")}, "pause")
    says(site, "alice/notebook", "Pausing", "Pausing", "1 pod")
    c.start_part("kwok")
    says(site, "alice/notebook", "Paused", "Paused", "no pods")
    check("alice/notebook: its home is kept", c.get("pvc", "dev-alice", "home-notebook-0"))
    site.push({"envs/alice/notebook.yaml": env_spec()}, "resume")
    says(site, "alice/notebook", "Ready", "Ready")


def address(c, site):
    c.stop_part("cloud")
    site.push({"envs/alice/notebook.yaml": env_spec(more="  access: {ssh: {via: loadBalancer}}\n")}, "an address")
    says(site, "alice/notebook", "Provisioning", "WaitingForAddress", "no address yet", step="load balancer controller")
    c.start_part("cloud")
    d = says(site, "alice/notebook", "Ready", "Ready")
    given = (c.get("svc", "dev-alice", "notebook--ssh") or {"status": {}})["status"].get("loadBalancer", {}).get("ingress", [{}])[0].get("ip")
    check("alice/notebook: the address for SSH stands in the status", given and d.get("access", {}).get("address") == given, given,
          d.get("access"))
    site.push({"envs/alice/notebook.yaml": env_spec()}, "no address")
    check("alice/notebook: and goes with the load balancer",
          until(lambda: (x := doc(site, "alice/notebook")) and "address" not in x.get("access", {})), doc(site, "alice/notebook").get("access"))


def deleting(c, site):
    """A finalizer of somebody's holds a pod, one of an object of ours another; berth is stopped when they come."""
    daemons[-1].stop()
    for kind, name in (("pod", "crash-0"), ("cm", "pull--keys")):
        c.api("PATCH", path(kind, "dev-alice", name), {"metadata": {"finalizers": ["example.com/hold"]}}, MERGE)
    site.push({"envs/alice/crash.yaml": None, "envs/alice/pull.yaml": None}, "two go")
    daemons.append(KubeDaemon(site.bare, site.clone + ".state1", c))
    for env, kind, name in (("alice/crash", "pod", "crash-0"), ("alice/pull", "cm", "pull--keys")):
        held = c.wait_for(kind, "dev-alice", name, lambda o: o["metadata"].get("deletionTimestamp"))
        check("%s: what has a finalizer is being deleted" % env, held, c.get(kind, "dev-alice", name), d_log())
        says(site, env, "Deleting", "Deleting")
    named = until(lambda: [x for x in doc(site, "alice/pull").get("waiting", []) if "ConfigMap/pull--keys: Terminating" in x])
    check("alice/pull: what it waits for is named", named, short(doc(site, "alice/pull")))
    check("others are as they were", becomes(site, "alice/notebook", "Ready"), short(doc(site, "alice/notebook")))
    for kind, name in (("pod", "crash-0"), ("cm", "pull--keys")):
        c.api("PATCH", path(kind, "dev-alice", name), {"metadata": {"finalizers": None}}, MERGE)
    gone = until(lambda: not {"alice/crash", "alice/pull"} & set(site.phases()))
    check("when it is let go, environment and status are gone", gone, site.phases(), d_log())
    check("and homes are kept", c.get("pvc", "dev-alice", "home-crash-0") and c.get("pvc", "dev-alice", "home-pull-0"))


def namespace_goes(c, site):
    c.api("PATCH", path("pod", "dev-dana", "shell-0"), {"metadata": {"finalizers": ["example.com/hold"]}}, MERGE)
    c.kubectl("delete", "namespace", "dev-dana", "--wait=false")
    check("a namespace is Terminating", c.wait_for("ns", None, "dev-dana", lambda n: n["status"]["phase"] == "Terminating"))
    says(site, "dana/shell", "Provisioning", "Terminating", "its namespace is being deleted", step="made again")
    check("dana/shell: the namespace stands first in what it waits for, then the pod that holds it", until(
        lambda: "Namespace/dev-dana" in "".join((x := doc(site, "dana/shell").get("waiting", []))[:2]) and any("Pod/shell-0" in y for y in x)),
          doc(site, "dana/shell").get("waiting"))
    c.api("PATCH", path("pod", "dev-dana", "shell-0"), {"metadata": {"finalizers": None}}, MERGE)
    check("dana/shell: when it is gone everything is made again, and Ready",
          until(lambda: (n := c.get("ns", None, "dev-dana")) and n["status"]["phase"] == "Active" and
                doc(site, "dana/shell").get("phase") == "Ready", 3 * WAIT), short(doc(site, "dana/shell")), d_log())


# -- ---------------------------------------------------------------------------------------------------------------------------

site = Site("site", {"envs/%s.yaml" % k: v for k, v in ENVS.items()}, drop=("envs/alice/train.yaml", "envs/alice/vit.yaml"))
with Cluster(nodes=["bench/zone-a", "t4/zone-a"]) as cluster:
    cluster.grant()
    cluster.stop_part("kwok")
    cluster.kubectl("create", "namespace", "dev-dana")
    cluster.api("POST", path("quota", "dev-dana"), {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tiny"},
                                                    "spec": {"hard": {"pods": "0"}}})
    cluster.kubectl("annotate", "namespace", "dev-dana", "berth.dev/adopt=berth")
    daemons.append(KubeDaemon(site.bare, site.state(), cluster))
    # the refusal first: the cluster's controller tries again after twice the time, which must not have grown long when it is over
    for part in (lambda: refused(site, cluster), lambda: sick_pods(cluster, site), lambda: volume(site), lambda: capacity(cluster, site),
                 lambda: getting_well(cluster, site), lambda: pausing(cluster, site), lambda: address(cluster, site),
                 lambda: deleting(cluster, site), lambda: namespace_goes(cluster, site)):
        start = time.monotonic()
        part()
        note("%.1f s" % (time.monotonic() - start))
    check("berth stops when told to", daemons[-1].stop(signal.SIGTERM) == 0, d_log())
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every example and shape on a real control plane, with no more rights than deploy/kubernetes gives: accepted, placed, Ready; and then
left alone until a file changes, when only what changed is sent."""
import os
import shutil
import signal
import subprocess
import time

import yaml

import kube
import lab
from kube import is_ready, managers
from kube_site import MARK, NO_ORG, KubeSite, asked
from lab import TOP, WAIT, check, done, env_spec, note, until

kube.skip_without_peers()
ALICE, DANA = "dev-t-alice", "dev-t-dana"
STUBS = ("LocalQueue Namespaced kueue.x-k8s.io/v1beta2", "ClusterQueue Cluster kueue.x-k8s.io/v1beta2", "ResourceFlavor Cluster kueue.x-k8s.io/v1beta2",
         "JobSet Namespaced jobset.x-k8s.io/v1alpha2", "VerticalPodAutoscaler Namespaced autoscaling.k8s.io/v1")
SHAPES = {"envs/alice/paused.yaml": env_spec(more="  lifecycle: {paused: true}\n"),
          "envs/alice/shared.yaml": env_spec(more="  sharedVolumeClaimName: alice-shared\n")}


def crd(line):
    """An add-on's kind by name alone: what is in it is for the check against its schema (t20)."""
    kind, scope, api = line.split()
    group, version = api.split("/")
    plural = kind.lower() + "s"
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {
                "name": plural + "." + group, "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
            "spec": {"group": group, "scope": scope, "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
                     "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                         "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}


def node_labels(c, pod):
    return c.get("node", None, pod["spec"]["nodeName"])["metadata"]["labels"]


def variables(pod):
    return {v["name"]: v.get("value", v.get("valueFrom")) for v in pod["spec"]["containers"][0]["env"]}


def first_time(c, s):
    said = s.once()
    check("one pass with the rights of deploy/kubernetes applies everything, exit 0", said.rc == 0 and "0 held" in said.err, said)
    with s.running():
        wanted = {n: "Ready" for n in s.wanted()}
        wanted["alice/paused"] = "Paused"
        check("the environments become Ready, the paused one Paused", s.until_phase(wanted), s.phases(), *map(s.env, s.wanted()))
    check("nothing is in an error", not any(s.errors(n) for n in s.wanted()), s.phases())
    made = [k for k, m in s.objects().items() if "berth.dev/unit" not in m.get("annotations", {})]
    check("every object names the unit that it belongs to", not made, made)


def placed(c, s):
    """Pods are where the spec means."""
    train = s.pods("alice/train")
    where = [node_labels(c, p)["nvidia.com/gpu.product"] for p in train]
    check("a 4-rank job: four Ready pods on A100 nodes behind their taint", len(train) == 4 and all(map(is_ready, train)) and
          where == ["NVIDIA-A100-SXM4-40GB"] * 4, where)
    check("they are spread over both nodes", len({p["spec"]["nodeName"] for p in train}) == 2)
    ranks = [p["metadata"]["labels"]["apps.kubernetes.io/pod-index"] for p in train]
    refs = {str(variables(p).get("NODE_RANK")) for p in train}
    check("their ranks are 0 to 3, read from the pod's index", ranks == list("0123") and len(refs) == 1 and
          "apps.kubernetes.io/pod-index" in refs.pop(), ranks, variables(train[0]))
    masters = {variables(p)["MASTER_ADDR"] for p in train}
    check("and all name one master, a pod of theirs behind a headless Service", len(masters) == 1 and
          masters.copy().pop().startswith("train-0.train") and c.get("svc", ALICE, "train")["spec"]["clusterIP"] == "None", masters)
    for env, key, value in (("alice/vit", "nvidia.com/gpu.product", "Tesla-T4"), ("dana/shell", "nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"),
                            ("bo/genome", "instance-type", "r6i.8xlarge")):
        pods = s.pods(env)
        check("%s runs where %s is %s" % (env, key, value), len(pods) == 1 and is_ready(pods[0]) and node_labels(c, pods[0]).get(key) == value,
              pods)
    check("the paused one has no pod, and its volume waits", not s.pods("alice/paused") and c.get("pvc", ALICE, "home-paused-0"))
    claims = {n: [v["persistentVolumeClaim"]["claimName"] for v in s.pods("alice/" + n)[0]["spec"]["volumes"]
                  if "persistentVolumeClaim" in v] for n in ("train", "shared")}
    check("two environments mount the one shared claim", all("alice-shared" in v for v in claims.values()), claims)
    shell, notebook = s.env("dana/shell"), s.env("alice/notebook")
    address, other = (c.wait_for("svc", DANA, "shell--" + n, lambda o: o["status"]["loadBalancer"].get("ingress"))["status"]["loadBalancer"][
        "ingress"][0]["ip"] for n in ("ssh", "web"))
    check("status says how to reach it: the load balancer's address, the bastion's name",
          shell["access"]["address"] in (address, other) and notebook["access"]["ssh"] == "dev@notebook--alice.dev.example.com", shell, notebook)


def left_alone(c, s):
    """Whoever looks again changes nothing, and asks little."""
    before, mark = s.versions(), c.mark()
    said = s.once()
    check("a second pass: no write, exit 0", said.rc == 0 and "no write" in said.err and not c.writes(mark), said, c.writes(mark))
    check("and not one object was even read", not [a for a in asked(c, mark) if a[0] == "get" and a[1] in (
        "statefulsets", "configmaps", "services", "persistentvolumeclaims") and a[2] != "berth"], asked(c, mark))
    check("no resourceVersion moved", s.versions() == before)
    shutil.rmtree(s.folder)
    mark = c.mark()
    said = s.once()
    check("without its state folder it only reads", said.rc == 0 and not c.writes(mark) and s.versions() == before, said, c.writes(mark))
    mark = c.mark()
    with s.running():
        commit, line = s.change({"README.md": "nothing of interest\n"})
        check("the running daemon writes nothing, at its start and after a commit that means nothing", line and "no write" in line and
              not c.writes(mark) and s.versions() == before, commit, line, c.writes(mark))


def little_changes(c, s):
    """One edit: what it means and nothing else."""
    with s.running():
        uid, mark = s.pods("alice/notebook")[0]["metadata"]["uid"], c.mark()
        before = s.versions()
        s.change(s.edit("envs/alice/notebook.yaml", ("cpu-small", "gpu-small")))
        rolled = until(lambda: [p for p in s.pods("alice/notebook") if p["metadata"]["uid"] != uid and is_ready(p)])
        check("another flavor: the pod is made anew, on a node with a GPU", rolled and
              node_labels(c, rolled[0]).get("nvidia.com/gpu.product") == "Tesla-T4", rolled)
        sent = c.writes(mark)
        names = sorted(e["objectRef"]["resource"] + "/" + e["objectRef"].get("name", "") for e in sent)
        moved = {k for k, v in s.versions().items() if before.get(k) != v}
        check("at most three requests for it, of which one is the StatefulSet", len(asked(c, mark)) <= 3 and
              "statefulsets/notebook" in names, asked(c, mark), names)
        check("no other environment's object moved", all(k.endswith(("/notebook", "/notebook--scripts", "/notebook--keys", "/berth"))
                                                         for k in moved), moved)
        check("it is Ready again", s.until_phase({"alice/notebook": "Ready"}), s.env("alice/notebook"))

        uid, mark = s.pods("bo/genome")[0]["metadata"]["uid"], c.mark()
        key = s.read("users/bo.yaml").split("ssh-ed25519 ")[1].split()[0]
        s.change(s.edit("users/bo.yaml", (key, key[:-2] + "AA")))
        names = [e["objectRef"]["resource"] + "/" + e["objectRef"].get("name", "") for e in c.writes(mark)]
        check("another public key: one ConfigMap, and the pod goes on", "configmaps/genome--keys" in names and
              set(names) <= {"configmaps/genome--keys", "configmaps/berth"} and s.pods("bo/genome")[0]["metadata"]["uid"] == uid, names)

        s.change(s.edit("envs/alice/paused.yaml", ("true", "false")))
        check("not paused any more: Ready with a pod", s.until_phase({"alice/paused": "Ready"}) and len(s.pods("alice/paused")) == 1,
              s.env("alice/paused"))
        s.change(s.edit("envs/alice/paused.yaml", ("false", "true")))
        check("paused again: the pod is gone", s.until_phase({"alice/paused": "Paused"}) and until(lambda: not s.pods("alice/paused")),
              s.env("alice/paused"))


def inventory(c, s):
    """The parent that tells other tools what there is (KEP-3659)."""
    parent = s.parent()
    kinds = parent["metadata"]["annotations"]["applyset.kubernetes.io/contains-group-kinds"].split(",")
    want = {"StatefulSet.apps", "Service", "ConfigMap", "PersistentVolumeClaim", "Namespace", "NetworkPolicy.networking.k8s.io",
            "PriorityClass.scheduling.k8s.io", "ClusterRole.rbac.authorization.k8s.io", "ResourceQuota"}
    check("the parent lists the kinds, sorted", want <= set(kinds) and kinds == sorted(kinds), kinds)
    resources = {r["kind"]: (r["name"] + "." + gv.rpartition("/")[0]).rstrip(".") for gv in ("v1", "apps/v1", "networking.k8s.io/v1",
                 "rbac.authorization.k8s.io/v1", "scheduling.k8s.io/v1") for r in c.api("GET", ("/api/" if gv == "v1" else "/apis/") + gv)[
                     "resources"] if "/" not in r["name"]}
    text = c.kubectl("get", ",".join(resources[k.split(".")[0]] for k in kinds), "-A", "-l", "%s=%s" % (MARK, s.applyset()), "-o", "name")
    listed = {(line.split("/")[0].split(".")[0], line.split("/")[1]) for line in text.split()}
    check("kubectl get of these kinds with its label lists everything that is there", len(text.split()) == len(s.objects()), text)
    told = {(k.split("/")[-3].lower(), k.split("/")[-1]) for n in s.wanted() for k in s.env(n)["inventory"]}
    check("with all that the status names", told and told <= listed, told - listed)
    check("only berth wrote an object of the environment", {m[0] for m in managers(c.get("cm", ALICE, "train--scripts"))} == {"berth"})
    check("main's commit is in it", parent["data"]["sourceCommit"] in s.commits("main"), parent["data"])


def may_list(c):
    try:
        c.api("GET", "/apis/apps/v1/statefulsets?limit=1", user="berth")
    except kube.ApiError as e:
        return e.code
    return 200


def answered_at_once(c, s):
    """One pass that sees the answers to its lists together: the refusal first, and then what is in order."""
    proxy = kube.Proxy(c, plan={"rules": [{"do": "delay", "name": "lists", "path": "/statefulsets\\?limit=", "ms": 1500},
                                          {"do": "delay", "name": "lists", "path": "/(?!statefulsets)[a-z]+\\?limit=", "ms": 1700}]})
    with open(os.path.join(lab.folder, "at-once.log"), "w+", encoding="utf-8") as log, subprocess.Popen([
            lab.BERTH, "run", "--repo", s.bare, "--state", s.folder, *kube.target(c.kubeconfig(port=proxy.port)), "--once", *s.args],
            env=lab.ENV, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as p:
        check("(lists are asked for)", until(lambda: proxy.counts()["lists"] >= 5))
        p.send_signal(signal.SIGSTOP)
        time.sleep(2.2)
        p.send_signal(signal.SIGCONT)
        rc = p.wait(2 * WAIT)
        log.seek(0)
        text = log.read()
    proxy.stop()
    return lab.Said(subprocess.CompletedProcess([], rc, "", text))


def rights(c, s):
    """A right that is taken away is named, and missed by nobody else."""
    role = c.get("clusterrole", None, "berth")
    less = yaml.safe_load(yaml.safe_dump(role))
    for rule in less["rules"]:
        if "services" in rule["resources"]:
            rule["resources"].remove("services")
    less["rules"].append({"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "watch"]})
    with s.running():
        c.api("PUT", kube.path("clusterrole", None, "berth"), less)
        check("(Services are refused now)", until(lambda: not c.may("create", "services", namespace=DANA)))
        s.change({"envs/dana/fresh.yaml": env_spec(), "envs/alice/fresh.yaml": env_spec()})
        doc = s.until_env("dana/fresh", lambda d: d.get("lastError", {}).get("reason") == "Forbidden")
        errors = doc["lastError"]["errors"] if doc else []
        check("no right to write Services: said by name, with the rest of it applied", len(errors) == 1 and
              'cannot patch resource "services"' in errors[0] and "berth-system:berth" in errors[0] and c.get("cm", DANA, "fresh--keys"),
              s.env("dana/fresh"))
        check("who is there stays Ready", s.phases()["dana/shell"] == "Ready", s.phases())
        del role["metadata"]["resourceVersion"]
        c.api("PUT", kube.path("clusterrole", None, "berth"), role)
        # what is refused is tried again ever more rarely
        check("with the right back it goes on by itself", s.until_phase({"dana/fresh": "Ready", "alice/fresh": "Ready"}, 3 * WAIT),
              s.env("dana/fresh"))
    for rule in less["rules"]:
        if rule["resources"] == ["statefulsets"]:
            rule["verbs"] = ["get", "create", "patch", "delete"]
    del less["metadata"]["resourceVersion"]
    c.api("PUT", kube.path("clusterrole", None, "berth"), less)
    check("(StatefulSets are refused now)", until(lambda: may_list(c) == 403))
    for how, said in ("", s.once()), (", when all lists are answered at once too", answered_at_once(c, s)):
        check("no right to list StatefulSets: nothing is begun, and the right is named" + how, said.rc not in (0, 1) and
              "cannot list resource \"statefulsets\"" in said.err and "looked at" not in said.err, said)
    c.api("PUT", kube.path("clusterrole", None, "berth"), role)
    check("(and are not any more)", until(lambda: may_list(c) == 200))


def stubs(c):
    crds = list(map(crd, STUBS))
    c.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(crds))
    c.kubectl("wait", "--for=condition=Established", "--timeout=100s", *("crd/" + d["metadata"]["name"] for d in crds))

    def served(crd_):
        try:
            return c.api("GET", kube.path("%s/%s/%s" % (crd_["spec"]["group"], crd_["spec"]["versions"][0]["name"], crd_["spec"]["names"]["plural"])))
        except kube.ApiError:  # established, and its storage not there yet
            return None
    check("(the add-ons' kinds are served)", until(lambda: all(map(served, crds))))


def shapes(c):
    """tests/cases/render/shapes: everything that an environment can be, under the API server's strict validation and Pod Security."""
    site = KubeSite("shapes", c, inventory="shapes", tree=os.path.join(TOP, "tests", "cases", "render", "shapes", "in"), prefix="dev-s-")
    site.push({k: v for k, v in NO_ORG.items() if "flavors" not in k}, "the other inventory has these")
    said = site.once()
    with site.running():  # a new quota refuses everything until it has been counted
        good = until(lambda: all(site.condition(n, "Applied")[0] == "True" and not site.errors(n) for n in site.wanted()), 2 * WAIT)
        stopped = until(lambda: site.phases().get("alice/stopped") == "Paused" or site.condition("alice/stopped", "Ready")[1] == "Suspended")
    check("shapes: everything is accepted", "0 held" in said.err and len(site.wanted()) == 8 and good, said,
          *(site.env(n).get("lastError") for n in site.wanted()))
    batch = c.get("jobset.x-k8s.io/v1alpha2/jobsets", "dev-s-alice", "batch")
    check("a JobSet of a queue is the queue's to start; one that is paused is suspended", "suspend" not in batch["spec"] and
          c.get("jobset.x-k8s.io/v1alpha2/jobsets", "dev-s-alice", "stopped")["spec"]["suspend"] is True, batch)
    for name in ("batch", "stopped"):
        js = c.get("jobset.x-k8s.io/v1alpha2/jobsets", "dev-s-alice", name)["spec"]
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": js["replicatedJobs"][0]["template"]["spec"]}
        rc, _, text = c.kubectl("create", "--dry-run=server", "--validate=strict", "-n", "dev-s-alice", "-f", "-", input=yaml.safe_dump(job), ok=False)
        check("the job that JobSet makes of %s is valid" % name, rc == 0 and "would violate" not in text, text)
    check("the paused one says so", stopped, site.env("alice/stopped"))
    check("GPUs are claimed through a template that the server knows", c.get("resource.k8s.io/v1/resourceclaimtemplates", "dev-s-alice", "claimed--gpu-2")[
        "spec"]["spec"]["devices"]["requests"][0]["exactly"]["count"] == 2)
    with site.running():
        names = "bo/debian", "bo/sudo"
        wanted = {n: site.pods(n) or until(lambda n=n: site.pods(n)) for n in names}
        check("pods whose entry is root are let in, in a user namespace and no other", all(wanted.values()) and all(
            p["spec"]["hostUsers"] is False and p["spec"]["securityContext"]["runAsUser"] == 0 for n in names for p in site.pods(n)), wanted)
        check("they are Guaranteed where memory is not promised twice", {site.pods(n)[0]["status"].get("qosClass") for n in names} == {"Guaranteed"})
    level = c.get("ns", None, "dev-s-bo")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    check("for them the namespace is baseline, and the other user's stays restricted", level == "baseline" and c.get("ns", None, "dev-s-alice")[
        "metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted", level)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "greedy"}, "spec": {"containers": [{
        "name": "c", "image": "x", "resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "2Gi"}}}]}}
    rc, _, text = c.kubectl("create", "-n", "dev-s-bo", "-f", "-", input=yaml.safe_dump(pod), ok=False)
    check("no pod gets in there that wants more memory than it requests", rc and "limit to request ratio" in text, text)
    before, mark = site.versions(), c.mark()
    said = site.once()
    check("shapes: a second pass writes nothing", "no write" in said.err and not c.writes(mark) and site.versions() == before, said, c.writes(mark))


def examples(c):
    """examples/ as it stands, beside the other inventory."""
    site = KubeSite("examples", c, inventory="examples", tree=os.path.join(TOP, "examples"))
    site.push({k: v for k, v in NO_ORG.items() if "flavors" not in k}, "the other inventory has these")
    said = site.once()
    check("examples/: everything is accepted, exit 0", said.rc == 0 and "0 held" in said.err and len(site.phases()) == 6, said, site.phases())
    check("Kueue's objects too", {"clusterqueues//vision", "resourceflavors//gpu-a100", "localqueues/dev-alice/vision"} <= set(
        site.objects()), sorted(k for k in site.objects() if "queue" in k))
    with site.running():
        for env, data in (("bo/genome", "ukbb"), ("student1/lab3", "course-ml101")):
            doc = site.until_env(env, lambda d, data=data: data in site.condition(d["metadata"]["owner"] + "/" + d["metadata"]["name"], "Ready")[2])
            check("%s waits for the claim %s, and says so" % (env, data), doc, site.env(env))
            c.api("POST", kube.path("pvc", "dev-" + env.split("/")[0]), {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": data}, "spec": {
                    "accessModes": ["ReadOnlyMany"], "storageClassName": "efs", "resources": {"requests": {"storage": "1Ti"}}}})
        check("examples/: all become Ready", site.until_phase("Ready"), site.phases(), *map(site.env, site.wanted()))
        for env, product in (("alice/notebook", "Tesla-T4"), ("dana/llm-ft", "NVIDIA-A100-SXM4-40GB"), ("student1/lab3", "Tesla-T4"),
                             ("pav/tcloud-shell", "NVIDIA-H100-80GB-HBM3"), ("bo/genome", None)):
            got = [node_labels(c, p).get("nvidia.com/gpu.product") for p in site.pods(env)]
            check("examples/: %s runs on %s" % (env, product or "a node without a GPU"), got == [product], got)
        check("examples/: four pods of the training job", len(site.pods("alice/training-job")) == 4)
    before, mark = site.versions(), c.mark()
    said = site.once()
    check("examples/: a second pass writes nothing", said.rc == 0 and not c.writes(mark) and site.versions() == before, said, c.writes(mark))


with kube.Cluster(audit=True, nodes=["cpu/zone-a", "cpu/zone-b", "t4/zone-a", "t4/zone-a", "t4/zone-b", "t4/zone-b", "t4/zone-a", "t4/zone-b",
                                     "t4-gpu/zone-a", "t4-mps/zone-b", "a100/zone-a", "a100/zone-b", "h100/zone-a", "bigmem/zone-a", "bigmem8/zone-a"]) as cluster:
    note("control plane in %.1f s" % cluster.took)
    stubs(cluster)  # early: whoever keeps quotas looks for new kinds twice a minute
    cluster.grant()
    cluster.kubectl("apply", "--server-side", "-f", os.path.join(TOP, "deploy", "kubernetes", "fence.yaml"))
    main = KubeSite("site", cluster, SHAPES, prefix="dev-t-")
    first_time(cluster, main)
    placed(cluster, main)
    left_alone(cluster, main)
    little_changes(cluster, main)
    inventory(cluster, main)
    rights(cluster, main)
    examples(cluster)
    shapes(cluster)
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth diff, apply --dry-run and doctor against a real control plane: what they say, what they never say, and that they write nothing."""
import os

import yaml

import kube
from lab import Site, berth, check, done, folder, git, note

kube.skip_without_peers()
MARK = "applyset.kubernetes.io/part-of"
PASSWORD = "hunter2-of-the-vault"


def objects(tree, commit=None):
    """unit -> objects as berth would send them: with the target's label and annotation."""
    out = os.path.join(folder, "rendered%d" % objects.count)
    objects.count += 1
    said = berth("render", "-C", tree, "--out", out, *(["--commit", commit] if commit else []))
    if said.rc:
        raise RuntimeError(repr(said))
    units = {}
    for root, _, names in os.walk(out):
        for name in sorted(names):
            if name == "kustomization.yaml":
                continue
            with open(os.path.join(root, name), encoding="utf-8") as f:
                thing = yaml.safe_load(f)
            unit = os.path.relpath(root, out)
            thing["metadata"].setdefault("annotations", {})["berth.dev/unit"] = unit
            thing["metadata"].setdefault("labels", {})[MARK] = "applyset-test-v1"
            units.setdefault(unit, []).append(thing)
    return units


objects.count = 0


def apply_all(cluster, tree):
    things = sum(objects(tree).values(), [])
    things.sort(key=lambda t: t["kind"] not in ("Namespace", "ClusterRole", "PriorityClass"))
    cluster.kubectl("apply", "--server-side", "--field-manager=berth", "--force-conflicts", "-f", "-", input=yaml.safe_dump_all(things))
    return len(things)


def row(said, name, unit=None):
    """The row of an object in the JSON of diff or the dry run."""
    rows = [o for u in said["units"] for o in u.get("objects", []) if o["object"] == name and unit in (None, u["unit"])]
    return rows[0] if rows else {}


def field(said, name, path, unit=None):
    return next((f for f in row(said, name, unit).get("fields", []) if f["path"] == path), {})


def results(said, check_name):
    return [c["result"] for c in said["checks"] if c["check"] == check_name]


def lines(text, *words):
    return [line for line in text.splitlines() if all(w in line for w in words)]


def verb(cluster, *args, user="admin", config=None, tree=None):
    return berth(*args, "-C", tree or SITE.clone, "--kubeconfig", config or cluster.kubeconfig(user))


def on_nothing(c):
    """Before anything of berth is there."""
    total = sum(map(len, objects(SITE.clone).values()))
    said = verb(c, "doctor")
    check("doctor finds a cluster that berth can work with", said.rc == 0 and "all 86 rights" in said.out, said)
    check("doctor says who asks, how fast, which version and that TLS is verified",
          lines(said.out, "ok", "account", "admin") and lines(said.out, "answers in", "certificate verified") and
          lines(said.out, "ok", "version", "v1.3"), said)
    check("doctor warns of approvals that are off, with a next step", lines(said.out, "warn", "approvals") and "next: approvals: {mode: signed}" in said.out, said)
    data = verb(c, "doctor", "-o", "json").json()
    check("doctor as data counts what it says", data["ok"] == results(data, "rights").count("ok") + sum(
        r["result"] == "ok" for r in data["checks"] if r["check"] != "rights") and data["fail"] == 0, data)
    check("doctor finds the clocks together and the default storage class", results(data, "clock") == ["ok"] and
          results(data, "storage class") == ["ok"], data)

    said = verb(c, "diff")
    check("diff of an empty cluster: one line a unit, exit 1", said.rc == 1 and lines(said.out, "all", "objects", "missing") and
          "%d missing, 0 same" % total in said.out, said)
    said = verb(c, "apply", "--dry-run")
    check("dry run of an empty cluster: everything would be created, with neither --repo nor --state", said.rc == 0 and
          "%d created, 0 configured, 0 unchanged, 0 refused" % total in said.out, said)
    check("namespaces that are not there are said once each", len(lines(said.out, "namespace dev-alice is not there yet")) == 1 and
          "asked in the namespace `default`" in said.out, said)
    data = verb(c, "apply", "--dry-run", "alice/train", "-o", "json").json()
    check("dry run of one environment asks about it and its owner's own set", {u["unit"] for u in data["units"]} == {"envs/alice/train",
          "users/alice"} and data["missingNamespaces"] == ["dev-alice"] and row(data, "StatefulSet/train")["askedIn"] == "default", data)
    check("none of them wrote anything", not c.marked() and c.get("ns", None, "dev-alice") is None)
    return total


def refusals(c):
    """What the server would say no to, found before anything is written."""
    bad = os.path.join(folder, "bad")
    git(folder, "clone", "-q", SITE.bare, bad)
    os.makedirs(os.path.join(bad, "templates", "env"))

    def template(name, text):
        with open(os.path.join(bad, "templates", "env", name), "w", encoding="utf-8") as f:
            f.write(text)

    template("statefulset.patch.yaml", "spec:\n  shoeSize: 43\n  template:\n    spec:\n      nonsense: true\n")
    template("service.patch.yaml", "spec:\n  ports: [{name: a, port: 99999}, {name: b, port: 80, protocol: SMTP}]\n")
    template("route.yaml", "apiVersion: example.com/v1\nkind: Teleporter\nmetadata:\n  name: {$eval: env.name}\nspec: {}\n")
    said = verb(c, "apply", "--dry-run", "alice/train", tree=bad)
    check("an unknown field of an organization's template is refused by strict validation, each by name", said.rc == 1 and
          lines(said.out, "refused", "StatefulSet/train", "spec.shoeSize", "spec.template.spec.nonsense"), said)
    check("every cause of a refusal has its line", lines(said.out, "spec.ports[0].port", "99999") and
          lines(said.out, "spec.ports[1].protocol", "SMTP"), said)
    check("a kind that is not served is refused with what to do", lines(said.out, "refused", "Teleporter/train", "does not serve"), said)
    check("one bad object does not hide the others", lines(said.out, "created", "ConfigMap/train--scripts") and
          "3 refused" in said.out, said)
    said = verb(c, "doctor", tree=bad)
    check("doctor names the kind that no cluster of this sort serves", said.rc == 1 and lines(said.out, "fail", "kind Teleporter"), said)
    said = verb(c, "diff", "alice/train", tree=bad)
    check("diff says why it cannot be there", lines(said.out, "Teleporter/train", "missing", "does not serve"), said)

    with open(os.path.join(bad, "berth.yaml"), encoding="utf-8") as f:
        text = f.read()
    with open(os.path.join(bad, "berth.yaml"), "w", encoding="utf-8") as f:
        f.write(text.replace('version: "1.34", features: []', 'version: "1.40", features: [kueue, image-volumes]'))
    data = verb(c, "doctor", "-o", "json", tree=bad).json()
    check("doctor: a feature that is claimed and not there", results(data, "feature kueue") == ["fail"] and
          results(data, "kind ResourceFlavor") == ["fail"], data)
    check("doctor: image volumes are asked for by dry run", results(data, "feature image-volumes") == ["ok"], data)
    check("doctor: a newer version in berth.yaml than the server's", results(data, "cluster.version") == ["warn"], data)
    check("doctor: nodes that cannot do what that version promises", results(data, "nodes") == ["warn"], data)


def at_rest(c, total):
    check("everything is applied", apply_all(c, SITE.clone) == total)
    before = c.generations()
    said = verb(c, "diff")
    check("diff of what was just applied finds nothing, exit 0", said.rc == 0 and said.out.strip().endswith("%d same." % total) and
          len(said.out.splitlines()) == 1, said)
    said = verb(c, "apply", "--dry-run")
    check("dry run of what was just applied: all unchanged", said.rc == 0 and "%d unchanged, 0 refused" % total in said.out, said)
    check("and nothing of it has another generation", c.generations() == before)


def strangers(c):
    c.kubectl("-n", "dev-alice", "scale", "statefulset/notebook", "--replicas=2")
    c.kubectl("-n", "dev-alice", "scale", "statefulset/train", "--replicas=0")
    c.kubectl("-n", "dev-alice", "set", "env", "statefulset/vit", "SPY=1", "HOME=/tmp")
    c.kubectl("-n", "dev-alice", "label", "service/train", "team=mine")
    c.kubectl("-n", "dev-bo", "patch", "statefulset/genome", "--type=json", "-p",
              '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}]')
    c.kubectl("-n", "dev-bo", "delete", "configmap", "genome--keys")
    c.kubectl("-n", "dev-alice", "create", "configmap", "leftover")
    c.kubectl("-n", "dev-alice", "annotate", "configmap/leftover", "berth.dev/unit=envs/alice/train")
    c.kubectl("-n", "dev-alice", "label", "configmap/leftover", MARK + "=applyset-test-v1")
    said = verb(c, "diff")
    check("a stranger's edits: exit 1", said.rc == 1, said)
    check("a scaled set names kubectl-scale", lines(said.out, "StatefulSet/notebook", "spec.replicas: 2 -> 1", "(kubectl-scale"), said)
    check("a hand that left no name is said to be one", lines(said.out, "StatefulSet/train", "spec.replicas: 0 -> 4", "left no name"), said)
    check("a changed field of a list item, by its manager and time", lines(
        said.out, "StatefulSet/vit", "containers[main].env[HOME].value: /tmp -> /home/dev", "(kubectl-set, "), said)
    check("an added field is one that berth takes away", lines(said.out, "env[SPY]", "-> (none)", "(kubectl-set") and
          lines(said.out, "Service/train", "metadata.labels.team: mine -> (none)", "(kubectl-label"), said)
    check("an image set by a JSON patch", lines(said.out, "StatefulSet/genome", "image: evil:1 -> ", "(kubectl-patch"), said)
    check("a deleted object is missing", lines(said.out, "ConfigMap/genome--keys", "missing"), said)
    check("an object with our labels that nothing renders is extra", lines(said.out, "ConfigMap/leftover", "extra", "deletes it"), said)
    data = verb(c, "diff", "alice/vit", "-o", "json").json()
    got = field(data, "StatefulSet/vit", "spec.template.spec.containers[main].env[HOME].value")
    check("the same as data", got.get("live") == "/tmp" and got.get("rendered") == "/home/dev" and got.get("manager") == "kubectl-set" and
          got.get("time", "").endswith("Z") and data["summary"]["differs"] == 1 and len(data["units"]) == 1, data)
    said = verb(c, "diff", "dana/shell")
    check("an environment that nobody touched: exit 0", said.rc == 0, said)
    said = verb(c, "diff", "bo/genome", "-o", "yaml")
    check("as YAML", said.rc == 1 and yaml.safe_load(said.out)["summary"]["missing"] == 1, said)
    said = verb(c, "apply", "--dry-run")
    check("dry run: what would be repaired is configured, what is missing created", said.rc == 0 and
          "1 created, 5 configured" in said.out, said)


def changed_tree(c):
    """A change of the files is no stranger's edit, and --commit looks at another one."""
    apply_all(c, SITE.clone)
    c.kubectl("-n", "dev-alice", "delete", "configmap", "leftover")
    # what the daemon does with fields that strangers added
    c.kubectl("-n", "dev-alice", "set", "env", "statefulset/vit", "SPY-")
    c.kubectl("-n", "dev-alice", "label", "service/train", "team-")
    first = git(SITE.clone, "rev-parse", "HEAD")
    SITE.push({"envs/alice/notebook.yaml": SITE.read("envs/alice/notebook.yaml").replace("cpu-small", "gpu-small"),
               "envs/alice/vit.yaml": None}, "a GPU, and one less")
    said = verb(c, "diff")
    check("a change of the files: fields without a manager", said.rc == 1 and
          lines(said.out, "StatefulSet/notebook", "nvidia.com/gpu: (none) -> 1") and not lines(said.out, "StatefulSet/notebook", "(kubectl") and
          not lines(said.out, "StatefulSet/notebook", "left no name"), said)
    check("an environment whose file is gone is extra; what is kept is said", "envs/alice/vit" in said.out and
          lines(said.out, "StatefulSet/vit", "extra", "deletes it") and lines(said.out, "PersistentVolumeClaim/home-vit-0", "it stays"), said)
    said = berth("diff", "-C", SITE.clone, "--commit", first, "--kubeconfig", c.kubeconfig("admin"))
    check("--commit: the commit that is applied has no differences", said.rc == 0 and "commit " + first[:7] in said.out, said)
    SITE.write({"envs/alice/bad.yaml": "apiVersion: berth.dev/v1\nkind: Environment\nspec: {flavour: x}\n"})
    for args in (("diff",), ("apply", "--dry-run")):
        said = verb(c, *args)
        check("%s: a file that is not valid is named, exit 1" % " ".join(args), said.rc == 1 and "envs/alice/bad" in said.out and
              lines(said.out, "not valid", "error[E"), said)
    SITE.write({"envs/alice/bad.yaml": None})
    c.api("POST", kube.path("cm", "default"), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": "parent", "labels": {"applyset.kubernetes.io/id": "applyset-test-v1"}, "annotations": {
            "applyset.kubernetes.io/tooling": "berth/0", "applyset.kubernetes.io/contains-group-kinds": "Deployment.apps,Service"}}})
    c.kubectl("-n", "dev-alice", "create", "deployment", "old", "--image=x", "--replicas=0")
    c.kubectl("-n", "dev-alice", "annotate", "deployment/old", "berth.dev/unit=envs/alice/vit")
    c.kubectl("-n", "dev-alice", "label", "deployment/old", MARK + "=applyset-test-v1")
    said = verb(c, "diff")
    check("kinds that only an inventory remembers are looked at too", lines(said.out, "Deployment/old", "extra"), said)
    c.kubectl("-n", "dev-alice", "delete", "deployment/old")
    c.kubectl("-n", "default", "delete", "configmap/parent")
    said = verb(c, "diff", "alice/nobody")
    check("an environment that is not there is a mistake of usage", said.rc == 2, said)


def secrets(c):
    """Templates give no Secrets in this version (test_differ.c compares some): those with our labels are known by name alone."""
    c.kubectl("-n", "dev-bo", "create", "secret", "generic", "vault", "--from-literal=password=" + PASSWORD)
    c.kubectl("-n", "dev-bo", "annotate", "secret/vault", "berth.dev/unit=envs/bo/genome", "note=" + PASSWORD)
    c.kubectl("-n", "dev-bo", "label", "secret/vault", MARK + "=applyset-test-v1")
    said = [verb(c, "diff"), verb(c, "diff", "bo/genome", "-o", "json"), verb(c, "diff", "-o", "yaml"), verb(c, "apply", "--dry-run")]
    shown = "".join(s.out + s.err for s in said)
    check("a Secret with our labels that nothing renders is extra", lines(said[0].out, "Secret/vault", "extra") and
          row(said[1].json(), "Secret/vault").get("state") == "extra", shown)
    encoded = c.get("secret", "dev-bo", "vault")["data"]["password"]
    check("its value appears nowhere, in no form", PASSWORD not in shown and encoded not in shown, shown)
    c.kubectl("-n", "dev-bo", "delete", "secret", "vault")


def immutable(c):
    """Fields that the API server will not change on what exists."""
    SITE.push({"templates/env/statefulset.patch.yaml": "spec: {podManagementPolicy: OrderedReady}\n",
               "templates/env/claims.patch.yaml": "spec: {storageClassName: another}\n"}, "immutable")
    said = verb(c, "apply", "--dry-run", "bo/genome")
    check("what cannot be changed in place is made anew, never a volume", said.rc == 1 and
          lines(said.out, "recreated", "StatefulSet/genome", "spec.podManagementPolicy") and
          lines(said.out, "refused", "PersistentVolumeClaim/home-genome-0", "spec.storageClassName", "deletes no data"), said)
    said = verb(c, "diff", "bo/genome")
    check("diff says the same", lines(said.out, "StatefulSet/genome", "refused", "makes it anew") and
          lines(said.out, "PersistentVolumeClaim/home-genome-0", "refused", "deletes no data"), said)
    SITE.push({"templates/env/statefulset.patch.yaml": None, "templates/env/claims.patch.yaml": None}, "mutable again")


def taken(c):
    """A stranger's object of the same name."""
    SITE.push({"envs/dana/taken.yaml": SITE.read("envs/alice/notebook.yaml")}, "one more")
    c.kubectl("-n", "dev-dana", "create", "service", "clusterip", "taken", "--clusterip=None", "--tcp=80:80")
    said = verb(c, "apply", "--dry-run", "dana/taken")
    check("a stranger's Service of that name is refused, with who made it and how to hand it over", said.rc == 1 and
          lines(said.out, "refused", "Service/taken", "kubectl-create", "berth.dev/adopt"), said)
    said = verb(c, "diff", "dana/taken")
    check("diff says that it is somebody else's", lines(said.out, "Service/taken", "none of berth's labels"), said)
    c.kubectl("-n", "dev-dana", "annotate", "service/taken", "berth.dev/adopt=berth")
    said = verb(c, "apply", "--dry-run", "dana/taken")
    check("with a person's word it would be taken over", said.rc == 0 and lines(said.out, "configured", "Service/taken"), said)
    c.kubectl("-n", "dev-dana", "delete", "service", "taken")
    SITE.push({"envs/dana/taken.yaml": None}, "gone again")


def rights(c):
    said = verb(c, "diff", user="alice")
    check("no rights: diff knows nothing, says so, exit 4", said.rc == 4 and "0 same" in said.out and lines(said.out, "unknown", "forbidden") and
          "was not looked for" in said.err, said)
    said = verb(c, "apply", "--dry-run", "alice/train", user="alice")
    check("no rights: dry run refused object by object", said.rc == 1 and len(lines(said.out, "refused", "forbidden")) >= 8, said)
    data = verb(c, "doctor", "-o", "json", user="alice")
    text = [r["message"] for r in data.json()["checks"] if r["check"] == "rights"]
    check("no rights: doctor lists every verb and kind that is missing, exit 1", data.rc == 1 and
          any("get, list, watch, create, patch, delete statefulsets.apps" in t for t in text) and any("bind" in t for t in text) and
          any("leases" in t and "berth-system" in t for t in text), data)
    c.bind("view", "alice")
    said = verb(c, "diff", "dana/shell", user="alice")
    check("with rights to read: the comparison without defaults finds nothing either", said.rc == 0 and
          "compared without the server's defaults" in said.err, said)
    # a server refuses before it has read a body that does not fit into one packet
    SITE.push({"templates/scripts/large.sh": "#!/bin/sh\n" + "# as long as the night is dark\n" * 5000}, "a large script")
    said = [verb(c, "diff", "dana/shell", user="alice") for _ in range(5)]
    check("a large object that may not be written is refused, not unreachable", all(s.rc == 1 and lines(s.out, "data.large.sh") for s in said), said)
    SITE.push({"templates/scripts/large.sh": None}, "as before")
    c.kubectl("-n", "dev-dana", "patch", "statefulset/shell", "-p", '{"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 7}}}}')
    said = verb(c, "diff", "dana/shell", user="alice")
    check("and it finds a stranger's edit", said.rc == 1 and
          lines(said.out, "StatefulSet/shell", "terminationGracePeriodSeconds: 7 -> ", "(kubectl-patch"), said)
    c.grant()
    said = verb(c, "doctor", user="berth")
    check("the rights of deploy/kubernetes are all that doctor asks for", said.rc == 0 and lines(said.out, "ok", "rights", "all 86 rights"), said)
    said = verb(c, "diff", user="berth")
    check("and enough for diff to look at everything", said.rc == 1 and not said.err, said)
    c.kubectl("delete", "clusterrole", "berth-environment-user")
    said = verb(c, "apply", "--dry-run", user="berth")
    check("with them a dry run of everything is accepted, a role by name too", said.rc == 0 and
          lines(said.out, "created", "ClusterRole/berth-environment-user") and "0 refused" in said.out, said)


def no_answer(c):
    dead = c.kubeconfig("admin", port=1)
    for args in (("diff",), ("apply", "--dry-run"), ("doctor",)):
        said = verb(c, *args, config=dead)
        check("%s: a server that is not there, exit 3 and a next step" % " ".join(args), said.rc == 3 and
              "is https://127.0.0.1:1 the right API server" in said.out + said.err, said)
    proxy = kube.Proxy(c, plan={"expired": [c.token("admin")]})
    old = c.kubeconfig("admin", port=proxy.port)
    for args, rc in ((("diff",), 4), (("apply", "--dry-run"), 4), (("doctor",), 1)):
        said = verb(c, *args, config=old)
        check("%s: an expired token is called one" % " ".join(args), said.rc == rc and "has the token expired?" in said.out + said.err and
              c.token("admin") not in said.out + said.err, said)
    proxy.order(expired=[])
    proxy.rules({"do": "status", "code": 503, "retry_after": 1, "path": "/statefulsets/", "times": 3},
                {"do": "status", "code": 429, "retry_after": 1, "path": "/services/", "times": 3})
    said = verb(c, "diff", "alice/train", config=old)
    check("a busy server is asked again", said.rc == 0 and sum(proxy.counts().values()) >= 4, said, proxy.counts())
    proxy.stop()
    said = berth("doctor", "--kubeconfig", os.path.join(folder, "no-such-file"))
    check("doctor: a kubeconfig that is not there", said.rc == 1 and "no-such-file" in said.out, said)
    said = verb(c, "diff", "--context", "nowhere")
    check("a context that is not there is named", said.rc != 0 and "nowhere" in said.err, said)
    said = verb(c, "diff", "--kubeconfig-exec", "relative/path")
    check("plugins are allowed by absolute path only", said.rc == 2 and "absolute" in said.err, said)
    loose = c.kubeconfig("admin", port=c.port)
    os.chmod(loose, 0o644)
    data = berth("doctor", "--kubeconfig", loose, "--repo", SITE.bare, "-o", "json").json()
    check("doctor: the repository can be read; without a tree the built-in kinds count", results(data, "repository") == ["ok"] and
          results(data, "tree") == ["ok"] and results(data, "rights") == ["ok"], data)
    check("doctor: a kubeconfig with a token that others can read", results(data, "credentials") == ["warn"], data)
    data = berth("doctor", "--kubeconfig", loose, "--repo", SITE.bare, "--branch", "nope", "-o", "json").json()
    check("doctor: a branch that is not there", results(data, "repository") == ["fail"], data)


SITE = Site("site")
with kube.Cluster(nodes=["cpu/zone-a"]) as cluster:
    note("control plane in %.1f s" % cluster.took)
    everything = on_nothing(cluster)
    refusals(cluster)
    at_rest(cluster, everything)
    strangers(cluster)
    changed_tree(cluster)
    secrets(cluster)
    immutable(cluster)
    taken(cluster)
    rights(cluster)
    no_answer(cluster)
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `berth plan` says of an edit before the merge is what the API server then sees: objects made, changed, made anew, deleted, kept
and refused, pods restarted, paused and resumed. Typical edits one after the other, each planned, merged and applied."""
import collections

import kube
from kube import is_ready
from kube_site import MARK, KubeSite
from lab import berth, check, done, env_spec, git, note, until

kube.skip_without_peers()
IRREGULAR = {"networkpolicies": "networkpolicy", "priorityclasses": "priorityclass"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 38 + "%05d"
GPU, CPU = "  flavor: gpu-large\n", "  flavor: cpu-small\n"
Seen = collections.namedtuple("Seen", "objects pods")


def kind_of(resource):
    return IRREGULAR.get(resource, resource[:-1])


def known(event, unit_of):
    """(unit, "statefulset/x") of an audit event, or None when it is not of the inventory."""
    ref = event.get("objectRef", {})
    namespace = "" if ref.get("resource") == "namespaces" else ref.get("namespace", "")
    return unit_of.get("%s/%s/%s" % (ref.get("resource"), namespace, ref.get("name", "")))


def look(s):
    """Objects: key -> (unit, id, uid, resourceVersion); pods of each environment's set: (unit, id) -> {name: uid}."""
    objects, pods = {}, {}
    for key, m in s.objects().items():
        resource, _, name = key.split("/")
        unit = m["annotations"]["berth.dev/unit"]
        objects[key] = (unit, "%s/%s" % (kind_of(resource), name), m["uid"], m["resourceVersion"])
        if resource == "statefulsets":
            pods[unit, "statefulset/" + name] = {p["metadata"]["name"]: p["metadata"]["uid"] for p in s.pods(unit[5:])}
    return Seen(objects, pods)


def settled(s):
    """Every StatefulSet's pods are those of its newest revision, as many as are wanted and Ready."""
    def look_at():
        for sts in s.cluster.list("sts"):
            meta, status = sts["metadata"], sts.get("status", {})
            env = meta.get("labels", {}).get("berth.dev/env")
            if not env:
                continue
            pods = s.cluster.list("pod", meta["namespace"], "berth.dev/env=" + env)
            if status.get("observedGeneration") != meta["generation"] or len(pods) != sts["spec"]["replicas"] or not all(
                    is_ready(p) and "deletionTimestamp" not in p["metadata"] and
                    p["metadata"]["labels"]["controller-revision-hash"] == status["updateRevision"] for p in pods):
                return False
        return True
    return until(look_at)


def planned(s):
    """(unit, id) -> the words of the plan; of a unit that is not valid ("x", unit)."""
    git(s.clone, "fetch", "-q", "origin")  # the status branch says what is live
    said, out = berth("plan", "-C", s.clone, "--base", "HEAD", "-o", "json"), {}
    for u in said.json():
        if u["action"] in ("invalid", "waits"):
            out[u["unit"], ""] = {u["action"]}
        for o in u.get("objects", []):
            words = {{"keptInCluster": "kept", "restarts": "restarts", "pauses": "pauses", "resumes": "resumes"}[k]
                     for k in ("keptInCluster", "restarts", "pauses", "resumes") if o.get(k)}
            kind, name = o["object"].split("/")
            out[u["unit"], "%s/%s" % (kind.lower(), name)] = {o["action"]} | words
    return out


def happened(s, before, after, mark):
    """The same words, from what the API server has: uids, the audit log, pods."""
    out, unit_of = {}, {k: v[:2] for k, v in {**before.objects, **after.objects}.items()}
    for event in s.cluster.audit(mark, stage="ResponseComplete"):
        what = known(event, unit_of)
        if what and event["verb"] in kube.WRITES and "dryRun=" not in event["requestURI"] and event["responseStatus"]["code"] < 300:
            out[what] = {"change"}
    for key, (unit, name, uid, _) in after.objects.items():
        was = before.objects.get(key)
        if not was:
            out[unit, name] = {"create"}
        elif was[2] != uid:
            out[unit, name] = {"recreate"}
    for key, (unit, name, uid, _) in before.objects.items():
        if key in after.objects:
            continue
        resource, namespace, _ = key.split("/")
        left = s.cluster.get(resource, namespace, key.split("/")[2]) if resource in ("persistentvolumeclaims", "namespaces") else None
        stays = left and left["metadata"]["uid"] == uid and "deletionTimestamp" not in left["metadata"] and MARK not in left["metadata"]["labels"]
        out[unit, name] = {"delete", "kept"} if stays else {"delete"}
    for what, pods in after.pods.items():
        old = before.pods.get(what)
        if old is None:
            continue
        same = set(old) & set(pods)
        words = {"pauses"} if old and not pods else {"resumes"} if pods and not old else {"restarts"} if any(
            old[p] != pods[p] for p in same) else set()
        if words:
            out.setdefault(what, set()).update(words)
    for name, doc in s.status().items():
        for line in doc.get("lastError", {}).get("errors", []):
            if "cannot be changed on a volume that exists" in line:
                kind, claim = line.split(":")[0].split("/")[-2:]
                out["envs/" + name, "%s/%s" % (kind.lower(), claim)] = {"refused"}
        if doc.get("pending", {}).get("reason") in ("Invalid", "QuotaExceeded"):
            out["envs/" + name, ""] = {"invalid" if doc["pending"]["reason"] == "Invalid" else "waits"}
    return out


def words_of(found):
    return "\n".join("%s %s: %s" % (*k, " ".join(sorted(found[k]))) for k in sorted(found)) or "nothing"


def edit(s, title, files, *expected):
    """One edit: the plan's words are what happens. expected: words that must be among them, so that the edit is what it is called."""
    before, mark = look(s), s.cluster.mark()
    s.write(files)
    plan, text = planned(s), berth("plan", "-C", s.clone, "--base", "HEAD").out
    s.change({}, title)
    real = {}

    def same():
        real.clear()
        real.update(happened(s, before, look(s), mark) if settled(s) else {})
        return real == plan
    # what comes too late or is too much is found by the next edit, which did not say it either
    check("%s: the plan's words are what happens" % title, plan and until(same), "the plan said", words_of(plan), "and this happened",
          words_of(real), text)
    everything = set().union(*plan.values()) if plan else set()
    check("%s: it is %s" % (title, ", ".join(expected)), set(expected) <= everything, words_of(plan))


def back(s, files):
    """Files as they were, applied without looking."""
    s.change(files, "back")
    until(lambda: settled(s) and not [p for p in s.status().values() if p.get("lastError") or p.get("pending")])


def spec(*lines):
    return "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n" + "".join(lines)


def one_environment(s):
    one, two = "envs/alice/one.yaml", "envs/alice/two.yaml"
    edit(s, "an image", {one: spec(CPU, "  image: scipy\n")}, "change", "restarts")
    edit(s, "another flavor", {one: spec(GPU)}, "change", "restarts")
    edit(s, "two GPUs", {one: spec(GPU, "  resources: {gpu: 2}\n")}, "change", "restarts")
    edit(s, "cores", {one: spec(GPU, "  resources: {gpu: 2, cpu: 12}\n")}, "change", "restarts")
    edit(s, "memory", {one: spec(GPU, "  resources: {gpu: 2, cpu: 12, memory: 48Gi}\n")}, "change", "restarts")
    edit(s, "a variable", {one: spec(CPU, "  env: {A: b}\n")}, "change", "restarts")
    edit(s, "a label", {one: "apiVersion: berth.dev/v1\nkind: Environment\nmetadata: {labels: {project: vit}}\nspec:\n" + CPU + "  env: {A: b}\n"}, "change")
    edit(s, "a comment", {one: "# of interest to people\n" + s.read(one), two: spec(CPU, "  env: {B: c}\n")}, "change")
    edit(s, "a larger home", {one: spec(CPU, "  persistentHomeSize: 30Gi\n")}, "change")
    edit(s, "a smaller home", {one: spec(CPU, "  persistentHomeSize: 25Gi\n")}, "refused")
    back(s, {one: spec(CPU, "  persistentHomeSize: 30Gi\n")})
    volume = "  volumes:\n  - {name: work, size: 10Gi, class: shared-fs, access: RWX, path: /work}\n"
    edit(s, "a volume", {two: spec(CPU, volume)}, "create", "restarts")
    edit(s, "its class", {two: spec(CPU, volume.replace("shared-fs", "shared-wekafs"))}, "refused")
    back(s, {two: spec(CPU, volume)})
    edit(s, "no volume any more", {two: spec(CPU)}, "delete", "kept", "restarts")
    edit(s, "a shared claim", {"envs/bo/stays.yaml": spec(CPU, "  sharedVolumeClaimName: bo-shared\n")}, "create", "restarts")
    edit(s, "a web tool more", {two: spec(CPU, "  access: {web: [terminal, jupyter]}\n")}, "restarts")
    edit(s, "no web tools", {two: spec(CPU, "  access: {web: []}\n")}, "restarts")
    edit(s, "no SSH", {two: spec(CPU, "  enableSSH: false\n")}, "restarts")
    edit(s, "a load balancer", {two: spec(CPU, "  access: {ssh: {via: loadBalancer}}\n")}, "create")


def many_pods(s):
    job = "  mode: distributed\n  distributed: {worldSize: %d, nprocsPerNode: 1, backend: gloo}\n"
    path = "envs/alice/job.yaml"
    edit(s, "several pods instead of one", {path: spec(CPU, job % 2)}, "recreate", "restarts", "create")
    edit(s, "more of them", {path: spec(CPU, job % 3)}, "create")
    edit(s, "fewer", {path: spec(CPU, job % 2)}, "delete")
    edit(s, "one again", {path: spec(CPU)}, "recreate", "delete")


def life(s):
    path, purge = "envs/alice/two.yaml", "  lifecycle: {onDelete: purge}\n"
    edit(s, "paused", {path: spec(CPU, "  lifecycle: {paused: true}\n")}, "pauses")
    edit(s, "an image while paused", {path: spec(CPU, "  image: scipy\n  lifecycle: {paused: true}\n")}, "change")
    edit(s, "resumed", {path: spec(CPU, "  image: scipy\n")}, "resumes")
    edit(s, "renamed", {path: None, "envs/alice/deux.yaml": spec(CPU)}, "create", "delete", "kept")
    edit(s, "another owner", {"envs/alice/deux.yaml": None, "envs/bo/deux.yaml": spec(CPU)}, "create", "delete", "kept")
    edit(s, "onDelete: purge", {"envs/bo/deux.yaml": spec(CPU, purge)}, "change")
    edit(s, "deleted", {"envs/bo/deux.yaml": None}, "delete")
    edit(s, "one that is not valid", {"envs/bo/wrong.yaml": spec("  flavor: cpu-smal\n")}, "invalid")
    back(s, {"envs/bo/wrong.yaml": None})


def sums(s):
    """Limits on what several hold together: who waits, and who goes on when there is room."""
    s.change(s.edit("users/bo.yaml", ("spec:\n", "spec:\n  limits: {environments: 2}\n")), "two at most")
    edit(s, "one that fits", {"envs/bo/fits.yaml": spec(CPU)}, "create")
    edit(s, "one too many", {"envs/bo/waits.yaml": spec(CPU)}, "waits")
    said = berth("plan", "-C", s.clone, "--base", "HEAD~1")
    check("the plan says why, and where the limit is", "envs/bo/waits" in said.out and "QuotaExceeded: user 'bo' would hold 3 of 2 environments; limit "
          "set at users/bo.yaml:" in said.out and "1 WAITING for room" in said.out, said)
    edit(s, "room for it", {"envs/bo/fits.yaml": None}, "delete", "create")
    edit(s, "a change that asks for no more", {"envs/bo/waits.yaml": spec(CPU, "  env: {A: b}\n")}, "change", "restarts")
    back(s, {"users/bo.yaml": s.read("users/bo.yaml").replace("  limits: {environments: 2}\n", ""), "envs/bo/waits.yaml": None})


def shared_files(s):
    alice = "users/alice.yaml"
    edit(s, "another key of a user", s.edit(alice, ("sshKeys: [", "sshKeys: [" + KEY % 7 + " new, ")), "change")
    edit(s, "limits of a user", s.edit(alice, ("spec:\n", "spec:\n  limits: {gpu: 3}\n")), "change")
    edit(s, "another team", s.edit(alice, ("teams: [vision]", "teams: []")), "change")
    edit(s, "the file of a flavor", s.edit("flavors/cpu-small.yaml", ("memory: 8Gi", "memory: 9Gi")), "change", "restarts")
    edit(s, "a template of the organization", {"templates/env/extra.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${env.name}--extra\n"
                                               "data: {made: by the organization}\n"}, "create")
    edit(s, "a patch of a template", {"templates/env/service.patch.yaml": "metadata: {annotations: {example.com/note: patched}}\n"}, "change")
    edit(s, "the template is gone", {"templates/env/extra.yaml": None}, "delete")
    edit(s, "a new user", {"users/carol.yaml": s.read("users/bo.yaml").replace("bo@", "carol@").replace('uid: "', 'uid: "ca'),
                           "envs/carol/first.yaml": spec(CPU)}, "create")
    edit(s, "a user leaves", {"users/carol.yaml": None, "envs/carol/first.yaml": None}, "delete", "kept")


FILES = {"envs/alice/%s.yaml" % n: env_spec() for n in ("one", "two", "job")}
FILES["envs/bo/stays.yaml"] = env_spec()
with kube.Cluster(audit=True) as cluster:
    note("control plane in %.1f s" % cluster.took)
    cluster.grant()
    main = KubeSite("site", cluster, FILES, drop=["envs"])
    with main.running() as daemon:
        if not check("four environments are Ready", main.until_phase("Ready") and settled(main), daemon.log(), main.status()):
            done()
        one_environment(main)
        many_pods(main)
        life(main)
        sums(main)
        shared_files(main)
        check("the daemon is in good health", daemon.alive() and "rror:" not in daemon.log(), daemon.log())
done()

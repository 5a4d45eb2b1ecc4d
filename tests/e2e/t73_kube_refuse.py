#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What berth does not do: overwrite what is somebody else's, lose data, or let one bad object stand in the way of others. And what it
does when the server says no to a change: reports it in the server's words, or makes the object anew where nothing is lost."""
import kube
from kube import is_ready, managers
from kube_site import MARK, NO_ORG, KubeSite
from lab import check, done, env_spec, note, until

kube.skip_without_peers()
FOR_ONE = "$if: env.name == '%s'\nthen:\n%selse: {}\n"


def uid(thing):
    return thing and thing["metadata"]["uid"]


def sent(c, mark, name, verbs=("patch", "delete", "create")):
    """[(verb, resource, dry run?)] of what was sent for objects of a name, in order."""
    return [(e["verb"], e["objectRef"]["resource"], "dryRun=All" in e["requestURI"]) for e in c.audit(mark)
            if e["verb"] in verbs and e["objectRef"].get("name", name) == name and e["objectRef"]["resource"] != "leases"]


def well(s, env):
    return s.until_env(env, lambda d: d["phase"] == "Ready" and not d.get("lastError"))


def strangers(c, s):
    """Objects of the same names, made by somebody else before."""
    c.kubectl("create", "namespace", "dev-dana")
    c.kubectl("-n", "dev-alice", "create", "service", "clusterip", "taken", "--tcp=80:80")
    c.kubectl("-n", "dev-alice", "create", "configmap", "taken--keys", "--from-literal=authorized_keys=mine")
    old = [c.get("ns", None, "dev-dana"), c.get("svc", "dev-alice", "taken"), c.get("cm", "dev-alice", "taken--keys")]
    s.change({"envs/alice/taken.yaml": env_spec(), "users/dana.yaml": s.saved, "envs/dana/guest.yaml": env_spec()})
    doc = s.until_env("alice/taken", lambda d: d.get("lastError", {}).get("reason") == "Conflict" and len(d["lastError"]["errors"]) > 1)
    errors = doc["lastError"]["errors"] if doc else []
    check("a stranger's Service and ConfigMap: a conflict, both named, with whose they are", len(errors) == 2 and
          any("Service taken" in e and "kubectl-create" in e for e in errors) and
          any("ConfigMap taken--keys" in e and "kubectl-create" in e for e in errors), s.env("alice/taken"))
    check("it is Degraded: it runs in part", s.until_phase({"alice/taken": "Degraded"}) and
          s.condition("alice/taken", "Applied")[:2] == ("False", "Conflict"), s.env("alice/taken"))
    check("everything else of it is applied", c.wait_ready("dev-alice", "berth.dev/env=taken") and c.get("cm", "dev-alice", "taken--scripts"))
    told = until(lambda: "Namespace dev-dana" in str(s.repo_status()) and str(s.repo_status()))
    now = [c.get("ns", None, "dev-dana"), c.get("svc", "dev-alice", "taken"), c.get("cm", "dev-alice", "taken--keys")]
    check("a stranger's Namespace is reported with the repository, by its manager", told and "kubectl-create" in told, s.repo_status())
    doc = s.until_env("dana/guest", lambda d: d.get("lastError", {}).get("reason") == "NamespaceRefused")
    check("and nothing is put into it", doc and not [k for k in s.objects() if "dev-dana" in k], s.env("dana/guest"))
    check("none of the three was overwritten", [o["metadata"]["resourceVersion"] for o in old[1:]] ==
          [o["metadata"]["resourceVersion"] for o in now[1:]] and not any("berth" in m for o in now for m, _, _ in managers(o)), now)
    for what, ns in (("service/taken", "dev-alice"), ("configmap/taken--keys", "dev-alice")):
        c.kubectl("-n", ns, "annotate", what, "berth.dev/adopt=berth")
    c.kubectl("annotate", "namespace/dev-dana", "berth.dev/adopt=berth")
    check("handed over by the annotation they become berth's: Ready, as they were rendered",
          well(s, "alice/taken") and well(s, "dana/guest") and "mine" not in c.get("cm", "dev-alice", "taken--keys")["data"].get(
              "authorized_keys", "") and c.get("svc", "dev-alice", "taken")["spec"]["selector"], s.env("alice/taken"), s.env("dana/guest"))
    now = [c.get("ns", None, "dev-dana"), c.get("svc", "dev-alice", "taken"), c.get("cm", "dev-alice", "taken--keys")]
    ours = [o["metadata"].get("labels", {}).get(MARK) == s.applyset() for o in now]
    check("with our label, and the very objects where they could be changed", all(ours) and uid(now[0]) == uid(old[0]) and
          uid(now[2]) == uid(old[2]), ours, now[1])


def two_inventories(c, s):
    before = s.versions()
    other = KubeSite("other", c, NO_ORG, inventory="other")
    said = other.once()
    check("another inventory with the same names: refused object by object, exit 1", said.rc == 1 and
          "another ApplySet" in str(other.errors("alice/notebook")), said, other.env("alice/notebook"))
    check("and not one object of the first was touched", s.versions() == before)
    apart = KubeSite("apart", c, {**NO_ORG, "envs/alice/train.yaml": None, "envs/alice/vit.yaml": None, "envs/bo/genome.yaml": None,
                                  "envs/dana/shell.yaml": None}, inventory="apart", prefix="dev-two-")
    said = apart.once()
    check("side by side with another prefix: applied", said.rc == 0 and apart.applyset() != s.applyset() and
          len(apart.objects()) > 20 and not set(apart.objects()) & set(s.objects()), said)
    with apart.running():
        check("Ready", apart.until_phase("Ready"), apart.phases())
        apart.change({"envs/alice/notebook.yaml": None, "users/alice.yaml": None})
        check("what one deletes is only its own", until(lambda: not [k for k in apart.objects() if "dev-two-alice" in k]) and
              s.versions() == before, [k for k in apart.objects() if "dev-two-alice" in k])


def running(c, s, sts):
    """The pod of this very StatefulSet is Ready, and the status says so."""
    return until(lambda: [p for p in s.pods("alice/notebook") if uid(sts) in str(p["metadata"].get("ownerReferences")) and is_ready(p)]) and \
        c.get("pvc", "dev-alice", "home-notebook-0") and well(s, "alice/notebook")


def made_anew(c, s):
    """Fields of a StatefulSet that cannot be changed, by an organization's template."""
    old, home, mark = c.get("sts", "dev-alice", "notebook"), c.get("pvc", "dev-alice", "home-notebook-0"), c.mark()
    other = uid(c.get("sts", "dev-alice", "calm"))
    s.change({"templates/env/statefulset.patch.yaml": FOR_ONE % ("notebook", "  spec: {serviceName: elsewhere}\n")})
    new = c.wait_for("sts", "dev-alice", "notebook", lambda o: uid(o) != uid(old) and o["spec"]["serviceName"] == "elsewhere")
    steps = [(v, d) for v, r, d in sent(c, mark, "notebook") if r == "statefulsets"]
    check("another serviceName: asked by a dry run, then made anew", new and ("create", True) in steps and
          steps.index(("create", True)) < steps.index(("delete", False)), steps, s.env("alice/notebook"))
    check("the volume is the same and the environment Ready again", running(c, s, new) and
          uid(c.get("pvc", "dev-alice", "home-notebook-0")) == uid(home), s.env("alice/notebook"))
    check("nobody else's was", uid(c.get("sts", "dev-alice", "calm")) == other)
    s.change({"templates/env/statefulset.patch.yaml": FOR_ONE % (
        "notebook", "  spec:\n    serviceName: elsewhere\n    volumeClaimTemplates:\n    - metadata: {name: more}\n      spec:\n"
        "        accessModes: [ReadWriteOnce]\n        resources: {requests: {storage: 1Gi}}\n")})
    last = c.wait_for("sts", "dev-alice", "notebook", lambda o: uid(o) != uid(new) and o["spec"].get("volumeClaimTemplates"))
    check("volumeClaimTemplates: the same", last and running(c, s, last), s.env("alice/notebook"))
    s.change({"templates/env/statefulset.patch.yaml": FOR_ONE % ("notebook", "  spec: {serviceName: third, replicas: -1}\n")})
    doc = s.until_env("alice/notebook", lambda d: "spec.replicas" in str(d.get("lastError")))
    check("what the dry run refuses is not deleted, and said in the server's words", doc and uid(c.get("sts", "dev-alice", "notebook")) == uid(last)
          and is_ready(s.pods("alice/notebook")[0]), doc)
    s.change({"templates/env/statefulset.patch.yaml": FOR_ONE % ("notebook", "  spec: {serviceName: elsewhere}\n")})
    less = c.wait_for("sts", "dev-alice", "notebook", lambda o: uid(o) != uid(last) and not o["spec"].get("volumeClaimTemplates"))
    check("volumeClaimTemplates that are taken away: the same", less and running(c, s, less), s.env("alice/notebook"))
    s.change({"templates/env/statefulset.patch.yaml": None})
    back = c.wait_for("sts", "dev-alice", "notebook", lambda o: o["spec"]["serviceName"] == "notebook")
    check("mended by a commit", back and running(c, s, back), s.env("alice/notebook"), s.pods("alice/notebook"))


def another_mode(c, s):
    """What a user does to the same fields without knowing."""
    pair = env_spec(more="  mode: distributed\n  distributed: {worldSize: 2, nprocsPerNode: 1, backend: gloo}\n")
    s.change({"envs/alice/pair.yaml": pair})
    check("a distributed environment: two pods", well(s, "alice/pair") and len(s.pods("alice/pair")) == 2, s.env("alice/pair"))
    claims = [uid(c.get("pvc", "dev-alice", "home-pair-%d" % i)) for i in (0, 1)]
    s.change({"envs/alice/pair.yaml": env_spec()})
    check("made standalone: one pod, with the home that it had", until(lambda: len(s.pods("alice/pair")) == 1) and well(s, "alice/pair") and
          uid(c.get("pvc", "dev-alice", "home-pair-0")) == claims[0], s.env("alice/pair"), s.errors("alice/pair"))
    other = c.wait_for("pvc", "dev-alice", "home-pair-1", lambda o: o["metadata"]["labels"].get("berth.dev/retained"))
    check("and the other home is kept", other and uid(other) == claims[1], other)
    s.change({"envs/alice/pair.yaml": pair})
    check("distributed again: both homes are those of before", until(lambda: len(s.pods("alice/pair")) == 2) and well(s, "alice/pair") and
          [uid(c.get("pvc", "dev-alice", "home-pair-%d" % i)) for i in (0, 1)] == claims, s.env("alice/pair"))


def volumes(c, s):
    def disk():
        return c.get("pvc", "dev-alice", "home-calm-0")
    first = disk()
    s.change({"envs/alice/calm.yaml": env_spec(more="  persistentHomeSize: 40Gi\n")})
    check("a claim grows in place", c.wait_for("pvc", "dev-alice", "home-calm-0", lambda o: o["spec"]["resources"]["requests"]["storage"] == "40Gi")
          and uid(disk()) == uid(first) and s.until_phase({"alice/calm": "Ready"}), disk(), s.env("alice/calm"))
    s.change({"envs/alice/calm.yaml": env_spec(more="  persistentHomeSize: 10Gi\n")})
    doc = s.until_env("alice/calm", lambda d: str(d.get("lastError", {}).get("reason")) == "DataAtStake")
    check("it does not shrink: DataAtStake, with what to do", doc and "home-calm-0" in str(s.errors("alice/calm")) and
          "spec.resources.requests.storage" in str(s.errors("alice/calm")) and "copy the data" in str(s.errors("alice/calm")), s.env("alice/calm"))
    check("and is as it was, in use", uid(disk()) == uid(first) and disk()["spec"]["resources"]["requests"]["storage"] == "40Gi" and
          is_ready(s.pods("alice/calm")[0]), disk())
    patch = FOR_ONE.replace("env.name", "object.metadata.name") % ("home-calm-0", "  spec: {storageClassName: efs}\n")
    s.change({"envs/alice/calm.yaml": env_spec(more="  persistentHomeSize: 40Gi\n"), "templates/env/claims.patch.yaml": patch})
    doc = s.until_env("alice/calm", lambda d: "spec.storageClassName" in str(d.get("lastError")))
    check("another class for a volume that exists: DataAtStake too", doc and doc["lastError"]["reason"] == "DataAtStake" and
          uid(disk()) == uid(first) and disk()["spec"]["storageClassName"] == "gp3", doc)
    s.change({"templates/env/claims.patch.yaml": None})
    check("put back, all is well", well(s, "alice/calm"), s.env("alice/calm"))


def bad_objects(c, s):
    """What the server would never take, in one environment's objects."""
    before = {k: v for k, v in s.versions().items() if "calm" in k}
    s.change({"envs/bo/bad.yaml": env_spec(), "envs/bo/good.yaml": env_spec(),
              "templates/env/statefulset.patch.yaml": FOR_ONE % ("bad", "  spec:\n    shoeSize: 43\n    template: {spec: {nonsense: true}}\n"),
              "templates/env/service.patch.yaml": FOR_ONE % ("bad", "  spec: {ports: [{name: a, port: 99999}]}\n"),
              "templates/env/gate.yaml": FOR_ONE.replace("else: {}\n", "") % (
                  "bad", "  apiVersion: example.com/v1\n  kind: Teleporter\n  metadata: {name: bad}\n  spec: {}\n")})
    doc = s.until_env("bo/bad", lambda d: len(d.get("lastError", {}).get("errors", [])) == 3)
    errors = "\n".join(doc["lastError"]["errors"] if doc else s.errors("bo/bad"))
    # of several unknown fields the server names one, or all: it is its map's order that decides
    check("three bad objects: three errors in the status, in the server's words", doc and "field not declared in schema" in errors and
          (".spec.shoeSize" in errors or ".spec.template.spec.nonsense" in errors) and "spec.ports[0].port" in errors and
          "99999" in errors and "must be between 1 and 65535" in errors, s.env("bo/bad"))
    check("of a kind that is not served too, with what to do", "does not serve example.com/v1 Teleporter" in errors and "install" in errors, errors)
    check("what is good of it is there", c.get("cm", "dev-bo", "bad--scripts") and c.get("pvc", "dev-bo", "home-bad-0") and
          not c.get("sts", "dev-bo", "bad"))
    check("it has failed, and its neighbour is Ready", s.until_phase({"bo/bad": "Failed", "bo/good": "Ready"}), s.phases())
    check("others were not touched", {k: v for k, v in s.versions().items() if "calm" in k} == before)
    mark = c.mark()
    commit, _ = s.change({"templates/env/statefulset.patch.yaml": None, "templates/env/service.patch.yaml": None, "templates/env/gate.yaml": None})
    tried = [r for v, r, _ in sent(c, mark, "bad")]
    check("mended by a commit: sent with it, whatever the pause of a refused object", "statefulsets" in tried and "services" in tried, commit, tried)
    check("and Ready, without an error", well(s, "bo/bad"), s.env("bo/bad"))


FILES = {"envs/%s.yaml" % e: env_spec() for e in ("alice/notebook", "alice/calm")}
with kube.Cluster(audit=True, nodes=["cpu/zone-a", "cpu/zone-b"]) as cluster:
    note("control plane in %.1f s" % cluster.took)
    cluster.grant()
    main = KubeSite("site", cluster, FILES, drop=["envs"])
    main.saved = main.read("users/dana.yaml")
    main.push({"users/dana.yaml": None})
    with main.running() as daemon:
        check("at first all is well", main.until_phase("Ready"), main.phases())
        strangers(cluster, main)
        two_inventories(cluster, main)
        made_anew(cluster, main)
        another_mode(cluster, main)
        volumes(cluster, main)
        bad_objects(cluster, main)
        check("the daemon is in good health", daemon.alive() and "rror:" not in daemon.log(), daemon.log())
    marked, last = cluster.mark(), main.versions()
    again = main.once()
    check("after all that a second pass has nothing to do", again.rc == 0 and not cluster.writes(marked) and main.versions() == last, again,
          cluster.writes(marked))
done()

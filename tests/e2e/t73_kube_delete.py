#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What goes, and in which order: environments, users, moves, many at once, an organization's template. Data stays unless it was said."""
import kube
from kube import is_ready
from kube_site import MARK, KubeSite
from lab import STATUS, berth, check, done, env_spec, git, note, until

kube.skip_without_peers()
RETAINED = "berth.dev/retained"
EXTRA = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${env.name}--extra\ndata: {made: by the organization}\n"
ENVS = ["alice/" + n for n in ("going", "moving", "renaming", "stay1", "stay2")] + ["bo/purged", "bo/many1", "bo/many2", "bo/many3", "bo/many4"]


def claim(c, namespace, name):
    return c.get("pvc", namespace, name)


def kept(thing):
    """Nobody's, and waiting for its unit to come back."""
    labels = thing["metadata"].get("labels", {}) if thing else {}
    return labels.get(RETAINED) == "true" and MARK not in labels and "deletionTimestamp" not in thing["metadata"]


def owned(s, thing):
    labels = thing["metadata"].get("labels", {}) if thing else {}
    return labels.get(MARK) == s.applyset() and RETAINED not in labels


def history(s, env):
    """Its phases on the status branch, oldest first, Gone at the end when it has no file any more."""
    path, out = "envs/%s.yaml" % env, []
    for commit in reversed(git(s.bare, "rev-list", STATUS, "--", path).splitlines()):
        text = s.show(commit, path)
        out.append(text.split("\nphase: ")[1].split("\n")[0] if text else "Gone")
    return [p for i, p in enumerate(out) if i == 0 or out[i - 1] != p]


def gone(s, env):
    return until(lambda: env not in s.phases())


def an_environment(c, s):
    ns, uid, mark = "dev-alice", claim(c, "dev-alice", "home-going-0")["metadata"]["uid"], c.mark()
    c.stop_part("kwok")  # no kubelet: the pod does not end
    s.change({"envs/alice/going.yaml": None})
    check("a deleted environment is Deleting for as long as its pod ends", s.until_phase({"alice/going": "Deleting"}), s.env("alice/going"))
    check("and what the pod needs is still there", all(c.get(k, ns, n) for k, n in (("cm", "going--scripts"), ("svc", "going"))))
    c.start_part("kwok")
    check("then it is gone from the status", gone(s, "alice/going"), s.env("alice/going"))
    check("it went by Deleting to Gone", history(s, "alice/going")[-2:] == ["Deleting", "Gone"], history(s, "alice/going"))
    said = berth("log", "alice/going", "-C", s.bare)
    check("berth log tells it", "Ready..Deleting" in said.out and "Deleting..Gone" in said.out, said)
    left = [k for k in c.marked("berth.dev/managed") if "going" in k]
    check("of its objects only the claim is left", left == ["persistentvolumeclaims/dev-alice/home-going-0"] and
          not s.pods("alice/going"), left)
    writes = [(e["verb"], e["objectRef"]["resource"]) for e in c.writes(mark) if "going" in e["objectRef"].get("name", "")]
    check("what runs goes first, then what it needs", writes[0] == ("delete", "statefulsets") and
          set(writes[1:]) == {("delete", "configmaps"), ("delete", "services"), ("patch", "persistentvolumeclaims")}, writes)
    check("the claim stays and is nobody's, with its data", kept(claim(c, ns, "home-going-0")) and
          claim(c, ns, "home-going-0")["metadata"]["uid"] == uid, claim(c, ns, "home-going-0"))
    s.change({"envs/alice/going.yaml": env_spec()})
    back = claim(c, ns, "home-going-0")
    check("the environment comes back and takes the old claim over", s.until_phase({"alice/going": "Ready"}) and
          back["metadata"]["uid"] == uid and owned(s, claim(c, ns, "home-going-0")), back, s.env("alice/going"))


def purge(c, s):
    s.change({"envs/bo/purged.yaml": None})
    check("onDelete: purge takes the claim too", gone(s, "bo/purged") and c.wait_gone("pvc", "dev-bo", "home-purged-0"),
          claim(c, "dev-bo", "home-purged-0"))


def a_user(c, s):
    before = c.get("ns", None, "dev-dana")["metadata"]["uid"]
    disk = claim(c, "dev-dana", "dana-shared")["metadata"]["uid"]
    text = {p: s.read(p) for p in ("users/dana.yaml", "envs/dana/last.yaml")}
    fence = [m["name"] for k, m in s.objects().items() if "/dev-dana/" in k and "networkpolicies" in k]
    c.stop_part("kwok")
    s.change(dict.fromkeys(text))
    check("while the last pod ends, its network policies and quota stay", s.until_phase({"dana/last": "Deleting"}) and len(fence) > 3 and
          all(c.get("netpol", "dev-dana", f) for f in fence) and c.get("quota", "dev-dana", "berth"), s.objects())
    c.start_part("kwok")
    check("a user goes with everything", gone(s, "dana/last") and until(lambda: not [k for k in s.objects() if "dev-dana" in k]),
          [k for k in s.objects() if "dev-dana" in k], s.env("dana/last"))
    left = {k.split("/")[0]: m["name"] for k, m in c.marked("berth.dev/managed").items() if "dev-dana" in k}
    check("but for the namespace and the claims", kept(c.get("ns", None, "dev-dana")) and kept(claim(c, "dev-dana", "dana-shared")) and
          kept(claim(c, "dev-dana", "home-last-0")) and set(left) == {"namespaces", "persistentvolumeclaims"}, left)
    s.change(text)
    check("the user comes back to the same namespace and volumes", s.until_phase({"dana/last": "Ready"}) and
          c.get("ns", None, "dev-dana")["metadata"]["uid"] == before and owned(s, c.get("ns", None, "dev-dana")) and
          claim(c, "dev-dana", "dana-shared")["metadata"]["uid"] == disk and owned(s, claim(c, "dev-dana", "dana-shared")),
          s.env("dana/last"))


def moves(c, s):
    s.change({"envs/alice/moving.yaml": None, "envs/bo/moving.yaml": s.read("envs/alice/moving.yaml")})
    check("an environment moves to another owner: there it becomes Ready, here it is gone", s.until_phase({"bo/moving": "Ready"}) and
          gone(s, "alice/moving") and c.wait_gone("sts", "dev-alice", "moving"), s.phases())
    check("its data stays where it is, kept, and the new home is another", kept(claim(c, "dev-alice", "home-moving-0")) and
          owned(s, claim(c, "dev-bo", "home-moving-0")))
    s.change({"envs/alice/renaming.yaml": None, "envs/alice/renamed.yaml": s.read("envs/alice/renaming.yaml")})
    check("one is renamed: the same", s.until_phase({"alice/renamed": "Ready"}) and gone(s, "alice/renaming") and
          c.wait_gone("sts", "dev-alice", "renaming") and kept(claim(c, "dev-alice", "home-renaming-0")), s.phases())


def many(c, s):
    before, mark = s.versions(), c.mark()
    victims = ["bo/many1", "bo/many2", "bo/many3", "bo/many4"]
    _, line = s.change({"envs/%s.yaml" % v: None for v in victims})
    check("4 of 11 files deleted at once: held, and nothing is written", line and ("4 held" in line or "4 waiting" in line), line)
    check("no object of them moved", not [e for e in c.writes(mark) if e["verb"] == "delete"] and s.versions() == before, c.writes(mark))
    check("log and status name the way out", "Berth-Allow-Delete: 4" in s.now.log() and until(lambda: all(
        "Berth-Allow-Delete: 4" in str(s.env(v)) for v in victims)), s.env(victims[0]))
    s.change({"envs/bo/other.yaml": env_spec()}, "life goes on")
    check("others are applied meanwhile", s.until_phase({"bo/other": "Ready"}) and c.get("sts", "dev-bo", "many1"), s.env("bo/other"))
    s.change({}, "yes, really\n\nBerth-Allow-Delete: 4")
    check("the trailer releases them", all([gone(s, v) for v in victims]) and not [k for k in s.objects() if "many" in k], s.phases())
    check("their claims are kept", all(kept(claim(c, "dev-bo", "home-many%d-0" % i)) for i in (1, 2, 3, 4)))


def taken_up(c, s):
    """A process that was killed when the deletions were through and the parent did not have the commit that asked for them: its trailer counts once."""
    first, second = (["bo/%s%d" % (word, i) for i in range(4)] for word in ("away", "still"))
    with s.running():
        s.change({"envs/%s.yaml" % n: env_spec() for n in first + second}, "eight more")
        check("eight more are Ready", s.until_phase("Ready"), s.phases())
        old = s.parent()["data"]["sourceCommit"]
        asked, _ = s.change({"envs/%s.yaml" % n: None for n in first}, "away\n\nBerth-Allow-Delete: 4")
        check("what was allowed is gone", all([gone(s, n) for n in first]) and until(lambda: not s.parent()["data"].get("deleting")), s.parent())
    now = s.parent()
    c.apply("cm", now["metadata"]["namespace"], {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {k: now["metadata"][k] for k in ("name", "labels", "annotations")},
                                                 "data": {"sourceCommit": old, "deleting": "\n".join("envs/" + n for n in first)}}, "berth", force=True)
    with s.running():
        check("the next one takes them off the list", until(lambda: not s.parent()["data"].get("deleting")), s.parent())
    check("and the commit that asked for them is remembered", old != asked and s.parent()["data"]["sourceCommit"] == asked, old, asked, s.parent())
    s.push({"envs/%s.yaml" % n: None for n in second}, "four more, which nobody allowed")
    folder, s.folder = s.folder, s.state()
    with s.running() as d:
        check("who knows nothing of before does not take that word for these", until(lambda: all("Berth-Allow-Delete: 4" in str(s.env(n)) for n in second)) and
              all(c.get("sts", "dev-bo", n.split("/")[1]) for n in second), d.log())
    s.folder = folder
    s.push({"envs/%s.yaml" % n: env_spec() for n in second}, "back")


def a_template(c, s):
    def extras():
        return {m["name"] for k, m in s.objects().items() if k.startswith("configmaps/") and k.endswith("--extra")}
    s.change({"templates/env/extra.yaml": EXTRA})
    names = {n.split("/")[1] + "--extra" for n in s.wanted()}
    check("an organization's template adds its object to every environment", until(lambda: extras() == names), extras())
    c.stop_part("kwok")
    old = s.pods("alice/stay1")[0]["metadata"]["uid"]
    s.change({"templates/env/extra.yaml": None, **s.edit("envs/alice/stay1.yaml", ("spec:\n", "spec:\n  env: {NEW: pod}\n"))})
    check("the template goes: so does its object, everywhere but where something new is not Ready yet",
          until(lambda: extras() == {"stay1--extra"}), extras())
    new = until(lambda: [p for p in s.pods("alice/stay1") if p["metadata"]["uid"] != old or "deletionTimestamp" in p["metadata"]])
    check("for its pod is being made anew", new and not (new[0]["metadata"]["uid"] != old and is_ready(new[0])), new)
    c.start_part("kwok")
    check("and there too once the pod is Ready", until(lambda: not extras()) and s.until_phase({"alice/stay1": "Ready"}) and
          is_ready(s.pods("alice/stay1")[0]), extras(), s.env("alice/stay1"))
    check("nobody else was touched by it", s.until_phase("Ready"), s.phases())


def blind(c, s):
    """The answer to a write comes before the watch tells of it: until then nobody knows whether all is well."""
    def extras():
        return {m["name"] for k, m in s.objects().items() if k.startswith("configmaps/") and k.endswith("--extra")}
    s.push({"templates/env/extra.yaml": EXTRA})
    check("a template again, and nothing is watched that runs pods", s.once().rc == 0 and "stay2--extra" in extras(), extras())
    proxy = kube.Proxy(c, plan={"rules": [{"do": "stall", "name": "blind", "path": "/statefulsets", "watch": True, "events": 0}]})
    s.now = kube.KubeDaemon(s.bare, s.folder, c.kubeconfig(port=proxy.port), *s.args)
    s.looked(s.tip("main"))
    s.change({"templates/env/extra.yaml": None, **s.edit("envs/alice/stay2.yaml", ("spec:\n", "spec:\n  env: {NEW: pod}\n"))})
    early = until(lambda: extras() == {"stay2--extra"}) and until(lambda: not extras(), 3)
    check("what is old stays until the watch says that the new is well", proxy.counts()["blind"] and not early and extras() == {"stay2--extra"},
          proxy.counts(), extras(), s.now.log())
    proxy.rules()
    check("and then goes", until(lambda: not extras()), extras(), s.env("alice/stay2"))
    s.now.stop()
    proxy.stop()


FILES = {"envs/%s.yaml" % e: env_spec(more="  lifecycle: {onDelete: purge}\n" if "purged" in e else "") for e in ENVS}
FILES["envs/dana/last.yaml"] = env_spec(more="  sharedVolumeClaimName: dana-shared\n")
with kube.Cluster(audit=True, nodes=["cpu/zone-a", "cpu/zone-b", "cpu/zone-b", "cpu/zone-a"]) as cluster:
    note("control plane in %.1f s" % cluster.took)
    cluster.grant()
    main = KubeSite("site", cluster, FILES, drop=["envs"])
    if "sharedVolume" not in main.read("users/dana.yaml"):
        main.push(main.edit("users/dana.yaml", ("spec:\n", "spec:\n  sharedVolume: {size: 10Gi, class: shared-fs}\n")))
    with main.running() as daemon:
        check("eleven environments are Ready", main.until_phase("Ready"), main.phases())
        an_environment(cluster, main)
        purge(cluster, main)
        a_user(cluster, main)
        moves(cluster, main)
        many(cluster, main)
        a_template(cluster, main)
        check("the daemon is in good health", daemon.alive() and "rror:" not in daemon.log(), daemon.log())
    check("the parent remembers no deletion that is through", "deleting" not in main.parent()["data"], main.parent()["data"])
    before, mark = main.versions(), cluster.mark()
    said = main.once()
    check("after all that a second pass has nothing to do", said.rc == 0 and not cluster.writes(mark) and main.versions() == before, said,
          cluster.writes(mark))
    check("nothing with our label belongs to no environment, user or team",
          {m["annotations"]["berth.dev/unit"] for m in main.objects().values()} ==
          {"org"} | {"envs/" + n for n in main.wanted()} | {"users/" + u for u in ("alice", "bo", "dana")},
          sorted({m["annotations"]["berth.dev/unit"] for m in main.objects().values()}))
    blind(cluster, main)
    main.push({"users/dana.yaml": None, "envs/dana/last.yaml": None, "envs/alice/going.yaml": None})
    said = main.once()
    check("one pass deletes to the end: exit 0, nothing left but data, and Gone in the status", said.rc == 0 and not [
        k for k in main.objects() if "dev-dana" in k or "going" in k] and "dana/last" not in main.phases(), said, main.phases())
    mark, said = cluster.mark(), main.once()
    check("and leaves nothing to write for the next one", said.rc == 0 and not cluster.writes(mark) and "deleting" not in main.parent()["data"],
          said, cluster.writes(mark))
    taken_up(cluster, main)
done()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an environment that stays as it is needs of its owner's own set (namespace, quota, policies) stays too: while its newest
spec has errors or waits for room, in the same process and after a restart, also when nothing is known of what is live."""
import os

from lab import RENDERED, STATUS, Daemon, Site, berth, check, done, git, until

SPEC = """apiVersion: berth.dev/v1
kind: Environment
spec:
  flavor: %s
  resources: {gpu: %d}
  packages: {apt: [htop]}
  access: {ssh: {via: loadBalancer}, ports: [6006]}
  sharedVolumeClaimName: alice-two
"""
FLAVOR = """apiVersion: berth.dev/v1
kind: Flavor
spec:
  resources: {requests: {cpu: 1, memory: 4Gi, nvidia.com/gpu: 1}, limits: {cpu: 2, memory: 4Gi, nvidia.com/gpu: 1}}
  max: {gpu: 8, memory: 64Gi}
  rootEntry: true
"""
ENV, SMALL = "envs/alice/box.yaml", "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: root\n  resources: {gpu: %d}\n"
OTHER = "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n  sharedVolumeClaimName: alice-new\n"


def owners_set(site):
    return {p: site.show(RENDERED, p) for p in site.names(RENDERED, "users/alice")}


def looked(site, daemon, commit):
    return until(lambda: "%.12s: " % commit in daemon.log()) and until(lambda: not any(d.get("phase") is None for d in site.status().values()))


site = Site("site", {"flavors/root.yaml": FLAVOR, ENV: SPEC % ("root", 1)})
text = site.read("teams/vision.yaml")
site.write({"teams/vision.yaml": text.replace("gpu-small,", "gpu-small, root,"),
            "users/alice.yaml": site.read("users/alice.yaml").replace("spec:", "spec:\n  limits: {gpu: 30, environments: 20}", 1)})
state = site.state()
site.push(message="set-up")
daemon = Daemon(site.bare, state)
good = until(lambda: site.phases().get("alice/box") == "Rendered" and site.repo_status())
first = owners_set(site)
shown = "\n".join(first.values())
check("the set has what the environment needs", good and "enforce: baseline" in shown and "6006" in shown and "alice-two" in shown and
      'services.loadbalancers: "2"' in shown, site.status().get("alice/box"), shown[-3000:])

for name, spec in (("a flavor that is not there", SPEC % ("rooot", 1)), ("a file that is no document", "{"),
                   ("more than a limit lets", SMALL % 40)):
    commit = site.push({ENV: spec}, name)
    good = looked(site, daemon, commit) and until(lambda: site.status().get("alice/box", {}).get("pending"))
    check("%s: it is pending, and its owner's set is as it was" % name, good and owners_set(site) == first,
          {p: owners_set(site).get(p) for p in first if owners_set(site).get(p) != first[p]}, site.status().get("alice/box"))
    check("%s: the daemon stops" % name, daemon.stop() == 0)
    daemon = Daemon(site.bare, state)
    check("%s: after a restart too" % name, looked(site, daemon, commit) and owners_set(site) == first)

plan = berth("plan", "-C", site.clone, "HEAD~1..HEAD")
commit = site.push({"envs/alice/other.yaml": OTHER}, "another one beside it")
check("another environment gets what it needs beside that", looked(site, daemon, commit) and until(
    lambda: any("alice-new" in t for t in owners_set(site).values())) and all(owners_set(site).get(p) == first[p] for p in first
                                                                               if "kustomization" not in p), sorted(owners_set(site)))
site.write({ENV: SPEC % ("rooot", 1)})
plan = berth("plan", "-C", site.clone)
check("plan says that nothing of the set changes", plan.rc in (0, 1) and "users/alice" not in plan.out, plan)

daemon.stop()
git(site.bare, "update-ref", "-d", "refs/heads/" + STATUS)
before = owners_set(site)
commit = site.push({ENV: SPEC % ("rooot", 1)}, "nothing is known of what is live")
daemon = Daemon(site.bare, site.state())
check("the status is lost: what is there stays", looked(site, daemon, commit) and owners_set(site) == before)

commit = site.push({ENV: SMALL % 1}, "it asks for less")
check("mended: the set has what is needed now", looked(site, daemon, commit) and until(
    lambda: "6006" not in "\n".join(owners_set(site).values())) and "enforce: restricted" in "\n".join(owners_set(site).values()),
    owners_set(site).keys())
check("the daemon stops", daemon.stop() == 0, daemon.log())
done()

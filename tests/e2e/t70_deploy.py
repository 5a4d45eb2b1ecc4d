#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""deploy/kubernetes: berth's rights are what templates/ needs and nothing more, and its pods are locked down. No cluster."""
import os
import re

import yaml

from lab import TOP, berth, check, done, folder

HERE = os.path.join(TOP, "deploy", "kubernetes")
WRITE = {"get", "list", "watch", "create", "patch", "delete"}
READ = {"get", "list", "watch"}
USER_ROLE = "berth-environment-user"
# of kinds whose plural is not the name and an s
PLURAL = {"NetworkPolicy": "networkpolicies", "PriorityClass": "priorityclasses"}
CORE, RBAC = "", "rbac.authorization.k8s.io"


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def documents(*names):
    out = []
    for name in names:
        out += [d for d in yaml.safe_load_all(read(os.path.join(HERE, name))) if d]
    return out


def strings(node):
    if isinstance(node, dict):
        for k, v in node.items():
            yield from strings(k)
            yield from strings(v)
    elif isinstance(node, list):
        for v in node:
            yield from strings(v)
    elif isinstance(node, str):
        yield node


def plural(kind):
    return PLURAL.get(kind, kind.lower() + "s")


def template_kinds():
    """(group, kind) of every object that a template makes: what stands one below the other in the text."""
    found = {}
    for root, _, names in os.walk(os.path.join(TOP, "templates")):
        for name in names:
            if name.endswith(".yaml"):
                path = os.path.join(root, name)
                for api, kind in re.findall(r"(?m)^[ -]*apiVersion: (\S+)\n *kind: (\S+)$", read(path)):
                    found[(api.rpartition("/")[0], kind)] = os.path.relpath(path, TOP)
    return found


def verbs_on(rules, group, resource, name=None):
    """What the rules allow on all objects of a resource, and on the one of that name."""
    out = set()
    for r in rules:
        if group in r["apiGroups"] and resource in r["resources"] and (not r.get("resourceNames") or name in r["resourceNames"]):
            out |= set(r["verbs"])
    return out


def rules_of(docs):
    """Rules of the ClusterRoles that a ClusterRoleBinding gives to berth's account, and nothing else may be bound."""
    me = [{"kind": "ServiceAccount", "name": "berth", "namespace": "berth-system"}]
    roles = {d["metadata"]["name"]: d["rules"] for d in docs if d["kind"] == "ClusterRole"}
    bound = [d["roleRef"]["name"] for d in docs if d["kind"] == "ClusterRoleBinding" and d["subjects"] == me]
    return [r for name in bound for r in roles[name]], len(bound) == sum(d["kind"] == "ClusterRoleBinding" for d in docs)


def flat(rules):
    return {(g, res, v) for r in rules for g in r["apiGroups"] for res in r["resources"] for v in r["verbs"]}


kustomization = documents("kustomization.yaml")[0]
docs = documents(*kustomization["resources"])
files = sorted(n for n in os.listdir(HERE) if n.endswith(".yaml") and n != "kustomization.yaml")
check("every file is in the kustomization", sorted(kustomization["resources"]) == files, kustomization["resources"], files)

everything = docs + documents("narrow/kustomization.yaml", "narrow/clusterrole-environment-user.yaml")
stars = [s for d in everything for s in strings(d) if "*" in s]
check("no * anywhere", not stars, stars)

# -- rights --------------------------------------------------------------------------------------------------------

rules, only_me = rules_of(docs)
check("all cluster-wide rights are for berth's own account", only_me and rules)
kinds = template_kinds()
check("the templates were read", {("", "Namespace"), ("apps", "StatefulSet"), (RBAC, "ClusterRole"),
                                  ("kueue.x-k8s.io", "ClusterQueue")} <= set(kinds) and len(kinds) >= 15, kinds)
for (group, kind), where in sorted(kinds.items()):
    name = USER_ROLE if kind == "ClusterRole" else None
    missing = WRITE - verbs_on(rules, group, plural(kind), name)
    check("%s of %s: every verb that is needed" % (kind, where), not missing, sorted(missing))
check("secrets are covered", WRITE <= verbs_on(rules, CORE, "secrets"))
for resource in "pods", "events":
    got = verbs_on(rules, CORE, resource)
    check("%s are read and never written" % resource, got == READ, sorted(got))

needed = {(g, plural(k)) for g, k in kinds} | {(CORE, "secrets"), ("external-secrets.io", "externalsecrets")}
held = {("", "pods/log"), ("", "pods/exec"), ("", "pods/attach"), ("", "pods/portforward")}
extra = {(g, res) for g, res, v in flat(rules) if v not in READ} - needed - held
check("nothing is written that no template makes", not extra, sorted(extra))
verbs = {v for _, _, v in flat(rules)}
check("no verb but those and bind", verbs == WRITE | {"bind"}, sorted(verbs))

binds = [r for r in rules if "bind" in r["verbs"]]
check("bind on one ClusterRole, by name",
      binds == [{"apiGroups": [RBAC], "resources": ["clusterroles"], "resourceNames": [USER_ROLE], "verbs": ["bind"]}], binds)
check("no other ClusterRole is written", verbs_on(rules, RBAC, "clusterroles") == READ)
check("that one is", verbs_on(rules, RBAC, "clusterroles", USER_ROLE) == WRITE | {"bind"})
check("no Role, ClusterRoleBinding or pod is written",
      not any(verbs_on(rules, RBAC, r) for r in ("roles", "clusterrolebindings")) and "create" not in verbs_on(rules, CORE, "pods"))

template = yaml.safe_load(read(os.path.join(TOP, "templates", "org", "clusterrole.yaml")))
lacking = flat(template["rules"]) - flat(rules)
check("berth holds what it grants: the API server asks for that", template["metadata"]["name"] == USER_ROLE and not lacking, sorted(lacking))

own = [d for d in docs if d["kind"] == "Role"]
leases = verbs_on(own[0]["rules"], "coordination.k8s.io", "leases")
check("the lease and the inventories in its own namespace",
      len(own) == 1 and own[0]["metadata"]["namespace"] == "berth-system" and {"get", "create", "update", "patch"} <= leases and
      WRITE <= verbs_on(own[0]["rules"], CORE, "configmaps"), own)
check("leases nowhere else", not verbs_on(rules, "coordination.k8s.io", "leases"))

# -- the fence -------------------------------------------------------------------------------------------------------

fence = [d for d in docs if d["kind"] == "ValidatingAdmissionPolicy"][0]["spec"]
covered = {(g, res) for r in fence["matchConstraints"]["resourceRules"] for g in r["apiGroups"] for res in r["resources"]}
cluster_wide = {"priorityclasses", "clusterroles", "resourceflavors", "clusterqueues"}
check("the fence knows every namespaced kind", {n for n in needed if n[1] not in cluster_wide} <= covered,
      sorted(needed - covered))
check("the fence closes what is only held", {h for h in held if h[1] != "pods/log"} <= covered)
check("the fence is about berth", fence["matchConditions"][0]["expression"].endswith("'system:serviceaccount:berth-system:berth'"))
check("the fence denies", [d["spec"] for d in docs if d["kind"] == "ValidatingAdmissionPolicyBinding"] ==
      [{"policyName": "berth-fence", "validationActions": ["Deny"]}] and fence["failurePolicy"] == "Fail")

# -- narrower --------------------------------------------------------------------------------------------------------

component, shipped = documents("narrow/kustomization.yaml", "narrow/clusterrole-environment-user.yaml")
check("the shipped role is the template's", shipped == template, shipped)
gone = [yaml.safe_load(p["patch"]) for p in component["patches"]]
left = [d for d in docs if not any((g["kind"], g["metadata"]["name"]) == (d["kind"], d["metadata"]["name"]) for g in gone)]
check("the component takes two objects away", all(g.get("$patch") == "delete" for g in gone) and len(left) == len(docs) - 2, gone)
rules, _ = rules_of(left)
check("without them no ClusterRole is written and no pod entered", verbs_on(rules, RBAC, "clusterroles", USER_ROLE) == READ | {"bind"} and
      not {h for h in held if verbs_on(rules, *h)})

# the other half of it: null in the environments repository
repo, out = os.path.join(folder, "narrow"), os.path.join(folder, "narrow.out")
said = berth("init", repo)
os.makedirs(os.path.join(repo, "templates", "org"), exist_ok=True)
before = berth("render", "-C", repo, "--out", os.path.join(out, "0"))
with open(os.path.join(repo, "templates", "org", "clusterrole.yaml"), "w", encoding="utf-8") as f:
    f.write("null\n")
after = berth("render", "-C", repo, "--out", os.path.join(out, "1"))
names = [sorted(n for _, _, ns in os.walk(os.path.join(out, str(i))) for n in ns if n.startswith("clusterrole-")) for i in (0, 1)]
check("null in templates/org/clusterrole.yaml leaves the role out", names == [["clusterrole-%s.yaml" % USER_ROLE], []], names, said, before, after)

# -- the pods ----------------------------------------------------------------------------------------------------------

deployment = [d for d in docs if d["kind"] == "Deployment"][0]["spec"]
pod = deployment["template"]["spec"]
c = pod["containers"][0]
account = [d for d in docs if d["kind"] == "ServiceAccount"][0]
space = [d for d in docs if d["kind"] == "Namespace"][0]
check("two replicas with a lease", deployment["replicas"] == 2 and "--lease" in c["args"])
check("the arguments", c["args"][:3] == ["run", "--target", "kubernetes"] and
      {"--repo", "--state", "/state", "--listen", ":8080", "--token-file"} <= set(c["args"]), c["args"])
check("one container, not root", len(pod["containers"]) == 1 and pod["securityContext"]["runAsNonRoot"] is True and
      pod["securityContext"]["runAsUser"] >= 1000)
check("seccomp", pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"})
check("nothing to gain and nowhere to write", c["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                                       "capabilities": {"drop": ["ALL"]}})
check("no part of the node", not {"hostNetwork", "hostPID", "hostIPC"} & set(pod) and not any("hostPath" in v for v in pod["volumes"]))
check("a limit on memory, requests for both", "memory" in c["resources"]["limits"] and {"cpu", "memory"} <= set(c["resources"]["requests"]))
port = {p["name"]: p["containerPort"] for p in c["ports"]}
probes = {k: c[k]["httpGet"] for k in ("livenessProbe", "readinessProbe")}
check("probes", port == {"http": 8080} and probes == {"livenessProbe": {"path": "/healthz", "port": "http"},
                                                      "readinessProbe": {"path": "/readyz", "port": "http"}}, port, probes)
volumes = {v["name"]: v for v in pod["volumes"]}
mounts = {m["name"]: m for m in c["volumeMounts"]}
check("the git token is a file of the Secret berth-repo and no variable", volumes["repo"]["secret"]["secretName"] == "berth-repo" and
      mounts["repo"].get("readOnly") is True and c["args"][c["args"].index("--token-file") + 1] == mounts["repo"]["mountPath"] + "/token" and
      not any("valueFrom" in e for e in c["env"]) and "envFrom" not in c)
variables = {e["name"]: e["value"] for e in c["env"]}
key = volumes["credentials"]["secret"]
check("the master key is a file of the Secret berth-master-key that nobody else reads, and may be absent", key == {
      "secretName": "berth-master-key", "defaultMode": 0o400, "optional": True} and mounts["credentials"].get("readOnly") is True and
      variables["CREDENTIALS_DIRECTORY"] == mounts["credentials"]["mountPath"] and pod["securityContext"]["fsGroup"], key)
check("the state folder is an emptyDir with a limit", "sizeLimit" in volumes["state"]["emptyDir"] and mounts["state"]["mountPath"] == "/state")
check("the token of the account is for these pods only", account["automountServiceAccountToken"] is False and
      pod["automountServiceAccountToken"] is True and pod["serviceAccountName"] == account["metadata"]["name"])
check("the namespace takes no other pods", space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted")
policy = [d for d in docs if d["kind"] == "NetworkPolicy"][0]["spec"]
labels = deployment["template"]["metadata"]["labels"]
check("a network policy for both ways, over these pods", sorted(policy["policyTypes"]) == ["Egress", "Ingress"] and
      policy["podSelector"]["matchLabels"] == labels == deployment["selector"]["matchLabels"] and
      all(r.get("from") for r in policy["ingress"]))
spaces = {d["metadata"].get("namespace", "berth-system") for d in docs}
check("everything is in berth-system", spaces == {"berth-system"} and kustomization["namespace"] == "berth-system", spaces)

service = read(os.path.join(TOP, "deploy", "berth.service")).splitlines()
check("as a systemd service it gets the master key as a credential, no core dump and locked memory",
      {"LoadCredential=berth-master-key", "LimitCORE=0", "LimitMEMLOCK=64M", "MemorySwapMax=0", "NoNewPrivileges=yes"} <= set(service), service)

readme = read(os.path.join(HERE, "README.md"))
silent = [k for _, k in kinds if k not in readme]
check("README.md says what each right is for", not silent, silent)
done()

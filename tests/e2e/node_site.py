# SPDX-License-Identifier: Apache-2.0
"""An environments repository for the real node: small machines, images that node.py loads, one user."""
import subprocess

import node
from kube_site import KubeSite
from lab import ENV, check, env_spec

BERTH_YAML = """apiVersion: berth.dev/v1
kind: Organization
spec:
  approvals: {mode: none}
  namespacePrefix: dev-
  toolbox: {image: "berth.test/toolbox:1"}
  storage: {homeClass: gp3, sharedClass: efs}
  access: {domain: dev.example.com, ssh: bastion}
  roles: {admin: {}}
  cluster: {version: "1.34", features: []}
  render: 1
"""
FLAVOR = """apiVersion: berth.dev/v1
kind: Flavor
spec:
  resources:
    requests: {cpu: %s, memory: %s}
    limits: {cpu: %s, memory: %s}
"""
USER = """apiVersion: berth.dev/v1
kind: User
spec:
  uid: "7f3a9c12"
  email: alice@example.com
  role: admin
  sshKeys: [%s]
"""
DROP = ("envs", "flavors", "images", "datasets", "teams", "users")


def stock(flavor="small", more="", image="berth.test/debian:1"):
    """A specification with an image of the node's."""
    return env_spec(flavor, "  image: %s\n%s" % (image, more))


class NodeSite(KubeSite):
    """The repository and what a person who looks at the cluster asks of it. key: alice's public one; files: more to begin with."""

    def __init__(self, n, key, files):
        super().__init__("site", n.cluster, drop=DROP, files={
            "berth.yaml": BERTH_YAML, "users/alice.yaml": USER % key, "flavors/small.yaml": FLAVOR % ("50m", "64Mi", "1", "512Mi"),
            "flavors/memory.yaml": FLAVOR % ("100m", "256Mi", "100m", "256Mi"), **files})
        self.node = n

    def host_key(self, env):
        """Makes the host key of alice's environment, as an administrator does who wants to publish it; its public half."""
        private, public = node.new_key("host." + env)
        self.cluster.kubectl("create", "secret", "generic", env + "--hostkeys", "-n", "dev-alice", "--from-file=ssh_host_ed25519_key=" + private)
        return public

    def why(self, env, rank=0):
        """What one looks at when it does not come up."""
        pod = "%s-%d" % (env.split("/")[1], rank)
        said = [self.cluster.kubectl(*words, ok=False)[1] for words in (
            ("get", "pods,pvc", "-A", "-o", "wide"), ("logs", "-n", "dev-alice", pod, "--all-containers", "--tail=20"),
            ("describe", "pod", "-n", "dev-alice", pod))]
        return "\n".join([*(x[-1500:] for x in said), self.node.log("kubelet", 3)[-1500:], str(self.env(env))])

    def check(self, env, name, good, *why):
        """lab's check; when it fails, with all that there is to see of an environment."""
        return check(name, good, *why, *([] if good else [self.why(env)]))

    def inside(self, env, command, rank=0):
        """Output of a shell command in a pod, by the API server."""
        return self.cluster.kubectl("exec", "-n", "dev-alice", "%s-%d" % (env.split("/")[1], rank), "-c", "main", "--", "sh", "-c", command)


def copy(login, *names):
    """scp of files into the home; its status."""
    p = subprocess.run(["scp", *login.options(), "-P", "2222", *names, "%s@%s:" % (login.user, login.address())], env=ENV,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=60, check=False)
    return p.returncode


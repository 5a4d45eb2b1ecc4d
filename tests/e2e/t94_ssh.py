#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Into environments with berth ssh and berth ssh-config, on a real node: host keys that are derived from the master key and certified, known_hosts
that is published and signed, and nothing that a person has to compare by eye. Also what must not be believed.
"""
import contextlib
import os
import re
import shutil
import socket
import subprocess
import threading

import kube
import node
from lab import ENV, STATUS, berth, check, done, folder, note, until
from node_site import BERTH_YAML, NodeSite, stock

node.enter()
MASTER = os.path.join(folder, "master")
TRAIN, OTHER, OUTSIDE = "envs/alice/train.yaml", "envs/alice/other.yaml", "envs/alice/outside.yaml"
PURGE = stock(more="  lifecycle: {onDelete: purge}\n")


class Person:
    """A person with a clone, a kubeconfig, an agent that has their key, and nothing else."""

    def __init__(self, site, key):
        self.site = site
        self.cache = os.path.join(folder, "cache")
        said = subprocess.run(["ssh-agent", "-s"], env=ENV, text=True, stdout=subprocess.PIPE, check=True).stdout
        self.agent = {k: re.search(k + "=([^;]*);", said).group(1) for k in ("SSH_AUTH_SOCK", "SSH_AGENT_PID")}
        self.env = {**self.agent, "XDG_CACHE_HOME": self.cache, "PATH": kube.BIN + ":" + ENV["PATH"]}
        subprocess.run(["ssh-add", "-q", key], env={**ENV, **self.env}, check=True, stdin=subprocess.DEVNULL)

    def leave(self):
        subprocess.run(["ssh-agent", "-k"], env={**ENV, **self.env}, stdout=subprocess.DEVNULL, check=False)

    def berth(self, verb, *args):
        return berth(verb, "-C", self.site.clone, "--kubeconfig", self.site.cluster.kubeconfig("admin"), *args, env=self.env)

    def ssh(self, env, *command):
        return self.berth("ssh", env, "--", *command)

    def config(self, *envs):
        """A file with what ssh-config says."""
        said = self.berth("ssh-config", *envs)
        path = os.path.join(folder, "ssh_config")
        with open(path, "w", encoding="utf-8") as f:
            f.write(said.out)
        return path, said

    def run(self, *argv, data=""):
        p = subprocess.run(argv, env={**ENV, **self.env}, text=True, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
        return p.returncode, p.stdout, p.stderr


def known(person):
    """The file that berth keeps: its path and text."""
    where = os.path.join(person.cache, "berth")
    names = os.listdir(where)
    assert len(names) == 1, names
    with open(os.path.join(where, names[0]), encoding="utf-8") as f:
        return os.path.join(where, names[0]), f.read()


def host_keys(c):
    """(public half, certificate) in the Secret."""
    got = c.get("secret", "dev-alice", "train--hostkeys")
    if not got:
        return None
    data = {k: subprocess.run(["base64", "-d"], input=v.encode(), stdout=subprocess.PIPE, check=True).stdout.decode() for k, v in got["data"].items()}
    return data["ssh_host_ed25519_key.pub"].strip(), data["ssh_host_ed25519_key-cert.pub"].strip()


def into_it(c, site, person):
    site.push({TRAIN: PURGE, OTHER: stock()}, "two environments")
    site.check("alice/train", "an environment becomes Ready", site.until_phase({"alice/train": "Ready", "alice/other": "Ready"}, 150))
    said = until(lambda: (lambda s: s if s.rc == 0 else None)(person.ssh("alice/train", "id -un; hostname")), 150) or person.ssh("alice/train", "true")
    site.check("alice/train", "berth ssh alice/train: a command there, no question, no key to compare", said.rc == 0 and said.out == "dev\ntrain-0\n", said)
    said = person.ssh("train--alice", "cat >&2; exit 7")
    check("its exit status is the command's; the name of ssh-config does too", said.rc == 7, said)
    check("what is believed is what was published, the authority alone", known(person)[1] == site.show(STATUS, "known_hosts"), known(person))
    key, cert = host_keys(c)
    path = os.path.join(folder, "host-cert.pub")
    with open(path, "w", encoding="utf-8") as f:
        f.write(cert + "\n")
    said = person.run("ssh-keygen", "-L", "-f", path)[1]
    check("its certificate is for its own names, for ever", all(n in said for n in ("host certificate", "train--alice.dev.example.com\n", "train--alice\n",
          "train.dev-alice.svc\n", "Valid: forever")) and "other" not in said, said)
    for args in ("alice/nothing",), ("alice/train", "--rank", "1"), ("nonsense",):
        said = person.berth("ssh", *args)
        check("berth ssh %s: refused before anything is sent" % " ".join(args), said.rc in (1, 2, 3) and said.err.startswith("berth: "), said)
    return key


def by_config(person):
    path, said = person.config()
    check("ssh-config: both environments", said.rc == 0 and said.out.count("\nHost ") == 2, said)
    for name in "train--alice", "train--alice.dev.example.com", "other--alice":
        rc, out, err = person.run("ssh", "-F", path, name, "hostname")
        check("ssh %s by it" % name, (rc, out) == (0, name.split("--")[0] + "-0\n"), rc, out, err)
    rc, out, err = person.run("sftp", "-F", path, "-b", "-", "train--alice", data="put %s up\nls -l up\n" % path)
    check("and sftp", rc == 0, rc, out, err)
    rc, out, err = person.run("scp", "-F", path, "train--alice:up", os.path.join(folder, "down"))
    check("and scp", rc == 0 and os.path.exists(os.path.join(folder, "down")), rc, out, err)
    return path


def not_believed(site, person, path):
    """Whoever answers must have a certificate of the authority for that very environment."""
    with open(path, encoding="utf-8") as f:
        text = f.read()
    swapped = os.path.join(folder, "swapped")
    with open(swapped, "w", encoding="utf-8") as f:
        f.write(text.replace("main train-0 --", "main OTHER --").replace("main other-0 --", "main train-0 --").replace("main OTHER --", "main other-0 --"))
    rc, out, err = person.run("ssh", "-F", swapped, "train--alice", "hostname")
    check("another environment that answers in its place is refused", rc == 255 and not out and "not a listed principal" in err and
          "verification failed" in err, rc, out, err)
    site.inside("alice/train", "rm -f /tmp/imp*; /opt/berth/bin/ssh-keygen -q -t ed25519 -N '' -f /tmp/imp && "
                "grep -v '^Host' /tmp/.berth/sshd_config > /tmp/imp.conf && echo 'HostKey /tmp/imp' >> /tmp/imp.conf")
    impostor = os.path.join(folder, "impostor")
    with open(impostor, "w", encoding="utf-8") as f:
        f.write(text.replace("/tmp/.berth/sshd_config", "/tmp/imp.conf"))
    rc, out, err = person.run("ssh", "-F", impostor, "train--alice", "hostname")
    check("a host with a key of its own is refused", rc == 255 and not out and "verification failed" in err, rc, out, err)
    where, good = known(person)
    wrong = os.path.join(folder, "wrong")
    with open(wrong, "w", encoding="utf-8") as f:
        f.write(re.sub(r"ssh-ed25519 \S+", node.new_key("wrong-authority")[1], good))
    elsewhere = os.path.join(folder, "elsewhere")
    with open(elsewhere, "w", encoding="utf-8") as f:
        f.write(text.replace(where, wrong))
    rc, out, err = person.run("ssh", "-F", elsewhere, "train--alice", "hostname")
    check("with another authority nobody is believed", wrong in open(elsewhere, encoding="utf-8").read() and rc == 255 and not out and "verification failed" in err,
          rc, out, err)


def born_again(c, site, person, key):
    before = c.get("pvc", "dev-alice", "home-train-0")["metadata"]["uid"]
    person.ssh("alice/train", "touch ~/here")
    site.push({TRAIN: None}, "gone")
    check("deleted with its volume", c.wait_gone("pod", "dev-alice", "train-0", 150) and c.wait_gone("pvc", "dev-alice", "home-train-0", 150))
    check("and its host key", c.wait_gone("secret", "dev-alice", "train--hostkeys"))
    site.push({TRAIN: PURGE}, "and again")
    site.check("alice/train", "made again: Ready", site.until_phase({"alice/train": "Ready"}, 150))
    said = until(lambda: (lambda s: s if s.rc in (0, 1) else None)(person.ssh("alice/train", "test -e ~/here")), 150)
    check("another volume, nothing of the old home", said and said.rc == 1 and c.get("pvc", "dev-alice", "home-train-0")["metadata"]["uid"] != before, said)
    check("and the same host key as before, so that no known_hosts anywhere is wrong", host_keys(c) and host_keys(c)[0] == key, host_keys(c), key)


class Balancer(threading.Thread):
    """What a cloud's load balancer does: an address of its own, whose port 22 leads to the pod's 2222."""

    def __init__(self, address, pod):
        super().__init__(daemon=True)
        self.pod, self.socket = pod, socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, 22))
        self.socket.listen()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                one = self.socket.accept()[0]
                other = socket.create_connection((self.pod, 2222), 10)
                for a, b in (one, other), (other, one):
                    threading.Thread(target=self.carry, args=(a, b), daemon=True).start()

    @staticmethod
    def carry(a, b):
        with contextlib.suppress(OSError):
            while True:
                piece = a.recv(65536)
                if not piece:
                    break
                b.sendall(piece)
        with contextlib.suppress(OSError):
            b.shutdown(socket.SHUT_WR)


def by_address(c, site, person):
    site.push({OUTSIDE: stock(more="  access: {ssh: {via: loadBalancer}}\n")}, "an address of its own")
    until(lambda: c.get("svc", "dev-alice", "outside--ssh"), 60)
    c.kubectl("patch", "svc", "outside--ssh", "-n", "dev-alice", "--subresource=status", "--type=merge", "-p",
              '{"status":{"loadBalancer":{"ingress":[{"ip":"127.0.0.9"}]}}}')
    site.check("alice/outside", "an environment with an address becomes Ready", site.until_phase({"alice/outside": "Ready"}, 150))
    doc = site.until_env("alice/outside", lambda d: d.get("access", {}).get("address"))
    Balancer("127.0.0.9", c.get("pod", "dev-alice", "outside-0")["status"]["podIP"]).start()
    path, said = person.config("alice/outside")
    check("ssh-config leads to its address, without kubectl", "HostName 127.0.0.9\n" in said.out and "kubectl" not in said.out, said, doc)
    said = until(lambda: (lambda s: s if s.rc == 0 else None)(person.ssh("alice/outside", "hostname")), 150) or person.ssh("alice/outside", "hostname")
    check("berth ssh goes there, and knows it by its certificate", (said.rc, said.out) == (0, "outside-0\n"), said)


def forged(site, person):
    """The daemon is away, and a stranger can push to the status branch."""
    text = site.show(STATUS, "known_hosts")
    site.plant("known_hosts", re.sub(r"ssh-ed25519 \S+", node.new_key("forger")[1], text))
    before = known(person)
    for verb in ("ssh", "alice/train"), ("ssh-config",):
        said = person.berth(*verb)
        check("berth %s: a forged known_hosts is not believed" % verb[0], said.rc == 4 and "not checked" in said.err and "Host " not in said.out, said)
    check("and the one that was kept is as it was", known(person) == before)
    site.plant("known_hosts", text)
    doc = site.show(STATUS, "envs/alice/other.yaml")
    site.plant("envs/alice/other.yaml", doc.replace("access:\n", "access:\n  address: \"1.2.3.4\\n  ProxyCommand touch /tmp/berth-was-here\"\n"))
    said = person.berth("ssh-config", "alice/other")
    check("an address that is none is not taken", "was-here" in site.show(STATUS, "envs/alice/other.yaml") and said.rc == 0 and "was-here" not in said.out and "exec -i -n dev-alice" in said.out, said)


def story(c, site, key):
    person = Person(site, key)
    try:
        with site.running("--master-key", MASTER) as d:
            host_key = into_it(c, site, person)
            path = by_config(person)
            not_believed(site, person, path)
            born_again(c, site, person, host_key)
            by_address(c, site, person)
            check("the daemon is alive", d.alive(), d.log()[-2000:])
        forged(site, person)
    finally:
        person.leave()


def main():
    if not shutil.which("ssh-agent"):
        node.skip("no ssh-agent (package openssh-client)")
    key = node.new_key("alice")
    said = berth("keygen", "-o", MASTER)
    signer = re.search(r'signer: ("[^"]*")', said.out).group(1)
    with node.cluster() as c:
        with node.Node(c) as n:
            n.load("pause", "debian", "toolbox")
            c.grant()
            org = BERTH_YAML.replace("ssh: bastion", "ssh: bastion, loadBalancer: [admin]") + "  secrets: {signer: %s}\n" % signer
            site = NodeSite(n, key[1], {"berth.yaml": org})
            story(c, site, key[0])
            note("node %.1f s" % n.took)
    done()


main()

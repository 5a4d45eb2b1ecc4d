#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Secrets in pods of a real kubelet: variables, files, a folder of a SOPS file, keys for ssh and logins for git, with the owners and modes that
volumes really have there; what changes restarts, or arrives while a person is logged in."""
import os
import subprocess

import kube
import node
import seal
from lab import ENV, check, done, folder, note, until
from node_site import BERTH_YAML, NodeSite, stock

node.enter()
seal.skip_without_age()
SOPS = os.path.join(kube.BIN, "sops")
VALUE = "a 'value' with \"quotes\", $HOME and a line\nend"
USE = """  secrets:
    - {name: token, file: secrets/token.age}
    - {name: hf, file: secrets/token.age, as: file}
    - {name: home, file: secrets/token.age, as: file, path: /home/dev/.token}
    - {name: deploy, file: secrets/deploy.age, as: ssh}
    - {name: git, file: secrets/git.age, as: git}
"""
FOLDER = "    - {name: many, file: secrets/many.sops.yaml, as: file, path: /run/secrets/many}\n"


def story(c, site, keys):
    alice = keys.recipient(site, "alice")
    private, public = node.new_key("deploy")
    with open(private, encoding="utf-8") as f:
        deploy = f.read()
    files = {"envs/alice/secrets/token.age": seal.seal(alice, VALUE), "envs/alice/secrets/deploy.age": seal.seal(alice, deploy),
             "envs/alice/secrets/git.age": seal.seal(alice, "https://alice:one@git.example\n")}
    use = USE
    if os.path.exists(SOPS):
        plain = os.path.join(folder, "many.yaml")
        with open(plain, "w", encoding="utf-8") as f:
            f.write("s3:\n    key: id\n    secret: much\n")
        files["envs/alice/secrets/many.sops.yaml"] = subprocess.run([SOPS, "encrypt", "--age", alice, plain], env=ENV, check=True, stdout=subprocess.PIPE).stdout
        use += FOLDER
    # the key that alice logs in with, and the sealed one: what is inside may log in to itself
    site.push({**files, "envs/alice/train.yaml": stock(more=use), "users/alice.yaml": site.read("users/alice.yaml").replace("sshKeys: [", "sshKeys: [%s, " % public)},
              "secrets")
    site.check("alice/train", "the environment becomes Ready", site.until_phase({"alice/train": "Ready"}, 150))

    def inside(command):
        return site.inside("alice/train", "PATH=$PATH:/opt/berth/bin; " + command)

    check("the variable is what was sealed, to the byte", inside("printf %s \"$TOKEN\"") == VALUE, inside("env"))
    check("so is the file, which the user reads and nobody else writes", inside("cat /run/secrets/hf") == VALUE and
          inside("stat -Lc %a:%u /run/secrets/hf; touch /run/secrets/hf 2>/dev/null && echo written; true").strip() == "440:0", inside("ls -lR /run/secrets"))
    check("and one in the home", inside("cat ~/.token") == VALUE, inside("ls -la ~"))
    if FOLDER in use:
        check("a folder has a file a value", inside("cd /run/secrets/many && ls && cat s3.secret").split() == ["s3.key", "s3.secret", "much"], inside("ls -lR /run/secrets/many"))
    check("the place in memory is the user's", inside("stat -c %a /run/berth/private/run /run/berth/private/ssh").split() == ["700", "2700"] and
          "tmpfs" in inside("grep ' /run/berth/private ' /proc/mounts"), inside("ls -laR /run/berth/private; cat /proc/mounts"))
    login = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -p 2222 dev@127.0.0.1 "
    check("ssh takes the key, and a session has the variable", until(lambda: inside(login + "'printf %s \"$TOKEN\"'; true") == VALUE),
          inside(login + "env 2>&1; ls -la ~/.ssh /run/berth/private/ssh; cat ~/.ssh/config; true"))
    fill = login + "\"printf 'url=https://git.example/x\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill\" 2>&1; true"
    check("git has its login in a session", "password=one\n" in inside(fill), inside(fill))
    # -- what changes
    pod = c.get("pod", "dev-alice", "train-0")["metadata"]["uid"]
    site.push({"envs/alice/secrets/git.age": seal.seal(alice, "https://alice:two@git.example\n")}, "another login")
    check("a new login arrives in the running pod", until(lambda: "password=two\n" in inside(fill), 150) and
          c.get("pod", "dev-alice", "train-0")["metadata"]["uid"] == pod, inside(fill))
    site.push({"envs/alice/secrets/token.age": seal.seal(alice, "another")}, "another token")
    check("a new variable restarts it", until(lambda: (c.get("pod", "dev-alice", "train-0") or {}).get("metadata", {}).get("uid", pod) != pod, 150))
    site.check("alice/train", "it becomes Ready again", site.until_phase({"alice/train": "Ready"}, 150))
    check("with the new value", until(lambda: c.kubectl("exec", "-n", "dev-alice", "train-0", "-c", "main", "--", "sh", "-c", "printf %s \"$TOKEN\"; cat /run/secrets/hf",
                                                        ok=False)[1] == "anotheranother", 150))


def main():
    key = node.new_key("alice")
    keys = seal.Keys()
    with node.cluster() as c:
        with node.Node(c) as n:
            n.load("pause", "debian", "toolbox")
            c.grant()
            site = NodeSite(n, key[1], {"berth.yaml": BERTH_YAML + keys.spec()})
            with site.running("--master-key", keys.file) as d:
                story(c, site, keys)
                check("the daemon is alive, and its log holds no value", d.alive() and "another login" not in d.log() and VALUE not in d.log(), d.log()[-2000:])
            note("node %.1f s" % n.took)
    done()


main()

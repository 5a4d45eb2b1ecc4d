#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Secrets inside an environment, in real root file systems: the host's certificate, keys for ssh, passwords for git, variables of sessions.

The scripts are those that `berth render` puts into the ConfigMap of an environment with secrets; what a kubelet would mount is laid down here.
"""
import os
import re
import shutil
import subprocess
import sys

import lab
import roots
from lab import check, until

TOOLS = roots.toolbox_or_skip()
DEBIAN = roots.debian(None, roots.PYTHON)
CASE = os.path.join(lab.TOP, "tests", "cases", "render", "secrets", "in")
PRIVATE = "/tmp/private"  # where /run/berth/private is in a pod: in memory too
VALUE = "value-of-a-variable-" + os.urandom(6).hex()

# -- the scripts as they are rendered ------------------------------------------------------------------------------

out = os.path.join(lab.folder, "rendered")
said = lab.berth("render", "-C", CASE, "--out", out)
check("the environment with secrets renders", said.rc == 0, said)


def config_map(env):
    """Data of its scripts ConfigMap, as far as its YAML is literal blocks and one-line text."""
    with open(os.path.join(out, "envs", *env.split("/"), "configmap-%s--scripts.yaml" % env.split("/")[1])) as f:
        text = f.read()
    body = text[text.index("data:\n") + 6:text.index("\nkind: ConfigMap")] + "\n"
    data = {}
    for part in re.split(r"(?m)^  (?=[\w.-]+: )", body)[1:]:
        name, rest = part.split(": ", 1)
        head, _, block = rest.partition("\n")
        data[name] = "".join(line[4:] if line.startswith("    ") else "\n" for line in block.splitlines(True)) if head.startswith("|") else head
    return data


scripts = config_map("alice/train")
check("secrets.sh stands in the place of ssh.sh, which is beside it", open(os.path.join(roots.SCRIPTS, "secrets.sh")).read() == scripts["ssh.sh"] and
      open(os.path.join(roots.SCRIPTS, "ssh.sh")).read() == scripts["ssh-plain.sh"] and "secrets-git.sh" in scripts, sorted(scripts))
check("who has only a pull secret has neither", not {"ssh-plain.sh", "secrets.sh", "secrets-git.sh"} & set(config_map("alice/pull")))


def lay(pod, path, text, mode=0o440):
    """A file of a Secret: root's, and readable for the pod's group. The folder's new content is there at once, as the kubelet does it."""
    pod.file(path, text, mode)
    full = os.path.join(pod.conf, path)
    os.chown(full, 0, 1000)
    while full != pod.conf:
        full = os.path.dirname(full)
        os.chmod(full, 0o755)


def new_pod(name, command):
    pod = roots.Pod(name, DEBIAN, TOOLS, command, env={"BERTH_PRIVATE": PRIVATE, "BERTH_EVERY": "1", "WANDB_API_KEY": VALUE})
    os.unlink(os.path.join(pod.conf, "scripts", "secrets.sh"))  # what lists bring (repositories.sh) is there too
    for f, text in scripts.items():
        if f.endswith(".sh"):
            pod.file("scripts/" + f, text, 0o555)
    return pod


def text_of(path):
    with open(path) as f:
        return f.read()


def new_key(name):
    path = os.path.join(lab.folder, name)
    roots.sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path)
    return path


def certify(ca, key, serial):
    roots.sh("ssh-keygen", "-q", "-s", ca, "-h", "-I", "host", "-z", str(serial), "-n", "train--alice", key + ".pub")
    return text_of(key + "-cert.pub")


def inside(pod, command):
    """As a person types it over SSH, without a terminal."""
    return pod.ssh(command, flags=["-o", "HostKeyAlias=train--alice"])


ca, host, deploy = new_key("ca"), new_key("host"), new_key("deploy")
SERVER = """import base64, functools, http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        want = open(sys.argv[2]).read().strip()
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(want.encode()).decode():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        super().do_GET()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", 8099), functools.partial(Handler, directory=sys.argv[1])).serve_forever()
"""
served, password = os.path.join(lab.folder, "served"), os.path.join(lab.folder, "password")
os.makedirs(served)
lab.git(lab.folder, "init", "-q", "--bare", "-b", "main", os.path.join(served, "private.git"))
lab.git(lab.folder, "clone", "-q", os.path.join(served, "private.git"), "work")
with open(os.path.join(lab.folder, "work", "a"), "w") as f:
    f.write("private\n")
lab.git(os.path.join(lab.folder, "work"), "add", "-A")
lab.git(os.path.join(lab.folder, "work"), "commit", "-q", "-m", "work")
lab.git(os.path.join(lab.folder, "work"), "push", "-q", "origin", "main")
lab.git(os.path.join(served, "private.git"), "update-server-info")

for shell, command in (("dash", ["/bin/dash"]), ("bash", ["/bin/bash", "--posix"]), ("busybox", ["/opt/berth/bin/sh"])):
    w = shell + ": "
    pod = new_pod("p-" + shell, command)
    lay(pod, "hostkeys/ssh_host_ed25519_key", text_of(host))
    lay(pod, "hostkeys/ssh_host_ed25519_key-cert.pub", certify(ca, host, 1))
    lay(pod, "hostkeys/ssh_host_ed25519_key.pub", text_of(host + ".pub"))
    lay(pod, "ssh/deploy/ssh-privatekey", text_of(deploy).rstrip("\n"))  # as a person pastes it
    lay(pod, "git/main/credentials", "https://alice:token-1@git.example\nhttp://alice:pass%20word@127.0.0.1:8099\n")
    lay(pod, "git/login/server", "https://code.example/\n")
    lay(pod, "git/login/username", "bot\n")
    lay(pod, "git/login/password", "pass word\n")
    pod.publish(pod.key + ".pub", deploy + ".pub")
    os.makedirs(os.path.join(pod.home, ".ssh"))
    with open(os.path.join(pod.home, ".ssh", "config"), "w") as f:
        f.write("Host far\n    User bo\n")
    for path in (".ssh", ".ssh/config"):
        os.chown(os.path.join(pod.home, path), 1000, 1000)
    with open(pod.known, "w") as f:
        f.write("@cert-authority train--alice %s" % text_of(ca + ".pub"))
    check(w + "ready", pod.start().wait_ready(), pod.log())
    said = inside(pod, "true")
    check(w + "the host is known by its CA alone", said.rc == 0, said, pod.log())
    said = pod.ssh("true", flags=["-o", "HostKeyAlias=other--bo"])
    check(w + "under no other name", said.rc == 255, said)
    said = inside(pod, "printf %s \"$WANDB_API_KEY\"; readlink /tmp/.berth; ls -ld /tmp/.berth/session-env")
    check(w + "a session has the variable, from memory", said.rc == 0 and said.out.startswith(VALUE + PRIVATE + "/run\n") and "-rw-------" in said.out, said)
    said = inside(pod, "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -p 2222 127.0.0.1 echo by-key")
    check(w + "ssh takes the key", said.out == "by-key\n", said, pod.log())
    said = inside(pod, "stat -c %a " + PRIVATE + "/ssh/deploy; cat ~/.ssh/config; find ~ -type f")
    check(w + "it is a copy in memory that is the user's alone, none is on the home volume", said.out.startswith("600\n") and "deploy" not in
          said.out.split("Host far")[1] and not any("PRIVATE" in text_of(os.path.join(d, f)) for d, _, fs in os.walk(pod.home) for f in fs), said)
    check(w + "and what a person configured goes on behind it", said.out.split("\n", 1)[1].startswith(
        "# berth: keys of spec.secrets (as: ssh)\nInclude %s/ssh_config\n\nHost far\n    User bo\n" % PRIVATE), said)
    check(w + "the status says so", until(lambda: pod.status().get("secrets") == "ready: keys for ssh"), pod.status(), pod.log())
    home = {k: v for k, v in pod.tree().items() if not k.endswith((".log", ".log.before"))}
    # -- git
    def fill(url):
        return inside(pod, "printf 'url=%s\\n\\n' | GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=/bin/false git credential fill 2>&1" % url)
    said = fill("https://git.example/x.git")
    check(w + "git has the token of a line", "password=token-1\n" in said.out, said)
    said = fill("https://code.example/x.git")
    check(w + "and the login of a server", "username=bot\npassword=pass word\n" in said.out, said)
    for url in ("http://code.example/x.git", "https://code.example.evil.example/x.git", "https://evil.example/code.example", "https://alice@code.example/x"):
        said = fill(url)
        check(w + "which nobody else gets: " + url, "pass word" not in said.out, said)
    lay(pod, "git/main/credentials", "https://alice:token-2@git.example\nhttp://alice:pass%20word@127.0.0.1:8099\n")
    check(w + "a new token is there at once", "password=token-2\n" in fill("https://git.example/x.git").out)
    with open(password, "w") as f:
        f.write("alice:pass word")
    server = subprocess.Popen(["nsenter", "--target", str(pod.pid), "--net", sys.executable, "-c", SERVER, served, password], stdin=subprocess.DEVNULL)
    lab.processes.append(server)
    pod.file("scripts/repositories", "/home/dev/private\thttp://127.0.0.1:8099/private.git\tmain\n", 0o444)
    check(w + "a private repository is cloned with it", until(lambda: pod.status().get("repositories") == "ready: 1") and
          text_of(os.path.join(pod.home, "private", "a")) == "private\n", pod.status(), pod.log())
    server.kill()
    server.wait()
    os.unlink(os.path.join(pod.conf, "scripts", "repositories"))
    # -- what changes reaches the running pod
    other = new_key("deploy-" + shell)
    lay(pod, "ssh/deploy/ssh-privatekey", text_of(other))
    pod.publish(pod.key + ".pub", other + ".pub")
    said = []
    check(w + "a new key is taken up", until(lambda: said.append(inside(pod, "ssh -o BatchMode=yes -p 2222 127.0.0.1 echo by-key")) or
                                             said[-1].out == "by-key\n"), said[-1:], pod.log())
    session = subprocess.Popen(["nsenter", "--target", str(pod.pid), "--net", "ssh", *pod.options(), "-p", "2222", "-o", "HostKeyAlias=train--alice",
                                "dev@127.0.0.1", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               env={**lab.ENV, "HOME": pod.folder})
    lab.processes.append(session)
    session.stdin.write(b"a\n")
    session.stdin.flush()
    check(w + "a session is open", session.stdout.readline() == b"a\n")
    ca2 = new_key("ca2-" + shell)
    lay(pod, "hostkeys/ssh_host_ed25519_key-cert.pub", certify(ca2, host, 2))
    with open(pod.known, "w") as f:
        f.write("@cert-authority train--alice %s" % text_of(ca2 + ".pub"))
    check(w + "a new certificate too", until(lambda: inside(pod, "true").rc == 0), pod.log())
    session.stdin.write(b"b\n")
    session.stdin.close()
    check(w + "and the session goes on", session.stdout.readline() == b"b\n" and session.wait(lab.WAIT) == 0)
    # -- again, and what is wrong
    check(w + "SIGTERM ends it", pod.stop() == 0, pod.log())
    shutil.rmtree(os.path.join(pod.home, "private"))
    check(w + "ready again", pod.start().wait_ready() and inside(pod, "true").rc == 0, pod.log())
    again = {k: v for k, v in pod.tree().items() if not k.endswith((".log", ".log.before"))}
    changed = {k for k in set(home) | set(again) if home.get(k) != again.get(k) and not k.startswith(".ssh/known_hosts")}
    check(w + "the second start changes nothing at home", not changed - {".ssh", ".berth"}, sorted(changed), roots.differences(home, again))
    lay(pod, "ssh/deploy/ssh-privatekey", "not-a-key-but-secret-" + VALUE)
    check(w + "what is no key is said, without what it is", until(lambda: "can use without a passphrase: deploy" in pod.status().get("secrets", "")), pod.status())
    os.rename(os.path.join(pod.home, ".ssh", "config"), os.path.join(pod.home, "dotconfig"))
    os.symlink("../dotconfig", os.path.join(pod.home, ".ssh", "config"))
    with open(os.path.join(pod.home, "dotconfig"), "w") as f:
        f.write("Host far\n")
    check(w + "a link in the place of ~/.ssh/config is left alone, and said", until(lambda: "add 'Include" in pod.status().get("secrets", "")) and
          text_of(os.path.join(pod.home, "dotconfig")) == "Host far\n", pod.status())
    with open(pod.log_path, errors="replace") as f:
        log = f.read()
    check(w + "no secret reaches the log", not any(s in log for s in (VALUE, "token-1", "token-2", "pass word", text_of(host).split("\n")[2],
                                                                      text_of(deploy).split("\n")[2])))
    with open("/proc/%d/cmdline" % pod.pid) as f:
        check(w + "or an argument", VALUE not in f.read())
    pod.stop()

# -- where the entry is root, variables come from files -------------------------------------------------------------

exports = config_map("alice/lab")["user-env.sh"]
pod = new_pod("exports", ["/bin/dash"])
pod.file("scripts/user-env.sh", exports, 0o555)
lay(pod, "env/wandb/WANDB", "two\nlines 'and' \"quotes\" $HOME `id` \\\n\n")
pod.start().wait_ready()
for shell in ("/bin/dash", "/bin/bash", "/opt/berth/bin/sh"):
    said = pod.enter(shell, "-c", ". /etc/berth/scripts/lib.sh; printf '[%s]' \"$WANDB\"")
    check("%s: a variable from a file is what is in it, to the last line end" % shell, said.out == "[two\nlines 'and' \"quotes\" $HOME `id` \\\n\n]", said)
pod.stop()
lab.done()

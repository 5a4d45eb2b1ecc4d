#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What berth ssh-config and berth ssh make of a repository, as real ssh reads it (ssh -G); without a cluster. t94_ssh.py logs in with them."""
import os
import re
import shutil
import subprocess

from lab import ENV, STATUS, Daemon, Site, berth, check, done, env_spec, folder, note, until

if not shutil.which("ssh"):
    note("NOT TESTED: ssh-config beside ssh: the program is not here (package openssh-client)")
    print("1..0 # SKIP no ssh")
    raise SystemExit(0)

MASTER = os.path.join(folder, "master")
CACHE = os.path.join(folder, "a cache")
CONFIG = os.path.join(folder, "ssh_config")
ODD = "it's 100%% \"mine\"; touch %s/was-here" % folder
DISTRIBUTED = "  mode: distributed\n  distributed: {worldSize: 3, nprocsPerNode: 1%s}\n"


def tool(verb, *args, where=None):
    return berth(verb, "-C", where or site.clone, *args, env={"XDG_CACHE_HOME": CACHE})


def block(said, name):
    """What ssh makes of a host of that configuration: option -> value."""
    with open(CONFIG, "w", encoding="utf-8") as f:
        f.write(said.out)
    p = subprocess.run(["ssh", "-T", "-G", "-F", CONFIG, name], env=ENV, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    check("ssh can read it: %s" % name, p.returncode == 0 and not p.stderr, p.stderr, said)
    return dict(line.split(" ", 1) for line in p.stdout.splitlines() if " " in line)


def asked(argv_file):
    with open(argv_file, encoding="utf-8") as f:
        return f.read().split("\0")[:-1]


def certified():
    said = tool("ssh-config")
    got = block(said, "notebook--alice")
    path = os.path.join(CACHE, "berth", os.listdir(os.path.join(CACHE, "berth"))[0])
    with open(path, encoding="utf-8") as f:
        text = f.read()
    check("known_hosts is kept, as it was published", text == site.show(STATUS, "known_hosts") and "@cert-authority" in text, text)
    check("a host is believed by that file alone", (got["userknownhostsfile"].strip('"'), got["globalknownhostsfile"], got["stricthostkeychecking"], got["hostkeyalias"]) ==
          (path, "/dev/null", "true", "notebook--alice.dev.example.com"), got)
    check("and reached through kubectl", got["proxycommand"] == "kubectl exec -i -n dev-alice -c main notebook-0 -- /opt/berth/sbin/sshd -i -e "
          "-o LogLevel=ERROR -f /tmp/.berth/sshd_config" and got["user"] == "dev", got)
    check("by both of its names", block(said, "notebook--alice.dev.example.com")["hostkeyalias"] == "notebook--alice.dev.example.com")
    check("nobody else's names are its business", "hostkeyalias" not in block(said, "example.org"))
    before = os.stat(path).st_mtime_ns
    tool("ssh-config")
    check("what is kept and the same is not written again", os.stat(path).st_mtime_ns == before)
    other = os.path.join(folder, "known hosts")
    got = block(tool("ssh-config", "--known-hosts", other), "notebook--alice")
    check("--known-hosts FILE, with a blank in it", got["userknownhostsfile"].strip('"') == other and os.path.exists(other), got)
    said = tool("ssh-config", "--known-hosts", other + "\"%")
    check("a name that ssh cannot take is refused", said.rc == 2 and not said.out, said)
    bare = tool("ssh-config", "--commit", "main", where=site.bare)
    check("a bare repository, by a commit, says the same", bare.rc == 0 and bare.out == tool("ssh-config").out, bare)


def forged():
    """Whoever may push to the status branch may write there whom to believe; it is not believed."""
    good = {p: site.show(STATUS, p) for p in ("known_hosts", "known_hosts.sig", "recipients/site.txt", "recipients/site.txt.sig")}
    path = os.path.join(CACHE, "berth", os.listdir(os.path.join(CACHE, "berth"))[0])
    key = os.path.join(folder, "forger")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], env=ENV, check=True)
    with open(key + ".pub", encoding="ascii") as f:
        text = re.sub(r"ssh-ed25519 \S+", " ".join(f.read().split()[:2]), good["known_hosts"])
    signed = subprocess.run(["ssh-keygen", "-Y", "sign", "-f", key, "-n", "known_hosts@berth"], env=ENV, check=True, input=text.encode(),
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
    check("the forgery is one", text != good["known_hosts"])
    for name, files in (("another authority", {"known_hosts": text}), ("one that its owner signed", {"known_hosts": text, "known_hosts.sig": signed}),
                        ("no signature", {"known_hosts.sig": ""}), ("what berth signed for something else", {"known_hosts": good["recipients/site.txt"],
                                                                                                  "known_hosts.sig": good["recipients/site.txt.sig"]})):
        for at, what in {**good, **files}.items():
            site.plant(at, what)
        for verb in ("ssh-config",), ("ssh", "alice/notebook", "--", "true"):
            said = tool(*verb)
            check("known_hosts, %s: berth %s does nothing" % (name, verb[0]), said.rc == 4 and not said.out and "not checked" in said.err, said)
        with open(path, encoding="utf-8") as f:
            check("known_hosts, %s: what was kept stays" % name, f.read() == good["known_hosts"])
    for at, what in good.items():
        site.plant(at, what)


def ways():
    got = block(tool("ssh-config", "alice/outside"), "outside--alice")
    check("an environment whose status has no address yet: kubectl", "kubectl exec" in got["proxycommand"], got)
    doc = site.show(STATUS, "envs/alice/outside.yaml")
    check("the status is one to plant an address into", "\naccess:\n" in doc, doc)
    for address, good in ("192.0.2.7", True), ("lb-1.example.com", True), ("2001:db8::7", True), ("-oProxyCommand=x", False), ("a b", False), ("a\\nUser root", False), ("", False):
        site.plant("envs/alice/outside.yaml", doc.replace("access:\n", "access:\n  address: \"%s\"\n" % address))
        said = tool("ssh-config", "alice/outside")
        got = block(said, "outside--alice")
        check("address %r: %s" % (address, "taken" if good else "left"), (got["hostname"] == address and "proxycommand" not in got) if good else
              ("kubectl exec" in got.get("proxycommand", "") and got["user"] == "dev"), got.get("hostname"), got.get("proxycommand"))
    got = block(tool("ssh-config", "alice/named"), "named--alice")
    check("access.ssh.user is who logs in", got["user"] == "tcloud", got)
    got = block(tool("ssh-config", "alice/batch"), "batch--alice")
    check("of a JobSet, one of its pods", " job/batch-node-0 " in got["proxycommand"], got)
    said = tool("ssh-config", "--context", ODD, "alice/notebook")
    got = block(said, "notebook--alice")
    p = subprocess.run(["sh", "-c", "kubectl() { printf '%s\\n' \"$@\"; }; " + got["proxycommand"].replace("%%", "%")], env=ENV, text=True, cwd=folder,
                       stdout=subprocess.PIPE, check=False)
    check("whatever the context is called, a shell hands it on whole", p.stdout.splitlines()[:2] == ["--context", ODD] and
          not os.path.exists(os.path.join(folder, "was-here")), p.stdout, got)


def the_verb():
    """berth ssh runs ssh: here one that writes down what it was given."""
    there = os.path.join(folder, "bin")
    os.makedirs(there)
    seen = os.path.join(folder, "argv")
    with open(os.path.join(there, "ssh"), "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\nfor a in \"$@\"; do printf '%%s\\0' \"$a\"; done > %s\nexit 9\n" % seen)
    os.chmod(os.path.join(there, "ssh"), 0o755)

    def run(*args):
        return berth("ssh", "-C", site.clone, *args, env={"XDG_CACHE_HOME": CACHE, "PATH": there + ":" + ENV["PATH"]})

    said = run("alice/notebook", "--", "echo", "$HOME", "-v")
    got = asked(seen)
    check("the command comes after the host, word for word; the exit status is ssh's", said.rc == 9 and got[-5:] == ["--", "notebook--alice.dev.example.com", "echo", "$HOME", "-v"],
          said, got)
    check("with what ssh-config would say", "StrictHostKeyChecking=yes" in got and "User=dev" in got and any(a.startswith("ProxyCommand=kubectl exec") for a in got), got)
    run("notebook--alice.dev.example.com", "-L", "8888:localhost:8888", "-L", "7681:localhost:7681")
    got = asked(seen)
    check("its other name, and forwarded ports", got[-6:] == ["-L", "8888:localhost:8888", "-L", "7681:localhost:7681", "--", "notebook--alice.dev.example.com"], got)
    run("alice/ranks", "--rank", "2")
    check("--rank 2 is that pod", any(" ranks-2 " in a for a in asked(seen)), asked(seen))
    os.unlink(seen)
    for args in ("alice/ranks", "--rank", "3"), ("alice/ranks", "--rank", "-1"), ("alice/batch", "--rank", "1"), ("alice/closed",), ("alice/none",), ("-oProxyCommand=x",), ("--", "-oProxyCommand=x"):
        said = run(*args)
        check("berth ssh %s runs nothing" % " ".join(args), said.rc in (1, 2, 3, 4) and not os.path.exists(seen) and said.err.startswith("berth: "), said)
    said = berth("ssh", "-C", site.clone, "alice/notebook", env={"XDG_CACHE_HOME": CACHE, "PATH": "/nowhere"})
    check("without ssh: what to install", said.rc != 0 and "openssh-client" in said.err, said)


def imperfect():
    site.write({"envs/alice/notebook.yaml": env_spec("no-such-flavor")})
    said = tool("ssh-config")
    check("an environment whose file has errors now is taken as it is written, with a word", said.rc == 0 and "notebook--alice" in said.out and "alice/notebook has errors" in said.err, said)
    site.write({"envs/alice/notebook.yaml": "spec: ["})
    said = tool("ssh-config")
    check("one that cannot be read is left out of all", said.rc == 0 and "notebook--alice" not in said.out and "left out: alice/notebook" in said.err and "named--alice" in said.out, said)
    check("and an error when it is named", tool("ssh-config", "alice/notebook").rc == 1)
    site.write({"envs/alice/notebook.yaml": env_spec()})
    site.push({"users/bo.yaml": re.sub(r"\n  uid:.*", "", site.read("users/bo.yaml"))}, "bo without a uid")
    mine = [n[5:-5].split("/") for n in site.names("main", "envs/bo") if n.endswith(".yaml")][0]
    until(lambda: not site.show(STATUS, "recipients/users/bo.txt"))
    said = tool("ssh-config", "/".join(mine))
    check("an owner without a uid has no host key by berth: ssh asks, and the block says so",
          said.rc == 0 and "StrictHostKeyChecking" not in said.out and "no certificate" in said.out, said)
    check("nor recipients", not site.show(STATUS, "recipients/users/bo.txt") and "has no uid" in berth("recipients", "bo", "-C", site.clone).err)


def without_a_signer():
    site.push({"berth.yaml": template}, "no signer")
    said = tool("ssh-config")
    check("no signer: the way there all the same, and that ssh will ask", said.rc == 0 and "ProxyCommand" in said.out and "StrictHostKeyChecking" not in said.out and
          "spec.secrets.signer" in said.err, said)


site = Site("envs")
template = re.sub(r"\n  access: .*", "\n  access: {domain: dev.example.com, loadBalancer: [premium, admin]}", site.read("berth.yaml"))
if "domain: dev.example.com" not in template:
    template = template.replace("  render: 1\n", "  render: 1\n  access: {domain: dev.example.com, loadBalancer: [premium, admin]}\n")
template = template.replace("features: []", "features: [jobset]")
signer = re.search(r'signer: ("[^"]*")', berth("keygen", "-o", MASTER).out).group(1)
site.push({"berth.yaml": template.replace("  render: 1\n", "  render: 1\n  secrets: {signer: %s}\n" % signer),
           "envs/alice/outside.yaml": env_spec(more="  access: {ssh: {via: loadBalancer}}\n"), "envs/alice/named.yaml": env_spec(more="  access: {ssh: {user: tcloud}}\n"),
           "envs/alice/closed.yaml": env_spec(more="  enableSSH: false\n"), "envs/alice/ranks.yaml": env_spec(more=DISTRIBUTED % ""),
           "envs/alice/batch.yaml": env_spec(more=DISTRIBUTED % ", engine: jobset")}, "hosts of all kinds")
early = tool("ssh-config")
check("before berth has published anything: what is missing", early.rc == 3 and not early.out and "berth/status" in early.err, early)
daemon = Daemon(site.bare, site.state(), "--master-key", MASTER)
if check("berth publishes", until(lambda: site.show(STATUS, "known_hosts.sig") and site.show(STATUS, "envs/alice/ranks.yaml")), daemon.log()):
    certified()
    imperfect()
    daemon.stop()
    forged()
    ways()
    the_verb()
    without_a_signer()
done()

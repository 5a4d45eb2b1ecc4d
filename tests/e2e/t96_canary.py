#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A known random text in secrets of every kind, delivered to a real API server: it is in the cluster's Secrets and nowhere else. Not in what
any verb prints, in a log at level debug, on the status or the rendered branch, in a file of the state folder, in an answer over HTTP, in the
arguments or the environment of a process, in the daemon's memory, in what a crash leaves, in what is said when something goes wrong."""
import json
import os
import re
import resource
import subprocess
import urllib.error
import urllib.request

import release  # before lab: it says which program
import canary
import inject
import kube
import seal
import sops
from kube import path
from kube_site import KubeSite
from lab import ENV, RENDERED, STATUS, WAIT, berth, check, done, env_spec, folder, free_port, git, note, once, until
from seal import Keys, children, plain

kube.skip_without_peers()
seal.skip_without_age()
NS = "dev-alice"
CANARY = canary.Canary()
TEXT = CANARY.text
PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n-----END OPENSSH PRIVATE KEY-----\n" % TEXT
LOGIN = json.dumps({"auths": {"registry.example.com": {"username": "alice", "password": TEXT}}})
VALUES = {"wandb": ("env", TEXT), "conf": ("file", "a: 1\ntoken: %s\n" % TEXT), "deploy": ("ssh", PEM),
          "forge": ("git", "https://alice:%s@git.example.com\n" % TEXT), "pull": ("registry", LOGIN)}
SOPS = {"all": ("env", "sops.yaml", "token: %s\nother: x%s\n" % (TEXT, TEXT)), "reg": ("registry", "sops.json", json.dumps(
    {"server": "registry.example.org", "username": "alice", "password": "a" + TEXT}))}


def spec(names, more=""):
    uses = "".join("    - {name: %s, file: secrets/%s, as: %s}\n" % (n, n + ("." + SOPS[n][1] if n in SOPS else ".age"),
                                                                   (SOPS.get(n) or VALUES[n])[0]) for n in names)
    return env_spec("cpu-small", "  secrets:\n" + uses + more)


def files(site, keys):
    """Everything sealed for alice, and the environment that uses it."""
    alice, names = keys.recipient(site, "alice"), list(VALUES)
    out = {"envs/alice/secrets/%s.age" % n: seal.seal(alice, text) for n, (_, text) in VALUES.items()}
    if sops.missing():
        note("NOT TESTED: SOPS files: " + sops.missing())
    else:
        for n, (_, ending, text) in SOPS.items():
            place = os.path.join(folder, "plain." + ending)
            assert sops.encrypt(place, text, alice)
            with open(place, "rb") as f:
                out["envs/alice/secrets/%s.%s" % (n, ending)] = f.read()
            os.unlink(place)
            names.append(n)
    return {**out, "envs/alice/notebook.yaml": spec(names)}, names


def secret(c, name, env="notebook", ns=NS):
    return c.get("secret", ns, "%s--secret-%s" % (env, name))


# -- where it may be, and that it would be found elsewhere ------------------------------------------------------------------------------


def finding_works():
    """What looks for the text finds it: at each place among three bytes, in a file, in git, in a process."""
    for before in range(3):
        assert CANARY.in_bytes(seal.base64.b64encode(b"x" * before + TEXT.encode() + b"yz"))
    trap = os.path.join(folder, "trap")
    git(folder, "init", "-q", trap)
    with open(os.path.join(trap, "file"), "w", encoding="utf-8") as f:
        f.write(TEXT)
    git(trap, "add", "file")
    git(trap, "commit", "-q", "-m", "x")
    got = CANARY.in_files(trap), CANARY.in_git(trap)
    check("the test would find it in a file and in git", len(got[0]) == 1 and len(got[1]) == 1, got)
    if os.geteuid() == 0:
        here = canary.in_memory(CANARY, os.getpid())
        check("and in a process that has it", here)
    subprocess.run(["rm", "-rf", trap], check=True)


def delivered(c, names):
    got = until(lambda: all(secret(c, n) for n in names))
    have = {n: b"\n".join(plain(secret(c, n)).values()) for n in names}
    check("it is in the cluster's Secrets, %d of them" % len(names), got and all(TEXT.encode() in v for v in have.values()), sorted(have))
    meta = [n for n in names if CANARY.in_bytes(json.dumps(secret(c, n)["metadata"]))]
    check("not in what is written beside their data", not meta, meta)


def only_there(c):
    """Every other object of the cluster."""
    bad = []
    for kind in c.resources():
        if kind == "secrets":
            continue
        if CANARY.in_bytes(json.dumps(c.api("GET", path(kind)))):
            bad.append(kind)
    check("no other object of the cluster has it, events neither", not bad, bad)


# -- what people see ---------------------------------------------------------------------------------------------------------------------


def said(name, *outputs):
    bad = [o for o in outputs if CANARY.in_bytes("%s\n%s" % (o.out, o.err) if hasattr(o, "out") else o)]
    check(name, outputs and not bad, *("(the text itself is not repeated here)" for _ in bad))


def verbs(c, s, keys):
    at, where = ("-C", s.clone), ("--kubeconfig", c.kubeconfig("admin"), "--context", "admin")
    if berth("diff", *at, *where).rc == 2:
        where = where[:2]
    out = os.path.join(folder, "rendered")
    runs = [("validate", *at), ("validate", *at, "-o", "json"), ("render", *at), ("render", *at, "--out", out), ("plan", *at, "--base", "HEAD~1"),
            ("plan", *at, "--base", "HEAD~1", "-o", "json"), ("diff", *at, *where), ("apply", "--dry-run", *at, *where), ("status", *at),
            ("status", *at, "-o", "json"), ("why", "alice/notebook", *at), ("log", *at),
            ("doctor", *at, *where), ("fmt", "--check", *at), ("recipients", "alice", *at), ("recipients", "alice", *at, "--key", keys.file),
            ("ssh-config", *at), ("explain", "E203"), ("explain", "spec.secrets"), ("help",), ("version",), ("completion", "bash")]
    results = {" ".join(r): berth(*r) for r in runs}
    usage = [k for k, r in results.items() if r.rc == 2]
    check("every verb runs", not usage, *(repr((k, results[k])) for k in usage))
    said("and prints it nowhere: %d calls" % len(runs), *results.values())
    check("nor writes it to the files of berth render", os.path.isdir(out) and not CANARY.in_files(out), CANARY.in_files(out))
    p = subprocess.run([os.environ["BERTH"], "seal", *at, "--user", "alice", "fresh"], input=TEXT.encode(), env=ENV, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, cwd=folder, check=False)
    check("berth seal takes it and does not say it", p.returncode == 0 and not CANARY.in_bytes(p.stdout), p.returncode)
    fresh = os.path.join(s.clone, "envs/alice/secrets/fresh.age")
    check("and what it writes does not either", os.path.exists(fresh) and not CANARY.in_files(os.path.dirname(fresh)))
    shown = berth("open", fresh, *at, "--key", keys.file)
    check("berth open gives it to who has the key", shown.rc == 0 and shown.out == TEXT and not CANARY.in_bytes(shown.err), shown.rc, shown.err)
    if os.path.exists(fresh):
        os.unlink(fresh)


def answers(port):
    got = []
    for where in "/healthz", "/readyz", "/metrics", "/":
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, where), timeout=60) as r:
                got.append(r.read())
        except urllib.error.HTTPError as e:
            got.append(e.read())
    check("nor is it in an answer over HTTP", len(got) == 4 and not any(map(CANARY.in_bytes, got)))


# -- errors ------------------------------------------------------------------------------------------------------------------------------


def refused(s, name, env, change, reason):
    """One change that cannot work; what the status says of it, after the daemon has said what it had to."""
    s.change(change)
    doc = json.dumps(s.until_env(env, lambda d: (d.get("pending") or d.get("lastError")) and reason in json.dumps(d)))
    check("%s: said, without the text" % name, reason in doc and not CANARY.in_bytes(doc), not CANARY.in_bytes(doc) and doc)
    said("%s: by the verbs neither" % name, berth("status", "-C", s.bare), berth("why", env, "-C", s.bare), berth("validate", "-C", s.clone), s.now.log())


def errors(c, s, keys):
    alice, bo = keys.recipient(s, "alice"), keys.recipient(s, "bo")
    use = spec(["wandb"])
    tampered = bytearray(seal.seal(bo, TEXT))
    tampered[len(tampered) // 2] ^= 1
    for env, name, blob in (("one", "sealed for somebody else", seal.seal(alice, TEXT)), ("two", "changed after sealing", bytes(tampered)),
                            ("three", "cut short", seal.seal(bo, TEXT)[:-60])):
        refused(s, name, "bo/" + env, {"envs/bo/%s.yaml" % env: use, "envs/bo/secrets/wandb.age": blob}, "secrets/wandb.age")
        s.change({"envs/bo/%s.yaml" % env: None, "envs/bo/secrets/wandb.age": None})
    login = env_spec("cpu-small", "  secrets:\n    - {name: pull, file: secrets/pull.age, as: registry}\n")
    refused(s, "no login of a registry", "bo/lab", {"envs/bo/lab.yaml": login, "envs/bo/secrets/pull.age": seal.seal(bo, '{"auths": "%s"}' % TEXT)}, "pull")
    s.change({"envs/bo/lab.yaml": None, "envs/bo/secrets/pull.age": None})
    # the API server quotes what it refuses
    loud(c)
    refused(s, "a server that quotes it", "bo/loud", {"envs/bo/loud.yaml": use, "envs/bo/secrets/wandb.age": seal.seal(bo, TEXT)}, "loud--secret-wandb")
    c.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "loud")
    check("(allowed, it is delivered)", until(lambda: secret(c, "wandb", "loud", "dev-bo"), 3 * WAIT))
    s.change({"envs/bo/loud.yaml": None, "envs/bo/secrets/wandb.age": None})
    # somebody is about to publish it: never committed here, it is only what the check of a working tree says
    for name, text in (("wandb.age", TEXT + "\n"), ("wandb.age", PEM), ("wandb.sops.yaml", "token: %s\n" % TEXT)):
        s.write({"envs/bo/lab.yaml": env_spec("cpu-small", "  secrets:\n    - {name: wandb, file: secrets/%s}\n" % name), "envs/bo/secrets/" + name: text})
        got = [berth(v, "-C", s.clone, *more) for v, *more in (("validate",), ("validate", "-o", "json"), ("validate", "-o", "sarif"), ("plan",), ("render",))]
        check("(plain text where sealed text belongs is refused)", got[0].rc == 1 and "secrets/" + name in got[0].out, got[0].rc)
        said("plain text at such a path is not repeated: %s" % name, *got)
        s.write({"envs/bo/lab.yaml": None, "envs/bo/secrets/" + name: None})


def loud(c):
    """From now on the server quotes the data of Secrets called loud--secret-… in its refusals."""
    api = "admissionregistration.k8s.io/v1"
    c.api("POST", path(api + "/validatingadmissionpolicies"), {"apiVersion": api, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "loud"}, "spec": {
        "failurePolicy": "Fail", "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                                                                       "resources": ["secrets"]}]},
        "validations": [{"expression": "!object.metadata.name.startsWith('loud--secret')",
                         "messageExpression": "'the value is ' + object.data.map(k, k + object.data[k]).join(',')"}]}})
    c.api("POST", path(api + "/validatingadmissionpolicybindings"), {"apiVersion": api, "kind": "ValidatingAdmissionPolicyBinding",
                                                                  "metadata": {"name": "loud"}, "spec": {"policyName": "loud", "validationActions": ["Deny"]}})
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "loud--secret-x"}, "data": {"k": seal.base64.b64encode(TEXT.encode()).decode()}}

    def quoted():
        try:
            c.api("POST", path("secret", "default") + "?dryRun=All", body)
        except kube.ApiError as e:
            return CANARY.in_bytes(str(e))
        return False
    check("(the server quotes what it refuses)", until(quoted))


# -- memory and crashes --------------------------------------------------------------------------------------------------------------------


def memory(d):
    if os.geteuid():
        note("NOT TESTED: memory of processes: only root reads it")
        return
    check("the daemon has not got it in its memory", not canary.in_memory(CANARY, d.p.pid))
    idle = until(lambda: children(d.p.pid, "__decryptor"))
    check("nor has the decryptor, once it has answered", len(idle) == 1 and until(lambda: not canary.in_memory(CANARY, idle[0]), 30))


def ended(pid):
    """Gone, or nothing but its status left."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def cores(where):
    return [n for n in os.listdir(where) if n.startswith("core")]


def no_core_has_it():
    return not CANARY.in_files(folder, without=[os.path.join(folder, n) for n in os.listdir(folder) if n not in cores(folder)])


def crash(c, s, keys):
    """Daemon, decryptor and a delivery child end as broken programs do, where the machine would write what they had in memory."""
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as f:
        pattern = f.read().strip()
    if os.geteuid() or pattern.startswith("|") or "/" in pattern:
        note("NOT TESTED: cores are written elsewhere here: " + pattern)
    alice, found = keys.recipient(s, "alice"), 0
    with s.running("--master-key", keys.file, "--log-level", "debug") as d:
        if os.geteuid() == 0:
            resource.prlimit(d.p.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            with open("/proc/%d/coredump_filter" % d.p.pid, "w", encoding="utf-8") as f:
                f.write("0x7f")  # as much as there can be, for what is started from now on too
        victim = until(lambda: children(d.p.pid, "__decryptor"))[0]
        inject.crash(victim)
        check("a decryptor that crashed leaves no core", until(lambda: ended(victim)) and not cores(folder), cores(folder))
        for turn in range(20):
            s.push({"envs/alice/secrets/wandb.age": seal.seal(alice, "%d %s" % (turn, TEXT))}, "turn")

            def at_work():
                return children(d.p.pid, "__deliver")
            for pid in until(at_work, 10) or []:
                try:
                    inject.crash(pid)
                    found += 1
                except ProcessLookupError:
                    pass
            if found > 2:
                break
        check("(delivery children were caught at work)", found)
        check("what they did not deliver, others do", until(lambda: plain(secret(c, "wandb")) and list(plain(secret(c, "wandb")).values()) == [
            ("%d %s" % (turn, TEXT)).encode()], 3 * WAIT), d.log()[-2000:])
        check("delivery children left none that has it", no_core_has_it())
        theirs = children(d.p.pid, "__decryptor") + children(d.p.pid, "__deliver")
        inject.crash(d.p.pid)
        d.p.wait(WAIT)
        check("what it started ends with a daemon that crashed", theirs and until(lambda: all(map(ended, theirs))), theirs)
    note("cores left: %d" % len(cores(folder)))
    check("nor has the daemon's", no_core_has_it())


# -- the other target ----------------------------------------------------------------------------------------------------------------------


def rendered(s, keys):
    """The rendered branch, without and with Secrets in it."""
    age = subprocess.run(["age-keygen"], env=ENV, check=True, capture_output=True, text=True).stdout
    recipient = [line.split()[-1] for line in age.splitlines() if "public key" in line][0]
    for name, how in (("kubectl", "{consumer: kubectl}"), ("flux", "{consumer: flux, recipient: %s}" % recipient)):
        text = s.read("berth.yaml")
        s.push({"berth.yaml": re.sub(r"(?m)^  rendered: .*\n", "", text).replace("  render: 1\n", "  render: 1\n  rendered: %s\n" % how)}, name)
        got = once(s.bare, s.state(), "--master-key", keys.file, "--log-level", "debug")
        s.push({"berth.yaml": text}, "back")
        check("%s: the rendered branch is made" % name, got.rc in (0, 1) and s.show(RENDERED, "envs/alice/notebook/secrets.digest.yaml"), got)
        said("%s: without a word of it" % name, got)
        if name == "flux":
            made = [n for n in s.names(RENDERED, "envs/alice/notebook") if "secret-wandb" in n]
            check("flux: the Secret is there, sealed", made and "ENC[" in s.show(RENDERED, made[0]), made)


def main():
    finding_works()
    keys = Keys()
    c = kube.Cluster(audit=True).start()
    c.grant()
    s = KubeSite("canary", c, {"envs/alice/train.yaml": None, "envs/alice/vit.yaml": None, "envs/bo/genome.yaml": None, "envs/dana/shell.yaml": None})
    watch, port = canary.Watch(CANARY), free_port()
    s.push(keys.switch_on(s), "keys")
    made, names = files(s, keys)
    s.push(made, "secrets")
    with s.running("--master-key", keys.file, "--log-level", "debug", "--listen", "127.0.0.1:%d" % port) as d:
        delivered(c, names)
        s.until_phase({"alice/notebook": "Ready"})
        memory(d)
        answers(port)
        verbs(c, s, keys)
        errors(c, s, keys)
        memory(d)
        only_there(c)
    crash(c, s, keys)
    rendered(s, keys)
    check("never in the arguments or the environment of a process", not watch.stop() and {"run", "__decryptor", "__deliver"} <= set(watch.seen),
          watch.found, watch.seen)
    check("nor in any commit that ever was", not CANARY.in_git(s.bare) and STATUS, CANARY.in_git(s.bare))
    etcd = os.path.join(c.dir, "etcd")
    left = CANARY.in_files(folder, without=(etcd,))
    check("nor in any file: logs, state folders, audit log, caches, cores", not left, left)
    check("(in etcd's files it is)", CANARY.in_files(etcd))
    done()


main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sealed secrets on a real API server: what people seal with plain age is in the Secret, and nowhere else; what changes rolls the pod and
what does not sends nothing; what was sealed for another place does not open; processes may die at any moment."""
import json
import os
import random
import re
import signal
import time

import kube
import seal
import sops
from kube import JSON_PATCH, managers, path
from kube_site import KubeSite, asked
from lab import BERTH, STATUS, WAIT, berth, check, done, env_spec, folder, git, note, still, until
from seal import Keys, children, plain

kube.skip_without_peers()
seal.skip_without_age()
NS, SECRET = "dev-alice", "notebook--secret-wandb"
USE = "  secrets:\n    - {name: wandb, file: secrets/wandb.age}\n"
DOCKER = json.dumps({"auths": {"registry.example.com": {"auth": "dTpw"}}})
PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"


def secret(c, name=SECRET, ns=NS):
    return c.get("secret", ns, name)


def value(c, name=SECRET, ns=NS):
    got = list(plain(secret(c, name, ns)).values())
    return got[0].decode() if len(got) == 1 else got


def pod_uid(c, env="notebook", ns=NS):
    pods = c.list("pod", ns, "berth.dev/env=" + env)
    return [p["metadata"]["uid"] for p in pods if not p["metadata"].get("deletionTimestamp")]


def settled(c, s, env="notebook"):
    """Every pod is of the newest template, and runs."""
    def look():
        sts = c.get("sts", NS, env) or {"metadata": {}}
        st = sts.get("status", {})
        return sts["metadata"].get("generation") == st.get("observedGeneration") and st.get("updateRevision") == st.get("currentRevision") and \
            st.get("updatedReplicas", 0) == st.get("readyReplicas") == 1 and len(pod_uid(c, env)) == 1
    return until(look) and s.until_phase({"alice/" + env: "Ready"})


def rolled(c, before, env="notebook"):
    return until(lambda: len(pod_uid(c, env)) == 1 and pod_uid(c, env) != before)


def sent(c, mark, name=None):
    """Requests about Secrets that berth wrote or read one by one."""
    return [(e["verb"], e["objectRef"].get("name", ""), e["responseStatus"]["code"]) for e in c.audit(mark, stage="ResponseComplete")
            if e.get("objectRef", {}).get("resource") == "secrets" and e["verb"] not in ("watch", "list") and
            name in (None, e["objectRef"].get("name"))]


def findings(s, env):
    return "\n".join(s.env(env).get("pending", {}).get("findings", []) + [s.env(env).get("pending", {}).get("message", "")])


def pending(s, env, reason="Invalid"):
    return s.until_env(env, lambda d: d.get("pending", {}).get("reason") == reason)


# -- the way of a value ---------------------------------------------------------------------------------------------------------


def delivered(c, s, keys):
    alice = keys.recipient(s, "alice")
    s.change({**keys.switch_on(s), "envs/alice/notebook.yaml": env_spec("cpu-small", USE),
              "envs/alice/secrets/wandb.age": seal.seal(alice, "first value")})
    got = until(lambda: value(c) == "first value" and secret(c))
    check("what alice sealed with plain age is in the Secret", got, s.env("alice/notebook"), s.now.log())
    check("Opaque, berth's alone, and no note of it holds the value", got["type"] == "Opaque" and
          {m for m, _, _ in managers(got)} == {"berth"} and "Zmlyc3Q" not in json.dumps(got["metadata"]), got and got["metadata"])
    check("the environment becomes Ready with it", settled(c, s), s.env("alice/notebook"))
    sts = c.get("sts", NS, "notebook")
    names = [v for k in sts["spec"]["template"]["spec"]["containers"] for v in k.get("env", []) if v.get("valueFrom", {}).get("secretKeyRef")]
    check("its container takes it from there", any(v["name"] == "WANDB" and v["valueFrom"]["secretKeyRef"]["name"] == SECRET for v in names), names)
    host = plain(secret(c, "notebook--hostkeys"))
    check("the host key is there with its certificate", host.get("ssh_host_ed25519_key", b"").startswith(b"-----BEGIN OPENSSH PRIVATE KEY") and
          host.get("ssh_host_ed25519_key-cert.pub", b"").startswith(b"ssh-ed25519-cert-v01@openssh.com "), sorted(host))


def changes(c, s, keys):
    alice, before, mark = keys.recipient(s, "alice"), pod_uid(c), c.mark()
    s.change({"envs/alice/secrets/wandb.age": seal.seal(alice, "second value")})
    check("a changed value is in the Secret", until(lambda: value(c) == "second value"), value(c))
    check("and rolls the pod", rolled(c, before), pod_uid(c))
    until(lambda: sent(c, mark, SECRET))
    check("with one request for the Secret", sent(c, mark, SECRET) == [("patch", SECRET, 200)], sent(c, mark))
    settled(c, s)
    before, mark = pod_uid(c), c.mark()
    _, line = s.change({"envs/alice/secrets/wandb.age": seal.seal(alice, "second value")})
    time.sleep(1)  # for what must not happen
    check("the same value sealed again: no request, no new pod", line and "0 changed" in line and not sent(c, mark) and pod_uid(c) == before and
          not [x for x in asked(c, mark) if x[0] in ("patch", "create", "delete") and x[1] != "configmaps"], line, asked(c, mark))
    mark = c.mark()
    s.change(keys.switch_on(s, generation=2))
    check("a new generation: other recipients, the old ones still open", keys.recipient(s, "alice") != alice)
    time.sleep(1)
    check("nobody is restarted and no Secret is touched", pod_uid(c) == before and not sent(c, mark) and value(c) == "second value", sent(c, mark))
    s.change({"envs/alice/secrets/wandb.age": seal.seal(keys.recipient(s, "alice"), "third value")})
    check("a value for the new one", until(lambda: value(c) == "third value"), value(c), findings(s, "alice/notebook"))
    s.change(keys.switch_on(s, generation=4))
    old = pending(s, "alice/notebook")
    check("two generations on it opens no more: what runs stays, the status says why and for whom to seal", old and
          "berth seal" in findings(s, "alice/notebook") and value(c) == "third value" and s.env("alice/notebook")["phase"] == "Ready", old)
    s.change(keys.switch_on(s, generation=2))
    check("and opens again", s.until_env("alice/notebook", lambda d: not d.get("pending")), s.env("alice/notebook"))


def drift(c, s):
    before = secret(c)["metadata"]["uid"]
    patch = [{"op": "replace", "path": "/data/" + next(iter(secret(c)["data"])), "value": "Zm9yZWlnbg=="}]
    c.api("PATCH", path("secret", NS, SECRET), patch, JSON_PATCH)
    check("a foreign edit of its data is put right", until(lambda: value(c) == "third value"), value(c))
    check("and said, by whose hand", s.until_env("alice/notebook", lambda d: SECRET in str(d.get("drift"))), s.env("alice/notebook"))
    c.api("PATCH", path("secret", NS, SECRET), {"data": {"more": "Zm9yZWlnbg=="}})
    check("what was put beside it goes", until(lambda: value(c) == "third value"), value(c))
    c.kubectl("-n", NS, "delete", "secret", SECRET)
    check("deleted, it is made again", until(lambda: secret(c) and secret(c)["metadata"]["uid"] != before and value(c) == "third value"))


# -- places -----------------------------------------------------------------------------------------------------------------------


def places(c, s, keys):
    alice, bo = keys.recipient(s, "alice"), keys.recipient(s, "bo")
    stolen = s.read("envs/alice/secrets/wandb.age")
    s.change({"envs/bo/spy.yaml": env_spec("cpu-small", USE), "envs/bo/secrets/wandb.age": stolen})
    check("alice's file in bo's folder: not applied", pending(s, "bo/spy") and not secret(c, "spy--secret-wandb", "dev-bo"), s.env("bo/spy"))
    text = findings(s, "bo/spy")
    check("bo reads where it is and how to seal for it, and nothing of alice's", "bo" in text and "berth seal" in text and
          "alice" not in text and alice not in text, text)
    s.change({"envs/bo/secrets/wandb.age": seal.seal(bo, "bo's own")})
    check("sealed for bo it is", until(lambda: value(c, "spy--secret-wandb", "dev-bo") == "bo's own"), findings(s, "bo/spy"))
    s.change({"envs/alice/lab.yaml": env_spec(), "envs/alice/other.yaml": env_spec()})
    train = keys.recipient(s, "alice", "lab")
    use = "  secrets:\n    - {name: wandb, file: secrets/lab/wandb.age}\n"
    s.change({"envs/alice/lab.yaml": env_spec("cpu-small", use), "envs/alice/secrets/lab/wandb.age": seal.seal(train, "for lab alone")})
    check("a file of one environment", until(lambda: value(c, "lab--secret-wandb") == "for lab alone"), findings(s, "alice/lab"))
    s.change({"envs/alice/lab.yaml": None, "envs/alice/secrets/lab/wandb.age": None,
              "envs/alice/other.yaml": env_spec("cpu-small", use.replace("/lab/", "/other/")),
              "envs/alice/secrets/other/wandb.age": seal.seal(train, "for lab alone")})
    check("under another environment's name it does not open", pending(s, "alice/other") and not secret(c, "other--secret-wandb"), s.env("alice/other"))
    check("which is said with the command that would be right", "berth seal" in findings(s, "alice/other"), findings(s, "alice/other"))
    s.change({"envs/alice/other.yaml": None, "envs/alice/secrets/other/wandb.age": None})


def new_uid(c, s, keys):
    """A user name that somebody else has now."""
    dana = keys.recipient(s, "dana")
    s.change({"envs/dana/shell.yaml": env_spec("cpu-small", USE), "envs/dana/secrets/wandb.age": seal.seal(dana, "the first dana's")})
    check("dana's", until(lambda: value(c, "shell--secret-wandb", "dev-dana") == "the first dana's"), findings(s, "dana/shell"))
    text = re.sub(r"uid: \S+", 'uid: "5ec0ndda"', s.read("users/dana.yaml"))
    s.change({"users/dana.yaml": text, "envs/dana/again.yaml": env_spec("cpu-small", USE.replace("wandb,", "mine,"))})
    check("the same name with another uid: the first one's file does not open", pending(s, "dana/again") and
          not secret(c, "again--secret-mine", "dev-dana"), s.env("dana/again"))
    s.change({"envs/dana/secrets/wandb.age": seal.seal(keys.recipient(s, "dana"), "the second dana's")})
    check("a new one does", until(lambda: value(c, "again--secret-mine", "dev-dana") == "the second dana's"), findings(s, "dana/again"))
    s.change({"envs/dana/secrets/wandb.age": seal.seal(keys.recipient(s, "bo"), "for another")})
    check("sealed for somebody else: the old value stays", pending(s, "dana/again") and
          value(c, "again--secret-mine", "dev-dana") == "the second dana's", s.env("dana/again"))
    s.change({"envs/dana/again.yaml": None, "envs/dana/secrets/wandb.age": seal.seal(keys.recipient(s, "dana"), "the second dana's")})


# -- kinds ------------------------------------------------------------------------------------------------------------------------


def types(c, s, keys):
    alice = keys.recipient(s, "alice")
    uses = "".join("    - {name: %s, file: secrets/%s.age, as: %s}\n" % x for x in
                   (("deploy", "deploy", "ssh"), ("forge", "forge", "git"), ("pull", "pull", "registry"), ("conf", "conf", "file")))
    s.change({"envs/alice/kinds.yaml": env_spec("cpu-small", "  secrets:\n" + uses),
              "envs/alice/secrets/deploy.age": seal.seal(alice, PEM),
              "envs/alice/secrets/forge.age": seal.seal(alice, "https://alice:token@git.example.com\n"),
              "envs/alice/secrets/pull.age": seal.seal(alice, DOCKER),
              "envs/alice/secrets/conf.age": seal.seal(alice, bytes(range(256)) * 300)})
    want = {"deploy": "kubernetes.io/ssh-auth", "forge": "Opaque", "pull": "kubernetes.io/dockerconfigjson", "conf": "Opaque"}
    got = until(lambda: all(secret(c, "kinds--secret-" + n) for n in want) and {n: secret(c, "kinds--secret-" + n)["type"] for n in want})
    check("Secrets of the types that their use asks for, which the API server accepts", got == want, got, s.env("alice/kinds"), findings(s, "alice/kinds"))
    check("with the very bytes", plain(secret(c, "kinds--secret-deploy")) == {"ssh-privatekey": PEM.encode()} and
          json.loads(plain(secret(c, "kinds--secret-pull"))[".dockerconfigjson"]) == json.loads(DOCKER) and
          list(plain(secret(c, "kinds--secret-conf")).values()) == [bytes(range(256)) * 300])
    uid, mark = secret(c, "kinds--secret-deploy")["metadata"]["uid"], c.mark()
    s.change(s.edit("envs/alice/kinds.yaml", ("deploy.age, as: ssh", "deploy.age, as: file")))
    check("a type cannot be changed in place: the Secret is made anew", until(lambda: (secret(c, "kinds--secret-deploy") or {}).get("type") == "Opaque" and
          secret(c, "kinds--secret-deploy")["metadata"]["uid"] != uid), sent(c, mark), s.env("alice/kinds"))
    s.change({"envs/alice/secrets/pull.age": seal.seal(alice, '{"auths": "canary-in-it"}')})
    doc = s.until_env("alice/kinds", lambda d: "pull" in str(d.get("lastError")))
    check("a registry login that is none is not sent: what was there stays, and the status says it without the text", doc and
          doc["lastError"]["reason"] == "NotDelivered" and "pull" in str(doc["lastError"]) and "canary-in-it" not in str(doc) + s.now.log() and
          DOCKER.encode() in plain(secret(c, "kinds--secret-pull")).values(), doc)
    s.change({"envs/alice/kinds.yaml": None, **{"envs/alice/secrets/%s.age" % n: None for n in want}})
    check("what the environment had goes with it", until(lambda: not secret(c, "kinds--secret-pull")))


def from_sops(c, s, keys):
    """A file of the real sops: its sealed values, a Secret of the type for a login, and one of a value each."""
    file = os.path.join(s.clone, "envs/alice/secrets/login.sops.yaml")
    if sops.missing():
        note("NOT TESTED: a Secret from a SOPS file: " + sops.missing())
        return
    sops.encrypt(file, "server: git.example.com\nusername: alice\npassword: 'to ken\"\\'\n", keys.recipient(s, "alice"))
    s.change({"envs/alice/both.yaml": env_spec("cpu-small", "  secrets:\n    - {name: forge, file: secrets/login.sops.yaml, as: git}\n"
                                               "    - {name: all, file: secrets/login.sops.yaml, as: file}\n")})
    got = until(lambda: secret(c, "both--secret-forge") and secret(c, "both--secret-all") and [secret(c, "both--secret-forge"), secret(c, "both--secret-all")])
    check("what the real sops sealed: a login is basic-auth", got and got[0]["type"] == "kubernetes.io/basic-auth" and
          {k: plain(got[0]).get(k) for k in ("username", "password")} == {"username": b"alice", "password": b"to ken\"\\"}, got and plain(got[0]), findings(s, "alice/both"), s.env("alice/both"))
    check("and values are entries", got and sorted(plain(got[1]).values()) == sorted([b"git.example.com", b"alice", b"to ken\"\\"]), got and plain(got[1]))
    s.change({"envs/alice/both.yaml": None, "envs/alice/secrets/login.sops.yaml": None})


def state(pid):
    """Letter of a process's state; "" when it is gone."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def connected(pid):
    """It has a socket beside the decryptor's channel."""
    try:
        return any(os.readlink("/proc/%d/fd/%s" % (pid, n)).startswith("socket:") for n in os.listdir("/proc/%d/fd" % pid) if int(n) > 5)
    except OSError:
        return False


def lease(c, s, keys):
    """The right to write ends while a child has the values and stands still, and so does the daemon."""
    alice, caught = keys.recipient(s, "alice"), []
    with s.running("--lease", "--master-key", keys.file) as d:
        s.change({"envs/alice/lease.yaml": env_spec("cpu-small", USE), "envs/alice/secrets/wandb.age": seal.seal(alice, "turn 0")})
        until(lambda: value(c, "lease--secret-wandb") == "turn 0")
        for turn in range(1, 30):
            s.push({"envs/alice/secrets/wandb.age": seal.seal(alice, "turn %d" % turn)})
            end = time.monotonic() + 10
            while not caught and time.monotonic() < end and value(c, "lease--secret-wandb") != "turn %d" % turn:
                for pid in children(d.p.pid, "__deliver"):
                    if connected(pid):
                        os.kill(pid, signal.SIGSTOP)
                        caught.append(pid)
            if caught and until(lambda: state(caught[0]) == "T", 2) and value(c, "lease--secret-wandb") != "turn %d" % turn:
                break
            for pid in caught:
                os.kill(pid, signal.SIGCONT)
            caught = []
        d.p.send_signal(signal.SIGSTOP)
        before = c.mark()
        still(lambda: sent(c, before), 1)  # what the server had got by then
        mark = c.mark()
        check("(a delivery child is caught at its work)", caught, d.log()[-1000:])
        check("when the lease ends the kernel ends the child, although it and the daemon are stopped", caught and until(
            lambda: state(caught[0]) in ("Z", "")), caught and state(caught[0]))
        time.sleep(1)
        check("and it sent nothing any more", not sent(c, mark), sent(c, mark))
        d.p.send_signal(signal.SIGCONT)
        check("the daemon asks for the lease again and delivers", until(lambda: value(c, "lease--secret-wandb") == "turn %d" % turn, 120), d.log()[-2000:])
    s.push({"envs/alice/lease.yaml": None})


def refusal(c, s, keys):
    """A server that quotes the value in its answer."""
    policy = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": "loud"},
              "spec": {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"],
                       "operations": ["CREATE", "UPDATE"], "resources": ["secrets"]}]},
                       "validations": [{"expression": "!object.metadata.name.startsWith('loud--secret')",
                                        "messageExpression":
                                        "'the value is ' + object.data.map(k, k + object.data[k]).join(',')"}]}}
    bind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": "loud"},
            "spec": {"policyName": "loud", "validationActions": ["Deny"]}}
    c.api("POST", path("admissionregistration.k8s.io/v1/validatingadmissionpolicies"), policy)
    c.api("POST", path("admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"), bind)

    def refused():
        try:
            c.api("POST", path("secret", "default") + "?dryRun=All", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "loud--secret-x"},
                                                                     "data": {"k": "bG91ZA=="}})
        except kube.ApiError as e:
            return "bG91ZA" in str(e)
        return False
    check("(the server quotes values in its refusals)", until(refused))
    s.change({"envs/alice/loud.yaml": env_spec("cpu-small", USE), "envs/alice/secrets/wandb.age": seal.seal(keys.recipient(s, "alice"), "third value")})
    doc = s.until_env("alice/loud", lambda d: d.get("lastError"))
    check("a refused Secret is said with the server's word for it", doc and doc["lastError"]["reason"] in ("ApplyFailed", "Forbidden") and
          "Secret/loud--secret-wandb" in str(s.errors("alice/loud")), doc)
    said = s.now.log() + str(doc) + str(s.names(STATUS))
    check("and not with its value", "dGhpcmQg" not in said and "third value" not in said, said[-2000:])
    c.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "loud")
    check("allowed, it is delivered without another commit", until(lambda: value(c, "loud--secret-wandb") == "third value", 120), s.env("alice/loud"))
    s.change({"envs/alice/loud.yaml": None})


# -- many, and processes that die -------------------------------------------------------------------------------------------------


def many(c, s, keys):
    bo, n = keys.recipient(s, "bo"), 200
    uses = ["    - {name: s%d, file: secrets/s%d.age, as: file}\n" % (i, i) for i in range(n)]
    files = {"envs/bo/secrets/s%d.age" % i: seal.seal(bo, "value %d" % i) for i in range(n)}
    for k in range(8):
        files["envs/bo/many%d.yaml" % k] = env_spec("cpu-small", "  secrets:\n" + "".join(uses[k * 25:k * 25 + 25]))
    mark = c.mark()
    s.change(files)
    names = ["many%d--secret-s%d" % (i // 25, i) for i in range(n)]
    good = until(lambda: {m["metadata"]["name"] for m in c.list("secret", "dev-bo")} >= set(names), 3 * WAIT)
    have = {m["metadata"]["name"]: list(plain(m).values()) for m in c.list("secret", "dev-bo")}
    check("200 Secrets at once, each with its own value", good and all(have[x] == [b"value %d" % i] for i, x in enumerate(names)),
          len(have), findings(s, "bo/many0"), s.now.log()[-1500:])
    writes = [x for x in sent(c, mark) if x[0] == "patch" and "secret-s" in x[1] and x[2] < 300]  # a busy server refuses some: they come again
    check("a request each", len(writes) == n, len(writes))
    return {"envs/bo/many%d.yaml" % k: None for k in range(8)}, {k: None for k in files if k.endswith(".age")}


def carries(pid, name):
    """A delivery child that has this Secret in its batch."""
    try:
        with open("/proc/%d/fd/3" % pid, "rb") as f:
            return b"/secrets/" + name.encode() + b"?" in f.read()
    except OSError:
        return False


def poison(c, s, keys):
    """Something about one Secret ends every child that has it: its neighbours are delivered."""
    bo, bad, ended, turn = keys.recipient(s, "bo"), "many0--secret-s7", [], 0

    def end_children():
        for pid in children(s.now.p.pid, "__deliver"):
            if carries(pid, bad):
                try:
                    os.kill(pid, signal.SIGKILL)
                    ended.append(pid)
                except ProcessLookupError:
                    pass

    while not ended and turn < 10:  # until one is seen before it is through
        turn += 1
        s.push({"envs/bo/secrets/s%d.age" % i: seal.seal(bo, "poison %d %d" % (turn, i)) for i in range(25)}, "poison")
        end = time.monotonic() + 15
        while not ended and time.monotonic() < end and value(c, bad, "dev-bo") != "poison %d 7" % turn:
            for _ in range(20):
                end_children()
    want = {"many0--secret-s%d" % i: "poison %d %d" % (turn, i) for i in range(25) if i != 7}

    def look():
        for _ in range(20):
            end_children()
        for k, v in list(want.items())[:3]:
            if value(c, k, "dev-bo") == v:
                del want[k]
        return not want and len(ended) > 1
    good = until(look, 3 * WAIT)
    check("a Secret over which every child ends harms no other", good and value(c, bad, "dev-bo") != "poison %d 7" % turn, ended, want,
          s.now.log()[-1500:])
    check("and comes when nothing ends them any more", until(lambda: value(c, bad, "dev-bo") == "poison %d 7" % turn, 120), s.env("bo/many0"))


def kills(c, s, keys):
    """The daemon, the decryptor and delivery children end at random moments while values change."""
    bo, rnd, ended = keys.recipient(s, "bo"), random.Random(7), {"decryptor": 0, "deliver": 0, "daemon": 0}
    turn = -1
    while turn < 5 or (turn < 40 and not all(ended.values())):  # a slow machine may be at none of it in six turns
        turn += 1
        s.push({"envs/bo/secrets/s%d.age" % i: seal.seal(bo, "turn %d value %d" % (turn, i)) for i in range(25)}, "turn %d" % turn)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            for what in ("deliver", "decryptor"):
                for pid in children(s.now.p.pid, "__" + what):
                    if rnd.random() < (0.5 if what == "deliver" else 0.05):
                        try:
                            os.kill(pid, signal.SIGKILL)
                            ended[what] += 1
                        except ProcessLookupError:
                            pass
            time.sleep(0.02)
        if turn % 3 == 2:
            s.now.stop(signal.SIGKILL)
            ended["daemon"] += 1
            s.now = kube.KubeDaemon(s.bare, s.folder, s.cluster.kubeconfig("berth"), *s.args, "--master-key", keys.file)
    note("ended by SIGKILL: %s" % ended)
    want = {"many0--secret-s%d" % i: [b"turn %d value %d" % (turn, i)] for i in range(25)}

    def look():
        have = {m["metadata"]["name"]: list(plain(m).values()) for m in c.list("secret", "dev-bo")}
        return all(have.get(k) == v for k, v in want.items())
    check("what was killed in between made no difference", until(look, 150) and ended["deliver"] and ended["decryptor"], ended, s.now.log()[-3000:])
    check("the environment is as its spec wants it", s.until_env("bo/many0", lambda d: d["phase"] == "Ready" and not d.get("lastError") and
                                                                not d.get("pending"), 150), s.env("bo/many0"))
    check("no child outlives its daemon", until(lambda: not [p for p in os.listdir("/proc") if p.isdigit() and "__deliver" in cmdline(p) and parent(p) == 1]))


def cmdline(pid):
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as f:
            return f.read().decode(errors="replace").replace("\0", " ") if BERTH in os.readlink("/proc/%s/exe" % pid) else ""
    except OSError:
        return ""


def parent(pid):
    try:
        with open("/proc/%s/stat" % pid, encoding="ascii", errors="replace") as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


# -- without the key --------------------------------------------------------------------------------------------------------------


def keyless(c, s, keys):
    """Started without, or with another master key."""
    before = value(c)
    other = Keys("other")
    for what, args, words in (("no master key", [], "--master-key"), ("another master key", ["--master-key", other.file], "another master key")):
        s.now = None
        with s.running(*args) as d:
            s.change({"envs/alice/plain.yaml": env_spec("cpu-small", "  env: {TURN: \"%d\"}\n" % len(args)),
                      "envs/alice/notebook.yaml": env_spec("cpu-small", USE + "  env: {TURN: \"%d\"}\n" % len(args))})
            on = until(lambda: "TURN" in str(c.get("sts", NS, "plain")) and s.condition("alice/plain", "Applied"))
            check("%s: what has no secrets goes on, and the status says that it gets no host key" % what, on and until(
                lambda: s.condition("alice/plain", "Applied")[1] == "NotDelivered" and words in str(s.env("alice/plain"))), s.env("alice/plain"), d.log()[-1500:])
            check("%s: and it stands with the repository" % what, until(lambda: words in str(s.repo_status())), s.repo_status())
            doc = s.until_env("alice/notebook", lambda d, words=words: d.get("pending", {}).get("reason") == "Invalid" and words in str(d["pending"]))
            check("%s: what has some stays as it is, and the status says why" % what, doc and words in findings(s, "alice/notebook") and
                  value(c) == before, doc, d.log()[-1500:])


def rights(c, s):
    """What doctor says before anybody is surprised."""
    said = berth("doctor", "-C", s.clone, "--kubeconfig", c.kubeconfig("berth"))
    check("with the rights of deploy/kubernetes doctor misses none for Secrets", "secrets" not in "".join(
        line for line in said.out.splitlines() if "may not" in line), said)
    role = c.get("rbac.authorization.k8s.io/v1/clusterroles", None, "berth")
    role["rules"] = [r for r in role["rules"] if r["resources"] != ["secrets"]]
    c.api("PUT", path("rbac.authorization.k8s.io/v1/clusterroles", None, "berth"), role)
    said = until(lambda: [x for x in [berth("doctor", "-C", s.clone, "--kubeconfig", c.kubeconfig("berth"))] if "may not" in x.out])
    lines = [line for line in (said[0].out if said else "").splitlines() if "may not" in line]
    check("without that one rule it names what is missing", any("secrets" in x and "patch" in x for x in lines), said)


def main():
    c = kube.Cluster(audit=True).start()
    c.grant()
    keys = Keys()
    s = KubeSite("sealed", c, {"envs/alice/train.yaml": None, "envs/alice/vit.yaml": None, "envs/bo/genome.yaml": None, "envs/dana/shell.yaml": None,
                               "users/bo.yaml": None, "users/dana.yaml": None})
    s.write({"users/bo.yaml": git(s.clone, "show", "HEAD~1:users/bo.yaml") + "\n", "users/dana.yaml": git(s.clone, "show", "HEAD~1:users/dana.yaml") + "\n"})
    roles = {"users/%s.yaml" % u: re.sub(r"role: \S+", "role: admin", s.read("users/%s.yaml" % u)) for u in ("alice", "bo", "dana")}
    s.push(roles, "no limits")
    with s.running("--master-key", keys.file):
        delivered(c, s, keys)
        changes(c, s, keys)
        drift(c, s)
        places(c, s, keys)
        new_uid(c, s, keys)
        types(c, s, keys)
        from_sops(c, s, keys)
        refusal(c, s, keys)
        envs, files = many(c, s, keys)
        poison(c, s, keys)
        kills(c, s, keys)
        s.change({**envs, **files}, "many go\n\nBerth-Allow-Delete: 8")
    lease(c, s, keys)
    keyless(c, s, keys)
    rights(c, s)
    done()


main()

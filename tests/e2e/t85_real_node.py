#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From a commit to a shell: berth, a real control plane, a real kubelet and containerd, stock images, the toolbox and the
built-in templates as they stand. A person logs in by SSH with nothing but their key and the host key that was pinned.
"""
import hashlib
import os
import re
import time

import node
from kube import when
from lab import WAIT, check, done, folder, note, until
from node_site import USER, NodeSite, copy, stock

node.enter()
# What a specification without an image gets, as containerd writes it: here plain Debian has that name.
DEFAULT_IMAGE = "docker.io/library/ubuntu:24.04"
SHORT = "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: small\n"
NOTEBOOK, MEMORY = "envs/alice/notebook.yaml", "envs/alice/memory.yaml"


def guaranteed(c, site):
    """The high-memory shape: requests equal to limits for everything in the pod, so the node never takes memory back from it."""
    site.check("alice/memory", "a guaranteed environment becomes Ready", site.until_phase({"alice/memory": "Ready"}))
    pod = c.get("pod", "dev-alice", "memory-0")
    check("and its pod is in the Guaranteed class", pod["status"].get("qosClass") == "Guaranteed", pod["status"].get("qosClass"))


def commit_to_prompt(c, site, login):
    """Four lines are committed; the time until a command runs over SSH, and berth's own part of it."""
    since, start = c.mark(), time.monotonic()
    began = time.time()
    commit = site.push({NOTEBOOK: SHORT}, "a notebook")
    good = login.prompt(120)
    took = time.monotonic() - start
    site.check("alice/notebook", "a commit of four lines becomes a shell by SSH, with the host key of the Secret", good, login.run("true"))
    site.looked(commit)
    answers = [when(e, "stageTimestamp") for e in c.audit(since, stage="ResponseComplete") if e["verb"] in ("patch", "create") and
               (e.get("objectRef", {}).get("namespace"), e["objectRef"].get("resource")) == ("dev-alice", "statefulsets")]
    check("berth applied what was committed", answers)
    own = min(answers or [began]) - began
    note("commit to prompt: %.2f s; from the commit to the answer for its StatefulSet, berth's own: %.2f s" % (took, own))
    check("berth's own part is not what takes time", own < WAIT, own)
    return good


def logged_in(login, other):
    rc, out, err = login.run('id -un; id -u; pwd; echo "$BERTH_OWNER/$BERTH_ENV"; test -e /usr/sbin/sshd || echo no-sshd-in-image')
    check("exec: the ordinary user, at home, with the environment's variables; sshd is the toolbox's",
          out.split() == ["dev", "1000", "/home/dev", "alice/notebook", "no-sshd-in-image"], rc, out, err)
    rc, out, err = login.run("grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; exit 7")
    check("it has no capability, may gain none and is filtered by seccomp; the exit status comes through",
          rc == 7 and re.fullmatch(r"CapEff:\s0+\nNoNewPrivs:\s1\nSeccomp:\s2\n", out), rc, out, err)
    said = login.terminal("tty; echo $((40 + 2))-$TERM; exit\n", "42-xterm")
    check("an interactive login has a terminal", "/dev/pts/" in said and "42-xterm" in said, said)
    where = os.path.join(folder, "data")
    data = os.urandom(1 << 20)
    with open(where, "wb") as f:
        f.write(data)
    sent = login.sftp("put %s data" % where, "get data %s.back" % where, "ls -l data")
    rc, out, err = login.run("sha256sum < data")
    back = b""
    if os.path.exists(where + ".back"):
        with open(where + ".back", "rb") as f:
            back = f.read()
    same = out.split()[:1] == [hashlib.sha256(data).hexdigest()] and back == data
    check("sftp: a file goes there and comes back", sent[0] == 0 and same, sent, out, err)
    check("scp too", copy(login, where + ".back") == 0 and login.run("cmp data data.back")[0] == 0)
    rc, out, err = login.through_the_api_server("hostname; cat; exit 3", "said")
    check("the same through the API server, as docs/users.md says it: no port, no address", (rc, out) == (3, "notebook-0\nsaid"), rc, out, err)
    rc, out, err = other.run("true")
    check("another key is refused", rc == 255 and "Permission denied" in err, rc, out, err)
    login.pin(node.new_key("impostor")[1])
    rc, out, err = login.run("true")
    check("a host with another key than the pinned one is not talked to", rc == 255 and "verification failed" in err, rc, out, err)


def rotation(c, site, login, new, new_public):
    before = c.get("pod", "dev-alice", "notebook-0")["metadata"]["uid"]
    old_key = login.key
    start = time.monotonic()
    site.change({"users/alice.yaml": USER % new_public}, "another key")
    login.key = new
    check("a new key of the user arrives in the running pod", login.prompt(120), login.run("true"))
    note("key rotation, commit to login (kubelet looks every 5 s): %.1f s" % (time.monotonic() - start))
    login.key = old_key
    rc, out, err = login.run("true")
    check("and the old one is refused", rc == 255 and "Permission denied" in err, rc, out, err)
    login.key = new
    pod = c.get("pod", "dev-alice", "notebook-0")
    restarts = [s["restartCount"] for s in pod["status"]["containerStatuses"]]
    check("by the same pod, without a restart", pod["metadata"]["uid"] == before and restarts == [0], pod["status"])


def pause(c, site, login):
    login.run("echo kept > ~/kept && sync")
    site.change({NOTEBOOK: SHORT + "  lifecycle: {paused: true}\n"}, "pause")
    gone = c.wait_gone("pod", "dev-alice", "notebook-0")
    check("paused: its pod goes and the status says so", gone and site.until_phase({"alice/notebook": "Paused"}), site.env("alice/notebook"))
    site.change({NOTEBOOK: SHORT}, "go on")
    rc, out, err = login.run("cat ~/kept") if login.prompt(120) else (1, "", "no prompt")
    site.check("alice/notebook", "resumed: the file in the home is there, behind the same host key", (rc, out) == (0, "kept\n"), rc, out, err)


def bad_image(c, site, login):
    site.change({NOTEBOOK: SHORT + "  image: berth.test/nothing:9\n"}, "an image that is not there")
    seen = [(None, None, "")]

    def said():
        seen.append(site.condition("alice/notebook", "Ready"))
        return seen[-1][:2] == ("False", "ImagePull") and "berth.test/nothing:9" in seen[-1][2] and "pull secret" in seen[-1][2]
    site.check("alice/notebook", "an image that cannot be had: the status says ImagePull, its name and a next step", until(said), seen[-5:])
    _, reason, message = seen[-1]
    note("status: %s: %s" % (reason, message))
    site.change({NOTEBOOK: SHORT}, "the image that was")
    good = site.until_phase({"alice/notebook": "Ready"}, 120) and login.prompt()
    site.check("alice/notebook", "the next commit mends it, by itself", good)
    rc, out, err = login.run("cat ~/kept")
    check("and the home is as it was", (rc, out.strip()) == (0, "kept"), rc, out, err)


def out_of_memory(c, site, key):
    """Control groups of version 1 end one process, which the kubelet never hears of unless it is the container's first: that is made
    the first to go. Those of version 2 end all of them."""
    made = site.inside("alice/memory", "cat ~/.berth/ssh/*.pub")  # without a Secret it is made once, on the home volume
    login = node.Login(c, "alice/memory", key, " ".join(made.split()[:2]))
    if not site.check("alice/memory", "the guaranteed environment can be logged in to", login.prompt(), login.run("true")):
        return
    login.run("echo 1000 > /proc/1/oom_score_adj; for i in 1 2 3 4; do python3 -c 'b = bytearray(100 << 20); import time; time.sleep(60)' & done; wait")
    doc = site.until_env("alice/memory", lambda d: any(
        x["type"] == "Ready" and x["reason"] == "OOMKilled" and "ask for more" in x["message"] for x in d.get("conditions", [])))
    site.check("alice/memory", "more memory than the limit: the status says OOMKilled and a next step", doc, site.condition("alice/memory", "Ready"))
    site.check("alice/memory", "it comes back by itself", site.until_phase({"alice/memory": "Ready"}, 120))


def story(c, d, site, keys):
    """keys: alice's, a stranger's and alice's next one, (file, public half) each."""
    guaranteed(c, site)
    host_key = site.host_key("notebook")
    login = node.Login(c, "alice/notebook", keys[0][0], host_key)
    if not commit_to_prompt(c, site, login):
        note(d.log()[-2000:])
        return
    logged_in(login, node.Login(c, "alice/notebook", keys[1][0], host_key))
    login.pin(host_key)
    pause(c, site, login)
    rotation(c, site, login, *keys[2])
    bad_image(c, site, login)
    out_of_memory(c, site, keys[2][0])
    check("the daemon is alive", d.alive(), d.log()[-2000:])


def main():
    keys = [node.new_key(name) for name in ("alice", "stranger", "alice.new")]
    with node.cluster(audit=True) as c:
        n = node.Node(c)
        before = n.traces()
        with n:
            start = time.monotonic()
            n.load("pause", "debian", "toolbox")
            n.tag("berth.test/debian:1", DEFAULT_IMAGE)
            note("control plane %.1f s, node %.1f s, images %.1f s" % (c.took, n.took, time.monotonic() - start))
            c.grant()
            site = NodeSite(n, keys[0][1], {MEMORY: stock("memory")})
            with site.running() as d:
                story(c, d, site, keys)
            start = time.monotonic()
        note("down: %.1f s" % (time.monotonic() - start))
        until(lambda: not n.left(before), 30)
        left = n.left(before)
        check("afterwards the machine has no process, mount, link or control group more than before", not left, left)
    done()


main()

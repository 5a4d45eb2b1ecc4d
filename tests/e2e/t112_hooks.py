#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hooks of forges: a signed push arrives at once, and what is forged, replayed, too large, slow or no event does nothing.

The daemon would ask its server once an hour; what it asks is counted in the log of git daemon.
"""
import hashlib
import hmac
import json
import os
import re
import select
import socket
import subprocess
import threading
import time

from lab import ENV, RENDERED, WAIT, Daemon, Site, berth, check, done, env_spec, folder, free_port, git, http, note, processes, until

SECRET = "It's a Secret to Everybody"
LIMIT = 1 << 20
secret_file = os.path.join(folder, "hook-secret")


def write_secret(text, mode=0o600, path=secret_file):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path + ".new", mode)
    os.rename(path + ".new", path)


# -- what forges send ------------------------------------------------------------------------------------------------


def raw(data, wait=20):
    """Sends bytes on a connection of its own; the status of the answer, 0 when there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as s:
        got = b""
        try:
            for at in range(0, len(data), 65536):
                s.sendall(data[at:at + 65536])
            while b"\r\n\r\n" not in got:
                more = s.recv(4096)
                if not more:
                    break
                got += more
        except OSError:
            pass
    found = re.match(rb"HTTP/1\.1 (\d+) ", got)
    return int(found.group(1)) if found else 0


def request(path, body, headers, method="POST", length=None):
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: berth", "Content-Length: %d" % (len(body) if length is None else length), "Connection: close"]
    return ("\r\n".join(lines + ["%s: %s" % h for h in headers.items()]) + "\r\n\r\n").encode() + body


def mac(body, secret=SECRET):
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


deliveries = 0


def push_event(forge, ref="refs/heads/main", secret=SECRET):
    """(body, headers) of a push."""
    global deliveries
    deliveries += 1
    body = json.dumps({"object_kind": "push", "ref": ref, "after": "%040x" % deliveries, "commits": []}).encode()
    headers = {"Content-Type": "application/json"}
    if forge == "github":
        headers.update({"X-GitHub-Event": "push", "X-GitHub-Delivery": "d-%d" % deliveries, "X-Hub-Signature-256": "sha256=" + mac(body, secret)})
    elif forge == "gitea":
        headers.update({"X-Gitea-Event": "push", "X-Gitea-Delivery": "d-%d" % deliveries, "X-Gitea-Signature": mac(body, secret)})
    else:
        headers.update({"X-Gitlab-Event": "Push Hook", "X-Gitlab-Event-UUID": "d-%d" % deliveries, "X-Gitlab-Token": secret})
    return body, headers


def send(forge, body, headers, **more):
    return raw(request("/hook/" + forge, body, headers, **more))


# -- the server and the daemon ----------------------------------------------------------------------------------------

site = Site("envs")
git_port, port = free_port(), free_port()
git_log = os.path.join(folder, "git.log")
with open(git_log, "ab") as log:
    processes.append(subprocess.Popen(
        [os.path.join(git(folder, "--exec-path"), "git-daemon"), "--listen=127.0.0.1", "--port=%d" % git_port, "--base-path=" + folder,
         "--export-all", "--reuseaddr", "--enable=receive-pack", "--verbose", folder], env=ENV, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
url = "git://127.0.0.1:%d/envs.git" % git_port
until(lambda: git(folder, "ls-remote", url, ok=False)[0] == 0)


def asked():
    """How often the server was asked for its refs or objects."""
    with open(git_log, encoding="utf-8", errors="replace") as f:
        return f.read().count("Request upload-pack")


def refused_starts():
    listen = ("--listen", "127.0.0.1:%d" % port)
    for name, text, mode, word in (("empty", "\n", 0o600, "no secret"), ("short", "fifteen bytes..\n", 0o600, "15 bytes"),
                                   ("open to others", SECRET + "\n", 0o644, "chmod 400")):
        path = os.path.join(folder, "bad-secret")
        write_secret(text, mode, path)
        said = berth("run", "--repo", url, "--state", site.state(), *listen, "--hook-secret", path)
        check("a secret that is %s: berth does not start and says why" % name, said.rc not in (0, 130) and word in said.err and
              path in said.err and "fifteen" not in said.err and SECRET not in said.err, said)
    said = berth("run", "--repo", url, "--state", site.state(), "--hook-secret", secret_file)
    check("--hook-secret without --listen: usage, and the next step", said.rc == 2 and "--listen" in said.err, said)
    said = berth("run", "--repo", url, "--state", site.state(), *listen, "--once", "--hook-secret", secret_file)
    check("nor with --once", said.rc == 2 and "--once" in said.err, said)


write_secret(SECRET + "\n")
started = time.monotonic()
# a sanitizer keeps what was freed for a while, which looks like growth
asan = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1", "thread_local_quarantine_size_kb=64"]))
daemon = Daemon(url, site.state(), "--interval", "1h", "--listen", "127.0.0.1:%d" % port, "--hook-secret", secret_file, env={"ASAN_OPTIONS": asan})
check("it starts and passes", until(lambda: http(port, "/readyz") == 200) and until(site.all_rendered), daemon.log())


def hints():
    return daemon.log().count(" hook of ")


def arrives(forge, flavor):
    site.push({"envs/alice/notebook.yaml": env_spec("cpu-small", "  persistentHomeSize: %s\n" % flavor)}, "hook of " + forge)
    began = time.monotonic()
    status = send(forge, *push_event(forge))
    answered = time.monotonic()
    came = until(lambda: any(("storage: " + flavor) in (site.show(RENDERED, p) or "") for p in site.names(RENDERED, "envs/alice/notebook")))
    check("%s: 202, and the commit arrives by the hook" % forge, status == 202 and came, status, daemon.log())
    note("%s: answered in %.0f ms, rendered %.1f s after the hook" % (forge, (answered - began) * 1000, time.monotonic() - began))


first_look = asked()


def served():
    """How often the server was asked since the daemon looked for the first time: once for each line of a hint, which is written just before."""
    return asked() - first_look


def settle():
    """A hint of ours goes through: what came before it has been looked at, too. True when it was the only one and asked the server once."""
    before = hints()
    status = send("gitlab", *push_event("gitlab", "refs/heads/settle"))
    until(lambda: hints() > before and served() == hints())
    return status == 202 and hints() == before + 1 and served() == hints() or (status, hints() - before, served())


def quiet(name, fn):
    said = fn()
    check(name, said is True and http(port, "/healthz") == 200, said, daemon.log())


def all_are(want, list_):
    got = [f() for f in list_]
    return set(got) == {want} or got


def forged():
    body, headers = push_event("github")
    other = dict(headers, **{"X-Hub-Signature-256": "sha256=" + mac(body + b" ")})
    gitea_body, gitea = push_event("gitea")
    lab_body, lab = push_event("gitlab", secret="It's no Secret to anybody")
    return all_are(401, [
        lambda: send("github", body, other),
        lambda: send("github", body, {k: v for k, v in headers.items() if "Signature" not in k}),
        lambda: send("github", body, dict(headers, **{"X-Hub-Signature-256": "sha256="})),
        lambda: send("github", body + b" ", headers),
        lambda: send("gitea", gitea_body, dict(gitea, **{"X-Gitea-Signature": ""})),
        lambda: send("gitea", gitea_body, dict(gitea, **{"X-Gitea-Signature": "", "X-Hub-Signature-256": "sha256="})),
        lambda: send("gitlab", lab_body, lab),
        lambda: send("gitlab", lab_body, {"webhook-id": "1", "webhook-timestamp": "%d" % time.time(), "webhook-signature": "v1,AAAA"}),
    ])


old = [(forge, *push_event(forge)) for forge in ("github", "gitea", "gitlab")]


def replayed():
    return all_are(202, [lambda o=o: send(*o) for o in old * 3] + [lambda: send("github", old[0][1], dict(old[0][2], **{"X-GitHub-Delivery": "new"}))])


def useless():
    def signed(event, value):
        body = json.dumps(value).encode()
        return send("github", body, {"X-GitHub-Event": event, "X-GitHub-Delivery": body.hex()[:60], "X-Hub-Signature-256": "sha256=" + mac(body)})
    return all_are(202, [
        lambda: send("github", *push_event("github", "refs/heads/berth/status")),
        lambda: send("gitea", *push_event("gitea", "refs/heads/berth/rendered")),
        lambda: send("gitlab", *push_event("gitlab", "refs/berth/trusted")),
        lambda: signed("ping", {"zen": "Design for failure."}),
        lambda: signed("status", {"state": "success", "context": "berth/plan"}),
        lambda: signed("issue_comment", {"action": "edited", "issue": {"number": 1, "pull_request": {}}}),
    ])


def malformed():
    def signed(body, more=()):
        return send("github", body, {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + mac(body), **dict(more)})
    return all_are(400, [
        lambda: signed(b""), lambda: signed(b"{"), lambda: signed(b"[" * 5000), lambda: signed(b"\0\xff" * 100),
        lambda: signed(b'"push"'), lambda: signed(b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%7D"),
        lambda: signed(b"[" + b"1," * 400000 + b"1]"),
    ])


def oversized():
    body, headers = push_event("github")
    large = body[:-1] + b" " * LIMIT + b"}"
    headers["X-Hub-Signature-256"] = "sha256=" + mac(large)
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(large[i:i + 40000]), large[i:i + 40000]) for i in range(0, len(large), 40000)) + b"0\r\n\r\n"
    head = "\r\n".join(["POST /hook/github HTTP/1.1", "Host: berth", "Transfer-Encoding: chunked", "Connection: close"] +
                       ["%s: %s" % h for h in headers.items()]).encode() + b"\r\n\r\n"
    endless = head + (b"8000\r\n" + b" " * 0x8000 + b"\r\n") * 700  # 22 MiB
    declared = all_are(413, [lambda: raw(request("/hook/github", b"", headers, length=len(large))), lambda: raw(head + chunks)])
    return declared is True and raw(endless) in (0, 413) or declared


def wrong_places():
    body, headers = push_event("github")
    both = request("/hook/github", body, headers, method="GET")
    return all_are(404, [lambda p=p: raw(request(p, b"", headers)) for p in ("/hook", "/hook/", "/hook/github/", "/hook/bitbucket", "/hooks/github", "/")]
                   ) is True and all_are(405, [lambda: raw(both), lambda: raw(request("/hook/github", b"", headers, method="PUT")),
                                               lambda: raw(request("/healthz", b"", headers))])


def sockets():
    """How many the daemon has open."""
    return len([n for n in os.listdir("/proc/%d/fd" % daemon.p.pid) if readlink(n).startswith("socket:")])


def readlink(fd):
    try:
        return os.readlink("/proc/%d/fd/%s" % (daemon.p.pid, fd))
    except OSError:
        return ""  # closed meanwhile


class Slow(threading.Thread):
    """Two hundred that send a byte now and then, without an end, while everything else goes on."""

    def __init__(self):
        super().__init__(daemon=True)
        body, headers = push_event("github")
        head = request("/hook/github", b"", headers, length=len(body) + 100)
        self.began, self.open, self.refused = time.monotonic(), [], 0
        for n in range(200):
            try:
                s = socket.create_connection(("127.0.0.1", port), timeout=5)
                s.sendall(head[:60] if n % 2 else head + b"{")
                self.open.append(s)
            except OSError:
                self.refused += 1
        self.crowd = sockets()
        self.start()

    def run(self):
        while self.open and time.monotonic() - self.began < WAIT:
            for s in list(self.open):
                try:
                    if select.select([s], [], [], 0)[0] and not s.recv(1):
                        raise OSError
                    s.send(b"x")
                except OSError:
                    s.close()
                    self.open.remove(s)
            self.crowd = max(self.crowd, sockets())
            select.select(self.open[:1], [], [], 0.5)
        self.took = time.monotonic() - self.began


def resident():
    with open("/proc/%d/status" % daemon.p.pid, encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def many_forged():
    """5,000 on connections that are kept; memory may not follow."""
    def burst(n, size):
        body = b"{" + b" " * size + b"}"
        one = ("POST /hook/gitea HTTP/1.1\r\nHost: berth\r\nContent-Length: %d\r\nX-Gitea-Event: push\r\nX-Gitea-Delivery: x\r\n"
               "X-Gitea-Signature: %s\r\n\r\n" % (len(body), "0" * 64)).encode() + body
        got = 0
        with socket.create_connection(("127.0.0.1", port), timeout=20) as s, s.makefile("rb") as answers:
            for _ in range(n):
                s.sendall(one)
                got += answers.readline().startswith(b"HTTP/1.1 401 ")
                length = 0
                for line in iter(answers.readline, b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                answers.read(length)
        return got
    burst(500, 2000)
    burst(5, LIMIT - 2)
    before, lines = resident(), daemon.log().count("\n")
    began = time.monotonic()
    got = burst(4980, 2000) + burst(20, LIMIT - 2)
    grown = resident() - before
    said = daemon.log().count("\n") - lines
    note("5,000 forged in %.1f s: %+d KiB, %d lines in the log" % (time.monotonic() - began, grown, said))
    return got == 5000 and grown < 4096 and said <= 5 or (got, grown, said)


slow = Slow()
for n, forge in enumerate(("github", "gitlab", "gitea")):
    arrives(forge, "%dGi" % (31 + n))
refused_starts()
check("hooks are taken", all_are(202, [lambda o=o: send(*o) for o in old]) is True)
until(lambda: hints() >= 4)
settle()
until(lambda: served() == hints())
said = settle()
check("each is one look at the server", said is True, said, daemon.log())
before = hints()
quiet("forged: 401", forged)
quiet("replayed: 202", replayed)
quiet("of no use: 202", useless)
quiet("no events: 400", malformed)
quiet("oversized, declared and chunked: 413", oversized)
quiet("wrong places and methods: 404 and 405", wrong_places)
quiet("5,000 forged: memory and log stay as they are", many_forged)
slow.join(WAIT + 5)
note("slow: the daemon had %d sockets at most; all are gone after %.1f s" % (slow.crowd, slow.took))
check("slow ones are cut, and others were answered meanwhile", not slow.open and 40 < slow.crowd <= 64 + 8, (len(slow.open), slow.crowd, slow.refused))
said = settle()
check("none of all this asked the server anything", said is True and hints() == before + 1, said, served(), hints() - before, daemon.log())


def coalesced():
    before, began = served(), time.monotonic()
    statuses = {send("gitlab", *push_event("gitlab", "refs/heads/b%d" % n)) for n in range(60)}
    settle()
    took, calls = time.monotonic() - began, served() - before
    note("60 hooks and one more in %.1f s: the server was asked %d times" % (took, calls))
    return statuses == {202} and 1 <= calls <= took + 2 and served() == hints() or (statuses, calls, took)


check("hints are coalesced to one look a second", coalesced() is True, daemon.log())
write_secret("another one, of enough bytes\n")
check("a new secret is taken without a restart", send("gitlab", *push_event("gitlab")) == 401 and
      send("gitlab", *push_event("gitlab", secret="another one, of enough bytes")) == 202)
write_secret("another one, of enough bytes\n", 0o644)
check("one that others can read is none: 503", send("gitlab", *push_event("gitlab", secret="another one, of enough bytes")) == 503)
told = len(re.findall(r" hooks? refused, last of (github|gitlab|gitea): ", daemon.log()))
check("what was refused is told once a minute, with a reason", 1 <= told <= 1 + (time.monotonic() - started) / 60, told, daemon.log())
check("a look that hooks asked for is one line, however many they were", re.search(r" hook of gitlab: push to refs/heads/\S+, and \d+ before it", daemon.log()),
      daemon.log())
check("no secret in the log", SECRET not in daemon.log() and "of enough bytes" not in daemon.log(), daemon.log())
check("SIGTERM, status 0", daemon.stop() == 0, daemon.log())

daemon = Daemon(url, site.state(), "--interval", "1h", "--listen", "127.0.0.1:%d" % port)
until(lambda: http(port, "/readyz") == 200)
check("without --hook-secret there are no hooks: 404", send("github", *push_event("github")) == 404, daemon.log())
daemon.stop()
done()

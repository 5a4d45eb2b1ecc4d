#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A forge in trouble, by a proxy before a real Gitea's API: down, refusing, limiting, silent, answers that are lost. Reconciling goes on, nothing is said
twice, and at rest nearly nothing is asked. The git side stays up: it is another server in most places."""
import collections
import http.client
import http.server
import threading
import time

import gitea
from forge_site import REPO, Forge
from lab import check, done, env_spec, note, still, until

gitea.skip_without()
MANY, LIMIT_S = 10, 4


class Proxy(http.server.ThreadingHTTPServer):
    """Passes on, or does what `mode` says: down, 500, 429, silent, lost (carries comments out and loses the answer)."""
    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.mode, self.lock = port, "", threading.Lock()
        self.counts, self.freed, self.limited = collections.Counter(), threading.Event(), []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def turn(self, mode):
        self.mode = mode
        if not mode:
            self.freed.set()
            self.freed = threading.Event()

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def writes(self):
        with self.lock:
            return sum(n for what, n in self.counts.items() if what.split()[0] in ("POST", "PATCH"))

    def requests(self):
        with self.lock:
            return self.counts["all"]

    def handle_error(self, *_):
        pass  # a client that left


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body=b"{}", **headers):
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def pass_on(self, body):
        c = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=60)
        c.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")})
        r = c.getresponse()
        text = r.read()
        c.close()
        return r.status, text, r.getheader("Content-Type") or "application/json"

    def do_GET(self):  # pylint: disable=invalid-name
        mode, freed = self.server.mode, self.server.freed
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.count("all")
        self.server.count("%s %s" % (self.command, "comments" if "/comments" in self.path else "statuses" if "/statuses/" in self.path else "rest"))
        if mode == "silent":
            freed.wait(120)
            self.close_connection = True
        elif mode == "down":
            self.close_connection = True
        elif mode == "500":
            self.answer(500)
        elif mode == "429":
            self.server.limited.append(time.monotonic())
            self.answer(429, Retry_After=str(LIMIT_S))
        else:
            status, text, kind = self.pass_on(body)
            if mode == "lost" and self.command != "GET" and "/comments" in self.path:
                self.close_connection = True
            else:
                self.answer(status, text, Content_Type=kind)

    do_POST = do_PATCH = do_GET


def comments(f, pull):
    return [c for c in f.api("GET", "/repos/%s/issues/%d/comments" % (REPO, pull)) or [] if c["user"]["login"] == "berth"]


def many_opened(f, d, proxy):
    start = time.monotonic()
    for i in range(MANY):
        f.git("bo", "checkout", "-q", "-B", "many%d" % i, "origin/main")
        f.site.write({"envs/bo/many%d.yaml" % i: env_spec()})
        f.git("bo", "add", "-A")
        f.git("bo", "commit", "-q", "-m", "many%d" % i)
    f.git("bo", "push", "-q", "origin", *["many%d" % i for i in range(MANY)])
    pulls = [f.api("POST", "/repos/%s/pulls" % REPO, {"title": "many%d" % i, "head": "many%d" % i, "base": "main"}, who="bo")["number"] for i in range(MANY)]
    note("%d pull requests made in %.1f s" % (MANY, time.monotonic() - start))
    check("all of them have their comment", until(lambda: all(len(comments(f, p)) == 1 for p in pulls)), d.log())
    check("with two statuses and one comment each, and no write more", until(lambda: proxy.writes() >= 3 * MANY) and proxy.counts["POST comments"] == MANY and
          proxy.counts["POST statuses"] == 2 * MANY and proxy.writes() == 3 * MANY, proxy.counts)
    return pulls


def at_rest(f, d, proxy, pulls):
    # berth's own comments move the pull requests' times, and it looks twice whether somebody answered
    check("what is written is not taken for news again and again", until(lambda: proxy.counts["GET comments"] >= 3 * MANY) and
          still(lambda: proxy.counts["GET comments"], 4, 40) and proxy.counts["GET comments"] <= 6 * MANY, proxy.counts)
    begun = time.monotonic()
    before, wrote = proxy.requests(), proxy.writes()
    until(lambda: proxy.requests() >= before + 4)
    asked, took = proxy.requests() - before, time.monotonic() - begun
    note("at rest: %d requests in %.1f s for %d pull requests, looked at every second" % (asked, took, MANY))
    check("at rest a look is a page of the list, and nothing is written", asked <= 2 * (took / 1.0 + 2) and proxy.writes() == wrote, proxy.counts)
    other = f.pull("mallory", "aside", {"envs/mallory/aside.yaml": env_spec()})
    check("(somebody else's is commented)", until(lambda: comments(f, other)), d.log())
    f.approve("carol", "aside")
    f.review("carol", other)
    check("(somebody else's is merged)", f.merge("carol", other, "squash"))
    check("main has moved on", until(lambda: f.live("mallory/aside")), d.log())
    check("the merged one says so", until(lambda: "Rendered" in comments(f, other)[0]["body"]), comments(f, other), d.log())
    tip = f.git("bo", "rev-parse", "origin/main")
    check("(all others are passed over)", until(lambda: "main is at %s: %d" % (tip[:7], MANY) in d.log()), d.log())
    before = {p: comments(f, p)[0]["updated_at"] for p in pulls}
    check("their comments stay as they were: what they say does not depend on main's tip", proxy.counts["PATCH comments"] <= 3, proxy.counts, before)


def push(f, i, text):
    f.git("bo", "checkout", "-q", "many%d" % i)
    f.site.write({"envs/bo/many%d.yaml" % i: text})
    f.git("bo", "commit", "-qam", "more")
    f.git("bo", "push", "-q", "origin", "many%d" % i)
    return f.git("bo", "rev-parse", "HEAD")


def said(d, pull, tip):
    """Everything is said about this commit of a pull request."""
    return "pull request %d at %.7s: " % (pull, tip) in d.log()


def recovered(d):
    """How often a whole turn went well again: from then on waits are short."""
    return d.log().count("the forge answers again")


def trouble(f, d, proxy, pulls):
    for n, mode in enumerate(("down", "500")):
        before = recovered(d)
        body = comments(f, pulls[1])[0]["body"]
        proxy.turn(mode)
        push(f, 1, env_spec(more="  resources: {cpu: %d}\n" % (n + 1)))
        other = n + 2
        f.approve("carol", "many%d" % other)
        f.review("carol", pulls[other])
        check("%s: (another one is merged)" % mode, f.merge("carol", pulls[other], "merge"))
        check("%s: reconciling goes on" % mode, until(lambda other=other: f.live("bo/many%d" % other)), d.log())
        check("%s: it is said by name" % mode, until(lambda: "warn" in d.log()) and "stage=forge gitea root/envs" in d.log(), d.log())
        proxy.turn("")
        check("%s: afterwards the comment follows" % mode, until(lambda body=body: comments(f, pulls[1])[0]["body"] != body, 120), d.log())
        check("%s: and is one" % mode, len(comments(f, pulls[1])) == 1)
        check("%s: that it is over is said" % mode, until(lambda before=before: recovered(d) > before, 120), d.log())


def limited(f, d, proxy, pulls):
    body = comments(f, pulls[1])[0]["body"]
    well = recovered(d)
    proxy.turn("429")
    tip = push(f, 1, env_spec(more="  resources: {cpu: 4, memory: 9Gi}\n"))
    check("429: nothing is asked for as long as it says", until(lambda: len(proxy.limited) > 1) and
          all(b - a > LIMIT_S - 0.1 for a, b in zip(proxy.limited, proxy.limited[1:])), proxy.limited)
    proxy.turn("")
    check("429: then it goes on", until(lambda: said(d, pulls[1], tip)) and comments(f, pulls[1])[0]["body"] != body and
          until(lambda: recovered(d) > well), d.log())


def answers_lost(f, d, proxy):
    proxy.turn("lost")
    pull = f.pull("bo", "lost", {"envs/bo/lost.yaml": env_spec()})
    check("answers to comments are lost: the comment is there", until(lambda: comments(f, pull)), d.log())
    check("(it is asked again)", until(lambda before=proxy.requests(): proxy.requests() > before + 2))
    check("and is not written again", len(comments(f, pull)) == 1, comments(f, pull))
    proxy.turn("")
    check("and not when they come again", until(lambda: "pull request %d at" % pull in d.log()) and len(comments(f, pull)) == 1, d.log())
def main():
    f = Forge()
    proxy = Proxy(f.server.port)
    d = f.daemon(f.site.state(), "--forge", "gitea", "--forge-api", "http://127.0.0.1:%d/api/v1" % proxy.server_address[1])
    pulls = many_opened(f, d, proxy)
    at_rest(f, d, proxy, pulls)
    trouble(f, d, proxy, pulls)
    limited(f, d, proxy, pulls)
    answers_lost(f, d, proxy)
    proxy.turn("silent")
    check("(a request has no answer)", until(lambda before=proxy.requests(): proxy.requests() > before), d.log())
    start = time.monotonic()
    check("it stops in the middle of a request", d.stop() == 0 and time.monotonic() - start < 20, d.log())
    check("no token in the log", not any(t in d.log() for t in f.server.tokens.values()))
    done()


main()

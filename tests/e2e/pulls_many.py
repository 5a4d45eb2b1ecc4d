# SPDX-License-Identifier: Apache-2.0
"""Many open pull requests on a real Gitea (one import, one push, the API from some threads), and a proxy before its API that counts."""
import collections
import concurrent.futures
import http.client
import http.server
import threading
import time

from forge_site import REPO
from lab import env_spec, git


def import_branches(site, files, prefix="many"):
    """A branch a dict of files (path -> text), one commit on the clone's main each, by one git fast-import: their names."""
    names = ["%s%d" % (prefix, i) for i in range(len(files))]
    stream = []
    for name, one in zip(names, files):
        stream.append("commit refs/heads/%s\ncommitter bo <bo@example.com> 1800000000 +0000\ndata %d\n%s\nfrom refs/heads/main^0\n" %
                      (name, len(name), name))
        for path, text in one.items():
            stream.append("M 100644 inline %s\ndata %d\n%s\n" % (path, len(text.encode()), text))
    git(site.clone, "fast-import", "--quiet", "--force", data="".join(stream).encode())
    return names


def open_pulls(f, n, path="envs/bo/many%d.yaml", prefix="many"):
    """n pull requests of one environment each: their numbers, in order."""
    names = import_branches(f.site, [{path % i: env_spec()} for i in range(n)], prefix)
    f.git("root", "push", "-q", "origin", *("refs/heads/%s" % x for x in names))

    def make(name):
        return f.api("POST", "/repos/%s/pulls" % REPO, {"title": name, "head": name, "base": "main"}, who="bo")["number"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(make, names))


class Proxy(http.server.ThreadingHTTPServer):
    """Passes all on to a server on loopback and notes it: `log` has (seconds, what, bytes of the answer). What `rule(method, path)` returns
    (status, headers) is answered instead."""
    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream, self.lock, self.log, self.rule = port, threading.Lock(), [], lambda method, path: None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def api(self):
        return "http://127.0.0.1:%d/api/v1" % self.server_address[1]

    def note(self, what, size):
        with self.lock:
            self.log.append((time.monotonic(), what, size))

    def since(self, mark=0):
        """What was asked -> how often, from the mark on."""
        with self.lock:
            return collections.Counter(what for _, what, _ in self.log[mark:])

    def mark(self):
        with self.lock:
            return len(self.log)

    def requests(self, mark=0):
        return sum(self.since(mark).values())

    def writes(self, mark=0):
        return sum(n for what, n in self.since(mark).items() if not what.startswith("GET"))

    def handle_error(self, *_):
        pass  # a client that left


def what_of(method, path):
    words = path.split("?")[0].split("/")
    for word in ("comments", "statuses", "reviews", "pulls", "user"):
        if word in words:
            return "%s %s" % (method, "pull" if word == "pulls" and words[-1] != "pulls" else word)
    return method + " rest"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream = None

    def log_message(self, *_):
        pass

    def pass_on(self, body):
        if not self.upstream:
            self.upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=120)
        self.upstream.request(self.command, self.path, body, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")})
        r = self.upstream.getresponse()
        keep = ("content-type", "link", "etag", "x-total-count", "retry-after")
        return r.status, r.read(), {k: v for k, v in r.getheaders() if k.lower() in keep}

    def do_GET(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = self.server.rule(self.command, self.path)
        status, text, headers = (said[0], b"{}", said[1]) if said else self.pass_on(body)
        self.server.note(what_of(self.command, self.path), len(text))
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PATCH = do_GET

# SPDX-License-Identifier: Apache-2.0
"""A small forge of the test's own: Gitea's API as far as pull requests need it, over a real repository. It can do what a real one does rarely or slowly."""
import collections
import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse

import lab
from lab import Daemon, Site, env_spec, git, until


class Forge(http.server.ThreadingHTTPServer):
    """What `refuse(method, path, body)` returns, (code, JSON) or (code, JSON, headers), is answered instead. `counts` has how
    often each status was set (commit, context) and each pull request was commented ("comment", number). `log` has (seconds, method, path, code);
    with `etags` a list that did not change is answered 304."""
    daemon_threads = True
    request_queue_size = 100

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pulls, self.statuses, self.comments, self.counts = {}, {}, collections.defaultdict(list), collections.Counter()
        self.reviews = collections.defaultdict(list)
        self.times = 0
        self.refuse, self.log, self.etags, self.lock = lambda method, path, body: None, [], False, threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def api(self):
        return "http://127.0.0.1:%d/api/v1" % self.server_address[1]

    def handle_error(self, *_):
        pass  # a client that left

    def add(self, number, sha, **more):
        self.pulls[number] = {"number": number, "user": {"id": 11, "login": "bo"}, "title": "t", "state": "open", "merged": False,
                              "base": {"ref": "main", "repo_id": 1}, "head": {"ref": "b", "sha": sha, "repo_id": 1}, **more}

    def review(self, number, who, sha, state="APPROVED"):
        """A review, and the pull request's time with it."""
        self.reviews[number].append({"id": 100 * number + len(self.reviews[number]), "user": {"id": 12, "login": who}, "state": state, "commit_id": sha,
                                     "submitted_at": "2026-11-22T10:00:00Z"})
        self.touch(number)

    def touch(self, number):
        self.times += 1
        self.pulls[number]["updated_at"] = "2026-11-22T%02d:%02d:%02dZ" % (self.times // 3600, self.times // 60 % 60, self.times % 60)

    def state(self, sha, context="berth/plan"):
        return self.statuses.get((sha, context), "")

    def mark(self):
        with self.lock:
            return len(self.log)

    def asked(self, mark=0):
        """"GET pulls" -> how often, from the mark on."""
        with self.lock:
            return collections.Counter("%s %s" % (m, re.match(r"(?:/repos/lab/envs)?/(\w+)", p).group(1)) for _, m, p, _ in self.log[mark:])

    def writes(self, mark=0):
        return sum(n for what, n in self.asked(mark).items() if not what.startswith("GET"))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def said(self, method, path, body):
        f = self.server
        if path == "/user":
            return 200, {"id": 5, "login": "berth"}
        if path.startswith("/repos/lab/envs/pulls?"):
            q = urllib.parse.parse_qs(path.partition("?")[2])
            size, page = int(q["limit"][0]), int(q["page"][0])
            return 200, [f.pulls[n] for n in sorted(f.pulls) if f.pulls[n]["state"] == "open"][(page - 1) * size:page * size]
        what, name, rest = re.match(r"/repos/lab/envs/(pulls|statuses|issues|commits)/(\w+)(/reviews\b)?", path).groups()
        if what == "commits":
            of = [x for x in f.pulls.values() if x.get("merge_commit_sha") == name]
            return (200, of[0]) if of else (404, {"message": "not found"})
        if what == "pulls":
            return 200, f.reviews[int(name)] if rest else f.pulls[int(name)]
        if what == "statuses":
            f.statuses[name, body["context"]] = body["state"]
            f.counts[name, body["context"]] += 1
        elif method == "PATCH":
            for c in f.comments[int(path.rpartition("/")[2]) - 1000]:
                c["body"] = body["body"]
        elif method == "GET":
            return 200, [] if "/timeline" in path else f.comments[int(name)]
        elif method == "POST":
            f.counts["comment", int(name)] += 1
            f.comments[int(name)].append({"id": 1000 + int(name), "user": {"id": 5, "login": "berth"}, "body": body["body"]})
        return 201, {"id": 1000 + int(name) if what == "issues" and method == "POST" else 1000}

    def do_GET(self):  # pylint: disable=invalid-name
        f, n = self.server, int(self.headers.get("Content-Length") or 0)
        body, path = json.loads(self.rfile.read(n)) if n else {}, self.path[len("/api/v1"):]
        code, answer, *headers = f.refuse(self.command, path, body) or self.said(self.command, path, body)
        text, headers = json.dumps(answer).encode(), headers[0] if headers else {}
        if f.etags and code == 200 and "/pulls?" in path:
            headers = {"ETag": '"%s"' % hashlib.sha256(text).hexdigest()}
            if self.headers.get("If-None-Match") == headers["ETag"]:
                code, text = 304, b""
        with f.lock:
            f.log.append((time.monotonic(), self.command, path, code))
        self.send_response(code)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PATCH = do_GET


class Pulls:
    """A repository served over HTTP, the forge beside it, and (from `run` on) a daemon that watches both."""

    def __init__(self, interval="300ms", site=None):
        self.site, self.forge, self.interval, self.d = site or Site("envs"), Forge(), interval, None
        served = subprocess.Popen([sys.executable, os.path.join(lab.TOP, "tests", "peers", "git_http.py"), lab.folder], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        lab.processes.append(served)
        git(self.site.bare, "config", "http.receivepack", "true")
        self.url = "http://127.0.0.1:%d/envs.git" % int(served.stdout.readline())
        self.token = os.path.join(lab.folder, "token")
        with open(os.open(self.token, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write("s3cret-token\n")

    def run(self, *args, state=None):
        self.d = Daemon(self.url, state or self.site.state(), "--interval", self.interval, "--forge", "gitea", "--forge-api", self.forge.api,
                        "--forge-repo", "lab/envs", "--forge-token-file", self.token, *args)
        return self

    def head(self, number, commit, **more):
        git(self.site.bare, "update-ref", "refs/pull/%d/head" % number, commit)
        self.forge.add(number, commit, **more)
        return commit

    def open(self, number, **more):
        clone = self.site.clone
        git(clone, "fetch", "-q", "origin", "main")
        git(clone, "checkout", "-q", "--detach", "FETCH_HEAD")
        self.site.write({"envs/bo/lab%d.yaml" % number: env_spec()})
        commit = self.site.save("lab%d" % number)
        git(clone, "push", "-q", "origin", "HEAD:refs/heads/b%d" % number)
        return self.head(number, commit, **more)

    def open_many(self, files):
        """Pull requests 1 to N, one commit on main each, of so many {path: text}: number -> commit. One import, whatever the number."""
        stream = []
        for i, one in enumerate(files, 1):
            stream.append("commit refs/pull/%d/head\ncommitter bo <bo@example.com> 1800000000 +0000\ndata 1\nx\nfrom refs/heads/main^0\n" % i)
            for path, text in one.items():
                stream.append("M 100644 inline %s\ndata %d\n%s\n" % (path, len(text.encode()), text))
        git(self.site.bare, "fast-import", "--quiet", "--force", data="".join(stream).encode())
        heads = git(self.site.bare, "for-each-ref", "--format=%(refname) %(objectname)", "refs/pull").splitlines()
        got = {int(line.split("/")[2]): line.split()[1] for line in heads}
        for number, sha in got.items():
            self.forge.add(number, sha)
        return got

    def merge(self, number, sha):
        git(self.site.bare, "update-ref", "refs/heads/main", sha)
        self.forge.pulls[number].update(state="closed", merged=True, merge_commit_sha=sha)

    def looked(self, sha):
        return until(lambda: self.forge.state(sha))

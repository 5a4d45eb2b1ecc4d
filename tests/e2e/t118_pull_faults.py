#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One pull request that cannot be had or written to holds up no other: a small forge of the test's own that can do what a real one does rarely."""
import collections
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
from lab import Daemon, Site, check, done, env_spec, git, until


class Forge(http.server.ThreadingHTTPServer):
    """Gitea's API as far as pull requests need it; what `refuse` returns is answered instead."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pulls, self.statuses, self.comments, self.counts = {}, {}, collections.defaultdict(list), collections.Counter()
        self.refuse = lambda method, path, body: None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that left

    def add(self, number, sha, **more):
        self.pulls[number] = {"number": number, "user": {"id": 11, "login": "bo"}, "title": "t", "state": "open", "merged": False,
                              "base": {"ref": "main", "repo_id": 1}, "head": {"ref": "b", "sha": sha, "repo_id": 1}, **more}

    def state(self, sha, context="berth/plan"):
        return self.statuses.get((sha, context), "")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

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
        what, name = re.match(r"/repos/lab/envs/(pulls|statuses|issues)/(\w+)", path).groups()
        if what == "pulls":
            return 200, f.pulls[int(name)]
        if what == "statuses":
            f.statuses[name, body["context"]] = body["state"]
        elif method == "GET":
            return 200, f.comments[int(name)]
        elif method == "POST":
            f.comments[int(name)].append({"id": 1000 + int(name), "user": {"id": 5, "login": "berth"}, "body": body["body"]})
        return 201, {"id": 1000}

    def do_GET(self):  # pylint: disable=invalid-name
        n = int(self.headers.get("Content-Length") or 0)
        body, path = json.loads(self.rfile.read(n)) if n else {}, self.path[len("/api/v1"):]
        code, answer = self.server.refuse(self.command, path, body) or self.said(self.command, path, body)
        text = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PATCH = do_GET


class Pulls:
    def __init__(self):
        self.site, self.forge = Site("envs"), Forge()
        served = subprocess.Popen([sys.executable, os.path.join(lab.TOP, "tests", "peers", "git_http.py"), lab.folder], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        lab.processes.append(served)
        git(self.site.bare, "config", "http.receivepack", "true")
        token = os.path.join(lab.folder, "token")
        with open(os.open(token, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write("s3cret-token\n")
        self.d = Daemon("http://127.0.0.1:%d/envs.git" % int(served.stdout.readline()), self.site.state(), "--interval", "300ms", "--forge", "gitea",
                        "--forge-api", "http://127.0.0.1:%d/api/v1" % self.forge.server_address[1], "--forge-repo", "lab/envs", "--forge-token-file", token)

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

    def merge(self, number, sha):
        git(self.site.bare, "update-ref", "refs/heads/main", sha)
        self.forge.pulls[number].update(state="closed", merged=True, merge_commit_sha=sha)

    def looked(self, sha):
        return until(lambda: self.forge.state(sha))


def main():
    p = Pulls()
    forge, bare = p.forge, p.site.bare
    check("(a pull request is looked at)", p.looked(p.open(1)), p.d.log())
    tree = git(bare, "mktree", "--missing", data=b"100644 blob " + b"5" * 40 + b"\tx\n")
    p.head(50, git(bare, "commit-tree", tree, "-p", "main", "-m", "broken"))
    until(lambda: "pull request 50" in p.d.log(), 10)
    check("a head that cannot be fetched holds up no other", p.looked(p.open(2)), p.d.log())
    forge.pulls[50]["state"] = "closed"
    clone = p.site.clone
    git(clone, "checkout", "-q", "--detach", "origin/main")
    p.site.write({"teams/t%d.yaml" % i: "x%d: [%s]\n" % (i, "a, " * 80000) for i in range(40)})
    large = p.site.save("large")
    git(clone, "push", "-q", "origin", "HEAD:refs/heads/large")
    p.head(51, large)
    check("what nobody reviewed yet takes no room without end", p.looked(large) == "failure" and not forge.state(large, "berth/validate"), p.d.log())
    forge.refuse = lambda method, path, body: (500, {}) if method == "POST" and "/issues/60/" in path else None
    check("(one whose comment the forge fails over has its checks)", p.looked(p.open(60)), p.d.log())
    check("such a one holds up no other", p.looked(p.open(3)), p.d.log())
    forge.refuse = lambda *_: None
    check("and has its comment later", until(lambda: forge.comments[60]), p.d.log())
    p.open(4, body="x" * 5000000)
    sha = p.open(5)
    check("(one that is too large to be listed is left out)", p.looked(sha), p.d.log())
    p.merge(5, sha)
    check("a merge is seen although the list is cut", until(lambda: forge.state(sha, "berth/apply") == "success"), p.d.log())

    def refuse(method, path, body):
        if "/statuses/" in path and body["context"] == "berth/apply":
            forge.counts["apply"] += 1
            return 403, {"message": "no"}
        return None

    sha = p.open(6)
    check("(another one)", p.looked(sha), p.d.log())
    forge.refuse = refuse
    p.merge(6, sha)
    until(lambda: forge.counts["apply"])
    time.sleep(4)
    check("what the forge refuses after a merge is not asked for at every look", forge.counts["apply"] == 1 and p.d.log().count("pull request 6: ") == 1,
          forge.counts, p.d.log())
    check("it stops well", p.d.stop() == 0, p.d.log())
    done()


main()

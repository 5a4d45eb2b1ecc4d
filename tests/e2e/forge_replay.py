# SPDX-License-Identifier: Apache-2.0
"""A forge on loopback that answers as GitHub (REST 2022-11-28) or GitLab (v4) do, for what berth asks, over a real bare repository.

It has state: pull requests, statuses, comments, reviews, merges done by git as that forge does them, and hooks that are signed as it signs them. What it answers
is checked against the published descriptions (forge_shapes.py), what it is asked against their parameters; `wrong` has what was not so. It refuses what
they refuse. The two of them are in forge_dialects.py; here is what they share. Persons are its methods, berth comes by HTTP.
"""
import base64
import collections
import hashlib
import http.client
import http.server
import json
import os
import queue
import re
import subprocess
import threading
import time
import urllib.parse
import uuid

import lab
from forge_shapes import wrong
from lab import git

HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,\d+)? @@")
IDS = {"root": 1, "berth": 5, "alice": 11, "bo": 12, "carol": 13, "dana": 14, "erin": 15, "mallory": 16, "stranger": 17, "carol-g": 18}


class Refused(Exception):
    """What the forge does not do, with its status and words."""

    def __init__(self, code, message):
        super().__init__("%d %s" % (code, message))
        self.code, self.message = code, message


class Pull:
    """One pull request; GitLab's merge request."""

    def __init__(self, number, author, branch, title, body, fork):
        self.number, self.author, self.branch, self.title, self.body, self.fork = number, author, branch, title, body, fork
        self.state, self.merge_sha, self.squash_sha, self.merged_by, self.merged_at = "open", None, None, None, None
        self.head = self.base = None
        self.into = "main"
        self.created = self.updated = time.time()
        self.comments, self.reviews, self.versions, self.lines, self.brought, self.events = [], [], [], [], [], []


class Entry:
    """A comment, a review or an approval."""

    def __init__(self, ident, author, body, **more):
        self.id, self.author, self.body = ident, author, body
        self.created = self.updated = time.time()
        self.__dict__.update(more)


class Status:
    def __init__(self, ident, sha, context, state, description, url, ref, creator):
        self.id, self.sha, self.context, self.state, self.description, self.url, self.ref = ident, sha, context, state, description, url, ref
        self.creator, self.created = creator, time.time()


class Hooks(threading.Thread):
    """Sends one after the other, and remembers what was answered."""

    def __init__(self, forge, port, secret, key):
        super().__init__(daemon=True)
        self.forge, self.port, self.secret, self.key, self.line, self.answers = forge, port, secret, key, queue.Queue(), []
        self.start()

    def run(self):
        while True:
            event, value = self.line.get()
            body = json.dumps(value).encode()
            headers = {"Content-Type": "application/json", "Accept": "*/*", **self.forge.dialect.hook_headers(event, body, self.secret, self.key, len(self.answers))}
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
                c.request("POST", "/hook/" + self.forge.kind, body, headers)
                self.answers.append((event, c.getresponse().status))
                c.close()
            except OSError as e:
                self.answers.append((event, str(e)))


class Forge(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, dialect, site, repo, checks=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.site, self.bare, self.repo, self.checks, self.lock = site, site.bare, repo, list(checks), threading.RLock()
        self.port, self.hooks = self.server_address[1], None
        self.tokens = {who: "%s-token-%s" % (who, uuid.uuid4().hex) for who in IDS}
        self.pulls, self.statuses, self.next_id, self.wrong, self.asked = {}, [], 1000, [], []
        self.limit, self.limit_until, self.early, self.pushed_at = None, 0, 0, 0
        self.refuse = lambda method, path, body: None
        self.dialect = dialect(self)
        self.kind = self.dialect.kind
        git(self.bare, "config", "http.receivepack", "true")
        git(self.bare, "config", "uploadpack.allowAnySHA1InWant", "true")
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_):
        pass  # a client that left

    # -- for tests ------------------------------------------------------------------------------------------------------

    def url(self):
        return "http://127.0.0.1:%d/%s.git" % (self.port, self.repo)

    def token_file(self, who):
        name = os.path.join(lab.folder, who + ".token")
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            f.write(self.tokens[who] + "\n")
        return name

    def hook(self, port, secret, key):
        self.hooks = Hooks(self, port, secret, key)

    def ident(self):
        self.next_id += 1
        return self.next_id

    def rev(self, name):
        return git(self.bare, "rev-parse", name)

    def states(self, sha):
        """context -> (state, text), as people see them: the newest of each."""
        with self.lock:
            return {s.context: (s.state, s.description) for s in self.statuses if s.sha == sha}

    def of(self, number, who="berth"):
        with self.lock:
            return [c for c in self.pulls[number].comments if c.author == who]

    def count(self, method, part):
        with self.lock:
            return sum(m == method and part in path for m, path, _ in self.asked)

    def limited(self, answer, seconds):
        """Everything is refused as `answer(until)` says for so long; `early` counts who asks again before."""
        with self.lock:
            self.limit_until, self.early = int(time.time()) + 1 + seconds, 0
            self.limit = answer

    # -- what people do ---------------------------------------------------------------------------------------------------

    def open(self, who, branch, title, body="", fork=None, said=()):
        """`fork`: a commit that is on no branch here, pushed to somebody's copy. `said`: (who, text) that stands there before anybody is told."""
        with self.lock:
            pull = Pull(max(self.pulls, default=0) + 1, who, branch, title, body, fork is not None)
            self.turn_to(pull, fork or self.rev("refs/heads/" + branch))
            pull.comments = [Entry(self.ident(), *x) for x in said]
            self.pulls[pull.number] = pull
        self.tell("opened", pull, who)
        return pull.number

    def fill(self, n):
        """Pull requests into another branch, so that a list has pages."""
        with self.lock:
            for _ in range(n):
                pull = Pull(max(self.pulls, default=0) + 1, "dana", "elsewhere", "into another branch", "", False)
                pull.into, pull.head = "release", self.rev("main")
                pull.base = pull.head
                pull.versions.append((self.ident(), pull.head, pull.base, pull.base, pull.updated))
                self.pulls[pull.number] = pull

    def turn_to(self, pull, head):
        pull.head, pull.base, pull.updated = head, git(self.bare, "merge-base", "main", head), time.time()
        pull.versions.append((self.ident(), head, pull.base, self.rev("main"), pull.updated))
        git(self.bare, "update-ref", self.dialect.head_ref % pull.number, head)

    def pushed(self, who, branch, before="0" * 40):
        """After git push: heads follow, hooks are sent."""
        after = self.rev("refs/heads/" + branch)
        with self.lock:
            self.pushed_at = time.time()
            moved = [p for p in self.pulls.values() if p.branch == branch and p.state == "open" and not p.fork and p.head != after]
            for p in moved:
                self.turn_to(p, after)
        self.send("push", self.dialect.push_event(who, branch, before, after))
        for p in moved:
            self.tell("synchronize", p, who)

    def comment(self, who, number, body):
        with self.lock:
            pull = self.pulls[number]
            entry = Entry(self.ident(), who, body)
            pull.comments.append(entry)
            pull.updated = entry.created
            event = self.dialect.comment_event(pull, entry)
        self.send(event[0], event[1])
        return entry

    def review(self, who, number, state="APPROVED", sha=None):
        with self.lock:
            pull = self.pulls[number]
            self.dialect.may_review(pull, who, state)
            entry = Entry(self.ident(), who, "looks right", state=state, sha=sha or pull.head)
            pull.reviews.append(entry)
            pull.updated = entry.created
            event = self.dialect.review_event(pull, entry)
        self.send(event[0], event[1])
        return entry

    def taken_back(self, who, number):
        """Dismissed on GitHub, revoked on GitLab."""
        with self.lock:
            pull = self.pulls[number]
            for entry in [r for r in pull.reviews if r.author == who and r.state in ("APPROVED", "CHANGES_REQUESTED")]:
                self.dialect.take_back(pull, entry)
            pull.updated = time.time()
            event = self.dialect.pull_event("taken back", pull, who)
        self.send(*event)

    def retarget(self, who, number, into="main"):
        """GitHub tells it among the events; for GitLab it is another version."""
        with self.lock:
            pull = self.pulls[number]
            pull.into = into
            pull.events.append(Entry(self.ident(), who, "base_ref_changed"))
            if self.kind == "gitlab":
                self.turn_to(pull, pull.head)
            pull.updated = time.time()
        self.tell("edited", pull, who)

    def rebase(self, who, number):
        """GitLab's button before the one that merges: a push to the branch."""
        with self.lock:
            pull = self.pulls[number]
            before, tip = pull.head, self.replayed(pull.head, self.rev("main"), self.person(who))
            git(self.bare, "update-ref", "refs/heads/" + pull.branch, tip)
        self.pushed(who, pull.branch, before)

    def tell(self, action, pull, who):
        with self.lock:
            event = self.dialect.pull_event(action, pull, who)
        self.send(event[0], event[1])

    def send(self, event, value):
        self.check("hook " + event, value, "hook of " + event)
        if self.hooks:
            self.hooks.line.put((event, value))

    # -- merging ---------------------------------------------------------------------------------------------------------

    def merge(self, who, number, how="merge", force=False):
        """The three buttons: merge, squash, rebase. `force`: past protection, as who administers it may."""
        with self.lock:
            pull = self.pulls[number]
            if pull.state != "open":
                raise Refused(405, "it is %s" % pull.state)
            self.dialect.may_merge(pull, [] if force else self.checks)
            before = self.rev("refs/heads/main")
            pull.merge_sha, pull.squash_sha = None, None
            after = self.dialect.merge(pull, how, who, before)
            git(self.bare, "update-ref", "refs/heads/main", after, before)
            self.pushed_at = time.time()
            pull.state, pull.merged_by, pull.merged_at = "merged", who, time.time()
            pull.updated = pull.merged_at
            pull.brought = git(self.bare, "rev-list", "%s..%s" % (before, after)).split()
        self.tell("closed", pull, who)
        self.send("push", self.dialect.push_event(who, "main", before, after))
        return after

    def tree(self, ours, theirs):
        return git(self.bare, "merge-tree", "--write-tree", ours, theirs).split("\n", 1)[0]

    def commit(self, tree, parents, author, committer, message, signature=None):
        """Written by hand, so that it can carry what that forge signs with."""
        lines = ["tree " + tree] + ["parent " + p for p in parents]
        lines += ["%s %s <%s> %d +0000" % (what, who[0], who[1], time.time()) for what, who in (("author", author), ("committer", committer))]
        if signature:
            lines.append("gpgsig " + "\n ".join(signature))
        return git(self.bare, "hash-object", "-t", "commit", "-w", "--stdin", data=("\n".join(lines) + "\n\n" + message + "\n").encode())

    def replayed(self, head, onto, committer):
        """The head's own commits once more on top of `onto`, as a rebase does it."""
        work = os.path.join(lab.folder, "rebase%d" % self.ident())
        git(self.bare, "worktree", "add", "-q", "--detach", work, onto)
        env = {"GIT_COMMITTER_NAME": committer[0], "GIT_COMMITTER_EMAIL": committer[1]}
        for c in git(self.bare, "rev-list", "--reverse", "--no-merges", "%s..%s" % (onto, head)).split():
            git(work, "cherry-pick", "--allow-empty", c, env=env)
        tip = git(work, "rev-parse", "HEAD")
        git(self.bare, "worktree", "remove", "--force", work)
        return tip

    def person(self, who):
        return who, who + "@example.com"

    def diff(self, pull, path):
        """Lines of the new file that the diff shows, and of these the added ones."""
        shown, added, at = set(), set(), 0
        for line in git(self.bare, "diff", "-U3", pull.base, pull.head, "--", path).split("\n"):
            hunk = HUNK.match(line)
            if hunk:
                at = int(hunk.group(1))
            elif at and line[:1] in (" ", "+"):
                shown.add(at)
                if line[0] == "+":
                    added.add(at)
                at += 1
        return shown, added

    def has_commit(self, sha):
        return git(self.bare, "cat-file", "-e", sha + "^{commit}", ok=False)[0] == 0

    def changed(self, pull):
        return len(git(self.bare, "diff", "--name-only", pull.base, pull.head).split("\n")) if pull.base != pull.head else 0

    # -- berth's requests -----------------------------------------------------------------------------------------------------

    def note_wrong(self, text):
        with self.lock:
            self.wrong.append(text)

    def check(self, shape, value, where):
        for w in wrong(self.kind, shape, value)[:5]:
            self.note_wrong("%s: %s" % (where, w))

    def only(self, where, body, *allowed):
        """What is asked for may have these parameters alone."""
        for name in body if isinstance(body, dict) else ():
            if name not in allowed:
                self.note_wrong("%s: no parameter %s" % (where, name))

    def page(self, items, query, links):
        """(the page, its headers). per_page is 30 unless told, and 100 at most."""
        size, at = min(int(query.get("per_page", 30)), 100), max(int(query.get("page", 1)), 1)
        last = max((len(items) + size - 1) // size, 1)
        where = {"first": 1, "prev": at - 1, "next": at + 1, "last": last}
        rels = [(rel, n) for rel, n in where.items() if 1 <= n <= last and (rel not in ("prev", "next") or n != at)]
        base = "http://127.0.0.1:%d%s" % (self.port, links)
        link = ", ".join('<%s?%s>; rel="%s"' % (base, urllib.parse.urlencode({**query, "page": n, "per_page": size}), rel) for rel, n in rels)
        return items[(at - 1) * size:at * size], self.dialect.page_headers(link, len(items), size, at, last)

    def judge(self, method, path, query, headers, body):
        """(status, headers, value or bytes)."""
        who = self.dialect.who(headers)
        if self.limit:
            if time.time() < self.limit_until:
                self.early += 1
                return self.limit(self.limit_until)
            self.limit = None
        if not who:
            return 401, {}, self.dialect.unauthorized
        return self.refuse(method, path, body) or self.dialect.answer(method, path, query, body, who)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def read_body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            if not size:
                return b"".join(parts)

    def reply(self, status, headers, body):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def git(self, body):
        """The repository by git's own http-backend; the password is a token."""
        f, said = self.server, self.headers.get("Authorization") or ""
        token = base64.b64decode(said[6:]).decode().partition(":")[2] if said.startswith("Basic ") else ""
        if token not in f.tokens.values():
            return self.reply(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
        path, _, query = self.path.partition("?")
        env = {**lab.ENV, "GIT_PROJECT_ROOT": os.path.dirname(f.bare), "GIT_HTTP_EXPORT_ALL": "1", "QUERY_STRING": query, "REMOTE_USER": "x", "REMOTE_ADDR": "127.0.0.1",
               "PATH_INFO": "/" + os.path.basename(f.bare) + path[len(f.repo) + 5:], "REQUEST_METHOD": self.command, "CONTENT_LENGTH": str(len(body)),
               "CONTENT_TYPE": self.headers.get("Content-Type") or ""}
        for name, header in ("GIT_PROTOCOL", "Git-Protocol"), ("HTTP_CONTENT_ENCODING", "Content-Encoding"):
            if self.headers.get(header):
                env[name] = self.headers[header]
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        lines = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n") if b": " in line)
        return self.reply(int(lines.pop("Status", "200")[:3]), lines, rest)

    def api(self, raw):
        f = self.server
        path, _, text = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        try:
            body = json.loads(raw) if raw else None
            with f.lock:
                status, headers, value = f.judge(self.command, path, query, self.headers, body)
        except Refused as e:
            status, headers, value = e.code, {}, f.dialect.refusal(e.code, e.message)
        except Exception as e:  # pylint: disable=broad-except
            f.note_wrong("%s %s: %r" % (self.command, path, e))
            status, headers, value = 500, {}, {"message": "the test's forge failed"}
        answer = value if isinstance(value, bytes) else json.dumps(value).encode() if value is not None else b""
        headers = {"Content-Type": "text/plain" if isinstance(value, bytes) else "application/json; charset=utf-8", **f.dialect.headers(), **headers}
        if self.command == "GET" and status == 200:
            headers["ETag"] = 'W/"%s"' % hashlib.sha256(answer).hexdigest()
            status = 304 if self.headers.get("If-None-Match") == headers["ETag"] else 200
        with f.lock:
            f.asked.append((self.command, path, status))
        return self.reply(status, headers, b"" if status == 304 else answer)

    def do_GET(self):  # pylint: disable=invalid-name
        raw = self.read_body()
        if self.path.startswith("/%s.git/" % self.server.repo):
            return self.git(raw)
        return self.api(raw)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET


def counted(asked):
    """method and what is asked for, without numbers and ids, -> how often."""
    return collections.Counter("%s %s %d" % (m, re.sub(r"/([0-9]+|[0-9a-f]{40})\b", "/*", path), status) for m, path, status in asked)

# SPDX-License-Identifier: Apache-2.0
"""GitHub's and GitLab's own part of forge_replay.py: paths, values, refusals, how they merge and how they sign their hooks."""
import base64
import hashlib
import hmac
import re
import time
import urllib.parse
import uuid

from forge_replay import IDS, Entry, Refused, Status
from forge_shapes import PULL_URLS, REPO_URLS, USER_URLS
from lab import git

WEB = "https://forge.example/"
DOCS = "https://docs.github.com/rest"
PGP = ["-----BEGIN PGP SIGNATURE-----", "", "wsFcBAABCAAQBQJnbm90LWEtc2lnbmF0dXJlAAoJELXxDkDs", "=bm90", "-----END PGP SIGNATURE-----", ""]


def urls(base, names):
    return {name: base + ("" if name == "url" else "/" + name[:-4]) for name in names.split()}


class Dialect:
    """What both do alike. no_path, no_pull: what they say where there is nothing."""
    no_path = no_pull = "Not Found"

    def __init__(self, forge, root):
        self.f, self.root = forge, root

    def given(self, shape, value, status=200, headers=None):
        self.f.check(shape, value, shape)
        return status, headers or {}, value

    def listed(self, shape, items, query, path):
        page, headers = self.f.page(items, query, path)
        return self.given("[@%s]" % shape, page, 200, headers)

    def route(self, rows, method, path, query, body, who):
        """rows: verb, pattern below the repository, method."""
        rest = path[len(self.root):] if path.startswith(self.root + "/") else ""
        for verb, pattern, fn in rows:
            m = re.fullmatch(pattern, rest)
            if m and verb == method:
                return fn(path, query, body, who, *(int(g) if g.isdigit() and len(g) < 20 else g for g in m.groups()))
        self.f.note_wrong("%s %s is not known" % (method, path))
        raise Refused(404, self.no_path)

    def pull(self, number):
        if number not in self.f.pulls:
            raise Refused(404, self.no_pull)
        return self.f.pulls[number]


class GitHub(Dialect):
    kind, head_ref, api = "github", "refs/pull/%d/head", "/api/v3"
    unauthorized = {"message": "Bad credentials", "documentation_url": DOCS, "status": "401"}

    def __init__(self, forge):
        super().__init__(forge, self.api + "/repos/" + forge.repo)

    # -- values ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def time(t):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))

    @staticmethod
    def user(who):
        if not who:
            return None
        return {**urls(WEB + "users/" + who, USER_URLS), "login": who, "id": IDS[who], "node_id": "U_%d" % IDS[who], "gravatar_id": "", "type": "User",
                "site_admin": False, "user_view_type": "public"}

    def repository(self, fork=False):
        owner, name = ("stranger", "envs") if fork else self.f.repo.split("/")
        full = owner + "/" + name
        return {**urls(WEB + "repos/" + full, REPO_URLS), "id": 101 if fork else 100, "node_id": "R_1", "name": name, "full_name": full, "fork": fork,
                "owner": self.user("stranger" if fork else "root"), "private": True, "description": None, "homepage": None, "language": None, "mirror_url": None,
                "default_branch": "main", "license": None, "archived": False, "disabled": False, "visibility": "private", "topics": [],
                **{k: True for k in ("has_downloads", "has_issues", "has_projects", "has_wiki")}, "has_pages": False, "has_discussions": False,
                **{k: 0 for k in ("forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers", "watchers_count")},
                "created_at": self.time(0), "updated_at": self.time(0), "pushed_at": self.time(self.f.pushed_at)}

    def end(self, ref, sha, who, fork=False):
        return {"label": "%s:%s" % (who, ref), "ref": ref, "sha": sha, "user": self.user(who), "repo": self.repository(fork)}

    def simple(self, p):
        here = "https://forge.example/repos/%s/pulls/%d" % (self.f.repo, p.number)
        links = ("comments", "commits", "html", "issue", "review_comment", "review_comments", "self", "statuses")
        return {**urls(here, PULL_URLS), "id": 5000 + p.number, "node_id": "PR_%d" % p.number, "number": p.number, "locked": False, "labels": [],
                "state": "open" if p.state == "open" else "closed", "title": p.title, "body": p.body or None, "user": self.user(p.author), "milestone": None,
                "assignee": None, "assignees": [], "requested_reviewers": [], "requested_teams": [], "draft": False, "auto_merge": None,
                "active_lock_reason": None, "author_association": "CONTRIBUTOR", "_links": {k: {"href": here} for k in links},
                "created_at": self.time(p.created), "updated_at": self.time(p.updated), "merged_at": self.time(p.merged_at) if p.merged_at else None,
                "closed_at": self.time(p.merged_at) if p.merged_at else None,
                # of an open one: a merge that was tried, which is on no branch
                "merge_commit_sha": p.merge_sha or hashlib.sha1(p.head.encode()).hexdigest(),
                "head": self.end(p.branch, p.head, p.author, p.fork), "base": self.end(p.into, p.versions[-1][3], "root")}

    def whole(self, p):
        return {**self.simple(p), "merged": p.state == "merged", "mergeable": None if p.state == "merged" else True, "rebaseable": True, "mergeable_state": "blocked",
                "merged_by": self.user(p.merged_by), "maintainer_can_modify": False, "additions": 1, "deletions": 1, "changed_files": self.f.changed(p),
                "comments": len(p.comments), "commits": 1, "review_comments": len(p.lines)}

    def comment(self, p, c):
        here = "%s/issues/comments/%d" % (WEB + self.f.repo, c.id)
        return {"id": c.id, "node_id": "IC_%d" % c.id, "url": here, "html_url": here, "issue_url": "%s/issues/%d" % (WEB + self.f.repo, p.number),
                "user": self.user(c.author), "body": c.body, "created_at": self.time(c.created), "updated_at": self.time(c.updated),
                "author_association": "COLLABORATOR", "performed_via_github_app": None}

    def reviewed(self, p, r):
        here = "%s/pull/%d#pullrequestreview-%d" % (WEB + self.f.repo, p.number, r.id)
        return {"id": r.id, "node_id": "PRR_%d" % r.id, "user": self.user(r.author), "body": r.body, "state": r.state, "html_url": here, "pull_request_url": here,
                "author_association": "COLLABORATOR", "_links": {"html": {"href": here}, "pull_request": {"href": here}}, "submitted_at": self.time(r.created),
                "commit_id": r.sha}

    def status(self, s):
        return {"id": s.id, "node_id": "SC_%d" % s.id, "url": "%s/statuses/%s" % (WEB + self.f.repo, s.sha), "avatar_url": WEB + "a.png", "state": s.state,
                "description": s.description, "target_url": s.url, "context": s.context, "creator": self.user(s.creator), "created_at": self.time(s.created),
                "updated_at": self.time(s.created)}

    # -- answers ----------------------------------------------------------------------------------------------------------

    def who(self, headers):
        said = headers.get("Authorization") or ""
        for name, want in ("Accept", "application/vnd.github+json"), ("X-GitHub-Api-Version", "2022-11-28"):
            if headers.get(name) != want:
                self.f.note_wrong("%s is %s" % (name, headers.get(name)))
        if not headers.get("User-Agent"):
            raise Refused(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
        return next((w for w, t in self.f.tokens.items() if said == "Bearer " + t), None)

    @staticmethod
    def headers():
        return {"X-GitHub-Media-Type": "github.v3; format=json", "x-github-api-version-selected": "2022-11-28", "X-RateLimit-Limit": "5000",
                "X-RateLimit-Remaining": "4711", "X-RateLimit-Reset": "%d" % (time.time() + 1800), "X-RateLimit-Used": "289", "X-RateLimit-Resource": "core"}

    @staticmethod
    def refusal(code, message):
        return {"message": message, "documentation_url": DOCS, "status": str(code)}

    @staticmethod
    def page_headers(link, *_):
        return {"Link": link} if 'rel="next"' in link or 'rel="prev"' in link else {}

    @staticmethod
    def invalid(resource, field, message):
        return 422, {}, {"message": "Validation Failed", "documentation_url": DOCS, "status": "422",
                         "errors": [{"resource": resource, "code": "custom", "field": field, "message": message}]}

    def primary_limit(self, until):
        return 403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(until)}, self.refusal(403, "API rate limit exceeded for user ID 5. If you reach out to "
                                                                                                    "GitHub Support for help, please include the request ID")

    def secondary_limit(self, until):
        return 403, {"Retry-After": str(max(1, int(until - time.time() + 0.999)))}, self.refusal(403, "You have exceeded a secondary rate limit. Please wait a few "
                                                                                              "minutes before you try again.")

    limits = (primary_limit, secondary_limit)

    def answer(self, method, path, query, body, who):
        if path == self.api + "/user":
            some = {k: 0 for k in ("followers", "following", "public_gists", "public_repos")}
            none = {k: None for k in ("bio", "blog", "company", "email", "location", "name", "hireable")}
            return self.given("public-user", {**self.user(who), **some, **none, "created_at": self.time(0), "updated_at": self.time(0)})
        if path == self.root:
            may = {k: k not in ("admin", "maintain") for k in ("admin", "maintain", "push", "triage", "pull")}
            return self.given("full-repository", {**self.repository(), "permissions": may, "network_count": 0, "subscribers_count": 0}, 200,
                              {"X-OAuth-Scopes": "repo", "X-Accepted-OAuth-Scopes": "repo"})
        rows = (("GET", r"/pulls", self.list_pulls), ("GET", r"/pulls/(\d+)", self.one_pull), ("GET", r"/pulls/(\d+)/reviews", self.list_reviews),
                ("POST", r"/pulls/(\d+)/reviews", self.post_review), ("POST", r"/statuses/(\w+)", self.post_status),
                ("GET", r"/issues/(\d+)/comments", self.list_comments), ("POST", r"/issues/(\d+)/comments", self.post_comment),
                ("GET", r"/issues/(\d+)/events", self.list_events),
                ("PATCH", r"/issues/comments/(\d+)", self.edit_comment), ("GET", r"/commits/(\w+)/pulls", self.of_commit))
        return self.route(rows, method, path, query, body, who)

    def list_pulls(self, path, query, _body, _who):
        self.f.only("GET pulls", query, "state", "head", "base", "sort", "direction", "per_page", "page")
        if query.get("sort") != "created" or query.get("state") != "open":
            self.f.note_wrong("GET pulls: %r" % query)
        items = [self.simple(self.f.pulls[n]) for n in sorted(self.f.pulls, reverse=query.get("direction") != "asc") if self.f.pulls[n].state == "open"]
        return self.listed("pull-request-simple", items, query, path)

    def one_pull(self, _path, _query, _body, _who, number):
        return self.given("pull-request", self.whole(self.pull(number)))

    def list_reviews(self, path, query, _body, _who, number):
        p = self.pull(number)
        return self.listed("pull-request-review", [self.reviewed(p, r) for r in p.reviews], query, path)

    def post_review(self, _path, _query, body, who, number):
        p, comments = self.pull(number), body.get("comments", [])
        self.f.only("POST reviews", body, "commit_id", "body", "event", "comments")
        for c in comments:
            self.f.only("POST reviews", c, "path", "position", "body", "line", "side", "start_line", "start_side")
        if body.get("event") != "COMMENT" or not body.get("body"):
            return self.invalid("PullRequestReview", "event", "event is not COMMENT, or its body is missing")
        shown = {c["path"]: self.f.diff(p, c["path"])[0] for c in comments}
        if body["commit_id"] not in [v[1] for v in p.versions]:
            return self.invalid("PullRequestReview", "commit_id", "commit_id is not part of the pull request")
        if any(c["line"] not in shown[c["path"]] for c in comments):
            return 422, {}, {"message": "Unprocessable Entity", "errors": ["Line could not be resolved"], "documentation_url": DOCS, "status": "422"}
        r = Entry(self.f.ident(), who, body["body"], state="COMMENTED", sha=body["commit_id"])
        p.reviews.append(r)
        p.lines += [(who, c["path"], c["line"], c["body"]) for c in comments]
        p.updated = r.created
        return self.given("pull-request-review", self.reviewed(p, r))

    def post_status(self, _path, _query, body, who, sha):
        self.f.only("POST statuses", body, "state", "target_url", "description", "context")
        if body["state"] not in ("error", "failure", "pending", "success"):
            return self.invalid("Status", "state", "state is not included in the list")
        if len(body.get("description") or "") > 140:
            return self.invalid("Status", "description", "description is too long (maximum is 140 characters)")
        if not self.f.has_commit(sha):
            return self.invalid("Status", "sha", "No commit found for SHA: " + sha)
        if sum(s.sha == sha and s.context == body["context"] for s in self.f.statuses) >= 1000:
            return self.invalid("Status", "base", "This SHA and context has reached the maximum number of statuses.")
        self.f.statuses.append(Status(self.f.ident(), sha, body["context"], body["state"], body.get("description"), body.get("target_url"), None, who))
        return self.given("status", self.status(self.f.statuses[-1]), 201)

    def list_comments(self, path, query, _body, _who, number):
        p = self.pull(number)
        return self.listed("issue-comment", [self.comment(p, c) for c in p.comments], query, path)

    def list_events(self, path, query, _body, _who, number):
        self.f.only("GET events", query, "per_page", "page")
        rows = [{"id": e.id, "node_id": "E_%d" % e.id, "url": "%s/issues/events/%d" % (WEB + self.f.repo, e.id), "actor": self.user(e.author), "event": e.body,
                 "commit_id": None, "commit_url": None, "created_at": self.time(e.created)} for e in self.pull(number).events]
        return self.listed("issue-event", rows, query, path)

    def post_comment(self, _path, _query, body, who, number):
        p = self.pull(number)
        self.f.only("POST comments", body, "body")
        if not 0 < len(body["body"]) <= 65536:
            return self.invalid("IssueComment", "body", "body is too long (maximum is 65536 characters)")
        p.comments.append(Entry(self.f.ident(), who, body["body"]))
        p.updated = time.time()
        return self.given("issue-comment", self.comment(p, p.comments[-1]), 201)

    def edit_comment(self, _path, _query, body, _who, ident):
        for p in self.f.pulls.values():
            for c in p.comments:
                if c.id == ident:
                    if not 0 < len(body["body"]) <= 65536:
                        return self.invalid("IssueComment", "body", "body is too long (maximum is 65536 characters)")
                    c.body, c.updated = body["body"], time.time()
                    return self.given("issue-comment", self.comment(p, c))
        raise Refused(404, "Not Found")

    def of_commit(self, path, query, _body, _who, sha):
        if not self.f.has_commit(sha):
            raise Refused(422, "No commit found for SHA: " + sha)
        return self.listed("pull-request-simple", [self.simple(p) for p in self.f.pulls.values() if sha in p.brought or sha == p.head], query, path)

    # -- people -----------------------------------------------------------------------------------------------------------------

    def may_review(self, p, who, state):
        if who == p.author and state != "COMMENTED":
            raise Refused(422, "Review Can not approve your own pull request")

    @staticmethod
    def take_back(_pull, entry):
        entry.state = "DISMISSED"

    def may_merge(self, p, checks):
        states = self.f.states(p.head)
        for c in checks:
            if states.get(c, ("expected",))[0] != "success":
                raise Refused(405, 'Repository rule violations found\n\nRequired status check "%s" is %s.\n\n' % (c, states.get(c, ("expected",))[0]))

    def merge(self, p, how, who, main):
        """The web signs what it commits itself; of a rebase the committer is who pressed the button."""
        web, author = ("GitHub", "noreply@github.com"), ("%s" % who, "%d+%s@users.noreply.github.com" % (IDS[who], who))
        if how == "merge":
            p.merge_sha = self.f.commit(self.f.tree(main, p.head), [main, p.head], author, web, "Merge pull request #%d from %s/%s\n\n%s" % (
                p.number, self.f.repo.split("/", maxsplit=1)[0], p.branch, p.title), PGP)
        elif how == "squash":
            theirs = git(self.f.bare, "log", "-1", "--format=%an%n%ae", p.head).split("\n")
            p.merge_sha = self.f.commit(self.f.tree(main, p.head), [main], theirs, web, "%s (#%d)" % (p.title, p.number), PGP)
        else:
            p.merge_sha = self.f.replayed(p.head, main, author)
        return p.merge_sha

    # -- hooks --------------------------------------------------------------------------------------------------------------------

    @staticmethod
    def hook_headers(event, body, secret, _key, _n):
        return {"User-Agent": "GitHub-Hookshot/044aadd", "X-GitHub-Delivery": str(uuid.uuid4()), "X-GitHub-Event": event, "X-GitHub-Hook-ID": "4711",
                "X-GitHub-Hook-Installation-Target-ID": "100", "X-GitHub-Hook-Installation-Target-Type": "repository",
                "X-Hub-Signature": "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest(),
                "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}

    def push_event(self, who, branch, before, after):
        return {"ref": "refs/heads/" + branch, "before": before, "after": after, "compare": WEB + "compare", "created": before == "0" * 40, "deleted": False,
                "forced": False, "base_ref": None, "commits": [], "head_commit": {"id": after}, "pusher": {"name": who, "email": who + "@example.com"},
                "repository": self.repository(), "sender": self.user(who)}

    def pull_event(self, action, p, who):
        if action == "taken back":
            last = next(r for r in reversed(p.reviews) if r.state == "DISMISSED")
            return "pull_request_review", {**self.review_event(p, last)[1], "action": "dismissed"}
        more = {"before": p.versions[-2][1], "after": p.head} if action == "synchronize" else {}
        return "pull_request", {"action": action, "number": p.number, "pull_request": self.whole(p), "repository": self.repository(), "sender": self.user(who), **more}

    def review_event(self, p, r):
        return "pull_request_review", {"action": "submitted", "review": self.reviewed(p, r), "pull_request": self.simple(p), "repository": self.repository(),
                                       "sender": self.user(r.author)}

    def comment_event(self, p, c):
        issue = {"number": p.number, "title": p.title, "state": "open", "user": self.user(p.author), "pull_request": {"url": WEB, "html_url": WEB}}
        return "issue_comment", {"action": "created", "issue": issue, "comment": self.comment(p, c), "repository": self.repository(), "sender": self.user(c.author)}


class GitLab(Dialect):
    kind, head_ref, api = "gitlab", "refs/merge-requests/%d/head", "/api/v4"
    unauthorized = {"message": "401 Unauthorized"}
    no_path, no_pull = "404 Not Found", "404 Not found"

    def __init__(self, forge):
        super().__init__(forge, self.api + "/projects/" + urllib.parse.quote(forge.repo, safe=""))

    # -- values ---------------------------------------------------------------------------------------------------------

    @staticmethod
    def time(t):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + ".%03dZ" % (t % 1 * 1000)

    @staticmethod
    def user(who):
        return {"id": IDS[who], "username": who, "public_email": "", "name": who.title(), "state": "active", "locked": False, "avatar_url": None,
                "web_url": WEB + who} if who else None

    def basic(self, p):
        merged = self.time(p.merged_at) if p.merged_at else None
        flags = ("draft", "imported", "work_in_progress", "merge_when_pipeline_succeeds", "squash", "squash_on_merge", "has_conflicts")
        times = {"time_estimate": 0, "total_time_spent": 0, "human_time_estimate": None, "human_total_time_spent": None}
        return {"id": 1000 + p.number, "iid": p.number, "project_id": 100, "title": p.title, "description": p.body, "state": "opened" if p.state == "open" else p.state,
                "created_at": self.time(p.created), "updated_at": self.time(p.updated), "merged_by": self.user(p.merged_by), "merge_user": self.user(p.merged_by),
                "merged_at": merged, "closed_by": None, "closed_at": None, "target_branch": p.into, "source_branch": p.branch,
                "user_notes_count": len(p.comments), "upvotes": 0, "downvotes": 0, "author": self.user(p.author), "assignees": [], "assignee": None, "reviewers": [],
                "source_project_id": 101 if p.fork else 100, "target_project_id": 100, "labels": [], **{k: False for k in flags}, "imported_from": "none",
                "milestone": None, "merge_status": "can_be_merged", "detailed_merge_status": "mergeable", "merge_after": None, "sha": p.head,
                "merge_commit_sha": p.merge_sha, "squash_commit_sha": p.squash_sha, "discussion_locked": None, "should_remove_source_branch": None,
                "force_remove_source_branch": False, "prepared_at": self.time(p.created), **({"allow_collaboration": False, "allow_maintainer_to_push": False} if p.fork else {}),
                "reference": "!%d" % p.number, "references": {"short": "!%d" % p.number, "relative": "!%d" % p.number, "full": "%s!%d" % (self.f.repo, p.number)},
                "web_url": "%s%s/-/merge_requests/%d" % (WEB, self.f.repo, p.number), "time_stats": times, "blocking_discussions_resolved": True,
                "task_completion_status": {"count": 0, "completed_count": 0}}

    def whole(self, p):
        at = p.versions[-1]
        return {**self.basic(p), "subscribed": False, "changes_count": "%d" % self.f.changed(p), "latest_build_started_at": None, "latest_build_finished_at": None,
                "first_deployed_to_production_at": None, "pipeline": None, "head_pipeline": None, "merge_error": None, "first_contribution": False,
                "diff_refs": {"base_sha": at[2], "head_sha": at[1], "start_sha": at[3]}, "user": {"can_merge": False}}

    def comment(self, p, c, position=None):
        more = {"position": position, "commit_id": p.head, "suggestions": [], "resolved": False, "resolved_by": None, "resolved_at": None} if position else {}
        return {"id": c.id, "type": "DiffNote" if position else None, "body": c.body, "author": self.user(c.author), "created_at": self.time(c.created),
                "updated_at": self.time(c.updated), "system": getattr(c, "system", False), "noteable_id": 1000 + p.number, "noteable_type": "MergeRequest",
                "project_id": 100, "resolvable": bool(position), "confidential": False, "internal": False, "imported": False, "imported_from": "none",
                "noteable_iid": p.number, "commands_changes": {}, **more}

    # -- answers ----------------------------------------------------------------------------------------------------------

    def who(self, headers):
        said = headers.get("Authorization") or "Bearer " + (headers.get("PRIVATE-TOKEN") or "")
        return next((w for w, t in self.f.tokens.items() if said == "Bearer " + t), None)

    @staticmethod
    def headers():
        return {"X-Request-Id": uuid.uuid4().hex, "Vary": "Origin", "RateLimit-Limit": "2000", "RateLimit-Remaining": "1999", "RateLimit-Reset": "%d" % (time.time() + 60)}

    @staticmethod
    def refusal(_code, message):
        return {"message": message}

    @staticmethod
    def page_headers(link, total, size, at, last):
        return {"Link": link, "X-Total": str(total), "X-Total-Pages": str(last), "X-Per-Page": str(size), "X-Page": str(at),
                "X-Next-Page": str(at + 1) if at < last else "", "X-Prev-Page": str(at - 1) if at > 1 else ""}

    @staticmethod
    def throttled(until):
        wait = max(1, int(until - time.time() + 0.999))
        return 429, {"Retry-After": str(wait), "RateLimit-Limit": "2000", "RateLimit-Name": "throttle_authenticated_api", "RateLimit-Observed": "2001",
                     "RateLimit-Remaining": "0", "RateLimit-Reset": "%d" % until}, b"Retry later\n"

    @staticmethod
    def notes_limit(until):
        return 429, {"Retry-After": str(max(1, int(until - time.time() + 0.999)))}, {"message": {"error": "This endpoint has been requested too many times. Try again later."}}

    limits = (lambda self, until: self.throttled(until), lambda self, until: self.notes_limit(until))

    def answer(self, method, path, query, body, who):
        if path == self.api + "/user":
            return self.given("current-user", {**self.user(who), "bot": True})
        if path == self.api + "/personal_access_tokens/self":
            return self.given("token", {"id": 7, "name": "berth", "description": None, "revoked": False, "created_at": self.time(0), "scopes": ["api"], "user_id": IDS[who],
                                        "last_used_at": None, "active": True, "expires_at": "2030-01-01"})
        if path == self.root:
            access = {"project_access": {"access_level": 30, "notification_level": 3}, "group_access": None}
            names = {k: "envs" for k in ("name", "name_with_namespace", "path")}
            return self.given("project", {"id": 100, **names, "path_with_namespace": self.f.repo, "description": None, "default_branch": "main", "forks_count": 0,
                                          "star_count": 0, "ssh_url_to_repo": "git@forge.example", "http_url_to_repo": self.f.url(), "web_url": WEB + self.f.repo,
                                          "visibility": "private", "readme_url": None, "avatar_url": None, "created_at": self.time(0), "last_activity_at": self.time(0),
                                          "tag_list": [], "topics": [], "namespace": {"id": 1, "path": "lab"}, "permissions": access})
        rows = (("GET", r"/merge_requests", self.list_pulls), ("GET", r"/merge_requests/(\d+)", self.one_pull), ("GET", r"/merge_requests/(\d+)/approvals", self.approvals),
                ("GET", r"/merge_requests/(\d+)/versions", self.versions), ("GET", r"/merge_requests/(\d+)/notes", self.list_comments),
                ("POST", r"/merge_requests/(\d+)/notes", self.post_comment), ("PUT", r"/merge_requests/(\d+)/notes/(\d+)", self.edit_comment),
                ("POST", r"/merge_requests/(\d+)/discussions", self.post_discussion), ("POST", r"/statuses/(\w+)", self.post_status),
                ("GET", r"/repository/commits/(\w+)/merge_requests", self.of_commit), ("GET", r"/repository/commits/(\w+)/statuses", self.list_statuses))
        return self.route(rows, method, path, query, body, who)

    def list_pulls(self, path, query, _body, _who):
        self.f.only("GET merge_requests", query, "state", "order_by", "sort", "per_page", "page", "target_branch", "updated_after")
        if query.get("order_by") != "created_at" or query.get("state") != "opened":
            self.f.note_wrong("GET merge_requests: %r" % query)
        items = [self.basic(self.f.pulls[n]) for n in sorted(self.f.pulls, reverse=query.get("sort") != "asc") if self.f.pulls[n].state == "open"]
        return self.listed("merge-request-basic", items, query, path)

    def one_pull(self, _path, _query, _body, _who, number):
        return self.given("merge-request", self.whole(self.pull(number)))

    def approvals(self, _path, _query, _body, who, number):
        p = self.pull(number)
        given = [{"user": self.user(r.author), "approved_at": self.time(r.created)} for r in p.reviews if r.state == "APPROVED"]
        return self.given("approvals", {"user_has_approved": who in [r.author for r in p.reviews], "user_can_approve": False, "approved": bool(given), "approved_by": given})

    def versions(self, path, query, _body, _who, number):
        p = self.pull(number)
        rows = [{"id": v[0], "head_commit_sha": v[1], "base_commit_sha": v[2], "start_commit_sha": v[3], "created_at": self.time(v[4]),
                 "merge_request_id": 1000 + p.number, "state": "collected", "real_size": "1", "patch_id_sha": None} for v in reversed(p.versions)]
        return self.listed("version", rows, query, path)

    def list_comments(self, path, query, _body, _who, number):
        self.f.only("GET notes", query, "sort", "order_by", "per_page", "page")
        p = self.pull(number)
        rows = sorted(p.comments, key=lambda c: c.created, reverse=query.get("sort") != "asc")
        return self.listed("note", [self.comment(p, c) for c in rows], query, path)

    def post_comment(self, _path, _query, body, who, number):
        p = self.pull(number)
        self.f.only("POST notes", body, "body", "confidential", "internal", "created_at", "merge_request_diff_head_sha")
        if not 0 < len(body["body"]) <= 1000000:
            raise Refused(400, "400 Bad request - Note is too long (maximum is 1000000 characters)")
        p.comments.append(Entry(self.f.ident(), who, body["body"]))
        p.updated = time.time()
        return self.given("note", self.comment(p, p.comments[-1]), 201)

    def edit_comment(self, _path, _query, body, who, number, ident):
        p = self.pull(number)
        for c in p.comments:
            if c.id == ident and c.author == who:
                c.body, c.updated = body["body"], time.time()
                return self.given("note", self.comment(p, c))
        raise Refused(404, "404 Not found")

    def post_discussion(self, _path, _query, body, who, number):
        p, at = self.pull(number), body.get("position", {})
        self.f.only("POST discussions", body, "body", "position", "commit_id", "created_at")
        self.f.only("position", at, "position_type", "base_sha", "start_sha", "head_sha", "old_path", "new_path", "old_line", "new_line", "line_range")
        known = [(v[2], v[3], v[1]) for v in p.versions]
        added = self.f.diff(p, at["new_path"])[1]
        # a line that stands there unchanged needs its old number too
        if (at["base_sha"], at["start_sha"], at["head_sha"]) not in known or at.get("old_line") is not None or at["new_line"] not in added:
            raise Refused(400, '400 Bad request - Note {:line_code=>["can\'t be blank", "must be a valid line code"]}')
        c = Entry(self.f.ident(), who, body["body"])
        p.lines.append((who, at["new_path"], at["new_line"], body["body"]))
        p.updated = c.created
        note = self.comment(p, c, {**{k: None for k in ("old_line", "line_range")}, **at})
        return self.given("discussion", {"id": "%040x" % c.id, "individual_note": False, "notes": [note]}, 201)

    def status(self, s):
        done = self.time(s.created) if s.state in ("success", "failed", "canceled") else None
        return {"id": s.id, "sha": s.sha, "ref": s.ref, "status": s.state, "name": s.context, "target_url": s.url, "description": s.description,
                "created_at": self.time(s.created), "started_at": None, "finished_at": done, "allow_failure": False, "coverage": None, "pipeline_id": 1,
                "author": self.user(s.creator)}

    def list_statuses(self, path, query, _body, _who, sha):
        self.f.only("GET statuses", query, "ref", "stage", "name", "pipeline_id", "all", "order_by", "sort", "per_page", "page")
        newest = {(s.context, s.ref): s for s in self.f.statuses if s.sha == sha and query.get("name", s.context) == s.context}
        return self.listed("commit-status", [self.status(s) for s in newest.values()], query, path)

    def post_status(self, _path, _query, body, who, sha):
        """As Ci::CreateCommitStatusService: a job that runs or waits is changed, else there is a new one; not every change of state is one."""
        self.f.only("POST statuses", body, "state", "ref", "name", "context", "target_url", "description", "coverage", "pipeline_id")
        if body["state"] not in ("pending", "running", "success", "failed", "canceled", "skipped"):
            return 400, {}, {"error": "state does not have a valid value"}
        if not self.f.has_commit(sha):
            raise Refused(404, "404 Commit Not Found")
        known = [s.ref for s in reversed(self.f.statuses) if s.sha == sha]
        branches = git(self.f.bare, "for-each-ref", "--format=%(refname:short)", "--contains", sha, "refs/heads").split()
        ref = ([body["ref"]] if body.get("ref") else known + branches + [None])[0]
        if not ref:
            raise Refused(404, "404 References for commit Not Found")
        mine = [s for s in self.f.statuses if (s.sha, s.ref, s.context, s.creator) == (sha, ref, body["name"], who) and s.state in ("pending", "running")]
        event = {"pending": "enqueue", "running": "run", "success": "success", "failed": "drop", "canceled": "cancel", "skipped": "skip"}[body["state"]]
        if mine and (event == "enqueue" or mine[-1].state == body["state"]):
            raise Refused(400, 'Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via "%s")' % (event, mine[-1].state, event))
        if mine:
            s = mine[-1]
            s.state, s.description, s.url = body["state"], body.get("description", s.description), body.get("target_url", s.url)
        else:
            s = Status(self.f.ident(), sha, body["name"], body["state"], body.get("description"), body.get("target_url"), ref, who)
            self.f.statuses.append(s)
        return self.given("commit-status", self.status(s), 201)

    def of_commit(self, path, query, _body, _who, sha):
        if not self.f.has_commit(sha):
            raise Refused(404, "404 Commit Not Found")
        return self.listed("merge-request-basic", [self.basic(p) for p in self.f.pulls.values() if sha in p.brought or sha == p.head], query, path)

    # -- people -----------------------------------------------------------------------------------------------------------------

    def may_review(self, p, who, state):
        """Free lets authors approve their own. Who has approved must revoke that first."""
        if state != "APPROVED":
            raise Refused(404, "404 Not Found")
        if who in [r.author for r in p.reviews]:
            raise Refused(401, "401 Unauthorized")

    @staticmethod
    def take_back(pull, entry):
        pull.reviews.remove(entry)

    def may_merge(self, p, checks):
        states = self.f.states(p.head)
        if any(states.get(c, ("",))[0] != "success" for c in checks):
            raise Refused(405, "405 Method Not Allowed")

    def merge(self, p, how, who, main):
        """A squashed commit comes by a merge; with fast-forward there is no commit of GitLab's own, and a rebase is a push to the branch."""
        person = (who.title(), who + "@example.com")
        if how == "rebase":
            if git(self.f.bare, "merge-base", main, p.head) != main:
                tip = self.f.replayed(p.head, main, person)
                git(self.f.bare, "update-ref", "refs/heads/" + p.branch, tip)
                self.f.turn_to(p, tip)
            return p.head
        tree, theirs = self.f.tree(main, p.head), p.head
        if how == "squash":
            author = git(self.f.bare, "log", "-1", "--format=%an%n%ae", p.head).split("\n")
            p.squash_sha = theirs = self.f.commit(tree, [p.base], author, person, p.title)
        p.merge_sha = self.f.commit(tree, [main, theirs], person, person, "Merge branch '%s' into 'main'\n\n%s\n\nSee merge request %s!%d" % (
            p.branch, p.title, self.f.repo, p.number))
        return p.merge_sha

    # -- hooks --------------------------------------------------------------------------------------------------------------------

    @staticmethod
    def hook_headers(event, body, secret, key, n):
        """By the token and by the signature in turns."""
        name = {"push": "Push Hook", "merge_request": "Merge Request Hook", "note": "Note Hook"}[event]
        headers = {"User-Agent": "GitLab/18.5.0", "X-Gitlab-Event": name, "X-Gitlab-Instance": WEB, "X-Gitlab-Webhook-UUID": str(uuid.uuid4()),
                   "X-Gitlab-Event-UUID": str(uuid.uuid4()), "Idempotency-Key": str(uuid.uuid4())}
        if n % 2 == 0:
            return {**headers, "X-Gitlab-Token": secret}
        ident, at = "msg_" + uuid.uuid4().hex, "%d" % time.time()
        mac = hmac.new(base64.b64decode(key[len("whsec_"):]), ("%s.%s." % (ident, at)).encode() + body, hashlib.sha256).digest()
        return {**headers, "webhook-id": ident, "webhook-timestamp": at, "webhook-signature": "v1," + base64.b64encode(mac).decode()}

    def project(self):
        return {"id": 100, "name": "envs", "description": None, "web_url": WEB + self.f.repo, "avatar_url": None, "git_ssh_url": "", "git_http_url": self.f.url(),
                "namespace": "lab", "visibility_level": 0, "path_with_namespace": self.f.repo, "default_branch": "main", "homepage": WEB + self.f.repo}

    def hook_user(self, who):
        return {"id": IDS[who], "name": who.title(), "username": who, "avatar_url": None, "email": "[REDACTED]"}

    def push_event(self, who, branch, before, after):
        return {"object_kind": "push", "event_name": "push", "before": before, "after": after, "ref": "refs/heads/" + branch, "ref_protected": branch == "main",
                "checkout_sha": after, "message": None, "user_id": IDS[who], "user_name": who.title(), "user_username": who, "user_email": None, "user_avatar": None,
                "project_id": 100, "project": self.project(), "commits": [], "total_commits_count": 1, "push_options": {}, "repository": {"name": "envs"}}

    def attributes(self, p, action):
        return {"id": 1000 + p.number, "iid": p.number, "target_branch": "main", "source_branch": p.branch, "source_project_id": 101 if p.fork else 100,
                "target_project_id": 100, "author_id": IDS[p.author], "title": p.title, "description": p.body, "state": "opened" if p.state == "open" else p.state,
                "last_commit": {"id": p.head}, "url": WEB, "draft": False, "detailed_merge_status": "mergeable", "action": action,
                **({"oldrev": p.versions[-2][1]} if action == "update" else {})}

    def merge_event(self, p, who, action):
        return "merge_request", {"object_kind": "merge_request", "event_type": "merge_request", "user": self.hook_user(who), "project": self.project(),
                                 "object_attributes": self.attributes(p, action), "labels": [], "changes": {}, "repository": {"name": "envs"}, "assignees": [],
                                 "reviewers": []}

    def pull_event(self, action, p, who):
        return self.merge_event(p, who, {"opened": "open", "synchronize": "update", "edited": "update", "closed": "merge", "taken back": "unapproved"}[action])

    def review_event(self, p, r):
        return self.merge_event(p, r.author, "approved" if r.state == "APPROVED" else "update")

    def comment_event(self, p, c):
        note = {"id": c.id, "note": c.body, "noteable_type": "MergeRequest", "author_id": IDS[c.author], "action": "create", "system": False, "url": WEB}
        return "note", {"object_kind": "note", "event_type": "note", "user": self.hook_user(c.author), "project_id": 100, "project": self.project(),
                        "repository": {"name": "envs"}, "object_attributes": note, "merge_request": self.attributes(p, None)}


DIALECTS = {"github": GitHub, "gitlab": GitLab}

# SPDX-License-Identifier: Apache-2.0
"""A repository that asks for signed approvals on a real Gitea, with everybody's way there: carol may approve, bo may not, mallory owns too much."""
import gitea
from lab import RENDERED, Daemon, berth, git, note, until
from signers import author, key, signed_site

REPO = "root/envs"


class Forge:
    """The server, the repository on it and everybody's way there."""

    def __init__(self, checks=(), people=(), mode="signed"):
        self.server = gitea.Gitea("carol", "bo", "mallory", "berth", *people)
        note("Gitea in %.1f s" % self.server.took)
        self.site = signed_site("envs", mode=mode)
        self.api("POST", "/user/repos", {"name": "envs", "private": True, "default_branch": "main"})
        for who, right in ("carol", "write"), ("bo", "write"), ("mallory", "admin"), ("berth", "write"), *((who, "write") for who in people):
            self.api("PUT", "/repos/%s/collaborators/%s" % (REPO, who), {"permission": right})
        git(self.site.clone, "remote", "set-url", "origin", self.server.url(REPO))
        self.git("root", "push", "-q", "origin", "main")
        self.protect("main", required_approvals=1, block_on_rejected_reviews=True, dismiss_stale_approvals=True,
                     enable_status_check=bool(checks), status_check_contexts=list(checks))

    def api(self, *args, who="root"):
        return self.server.api(who, *args)

    def protect(self, branch, **rule):
        self.api("POST", "/repos/%s/branch_protections" % REPO, {"rule_name": branch, "enable_push": False, **rule})

    def git(self, who, *args, **how):
        return git(self.site.clone, *args, env={**author(who), **self.server.git_env(who)}, **how)

    def berth(self, who, *args):
        return berth(*args, "-C", self.site.clone, env=self.server.git_env(who))

    def pull(self, who, branch, files):
        """A branch of who's with one commit, and a pull request of it: its number."""
        self.git(who, "fetch", "-q", "origin")
        self.git(who, "checkout", "-q", "-B", branch, "origin/main")
        self.site.write(files)
        self.git(who, "add", "-A")
        self.git(who, "commit", "-q", "-m", branch)
        self.git(who, "push", "-q", "origin", branch)
        return self.api("POST", "/repos/%s/pulls" % REPO, {"title": branch, "head": branch, "base": "main"}, who=who)["number"]

    def review(self, who, number, event="APPROVED"):
        self.api("POST", "/repos/%s/pulls/%d/reviews" % (REPO, number), {"event": event, "body": "looks right"}, who=who)

    def merge(self, who, number, how):
        """Gitea checks a new pull request for conflicts in the background, and says 405 until it has."""
        body = {"Do": how, "MergeTitleField": "merged %d" % number}
        where = "/repos/%s/pulls/%d/merge" % (REPO, number)
        return until(lambda: not self.server.refused(who, "POST", where, body) or self.api("GET", "/repos/%s/pulls/%d" % (REPO, number))["merged"])

    def approve(self, who, *what):
        return self.berth(who, "approve", *what, "--key", key(who), "--yes")

    def shown(self, text):
        """The HTML that the forge makes of a comment."""
        return self.api("POST", "/markdown", {"Text": text, "Mode": "comment", "Context": REPO})

    def status(self):
        said = self.berth("bo", "status", "-o", "json", "--token-file", self.server.token_file("bo"))
        return {"%(owner)s/%(name)s" % d["metadata"]: d for d in said.json()["environments"]} if said.rc == 0 else {}

    def live(self, env, *words):
        """Is it on the rendered branch, with these words in its StatefulSet? That branch moves before the status does."""
        self.git("bo", "fetch", "-q", "origin")
        rc, out, _ = git(self.site.clone, "show", "origin/%s:envs/%s/statefulset-%s.yaml" % (RENDERED, env, env.split("/")[1]), ok=False)
        return rc == 0 and all(w in out.decode() for w in words)

    def waits(self, env):
        return self.status().get(env, {}).get("pending", {}).get("reason") == "ApprovalMissing"

    def daemon(self, state, *args):
        return Daemon(self.server.url(REPO), state, "--token-file", self.server.token_file("berth"), "--username", "berth", "--interval", "1s",
                      "--trust-anchor", self.site.anchor, *args)


class Pull:
    """What stands on the forge about one pull request."""

    def __init__(self, f, number):
        self.f, self.number = f, number

    def get(self):
        return self.f.api("GET", "/repos/%s/pulls/%d" % (REPO, self.number))

    def states(self, sha=None):
        """context -> (state, text) of the newest status."""
        out = {}
        for s in self.f.api("GET", "/repos/%s/commits/%s/statuses?sort=oldest&limit=50" % (REPO, sha or self.get()["head"]["sha"])) or []:
            out[s["context"]] = s["status"], s["description"]
        return out

    def statuses(self):
        return len(self.f.api("GET", "/repos/%s/commits/%s/statuses?limit=50" % (REPO, self.get()["head"]["sha"])) or [])

    def comments(self, who="berth"):
        got = self.f.api("GET", "/repos/%s/issues/%d/comments" % (REPO, self.number)) or []
        return [{k: c[k] for k in ("id", "created_at", "updated_at", "body")} for c in got if c["user"]["login"] == who]

    def text(self):
        return "\n".join(c["body"] for c in self.comments())

    def lines(self):
        """(path, line's text) of comments at lines."""
        out = []
        for r in self.f.api("GET", "/repos/%s/pulls/%d/reviews" % (REPO, self.number)) or []:
            for c in self.f.api("GET", "/repos/%s/pulls/%d/reviews/%d/comments" % (REPO, self.number, r["id"])) or []:
                out.append((r["user"]["login"], c["path"], c["body"]))
        return out

    def wait(self, context, state):
        return until(lambda: self.states().get(context, ("",))[0] == state)

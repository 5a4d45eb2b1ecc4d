# SPDX-License-Identifier: Apache-2.0
"""What happens to pull requests from the branch to the result, on a forge that answers as GitHub or GitLab (forge_replay.py): one story, two tables."""
import base64
import os
import re
import time

import lab
from forge_dialects import DIALECTS
from forge_replay import Entry, Forge, Pull, Refused, counted
from forge_shapes import wrong
from lab import RENDERED, Daemon, berth, check, done, env_spec, free_port, git, http, note, until
from signers import author, key, signed_site

MARK = "<!-- berth:plan v1 "
SECRET, SIGNING = "a-secret-of-the-hook-0123456789", "whsec_" + base64.b64encode(b"a key that signs the hooks of GL").decode()
WIDE = "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: %s\n%s" + "".join("  # line %d\n" % n for n in range(5, 25)) + "  resources: {gpu: 1}\n"
REPOS = {"github": "lab/envs", "gitlab": "lab/gpu/envs"}
GHOST = {"GIT_AUTHOR_NAME": "Ghost", "GIT_AUTHOR_EMAIL": "ghost@nowhere.example", "GIT_COMMITTER_NAME": "Ghost", "GIT_COMMITTER_EMAIL": "ghost@nowhere.example"}
WORDS = {  # how each says what it is: (state of a check that fails, whether authors can approve their own, whether lines go with the others)
    "github": {"failure": "failure", "own": False, "all_or_nothing": True},
    "gitlab": {"failure": "failed", "own": True, "all_or_nothing": False},
}


class Story:
    """A repository on such a forge, a daemon that is told by hooks alone, and people."""

    def __init__(self, kind, site, **how):
        self.kind, self.site, self.words = kind, site, WORDS[kind]
        self.f = Forge(DIALECTS[kind], site, REPOS[kind], how.get("checks", ("berth/validate", "berth/plan")))
        self.port, self.state, self.secret = free_port(), site.state(), os.path.join(lab.folder, "hook-secret")
        with open(os.open(self.secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(SECRET + "\n" + SIGNING + "\n")
        self.start()
        self.f.hook(self.port, SECRET, SIGNING)

    def start(self):
        self.d = Daemon(self.f.url(), self.state, "--token-file", self.f.token_file("berth"), "--forge", self.kind, "--interval", "1h", "--trust-anchor",
                        self.site.anchor, "--listen", "127.0.0.1:%d" % self.port, "--hook-secret", self.secret)
        check("it starts", until(lambda: http(self.port, "/readyz") == 200) and until(lambda: "are looked at" in self.d.log()), self.d.log())

    def push(self, who, branch, files=None, new=False, env=None, message=None):
        """A commit on a branch of who's, and the forge tells it."""
        clone = self.site.clone
        before = git(clone, "rev-parse", "-q", "--verify", "refs/remotes/origin/" + branch, ok=False)[1].decode().strip()
        git(clone, "fetch", "-q", "origin")
        git(clone, "checkout", "-q", *(["-B", branch, "origin/main"] if new else [branch]))
        self.site.write(files or {})
        git(clone, "add", "-A")
        git(clone, "commit", "-q", "--allow-empty", "-m", message or branch, env=env or author(who))
        git(clone, "push", "-q", "origin", branch)
        if not new:
            self.f.pushed(who, branch, before or "0" * 40)
        return git(clone, "rev-parse", "HEAD")

    def open(self, who, branch, files, **how):
        self.push(who, branch, files, new=True, env=how.pop("env", None))
        return self.f.open(who, branch, how.pop("title", branch), **how)

    def approve(self, who, branch, number):
        """By signature; no forge sends a hook for that, but for the comment that says so."""
        git(self.site.clone, "fetch", "-q", "origin")
        said = berth("approve", branch, "-C", self.site.clone, "--key", key(who), "--yes", env=author(who))
        if said.rc == 0:
            self.f.comment(who, number, "signed")
        return said

    def head(self, number):
        return self.f.pulls[number].head

    def says(self, number, context, state, *words, sha=None):
        """Does the check come to this?"""
        def now():
            got = self.f.states(sha or self.head(number)).get(context, ("", ""))
            return got[0] == self.words.get(state, state) and all(w in (got[1] or "") for w in words)
        return until(now)

    def why(self, number):
        return [self.f.states(self.head(number)), self.text(number), self.f.wrong, self.d.log()]

    def text(self, number):
        return "\n".join(c.body for c in self.f.of(number))

    def once(self, number):
        """One comment with the plan. GitLab shows as a comment, too, what else is said of findings at their lines."""
        comments = self.f.of(number)
        others = [c for c in comments if not c.body.startswith(MARK)]
        return len(comments) - len(others) == 1 and (not others or self.kind == "gitlab" and all(c.body.startswith("berth: ") for c in others))

    def refused(self, who, number, **how):
        try:
            self.f.merge(who, number, **how)
        except Refused as e:
            return e.code
        return 0

    def live(self, env, *words):
        text = self.site.show(RENDERED, "envs/%s/statefulset-%s.yaml" % (env, env.split("/")[1]))
        return text is not None and all(w in text for w in words)

    def waits(self, env):
        return self.site.status().get(env, {}).get("pending", {}).get("reason") == "ApprovalMissing"


def opened(s):
    """Within seconds of the hook: two checks, one comment; merging is refused meanwhile."""
    start = time.monotonic()
    number = s.open("alice", "wide", {"envs/alice/wide.yaml": WIDE % ("gpu-large", "")}, title="wide: a larger machine")
    check("alice's pull request is checked", s.says(number, "berth/validate", "success"), *s.why(number))
    check("its plan waits for who must approve", s.says(number, "berth/plan", "pending", "carol"), *s.why(number))
    check("one comment has the plan", until(lambda: s.once(number)) and s.text(number).startswith(MARK) and "alice/wide" in s.text(number) and
          "berth approve" in s.text(number), *s.why(number))
    note("%s: checks and comment %.1f s after the hook" % (s.kind, time.monotonic() - start))
    check("merging is refused meanwhile", s.refused("carol", number) == 405)
    return number


def pushed_again(s, number):
    first = s.f.of(number)[0]
    was = first.body
    s.push("alice", "wide", {"envs/alice/wide.yaml": WIDE % ("gpu-large", "  flavour: x\n")})
    check("a bad push: the check fails with the first error", s.says(number, "berth/validate", "failure", "flavour"), *s.why(number))
    check("it is the same comment", until(lambda: first.body != was) and s.once(number), *s.why(number))
    check("the finding stands at its line", until(lambda: s.f.pulls[number].lines), *s.why(number))
    who, path, line, text = s.f.pulls[number].lines[0]
    check("as berth, at what was added", (who, path, line) == ("berth", "envs/alice/wide.yaml", 5) and "error E" in text, s.f.pulls[number].lines)
    s.push("alice", "wide", {"envs/alice/wide.yaml": WIDE % ("cpu-small", "")})
    where = "`envs/alice/wide.yaml` line 25"
    check("one outside of the diff, which the forge refuses at its line, stands in the text", until(lambda: where in "".join(
        [r.body for r in s.f.pulls[number].reviews] + [c.body for c in s.f.of(number)])), *s.why(number))
    check("(it was refused)", s.f.count("POST", "/reviews" if s.kind == "github" else "/discussions") > 1 and any(
        code in (400, 422) for _, path, code in s.f.asked if "/reviews" in path or "/discussions" in path), s.f.asked[-20:])
    lines = len(s.f.pulls[number].lines)
    s.push("alice", "wide", {"envs/alice/wide.yaml": WIDE % ("gpu-large", "")})
    check("mended: green again", s.says(number, "berth/validate", "success"), *s.why(number))
    check("and no line is said twice", len(s.f.pulls[number].lines) == lines == 1, s.f.pulls[number].lines)


def approved(s, number):
    s.f.review("carol", number)  # in mode signed a review counts for nothing
    said = s.approve("carol", "wide", number)
    check("carol signs", said.rc == 0, said)
    check("the plan's check follows", s.says(number, "berth/plan", "success"), *s.why(number))
    check("and so does the comment", until(lambda: "carol" in s.text(number).split("Approved", 1)[-1]), *s.why(number))


def pressed(s, number, how, **more):
    """One of the three buttons."""
    sha = s.f.merge("carol", number, how, **more)
    return number, how, sha, time.monotonic()


def came(s, what, env, *words):
    """What came of it: applied, and said so at both places."""
    number, how, sha, start = what
    check("%s: applied" % how, until(lambda: s.live(env, *words)), *s.why(number))
    check("%s: the merge says so" % how, s.says(number, "berth/apply", "success", sha=sha), s.f.states(sha), s.d.log())
    check("%s: and so does the comment" % how, until(lambda: "Rendered" in "\n".join(c.body for c in s.f.of(number) if c.body.startswith(MARK))), *s.why(number))
    at = max(x.created for x in s.f.statuses if x.sha == sha) - time.time() + time.monotonic()
    note("%s, %s: result %.1f s after the hook" % (s.kind, how, at - start))


def stale(s, number):
    """An approval of an older commit; what is signed is the change, so another change needs another approval."""
    old = s.head(number)
    said = s.approve("carol", "by-squash", number)
    check("(carol signs the older one)", said.rc == 0 and s.says(number, "berth/plan", "success"), said, *s.why(number))
    s.push("bo", "by-squash", {"envs/bo/by-squash.yaml": env_spec("gpu-small")})
    check("a push after it: it does not count", s.says(number, "berth/plan", "pending", "carol") and s.head(number) != old, *s.why(number))
    check("and merging is refused", s.refused("carol", number, how="squash") == 405)
    s.approve("carol", "by-squash", number)
    check("(she signs the new one)", s.says(number, "berth/plan", "success"), *s.why(number))


def lists(s):
    """How often the list was asked for: once a turn, at its beginning."""
    with s.f.lock:
        return sum(m == "GET" and path.endswith(("/pulls", "/merge_requests")) and "/commits/" not in path for m, path, _ in s.f.asked)


def seen(s, number, do):
    """Does it, and waits for the end of a turn that began after it: berth may find that there is nothing to say."""
    do()
    for _ in range(3):
        before = lists(s)
        s.f.comment("dana", number, "hm")
        check("(it looks again)", until(lambda: lists(s) > before), *s.why(number))


def own_approval(s, number):
    said = berth("approve", "by-rebase", "-C", s.site.clone, "--key", key("bo"), "--yes", env=author("bo"))
    try:
        s.f.review("bo", number)
        could = True
    except Refused:
        could = False
    check("(the forge itself lets authors approve on GitLab alone)", could == s.words["own"])
    seen(s, number, lambda: s.f.review("carol", number))
    check("bo's own signature and a review count for nothing in mode signed", said.rc == 0 and s.says(number, "berth/plan", "pending", "1 more of carol"), said,
          *s.why(number))


def forced(s):
    number = s.open("mallory", "forced", {"envs/mallory/mine.yaml": env_spec(), "envs/alice/notebook.yaml": env_spec("gpu-small")})
    check("(mallory's is looked at)", s.says(number, "berth/plan", "pending"), *s.why(number))
    before = s.site.show(RENDERED, "envs/alice/notebook/statefulset-notebook.yaml")
    sha = s.f.merge("root", number, force=True)
    check("a merge that is forced past protection stays pending", until(lambda: s.waits("mallory/mine") and s.waits("alice/notebook")), s.d.log(), s.site.status())
    check("the merge says what it waits for", s.says(number, "berth/apply", "failure", "ApprovalMissing", sha=sha), s.f.states(sha), s.d.log())
    check("what is live stays as it was", s.site.show(RENDERED, "envs/alice/notebook/statefulset-notebook.yaml") == before)
    return number


def odd_ones(s):
    """Somebody else's mark, an author nobody knows, no files, a fork, hostile texts."""
    bad = "@carol <img src=x> | ``` --> [x](http://evil.example)"
    marked = s.open("mallory", "marked", {"envs/mallory/odd.yaml": env_spec() + "  \"%s\": 1\n" % bad}, title=bad + "\x1b[31m", body=bad,
                    said=[("mallory", MARK + "base=- head=- digest=" + "0" * 64 + " -->\nall is well")])
    ghost = s.open("bo", "ghost", {"envs/bo/ghost.yaml": env_spec()}, env=GHOST)
    nothing = s.open("bo", "nothing", {})
    git(s.site.clone, "checkout", "-q", "--detach", "origin/main")
    s.site.write({"envs/bo/forked.yaml": env_spec()})
    commit = s.site.save("from a fork")
    git(s.site.clone, "push", "-q", "origin", commit + ":refs/copies/1")
    fork = s.f.open("stranger", "main", "from a fork", fork=commit)
    check("somebody's mark is not ours", until(lambda: s.once(marked)) and "all is well" not in s.text(marked) and
          s.f.of(marked, "mallory")[0].body.endswith("all is well"), *s.why(marked))
    check("hostile texts are text", s.says(marked, "berth/validate", "failure") and until(lambda: s.f.pulls[marked].lines) and not hostile(s, marked), hostile(s, marked))
    check("an author whom nobody knows: one more must approve", s.says(ghost, "berth/plan", "pending", "2 more"), *s.why(ghost))
    check("without files it is never green", s.says(nothing, "berth/plan", "failure", "nothing"), *s.why(nothing))
    check("a fork's commit has its checks", s.says(fork, "berth/plan", "pending", "carol") and until(lambda: s.once(fork)), *s.why(fork))
    return marked, ghost, nothing, fork


def hostile(s, number):
    """What of a stranger's text would be more than text on the forge: outside of code, and without a backslash or a joiner."""
    ours = [c.body for c in s.f.of(number)] + [t for _, _, _, t in s.f.pulls[number].lines] + [r.body for r in s.f.pulls[number].reviews if r.author == "berth"]
    found = [] if ours else ["nothing was said"]
    for text in ours:
        text = re.sub(r"(?s)(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", text)  # fences and spans alike end with as many as they begin with
        found += [text[max(m.start() - 60, 0):m.end() + 60] for m in re.finditer(r"(?<!\\)(@carol|<img|\]\(|https?://evil|\x1b)", text)]
    return found


def new_text(s, number):
    """A pending check whose text changes: main has moved, and there is less to create."""
    def said():
        return re.findall(r"pull request %d at .*plan pending \((.*)\)" % number, s.d.log())
    check("(the text changes)", until(lambda: len(set(said())) > 1), *s.why(number))
    check("a pending check has the text that was said last", until(lambda: s.f.states(s.head(number))["berth/plan"] == ("pending", said()[-1])), *s.why(number))


def limited(s, number, merged):
    """Each way to say "not now": nothing is asked until then, and afterwards it goes on."""
    for n, limit in enumerate(s.f.dialect.limits):
        s.f.limited(lambda until_, limit=limit: limit(s.f.dialect, until_), 2)
        s.f.comment("dana", merged, "well")
        check("limit %d: it is said" % n, until(lambda: s.f.early) and until(lambda n=n: s.d.log().count("the forge's limit is reached") > n), s.d.log())
        s.push("bo", "by-rebase", {"envs/bo/by-rebase.yaml": env_spec(more="  resources: {cpu: %d}\n" % (n + 1))})
        check("limit %d: then it goes on" % n, s.says(number, "berth/validate", "success"), *s.why(number))
        check("limit %d: nothing was asked before its time" % n, s.f.early == 1, s.f.early, s.d.log())
        check("(and it is over)", until(lambda n=n: s.d.log().count("the forge answers again") > n), s.d.log())


def at_rest(s, merged):
    """Words on one that was merged: the list has pages, is asked for once more, and nothing else is."""
    s.f.fill(60)
    s.f.comment("dana", merged, "now there are many")
    until(lambda: lab.still(lambda: len(s.f.asked), 1.5))
    before = len(s.f.asked)
    s.f.comment("dana", merged, "thank you")
    check("a look in which nothing is new is answered 304, page by page", until(lambda: len(s.f.asked) > before + 1) and [code for _, _, code in s.f.asked[
        before:before + 2]] == [304, 304], s.f.asked[before:])


def shapes(s):
    """The table itself can say no: to what is missing, of another type, and not described."""
    shape = {"github": "issue-comment", "gitlab": "note"}[s.kind]
    with s.f.lock:
        p, good = Pull(1, "bo", "x", "x", "", False), Entry(1, "bo", "x")
        p.head = p.base = "0" * 40
        good = s.f.dialect.comment(p, good)
    bad = [{k: v for k, v in good.items() if k != "created_at"}, {**good, "id": "1"}, {**good, "user_name": "x"}, {**good, "created_at": "yesterday"}]
    check("what is not as described is found", not wrong(s.kind, shape, good) and all(wrong(s.kind, shape, b) for b in bad), good)


def last_words(s):
    shapes(s)
    check("every hook was answered 202", {a for _, a in s.f.hooks.answers} == {202}, s.f.hooks.answers)
    check("what the forge was asked and said is as it is described", not s.f.wrong, *s.f.wrong)
    check("no description was too long", not [a for a in s.f.asked if a[2] == 422 and "/statuses/" in a[1]], s.f.asked)
    check("it stops well", s.d.stop() == 0, s.d.log())
    check("no token and no secret in the log", not any(t in s.d.log() for t in [SECRET, SIGNING, *s.f.tokens.values()]))
    note("%s: %s" % (s.kind, ", ".join("%s: %d" % x for x in sorted(counted(s.f.asked).items()))))


def begin(kind, site):
    s = Story(kind, site)
    check("everything at the anchor is rendered", until(s.site.all_rendered), s.d.log())
    s.began = time.monotonic()
    return s


def end(s):
    last_words(s)
    note("%s: %.1f s from the first branch on" % (s.kind, time.monotonic() - s.began))
    done()


def signed(kind):
    """From the branch to the result by each button, with approvals by signature."""
    s = begin(kind, signed_site("envs", {"envs/alice/wide.yaml": WIDE % ("gpu-small", "")}))
    number = opened(s)
    squash = s.open("bo", "by-squash", {"envs/bo/by-squash.yaml": env_spec()})
    pushed_again(s, number)
    approved(s, number)
    merge = pressed(s, number, "merge")
    stale(s, squash)
    squashed = pressed(s, squash, "squash")
    rebase = s.open("bo", "by-rebase", {"envs/bo/by-rebase.yaml": env_spec()})
    s.approve("carol", "by-rebase", rebase)
    check("(carol signs)", s.says(rebase, "berth/plan", "success"), *s.why(rebase))
    rebased = pressed(s, rebase, "rebase")
    came(s, merge, "alice/wide", "nvidia.com/gpu")
    came(s, squashed, "bo/by-squash", "nvidia.com/gpu")
    came(s, rebased, "bo/by-rebase")
    end(s)


def troubled(kind):
    """What goes wrong, and who tries it."""
    s = begin(kind, signed_site("envs"))
    first = s.open("bo", "first", {"envs/bo/first.yaml": env_spec()})
    number = s.open("bo", "by-rebase", {"envs/bo/by-rebase.yaml": env_spec()})
    s.approve("carol", "first", first)
    check("(the first is approved)", s.says(first, "berth/plan", "success"), *s.why(first))
    merge = pressed(s, first, "squash")
    own_approval(s, number)
    new_text(s, number)
    came(s, merge, "bo/first")
    limited(s, number, first)
    odd_ones(s)
    forced(s)
    at_rest(s, first)
    end(s)


# -- approvals.mode: forge ---------------------------------------------------------------------------------------------------------


def not_everybody(s, number):
    """Who may approve nothing here: its author, and a login that is nobody's."""
    check("a new one waits for a review", s.says(number, "berth/plan", "pending", "carol") and until(lambda: s.once(number)) and "Approve" in s.text(number) and
          "berth approve" not in s.text(number).replace("/berth approve", ""), *s.why(number))
    check("merging is refused meanwhile", s.refused("carol-g", number) == 405)
    try:
        seen(s, number, lambda: s.f.review("bo", number))
        could = True
    except Refused:
        could = False
    check("(the forge itself lets authors approve on GitLab alone)", could == s.words["own"])
    seen(s, number, lambda: s.f.review("stranger", number))
    check("neither its author's approval nor that of a login nobody has counts", s.says(number, "berth/plan", "pending", "1 more of carol"), *s.why(number))


def stale_review(s, number):
    start = time.monotonic()
    s.f.review("carol-g", number)
    check("carol approves under her name there", s.says(number, "berth/plan", "success"), *s.why(number))
    note("%s: approved %.1f s after the hook" % (s.kind, time.monotonic() - start))
    check("the comment says who", until(lambda: "carol" in s.text(number).split("Said yes", 1)[-1]) and s.once(number), *s.why(number))
    old = s.head(number)
    s.push("bo", "one", {"envs/bo/one.yaml": env_spec("gpu-small")})
    check("a push after it: a review of the older commit does not count", s.says(number, "berth/plan", "pending", "carol") and s.head(number) != old, *s.why(number))
    check("and merging is refused", s.refused("carol-g", number) == 405)
    s.f.comment("carol-g", number, "/berth approve " + s.head(number)[:12])
    if s.kind == "gitlab":
        check("(she cannot approve twice)", refused_review(s, "carol-g", number) == 401)
        check("her comment that names the newest commit counts", s.says(number, "berth/plan", "success"), *s.why(number))
        s.f.comment("bo", number, "thanks")
        return
    check("a comment is no review, and is answered", until(lambda: "a review counts here" in s.text(number)) and s.says(number, "berth/plan", "pending"), *s.why(number))
    s.f.review("carol-g", number)
    check("her review of the newest commit counts", s.says(number, "berth/plan", "success"), *s.why(number))
    s.f.review("dana", number, "CHANGES_REQUESTED")
    check("who asks for changes blocks", s.says(number, "berth/plan", "pending", "dana"), *s.why(number))
    s.f.taken_back("dana", number)
    check("until that is dismissed", s.says(number, "berth/plan", "success"), *s.why(number))


def refused_review(s, who, number):
    try:
        s.f.review(who, number)
    except Refused as e:
        return e.code
    return 0


def approved_there(s, who, number):
    s.f.review(who, number)
    check("(%s approves)" % who, s.says(number, "berth/plan", "success"), *s.why(number))


def rebased_there(s, number):
    """GitHub's button does it at once; GitLab's makes it a push first, and then somebody has to approve that."""
    approved_there(s, "dana", number)
    if s.kind == "gitlab":
        s.f.rebase("dana", number)
        check("after the rebase an approval does not count", s.says(number, "berth/plan", "pending"), *s.why(number))
        s.f.taken_back("dana", number)
        approved_there(s, "dana", number)
    return pressed(s, number, "rebase")


def late(s):
    """Forced past protection: it waits, and a review that comes after the merge lets it go on."""
    number = s.open("bo", "late", {"envs/bo/late.yaml": env_spec()})
    check("(it is looked at)", s.says(number, "berth/plan", "pending"), *s.why(number))
    sha = s.f.merge("root", number, force=True)
    check("a merge that is forced past protection stays pending", until(lambda: s.waits("bo/late")), s.d.log(), s.site.status())
    check("the merge says what it waits for", s.says(number, "berth/apply", "failure", "ApprovalMissing", sha=sha), s.f.states(sha), s.d.log())
    start = time.monotonic()
    s.f.review("erin", number)
    came(s, (number, "late", sha, start), "bo/late")


def retargeted(s):
    """What was looked at and approved was a small step from another branch; that branch comes along to main."""
    s.push("mallory", "hidden", {"users/mallory.yaml": s.site.read("users/mallory.yaml").replace("role: user", "role: lead")}, new=True)
    git(s.site.clone, "checkout", "-q", "-B", "step")
    s.push("mallory", "step", {"envs/mallory/step.yaml": env_spec()})
    number = s.f.open("mallory", "step", "a small step")
    s.f.pulls[number].into = "hidden"
    for who in "carol-g", "dana":
        s.f.review(who, number)
    time.sleep(1.1)  # GitHub's times are whole seconds
    seen(s, number, lambda: s.f.retarget("mallory", number))
    check("what was approved for another branch is not approved for main", s.says(number, "berth/plan", "pending", "carol"), *s.why(number))
    s.f.merge("mallory", number, force=True)
    check("merged, it waits", until(lambda: s.waits("mallory/step")) and not s.live("mallory/step"), *s.why(number))


def scheduled(s):
    """Who merges their own has said yes to it, but not who had GitHub do it later: that takes what others pushed meanwhile. GitLab cancels it then."""
    if s.kind != "github":
        return
    number = s.open("bo", "later", {"envs/bo/two.yaml": env_spec("cpu-small", "  lifecycle: {paused: true}\n")})
    s.f.pulls[number].events.append(Entry(s.f.ident(), "bo", "auto_merge_enabled"))
    s.push("mallory", "later", {"envs/bo/two.yaml": env_spec("cpu-small", "  lifecycle: {paused: true} # for good\n")})
    check("(it is planned)", s.says(number, "berth/plan", "pending"), *s.why(number))
    s.f.merge("bo", number, force=True)
    check("what the forge merged by itself waits", until(lambda: s.waits("bo/two")), *s.why(number))


def while_down(s):
    """Opened, approved and merged while nobody looked."""
    check("(it stops)", s.d.stop() == 0, s.d.log())
    heard = len(s.f.hooks.answers)
    number = s.open("alice", "unseen", {"envs/alice/unseen.yaml": env_spec()})
    until(lambda: int(time.time()) > int(s.f.pulls[number].versions[-1][4]))  # GitLab tells times alone: in the second of the push it could be either way
    s.f.review("carol-g", number)
    unasked = s.open("mallory", "unasked", {"envs/mallory/unasked.yaml": env_spec()})
    what = pressed(s, number, "squash", force=True)
    s.f.merge("root", unasked, force=True)
    until(lambda: s.f.hooks.line.empty())
    s.start()
    del s.f.hooks.answers[heard:]
    came(s, what, "alice/unseen")
    check("one that nobody approved waits", until(lambda: s.waits("mallory/unasked")), s.d.log(), s.site.status())


def reviewed(kind):
    """The whole story where reviews on the forge are the approvals."""
    site = signed_site("envs")
    site.write({"users/carol.yaml": site.read("users/carol.yaml") + "  forge: {login: carol-g}\n"})
    site.anchor = site.push({"berth.yaml": site.read("berth.yaml").replace("mode: signed", "mode: forge")}, "reviews")
    s = begin(kind, site)
    one = s.open("bo", "one", {"envs/bo/one.yaml": env_spec()})
    two = s.open("bo", "two", {"envs/bo/two.yaml": env_spec()})
    three = s.open("alice", "three", {"envs/alice/three.yaml": env_spec()})
    not_everybody(s, one)
    stale_review(s, one)
    merge = pressed(s, one, "merge")
    approved_there(s, "carol-g", two)
    squash = pressed(s, two, "squash")
    rebase = rebased_there(s, three)
    came(s, merge, "bo/one", "nvidia.com/gpu")
    came(s, squash, "bo/two")
    came(s, rebase, "alice/three")
    late(s)
    retargeted(s)
    scheduled(s)
    while_down(s)
    end(s)

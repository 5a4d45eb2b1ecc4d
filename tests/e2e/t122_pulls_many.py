#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hundreds of open pull requests: what a look costs, that nothing is written twice or without need, and that the forge's limits hold. $BERTH_PULLS (60)
of them on a small forge of the test's own, whose log has every request."""
import hashlib
import hmac
import http.client
import json
import os
import re
import time

from forge_small import Pulls
from lab import check, done, env_spec, folder, free_port, git, note, until, user_spec

MANY = int(os.environ.get("BERTH_PULLS") or 60)
PAGES = MANY // 50 + 1  # behind a full one there may be another: this forge does not tell
OWNERS = ["u%d" % i for i in range(4)] + ["bo"]  # bo is in a team with dana, the others are in none
SECRET, WAIT_S = "It's a Secret to Everybody", 2


def owner(number):
    return OWNERS[(number - 1) % len(OWNERS)]


def those_of(*names):
    return {n for n in range(1, MANY + 1) if owner(n) in names}


class Story:
    def __init__(self):
        self.p = p = Pulls()
        self.f = p.forge
        p.site.push({"users/%s.yaml" % u: user_spec(i) for i, u in enumerate(OWNERS[:4] + ["other"])})
        self.heads = p.open_many([{"envs/%s/many%d.yaml" % (owner(n), n): env_spec()} for n in range(1, MANY + 1)])
        self.port, secret = free_port(), os.path.join(folder, "hook-secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(SECRET)
        self.args = ["--listen", "127.0.0.1:%d" % self.port, "--hook-secret", secret]
        self.state = p.site.state()

    def run(self):
        self.p.run(*self.args, state=self.state)

    def log(self):
        return self.p.d.log()

    def twice(self):
        """What was written more than once since the pull requests were opened."""
        return [(k, n) for k, n in self.f.counts.items() if isinstance(k, tuple) and n > 1]

    def looks(self, mark=0):
        """When the list's first page was asked for."""
        with self.f.lock:
            return [at for at, _, path, _ in self.f.log[mark:] if "/pulls?" in path and path.endswith("page=1")]

    def planned(self, begin=0):
        return {int(n) for n in re.findall(r"pull request (\d+) at ", self.log()[begin:])}

    def move(self, files):
        """Main moves: what of the log comes after, and the forge's mark before."""
        begin, mark = len(self.log()), self.f.mark()
        git(self.p.site.clone, "fetch", "-q", "origin")
        git(self.p.site.clone, "checkout", "-q", "-B", "main", "origin/main")
        tip = self.p.site.push(files)
        self.seen = "main is at %s: " % tip[:7]
        return begin, mark


def first_round(s):
    """In the middle of it the forge says: not before two seconds."""
    told = []

    def limit(method, path, _):
        if method == "POST" and s.f.writes() >= MANY and (not told or time.monotonic() < told[0] + WAIT_S):
            told.append(time.monotonic())
            return 429, {"message": "slow down"}, {"Retry-After": str(WAIT_S)}
        return None
    s.f.refuse = limit
    begin = time.monotonic()
    s.run()
    good = until(lambda: sum(n for k, n in s.f.counts.items() if isinstance(k, tuple)) >= 3 * MANY, 240)
    note("first round: %d requests for %d pull requests in %.1f s, %s" % (s.f.mark(), MANY, time.monotonic() - begin, dict(s.f.asked())))
    check("every pull request has two statuses and a comment", good and s.planned() == set(s.heads), s.log())
    with s.f.lock:
        early = [x for x in s.f.log if told[0] < x[0] < told[0] + WAIT_S - 0.1 and x[3] != 429]
    check("429 in the middle: nothing at all is asked for as long as it says", len(told) == 1 and not early, told, early)
    s.f.refuse = lambda *_: None
    check("and nothing is written twice", not s.twice(), s.twice())
    check("what is read beside the list is one discussion each, and once more where a limit came between", MANY <= s.f.asked()["GET issues"] <= MANY + 1 and s.f.asked()["GET user"] == 1, s.f.asked())


def at_rest(s):
    s.f.etags = True
    until(lambda mark=s.f.mark(): len(s.looks(mark)) >= 2)
    mark = s.f.mark()
    until(lambda: len(s.looks(mark)) >= 5)
    with s.f.lock:
        log = s.f.log[mark:]
    asked = [x for x in log if s.looks(mark)[0] <= x[0] <= s.looks(mark)[4]]  # four looks, and the fifth's first page
    check("at rest a look is one request a page of 50, answered 304", len(asked) <= 4 * PAGES + 1 and {x[3] for x in log} == {304} and
          {x[1] for x in log} == {"GET"}, log)
    note("at rest: %d requests in %d looks" % (len(log), len(s.looks(mark))))


def settled(s, begin, again):
    """Main's move has been seen: so many of them are planned again, and the others were passed over, in one turn or in several."""
    def passed():
        return sum(int(n) for n in re.findall(re.escape(s.seen) + r"(\d+)", s.log()))
    return until(lambda: passed() == MANY - len(again) and s.planned(begin) == again, 240)


def main_moves(s):
    begin, mark = s.move({"envs/other/own.yaml": env_spec()})
    check("main moves in somebody's environments: all stay as they are", settled(s, begin, set()), s.log())
    check("and nothing is planned, read or written for it", not s.planned(begin) and set(s.f.asked(mark)) <= {"GET pulls", "GET commits"} and
          s.f.asked(mark)["GET commits"] <= 2, s.planned(begin), s.f.asked(mark))
    begin, mark = s.move({"envs/u1/other.yaml": env_spec()})
    check("in an owner's: theirs are planned again, and no other", settled(s, begin, those_of("u1")), s.planned(begin), s.log())
    check("and nothing is written where the plan is the same", not s.f.writes(mark), s.f.asked(mark))
    begin, mark = s.move({"envs/dana/other.yaml": env_spec()})
    check("in a team's: those of its people", settled(s, begin, those_of("bo")), s.planned(begin), s.log())
    # the move before is not what the next is compared with: what was passed over counts
    begin, mark = s.move({"envs/u2/other.yaml": env_spec(), "README.md": "another\n"})
    check("in what environments share: all", until(lambda: s.planned(begin) == set(s.heads), 240), s.planned(begin), s.log())
    check("still without a write", not s.f.writes(mark) and not s.twice(), s.f.asked(mark))
    begin, mark = s.move({"envs/u3/many4.yaml": env_spec("gpu-small")})
    check("the file that one of them changes: that one is behind", until(lambda: s.f.state(s.heads[4]) == "pending" and
          s.f.asked(mark)["PATCH issues"] == 1) and settled(s, begin, those_of("u3")) and s.f.writes(mark) == 2, s.log())


def one_push(s):
    number = min(those_of("u0"))
    mark = s.f.mark()
    git(s.p.site.clone, "fetch", "-q", s.p.site.bare, "refs/pull/%d/head" % number)
    git(s.p.site.clone, "checkout", "-q", "--detach", "FETCH_HEAD")
    s.p.site.write({"envs/u0/many%d.yaml" % number: env_spec("gpu-small")})
    sha = s.p.site.save("more")
    git(s.p.site.clone, "push", "-q", s.p.site.bare, "HEAD:refs/heads/more")
    s.heads[number] = s.p.head(number, sha)
    check("a push to one: its two statuses and its comment", until(lambda: s.f.state(sha) and s.f.asked(mark)["PATCH issues"] == 1), s.log())
    until(lambda more=s.f.mark(): len(s.looks(more)) >= 2)
    check("and no write more", s.f.writes(mark) == 3, s.f.asked(mark))


def hook_storm(s):
    c = http.client.HTTPConnection("127.0.0.1", s.port, timeout=60)
    mark, begin, codes = s.f.mark(), time.monotonic(), set()
    for n in range(1000):
        body = json.dumps({"ref": "refs/heads/main", "after": "%040x" % n, "commits": []}).encode()
        c.request("POST", "/hook/gitea", body, {"Content-Type": "application/json", "X-Gitea-Event": "push", "X-Gitea-Delivery": "d-%d" % n,
                                                "X-Gitea-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()})
        r = c.getresponse()
        r.read()
        codes.add(r.status)
    until(lambda: len(s.looks(mark)) >= 2)
    looks, took = s.looks(mark), time.monotonic() - begin
    note("1,000 hooks and %d looks in %.1f s, answered %s" % (len(looks), took, codes))
    check("1,000 hooks: one look a second", codes <= {202, 200, 204} and len(looks) <= took + 2 and
          all(b - a >= 0.95 for a, b in zip(looks, looks[1:])), codes, looks)
    check("and nothing is written", not s.f.writes(mark), s.f.asked(mark))


def again(s):
    check("it stops well", s.p.d.stop() == 0, s.log())
    mark = s.f.mark()
    s.run()
    until(lambda: len(s.looks(mark)) >= 3)
    check("started again it writes nothing", not s.f.writes(mark) and not s.planned(), s.f.asked(mark), s.log())
    check("it stops well once more", s.p.d.stop() == 0, s.log())


def main():
    s = Story()
    first_round(s)
    at_rest(s)
    main_moves(s)
    one_push(s)
    hook_storm(s)
    again(s)
    done()


main()

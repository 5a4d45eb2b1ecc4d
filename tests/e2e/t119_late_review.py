#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Reviews of a small forge that takes them after the merge, too, and what all of it costs: nothing is asked of what did not move, a push to main once or twice."""
from forge_small import Pulls
from lab import check, done, git, note, until
from signers import signed_site

MANY = 12


class Lab:
    def __init__(self):
        self.p = Pulls(site=signed_site("envs", mode="forge"))
        self.f, self.state = self.p.forge, self.p.site.state()

    def run(self):
        self.p.run("--trust-anchor", self.p.site.anchor, state=self.state)

    def log(self):
        return self.p.d.log()

    def looks(self, mark):
        return self.f.asked(mark)["GET pulls"]

    def text(self, number):
        return "".join(c["body"] for c in self.f.comments[number])

    def waits(self, env):
        return self.p.site.status().get(env, {}).get("pending", {}).get("reason") == "ApprovalMissing"

    def there(self, env):
        return self.p.site.show("berth/rendered", "envs/%s/statefulset-%s.yaml" % (env, env.split("/")[1]))

    def still(self):
        """Nothing but the list is asked for, over some looks: what is, then."""
        def quiet():
            mark = self.f.mark()
            until(lambda: self.looks(mark) >= 3)
            return set(self.f.asked(mark)) == {"GET pulls"} and not self.reads(mark)
        return until(quiet)

    def reads(self, mark):
        with self.f.lock:
            return [path for _, _, path, _ in self.f.log[mark:] if "/reviews" in path]


def rest(s, heads):
    check("all of them wait for a review", until(lambda: all(s.f.state(h) == "pending" for h in heads.values()), 120), s.log())
    check("then a look is the list and nothing else", s.still(), s.f.asked())
    with s.f.lock:
        asked = [path for _, _, path, _ in s.f.log if "/reviews" in path]
    note("%d questions after reviews of %d" % (len(asked), len(heads)))
    check("each was asked for its reviews once or twice", len(asked) <= 2 * len(heads), asked)
    mark = s.f.mark()
    s.f.review(3, "carol", heads[3])
    check("one is reviewed: its check is green", until(lambda: s.f.state(heads[3]) == "success"), s.log())
    check("and nothing else was asked for", s.still() and not [x for x in s.reads(mark) if "/pulls/3/" not in x], s.reads(mark))


def late(s, heads):
    s.p.merge(5, heads[5])
    check("merged unreviewed: it waits", until(lambda: s.waits("bo/lab5")), s.log())
    check("and says so", until(lambda: s.f.state(heads[5], "berth/apply") == "failure"), s.log())
    check("(it is not there)", not s.there("bo/lab5"))
    s.f.review(5, "mallory", heads[5])
    s.f.review(5, "carol", "0" * 40)
    mark = s.f.mark()
    check("reviews are asked for again", until(lambda: len(s.reads(mark)) >= 2), s.log())
    check("what does not count changes nothing", s.waits("bo/lab5"), s.log())
    push(s, {"berth.yaml": s.p.site.read("berth.yaml").replace("mode: forge", "mode: none")}, "nothing is asked for any more")
    check("who pushes that nothing is asked for waits as well", until(lambda: any("berth.yaml" in x for x in s.p.site.repo_status().get("findings", []))), s.log())
    mark = s.f.mark()
    until(lambda: s.looks(mark) >= 4)
    check("and no check is green by that", s.f.state(heads[6]) == "pending", s.log())
    s.f.review(5, "carol", heads[5])
    check("a review that comes late counts", until(lambda: s.there("bo/lab5")), s.log())
    check("the merge says it", until(lambda: s.f.state(heads[5], "berth/apply") == "success"), s.log())
    check("the comment, too", until(lambda: "### berth: applied" in s.text(5)), s.text(5))
    mark = s.f.mark()
    check("then nothing is asked any more", s.still() and not s.reads(mark)[2:], s.reads(mark))


def commits(s, mark, sha):
    with s.f.lock:
        return [path for _, _, path, _ in s.f.log[mark:] if "/commits/" + sha in path]


def push(s, files, why):
    git(s.p.site.clone, "fetch", "-q", s.p.site.bare, "main")
    git(s.p.site.clone, "checkout", "-q", "--detach", "FETCH_HEAD")
    s.p.site.write(files)
    sha = s.p.site.save(why)
    git(s.p.site.clone, "push", "-q", "origin", "HEAD:main")
    return sha


def pushed(s):
    """Past all pull requests: it waits, and is asked for no more than twice, whoever starts anew."""
    mark = s.f.mark()
    sha = push(s, {"envs/bo/pushed.yaml": "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n"}, "pushed")
    check("a push to main waits", until(lambda: s.waits("bo/pushed")), s.log())
    check("it is asked for twice", until(lambda: len(commits(s, mark, sha)) == 2), commits(s, mark, sha))
    check("(it stops)", s.p.d.stop() == 0, s.log())
    s.run()
    again = s.f.mark()
    until(lambda: s.looks(again) >= 4)
    check("and not again", len(commits(s, mark, sha)) == 2, commits(s, mark, sha))


def main():
    s = Lab()
    s.run()
    check("(everything at the anchor is rendered)", until(s.p.site.all_rendered), s.log())
    heads = s.p.open_many([{"envs/bo/lab%d.yaml" % n: "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n"} for n in range(1, MANY + 1)])
    for pull in s.f.pulls.values():
        pull["merge_base"] = s.p.site.anchor
    rest(s, heads)
    late(s, heads)
    pushed(s)
    check("it stops well", s.p.d.stop() == 0, s.log())
    done()


main()

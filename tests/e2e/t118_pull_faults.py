#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One pull request that cannot be had or written to holds up no other: a small forge of the test's own that can do what a real one does rarely."""
import time

from forge_small import Pulls
from lab import check, done, git, until


def main():
    p = Pulls().run()
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

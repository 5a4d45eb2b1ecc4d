#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`berth plan -o markdown`: what a check of a pull request shows. The same counts as the table, the text of its author as text, cut where forges cut."""
import re
import shutil
import subprocess

from lab import Site, berth, check, done, env_spec, git
from signers import commit, key, signed_site

MARK = re.compile(r"\A<!-- berth:plan v1 base=([0-9a-f]{40}|-) head=([0-9a-f]{40}|-) digest=([0-9a-f]{64}) -->\n")


def markdown(*args):
    said = berth("plan", "-C", site.clone, "-o", "markdown", *args)
    return said, MARK.match(said.out)


def html(text):
    return subprocess.run(["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink"], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout.decode()


site = Site("site")
main = git(site.clone, "rev-parse", "HEAD")
said, mark = markdown()
check("nothing changes, and it says so", said.rc == 0 and mark and mark.group(1) == main and mark.group(2) == "-" and
      "### berth plan: nothing changes\n" in said.out, said)

# -- a branch that makes, changes and deletes
git(site.clone, "checkout", "-q", "-b", "alice-bigger")
site.write({"envs/bo/new.yaml": env_spec("gpu-small"), "envs/alice/vit.yaml": site.read("envs/alice/vit.yaml").replace("gpu-small", "h100-shell"),
            "envs/alice/notebook.yaml": None})
site.save("bigger")
head = git(site.clone, "rev-parse", "HEAD")
said, mark = markdown("--commit", "HEAD", "--base", main)
check("the summary comes first", said.rc == 0 and mark and mark.groups()[:2] == (main, head) and
      "### berth plan: 1 to create, 2 to change, 1 to delete\n" in said.out.split("|")[0], said)
check("a row for each environment, with price and size before and after",
      re.search(r"\| <code>bo/new</code> \| create \| <code>gpu-small</code> \| 1 \|.* \| 387 \|", said.out) and
      re.search(r"\| <code>alice/vit</code> \| change, .*\*\*restarts\*\* \| <code>gpu-small</code> → <code>h100-shell</code> \|.*387 → 5037 \|", said.out) and
      re.search(r"\| <code>alice/notebook</code> \| delete, .* → 0 \|", said.out), said)
check("... and the limits that move", re.search(r"\| user <code>bo</code> \| gpu \| 0 \| 1 \| 8 \| 7 \|", said.out), said)
check("changed fields with both values, folded", re.search(r"<details><summary><code>envs/alice/vit</code>: change, \d+ objects?</summary>", said.out) and
      re.search(r"(?m)^-   spec\.template\.spec\..*\n\+   spec\.template\.spec\.", said.out), said)
check("with --exit-code it is 1", berth("plan", "-C", site.clone, "-o", "markdown", "--base", main, "--exit-code").rc == 1)

# -- main moves without a difference to this: the text, and its digest, stay
git(site.clone, "checkout", "-q", "main")
site.push({"docs/notes.md": "nothing that berth reads\n"}, "notes")
git(site.clone, "checkout", "-q", "alice-bigger")
git(site.clone, "rebase", "-q", "main")
moved, again = markdown("--commit", head, "--base", main)
check("the same plan twice is the same text", moved.out == said.out, moved)
old, new = (markdown("--base", b)[1] for b in (main, "main"))
check("on a moved main the mark names the new base, with the same digest", old and new and old.group(1) == main and new.group(1) != main and
      old.group(3) == new.group(3), old, new)

# -- not valid, and an author who wants to be more than text
site.write({"envs/bo/bad.yaml": "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  \"@dana <img src=x> | `` [a](https://e.example) <!-- berth:plan v1\": 1\n  flavor: cpu-small\n"})
said, mark = markdown("--base", "main")
check("a spec that is not valid: status 1, its place", said.rc == 1 and "1 not valid" in said.out and "envs/bo/bad.yaml:4:3: error[E102]" in said.out, said)
check("one mark, and no other comment", said.out.count("<!--") == 1 and mark, said)
if check("cmark-gfm is there", shutil.which("cmark-gfm")):
    made = html(said.out)
    check("no link, no image, no tag of theirs", "<a " not in made and "<img" not in made and "@dana" in re.sub(r"<[^>]*>", "", made) and
          "@dana" not in re.sub(r"(?s)<code.*?</code>", "", made), made)

# -- three hundred environments do not fit
site.write({"envs/bo/bad.yaml": None})
site.write({"envs/bo/n%03d.yaml" % i: env_spec() for i in range(300)})
said, mark = markdown("--base", "main")
check("cut below what GitHub takes, and how to see the rest", len(said.out.encode()) <= 60000 and mark and
      re.search(r"\*\*Cut\*\*: .*`berth plan --base [0-9a-f]{12}` shows all of it", said.out), said.out[-800:])
said = berth("plan", "-C", site.clone, "-o", "html")
check("another form: which there are", said.rc == 2 and "table, json, yaml or markdown" in said.err, said)

# -- where approvals are asked for: who is missing, and lines that can be typed
site = signed_site("signed")
git(site.clone, "checkout", "-q", "-b", "pr")
commit(site, "carol", {"envs/alice/vit.yaml": site.read("envs/alice/vit.yaml").replace("gpu-small", "gpu-large")}, push=False)
git(site.clone, "push", "-q", "origin", "pr")
git(site.clone, "checkout", "-q", "main")
site.push({"notes.md": "main moved on\n"}, "notes")  # what main did meanwhile is no part of the change
said, mark = markdown("--base", "main", "--commit", "pr")
needs = re.search(r"\*\*Still needed\*\*: (.*)\. Who may approve", said.out)
check("who must still approve: not the author, nobody is mentioned", needs and needs.group(1) == "1 more of dana, erin; alice is its owner; carol wrote it", said)
lines = re.search(r"(?s)```sh\n(.*?)```", said.out)
typed = lines.group(1).splitlines() if lines else []
check("the change is shown by git, and approved by name of its commits", len(typed) == 3 and typed[0] == "git fetch origin" and
      typed[1].startswith("git diff ") and typed[2].startswith("berth approve "), said)
if len(typed) == 3:
    shown = git(site.clone, *typed[1].split()[1:])
    check("git diff shows the change and nothing else", "gpu-large" in shown and "notes.md" not in shown, shown)
    told = berth("approve", "-C", site.clone, "--key", key("dana"), "--yes", "--anchor", site.anchor, *typed[2].split()[2:])
    check("and berth approve takes the line", told.rc == 0 and "approved by dana" in told.out and "changed envs/alice/vit.yaml" in told.err and "notes.md" not in told.err, told)
done()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""repositories.sh and dotfiles.sh beside a real git and a server on loopback: once, again, cut off, and a person's own work."""
import os
import shutil
import sys
import time

import lab
from lab import check
from pod import SHELLS, Pod, Web

if not shutil.which("git"):
    print("1..0 # SKIP git is not there: nothing was shown about repositories")
    sys.exit(0)

served = os.path.join(lab.folder, "served")
os.makedirs(served)


def publish(name, files, message="work", tag=None, branch="main"):
    """Commits to a repository that the web server serves (git's dumb protocol); gives the commit."""
    bare, work = os.path.join(served, name + ".git"), os.path.join(lab.folder, "work-" + name)
    if not os.path.exists(work):
        lab.git(lab.folder, "init", "-q", "--bare", "-b", "main", bare)
        lab.git(lab.folder, "clone", "-q", bare, work)
    lab.git(work, "checkout", "-q", "-B", branch)
    for path, text in files.items():
        full = os.path.join(work, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as f:
            f.write(text)
        if path.endswith(".sh"):
            os.chmod(full, 0o755)
    lab.git(work, "add", "-A")
    lab.git(work, "commit", "-q", "-m", message)
    if tag:
        lab.git(work, "tag", tag)
    lab.git(work, "push", "-q", "--tags", "origin", branch)
    lab.git(bare, "update-server-info")
    return lab.git(work, "rev-parse", "HEAD").strip()


first = publish("vit", {"a": "one\n", "big": os.urandom(200000).hex()}, tag="v1")
publish("vit", {"a": "two\n"})
publish("vit", {"a": "other\n"}, branch="feature/x")
lab.git(os.path.join(lab.folder, "work-vit"), "checkout", "-q", "main")
web = Web(served)
vit = web.url + "/vit.git"


def tops(pod, *path):
    return sorted(os.listdir(pod.path(*path)))


def branch(pod, name):
    return lab.git(pod.path(name), "symbolic-ref", "-q", "--short", "HEAD", ok=False)[1].decode().strip()


for shell in SHELLS:
    pod = Pod("clones-" + shell, shell)
    mine = pod.path("mine")
    os.makedirs(mine)
    with open(os.path.join(mine, "notes"), "w") as f:
        f.write("a person's\n")
    os.makedirs(pod.path("disk", "lost+found"))
    os.makedirs(pod.path("empty"))
    pod.write("repositories", (pod.path("vit"), vit, ""), (pod.path("tagged"), vit, "v1"), (pod.path("commit"), vit, first),
              (pod.path("deep/er/branch"), vit, "feature/x"), (mine, vit, ""), (pod.path("disk"), vit, "main"), (pod.path("empty"), vit, ""))
    pod.start()
    text = pod.until("repositories", "ready", "failed")
    check("%s: all are there" % shell, text == "ready: 7", text, pod.why())
    check("%s: HEAD, a tag, a commit, a branch" % shell,
          [pod.read(p, "a") for p in ("vit", "tagged", "commit", "deep/er/branch", "empty")] == ["two\n", "one\n", "one\n", "other\n", "two\n"] and
          [branch(pod, p) for p in ("vit", "tagged", "commit", "deep/er/branch")] == ["main", "", "", "feature/x"], pod.why())
    check("%s: a folder with something in it is left alone" % shell, tops(pod, "mine") == ["notes"])
    check("%s: into a volume, which cannot be renamed over" % shell, tops(pod, "disk") == [".git", "a", "big", "lost+found"] and branch(pod, "disk") == "main",
          tops(pod, "disk"), pod.why())
    check("%s: nothing is left over" % shell, not [n for n in tops(pod) if n.startswith(".berth-clone")], tops(pod))
    check("%s: a clone is clean" % shell, lab.git(pod.path("disk"), "status", "--porcelain").strip() in ("", "?? lost+found/"))
    with open(pod.path("vit", "a"), "w") as f:
        f.write("a person's work\n")
    check("%s: SIGTERM ends it" % shell, pod.stop(), pod.why())
    hits = len(web.hits)
    pod.start()
    text = pod.until("repositories", "ready", "failed")
    check("%s: a second start touches nothing" % shell, text == "ready: 7" and len(web.hits) == hits and pod.read("vit", "a") == "a person's work\n", text, pod.why())
    pod.write("repositories", (pod.path("vit"), vit, ""), (pod.path("more"), vit, ""), ("/proc/nowhere/x", vit, ""), (pod.path("last"), vit, ""))
    text = pod.until("repositories", "failed")
    check("%s: one more in the list reaches the running pod; one that cannot be is named and holds up nobody" % shell,
          text.startswith("failed: /proc/nowhere/x: see") and os.path.exists(pod.path("more", "a")) and os.path.exists(pod.path("last", "a")), text, pod.why())
    pod.stop()

# what cannot pass validation, in case it is there all the same
pod = Pod("data")
mark = pod.path("mark")
pod.write("repositories", (pod.path("a"), "ext::sh -c 'touch %s'" % mark, ""), (pod.path("b"), "--upload-pack=touch %s" % mark, ""),
          (pod.path("c"), vit, "--orphan"), (pod.path("d $(touch %s)" % mark), vit, ""), (pod.path("e"), served + "/vit.git", ""))
pod.start()
text = pod.until("repositories", "failed")
check("options, other protocols and shell text are data", text.startswith("failed:") and not os.path.exists(mark) and
      os.path.exists(os.path.join(pod.path("d $(touch %s)" % mark), "a")) and not os.path.exists(pod.path("e")) and not os.path.exists(pod.path("a")),
      text, pod.why())
pod.stop()

pod = Pod("private")
pod.write("repositories", (pod.path("x"), web.url + "/private.git", ""))
pod.start()
text = pod.until("repositories", "failed")
check("what asks for a password fails instead of waiting", "again in" in text, text, pod.why())
pod.write("repositories", (pod.path("x"), vit, ""))
check("the list mended, it is at rest", pod.until("repositories", "ready") == "ready: 1", pod.why())
pod.stop()

# cut off with half an object on the line, and half way on the way up into a volume
pod = Pod("killed")
os.makedirs(pod.path("disk", "lost+found"))
pod.write("repositories", (pod.path("vit"), vit, ""), (pod.path("disk"), vit, ""))
web.stall = "/objects/"
pod.start()
check("it is on its way", web.stalled.wait(lab.WAIT), pod.why())
pod.kill()
check("killed half way, nothing looks like a clone", not os.path.exists(pod.path("vit")), tops(pod))
web.stall = None
web.go_on.set()
pod.start()
text = pod.until("repositories", "ready", "failed")
check("the next start makes it whole", text == "ready: 2" and pod.read("vit", "a") == "two\n" and "missing" not in lab.git(pod.path("vit"), "fsck", "--full"), text, pod.why())
check("and leaves nothing over", not [n for n in tops(pod) if n.startswith(".berth-clone")], tops(pod))
pod.stop()
inner = pod.path("disk", ".berth-clone")
os.makedirs(inner)
for name in (".git", "big"):
    os.rename(pod.path("disk", name), os.path.join(inner, name))
open(os.path.join(inner, ".git", "berth-complete"), "w").close()
pod.start()
pod.until("repositories", "ready", "failed")
check("cut off on the way up, it goes on there", tops(pod, "disk") == [".git", "a", "big", "lost+found"] and
      lab.git(pod.path("disk"), "status", "--porcelain").strip() in ("", "?? lost+found/"), tops(pod, "disk"), pod.why())
pod.stop()

# -- dotfiles ------------------------------------------------------------------------------------------------------------
publish("dot", {"install.sh": "#!/bin/sh\necho run >>$HOME/runs\necho said\n", "setup": "touch $HOME/wrong\n"})
pod = Pod("dotfiles")
pod.write("dotfiles", (web.url + "/dot.git", "-", ""))
pod.start()
text = pod.until("dotfiles", "ready", "failed")
check("dotfiles are cloned and their script is run", text == "ready: install.sh was run" and pod.read("runs") == "run\n" and
      os.path.exists(pod.path(".dotfiles", ".git")) and not os.path.exists(pod.path("wrong")), text, pod.why())
check("what it says is in the log", "said" in pod.read(".berth", "dotfiles.log"))
pod.stop()
pod.start()
text = pod.until("dotfiles", "ready", "failed")
check("once for a commit", text == "ready: install.sh was run for this commit" and pod.read("runs") == "run\n", text, pod.why())
pod.stop()
publish("dot", {"install.sh": "#!/bin/sh\necho again >>$HOME/runs\nexit 3\n"})
pod.start()
text = pod.until("dotfiles", "ready", "failed")
check("a new commit is fetched and run; a script that fails is said", text.startswith("failed: install.sh ended with status 3: see ~/.berth/dotfiles.log") and
      pod.read("runs") == "run\nagain\n", text, pod.why())
time.sleep(3)
check("and not run in a circle", pod.read("runs") == "run\nagain\n")
pod.stop()
publish("dot", {"bin/go": "echo mine >>$HOME/runs\n"})
pod.write("dotfiles", (web.url + "/dot.git", "-", "bin/go"))
with open(pod.path(".dotfiles", "install.sh"), "a") as f:
    f.write("# a person's\n")
pod.start()
text = pod.until("dotfiles", "ready", "failed")
check("a script of one's choice; a person's changes stay", text == "ready: bin/go was run" and pod.read(".dotfiles", "install.sh").endswith("# a person's\n"), text, pod.why())
pod.stop()
pod = Pod("no-script", "busybox" if "busybox" in SHELLS else SHELLS[-1])
pod.write("dotfiles", (vit, "v1", ""))
pod.start()
text = pod.until("dotfiles", "ready", "failed")
check("dotfiles without a script", text == "ready: in ~/.dotfiles, which has no script to run", text, pod.why())
check("SIGTERM ends it", pod.stop(), pod.why())
web.close()
lab.done()

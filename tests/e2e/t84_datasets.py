#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""datasets.sh and checkpoints.sh: copies of a folder, cut off and gone on with; which checkpoints go. Buckets: t89_buckets.py."""
import os
import shutil
import subprocess
import time

import lab
from lab import check
from pod import DATA_NAMES, SCRIPTS, SHELLS, DataPod, Pod, data_row, fill, tree

for shell in SHELLS:
    pod = DataPod("claim-" + shell, shell)
    source = os.path.join(pod.sources, "small")
    fill(source)
    os.makedirs(os.path.join(source, "empty"))
    os.symlink("plain", os.path.join(source, "link"))
    wanted = tree(source)
    pod.write("datasets", data_row(pod, "small"), data_row(pod, "absent", "mmap"))
    pod.start()
    text = pod.until("datasets", "failed", "ready")
    check("%s: one that is not there is named and holds up nobody" % shell, text.startswith("failed: absent: see ~/.berth/datasets.log, again in"), text, pod.why())
    check("%s: a copy is the same, whatever the files are called" % shell, tree(pod.data("small")) == wanted, sorted(tree(pod.data("small"))), pod.why())
    check("%s: times too" % shell, all(int(os.stat(os.path.join(pod.data("small"), n)).st_mtime) == 1600000000 + i for i, n in enumerate(DATA_NAMES)))
    check("%s: it is marked, and nothing is left over" % shell, os.path.exists(os.path.join(pod.data("small"), ".berth-complete")) and
          not [n for n in os.listdir(pod.data("small")) if n in (".berth-part", ".berth-temp", ".berth-moving")], os.listdir(pod.data("small")))
    fill(os.path.join(pod.sources, "absent"))
    text = pod.until("datasets", "ready")
    check("%s: when it is there, it is taken, and read into memory" % shell, text == "ready: 2" and tree(pod.data("absent")) == tree(os.path.join(pod.sources, "absent")), text, pod.why())
    check("%s: nothing of a name was run" % shell, not os.path.exists(os.path.join(pod.home, "pwned")) and not os.path.exists(os.path.join(source, "pwned")))
    check("%s: SIGTERM ends it" % shell, pod.stop(), pod.why())
    before = {n: os.stat(os.path.join(pod.data("small"), n)).st_ctime_ns for n in DATA_NAMES}
    pod.start()
    text = pod.until("datasets", "ready")
    check("%s: a second start copies nothing" % shell, text == "ready: 2" and all(os.stat(os.path.join(pod.data("small"), n)).st_ctime_ns == t for n, t in before.items()), text, pod.why())
    pod.stop()

# killed while it copies: a pipe among the programs lets us stop it at a known place
pod = DataPod("killed")
source = os.path.join(pod.sources, "big")
fill(source, many=300)
wanted = tree(source)
slow = os.path.join(pod.top, "toolbox", "slow")
os.makedirs(slow)
with open(os.path.join(slow, "cp"), "w") as f:
    f.write('#!/bin/sh\nn=$(ls "%s/.berth-part/many/1" 2>/dev/null | wc -l)\n[ "$n" -lt 5 ] || sleep 60\nexec %s "$@"\n' % (pod.data("big"), shutil.which("cp")))
os.chmod(os.path.join(slow, "cp"), 0o755)
fast = pod.env["PATH"]
pod.env["PATH"] = slow + os.pathsep + fast
pod.write("datasets", data_row(pod, "big"))
pod.start()
part = os.path.join(pod.data("big"), ".berth-part")
lab.until(lambda: os.path.isdir(part + "/many/1") and len(os.listdir(part + "/many/1")) >= 5)
check("how far it is is said", pod.until("datasets", "copying big: ").startswith("copying big: "), pod.status("datasets"), pod.why())
check("nothing is to be seen before it is complete", tree(pod.data("big")) == {}, sorted(tree(pod.data("big"))))
pod.kill()
done_before = {p: os.stat(os.path.join(part, p)).st_ino for p in tree(part) if not p.endswith("/")}
victim = next(p for p in done_before if p.startswith("many/"))
with open(os.path.join(part, victim), "ab") as f:
    f.write(b"torn")
pod.env["PATH"] = fast
pod.start()
text = pod.until("datasets", "ready", "failed")
check("the next start makes it whole", text == "ready: 1" and tree(pod.data("big")) == wanted, text, pod.why())
same = [p for p, inode in done_before.items() if os.stat(os.path.join(pod.data("big"), p)).st_ino == inode]
check("what was there is not copied again, what differs is", len(same) == len(done_before) - 1 and victim not in same, len(same), len(done_before))
pod.stop()
os.unlink(os.path.join(pod.data("big"), ".berth-complete"))
open(os.path.join(pod.data("big"), ".berth-moving"), "w").close()
os.makedirs(part)
os.rename(os.path.join(pod.data("big"), "many"), os.path.join(part, "many"))
pod.start()
pod.until("datasets", "ready", "failed")
check("cut off while it is shown, it goes on there", tree(pod.data("big")) == wanted and not os.path.exists(part), pod.why())
pod.stop()

# -- checkpoints ---------------------------------------------------------------------------------------------------------
HOUR = 3600


def checkpoint(folder, name, age, inside=None):
    path = os.path.join(folder, name)
    when = time.time() - age
    if inside is None:
        open(path, "w").close()
    else:
        os.makedirs(path)
        open(os.path.join(path, "model"), "w").close()
        os.utime(os.path.join(path, "model"), (time.time() - inside,) * 2)
    os.utime(path, (when, when))


for shell in SHELLS:
    pod = Pod("checkpoints-" + shell, shell)
    folder = os.path.join(pod.top, "check points")
    os.makedirs(folder)
    for i in range(6):
        checkpoint(folder, "step_%d" % (i * 100), (10 - i) * HOUR, (10 - i) * HOUR)
    checkpoint(folder, "checkpoint 1.pt", 20 * HOUR)
    checkpoint(folder, "ckpt-writing-2", 30 * HOUR, 60)  # old, but somebody writes inside
    checkpoint(folder, "epoch9-linked", 40 * HOUR, 40 * HOUR)
    for name in ("best", "last.ckpt", "checkpoint_final", "model_7", "data-step_3"):
        checkpoint(folder, name, 50 * HOUR)
    os.symlink("epoch9-linked", os.path.join(folder, "latest"))
    os.makedirs(os.path.join(pod.top, "outside"))
    checkpoint(os.path.join(pod.top, "outside"), "step_1", 50 * HOUR)
    os.symlink(os.path.join(pod.top, "outside"), os.path.join(folder, "step_link_1"))
    everything = sorted(os.listdir(folder))

    def clean(**more):
        return subprocess.run([pod.sh, os.path.join(SCRIPTS, "checkpoints.sh")], env={**pod.env, **more}, capture_output=True, text=True)

    os.makedirs(pod.path(".berth"))
    os.makedirs(pod.run)
    pod.write("checkpoints", ("3", folder))
    clean(NODE_RANK="1")
    check("%s: other nodes leave them alone" % shell, sorted(os.listdir(folder)) == everything)
    said = clean()
    gone = sorted(set(everything) - set(os.listdir(folder)))
    check("%s: the newest three stay, older ones go, what is fresh, linked or called otherwise stays" % shell,
          gone == ["checkpoint 1.pt", "step_0", "step_100", "step_200"], gone, said.stdout + said.stderr)
    check("%s: a link is not followed" % shell, os.path.exists(os.path.join(pod.top, "outside", "step_1")))
    check("%s: it is said" % shell, pod.status("checkpoints") == "keeping the newest 3 in " + folder and "step_0" in pod.read(".berth", "checkpoints.log"), pod.status("checkpoints"))
    pod.write("checkpoints", ("0", folder))
    clean()
    check("%s: never all of them" % shell, os.path.exists(os.path.join(folder, "step_500")))
lab.done()

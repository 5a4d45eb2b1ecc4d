#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same files give the same bytes: whatever the locale, the time zone, the order on disk, the folder, the copy of the templates."""
import os
import shutil

import lab
from lab import TOP, berth, check, done, git

EXAMPLES = os.path.join(TOP, "examples")


def copy(to, reverse):
    """Files made in this or the other order, so that the folder lists them differently."""
    paths = sorted(os.path.relpath(os.path.join(w, n), EXAMPLES) for w, _, names in os.walk(EXAMPLES) for n in names)
    for p in reversed(paths) if reverse else paths:
        os.makedirs(os.path.join(to, os.path.dirname(p)), exist_ok=True)
        shutil.copyfile(os.path.join(EXAMPLES, p), os.path.join(to, p))


share = os.path.join(lab.folder, "share")
for part in ("schema", "templates", "envs-repo-template"):
    shutil.copytree(os.path.join(TOP, part), os.path.join(share, part))
forward, backward = os.path.join(lab.folder, "a"), os.path.join(lab.folder, "some where else")
copy(forward, False)
copy(backward, True)
git(lab.folder, "init", "-q", "-b", "main", forward)
git(forward, "add", "-A")
git(forward, "commit", "-qm", "all")
want = berth("render", "-C", EXAMPLES)
check("the examples render", want.rc == 0 and want.out.count("\n---\n") > 50, want)
for name, args, env in (("once more", ["-C", EXAMPLES], {}), ("in another folder", ["-C", forward], {}), ("in another order on disk", ["-C", backward], {}),
                        ("from a commit", ["-C", forward, "--commit", "HEAD"], {}), ("in the plain locale", ["-C", EXAMPLES], {"LC_ALL": "C", "LANG": "C"}),
                        ("in a locale with a decimal comma", ["-C", EXAMPLES], {"LC_ALL": "de_DE.UTF-8"}),
                        ("in a locale with another i", ["-C", EXAMPLES], {"LC_ALL": "tr_TR.UTF-8"}), ("elsewhere on earth", ["-C", EXAMPLES], {"TZ": "Asia/Seoul"}),
                        ("with a copy of the built-in files", ["-C", EXAMPLES], {"BERTH_SHARE": share})):
    got = berth("render", *args, env=env)
    check(name, got.rc == 0 and got.out == want.out, got.err)
alone = [berth("render", "-C", EXAMPLES, x) for x in ("alice/notebook", "dana/llm-ft")]
check("an environment alone gives what it gives among others", all(x.rc == 0 and x.out and x.out in want.out for x in alone), *alone)
done()

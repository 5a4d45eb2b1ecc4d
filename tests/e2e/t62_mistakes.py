#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tests/cases/mistakes: what a person wrote (in/, laid over the template) and what berth says of it (want/report.txt).

docs/mistakes.md is made of the same cases. UPDATE=1 rewrites reports and page.
"""
import os
import re
import shutil

from lab import TOP, berth, check, done, folder

CASES = os.path.join(TOP, "tests/cases/mistakes")
PAGE = os.path.join(TOP, "docs/mistakes.md")
UPDATE = os.environ.get("UPDATE")
HEAD = """# Typical mistakes
What a person wrote and what `berth validate` says of it, in the repository that `berth init` makes. Made by the tests from `tests/cases/mistakes/`
(`UPDATE=1 make test T=tests/e2e/t62_mistakes.py`). [findings.md](findings.md) lists every code.
"""


def read(path):
    with open(path) as f:
        return f.read()


def keep(path, text):
    if UPDATE:
        with open(path, "w") as f:
            f.write(text)
    return os.path.exists(path) and read(path) == text


def section(number, case, report):
    text = "\n## %d. %s\n" % (number, read(os.path.join(case, "title.txt")).strip())
    for where, _, names in sorted(os.walk(os.path.join(case, "in"))):
        for name in sorted(names):
            path = os.path.join(where, name)
            text += "`%s`\n```yaml\n%s```\n" % (os.path.relpath(path, os.path.join(case, "in")), read(path))
    return text + "```text\n%s```\n" % report


page, codes = HEAD, set()
names = sorted(os.listdir(CASES))
check("sixteen of them", len(names) == 16, names)
for i, name in enumerate(names, 1):
    case = os.path.join(CASES, name)
    site = os.path.join(folder, name)
    shutil.copytree(os.path.join(TOP, "envs-repo-template"), site, ignore=shutil.ignore_patterns(".gith*", ".gitl*", ".gitea", ".pre-commit*"))
    shutil.copytree(os.path.join(case, "in"), site, dirs_exist_ok=True)
    said = berth("validate", "-C", site)
    report = re.sub(r" \(\d+ ms\)\n\Z", "\n", said.out)
    found = set(re.findall(r"^(?:error|warning)\[([EW]\d{3})\]", report, re.M))
    codes |= found
    check("%s is found" % name, said.rc == 1 and found, said)
    check("%s: the report as it was (UPDATE=1 rewrites it)" % name, keep(os.path.join(case, "want/report.txt"), report), report)
    check("%s: place, help and the way on" % name, " --> " in report and "= help: " in report and
          "`berth explain" in said.err, said)
    page += section(i, case, report)
check("docs/mistakes.md is made of them (UPDATE=1 rewrites it)", keep(PAGE, page))
check("codes of all groups but the repository's", {c[:2] for c in codes} >= {"E1", "E2", "E3", "E4"} and len(codes) >= 10, codes)
done()

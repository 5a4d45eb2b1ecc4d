#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""berth validate --format: what forges read, checked against what they ask for."""
import os
import re
import shutil

from lab import TOP, berth, check, done, folder

BROKEN = os.path.join(TOP, "tests/cases/validate/typos/in")
GOOD = os.path.join(TOP, "envs-repo-template")


def validate(*args, where=BROKEN, env=None):
    return berth("validate", "-C", where, *args, env=env)


want = validate("-o", "json").json()
check("there are findings", len(want) > 3, want)
text = validate().out.rsplit("\n", 2)[0]
check("--format text is the default", validate("--format", "text").out.rsplit("\n", 2)[0] == text)
for form in ("json", "yaml"):
    check("--format %s is -o %s" % (form, form), validate("--format", form).out == validate("-o", form).out)
check("--format wins over -o", validate("-o", "yaml", "--format", "json").json() == want)
check("from the environment too", validate(env={"BERTH_FORMAT": "json"}).json() == want)
said = validate("--format", "xml")
check("another format is a usage error", said.rc == 2 and "sarif" in said.err and not said.out, said)
for form in ("text", "json", "yaml", "github", "gitlab", "sarif"):
    check("%s: 1 with errors, 0 without" % form, validate("--format", form).rc == 1 and validate("--format", form, where=GOOD).rc == 0)

# -- github ------------------------------------------------------------------------------------------------------
said = validate("--format", "github")
lines = said.out.splitlines()
LINE = re.compile(r"::(error|warning) file=([^,:\r\n]+)(?:,line=(\d+))?(?:,col=(\d+),endColumn=(\d+))?,title=([EW]\d{3})::(.+)")
found = [LINE.fullmatch(x) for x in lines]
check("github: a command a finding", len(found) == len(want) and all(found), lines)
check("github: errors first", [m[1] for m in found] == sorted(m[1] for m in found))
check("github: places", sorted((m[2], int(m[3] or 0), m[6]) for m in found) == sorted((w["file"], w["line"], w["code"]) for w in want))
check("github: the whole text on stderr", text in said.err, said.err)
check("github: nothing when all is well", validate("--format", "github", where=GOOD).out == "")

# -- gitlab ------------------------------------------------------------------------------------------------------
report = validate("--format", "gitlab").json()
check("gitlab: an issue a finding", [(x["location"]["path"], x["check_name"]) for x in report] == [(w["file"], w["code"]) for w in want])
check("gitlab: fields as it wants them", all(
    set(x) == {"description", "check_name", "fingerprint", "severity", "location"} and x["description"] and
    x["severity"] in ("info", "minor", "major", "critical", "blocker") and x["location"]["lines"]["begin"] >= 1 and
    not x["location"]["path"].startswith("./") for x in report), report)
prints = [x["fingerprint"] for x in report]
check("gitlab: no fingerprint twice", len(set(prints)) == len(prints) and all(re.fullmatch("[0-9a-f]{64}", p) for p in prints))
check("gitlab: an empty list when all is well", validate("--format", "gitlab", where=GOOD).json() == [])

# -- sarif -------------------------------------------------------------------------------------------------------
log = validate("--format", "sarif").json()
run = log["runs"][0]
rules = run["tool"]["driver"]["rules"]
check("sarif: version and schema", log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json") and len(log["runs"]) == 1)
check("sarif: a rule for each code", len({r["id"] for r in rules}) == len(rules) and
      [r["id"] for r in rules] == [x.split()[0] for x in berth("explain").out.splitlines()])
check("sarif: rules explain themselves", all(r["shortDescription"]["text"] and r["fullDescription"]["text"] and r["help"]["text"] and
                                             r["defaultConfiguration"]["level"] in ("error", "warning") for r in rules))
check("sarif: results point at their rules", all(rules[x["ruleIndex"]]["id"] == x["ruleId"] for x in run["results"]))
check("sarif: results are the findings", [(x["ruleId"], x["level"]) for x in run["results"]] == [(w["code"], w["severity"]) for w in want])
places = [x["locations"][0]["physicalLocation"] for x in run["results"]]
check("sarif: regions", [(p["artifactLocation"]["uri"], p.get("region", {}).get("startLine", 0)) for p in places] ==
      [(w["file"], w["line"]) for w in want])
check("sarif: a region is not empty", all(p["region"]["endColumn"] > p["region"]["startColumn"] >= 1 for p in places if "region" in p))

# -- a stranger's text in a job's log ----------------------------------------------------------------------------
hostile = os.path.join(folder, "hostile")
shutil.copytree(GOOD, hostile)
with open(os.path.join(hostile, "envs/bo/evil.yaml"), "w") as f:
    f.write("apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n  ::stop-commands::x: 1 # ##[add-mask]a\n")
said = validate("--format", "github", where=hostile)
both = (said.out + said.err).splitlines()
check("github: text of a file is no command", said.rc == 1 and
      not [x for x in both if x.lstrip().startswith("::") and not LINE.fullmatch(x)] and "##[" not in said.err, both)
done()

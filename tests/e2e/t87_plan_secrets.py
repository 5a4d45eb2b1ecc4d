#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a person sees of sealed secrets before the merge: validate, plan, render and explain, with files that Debian's age and the verbs of berth
make. Nothing here has the key, and nothing shows a value, sealed text or a digest."""
import os
import re
import shutil
import subprocess

import lab
from lab import Site, berth, check, done, git

KEY = os.path.join(lab.folder, "key")
said = berth("keygen", "-o", KEY)
signer = re.search(r"ssh-ed25519 [A-Za-z0-9+/]+", said.out)
check("keygen says what goes into berth.yaml", said.rc == 0 and signer, said)
site = Site("site")
org = site.read("berth.yaml").rstrip("\n") + "\n  secrets: {signer: \"%s\", generation: 2}\n" % signer.group(0)
ENV = "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n  secrets:\n  - {name: wandb, file: secrets/wandb.age, variable: WANDB_API_KEY}\n" \
      "  - {name: deploy, file: secrets/deploy.age, as: ssh}\n"
VALUE = "canary-" + os.urandom(8).hex()


def recipient(*where):
    said = berth("recipients", "--key", KEY, "-C", site.clone, *where, cwd=site.clone)
    found = re.search(r"age1[0-9a-z]{58}", said.out)
    return found.group(0) if found else said


def sealed(text, to):
    """By Debian's age, where it is there."""
    if not shutil.which("age"):
        return None
    return subprocess.run(["age", "-a", "-r", to], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout


site.write({"berth.yaml": org})
to = recipient("alice")
check("the recipient of alice is computed from the key", isinstance(to, str) and to.startswith("age1"), to)
if not isinstance(to, str) or not shutil.which("age"):
    print("# SKIP NOT TESTED: there is no age")
    done()
    raise SystemExit(0)
site.push({"envs/alice/notebook.yaml": ENV, "envs/alice/secrets/wandb.age": sealed(VALUE, to), "envs/alice/secrets/deploy.age": sealed(VALUE, to)})
said = berth("validate", "-C", site.clone)
check("it is valid without a key", said.rc == 0, said)
said = berth("plan", "-C", site.clone)
check("as it is, nothing changes", said.rc == 0 and "0 to create, 0 to change" in said.out, said)

site.write({"envs/alice/secrets/wandb.age": sealed(VALUE, to)})
said = berth("plan", "-C", site.clone)
check("plan says which secret is another, and what that may do", "Secret/notebook--secret-wandb: data.WANDB_API_KEY\n" in said.out and
      "the secret wandb is another (envs/alice/secrets/wandb.age): restarts the pods, unless it is the same value sealed anew" in said.out, said)
data = berth("plan", "-C", site.clone, "-o", "json")
check("as data too", '"sealed": "envs/alice/secrets/wandb.age"' in data.out or '"sealed":"envs/alice/secrets/wandb.age"' in data.out, data)
md = berth("plan", "-C", site.clone, "-o", "markdown")
check("and the comment of a pull request: another value, without its digests",
      "!   data.WANDB_API_KEY: another value, sealed (envs/alice/secrets/wandb.age)\n" in md.out and re.search(r"annotations\.\S+: another digest\n", md.out), md)
git(site.clone, "checkout", "-q", "--", ".")
site.write({"envs/alice/secrets/deploy.age": sealed(VALUE, to)})
ssh = berth("plan", "-C", site.clone)
check("a key for ssh restarts nobody", "the secret deploy is another (envs/alice/secrets/deploy.age)\n" in ssh.out and "RESTARTS" not in ssh.out and
      "(0 with a restart)" in ssh.out, ssh)
git(site.clone, "checkout", "-q", "--", ".")
site.write({"berth.yaml": org.replace("generation: 2", "generation: 3")})
rotated = berth("plan", "-C", site.clone)
check("a new generation changes nothing that runs", rotated.rc == 0 and "0 to create, 0 to change" in rotated.out, rotated)
git(site.clone, "checkout", "-q", "--", ".")

text = berth("render", "-C", site.clone, "alice/notebook")
check("render shows where it is from, as no API server takes it", 'WANDB_API_KEY: "<sealed: envs/alice/secrets/wandb.age>"' in text.out, text)
out = os.path.join(lab.folder, "out")
berth("render", "-C", site.clone, "--out", out)
everything = "".join(x.out + x.err for x in (said, data, md, ssh, rotated, text, berth("render", "-C", site.clone, "-o", "json")))
for where, _, names in os.walk(out):
    for n in names:
        with open(os.path.join(where, n)) as f:
            everything += f.read()
check("no sealed text and no digest is shown", "AGE ENCRYPTED" not in everything and VALUE not in everything and not re.search(r"\b[0-9a-f]{32}\b", everything),
      re.findall(r".*\b[0-9a-f]{32}\b.*", everything)[:3])
said = berth("explain", "spec.secrets[].variable")
check("explain knows the field", said.rc == 0 and "upper case" in said.out, said)

# -- what must not be merged, said where it stands
site.write({"envs/alice/secrets/wandb.age": VALUE + "\n"})
said = berth("validate", "-C", site.clone)
check("plain text is an error that does not repeat it", said.rc == 1 and "error[E309]" in said.out and VALUE not in said.out + said.err, said)
for form in ("json", "github", "gitlab", "sarif"):
    told = berth("validate", "-C", site.clone, "--format", form)
    check("as %s too" % form, VALUE not in told.out + told.err and "E309" in told.out, told)
git(site.clone, "checkout", "-q", "--", ".")
site.write({"envs/bo/mine.yaml": "apiVersion: berth.dev/v1\nkind: Environment\nspec:\n  flavor: cpu-small\n  secrets: [{name: a, file: ../alice/secrets/wandb.age}]\n"})
said = berth("validate", "-C", site.clone)
check("somebody else's folder is out of reach", said.rc == 1 and "leaves the owner's folder" in said.out, said)
done()

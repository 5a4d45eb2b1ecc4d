# SPDX-License-Identifier: Apache-2.0
"""A repository that asks for signed approvals, and people with keys: carol, dana and erin are admins, alice and bo are not."""
import os
import re
import subprocess

from lab import ENV, Site, folder, git

ADMINS = ("carol", "dana", "erin")
PEOPLE = ADMINS + ("alice", "bo", "mallory")
USER = "apiVersion: berth.dev/v1\nkind: User\nspec:\n  uid: u-%s\n  email: %s@example.com\n  role: admin\n  teams: []\n"


def key(who):
    """The private key's file; made at the first call. mallory2 is another key of mallory."""
    path = os.path.join(folder, "keys", who)
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", path], check=True, env=ENV)
    return path


def public(who):
    key(who)
    with open(key(who) + ".pub", encoding="ascii") as f:
        return " ".join(f.read().split()[:2])


def signer(who, principal=None):
    return '%s namespaces="git,approval@berth" %s\n' % (principal or re.sub(r"\d", "", who) + "@example.com", public(who))


def signed_site(name, files=None, mode="signed"):
    """Its first commit is the trust anchor: site.anchor."""
    site = Site(name)
    org = site.read("berth.yaml").replace("approvals: {mode: none}", "approvals: {mode: %s, required: 1, admins: [%s]}" % (mode, ", ".join(ADMINS)))
    everything = {"users/%s.yaml" % who: USER % (who, who) for who in PEOPLE if who not in ("alice", "bo", "dana")}
    everything["berth.yaml"] = org
    everything["approvers/allowed_signers"] = "".join(signer(w) for w in ADMINS + ("alice",))
    everything.update(files or {})
    site.anchor = site.push(everything, "approvals")
    return site


def author(who):
    return {"GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": who + "@example.com"}


def commit(site, who, files, sign=None, message="change", push=True):
    """A commit of who's on the branch that the clone stands on; signed by somebody's key."""
    site.write(files)
    git(site.clone, "add", "-A")
    more = ["-c", "gpg.format=ssh", "-c", "user.signingkey=" + key(sign)] if sign else []
    git(site.clone, *more, "commit", "-q", "--allow-empty", *(["-S"] if sign else []), "-m", message, env=author(who))
    if push:
        git(site.clone, "push", "-q", "origin", "HEAD:main")
    return git(site.clone, "rev-parse", "HEAD")


def merge(site, branch, who, sign=None):
    more = ["-c", "gpg.format=ssh", "-c", "user.signingkey=" + key(sign)] if sign else []
    git(site.clone, *more, "merge", "-q", "--no-ff", *(["-S"] if sign else []), "-m", "merge " + branch, branch, env=author(who))
    git(site.clone, "push", "-q", "origin", "HEAD:main")

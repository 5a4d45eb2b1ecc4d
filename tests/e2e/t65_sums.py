#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits on what several hold together: the later commit waits, and goes on by itself when there is room."""
from lab import STATUS, WAIT, Daemon, Site, berth, check, done, env_spec, git, once, until, user_spec

# two users of one team, whose quota for gpu-small is two GPUs; flavor gpu-small has one
TEAM = "apiVersion: berth.dev/v1\nkind: Team\nspec:\n  admins: [erin]\n  queue:\n    quota:\n      gpu-small: {gpu: %d}\n"
GPU, PAUSED = env_spec("gpu-small"), env_spec("gpu-small", "  lifecycle: {paused: true}\n")


def member(n):
    return user_spec(n).replace("teams: []", "teams: [vision]")


site = Site("sums", files={"teams/vision.yaml": TEAM % 2, "users/erin.yaml": member(1), "users/frank.yaml": member(2),
                           "envs/erin/one.yaml": env_spec()}, drop=("envs", "users"))
state = site.state()
daemon = Daemon(site.bare, state)


def env(name):
    return site.status().get(name, {})


def phase(name):
    """"Rendered", "Rendered QuotaExceeded", "Held QuotaExceeded", or None."""
    doc = env(name)
    return doc and " ".join(filter(None, (doc["phase"], doc.get("pending", {}).get("reason")))) or None


def becomes(name, want):
    return until(lambda: phase(name) == want, 2 * WAIT)


def there(name):
    return any(n.startswith("envs/%s/statefulset" % name) for n in site.names("berth/rendered"))


def gpus(name):
    return env(name).get("use", {}).get("gpu", 0)


def log():
    return site.status(), daemon.log()


check("set up", becomes("erin/one", "Rendered"), *log())

# -- two commits, both orders ----------------------------------------------------------------------------------------
site.push({"envs/frank/a.yaml": GPU}, "frank/a")
check("the first of three fits", becomes("frank/a", "Rendered") and gpus("frank/a") == 1, *log())
site.push({"envs/erin/z.yaml": GPU}, "erin/z")
check("the second too", becomes("erin/z", "Rendered"), *log())
base = git(site.clone, "rev-parse", "HEAD")
site.push({"envs/erin/b.yaml": GPU}, "erin/b")
check("the third waits, though its path comes first", becomes("erin/b", "Held QuotaExceeded") and not there("erin/b"), *log())
pending = env("erin/b").get("pending", {})
check("... and says how much it would be, and where the limit is set",
      pending.get("message") == "team 'vision' would hold 3 of 2 gpu of flavor 'gpu-small'; limit set at teams/vision.yaml:7:24", pending)
said = berth("validate", "-C", site.clone, "--changed", base + "..HEAD", "-o", "json")
check("validate --changed says the same before the merge", said.rc == 1 and [(f["file"], f["code"]) for f in said.json()] ==
      [("envs/erin/b.yaml", "E401")] and "team 'vision' would hold 3 of 2 gpu of flavor 'gpu-small'" in said.json()[0]["message"] and
      "limit set at teams/vision.yaml:7:24" in said.json()[0]["note"], said)
git(site.clone, "fetch", "-q", "origin")
said = berth("plan", "-C", site.clone, "--base", base)
check("berth plan too: it waits, and nothing is made", said.rc == 0 and ". envs/erin/b " in said.out and "QuotaExceeded: team 'vision' would hold 3 of 2 gpu "
      "of flavor 'gpu-small'; limit set at teams/vision.yaml:7:24" in said.out and "StatefulSet/b" not in said.out and "1 WAITING" in said.out, said)
said = berth("plan", "-C", site.clone, "--base", "HEAD", "-o", "json")
check("... and still does as long as nobody makes room", [u["action"] for u in said.json()] == ["waits"], said)
site.write({"envs/frank/a.yaml": PAUSED})
said = berth("plan", "-C", site.clone, "--base", "HEAD", "-o", "json")
check("... which a pause of another one would be", {u["unit"]: u["action"] for u in said.json() if u["unit"].startswith("envs/")} ==
      {"envs/erin/b": "create", "envs/frank/a": "change"}, said)
site.write({"envs/frank/a.yaml": GPU})
site.push({"envs/frank/c.yaml": GPU}, "frank/c")
check("so does the fourth", becomes("frank/c", "Held QuotaExceeded"), *log())
site.push({"envs/erin/d.yaml": env_spec()}, "erin/d")
check("another flavor is another sum", becomes("erin/d", "Rendered"), *log())

# -- room -------------------------------------------------------------------------------------------------------------
site.push({"envs/frank/a.yaml": PAUSED}, "pause")
check("pausing makes room for the one that waits longest, of whatever owner", becomes("erin/b", "Rendered") and there("erin/b"), *log())
check("... and for that one alone", phase("frank/c") == "Held QuotaExceeded" and not there("frank/c") and gpus("frank/a") == 0, *log())
site.push({"envs/frank/a.yaml": GPU}, "resume")
check("resuming is refused while others have the place", becomes("frank/a", "Rendered QuotaExceeded"), *log())
check("... and what is live stays paused", "replicas: 0" in (site.show("berth/rendered", "envs/frank/a/statefulset-a.yaml") or ""), *log())
since = env("frank/c").get("pending", {}).get("since")

# -- a restart in between ----------------------------------------------------------------------------------------------
check("the daemon ends", daemon.stop() == 0, daemon.log())
before = site.tip("berth/rendered")
daemon = Daemon(site.bare, state)
check("after a restart nothing has moved", until(lambda: "0 looked at" in daemon.log() or "waiting" in daemon.log()) and
      site.tip("berth/rendered") == before, *log())
check("... and the same wait", phase("erin/b") == "Rendered" and phase("frank/a") == "Rendered QuotaExceeded" and
      phase("frank/c") == "Held QuotaExceeded" and env("frank/c")["pending"]["since"] == since, *log())
site.push({"envs/erin/z.yaml": None}, "delete")
check("a deletion makes room: for who came first, also after the restart", becomes("frank/c", "Rendered"), *log())
check("... the other still waits", phase("frank/a") == "Rendered QuotaExceeded" and "erin/z" not in site.status(), *log())
site.push({"teams/vision.yaml": TEAM % 3}, "more")
check("so does a larger quota", becomes("frank/a", "Rendered") and gpus("frank/a") == 1, *log())
less = site.push({"teams/vision.yaml": TEAM % 1}, "less")
check("a smaller one takes nothing from what is live", until(lambda: "%.12s: " % less in daemon.log()) and
      all(phase(n) == "Rendered" for n in ("erin/b", "frank/a", "frank/c")), *log())
site.push({"envs/erin/b.yaml": env_spec("gpu-small", "  env: {A: b}\n")}, "no more than before")
check("... nor from a change that asks for no more", until(lambda: "name: A" in (site.show("berth/rendered", "envs/erin/b/statefulset-b.yaml") or "")) and
      phase("erin/b") == "Rendered", *log())

# -- what is live counts, also behind a broken spec; a push of several commits keeps their order ------------------------------
site.push({"teams/vision.yaml": TEAM % 4, "envs/erin/b.yaml": env_spec("gpu-smal")}, "broken")
check("a broken spec", becomes("erin/b", "Rendered Invalid"), *log())
check("the daemon ends again", daemon.stop() == 0, daemon.log())
site.write({"envs/frank/y.yaml": GPU})
site.save("frank/y")
site.write({"envs/erin/x.yaml": GPU})
site.save("erin/x")
git(site.clone, "push", "-q", "origin", "HEAD:main")
said = once(site.bare, state)
check("two commits in one push: the older one is let through", phase("frank/y") == "Rendered" and
      phase("erin/x") == "Held QuotaExceeded", said, site.status())
check("... and what is live behind a broken spec keeps its place", "would hold 5 of 4 gpu" in env("erin/x").get("pending", {}).get("message", ""),
      env("erin/x").get("pending"), env("frank/y").get("use"), said)
tips = site.tip("berth/rendered"), site.tip(STATUS)
check("a pass with nothing new writes nothing", "0 created, 0 changed" in once(site.bare, state).err and
      tips == (site.tip("berth/rendered"), site.tip(STATUS)), site.status())
said = berth("status", "-C", site.bare)
check("`berth status` names it", "erin/x" in said.out and "QuotaExceeded" in said.out, said)
done()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What must be remembered, and what must be forgotten: accepted rewinds, environments that never went live, pauses, history."""
from lab import RENDERED, STATUS, Daemon, Site, berth, check, done, env_spec, git, once, until


def trailers(site, branch):
    return git(site.bare, "log", "-1", "--format=%B", branch)


def an_accepted_rewind_lasts():
    site = Site("rewound")
    state = site.state()
    check("the start", once(site.bare, state).rc == 0)
    site.push({"envs/alice/notebook.yaml": env_spec("gpu-small")}, "the last change of a manifest")
    check("applied", once(site.bare, state).rc == 0)
    git(site.clone, "commit", "-q", "--amend", "-m", "the same in other words")
    git(site.clone, "push", "-q", "--force", "origin", "main")
    new = git(site.clone, "rev-parse", "HEAD")
    check("the rewrite is refused", once(site.bare, state).rc == 4)
    said = once(site.bare, state, "--accept-rewind", new)
    check("accepted although no manifest differs", said.rc == 0, said)
    check("the rendered branch remembers it", "Berth-Source-Commit: " + new in trailers(site, RENDERED), trailers(site, RENDERED))
    said = once(site.bare, state)
    check("and it is not asked again", said.rc == 0, said)
    said = once(site.bare, site.state())
    check("nor by a berth without that memory", said.rc == 0, said)
    rendered = site.tip(RENDERED)
    check("nor is it written again", once(site.bare, state, "--accept-rewind", new).rc == 0 and site.tip(RENDERED) == rendered)


def a_bad_one_that_goes_is_forgotten():
    site = Site("forgotten")
    daemon = Daemon(site.bare, site.state())
    check("all is rendered", until(site.all_rendered), daemon.log())
    site.push({"envs/bo/oops.yaml": "apiVersion: berth.dev/v1\nkind: Environment\nspec: {flavour: x}\n"}, "a bad one")
    check("held", until(lambda: site.phases().get("bo/oops") == "Held"), site.phases())
    site.push({"envs/bo/oops.yaml": None}, "and away again")
    check("its status goes with it", until(lambda: "bo/oops" not in site.phases()), site.phases())
    check("and git log says so", "bo/oops Held Invalid..Gone" in trailers(site, STATUS) or
          "bo/oops Held..Gone" in trailers(site, STATUS), trailers(site, STATUS))
    daemon.stop()


def a_pause_is_seen():
    site = Site("paused")
    state = site.state()
    check("before", once(site.bare, state).rc == 0)
    ready = {c["type"]: c for c in site.status()["alice/notebook"]["conditions"]}["Ready"]
    check("nothing is claimed of what runs", ready["reason"] == "NotObserved", ready)
    site.push({"envs/alice/notebook.yaml": env_spec("cpu-small", "  lifecycle: {paused: true}\n")}, "pause")
    check("paused", once(site.bare, state).rc == 0)
    status = site.status()["alice/notebook"]
    ready = {c["type"]: c for c in status["conditions"]}["Ready"]
    check("the status says Paused and gives no way in", ready["status"] == "False" and ready["reason"] == "Paused" and
          "access" not in status, status)


def history_gives_reasons():
    site = Site("reasons")
    state = site.state()
    check("begin", once(site.bare, state).rc == 0)
    site.push({"envs/alice/notebook.yaml": "not: a spec\n"}, "broken")
    check("a broken spec is a finding", once(site.bare, state).rc == 1)
    said = berth("log", "-C", site.bare, "alice/notebook")
    check("berth log names the reason", "Rendered..Rendered Invalid" in said.out, said)


an_accepted_rewind_lasts()
a_bad_one_that_goes_is_forgotten()
a_pause_is_seen()
history_gives_reasons()
done()

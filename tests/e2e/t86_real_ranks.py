#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""On a real node: the ranks of a distributed environment find each other by name."""
import json
import time

import node
from lab import check, done, note
from node_site import NodeSite, stock

node.enter()
TRAIN = "envs/alice/train.yaml"
RANKS = 3
DISTRIBUTED = "  mode: distributed\n  distributed: {worldSize: 3, nprocsPerNode: 1, backend: gloo}\n"
# What a training script does before it trains, with sockets alone: all meet at rank 0, by the variables of the environment; rank 0
# tells everybody the others' host names; everybody calls everybody by those.
MEET = r'''
import json, os, socket, threading, time
rank, size = int(os.environ["PET_NODE_RANK"]), int(os.environ["PET_NNODES"])
master = os.environ["PET_MASTER_ADDR"], int(os.environ["PET_MASTER_PORT"])
def call(where, text):
    for _ in range(300):
        try:
            with socket.create_connection(where, 5) as s:
                s.sendall(text.encode() + b"\n")
                return s.makefile().readline().strip()
        except OSError:
            time.sleep(0.2)
    raise SystemExit("rank %d cannot reach %s:%d" % (rank, *where))
def serve(port, count, answer):
    with socket.create_server(("", port)) as s:
        met = [s.accept()[0] for _ in range(count)]
        said = [m.makefile().readline().strip() for m in met]
        for m in met:
            m.sendall(answer(said).encode() + b"\n")
            m.close()
        return said
me = socket.getfqdn()
greeted = []
door = threading.Thread(target=lambda: greeted.extend(serve(29501, size - 1, lambda said: me)))
door.start()
if rank == 0:
    names = sorted([me] + [n for n in serve(master[1], size - 1, lambda said: json.dumps(sorted([me] + said)))])
else:
    names = json.loads(call(master, me))
heard = [call((n, 29501), me) for n in names if n != me]
door.join(60)
print(json.dumps({"rank": rank, "me": me, "names": names, "heard": sorted(heard), "greeted": sorted(greeted)}))
'''


def ranks(c, site, key, host_key):
    """Three pods, each logged in to with the same host key; the sessions see what torchrun would."""
    logins = [node.Login(c, "alice/train", key, host_key, rank) for rank in range(RANKS)]
    good = all(login.prompt(120) for login in logins)
    if not site.check("alice/train", "every rank of a distributed environment can be logged in to", good, [x.run("true") for x in logins]):
        return
    names = [x.run("hostname -f")[1].strip() for x in logins]
    wanted = ["train-%d.train.dev-alice.svc.cluster.local" % rank for rank in range(RANKS)]
    check("each has its host name in the cluster", names == wanted, names)
    for login in logins:
        login.run("cat > meet.py", MEET)
    start = time.monotonic()
    running = [login.start("python3 meet.py") for login in logins]
    ended = [p.communicate(timeout=120) + (p.returncode,) for p in running]
    said = []
    if check("the ranks meet at PET_MASTER_ADDR:PET_MASTER_PORT", all(rc == 0 for _, _, rc in ended), ended):
        said = [json.loads(out) for out, _, _ in ended]
        note("rendezvous of %d ranks: %.1f s" % (RANKS, time.monotonic() - start))
    check("in the order of their pods", [x["rank"] for x in said] == list(range(RANKS)), said)
    others = [[n for n in wanted if n != me] for me in wanted]
    check("and everybody reaches everybody by host name", said and all(
        x["names"] == wanted and x["heard"] == other and x["greeted"] == other for x, other in zip(said, others)), said)
    check("the environment is Ready with all of them", site.until_phase({"alice/train": "Ready"}), site.env("alice/train"))


def main():
    key, public = node.new_key("alice")
    with node.cluster() as c, node.Node(c) as n:
        n.load("pause", "debian", "toolbox")
        c.grant()
        site = NodeSite(n, public, {"envs/alice/first.yaml": stock()})  # the namespace, for the Secret
        with site.running() as d:
            host_key = site.host_key("train")
            site.change({TRAIN: stock(more=DISTRIBUTED)}, "three ranks")
            ranks(c, site, key, host_key)
            check("the daemon is alive", d.alive(), d.log()[-2000:])
    done()


main()

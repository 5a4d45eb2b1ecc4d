#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""On a real node: the web tools of an environment answer to its password and to nobody else."""
import base64
import json
import os
import socket
import struct
import urllib.error
import urllib.request

import node
from lab import check, done, until
from node_site import NodeSite, stock

node.enter()
if not os.path.exists(os.path.join(node.IMAGES, "lab.tar")):
    node.skip("JupyterLab could not be had when the images were made (tests/peers/images.sh)")
WEB = "  access: {web: [terminal, jupyter]}\n"


def get(where, token=None, method="GET"):
    """(status, body); status 0: nobody there."""
    asked = urllib.request.Request(where, method=method, headers={"Authorization": "token " + token} if token else {})
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as e:
        return e.code, ""
    except OSError as e:
        return 0, str(e)


class Shell:
    """A web socket to a terminal of JupyterLab, as its page opens it."""

    def __init__(self, host, port, path, token):
        self.s = socket.create_connection((host, port), 60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.s.sendall(("GET %s?token=%s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: %s\r\n\r\n" % (path, token, host, port, key)).encode())
        self.file = self.s.makefile("rb")
        self.status = self.file.readline().decode()
        while self.file.readline().strip():
            pass

    def type(self, text):
        data, mask = json.dumps(["stdin", text]).encode(), os.urandom(4)
        assert len(data) < 126
        self.s.sendall(bytes([0x81, 0x80 | len(data)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def read_until(self, wanted):
        """What the terminal shows, up to a text; or all of it, when that does not come within the socket's 60 s."""
        said = ""
        try:
            while wanted not in said:
                size = self.file.read(2)[1] & 127
                if size > 125:
                    size = struct.unpack(">H" if size == 126 else ">Q", self.file.read(2 if size == 126 else 8))[0]
                kind, text = (json.loads(self.file.read(size)) + [""])[:2]
                said += text if kind == "stdout" else ""
        except (OSError, IndexError):
            pass
        return said


def web(c, site, key, host_key):
    login = node.Login(c, "alice/lab", key, host_key)
    if not site.check("alice/lab", "an environment with web tools can be logged in to", login.prompt(120), login.run("true")):
        return
    token = login.run("cat ~/.berth/web-password")[1].strip()
    here = "http://%s:8888" % login.address()
    up = until(lambda: get(here + "/api")[0] == 200, 120)
    if not site.check("alice/lab", "JupyterLab answers", up, get(here + "/api")):
        return
    check("it gives nothing away without the password", get(here + "/api/contents")[0] == 403, get(here + "/api/contents"))
    status, body = get(here + "/api/contents", token)
    check("and shows the home to who has it", status == 200 and '"type":"directory"' in body.replace(" ", ""), status, body[:300])
    check("its page is JupyterLab's", "jupyterlab" in get(here + "/lab", token)[1].lower(), get(here + "/lab", token)[1][:300])
    status, body = get(here + "/api/terminals", token, "POST")
    shell = Shell(login.address(), 8888, "/terminals/websocket/" + (json.loads(body)["name"] if status == 200 else "none"), token)
    said = ""
    if "101" in shell.status:
        shell.type("echo $((40 + 2))-$(id -un)-$BERTH_ENV\r")
        said = shell.read_until("42-dev-lab")  # what is typed is shown too, but not with the sum in it
    check("a terminal in the browser is a shell of the environment", "42-dev-lab" in said, status, body, shell.status, said)


def main():
    key, public = node.new_key("alice")
    with node.cluster() as c, node.Node(c) as n:
        n.load("pause", "toolbox", "lab")
        c.grant()
        site = NodeSite(n, public, {"envs/alice/lab.yaml": stock(image="berth.test/lab:1", more=WEB)})
        with site.running() as d:
            site.check("alice/lab", "an environment with web tools becomes Ready", site.until_phase({"alice/lab": "Ready"}, 120))
            made = site.inside("alice/lab", "cat ~/.berth/ssh/*.pub")
            web(c, site, key, " ".join(made.split()[:2]))
            check("the daemon is alive", d.alive(), d.log()[-2000:])
    done()


main()

# SPDX-License-Identifier: Apache-2.0
"""JupyterLab in an image that has Python and no JupyterLab: the start script installs it into the home, once.

From wheels in the cache, without a network; killed while it installs; over HTTP with the password and without.
"""
import json
import os

import lab
import roots
from lab import check, until

TOOLS = roots.toolbox_or_skip()
DEBIAN = roots.debian(None, roots.PYTHON)
try:
    wheels = roots.wheels(DEBIAN, "jupyterlab")
except RuntimeError as e:
    roots.skip("the wheels of JupyterLab cannot be had here: %s" % str(e).splitlines()[-1])


def lines(pod, text):
    return [line for line in pod.log().splitlines() if text in line]


pip = {"BERTH_WEB": "jupyter terminal", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PIP_NO_CACHE_DIR": "1", "PIP_NO_COMPILE": "1"}
pod = roots.Pod("lab", DEBIAN, TOOLS, ["/bin/dash"], env={**pip, "PIP_FIND_LINKS": "/nowhere"}, wheels_from=wheels)
pod.start().wait_ready()
check("JupyterLab is installed beside readiness", pod.pin() and pod.ssh("true").rc == 0, pod.log())
check("without an index it fails, says so and tries again", until(lambda: "again in " in pod.status().get("jupyter", ""), 220), pod.status())
pod.kill()
pod.env = {**pod.env, "PIP_FIND_LINKS": "/wheels"}
check("killed now, its environment is half there", os.path.isdir(os.path.join(pod.home, ".berth/jupyter/lib")) and
      not os.path.exists(os.path.join(pod.home, ".berth/jupyter/.made-for")))
pod.start()
up = until(lambda: pod.status().get("jupyter", "").startswith("ready"), 220)
if not check("the next start finishes it", up, pod.status(), pod.log()):
    lab.done()
with open(os.path.join(pod.home, ".berth/web-password")) as f:
    password = f.read()
got = [(0, "")]
until(lambda: got.append(pod.http(8888, "/api")) or got[-1][0] == 200)  # it listens before it has loaded everything
code, body = got[-1]
check("it answers over HTTP", code == 200 and "version" in body, code, body[:300])
check("not without the password", pod.http(8888, "/api/contents")[0] == 403)
code, body = pod.http(8888, "/api/contents/?content=0", token=password)
check("with it, the home", code == 200, code, body[:300], pod.log())
code, body = pod.http(8888, "/api/terminals", "POST", token=password)
check("its terminal is the web terminal", code == 200 and "name" in json.loads(body or "{}"), code, body[:300])
if not os.path.exists(os.path.join(TOOLS, "opt/berth/bin/ttyd")):
    check("which the status says", until(lambda: "terminal of JupyterLab on port 8888" in pod.status().get("terminal", "")), pod.status())
args = pod.enter("/opt/berth/bin/busybox", "ps", "-o", "args").out
check("the password stands in no argument list", password not in args)
check("nor in the log", password not in open(pod.log_path, errors="replace").read())
check("SIGTERM ends all of it", pod.stop() == 0, pod.log())
pod.start()
check("a second start installs nothing", until(lambda: pod.status().get("jupyter", "").startswith("ready"), 220) and not lines(pod, "jupyter installing"),
      pod.log())
pod.stop()
lab.done()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""packages.sh beside a real pip and an index on loopback: once, again, a changed list, a wrong name, no network, a kill."""
import os
import shutil
import subprocess
import sys
import time

import lab
from lab import check
from pod import SCRIPTS, SHELLS, Pod, Web, wheel

# Debian's own first: it refuses what is not for the user alone
PYTHON = next((p for p in ("/usr/bin/python3", shutil.which("python3"))
               if p and not subprocess.run([p, "-m", "pip", "--version"], capture_output=True).returncode), None)
if not PYTHON:
    print("1..0 # SKIP python3 with pip is not there: nothing was shown about packages")
    sys.exit(0)

index = os.path.join(lab.folder, "index")
for package in ("alpha", "beta", "gamma", "delta"):
    wheel(index, package)
wheel(index, "alpha", "2.0")
wheel(index, "slow", filler=200000)
web = Web(index)


def new_pod(name, shell=SHELLS[0]):
    return Pod(name, shell, PATH=os.path.dirname(PYTHON) + ":/usr/bin:/bin", PIP_INDEX_URL=web.url + "/simple/", PIP_CONFIG_FILE=os.devnull, PIP_RETRIES="0", PIP_NO_CACHE_DIR="0")


def imports(pod, module):
    """The version of a module as a person's python sees it; empty when it is not there."""
    return subprocess.run([PYTHON, "-c", "import %s; print(%s.version)" % (module, module)], env=pod.env, cwd="/",
                          capture_output=True, text=True).stdout.strip()


def pips(pod):
    return pod.read(".berth", "packages.log").count("pip: ")


pod = new_pod("plain")
pod.write("packages.pip", "alpha==1.0", "beta")
pod.start()
text = pod.until("packages", "ready", "failed")
check("a list is installed", text == "ready: 2", text, pod.why())
check("python sees it, in the version asked for", imports(pod, "alpha") == "1.0" and imports(pod, "beta") == "1.0", pod.why())
check("its commands are on PATH", os.access(pod.path(".local", "bin", "beta-tool"), os.X_OK) and
      subprocess.run([pod.sh, "-c", '. "$0/lib.sh" && command -v beta-tool', SCRIPTS], env=pod.env, capture_output=True).returncode == 0)
check("the log says what was done", "pip: alpha==1.0 beta" in pod.read(".berth", "packages.log"))

pod.write("packages.pip", "alpha==1.0", "beta", "gamma")
text = pod.until("packages", "ready: 3", "failed")
check("a changed list reaches the running pod", text == "ready: 3" and imports(pod, "gamma") == "1.0", text, pod.why())
pod.write("packages.pip", "alpha==2.0", "beta", "gamma")
end = time.time() + lab.WAIT
while imports(pod, "alpha") != "2.0" and time.time() < end:
    time.sleep(0.2)
check("and so does another version", imports(pod, "alpha") == "2.0", pod.why())
pod.until("packages", "ready")
check("SIGTERM ends it", pod.stop(), pod.why())

hits = len(web.hits)
pod.start()
text = pod.until("packages", "ready", "failed")
check("a second start installs nothing", text == "ready: 3" and len(web.hits) == hits and pips(pod) == 0, text, pod.why())

pod.write("packages.pip", "alpha==2.0", "nowhere", "delta")
text = pod.until("packages", "failed")
check("a wrong name is named, with the log and the next try", "pip: nowhere" in text and "packages.log" in text and "again in" in text,
      text, pod.why())
check("the others are installed all the same", imports(pod, "delta") == "1.0", pod.why())
pod.write("packages.pip", "alpha==2.0", "delta")
text = pod.until("packages", "ready: 2")
check("the list mended, it is at rest", text == "ready: 2", text, pod.why())
pod.write("packages.pip")
pod.stop()

# what cannot pass validation, in case it is there all the same
pod = new_pod("data")
marks = [pod.path("mark%d" % i) for i in range(4)]
pod.write("packages.pip", "-rmark", "$(touch %s)" % marks[0], "`touch %s`" % marks[1], "beta;touch %s" % marks[2], "'\"; touch %s" % marks[3], "*")
pod.start()
text = pod.until("packages", "failed", "ready")
check("what is no package name is data, and never run", text.startswith("failed") and not any(map(os.path.exists, marks)), text, pod.why())
check("an option is none here", "-rmark" not in pod.read(".berth", "packages.log"), pod.why())
pod.stop()

pod = new_pod("conda")
pod.env["PATH"] = os.pathsep.join(p for p in pod.env["PATH"].split(os.pathsep) if not os.path.exists(os.path.join(p, "conda")))
if not os.path.exists("/opt/conda/bin/conda"):
    pod.write("packages.conda", "dask")
    pod.write("packages.pip", "beta")
    pod.start()
    text = pod.until("packages", "failed", "ready")
    check("without conda that is said, and pip installs its part", "conda: neither conda, mamba nor micromamba is in the image" in text and
          imports(pod, "beta") == "1.0", text, pod.why())
    pod.stop()

# killed with half a wheel on the line
pod = new_pod("killed")
pod.write("packages.pip", "alpha", "slow")
web.stall = "slow-1.0"
pod.start()
check("it is on its way", web.stalled.wait(lab.WAIT), pod.why())
check("what is going on is said", pod.status("packages") == "installing 1-2 of 2 (pip)", pod.status("packages"))
pod.kill()
check("killed half way, it does not count as done", not pod.read(".berth", "packages", "pip"))
web.stall = None
web.go_on.set()
pod.start()
text = pod.until("packages", "ready", "failed")
check("the next start does it again", text == "ready: 2" and imports(pod, "slow") == "1.0", text, pod.why())
pod.stop()

shell = SHELLS[-1] if "busybox" not in SHELLS else "busybox"
pod = new_pod("offline", shell)
pod.env.update(PIP_INDEX_URL="http://127.0.0.1:1/simple/", PIP_RETRIES="1")
pod.write("packages.pip", "alpha")
pod.start()
text, offline = pod.until("packages", "failed", "ready"), "failed: pip: no connection: see ~/.berth/packages.log, again in %d s"
check("%s: without a network it says so and tries again" % shell, text in [offline % n for n in (1, 2, 4)], text, pod.why())
text = pod.until("packages", *[offline % n for n in (4, 8, 16)])
check("%s: after longer and longer pauses" % shell, text.startswith("failed") and text.endswith(("again in 4 s", "again in 8 s", "again in 16 s")), text)
pod.stop()
pod.env["PIP_INDEX_URL"] = web.url + "/simple/"
pod.start()
text = pod.until("packages", "ready")
check("%s: with it, all is well" % shell, text == "ready: 1" and imports(pod, "alpha") == "2.0", text, pod.why())
check("%s: SIGTERM ends it" % shell, pod.stop(), pod.why())

web.close()
lab.done()

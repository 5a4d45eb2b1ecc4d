# SPDX-License-Identifier: Apache-2.0
"""The scripts of an environment outside of a cluster: a home, a run folder, the lists of the ConfigMap, and a web server."""
import hashlib
import http.server
import os
import shutil
import signal
import subprocess
import threading
import time
import zipfile

import lab

SCRIPTS = os.path.join(lab.TOP, "templates", "scripts")
SHELLS = [s for s in ("dash", "busybox", "bash") if shutil.which(s)]


class Pod:
    """One environment. Each start is a new container: the run folder is new, the home stays."""

    def __init__(self, name, shell=SHELLS[0], **variables):
        self.top = os.path.join(lab.folder, name)
        self.home, self.lists = os.path.join(self.top, "home"), os.path.join(self.top, "lists")
        self.run, tools = os.path.join(self.top, "run"), os.path.join(self.top, "toolbox", "bin")
        for path in (self.home, self.lists, tools):
            os.makedirs(path)
        os.symlink(shutil.which(shell), os.path.join(tools, "sh"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "BERTH_", "PIP_", "PYTHON", "AWS_", "RCLONE_"))}
        self.env.update(HOME=self.home, BERTH_RUN=self.run, BERTH_LISTS=self.lists, BERTH_EVERY="1", BERTH_PAUSE="1",
                        BERTH_TOOLBOX=os.path.dirname(tools), LC_ALL="C.UTF-8", GIT_CONFIG_NOSYSTEM="1", **variables)
        self.sh = os.path.join(tools, "sh")
        self.process = None

    def write(self, name, *lines):
        """A list as the ConfigMap brings it: at once. Each line is text, or cells."""
        path = os.path.join(self.lists, name)
        if not lines:
            if os.path.exists(path):
                os.unlink(path)
            return
        with open(path + ".new", "w") as f:
            f.writelines(("\t".join(x) if isinstance(x, (list, tuple)) else x) + "\n" for x in lines)
        os.rename(path + ".new", path)

    def start(self):
        shutil.rmtree(self.run, ignore_errors=True)
        os.makedirs(self.run)
        self.log = open(os.path.join(self.top, "log"), "ab")
        # a session of its own: what a job leaves behind ends with it, as it would with the container
        self.process = subprocess.Popen([self.sh, os.path.join(SCRIPTS, "follow.sh")], env=self.env, cwd=self.home,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT, start_new_session=True)
        lab.processes.append(self.process)

    def stop(self):
        """SIGTERM, as the container's end. False when it does not end by itself."""
        self.process.terminate()
        try:
            self.process.wait(lab.WAIT)
            good = True
        except subprocess.TimeoutExpired:
            good = False
        self.kill()
        return good

    def kill(self):
        """SIGKILL to everything at once, as a node that fails."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.log.close()

    def status(self, name):
        try:
            with open(os.path.join(self.run, ".berth", "status", name)) as f:
                return f.read().strip()
        except OSError:
            return ""

    def until(self, name, *beginnings, seconds=lab.WAIT):
        """Waits for a status that begins like one of these; gives it, or what it is after that time."""
        end = time.time() + seconds
        while time.time() < end:
            text = self.status(name)
            if text.startswith(beginnings):
                return text
            time.sleep(0.1)
        return self.status(name)

    def path(self, *parts):
        return os.path.join(self.home, *parts)

    def read(self, *parts):
        try:
            with open(self.path(*parts)) as f:
                return f.read()
        except OSError:
            return ""

    def why(self):
        """For a test that failed."""
        out = []
        for root, _, names in os.walk(os.path.join(self.home, ".berth")):
            for name in names:
                if name.endswith(".log"):
                    with open(os.path.join(root, name), errors="replace") as f:
                        out.append("%s:\n%s" % (name, f.read()[-2000:]))
        with open(os.path.join(self.top, "log"), errors="replace") as f:
            out.append(f.read()[-1500:])
        return "\n".join(out)


class Web:
    """Serves a folder on loopback; /private asks for a password. `stall`: paths of which only a part is sent until somebody lets go."""

    def __init__(self, folder):
        web = self
        self.hits, self.stall, self.stalled = [], None, threading.Event()
        self.go_on = threading.Event()

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *a):
                super().__init__(*a, directory=folder)

            def log_message(self, *_):
                pass

            def do_GET(self):
                if not self.path.startswith("/private"):
                    return super().do_GET()
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="private"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            def copyfile(self, source, out):
                web.hits.append(self.path)
                if web.stall and web.stall in self.path:
                    out.write(source.read(100))
                    out.flush()
                    web.stalled.set()
                    web.go_on.wait(120)
                super().copyfile(source, out)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that was killed
        self.port = self.server.server_address[1]
        self.url = "http://127.0.0.1:%d" % self.port
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()


def wheel(folder, name, version="1.0", filler=0):
    """A package of one module, in a folder as an index serves it."""
    tag = "%s-%s" % (name, version)
    where = os.path.join(folder, "simple", name)
    os.makedirs(where, exist_ok=True)
    path = os.path.join(where, tag + "-py3-none-any.whl")
    files = {
        name + "/__init__.py": "version = %r\n" % version,
        name + "/filler": os.urandom(filler),
        tag + ".dist-info/METADATA": "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version),
        tag + ".dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        tag + ".dist-info/entry_points.txt": "[console_scripts]\n%s-tool = %s:main\n" % (name, name),
    }
    record = "".join("%s,,\n" % n for n in files) + tag + ".dist-info/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as z:
        for n, text in files.items():
            z.writestr(n, text)
        z.writestr(tag + ".dist-info/RECORD", record)
    links = ["<a href='%s#sha256=%s'>%s</a>" % (w, hashlib.sha256(open(os.path.join(where, w), "rb").read()).hexdigest(), w)
             for w in sorted(os.listdir(where)) if w.endswith(".whl")]
    with open(os.path.join(where, "index.html"), "w") as f:
        f.write("<!DOCTYPE html><html><body>%s</body></html>" % "".join(links))


# -- datasets --------------------------------------------------------------------------------------------------------

DATA_NAMES = ["plain", "with space", "-rf", "new\nline", "$(touch pwned)", "quote'\"", "deep/er/file", "deep/*", ".hidden"]


def fill(folder, many=0):
    for i, name in enumerate(DATA_NAMES):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(os.urandom(1000 + i))
        os.utime(path, (1.6e9 + i, 1.6e9 + i))
    for i in range(many):
        os.makedirs(os.path.join(folder, "many", str(i % 10)), exist_ok=True)
        with open(os.path.join(folder, "many", str(i % 10), str(i)), "wb") as f:
            f.write(os.urandom(20000))


def tree(folder, skip=(".berth-complete", ".berth-part", ".berth-temp", ".berth-moving")):
    """Path -> digest, or where a link leads; folders with a slash."""
    out = {}
    for root, dirs, names in os.walk(folder):
        if root == folder:
            dirs[:] = [d for d in dirs if d not in skip]
        for name in dirs:
            out[os.path.relpath(os.path.join(root, name), folder) + "/"] = ""
        for name in names:
            path = os.path.join(root, name)
            if root == folder and name in skip:
                continue
            out[os.path.relpath(path, folder)] = os.readlink(path) if os.path.islink(path) else hashlib.sha256(open(path, "rb").read()).hexdigest()
    return out


def data_row(pod, name, stage="nvme", kind="claim", endpoint="-", bucket="-", prefix=""):
    return (name, stage, pod.data(name), kind, "1000000", endpoint, "-", bucket, prefix)


class DataPod(Pod):
    def __init__(self, name, shell=SHELLS[0]):
        super().__init__(name, shell)
        self.sources, self.keys = os.path.join(self.top, "sources"), os.path.join(self.top, "keys")
        self.env.update(BERTH_SOURCES=self.sources, BERTH_S3_KEYS=self.keys)

    def data(self, name):
        path = os.path.join(self.top, "data", name)
        os.makedirs(path, exist_ok=True)
        return path

# SPDX-License-Identifier: Apache-2.0
"""A real Gitea on loopback (tests/peers/install.sh gitea), which tests/run.sh builds for tests that import this."""
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request

import lab

sys.path.insert(1, os.path.join(lab.TOP, "tests", "peers"))
from forge import CACHE, Server  # noqa: E402

GITEA = os.path.join(CACHE, "bin", "gitea")


def missing():
    """Why it cannot be used here, or None."""
    if os.environ.get("BERTH_PEERS") == "none":
        return "BERTH_PEERS=none"
    if os.environ.get("BERTH_GITEA_FAILED"):
        return os.environ["BERTH_GITEA_FAILED"]
    return None if os.access(GITEA, os.X_OK) else "not there: %s; run tests/peers/install.sh gitea" % GITEA


def skip_without():
    """Ends the test where there is no Gitea: skipped, or failed with CI=true."""
    why = missing()
    if not why:
        return
    if os.environ.get("CI") == "true" and os.environ.get("BERTH_PEERS") != "none":
        lab.check("a real Gitea is there", False, why)
        lab.done()
    print("# NOT TESTED: %s needs a real forge: %s" % (os.path.basename(sys.argv[0]), why))
    print("1..0 # SKIP " + why)
    sys.exit(0)


class ApiError(Exception):
    def __init__(self, code, text):
        super().__init__("%d %s" % (code, text))
        self.code, self.text = code, text


class Gitea:
    """One server in a folder of the test's, with an administrator `root` and the users that are named. Ends with the test."""

    def __init__(self, *users):
        self.dir = os.path.join(lab.folder, "gitea")
        os.makedirs(self.dir)
        self.server = Server(self.dir, GITEA, os.path.join(CACHE, "share", "gitea"), lab.ENV, "test forge")
        self.tokens = {}
        start = time.monotonic()
        for attempt in range(5):  # the port is free when it is chosen
            self.port = lab.free_port()
            self.server.configure(self.port)
            if attempt == 0:
                self.server.run("migrate")
                self.tokens["root"] = self.server.administrator()
            if self.launch():
                break
        else:
            raise RuntimeError("Gitea does not start: " + self.log())
        self.people(users)
        self.took = time.monotonic() - start

    def people(self, names):
        for name in names:
            self.api("root", "POST", "/admin/users", {"username": name, "password": name + "-password", "email": name + "@example.com",
                                                      "must_change_password": False})
            self.tokens[name] = self.api(None, "POST", "/users/%s/tokens" % name, {"name": "t", "scopes": ["all"]}, (name, name + "-password"))["sha1"]

    def log(self):
        return self.server.log()

    def launch(self):
        self.p = self.server.start()
        lab.processes.append(self.p)
        lab.until(lambda: lab.http(self.port, "/api/healthz") == 200 or self.p.poll() is not None)
        return self.p.poll() is None

    def api(self, who, method, path, body=None, login=None):
        """The answer's JSON (its text when it is none, None when empty); ApiError (with .code) for 4xx and 5xx. login: name and password, not who's token."""
        pass_by = "Basic " + base64.b64encode(":".join(login).encode()).decode() if login else "token " + self.tokens[who]
        q = urllib.request.Request("http://127.0.0.1:%d/api/v1%s" % (self.port, path), method=method, data=None if body is None else json.dumps(
            body).encode(), headers={"Authorization": pass_by, "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(q, timeout=60) as r:
                text, kind = r.read(), r.headers.get_content_type()
        except urllib.error.HTTPError as e:
            raise ApiError(e.code, e.read().decode(errors="replace")) from None
        return (json.loads(text) if kind == "application/json" else text.decode()) if text else None

    def refused(self, *args):
        """The status of a request that is refused, or 0."""
        try:
            self.api(*args)
        except ApiError as e:
            return e.code
        return 0

    def url(self, repo):
        return "http://127.0.0.1:%d/%s.git" % (self.port, repo)

    def token_file(self, who):
        """A file with the person's token, as berth takes it."""
        name = os.path.join(self.dir, who + ".token")
        if not os.path.exists(name):
            with open(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
                f.write(self.tokens[who] + "\n")
        return name

    def git_env(self, who):
        """Variables with which git speaks as this person; the token is in no argument."""
        return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": "Authorization: token " + self.tokens[who]}

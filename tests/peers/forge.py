# SPDX-License-Identifier: Apache-2.0
"""A Gitea of one's own on loopback, in one folder: its configuration, its people. For the tests (tests/e2e/gitea.py) and the tutorial (deploy/tutorial.py)."""
import os
import random
import re
import secrets
import socket
import subprocess

CACHE = os.environ.get("BERTH_PEERS") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "berth-peers")
INI = """{root}APP_NAME = {name}
RUN_MODE = prod
RUN_USER = {user}
WORK_PATH = {dir}
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {port}
DOMAIN = 127.0.0.1
ROOT_URL = http://127.0.0.1:{port}/
STATIC_ROOT_PATH = {static}
OFFLINE_MODE = true
LFS_START_SERVER = false
DISABLE_SSH = true
[database]
DB_TYPE = sqlite3
PATH = {dir}/gitea.db
SQLITE_JOURNAL_MODE = WAL
[repository]
ROOT = {dir}/repositories
DEFAULT_BRANCH = main
DISABLED_REPO_UNITS = repo.wiki,repo.packages,repo.projects,repo.actions
[repository.signing]
SIGNING_KEY = none
[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
INTERNAL_TOKEN = {token}
PASSWORD_HASH_ALGO = pbkdf2$1000$32
PASSWORD_COMPLEXITY = off
MIN_PASSWORD_LENGTH = 6
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
[indexer]
ISSUE_INDEXER_TYPE = db
[queue]
TYPE = channel
[actions]
ENABLED = false
[packages]
ENABLED = false
[cron]
ENABLED = false
[picture]
DISABLE_GRAVATAR = true
[log]
MODE = console
LEVEL = Warn
"""


def free_port():
    """One that nobody is given by chance between here and its use: below those that the kernel hands out."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first = int(f.read().split()[0])
    while True:
        port = random.SystemRandom().randrange(10000, first if first > 12000 else 32768)
        if is_free(port):
            return port


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Server:
    """Its folder, its settings and its command line; who starts one ends it. `env` is what it and its git get to see."""

    def __init__(self, folder, program, static, env, name):
        self.dir, self.program, self.static, self.name = folder, program, static, name
        self.ini, self.web_log = os.path.join(folder, "app.ini"), os.path.join(folder, "web.log")
        self.env = {**env, "GITEA_WORK_DIR": folder, "GITEA_CUSTOM": os.path.join(folder, "custom")}
        os.makedirs(os.path.join(folder, "custom"), exist_ok=True)
        self.secret = self.internal = None

    def configure(self, port):
        """Writes app.ini. The secrets stay as they are from one call to the next."""
        self.port = port
        if not self.secret:
            self.secret, self.internal = secrets.token_hex(32), self.call("generate", "secret", "INTERNAL_TOKEN").strip()
        root = "I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true\n" if os.getuid() == 0 else ""
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        with open(os.open(self.ini, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
            f.write(INI.format(root=root, name=self.name, user=user, dir=self.dir, port=port, static=self.static, secret=self.secret, token=self.internal))

    def call(self, *args):
        p = subprocess.run([self.program, *args], env=self.env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=120)
        if p.returncode:
            raise RuntimeError("gitea %s: %s%s" % (" ".join(args[:3]), p.stdout, p.stderr))
        return p.stdout

    def run(self, *args):
        """A command that needs the settings; what it printed."""
        return self.call("--config", self.ini, *args)

    def administrator(self):
        """Makes the account root, the only one that the program itself has to make; its token. (It may warn of a slow disk on the same output.)"""
        said = self.run("admin", "user", "create", "--admin", "--username", "root", "--password", "root-password", "--email", "root@example.com",
                        "--must-change-password=false", "--access-token", "--access-token-name", "t", "--access-token-scopes", "all")
        return re.search(r"\b[0-9a-f]{40}\b", said).group()

    def start(self, **how):
        """The process, which writes into web.log."""
        with open(self.web_log, "ab") as log:
            return subprocess.Popen([self.program, "--config", self.ini, "web"], env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **how)

    def log(self):
        with open(self.web_log, encoding="utf-8", errors="replace") as f:
            return f.read()

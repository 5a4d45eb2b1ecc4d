# SPDX-License-Identifier: Apache-2.0
"""Serves the bare repositories below a folder over HTTP by git's own http-backend; prints its port.

usage: git_http.py FOLDER [MODE [PORT]]     MODE: plain (default), token (basic authentication, user $GIT_HTTP_USER or "berth", password "s3cret-token"),
old (answers as a server without protocol version 2), redirect, garbage, hang, cut
"""
import base64
import http.server
import os
import subprocess
import sys
import time

ROOT = sys.argv[1]
MODE = sys.argv[2] if len(sys.argv) > 2 else "plain"
WANT = "Basic " + base64.b64encode((os.environ.get("GIT_HTTP_USER", "berth") + ":s3cret-token").encode()).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self):
        """True when the mode answers by itself."""
        if MODE == "hang":
            time.sleep(600)
        if MODE == "token" and self.headers.get("Authorization") != WANT:
            self.answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
        elif MODE == "redirect":
            self.answer(301, [("Location", "http://127.0.0.1:1/elsewhere")], b"")
        elif MODE == "garbage":
            self.answer(200, [("Content-Type", "text/html")], b"<html>hello</html>" * 100)
        else:
            return False
        return True

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            parts.append(self.rfile.read(size))
            self.rfile.readline()
            if not size:
                return b"".join(parts)

    def serve(self):
        body = self.body()
        if self.refuse():
            return
        path, _, query = self.path.partition("?")
        env = dict(os.environ, GIT_PROJECT_ROOT=ROOT, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
                   REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type") or "",
                   REMOTE_USER="bo", REMOTE_ADDR="127.0.0.1", CONTENT_LENGTH=str(len(body)))
        if MODE != "old" and self.headers.get("Git-Protocol"):
            env["GIT_PROTOCOL"] = self.headers["Git-Protocol"]
        if self.headers.get("Content-Encoding"):
            env["HTTP_CONTENT_ENCODING"] = self.headers["Content-Encoding"]
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE, check=False).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        headers = [tuple(line.decode().split(": ", 1)) for line in head.split(b"\r\n") if b": " in line]
        status = [value for name, value in headers if name == "Status"]
        if MODE == "cut" and self.command == "POST":
            rest = rest[:20]
        self.answer(int(status[0][:3]) if status else 200, [h for h in headers if h[0] != "Status"], rest)

    do_GET = do_POST = serve


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3]) if len(sys.argv) > 3 else 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()

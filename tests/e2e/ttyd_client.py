# SPDX-License-Identifier: Apache-2.0
"""A visitor of ttyd, without a browser: ttyd_client.py PORT < LINES types the lines one after another, each after the server
has been silent for a moment, and prints what the terminal showed. Speaks its WebSocket protocol (subprotocol tty)."""
import base64
import json
import os
import socket
import struct
import sys


def frame(payload):
    """A masked binary frame."""
    mask = os.urandom(4)
    n = len(payload)
    head = struct.pack("!BB", 0x82, 0x80 | n) if n < 126 else struct.pack("!BBH", 0x82, 0x80 | 126, n)
    return head + mask + bytes(c ^ mask[i % 4] for i, c in enumerate(payload))


class Reader:
    def __init__(self, s):
        self.s, self.rest = s, b""

    def exactly(self, n):
        while len(self.rest) < n:
            got = self.s.recv(65536)
            if not got:
                raise EOFError
            self.rest += got
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def head(self):
        while b"\r\n\r\n" not in self.rest:
            got = self.s.recv(4096)
            if not got:
                raise EOFError
            self.rest += got
        out, self.rest = self.rest.split(b"\r\n\r\n", 1)
        return out

    def message(self):
        first, second = self.exactly(2)
        n = second & 127
        if n == 126:
            n = struct.unpack("!H", self.exactly(2))[0]
        elif n == 127:
            n = struct.unpack("!Q", self.exactly(8))[0]
        return first & 15, self.exactly(n)


def main():
    port = int(sys.argv[1])
    s = socket.create_connection(("127.0.0.1", port), 20)
    s.sendall(("GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: http://127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tty\r\n\r\n"
               % (port, port, base64.b64encode(os.urandom(16)).decode())).encode())
    r = Reader(s)
    if b" 101 " not in r.head().split(b"\r\n")[0]:
        sys.exit("no WebSocket")
    s.sendall(frame(json.dumps({"AuthToken": "", "columns": 80, "rows": 24}).encode()))
    lines = sys.stdin.read().splitlines()
    s.settimeout(3)
    try:
        while True:
            try:
                kind, data = r.message()
            except socket.timeout:
                if not lines:
                    break
                s.sendall(frame(b"0" + lines.pop(0).encode() + b"\r"))
                s.settimeout(3 if lines else 10)  # a wrong password is answered late
                continue
            if kind == 8:
                break
            if data[:1] == b"0":
                sys.stdout.write(data[1:].decode(errors="replace"))
    except (EOFError, ConnectionError):
        pass


main()

# SPDX-License-Identifier: Apache-2.0
"""A proxy on loopback in front of an API server that delays, cuts, lies and stalls as it is told, and counts what it did.

usage: fault_proxy.py --upstream HOST:PORT --ca FILE --cert FILE --key FILE [--plan FILE] [--raw]

Prints `PORT CONTROL-PORT`. Speaks HTTP/1.1 over TLS on both sides and never buffers an answer. With --raw it passes TCP
(HTTP/2, client certificates) and only cut, stall and delay work, for a whole connection. Ends when its parent does.

The control port takes one JSON object a line and answers {"counts": {...}, "open": N, "log": [...]}. Keys, also of the plan file:
  rules     list, replaces the rules; see below          seed      for everything random; starts again
  expired   tokens that get a 401 from now on            pause     true: nothing moves in either direction; false: goes on
  cut_all   true: cuts every client connection now       cut_every [A, B]: does so again and again after A to B seconds; null: no more
  log       true: the answer has the last 1000 things done, [seconds, what, method, path]
A rule: {"do": WHAT, "name": counted as, "method": "GET|PATCH", "path": regex, "watch": bool, "p": 0..1, "skip": N, "times": N, ...}.
A request takes every delay that fits and the first other rule that fits. A pair [A, B] is a random number between the two.
  delay     ms                           before the request goes on
  status    code, retry_after, late      that answer instead; late: the request was carried out, only its answer is lost
  cut       late, bytes                  closes: at once; late: after it was carried out; bytes: after so much of the answer's body
  truncate  events, mid, clean           ends a watch after so many events (mid: with half of the next line; clean: as a server ends it)
  gone      events                       the event ERROR with code 410 after so many events, then the end of the watch
  stall     events or bytes, s           says nothing more for s seconds (with neither: before the request goes on); without s
                                         until the client leaves or the rules change
"""
import argparse
import asyncio
import collections
import json
import os
import random
import re
import ssl
import time

REASON = {401: "Unauthorized", 404: "NotFound", 409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError",
          502: "BadGateway", 503: "ServiceUnavailable", 504: "Timeout"}
ON_WATCH = ("truncate", "gone")


class Cut(Exception):
    """The client's connection is to be closed without another word."""


class Message:
    """Head of a request or an answer."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.first = lines[0].split(" ", 2)
        self.fields = [tuple(x.split(":", 1)) for x in lines[1:] if ":" in x]
        self.low = {k.lower(): v.strip() for k, v in self.fields}

    def head(self, drop=("connection", "expect", "keep-alive", "proxy-connection")):
        fields = ["%s:%s" % (k, v) for k, v in self.fields if k.lower() not in drop]
        return "\r\n".join([" ".join(self.first), *fields, "", ""]).encode("latin-1")


async def read_head(reader):
    try:
        return Message(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError as e:
        if e.partial:
            raise
        return None


async def read_body(message, reader, alive=lambda: True):
    """The pieces of a body as they arrive, without the frames of chunks."""

    async def soon(make):
        while alive():
            try:
                return await asyncio.wait_for(make(), 0.5)
            except asyncio.TimeoutError:
                continue
        raise Cut

    if message.low.get("transfer-encoding", "").lower() == "chunked":
        while True:
            size = int((await soon(reader.readline)).split(b";")[0], 16)
            data = await reader.readexactly(size)
            await reader.readexactly(2)
            if not size:
                return
            yield data
    left = int(message.low.get("content-length", 0))
    while left:
        data = await soon(lambda: reader.read(min(left, 65536)))
        if not data:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(data)
        yield data


def status_object(code):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": REASON.get(code, "Unknown"),
            "message": "fault_proxy: %d" % code, "code": code}


class Proxy:
    def __init__(self, args):
        self.host, port = args.upstream.rsplit(":", 1)
        self.port, self.raw = int(port), args.raw
        self.outward = None if args.raw else ssl.create_default_context(cafile=args.ca)
        self.idle, self.live = [], set()
        self.counts, self.log, self.start = collections.Counter(), collections.deque(maxlen=1000), time.monotonic()
        self.rules, self.expired, self.version, self.cutter = [], set(), 0, None
        self.random = random.Random(1)
        self.gate = asyncio.Event()
        self.gate.set()

    # -- what is wanted --

    def order(self, plan):
        unknown = set(plan) - {"rules", "seed", "expired", "pause", "cut_all", "cut_every", "log"}
        if unknown:
            raise ValueError("unknown: %s" % sorted(unknown))
        if "seed" in plan:
            self.random.seed(plan["seed"])
        if "rules" in plan:
            self.rules = [dict(r, seen=0, done=0) for r in plan["rules"]]
            self.version += 1
        if "expired" in plan:
            self.expired = set(plan["expired"])
        if "pause" in plan:
            (self.gate.clear if plan["pause"] else self.gate.set)()
            self.did("pause" if plan["pause"] else "resume")
        if plan.get("cut_all"):
            self.cut_all()
        if "cut_every" in plan:
            if self.cutter:
                self.cutter.cancel()
            self.cutter = asyncio.ensure_future(self.cut_often(plan["cut_every"])) if plan["cut_every"] else None

    def did(self, what, request=None):
        self.counts[what] += 1
        self.log.append([round(time.monotonic() - self.start, 3), what, *(request.first[:2] if request else [])])

    def cut_all(self):
        for writer in list(self.live):
            writer.transport.abort()
        self.did("cut_all")

    async def cut_often(self, pair):
        while True:
            await asyncio.sleep(self.some(pair))
            self.cut_all()

    def some(self, number):
        return self.random.uniform(*number) if isinstance(number, list) else number

    def fits(self, rule, request):
        if request:
            method, path = request.first[:2]
            watch = "watch=true" in path or "watch=1" in path
            if (not re.fullmatch(rule.get("method", ".*"), method) or not re.search(rule.get("path", ""), path) or
                    watch != rule.get("watch", rule["do"] in ON_WATCH or watch)):
                return False
        rule["seen"] += 1
        if (rule["seen"] <= rule.get("skip", 0) or rule["done"] >= rule.get("times", float("inf")) or
                self.random.random() >= rule.get("p", 1)):
            return False
        rule["done"] += 1
        return True

    async def choose(self, request=None):
        """The rule for this request, all its delays done."""
        for rule in self.rules:
            if not self.fits(rule, request):
                continue
            self.did(rule.get("name", rule["do"]), request)
            if rule["do"] != "delay":
                return rule
            await asyncio.sleep(self.some(rule["ms"]) / 1000)
        return {"do": "pass"}

    # -- HTTP --

    async def upstream(self):
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port, ssl=self.outward, limit=2**20)

    async def serve(self, reader, writer):
        self.live.add(writer)
        self.counts["connections"] += 1
        try:
            while await self.exchange(reader, writer):
                pass
        except (Cut, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            self.live.discard(writer)
            writer.transport.abort()

    async def exchange(self, reader, writer):
        request = await read_head(reader)
        if not request:
            return False
        self.counts["requests"] += 1
        if "expect" in request.low:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b"".join([x async for x in read_body(request, reader)])
        await self.gate.wait()
        if request.low.get("authorization", "")[len("Bearer "):] in self.expired:
            self.did("expired", request)
            return await self.answer(writer, {"code": 401})
        rule = await self.choose(request)
        if rule["do"] in ("status", "cut") and not rule.get("late") and "bytes" not in rule:
            return await self.answer(writer, rule)
        if rule["do"] == "stall" and "bytes" not in rule and "events" not in rule:
            await self.spoil(rule, reader, writer)
            rule = {"do": "pass"}
        up_reader, up_writer = await self.upstream()
        try:
            up_writer.write(request.head(("connection", "expect", "transfer-encoding", "content-length")).rstrip(b"\r\n") +
                            b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await up_writer.drain()
            answer = await read_head(up_reader)
            if not answer:
                self.counts["upstream_closed"] += 1
                raise Cut
            if rule.get("late"):
                async for _ in read_body(answer, up_reader):
                    pass
                whole = await self.answer(writer, rule)
            else:
                whole = await self.relay(rule, answer, up_reader, reader, writer)
        except BaseException:
            up_writer.transport.abort()
            raise
        if answer.low.get("connection", "").lower() == "close" or not whole:
            up_writer.transport.abort()
        else:
            self.idle.append((up_reader, up_writer))
        return request.low.get("connection", "").lower() != "close"

    async def answer(self, writer, rule):
        if rule.get("do") == "cut":
            raise Cut
        code, text = rule["code"], json.dumps(status_object(rule["code"])).encode()
        more = "Retry-After: %d\r\n" % rule["retry_after"] if "retry_after" in rule else ""
        writer.write(("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n" %
                      (code, REASON.get(code, "Unknown"), len(text), more)).encode() + text)
        await writer.drain()
        return True

    async def relay(self, rule, answer, up_reader, reader, writer):
        """Passes the answer on under the rule; False when it was ended before the server ended it."""
        chunked = answer.low.get("transfer-encoding", "").lower() == "chunked"

        def send(data):
            if data:
                writer.write(b"%x\r\n%s\r\n" % (len(data), data) if chunked else data)

        writer.write(answer.head())
        limit, events, passed, rest = rule.get("bytes"), rule.get("events"), 0, b""
        limit = int(self.some(limit)) if limit is not None else None
        events = int(self.some(events)) if events is not None else 0 if rule["do"] in ON_WATCH else None
        async for data in read_body(answer, up_reader, lambda: not reader.at_eof() and not writer.is_closing()):
            await self.gate.wait()
            if limit is not None and passed + len(data) > limit:
                send(data[:limit - passed])
                await self.spoil(rule, reader, writer)
                send(data[limit - passed:])
                limit = None
            elif events is not None:
                lines = (rest + data).splitlines(keepends=True)
                rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
                send(b"".join(lines[:events]))
                if len(lines) > events or (len(lines) == events and rest):
                    left = b"".join(lines[events:]) + rest
                    if await self.spoil(rule, reader, writer, left, send):
                        writer.write(b"0\r\n\r\n")
                        await writer.drain()
                        return False
                    send(left)
                    events = None
                else:
                    events -= len(lines)
            else:
                send(data)
            passed += len(data)
            await writer.drain()
        send(rest)
        if chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def spoil(self, rule, reader, writer, left=b"", send=None):
        """Does what the rule is for; True: end the stream in good order, False: go on."""
        if rule["do"] == "stall":
            await writer.drain()
            end, version = time.monotonic() + self.some(rule.get("s", 10**9)), self.version
            while time.monotonic() < end and version == self.version:
                await asyncio.sleep(0.05)
                if reader.at_eof() or writer.is_closing():
                    raise Cut
            return False
        if rule["do"] == "gone":
            send(json.dumps({"type": "ERROR", "object": status_object(410)}).encode() + b"\n")
            return True
        if rule["do"] == "truncate":
            if rule.get("mid"):
                line = left.split(b"\n")[0]
                send(line[:max(1, len(line) // 2)])
            if rule.get("clean"):
                return True
        await writer.drain()
        raise Cut

    # -- raw --

    async def pass_raw(self, reader, writer):
        self.live.add(writer)
        self.counts["connections"] += 1
        other = None
        try:
            rule = await self.choose()
            if rule["do"] == "cut" and "bytes" not in rule and "s" not in rule:
                return
            up_reader, other = await asyncio.open_connection(self.host, self.port)
            tasks = [asyncio.ensure_future(self.pump(reader, other, {"do": "pass"})),
                     asyncio.ensure_future(self.pump(up_reader, writer, rule))]
            if rule["do"] == "cut" and "s" in rule:
                tasks.append(asyncio.ensure_future(asyncio.sleep(self.some(rule["s"]))))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass
        finally:
            self.live.discard(writer)
            for w in (writer, other):
                if w:
                    w.transport.abort()

    async def pump(self, reader, writer, rule):
        left = int(self.some(rule["bytes"])) if "bytes" in rule else None
        while True:
            data = await reader.read(65536)
            await self.gate.wait()
            if left is not None and len(data) > left:
                writer.write(data[:left])
                await writer.drain()
                if rule["do"] == "cut":
                    return
                await asyncio.sleep(self.some(rule.get("s", 10**9)))
                data, left = data[left:], None
            elif left is not None:
                left -= len(data)
            writer.write(data)
            await writer.drain()
            if not data:
                return

    # -- control --

    async def control(self, reader, writer):
        async for line in reader:
            try:
                plan = json.loads(line)
                self.order(plan)
                said = {"counts": self.counts, "open": len(self.live), "log": list(self.log) if plan.get("log") else []}
            except (ValueError, KeyError, TypeError) as e:
                said = {"error": repr(e)}
            writer.write(json.dumps(said).encode() + b"\n")
            await writer.drain()
        writer.close()


async def main():
    parser = argparse.ArgumentParser()
    for name in ("upstream", "ca", "cert", "key", "plan"):
        parser.add_argument("--" + name)
    parser.add_argument("--raw", action="store_true")
    args = parser.parse_args()
    proxy, parent, inward = Proxy(args), os.getppid(), None
    if not args.raw:
        inward = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        inward.load_cert_chain(args.cert, args.key)
        inward.set_alpn_protocols(["http/1.1"])
    if args.plan:
        with open(args.plan, encoding="utf-8") as f:
            proxy.order(json.load(f))
    front = await asyncio.start_server(proxy.pass_raw if args.raw else proxy.serve, "127.0.0.1", 0, ssl=inward, limit=2**20)
    control = await asyncio.start_server(proxy.control, "127.0.0.1", 0, limit=2**22)
    print(front.sockets[0].getsockname()[1], control.sockets[0].getsockname()[1], flush=True)
    while os.getppid() == parent:
        await asyncio.sleep(0.5)


asyncio.run(main())

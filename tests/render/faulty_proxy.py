"""A proxy that makes trouble: ``python tests/render/faulty_proxy.py UPSTREAM_PORT --rate 0.3 --seed 1``.

It prints ``{"port": ...}``, and at SIGTERM what it has done, counted by kinds of trouble. Each request that a
client makes gets into one kind of trouble at most:

drop_before, drop_after   the connection is closed before, or after, the server has got the request
reset_before, reset_after the same with RST instead of FIN
delay                     the answer comes late
truncated                 the connection ends in the middle of the body
shortened                 the body is cut, and Content-Length says so
too_many, too_many_later  429, without and with Retry-After: seconds or a date
error_500, 502, 503       answered by the proxy, half of them after the server has got the request
wrong_type                the server's answer, as HTML
twice                     the server gets the request twice; the client gets the first answer
stale                     the answer to an earlier request of the same method, perhaps about something else
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import socket
import struct
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KINDS = (
    *("drop_before", "drop_after", "reset_before", "reset_after", "delay", "truncated", "shortened"),
    *("too_many", "too_many_later", "error_500", "error_502", "error_503", "wrong_type", "twice", "stale"),
)
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
_LINGER = struct.pack("ii", 1, 0)
_MAX_DELAY_S = 0.3


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Trouble:
    """Decides what happens to each request, by a generator of its own."""

    def __init__(self, upstream_port, *, rate, seed, kinds):
        self.upstream_port, self.rate, self.kinds = upstream_port, rate, kinds
        self.counts = Counter()
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.earlier = {}

    def draw(self):
        with self.lock:
            self.counts["requests"] += 1
            kind = self.random.choice(self.kinds) if self.random.random() < self.rate else None
            self.counts[kind or "untouched"] += 1
            return kind, self.random.random()

    def forward(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP]
            return Answer(response.status, kept, response.read())
        finally:
            connection.close()

    def swap(self, method, answer):
        """Keep an answer, and give another one that was kept before, if there is one."""
        with self.lock:
            kept = self.earlier.setdefault(method, [])
            kept.append(answer)
            chosen = self.random.choice(kept)
            del kept[:-20]
            return chosen


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    trouble: Trouble

    def log_message(self, *_):
        pass

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        kind, share = self.trouble.draw()
        if kind in ("drop_before", "reset_before"):
            return self._cut(reset=kind == "reset_before")
        if kind in ("too_many", "too_many_later"):
            return self._too_many(kind, share)
        if kind is not None and kind.startswith("error_") and share < 0.5:
            return self._send(Answer(int(kind.removeprefix("error_")), [], b"trouble"))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        answer = self.trouble.forward(self.command, self.path, headers, body)
        if kind == "twice":
            self.trouble.forward(self.command, self.path, headers, body)
        if not self.path.startswith("/v1/files"):
            earlier = self.trouble.swap(self.command, answer)
            answer = earlier if kind == "stale" else answer
        return self._spoil(answer, kind, share)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that the library calls

    def _spoil(self, answer, kind, share):
        if kind in ("drop_after", "reset_after"):
            return self._cut(reset=kind == "reset_after")
        if kind is not None and kind.startswith("error_"):
            return self._send(Answer(int(kind.removeprefix("error_")), [], b"trouble"))
        if kind == "delay":
            time.sleep(share * _MAX_DELAY_S)
        if kind == "shortened":
            answer = Answer(answer.status, answer.headers, answer.body[: int(share * len(answer.body))])
        if kind == "wrong_type":
            others = [item for item in answer.headers if item[0].lower() != "content-type"]
            answer = Answer(answer.status, [*others, ("Content-Type", "text/html")], answer.body)
        if kind == "truncated":
            self._send(answer, n_bytes=int(share * len(answer.body)))
            return self._cut(reset=False)
        return self._send(answer)

    def _too_many(self, kind, share):
        headers = []
        if kind == "too_many_later":
            date = datetime.now(UTC) + timedelta(seconds=1)
            headers = [("Retry-After", "1" if share < 0.5 else format_datetime(date, usegmt=True))]
        return self._send(Answer(429, headers, b""))

    def _send(self, answer, n_bytes=None):
        try:
            self.send_response_only(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[:n_bytes])
            self.wfile.flush()
        except OSError:
            self.close_connection = True  # the client has gone

    def _cut(self, *, reset):
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            self.connection.close()
            # The library's own streams would still hold the connection open.
            self.rfile.close()
            self.wfile.close()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        """Say nothing: clients that are killed leave broken pipes behind."""

    def shutdown_request(self, request):
        """Close a connection as it is: one with SO_LINGER is reset by that."""
        try:
            if request.fileno() >= 0 and not request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER):
                request.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        request.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("upstream_port", type=int)
    parser.add_argument("--rate", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    options = parser.parse_args()
    trouble = Trouble(
        options.upstream_port, rate=options.rate, seed=options.seed, kinds=options.kinds.split(",")
    )
    Handler.trouble = trouble
    server = Server(("127.0.0.1", 0), Handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(json.dumps({"port": server.server_address[1]}), flush=True)  # noqa: T201 - what the test reads
    try:
        server.serve_forever()
    finally:
        print(json.dumps(trouble.counts), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()

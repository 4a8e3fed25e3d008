from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from amper_spark.render.client.access import AccessToken
from amper_spark.render.client.retrying import Patience
from amper_spark.render.client.service import RenderService

MEDIA_TYPE = "application/vnd.api+json"


class Scripted:
    """A server that answers requests in turn, and remembers them.

    Parameters
    ----------
    answers : sequence of tuple
        Status, headers and body of each answer; the last one is given again and again.
    """

    def __init__(self, *answers):
        self.requests, self._answers = [], list(answers)
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                scripted.requests.append((self.command, self.path, dict(self.headers), body))
                status, headers, content = scripted.next()
                self.send_response(status)
                for name, value in {"Content-Type": MEDIA_TYPE, **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815 - the name that the library calls

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def next(self):
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Counted(threading.Event):
    """Nobody waits, but it is told for how long they would have."""

    def __init__(self):
        super().__init__()
        self.waited_s = []

    def wait(self, timeout=None):
        self.waited_s.append(timeout)
        return False


@pytest.fixture
def scripted():
    running = []

    def start(*answers):
        running.append(Scripted(*answers))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def serving():
    """Make clients of services."""
    made = []

    def client(url, *, token="amper_0", patience_s=20.0, timeout_s=10.0):  # noqa: S107 - nobody's
        patience = Patience(patience_s, threading.Event())
        source = "the file token"
        service = RenderService(
            url, AccessToken(token, source), patience=patience, timeout_s=timeout_s, max_connections=2
        )
        made.append(service)
        return made[-1]

    yield client
    for service in made:
        service.close()


def answer(status="CREATED", *, render_id="a1", code=200, headers=(), **attributes):
    data = {"type": "simple_renders", "id": render_id, "attributes": {"status": status, **attributes}}
    return code, dict(headers), json.dumps({"data": data}).encode()

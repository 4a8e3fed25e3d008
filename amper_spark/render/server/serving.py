"""uvicorn, set up so that neither a slow, a silent nor a deaf client holds a connection for long."""

from __future__ import annotations

import logging
import signal
import socket
import struct
from typing import TYPE_CHECKING

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from amper_spark.errors import AmperSparkError
from amper_spark.render.server.envelopes import RefusalError, refused

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp, Receive, Scope, Send

_LOG = logging.getLogger(__name__)

HEAD_TIMEOUT_S = 15
SEND_TIMEOUT_S = 60.0
"""Within this time a client has to take something of what it has asked for."""
_KEEP_ALIVE_S = 15
_STOP_TIMEOUT_S = 10
_MAX_HEAD_BYTES = 32_768
_MAX_CONNECTIONS = 1_000
_BACKLOG = 512
_LENGTHS = {b"transfer-encoding", b"content-length"}
_AT_ONCE = struct.pack("ii", 1, 0)  # struct linger: on, for 0 s


class ListeningError(AmperSparkError):
    """An address that cannot be listened at."""


def listen(host: str, port: int) -> socket.socket:
    """Listen at an address.

    Parameters
    ----------
    host : str
    port : int
        0: any that is free.

    Returns
    -------
    socket.socket

    Raises
    ------
    ListeningError
        In use, not allowed, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ListeningError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}; say others by --host, --port"
        ) from error
    # asyncio sees to this for its own sockets only; without, each answer waits 40 ms for its second half.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the URL of what listens."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; requests that are being answered are, if it takes no longer than 10 s.

    Parameters
    ----------
    app : ASGI application
    listening : socket.socket
    """
    server = server_of(app)

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn raises the signal again once it has stopped: it must not end the process before its workers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    server.run(sockets=[listening])


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Set uvicorn up.

    Parameters
    ----------
    app : ASGI application

    Returns
    -------
    uvicorn.Server
    """
    settings = uvicorn.Config(
        Unambiguous(app),
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_STOP_TIMEOUT_S,
    )
    return uvicorn.Server(settings)


class Unambiguous:
    """ASGI middleware that takes no body whose end a proxy might see elsewhere [RFC 9112, 6.1].

    What follows it could be one request for the proxy and another one here. The connection is closed.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        names = {name for name, _ in scope.get("headers", ())} & _LENGTHS
        is_chunked = b"transfer-encoding" in names
        if is_chunked and (len(names) > 1 or scope["http_version"] == "1.0"):
            _LOG.warning("a request was refused that had lengths of two kinds")
            refusal = RefusalError(
                400,
                "AMBIGUOUS_LENGTH",
                "send Content-Length, or Transfer-Encoding by HTTP/1.1",
                headers={"Connection": "close"},
            )
            await refused(refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)


class PatientProtocol(H11Protocol):
    """HTTP/1.1 whose patience ends: clients have `HEAD_TIMEOUT_S` for what the server waits for.

    That is the head of a request, and the rest of a body once it has been answered. While an endpoint reads a
    body, the endpoint sees to it. Of an answer, something has to be taken every `SEND_TIMEOUT_S`.
    """

    _timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # writing pauses for as long as anything is left to be sent
        self._wait_or_not()

    def pause_writing(self) -> None:
        """Begin to wait until the client takes what there is."""
        super().pause_writing()
        self._watch_sending(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Stop waiting: all has been taken."""
        super().resume_writing()
        self._stop_watching()

    def data_received(self, data: bytes) -> None:
        """See whether this was what was waited for."""
        super().data_received(data)
        self._wait_or_not()

    def on_response_complete(self) -> None:
        """Begin to wait for what is left of the body."""
        super().on_response_complete()
        self._wait_or_not()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._timer is not None:
            self._timer.cancel()
        self._stop_watching()
        super().connection_lost(exc)

    def _wait_or_not(self) -> None:
        if not self._is_waiting():
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_TIMEOUT_S, self._give_up)

    def _is_waiting(self) -> bool:
        theirs = self.conn.their_state
        return theirs is h11.IDLE or (theirs is h11.SEND_BODY and self.conn.our_state is h11.DONE)

    def _give_up(self) -> None:
        self._timer = None
        if self._is_waiting() and not self.transport.is_closing():
            self.transport.close()

    def _watch_sending(self, left: int) -> None:
        self._send_timer = self.loop.call_later(SEND_TIMEOUT_S, self._cut_off_the_deaf, left)

    def _stop_watching(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _cut_off_the_deaf(self, left_before: int) -> None:
        """Cut the connection if nothing was taken; to close it would wait until all is."""
        left = self.transport.get_write_buffer_size()
        if left >= left_before:
            self._send_timer = None
            # Else the system would go on trying to send what it has, for a quarter of an hour.
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            self.transport.abort()
        else:
            self._watch_sending(left)

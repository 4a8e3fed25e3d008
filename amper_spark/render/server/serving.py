"""uvicorn, set up so that neither a slow nor a silent client holds a connection for long."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp

HEAD_TIMEOUT_S = 15
_KEEP_ALIVE_S = 15
_STOP_TIMEOUT_S = 10
_MAX_HEAD_BYTES = 32_768
_MAX_CONNECTIONS = 1_000
_BACKLOG = 512


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
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ListeningError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}; say others by --host, --port"
        ) from error


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
        app,
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


class PatientProtocol(H11Protocol):
    """HTTP/1.1 whose patience ends: clients have `HEAD_TIMEOUT_S` for what the server waits for.

    That is the head of a request, and the rest of a body once it has been answered. While an endpoint reads a
    body, the endpoint sees to it.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait."""
        super().connection_made(transport)
        self._wait_or_not()

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

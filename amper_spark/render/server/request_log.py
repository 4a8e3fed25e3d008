"""What can be told of each request once it has been answered: for the audit log and the metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request

from amper_spark.render.server.doors import address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
NOWHERE = "none"


@dataclass(frozen=True)
class RequestRecord:
    """A request that has been answered: nothing of it that is secret, or that a client could make up at will.

    Parameters
    ----------
    date : float
        When it came, in seconds since 1970.
    address : str
    token_id : str or None
        None: nobody was let in, or by a signed link.
    method : str
        One of `METHODS`, or ``OTHER``.
    route : str
        Its path as the endpoints have it, such as ``/v1/files/{job_id}/{name}``, or `NOWHERE`.
    status : int
        0: the client was gone before there was one.
    duration_s : float
        Until all of the answer was on its way.
    """

    date: float
    address: str
    token_id: str | None
    method: str
    route: str
    status: int
    duration_s: float


class RequestLog:
    """ASGI middleware that tells of each request.

    Parameters
    ----------
    app : ASGI application
    tell : sequence of callable
        Each is called with a `RequestRecord`.
    """

    def __init__(self, app: ASGIApp, tell: Sequence[Callable[[RequestRecord], None]]) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        date, began = time.time(), time.perf_counter()
        status = 0

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            record = RequestRecord(
                date=date,
                address=address_of(Request(scope)),
                token_id=scope.get("token_id"),
                method=scope["method"] if scope["method"] in METHODS else "OTHER",
                route=getattr(scope.get("route"), "path", NOWHERE),
                status=status,
                duration_s=time.perf_counter() - began,
            )
            for tell in self._tell:
                tell(record)

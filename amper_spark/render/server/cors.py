"""Web pages of other origins: those that are allowed to, may use the API from a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.routing import Match

from amper_spark.render.server.envelopes import RefusalError, refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

_METHODS = ("GET", "HEAD", "POST", "DELETE")
_ASKED = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Range",
)
_TOLD = ("Content-Disposition", "Content-Range", "ETag", "Location", "Retry-After")


class Cors:
    """ASGI middleware that answers browsers which ask beforehand, and only for what there is.

    Parameters
    ----------
    app : ASGI application
    origins : sequence of str
        Such as ``https://studio.example``.
    routes : sequence of BaseRoute
        What there is to ask for.
    """

    def __init__(self, app: ASGIApp, *, origins: Sequence[str], routes: Sequence[BaseRoute]) -> None:
        self._routes = routes
        self._app = CORSMiddleware(
            app, allow_origins=origins, allow_methods=_METHODS, allow_headers=_ASKED, expose_headers=_TOLD
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        method = _asked_method(scope)
        if method is not None:
            refusal = self._refusal({**scope, "method": method})
            if refusal is not None:
                await refused(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, asked: Scope) -> RefusalError | None:
        matches = {route.matches(asked)[0] for route in self._routes}
        if Match.FULL in matches:
            return None
        if Match.PARTIAL in matches:
            return RefusalError(405, "METHOD_NOT_ALLOWED", "this URL does not do what you ask for")
        return RefusalError(404, "NOT_FOUND", "there is nothing at this URL")


def _asked_method(scope: Scope) -> str | None:
    """Return the method that a browser asks for beforehand; None if this is no such request."""
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return None
    headers = Request(scope).headers
    return headers.get("access-control-request-method") if "origin" in headers else None

"""Headers that every answer has: browsers are to run nothing, guess nothing, and keep nothing unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BARE_POLICY = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The part of a Content-Security-Policy that pages with their own should repeat."""

_ALWAYS = {
    "Content-Security-Policy": f"default-src 'none'; {BARE_POLICY}",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_OF_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}


class SecureHeaders:
    """ASGI middleware that adds these headers where an endpoint has not set its own.

    Parameters
    ----------
    app : ASGI application
    allows_other_origins : bool
        Whether pages of other origins may embed files, such as music to be played.
    """

    def __init__(self, app: ASGIApp, *, allows_other_origins: bool) -> None:
        self._app = app
        policy = "cross-origin" if allows_other_origins else "same-origin"
        self._headers = {**_ALWAYS, "Cross-Origin-Resource-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers.update(_OF_HTTPS)
                # What has a tag may be kept by whoever asked, but not used again without asking.
                headers.setdefault("Cache-Control", "private, no-cache" if "etag" in headers else "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)

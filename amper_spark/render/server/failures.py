"""Whatever goes wrong, the client gets a JSON:API answer, and never the server's own words."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match

from amper_spark.render.server.busy import busy
from amper_spark.render.server.envelopes import TITLES, Fault, RefusalError, refused
from amper_spark.render.server.pages.answers import refusal_page

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger(__name__)

_METHODS = ("DELETE", "GET", "HEAD", "POST")
_NOT_ALLOWED = 405
_DETAILS = {404: "there is nothing at this URL: see /docs", 405: "this URL does not do that: see /docs"}
_PAGE_DETAILS = {
    404: "The address may be mistyped, or what it led to is no longer here.",
    405: "This address is no page: it can only be sent something.",
}
_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
_API = "/v1"
_SOURCES = {"query": "parameter", "path": "parameter", "header": "header"}


class Failures:
    """ASGI middleware that answers where an endpoint has failed, and logs why.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        has_begun = False

        async def noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception:
            if has_begun or scope["type"] != "http":
                raise  # the connection is cut: what has been sent is not whole
            _LOG.exception("an endpoint failed")
            failure = RefusalError(500, "SERVER_ERROR", "the server has failed, and has logged why")
            await refused(failure)(scope, receive, send)


def answer_refusals(app: FastAPI) -> None:
    """Have an application answer with JSON:API errors.

    Parameters
    ----------
    app : FastAPI
    """
    app.add_exception_handler(RefusalError, _refusal)
    app.add_exception_handler(RequestValidationError, _wrong_parameters)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(sqlite3.OperationalError, _busy)


async def _refusal(_: Request, error: Exception) -> Response:
    return refused(error) if isinstance(error, RefusalError) else refused(_unknown())


async def _wrong_parameters(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        return refused(_unknown())
    faults = [
        Fault(item["msg"], _SOURCES[item["loc"][0]], str(item["loc"][-1]))
        if item["loc"][0] in _SOURCES
        else Fault(item["msg"])
        for item in error.errors()
    ]
    return refused(RefusalError(400, "BAD_PARAMETER", faults))


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        return refused(_unknown())
    is_page = _is_of_a_page(request)
    code = _CODES.get(error.status_code, TITLES.get(error.status_code, "error").upper().replace(" ", "_"))
    details = _PAGE_DETAILS if is_page else _DETAILS
    detail = details.get(error.status_code, str(error.detail))
    headers = {"Allow": _allowed(request)} if error.status_code == _NOT_ALLOWED else error.headers
    refusal = RefusalError(error.status_code, code, detail, headers=headers)
    return refusal_page(request, refusal) if is_page else refused(refusal)


def _is_of_a_page(request: Request) -> bool:
    """Whether a browser asks for something to show that is none of the API's."""
    is_of_api = request.url.path == _API or request.url.path.startswith(f"{_API}/")
    return not is_of_api and "text/html" in request.headers.get("accept", "")


def _allowed(request: Request) -> str:
    """List what can be done at a URL, of which a router names only what the first route can that matches."""
    asked = [{**request.scope, "method": method} for method in _METHODS]
    routes = request.app.routes
    return ", ".join(
        scope["method"] for scope in asked if any(one.matches(scope)[0] is Match.FULL for one in routes)
    )


async def _busy(_: Request, error: Exception) -> Response:
    return refused(busy(error) if isinstance(error, sqlite3.OperationalError) else _unknown())


def _unknown() -> RefusalError:
    return RefusalError(500, "SERVER_ERROR", "the server has failed")

"""Answers of the pages: HTML, or, to the pages' own scripts, JSON; failures just as well."""

from __future__ import annotations

import logging
import sqlite3
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from amper_spark.render.server.busy import busy
from amper_spark.render.server.envelopes import TITLES, RefusalError
from amper_spark.render.server.headers import BARE_POLICY
from amper_spark.render.server.pages.assets import asset_url, assets
from amper_spark.render.server.pages.visitors import SignInError
from amper_spark.render.server.pages.wording import FILTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

_LOG = logging.getLogger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; " + BARE_POLICY.replace("form-action 'none'", "form-action 'self'")
)
"""Of all pages: nothing but files of this server, and nothing written into a page runs."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    # With none at all, browsers would not say either which origin a form is from.
    "Referrer-Policy": "same-origin",
}
_SEE_OTHER = 303
_WORDS: Mapping[int, str] = {
    403: "That is not allowed",
    404: "There is nothing here",
    413: "That is too much",
    422: "That cannot be music yet",
    429: "One moment",
    500: "The server has failed",
    503: "Not now",
}


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("amper_spark.render.server.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= FILTERS
    templates.globals |= {"asset_url": asset_url, "assets": assets}
    return templates


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **shown: object,
) -> Response:
    """Answer with a page.

    Parameters
    ----------
    request : Request
    template : str
    status : int
    headers : mapping of str to str
    **shown
        What the template shows.

    Returns
    -------
    Response
    """
    # Who is signed in, if that has been found out, is shown at the top of all pages.
    told = {"visitor": getattr(request.state, "visitor", None), "path": request.url.path, **shown}
    html = _templates().get_template(template).render(told)
    return HTMLResponse(html, status_code=status, headers={**_HEADERS, **(headers or {})})


def wants_json(request: Request) -> bool:
    """Whether it is a script of a page that asks."""
    return request.headers.get("accept", "") == "application/json"


def see_other(path: str) -> Response:
    """Send a browser on to another page of this server."""
    return RedirectResponse(path, status_code=_SEE_OTHER, headers=_HEADERS)


class PageRoute(APIRoute):
    """A route whose failures are told as pages."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers requests."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except SignInError:
                return _sign_in_first(request)
            except RefusalError as error:
                return refusal_page(request, error)
            except RequestValidationError:
                return refusal_page(request, RefusalError(400, "BAD_PARAMETER", "this address is not whole"))
            except sqlite3.OperationalError as error:
                return refusal_page(request, busy(error))
            except ClientDisconnect:
                raise
            except Exception:  # noqa: BLE001 - whatever it is, people are told so in a page
                _LOG.exception("a page failed")
                detail = "It has logged why. Try again; if it stays so, tell whoever runs this server."
                return refusal_page(request, RefusalError(500, "SERVER_ERROR", detail))

        return answer


def refusal_page(request: Request, refusal: RefusalError) -> Response:
    """Tell that a request is not done, and why."""
    retry_s = refusal.headers.get("Retry-After")
    if wants_json(request):
        problems = [{"pointer": fault.place, "detail": fault.detail} for fault in refusal.faults]
        told: dict[str, Any] = {"title": title_of(refusal.status), "problems": problems}
        told |= {"retry_after_s": int(retry_s)} if retry_s else {}
        return JSONResponse(told, refusal.status, {**_HEADERS, **refusal.headers})
    return page(
        request,
        "failure.html",
        status=refusal.status,
        headers=refusal.headers,
        title=title_of(refusal.status),
        faults=[fault.detail for fault in refusal.faults],
        retry_s=retry_s if request.method == "GET" else None,
    )


def title_of(status: int) -> str:
    """Say what a failure is, to people."""
    return _WORDS.get(status) or TITLES.get(status) or HTTPStatus(status).phrase


def _sign_in_first(request: Request) -> Response:
    if wants_json(request):
        told = {"title": "Your sign-in has expired", "problems": [], "sign_in": True}
        return JSONResponse(told, 401, _HEADERS)
    # What was posted cannot be sent on; the page that it came from can be come back to.
    asked = request.url.path
    if request.method == "GET" and request.url.query:
        asked += f"?{request.url.query}"
    return see_other(f"/sign-in?next={quote(asked, safe='')}")

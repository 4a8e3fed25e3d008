"""Signing in to the pages with an access token, and out again."""

from __future__ import annotations

import re
import time

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import Response  # noqa: TC002 - as above

from amper_spark.render.server.doors import address_of
from amper_spark.render.server.envelopes import RefusalError
from amper_spark.render.server.pages.answers import PageRoute, page, see_other
from amper_spark.render.server.pages.forms import Form, SmallFormOf  # noqa: TC001 - as above
from amper_spark.render.server.pages.sessions import LASTS_S, Session, Sessions, clear_cookie, set_cookie
from amper_spark.render.server.pages.visitors import refuse_other_origins, visitor
from amper_spark.render.server.service import Service, ServiceOf  # noqa: TC001 - as above

_OWN_PATH = re.compile(
    r"/(|compose|music|descriptors/[0-9a-z_]{1,200}|music/[0-9A-Za-z]{1,64})(\?[^\\#\s]{0,500})?"
)
_NOT_VALID = "This token is not valid: it may be mistyped, expired or revoked."
_NOT_TAKEN = 401


def signing_router(sessions: Sessions) -> APIRouter:
    """Make the pages.

    Parameters
    ----------
    sessions : Sessions

    Returns
    -------
    APIRouter
        ``GET`` and ``POST /sign-in``, ``POST /sign-out``.
    """
    router = APIRouter(route_class=PageRoute, include_in_schema=False)

    @router.get("/sign-in")
    def sign_in_form(request: Request) -> Response:
        """Ask for a token."""
        asked = own_path(request.query_params.get("next", ""))
        if visitor(request, sessions) is not None:
            return see_other(asked)
        return page(request, "sign_in.html", next=asked, problem=None)

    @router.post("/sign-in", dependencies=[Depends(refuse_other_origins)])
    def sign_in(request: Request, form: SmallFormOf, service: ServiceOf) -> Response:
        """Let in whoever shows a valid token."""
        return _sign_in(request, form, service, sessions)

    @router.post("/sign-out", dependencies=[Depends(refuse_other_origins)])
    def sign_out(request: Request) -> Response:
        """Have the browser forget who it is."""
        response = see_other("/sign-in")
        clear_cookie(request, response)
        return response

    return router


def own_path(asked: str) -> str:
    """Return a path of one of the pages, or else that of the first one.

    Examples
    --------
    >>> own_path("/music/abc"), own_path("/compose?add=rock_indie_happy")
    ('/music/abc', '/compose?add=rock_indie_happy')
    >>> own_path("//evil.example/"), own_path("https://evil.example"), own_path("/v1/access_tokens")
    ('/', '/', '/')
    """
    return asked if _OWN_PATH.fullmatch(asked) else "/"


def _sign_in(request: Request, form: Form, service: Service, sessions: Sessions) -> Response:
    asked = own_path(form.text("next"))
    try:
        token = service.doors.admit(f"Bearer {form.text('token')}", address_of(request))
    except RefusalError as error:
        if error.status != _NOT_TAKEN:
            raise
        return page(request, "sign_in.html", status=_NOT_TAKEN, next=asked, problem=_NOT_VALID)
    request.scope["token_id"] = token.id
    now = int(time.time())
    until = now + LASTS_S if token.date_expire is None else min(now + LASTS_S, int(token.date_expire))
    response = see_other(asked)
    value = sessions.written(Session(token.id, until))
    set_cookie(request, response, value, max_age_s=until - now)
    return response

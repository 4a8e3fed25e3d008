"""Who looks at a page: by its cookie, which is held against the tokens at each request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations

from amper_spark.render.server.envelopes import RefusalError
from amper_spark.render.server.pages.sessions import Sessions, shown_cookie
from amper_spark.render.server.tokens import Token

if TYPE_CHECKING:
    from amper_spark.render.server.service import Service

_OWN_SITES = ("same-origin", "none")


class SignInError(Exception):
    """Nobody is signed in, or no longer."""


class Entrance:
    """A dependency of pages: lets in whoever is signed in with a token that has these scopes.

    Parameters
    ----------
    sessions : Sessions
    *scopes : str
        Of `amper_spark.render.server.tokens.SCOPES`.
    """

    def __init__(self, sessions: Sessions, *scopes: str) -> None:
        self._sessions = sessions
        self._scopes = scopes

    def __call__(self, request: Request) -> Token:
        """Return the token of whoever looks.

        Raises
        ------
        SignInError
            Nobody is signed in; the token has expired or been revoked.
        RefusalError
            403: the token lacks a scope, or a page of another site asks. 429: too often.
        """
        token = visitor(request, self._sessions)
        if token is None:
            raise SignInError
        request.scope["token_id"] = token.id
        request.state.visitor = token
        service: Service = request.app.state.service
        service.doors.count(token)
        refuse_other_origins(request)
        for scope in self._scopes:
            if scope not in token.scopes:
                raise RefusalError(
                    403, "FORBIDDEN", f"this token lacks the scope {scope}: sign in with one that has it"
                )
        return token


def visitor(request: Request, sessions: Sessions) -> Token | None:
    """Find the token of whoever is signed in, as it is now."""
    now = time.time()
    session = sessions.read(shown_cookie(request), now=now)
    service: Service = request.app.state.service
    token = service.tokens.find(session.token_id) if session else None
    return token if token is not None and token.is_valid(now) else None


async def _signed_in(request: Request) -> Token:  # async: not worth a thread
    found: Token = request.state.visitor
    return found


SignedIn = Annotated[Token, Depends(_signed_in)]
"""An endpoint's parameter of this type is whoever an `Entrance` has let in."""


def refuse_other_origins(request: Request) -> None:
    """Refuse what a page of another site has a browser post.

    By SameSite, cookies come with what other sites lead to, and with nothing that they post; this holds where
    a browser is old, and for signing in, which needs no cookie.

    Raises
    ------
    RefusalError
        403.
    """
    if request.method in ("GET", "HEAD"):
        return
    site = request.headers.get("sec-fetch-site", "none")
    origin = request.headers.get("origin")
    own = urlsplit(str(request.url))[:2]
    if site not in _OWN_SITES or (origin is not None and tuple(urlsplit(origin)[:2]) != tuple(own)):
        raise RefusalError(403, "OTHER_ORIGIN", "forms of other sites are not taken: use this server's own")

"""The cookie by which a browser is known, once somebody has shown it an access token.

It names the token, and holds neither it nor anything of it. It opens pages only, never the API: no script of
another site that gets a browser to send it can do more than look at a page.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LASTS_S = 12 * 3_600

_PURPOSE = b"amper-spark: sign-in to pages, 1"
_VALUE = re.compile(r"([0-9a-f]{16})\.([0-9]{1,12})\.([0-9a-f]{64})")
_NAME = "amper_session"
_SECURE_PREFIX = "__Host-"


class Session(NamedTuple):
    """What a cookie says.

    Parameters
    ----------
    token_id : str
    expires : int
        Seconds since 1970.
    """

    token_id: str
    expires: int


class Sessions:
    """Writes and reads cookies.

    Parameters
    ----------
    secret : bytes
        The server's. Cookies are signed with a key of their own, derived from it: a signature of a link to
        a file is none of a cookie.

    Examples
    --------
    >>> sessions = Sessions(b"secret")
    >>> value = sessions.written(Session("4be1cc8d1b9a60f3", 2_000))
    >>> sessions.read(value, now=1_999.0)
    Session(token_id='4be1cc8d1b9a60f3', expires=2000)
    >>> sessions.read(value, now=2_000.0), Sessions(b"other").read(value, now=1_999.0)
    (None, None)
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.new(secret, _PURPOSE, hashlib.sha256).digest()

    def written(self, session: Session) -> str:
        """Return the value of a cookie."""
        return f"{session.token_id}.{session.expires}.{self._signature(session)}"

    def read(self, value: str, *, now: float) -> Session | None:
        """Read the value of a cookie; None if it is not this server's, or not of now."""
        parts = _VALUE.fullmatch(value)
        if parts is None:
            return None
        session = Session(parts[1], int(parts[2]))
        is_own = hmac.compare_digest(self._signature(session), parts[3])
        return session if is_own and now < session.expires else None

    def _signature(self, session: Session) -> str:
        text = f"{session.token_id}.{session.expires}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def shown_cookie(request: Request) -> str:
    """Return the value of the cookie that a request shows; empty if there is none."""
    return request.cookies.get(_name(request), "")


def set_cookie(request: Request, response: Response, value: str, *, max_age_s: int) -> None:
    """Have a browser keep a cookie, for pages of this server alone, and out of the reach of scripts."""
    response.set_cookie(
        _name(request),
        value,
        max_age=max_age_s,
        path="/",
        secure=_is_https(request),
        httponly=True,
        # Links in mails and on other pages open; what changes anything is posted, and other sites cannot.
        samesite="lax",
    )


def clear_cookie(request: Request, response: Response) -> None:
    """Have a browser forget its cookie."""
    set_cookie(request, response, "", max_age_s=0)


def _name(request: Request) -> str:
    # A name with this prefix is refused by browsers unless it came by HTTPS from this very host.
    return f"{_SECURE_PREFIX if _is_https(request) else ''}{_NAME}"


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https"

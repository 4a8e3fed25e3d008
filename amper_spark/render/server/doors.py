"""Who is let in: tokens by Bearer or Basic, what each is for, and how often it may ask.

A right token always opens, however many wrong ones come from the same address: behind a proxy or a firewall,
many clients share one. To guess 256 random bits is hopeless at any rate; the limit on failures only keeps
them cheap.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import math
from typing import TYPE_CHECKING

from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations

from amper_spark.render.server.envelopes import RefusalError
from amper_spark.render.server.rates import Buckets
from amper_spark.render.server.tokens import Token, TokenError

if TYPE_CHECKING:
    from amper_spark.render.server.tokens import Tokens

_FAILURES_PER_MINUTE, _FAILURES_AT_ONCE = 60, 20
_AT_ONCE_SHARE = 0.1
UNKNOWN = "unknown"
"""The address of whoever has none that can be read."""
_CHALLENGE = 'Bearer realm="amper-spark", Basic realm="amper-spark", charset="UTF-8"'


class Doors:
    """Lets tokens in.

    Parameters
    ----------
    tokens : Tokens
    requests_per_minute : int
        Of one token.
    """

    def __init__(self, tokens: Tokens, *, requests_per_minute: int) -> None:
        self._tokens = tokens
        self._requests = Buckets(per_minute=requests_per_minute, at_once=requests_per_minute * _AT_ONCE_SHARE)
        self._failures = Buckets(per_minute=_FAILURES_PER_MINUTE, at_once=_FAILURES_AT_ONCE)

    def admit(self, authorization: str | None, address: str) -> Token:
        """Find who asks.

        Parameters
        ----------
        authorization : str or None
            The header.
        address : str
            Where the request comes from.

        Returns
        -------
        Token

        Raises
        ------
        RefusalError
            401: no token, or none that is valid; which of these is not told. 429: too often.
        """
        token = self.find(authorization, address)
        self.count(token)
        return token

    def find(self, authorization: str | None, address: str) -> Token:
        """Find who asks, as `admit` does, without counting the request of whoever is found.

        Raises
        ------
        RefusalError
            401: no valid token. 429: too many such from this address.
        """
        try:
            return self._tokens.authenticate(shown_token(authorization))
        except TokenError:
            self._hold_back(self._failures, network_of(address))
            raise unauthorized() from None

    def count(self, token: Token) -> None:
        """Count a request of a token that is known otherwise, such as by the cookie of a page.

        Raises
        ------
        RefusalError
            429: too often.
        """
        self._hold_back(self._requests, token.id)

    def count_more(self, token_id: str, permits: float) -> None:
        """Count a request that is done already as several: those after it wait for longer."""
        self._requests.owe(token_id, permits)

    def _hold_back(self, buckets: Buckets, key: str) -> None:
        wait_s = buckets.take(key)
        if wait_s > 0:
            seconds = math.ceil(wait_s)
            raise RefusalError(
                429,
                "TOO_MANY_REQUESTS",
                f"ask again in {seconds} s, and less often",
                headers={"Retry-After": str(seconds)},
            )


class Door:
    """A dependency of endpoints: lets in the tokens that have a scope.

    Parameters
    ----------
    scope : str
        One of `amper_spark.render.server.tokens.SCOPES`.
    """

    def __init__(self, scope: str) -> None:
        self.scope = scope

    def __call__(self, request: Request) -> Token:
        """Return the token that asks.

        Raises
        ------
        RefusalError
            401, 403 or 429.
        """
        doors: Doors = request.app.state.service.doors
        token = doors.find(request.headers.get("authorization"), address_of(request))
        request.scope["token_id"] = token.id  # before it is counted: the audit log tells who asks too often
        doors.count(token)
        if self.scope not in token.scopes:
            raise RefusalError(
                403, "FORBIDDEN", f"this token lacks the scope {self.scope}: use or ask for one that has it"
            )
        return token


READ = Door("read")
RENDER = Door("render")
TOKENS = Door("tokens")


def unauthorized() -> RefusalError:
    """Refuse whoever has no valid token."""
    return RefusalError(
        401,
        "UNAUTHORIZED",
        "show a valid access token: Authorization: Bearer TOKEN, or Basic with it as user name",
        headers={"WWW-Authenticate": _CHALLENGE},
    )


def shown_token(authorization: str | None) -> str:
    """Read the token out of an Authorization header; empty if there is none.

    Examples
    --------
    >>> shown_token("Bearer amper_0"), shown_token("Basic YW1wZXJfMDo="), shown_token("Basic ?")
    ('amper_0', 'amper_0', '')
    """
    scheme, _, credentials = (authorization or "").partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        return credentials
    if scheme.lower() != "basic":
        return ""
    try:
        name, colon, _ = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return ""
    return name if colon else ""


def address_of(request: Request) -> str:
    """Say where a request comes from: an IP address, or `UNKNOWN`.

    Behind a proxy that passes ``X-Forwarded-For`` on as it comes, this can be any text of any length.
    """
    host = request.client.host.partition("%")[0] if request.client else ""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return UNKNOWN


def network_of(address: str) -> str:
    """Say who has an address: of IPv6, everybody has 2 to the 64.

    Examples
    --------
    >>> network_of("192.0.2.7"), network_of("::ffff:192.0.2.7"), network_of("2001:db8:1:2:3:4:5:6")
    ('192.0.2.7', '192.0.2.7', '2001:db8:1:2::/64')
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped or ipaddress.ip_network(f"{address}/64", strict=False))

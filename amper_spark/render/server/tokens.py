"""Access tokens: who may ask the server for what.

A token is ``amper_<id>_<secret>``. Of the secret, 256 random bits, only the SHA-256 is kept: what is random
needs no slow hash. It is the hash that is looked up. Whoever does not have the secret finds nothing there,
whether the id is unknown, or that of a token that is valid, has expired or is revoked. Where there is nothing
a token of nobody's is found, so that also this takes the same time as to find one that has expired; all are
told in the same words. How near a wrong hash comes to one that is kept says nothing of any secret.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from amper_spark.errors import AmperSparkError, ParameterError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from amper_spark.render.server.database import Database

Scope = Literal["render", "read", "tokens"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""``render``: music and its files; ``read``: entities; ``tokens``: making and revoking tokens."""

_ID_BYTES, _SECRET_BYTES = 8, 32
_FIND = """
SELECT * FROM tokens WHERE secret_sha256 = ?
UNION ALL SELECT '', x'', '', '', '', 0.0, NULL, 0.0, 0.0, NULL
LIMIT 1
"""
_MADE_BY = """
WITH RECURSIVE made (id) AS (
    SELECT id FROM tokens WHERE made_by = ? UNION SELECT tokens.id FROM tokens JOIN made ON made_by = made.id
)
SELECT tokens.* FROM tokens JOIN made USING (id) ORDER BY date_create, id
"""
_FORGET = """
DELETE FROM tokens
WHERE min(coalesce(date_revoke, date_expire), coalesce(date_expire, date_revoke)) < ?
    AND id NOT IN (SELECT made_by FROM tokens WHERE made_by IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM jobs WHERE client_id = tokens.id)
"""
_TOKEN = re.compile(r"amper_([0-9a-f]{16})_([0-9A-Za-z_-]{43})")
_REDACTED_LETTERS = 12
_ACCESS_EVERY_S = 60.0  # how exactly the last access is known: writing takes turns
_MAX_NAME = 200
MAX_LASTS_S = 100 * 365.25 * 86_400
"""For how long a token can be made: dates beyond the year 9999 could not even be shown."""
MAX_VALID = 1_000
"""Tokens that may be valid at a time before tokens can make more; whoever runs the server still can."""


class TokenError(AmperSparkError):
    """A token that does not open the door."""


class TooManyTokensError(AmperSparkError):
    """As many tokens are valid as may be."""


@dataclass(frozen=True)
class Token:
    """What is known of a token; its secret is not.

    Parameters
    ----------
    id : str
    redacted : str
        How it begins.
    display_name : str
    scopes : frozenset of str
        Of `SCOPES`.
    date_create : float
        Seconds since 1970, as are all dates.
    date_access, date_expire, date_revoke : float or None
    made_by : str or None
        Id of the token that has made it; None: whoever runs the server.
    """

    id: str
    redacted: str
    display_name: str
    scopes: frozenset[str]
    date_create: float
    date_access: float | None
    date_expire: float | None
    date_revoke: float | None
    made_by: str | None

    def is_valid(self, now: float) -> bool:
        """Whether it opens the door at a time."""
        return self.date_revoke is None and (self.date_expire is None or now < self.date_expire)


class Tokens:
    """All tokens of a server.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        display_name: str = "",
        *,
        scopes: Collection[str] = SCOPES,
        lasts_s: float | None = None,
        made_by: str | None = None,
    ) -> tuple[Token, str]:
        """Make a token.

        Parameters
        ----------
        display_name : str
        scopes : collection of str
        lasts_s : float, optional
            None: until it is revoked.
        made_by : str, optional
            Id of the token that asks for it: it must still be valid, and the new one ends no later.

        Returns
        -------
        token : Token
        plaintext : str
            Which nobody can be told again.

        Raises
        ------
        ParameterError
            No such scope, a name that is too long, or a time that is none.
        TokenError
            The token that asks has expired or been revoked meanwhile, or may do less than the new one.
        TooManyTokensError
            A token asks, and `MAX_VALID` are valid already.
        """
        if not scopes or not set(scopes) <= set(SCOPES):
            told = ", ".join(sorted(scopes)) or "none"
            raise ParameterError(f"scopes are {', '.join(SCOPES)}, at least one of them, got {told}")
        if len(display_name) > _MAX_NAME or not display_name.isprintable():
            raise ParameterError(f"display_name must be at most {_MAX_NAME} printable letters")
        if lasts_s is not None and not 0 < lasts_s <= MAX_LASTS_S:
            raise ParameterError(
                f"a token must last longer than 0 s, and 100 years at most, got {lasts_s:g} s"
            )
        token_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
        plaintext = f"amper_{token_id}_{secret}"
        with self._database.transaction() as connection:
            now = time.time()
            ends = [] if lasts_s is None else [now + lasts_s]
            if made_by is not None:
                # Looked up again: a request can take long, and its token may be revoked meanwhile.
                maker = self.find(made_by)
                if maker is None or not maker.is_valid(now) or not set(scopes) <= maker.scopes:
                    raise TokenError("the token that asks is not valid any more, or may do less")
                ends += [] if maker.date_expire is None else [maker.date_expire]
                if _n_valid(connection, now) >= MAX_VALID:
                    raise TooManyTokensError(f"{MAX_VALID:,} tokens are valid: revoke some first")
            row = connection.execute(
                "INSERT INTO tokens"
                " (id, secret_sha256, redacted, display_name, scopes, date_create, date_expire, made_by)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    *(token_id, _digest(secret), plaintext[:_REDACTED_LETTERS] + "...", display_name),
                    *(" ".join(sorted(scopes)), now, min(ends, default=None), made_by),
                ),
            ).fetchone()
        return _token(row), plaintext

    def authenticate(self, plaintext: str) -> Token:
        """Find the token that somebody has shown.

        Parameters
        ----------
        plaintext : str

        Returns
        -------
        Token

        Raises
        ------
        TokenError
            It is unknown, wrong, expired or revoked: which of these is not told.
        """
        parts = _TOKEN.fullmatch(plaintext)
        token_id, secret = parts.groups() if parts else ("", "")
        token = _token(self._database.connection.execute(_FIND, (_digest(secret),)).fetchone())
        now = time.time()
        if token.id != token_id or not token.is_valid(now):
            raise TokenError("the token is not valid")
        if token.date_access is None or token.date_access < now - _ACCESS_EVERY_S:
            with self._database.transaction() as connection:
                connection.execute("UPDATE tokens SET date_access = ? WHERE id = ?", (now, token.id))
        return token

    def list(self) -> list[Token]:
        """Return all tokens, the revoked ones too, in the order in which they were made."""
        rows = self._database.connection.execute("SELECT * FROM tokens ORDER BY date_create, id")
        return [_token(row) for row in rows]

    def find(self, token_id: str) -> Token | None:
        """Return a token, or None."""
        row = self._database.connection.execute("SELECT * FROM tokens WHERE id = ?", (token_id,)).fetchone()
        return _token(row) if row is not None else None

    def made_by(self, token_id: str) -> tuple[Token, ...]:
        """Return the tokens that a token has made, those that they have made, and so on."""
        rows = self._database.connection.execute(_MADE_BY, (token_id,))
        return tuple(map(_token, rows))

    def revoke(self, token_id: str) -> bool:
        """Close the door to a token at once, and for good; say whether it was open."""
        changed = self._database.connection.execute(
            "UPDATE tokens SET date_revoke = ? WHERE id = ? AND date_revoke IS NULL", (time.time(), token_id)
        ).rowcount
        return changed == 1

    def forget(self, *, ended_before: float) -> int:
        """Forget tokens that ended before a time, but none whose jobs or whose made tokens are still kept.

        Returns
        -------
        int
            How many.
        """
        n_forgotten = 0
        # Tokens that a forgotten one has made go before it, so that `made_by` finds all that are left.
        while n := self._database.connection.execute(_FORGET, (ended_before,)).rowcount:
            n_forgotten += n
        return n_forgotten


def _n_valid(connection: sqlite3.Connection, now: float) -> int:
    (number,) = connection.execute(
        "SELECT count(*) FROM tokens WHERE date_revoke IS NULL AND coalesce(date_expire > ?, 1)", (now,)
    ).fetchone()
    return int(number)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _token(row: sqlite3.Row) -> Token:
    return Token(
        id=row["id"],
        redacted=row["redacted"],
        display_name=row["display_name"],
        scopes=frozenset(row["scopes"].split()),
        date_create=row["date_create"],
        date_access=row["date_access"],
        date_expire=row["date_expire"],
        date_revoke=row["date_revoke"],
        made_by=row["made_by"],
    )

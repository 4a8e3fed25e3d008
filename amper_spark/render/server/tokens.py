"""Access tokens: who may ask the server for what.

A token is ``amper_<id>_<secret>``. The id is looked up; of the secret, 256 random bits, only the SHA-256 is
kept: what is random needs no slow hash. Whether a token is unknown, wrong, expired or revoked takes the same
time to find out, and is told in the same words.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.errors import AmperSparkError, ParameterError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from amper_spark.render.server.database import Database

SCOPES = ("render", "read", "tokens")
"""``render``: music and its files; ``read``: entities; ``tokens``: making and revoking tokens."""

_ID_BYTES, _SECRET_BYTES = 8, 32
_TOKEN = re.compile(r"amper_([0-9a-f]{16})_([0-9A-Za-z_-]{43})")
_NOBODYS_SECRET = hashlib.sha256(b"").digest()
_REDACTED_LETTERS = 12
_ACCESS_EVERY_S = 60.0  # how exactly the last access is known: writing takes turns
_MAX_NAME = 200


class TokenError(AmperSparkError):
    """A token that does not open the door."""


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
    """

    id: str
    redacted: str
    display_name: str
    scopes: frozenset[str]
    date_create: float
    date_access: float | None
    date_expire: float | None
    date_revoke: float | None

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
        self, display_name: str = "", *, scopes: Collection[str] = SCOPES, lasts_s: float | None = None
    ) -> tuple[Token, str]:
        """Make a token.

        Parameters
        ----------
        display_name : str
        scopes : collection of str
        lasts_s : float, optional
            None: until it is revoked.

        Returns
        -------
        token : Token
        plaintext : str
            Which nobody can be told again.

        Raises
        ------
        ParameterError
            No such scope, a name that is too long, or a time that is none.
        """
        if not scopes or not set(scopes) <= set(SCOPES):
            told = ", ".join(sorted(scopes)) or "none"
            raise ParameterError(f"scopes are {', '.join(SCOPES)}, at least one of them, got {told}")
        if len(display_name) > _MAX_NAME or not display_name.isprintable():
            raise ParameterError(f"display_name must be at most {_MAX_NAME} printable letters")
        if lasts_s is not None and not lasts_s > 0:
            raise ParameterError(f"a token must last longer than 0 s, got {lasts_s:g}")
        token_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
        plaintext = f"amper_{token_id}_{secret}"
        now = time.time()
        row = self._database.connection.execute(
            "INSERT INTO tokens (id, secret_sha256, redacted, display_name, scopes, date_create, date_expire)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *",
            (
                *(token_id, _digest(secret), plaintext[:_REDACTED_LETTERS] + "...", display_name),
                *(" ".join(sorted(scopes)), now, None if lasts_s is None else now + lasts_s),
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
        row = self._database.connection.execute("SELECT * FROM tokens WHERE id = ?", (token_id,)).fetchone()
        is_right = hmac.compare_digest(_digest(secret), row["secret_sha256"] if row else _NOBODYS_SECRET)
        now = time.time()
        token = _token(row) if row is not None else None
        if token is None or not is_right or not token.is_valid(now):
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

    def revoke(self, token_id: str) -> bool:
        """Close the door to a token at once, and for good; say whether it was open."""
        changed = self._database.connection.execute(
            "UPDATE tokens SET date_revoke = ? WHERE id = ? AND date_revoke IS NULL", (time.time(), token_id)
        ).rowcount
        return changed == 1


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
    )

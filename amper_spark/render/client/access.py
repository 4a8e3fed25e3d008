"""Where a render service is, and the token that opens it, which nobody else gets to see."""

from __future__ import annotations

import base64
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_VARIABLE = "AMPER_SPARK_RENDER_TOKEN"  # noqa: S105 - where the token is, not what it is

# Printable, without a colon: it is the user name of Basic authentication.
_TOKEN = re.compile(r"[!-9;-~]{1,1000}")
_VERSION = "/v1"
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|::1")
_PORTS = {"http": 80, "https": 443}


class AccessToken:
    """A token, of which nothing but where it comes from is ever shown.

    Parameters
    ----------
    plaintext : str
    source : str
        Where it comes from, in words for messages.

    Raises
    ------
    ParameterError
        It cannot be a token; it is not repeated.

    Examples
    --------
    >>> AccessToken("amper_0", "the file token")
    AccessToken(from the file token)
    """

    def __init__(self, plaintext: str, source: str) -> None:
        if not _TOKEN.fullmatch(plaintext):
            raise ParameterError(f"{source} holds no access token: one is a single word without a colon")
        self._plaintext = plaintext
        self.source = source

    def __repr__(self) -> str:
        return f"AccessToken(from {self.source})"

    def header(self) -> str:
        """Write the header Authorization: Basic, with the token as user name and an empty password."""
        return "Basic " + base64.b64encode(f"{self._plaintext}:".encode()).decode()


def read_token(file: Path | None = None) -> AccessToken:
    """Read a token from a file, or from the environment: never from a command line, which all can read.

    Parameters
    ----------
    file : Path, optional
        None reads the environment variable `TOKEN_VARIABLE`.

    Raises
    ------
    ParameterError
        There is none, or it cannot be read.
    """
    if file is None:
        if not (given := os.environ.get(TOKEN_VARIABLE, "").strip()):
            raise ParameterError(
                "the render service wants a token: put it into the environment variable "
                f"{TOKEN_VARIABLE}, or into a file that --token-file names"
            )
        return AccessToken(given, f"the environment variable {TOKEN_VARIABLE}")
    try:
        given = file.read_text(encoding="ascii").strip()
    except UnicodeDecodeError:
        given = ""
    except OSError as error:
        raise ParameterError(f"--token-file {file} cannot be read: {error.strerror}") from error
    return AccessToken(given, f"the file {file}")


def base_url(url: str) -> str:
    """Bring the URL of a service into one form, without what is common to all of them.

    Raises
    ------
    ParameterError
        It is none, or holds credentials.

    Examples
    --------
    >>> base_url("https://music.example/"), base_url("http://127.0.0.1:8080/v1")
    ('https://music.example', 'http://127.0.0.1:8080')
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if "@" in parts.netloc:
        raise ParameterError("the URL of a render service holds no user name: the token is told otherwise")
    if parts.scheme not in _PORTS or not host or parts.query or parts.fragment:
        # What was given is not repeated: a token may be in it.
        raise ParameterError("a render service is at a URL such as http://127.0.0.1:8080, without a query")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(_VERSION).rstrip('/')}"


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8080"), is_loopback("https://music.example")
    (True, False)
    """
    return _LOOPBACK.fullmatch(urlsplit(url).hostname or "") is not None


def origin(url: str) -> tuple[str, str, int | None]:
    """Give scheme, host and port of a URL: credentials for one origin are for no other.

    Examples
    --------
    >>> origin("https://Music.example/a?b") == origin("https://music.example:443")
    True
    """
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme)

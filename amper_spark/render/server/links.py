"""URLs of the server's own resources, and links to files that work without a token for a while."""

from __future__ import annotations

import hashlib
import hmac
import math
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from amper_spark.render.server.envelopes import Fault, RefusalError

if TYPE_CHECKING:
    from starlette.requests import Request

_HOST = re.compile(r"([0-9A-Za-z._-]{1,255}|\[[0-9A-Fa-f:.]{2,64}\])(:[0-9]{1,5})?")
_STEPS = 10


def base_of(request: Request) -> str:
    """Return the URL that a request came to, without its path.

    Raises
    ------
    RefusalError
        400: the Host header is none.
    """
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        raise RefusalError(
            400, "BAD_HOST", [Fault("name the host as in host.example:8080", "header", "Host")]
        )
    return f"{request.url.scheme}://{host}"


def file_path(job_id: str, name: str) -> str:
    """Return the path of a file of a job."""
    return f"/v1/files/{quote(job_id, safe='')}/{quote(name, safe='')}"


def preview_path(descriptor: str) -> str:
    """Return the path of the preview of a descriptor."""
    return f"/v1/previews/{quote(descriptor, safe='')}.mp3"


class Signer:
    """Signs links to files.

    Parameters
    ----------
    secret : bytes
    lasts_s : float
        How long a link works at least; at most it is a tenth more.

    Examples
    --------
    >>> signer = Signer(b"secret", lasts_s=100)
    >>> link = signer.link("https://a.example", "/v1/files/JOB/0.mp3", now=1005.0)
    >>> link == signer.link("https://a.example", "/v1/files/JOB/0.mp3", now=1009.0)
    True
    >>> link.partition("&")[0]
    'https://a.example/v1/files/JOB/0.mp3?expires=1110'
    """

    def __init__(self, secret: bytes, *, lasts_s: float) -> None:
        self._secret = secret
        # Links change in steps, so that a render that has not changed keeps its ETag for a while.
        self._step_s = max(1, int(lasts_s / _STEPS))
        self._lasts_s = math.ceil(lasts_s)

    def link(self, base: str, path: str, *, now: float) -> str:
        """Return a URL that works for a while, for whoever has it.

        Parameters
        ----------
        base : str
            URL of the server.
        path : str
            Of the file, such as `file_path` returns it.
        now : float
            Seconds since 1970.

        Returns
        -------
        str
        """
        expires = (int(now) // self._step_s + 1) * self._step_s + self._lasts_s
        query = urlencode({"expires": expires, "signature": self._signature(path, expires)})
        return f"{base}{path}?{query}"

    def is_valid(self, path: str, *, expires: int, signature: str, now: float) -> bool:
        """Whether a signature is this server's, for this path, and of now.

        Parameters
        ----------
        path : str
        expires : int
        signature : str
        now : float
        """
        expected = self._signature(path, expires)
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")) and now < expires

    def _signature(self, path: str, expires: int) -> str:
        return hmac.new(self._secret, f"{expires} {path}".encode(), hashlib.sha256).hexdigest()

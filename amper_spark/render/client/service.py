"""A render service: what can be asked of it, each time until it answers."""

from __future__ import annotations

import logging
import re
from collections import Counter
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import httpx

from amper_spark import __version__
from amper_spark.render.client.access import AccessToken, is_loopback, origin
from amper_spark.render.client.answers import (
    MEDIA_TYPE,
    Rendering,
    check_passing,
    document_of,
    phrase,
    reasons_of,
    rendering_of,
)
from amper_spark.render.client.downloads import Content, DamagedError, save
from amper_spark.render.client.trouble import ForgottenError, PassingError, RefusedError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from amper_spark.render.client.orders import TimelineOrder
    from amper_spark.render.client.retrying import Patience

_PRESET = "MASTER_WAV"
_CHUNK_BYTES = 1 << 16
_TIMES = 3
_SPARE_CONNECTIONS = 2
_REFUSALS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_QUERY = re.compile(r"\?\S*")
_SCHEMES = ("http", "https")
_CHATTERS = ("httpx", "httpcore")


class RenderService:
    """A service that speaks Amper's API, version 1. Threads may share it.

    Parameters
    ----------
    url : str
        From `amper_spark.render.client.access.base_url`.
    token : AccessToken
        Only the origin of the URL gets it.
    patience : Patience
    timeout_s : float > 0
        For how long the service may be silent.
    max_connections : int
        As many as threads ask at the same time.
    """

    def __init__(
        self, url: str, token: AccessToken, *, patience: Patience, timeout_s: float, max_connections: int
    ) -> None:
        self.url = url
        self.patience = patience
        self._token = token
        self._origin = origin(url)
        for name in _CHATTERS:  # they log addresses, signatures of links included, from INFO on
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = httpx.Client(
            headers={"User-Agent": f"amper-spark/{__version__}"},
            timeout=timeout_s,
            limits=httpx.Limits(
                max_connections=max_connections + _SPARE_CONNECTIONS,
                max_keepalive_connections=max_connections,
            ),
            trust_env=not is_loopback(url),  # no proxy knows what is on this machine
        )

    def __repr__(self) -> str:
        return f"RenderService({self.url!r})"

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def check(self) -> None:
        """Make sure that the service is there and takes the token.

        Raises
        ------
        ServiceError
            It is gone, does not take the token, or is not there for as long as there is patience.
        """
        said: Counter[int] = Counter()

        def request() -> None:
            with _explained():
                response = self._ask("GET", "/v1/entities/descriptor", params={"limit": 1})
            if response.status_code != HTTPStatus.OK:
                if response.status_code in _GONE:
                    _said_again(said, response.status_code)
                self._reject(response)
            if not isinstance(document_of(response).get("data"), list):
                raise PassingError("the answer holds no list of descriptors")

        self.patience.until_answered(request)

    def submit(self, order: TimelineOrder) -> Rendering:
        """Ask for a render, once: asked again, the service tells how far the first one is.

        Raises
        ------
        RefusedError
            The service does not take the timeline.
        ServiceError
            See `check`.
        """
        try:
            timeline = order.document()
        except ValueError as error:
            raise RefusedError(f"the timeline in the table is no document: {error}") from error
        attributes = {"timeline": timeline, "preset": _PRESET, "make_timeline": True}
        body = {"data": {"type": "simple_renders", "attributes": attributes}}
        headers = {"Idempotency-Key": order.idempotency_key}
        said: Counter[int] = Counter()

        def request() -> Rendering:
            with _explained():
                response = self._ask("POST", "/v1/simple_renders", json=body, headers=headers)
            if response.status_code in (HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.ACCEPTED):
                return rendering_of(response)
            if response.status_code in (*_REFUSALS, *_GONE):
                _said_again(said, response.status_code)
            if response.status_code in _REFUSALS:
                reasons = reasons_of(document_of(response))
                raise RefusedError(reasons or f"refused with {phrase(response.status_code)}")
            return self._reject(response)

        return self.patience.until_answered(request)

    def read(self, render_id: str) -> Rendering:
        """See how far a render is.

        Raises
        ------
        ForgottenError
            The service does not know it.
        ServiceError
            See `check`.
        """

        def request() -> Rendering:
            with _explained():
                response = self._ask("GET", f"/v1/simple_renders/{render_id}")
            if response.status_code == HTTPStatus.OK:
                return rendering_of(response, render_id=render_id)
            if response.status_code in _GONE:
                raise ForgottenError
            return self._reject(response)

        return self.patience.until_answered(request)

    def download(self, url: str, file: Path, *, at_most_bytes: int | None = None) -> Content:
        """Fetch a file.

        Parameters
        ----------
        url : str
            Anywhere; redirects are followed. Only the service itself gets the token.
        file : Path
            To be written.
        at_most_bytes : int, optional
            Nothing more is written.

        Raises
        ------
        DamagedError
            It broke off, or is longer.
        ForgottenError
            It is not there, or not any more, or the link to it is not valid: ask for a new one.
        OSError
            No permission, no room.
        """
        try:
            headers = self._credentials() if origin(url) == self._origin else {}
            httpx.URL(url)
        except (ValueError, httpx.InvalidURL):
            raise ForgottenError from None  # no link at all: a new one may be
        if urlsplit(url).scheme not in _SCHEMES:
            raise ForgottenError

        def request() -> Content:
            with (
                _explained(),
                self._client.stream("GET", url, headers=headers, follow_redirects=True) as answer,
            ):
                check_passing(answer)
                if answer.status_code != HTTPStatus.OK:
                    raise ForgottenError
                return save(self._chunks(answer), file, at_most_bytes=at_most_bytes)

        return self.patience.until_answered(request)

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        try:
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                self.patience.wait(0)
                yield chunk
        except httpx.HTTPError as error:
            # From nothing, as in `_explained`.
            raise DamagedError(f"it broke off: {type(error).__name__}") from None

    def _ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> Any:
        response = self._client.request(
            method,
            f"{self.url}{path}",
            headers={
                "Accept": MEDIA_TYPE,
                "Content-Type": MEDIA_TYPE,
                **self._credentials(),
                **(headers or {}),
            },
            **more,
        )
        check_passing(response)
        return response

    def _credentials(self) -> dict[str, str]:
        return {"Authorization": self._token.header()}

    def _reject(self, response: httpx.Response) -> NoReturn:
        """Say what an answer means that nothing can be done with."""
        status = response.status_code
        if status in _DENIED:
            reasons = _quietly_reasons(response)
            raise ServiceError(
                f"the render service at {self.url} does not take the token from {self._token.source}: "
                f"{reasons or phrase(status)}"
            )
        if status in _GONE:
            raise ServiceError(
                f"the service at {self.url} is gone, or is not Amper's API: it answers {phrase(status)}"
            )
        if response.has_redirect_location:
            to = urlsplit(response.headers.get("location", ""))
            raise ServiceError(
                f"the render service at {self.url} has moved to {to.scheme}://{to.hostname}: name its own URL"
            )
        document_of(response)
        raise ServiceError(
            f"the service at {self.url} is not Amper's API: it answers {phrase(status)} "
            f"{_quietly_reasons(response)}".rstrip()
        )


@contextmanager
def _explained() -> Iterator[None]:
    """Tell trouble of the network in words that hold no address: it may be a signed one."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        told = _QUERY.sub("", str(error)).strip()
        problem = f"{type(error).__name__}: {told}" if told else type(error).__name__
        # From nothing: what httpx raises tells of the request, and that holds the token.
        raise PassingError(problem) from None


def _said_again(said: Counter[int], status: int) -> None:
    """Have an answer that ends something said more than once: one may have been about another request.

    Raises
    ------
    PassingError
        It has not been said often enough.
    """
    said[status] += 1
    if said[status] < _TIMES:
        raise PassingError(f"it answers {phrase(status)}")


def _quietly_reasons(response: httpx.Response) -> str:
    try:
        return reasons_of(document_of(response))
    except PassingError:
        return ""

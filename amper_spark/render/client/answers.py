"""What a render service answers: envelopes, errors, and renders as far as they are."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from amper_spark.render.client.retrying import retry_after_s
from amper_spark.render.client.trouble import PassingError

if TYPE_CHECKING:
    import httpx

MEDIA_TYPE = "application/vnd.api+json"

CREATED, FAILED_CREATE = "CREATED", "FAILED_CREATE"
_STATUSES = ("WAITING_COMPOSE", "RUNNING_COMPOSE", "WAITING_RENDER", "RUNNING_RENDER", CREATED, FAILED_CREATE)
_TYPE = "simple_renders"
_ID = re.compile(r"[0-9A-Za-z_-]{1,100}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_SERVER_ERROR = 500
_MAX_REASONS, _MAX_REASON = 10, 300


@dataclass(frozen=True)
class MadeFile:
    """A file of a render, as the service describes it.

    Parameters
    ----------
    download_url : str
        Where it is, for a while: not to be shown.
    content_type : str
    tracks : tuple of str
    size_bytes : int or None
    sha256 : str or None
        As far as the service tells.
    frequency_hz : float or None
    """

    download_url: str
    content_type: str
    tracks: tuple[str, ...]
    size_bytes: int | None
    sha256: str | None
    frequency_hz: float | None

    def __repr__(self) -> str:
        return f"MadeFile({self.content_type}, {self.size_bytes} bytes)"

    @property
    def is_master(self) -> bool:
        """Whether it is the music as WAV."""
        return "master" in self.tracks and self.content_type in ("audio/wav", "audio/x-wav", "audio/wave")


@dataclass(frozen=True)
class Rendering:
    """A render as far as it is.

    Parameters
    ----------
    id : str
    status : str
    files : tuple of MadeFile
    timeline : dict or None
        The completed one.
    problem : str or None
        Why it has failed.
    """

    id: str
    status: str
    files: tuple[MadeFile, ...] = ()
    timeline: dict[str, Any] | None = None
    problem: str | None = None

    @property
    def step(self) -> int:
        """How far it is: it never goes back."""
        return _STATUSES.index(self.status)

    @property
    def has_begun(self) -> bool:
        """Whether anybody works at it."""
        return self.step > 0

    @property
    def has_ended(self) -> bool:
        """Whether no more work is done."""
        return self.status in (CREATED, FAILED_CREATE)


def document_of(response: httpx.Response) -> dict[str, Any]:
    """Read the JSON:API document of an answer, whatever its status.

    Raises
    ------
    PassingError
        It is another type, or not JSON: something between has answered, or the answer is not whole.
    """
    told = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if told != MEDIA_TYPE:
        raise PassingError(f"status {response.status_code} with content of type {told or 'none'!r}")
    try:
        document = json.loads(response.content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not ("data" in document or "errors" in document):
        raise PassingError(f"status {response.status_code} with content that is no JSON:API document")
    return document


def check_passing(response: httpx.Response) -> None:
    """Tell answers that another try may change.

    Raises
    ------
    PassingError
        The service has too much to do, is too slow or has failed.
    """
    status = response.status_code
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS) or (
        status >= _SERVER_ERROR
    ):
        told = retry_after_s(response.headers.get("retry-after"))
        raise PassingError(f"it answers {phrase(status)}", retry_after_s=told, is_busy=status in _BUSY)


def rendering_of(response: httpx.Response, *, render_id: str | None = None) -> Rendering:
    """Read a render.

    Parameters
    ----------
    response : httpx.Response
    render_id : str, optional
        The one that was asked about.

    Raises
    ------
    PassingError
        It is another one, or no render at all.
    """
    data = document_of(response).get("data")
    attributes = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(attributes, dict) or data.get("type") != _TYPE:
        raise PassingError("the answer holds no render")
    told, status = str(data.get("id")), attributes.get("status")
    if not _ID.fullmatch(told) or status not in _STATUSES:
        raise PassingError("the answer holds no render with an id and a status")
    if render_id not in (None, told):
        raise PassingError("the answer is about another render")
    timeline, problem = attributes.get("timeline"), attributes.get("problem")
    return Rendering(
        id=told,
        status=status,
        files=tuple(_files(attributes.get("files"))),
        timeline=timeline if isinstance(timeline, dict) else None,
        problem=problem[:_MAX_REASON] if isinstance(problem, str) else None,
    )


def reasons_of(document: dict[str, Any]) -> str:
    """Put the errors of a document into a sentence or some.

    Examples
    --------
    >>> error = {"title": "Not usable", "detail": "is required", "source": {"pointer": "/data"}}
    >>> reasons_of({"errors": [error]})
    'Not usable: is required (/data)'
    """
    errors = document.get("errors")
    told = [_reason(error) for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    more = [f"{len(told) - _MAX_REASONS} more"] if len(told) > _MAX_REASONS else []
    return "; ".join([*(reason for reason in told[:_MAX_REASONS] if reason), *more])


def phrase(status: int) -> str:
    """Name a status: its number, and its words where it has some.

    Examples
    --------
    >>> phrase(404), phrase(599)
    ('404 Not Found', '599')
    """
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _reason(error: dict[str, Any]) -> str:
    told = ": ".join(str(error[name]) for name in ("title", "detail") if error.get(name))
    source = error.get("source")
    places = [str(place) for place in source.values()] if isinstance(source, dict) else []
    return f"{told or error.get('code', '')}{f' ({places[0]})' if places else ''}"[:_MAX_REASON]


def _files(told: object) -> list[MadeFile]:
    described = [file for file in told if isinstance(file, dict)] if isinstance(told, list) else []
    return [
        MadeFile(
            download_url=file["download_url"],
            content_type=str(file.get("content_type", "")).partition(";")[0].strip().lower(),
            tracks=tuple(map(str, file["tracks"])) if isinstance(file.get("tracks"), list) else (),
            size_bytes=_number(file.get("size_bytes"), int),
            sha256=told if _SHA256.fullmatch(told := str(file.get("sha256", "")).lower()) else None,
            frequency_hz=_number(file.get("frequency_hz"), float),
        )
        for file in described
        if isinstance(file.get("download_url"), str)
    ]


def _number(told: object, kind: type) -> Any:
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not math.isfinite(told):
        return None
    return kind(told)

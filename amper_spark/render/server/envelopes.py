"""JSON:API 1.0: how answers and refusals are wrapped, and how an answer that is known already is spared."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

MEDIA_TYPE = "application/vnd.api+json"

TITLES: Mapping[int, str] = {
    400: "Malformed request",
    401: "No valid access token",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Media type not offered",
    408: "Request too slow",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Body too large",
    415: "Media type not understood",
    416: "Range not satisfiable",
    422: "Not usable",
    428: "If-Match required",
    429: "Too many requests",
    500: "Server error",
    503: "Not now",
}
"""Every status that an error can have, and what it is called."""


class Source(BaseModel):
    """What of the request an error is about: one of the three."""

    pointer: str | None = Field(None, description="A JSON pointer into the body.")
    parameter: str | None = Field(None, description="A parameter of the query or the path.")
    header: str | None = None


class Problem(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(title="Error")

    status: str
    code: str
    title: str
    detail: str = Field(description="What to do about it.")
    source: Source | None = None


class ErrorDocument(BaseModel):
    """Why a request is refused: everything at once."""

    errors: list[Problem] = Field(min_length=1)


class Links(BaseModel):
    """Where a resource is."""

    url: str = Field(alias="self")


class Fault(NamedTuple):
    """One reason for a refusal.

    Parameters
    ----------
    detail : str
        What to do about it.
    source : str
        ``pointer``, ``parameter`` or ``header``; empty for none.
    place : str
        Which.
    """

    detail: str
    source: str = ""
    place: str = ""


class RefusalError(Exception):
    """A request that is not done.

    Parameters
    ----------
    status : int
        One of `TITLES`.
    code : str
        A word for programs.
    faults : str or sequence of Fault
        All reasons; a text is one that is about nothing in particular.
    headers : mapping of str to str
        Of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        faults: str | Sequence[Fault],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.faults = (Fault(faults),) if isinstance(faults, str) else tuple(faults)
        self.headers = dict(headers or {})
        super().__init__("\n".join(fault.detail for fault in self.faults))


class JsonApiResponse(JSONResponse):
    """A document, whose JSON may be written already."""

    media_type = MEDIA_TYPE

    def render(self, content: object) -> bytes:
        """Write JSON, where it is not yet."""
        return content if isinstance(content, bytes) else super().render(content)


def refused(refusal: RefusalError) -> Response:
    """Answer with a refusal.

    Parameters
    ----------
    refusal : RefusalError

    Returns
    -------
    Response
    """
    document = ErrorDocument(
        errors=[
            Problem(
                status=str(refusal.status),
                code=refusal.code,
                title=TITLES.get(refusal.status, "Error"),
                detail=fault.detail,
                source=Source(**{fault.source: fault.place}) if fault.source else None,
            )
            for fault in refusal.faults
        ]
    )
    return JsonApiResponse(
        document.model_dump_json(exclude_none=True).encode(),
        status_code=refusal.status,
        headers=refusal.headers,
    )


def answered(
    request: Request, document: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with data and its ETag, or with 304 where the client has just these data already.

    Parameters
    ----------
    request : Request
    document : BaseModel
    status : int
    headers : mapping of str to str

    Returns
    -------
    Response
    """
    content = document.model_dump_json(by_alias=True).encode()
    tags = {"ETag": etag(content), **(headers or {})}
    if request.method == "GET" and is_among(tags["ETag"], request.headers.get("if-none-match")):
        return Response(status_code=304, headers=tags)
    return JsonApiResponse(content, status_code=status, headers=tags)


def etag(content: bytes) -> str:
    """Name a content by a weak entity tag.

    Examples
    --------
    >>> etag(b"{}")
    'W/"bf21a9e8fbc5a3846fb05b4fa0859e0917b2202f"'
    """
    return f'W/"{hashlib.sha1(content, usedforsecurity=False).hexdigest()}"'


def is_among(tag: str, condition: str | None) -> bool:
    """Find out whether a tag is named by If-Match or If-None-Match; weak tags are compared as they are.

    Examples
    --------
    >>> is_among('W/"a"', '"b", W/"a"'), is_among('W/"a"', "*"), is_among('W/"a"', '"b"')
    (True, True, False)
    """
    if condition is None:
        return False
    names = {name.strip().removeprefix("W/") for name in condition.split(",")}
    return "*" in names or tag.removeprefix("W/") in names


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare the refusals of an endpoint, for its OpenAPI description."""
    return {
        status: {
            "model": ErrorDocument,
            "description": TITLES[status],
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status in statuses
    }


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "required": True}


_HEADERS: Mapping[int, Mapping[str, Any]] = {
    401: {"WWW-Authenticate": _header("How a token can be shown.")},
    429: {"Retry-After": _header("Seconds to wait.")},
    503: {"Retry-After": _header("Seconds to wait.")},
}
ETAG_HEADER: Mapping[str, Any] = {"ETag": _header("Name of these data, for If-None-Match and If-Match.")}
LOCATION_HEADER: Mapping[str, Any] = {"Location": _header("URL of the resource.")}

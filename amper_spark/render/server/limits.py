"""What a request may be: how large, how slow, how deep, and of which media types."""

from __future__ import annotations

import asyncio
import json
from email.message import Message
from typing import TYPE_CHECKING, Any

from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations

from amper_spark.render.server.envelopes import MEDIA_TYPE, Fault, RefusalError

if TYPE_CHECKING:
    from collections.abc import Iterator

MEDIA_TYPES = (MEDIA_TYPE, "application/json")
MAX_DEPTH = 64
"""Of a whole body; timelines are held to less."""
BODY_TIMEOUT_S = 30.0
"""Within this time a body has to be there."""

_KB = 1024
_REQUEST_KB = 64
_LONGEST_MEDIA_TYPE = 200  # reading one takes time that grows with the square of its length
_OWN_PARAMETERS = {"ext", "profile"}
_ANY = ("*/*", "application/*", *MEDIA_TYPES)


def acceptable(request: Request) -> None:
    """Refuse clients that understand none of the media types that there are.

    Raises
    ------
    RefusalError
        406.
    """
    accepted = ",".join(request.headers.getlist("accept"))
    if accepted.strip() and not any(_is_offered(item) for item in accepted.split(",")):
        raise RefusalError(
            406, "NOT_ACCEPTABLE", [Fault(f"accept {MEDIA_TYPE}: all answers are", "header", "Accept")]
        )


async def read_body(request: Request) -> bytes:
    """Read a body of JSON, as long as it keeps within the limits.

    Returns
    -------
    bytes

    Raises
    ------
    RefusalError
        415: it is of another media type; 413: too large; 408: too slow.
    """
    if not _is_json(request.headers.get("content-type", "")):
        raise RefusalError(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            [Fault(f"send {' or '.join(MEDIA_TYPES)}", "header", "Content-Type")],
        )
    return await read_at_most(request, request.app.state.service.settings.max_body_kb)


async def read_at_most(request: Request, max_kb: int, *, request_kb: int = _REQUEST_KB) -> bytes:
    """Read a body, as long as it keeps within the limits.

    Parameters
    ----------
    request : Request
    max_kb : int
    request_kb : int
        To check a large body takes longer: each so many kB count as one more request of the token.

    Returns
    -------
    bytes

    Raises
    ------
    RefusalError
        413: too large; 408: too slow.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > max_kb * _KB:
        raise _too_large(max_kb)
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                content += chunk
                if len(content) > max_kb * _KB:
                    raise _too_large(max_kb)
    except TimeoutError:
        detail = f"send all of it within {BODY_TIMEOUT_S:g} s"
        raise RefusalError(408, "REQUEST_TIMEOUT", detail) from None
    if "token_id" in request.scope:
        request.app.state.service.doors.count_more(
            request.scope["token_id"], len(content) // (request_kb * _KB)
        )
    return bytes(content)


def parsed(content: bytes) -> Any:
    """Read JSON [RFC 8259].

    Parameters
    ----------
    content : bytes

    Returns
    -------
    object

    Raises
    ------
    RefusalError
        400: it is none, or deeper than `MAX_DEPTH`.

    Examples
    --------
    >>> parsed(b'{"data": []}')
    {'data': []}
    """
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise _malformed("the body is not UTF-8: send it as UTF-8") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise _malformed(f"the body is not JSON: {error.msg} in {place}") from None
    except ValueError as error:  # NaN, Infinity, an integer of thousands of digits
        raise _malformed(f"the body is not JSON: {str(error).partition(';')[0]}") from None
    except RecursionError:
        raise _too_deep() from None
    if _is_deeper(document, MAX_DEPTH):
        raise _too_deep()
    return document


def _is_json(content_type: str) -> bool:
    if len(content_type) > _LONGEST_MEDIA_TYPE:
        return False
    header = Message()
    header["content-type"] = content_type
    if not content_type or header.get_content_type() not in MEDIA_TYPES:
        return False
    if header.get_content_type() != MEDIA_TYPE:
        return True
    # JSON:API: a server must refuse parameters of its media type that it does not know.
    return {name for name, _ in header.get_params([])[1:]} <= _OWN_PARAMETERS


def _is_offered(item: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in item.split(";"))
    weight = next((part[2:].strip() for part in parameters if part.startswith("q=")), "1")
    if media_type not in _ANY or not weight.strip("0."):
        return False
    names = {part.partition("=")[0].strip() for part in parameters} - {"q"}
    return media_type != MEDIA_TYPE or names <= _OWN_PARAMETERS


def _is_deeper(document: object, most: int) -> bool:
    level = [document]
    for _ in range(most):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(parent: object) -> Iterator[object]:
    values = parent.values() if isinstance(parent, dict) else parent if isinstance(parent, list) else ()
    return (value for value in values if isinstance(value, (dict, list)))


def _no_constant(name: str) -> None:
    raise ValueError(f"it has no {name}")


def _malformed(detail: str) -> RefusalError:
    return RefusalError(400, "MALFORMED", [Fault(detail, "pointer", "")])


def _too_deep() -> RefusalError:
    return _malformed(f"the body has more than {MAX_DEPTH} objects and arrays inside one another")


def _too_large(max_kb: int) -> RefusalError:
    detail = f"send at most {max_kb:,} kB"
    return RefusalError(413, "CONTENT_TOO_LARGE", detail)

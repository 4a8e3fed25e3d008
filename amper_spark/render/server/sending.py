"""Files on their way to clients: ranges, names of downloads, and nothing sent twice."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from amper_spark.render.server.envelopes import Fault, RefusalError, is_among

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

_RANGE = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.IGNORECASE)
_KEPT_S = 3_600


def sent(
    request: Request, file: Path, *, content_type: str, tag: str, filename: str | None = None
) -> Response | None:
    """Answer with a file, or with the part of it that is wanted.

    Parameters
    ----------
    request : Request
    file : Path
    content_type : str
    tag : str
        Entity tag of the file, a strong one.
    filename : str, optional
        What the download is to be called.

    Returns
    -------
    Response or None
        None if the file is not there.

    Raises
    ------
    RefusalError
        416: the range begins after the file's end.
    """
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    headers = {"ETag": tag, "Content-Type": content_type, "Cache-Control": f"private, max-age={_KEPT_S}"}
    if is_among(tag, request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    if filename:
        headers["Content-Disposition"] = content_disposition(filename)
    _keep_range_if_usable(request, status.st_size)
    return FileResponse(file, headers=headers, stat_result=status, media_type=content_type)


def content_disposition(name: str) -> str:
    r"""Name a download, for clients old and new [RFC 6266].

    Parameters
    ----------
    name : str
        Printable.

    Returns
    -------
    str
        ASCII, of one line whatever the name.

    Examples
    --------
    >>> print(content_disposition("two-part cue.wav"))
    attachment; filename="two-part cue.wav"
    >>> print(content_disposition("Käse.mp3"))
    attachment; filename="Kase.mp3"; filename*=UTF-8''K%C3%A4se.mp3
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r'[^ -~]|["\\%]', "", ascii_name)
    if plain == name:
        return f'attachment; filename="{name}"'
    encoded = quote(name.encode("utf-8", "replace"), safe="")
    return f"attachment; filename=\"{plain or 'download'}\"; filename*=UTF-8''{encoded}"


def _keep_range_if_usable(request: Request, size: int) -> None:
    """See to it that a Range is of one range that is there; RFC 9110 lets servers ignore all others."""
    parts = _RANGE.fullmatch(request.headers.get("range", ""))
    first, last = parts.groups() if parts else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)):
        request.scope["headers"] = [item for item in request.scope["headers"] if item[0] != b"range"]
    elif (int(first) >= size if first else int(last) == 0) and "if-range" not in request.headers:
        raise RefusalError(
            416,
            "RANGE_NOT_SATISFIABLE",
            [Fault(f"the file has {size} bytes", "header", "Range")],
            headers={"Content-Range": f"bytes */{size}"},
        )

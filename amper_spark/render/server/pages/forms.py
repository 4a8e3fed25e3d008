"""Forms as browsers send them, read as long as they keep within the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs

from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations

from amper_spark.render.server.envelopes import RefusalError
from amper_spark.render.server.limits import read_at_most

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.render.server.service import Service

_TYPE = "application/x-www-form-urlencoded"
_MAX_FIELDS = 10_000
# In a form, a brace or a quotation mark takes three letters: as much JSON has to fit in as the API takes.
_ESCAPED = 3
_REQUEST_KB = 64 * _ESCAPED  # as with the API, what takes longer to check counts as more


class Form:
    """What somebody has filled in.

    Parameters
    ----------
    fields : mapping of str to sequence of str
        Every field has at least one value.

    Examples
    --------
    >>> form = Form({"start": ["0", "12"], "tempo": [" 96 "]})
    >>> form.text("tempo"), form.text("seed"), form.texts("start")
    ('96', '', ('0', '12'))
    """

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Return a field, without spaces around it; empty if it is not there."""
        return self._fields[name][0].strip() if name in self._fields else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all fields of a name."""
        return tuple(text.strip() for text in self._fields.get(name, ()))


class FormReader:
    """A dependency of endpoints: reads the form that a request posts.

    Parameters
    ----------
    max_kb : int, optional
        How large it may be; by default, so that as much JSON fits in as the API takes.
    """

    def __init__(self, max_kb: int | None = None) -> None:
        self._max_kb = max_kb

    async def __call__(self, request: Request) -> Form:
        """Read it.

        Returns
        -------
        Form

        Raises
        ------
        RefusalError
            400: it is none; 408: too slow; 413: too large; 415: of another media type.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
            raise RefusalError(415, "UNSUPPORTED_MEDIA_TYPE", f"send a form: {_TYPE}")
        service: Service = request.app.state.service
        max_kb = self._max_kb or _ESCAPED * service.settings.max_body_kb
        content = await read_at_most(request, max_kb, request_kb=_REQUEST_KB)
        try:
            fields = parse_qs(
                content.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
            )
        except ValueError:
            raise RefusalError(400, "MALFORMED", "this is not a form as browsers send it") from None
        return Form(fields)


FormOf = Annotated[Form, Depends(FormReader())]
"""An endpoint's parameter of this type is the form that has been posted."""

SmallFormOf = Annotated[Form, Depends(FormReader(max_kb=16))]
"""As `FormOf`, for whoever may not be known yet."""

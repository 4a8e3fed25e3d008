"""``/v1/files`` and ``/v1/previews``: downloads, by a token or by a signed link.

Paths come from what the server knows, its jobs and its descriptors; what a client says is only looked up.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import Response

from amper_spark.render.server.doors import READ, RENDER, Door
from amper_spark.render.server.envelopes import RefusalError, etag, refusals
from amper_spark.render.server.links import file_path, preview_path
from amper_spark.render.server.resources import filename_of
from amper_spark.render.server.sending import sent
from amper_spark.render.server.service import Service, ServiceOf  # noqa: TC001 - as above

if TYPE_CHECKING:
    from amper_spark.render.server.tokens import Token

_MAX_DATE = 2**53
_MAX_SIGNATURE = 200
_CONTENT = {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}
_OPTIONS: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        200: {"description": "The file.", **_CONTENT},
        206: {"description": "The part of it that Range names.", **_CONTENT},
        304: {"description": "You have it already."},
        **refusals(400, 401, 403, 404, 416, 429, 503),
    },
}

Expires = Annotated[int | None, Query(ge=0, le=_MAX_DATE, description="Of a signed link.")]
Signature = Annotated[str | None, Query(max_length=_MAX_SIGNATURE, description="Of a signed link.")]

router = APIRouter()

PREVIEW_RETRY_S = 30
"""When to ask again for a preview that is not made yet."""


@router.get("/v1/files/{job_id}/{name}", tags=["music"], **_OPTIONS)
@router.head("/v1/files/{job_id}/{name}", include_in_schema=False, **_OPTIONS)
def download(
    request: Request,
    job_id: str,
    name: str,
    service: ServiceOf,
    expires: Expires = None,
    signature: Signature = None,
) -> Response:
    """Download a file, whole or a range of it: with the token that asked for it, or by the signed link."""
    token = _let_in(request, file_path(job_id, name), RENDER, service, expires, signature)
    job = service.jobs.find(job_id, client_id=token.id if token else None)
    path = service.storage.find(job, name) if job else None
    if job is None or path is None:
        raise _none_such(service)
    file = next(file for file in job.files if file["name"] == name)
    # A file never changes; another attempt at its job is another file.
    tag = etag("/".join((job_id, file["attempt"], name)).encode()).removeprefix("W/")
    response = sent(
        request, path, content_type=file["content_type"], tag=tag, filename=filename_of(job, file)
    )
    if response is None:
        raise _none_such(service)
    return response


@router.get("/v1/previews/{descriptor}.mp3", tags=["entities"], **_OPTIONS)
@router.head("/v1/previews/{descriptor}.mp3", include_in_schema=False, **_OPTIONS)
def preview(
    request: Request,
    descriptor: str,
    service: ServiceOf,
    expires: Expires = None,
    signature: Signature = None,
) -> Response:
    """Hear what a descriptor sounds like: with a token, or by the link that the descriptor tells."""
    _let_in(request, preview_path(descriptor), READ, service, expires, signature)
    known = next((name for name in service.descriptors if name == descriptor), None)
    response = None
    if known is not None:
        file = service.storage.preview(known)
        made_ns = file.stat().st_mtime_ns if file.exists() else 0
        tag = etag(f"preview {known} {made_ns}".encode()).removeprefix("W/")
        response = sent(request, file, content_type="audio/mp3", tag=tag)
    if response is None:
        detail = "there is no such preview, or none yet: try again later"
        retry = {"Retry-After": str(PREVIEW_RETRY_S)} if known is not None else {}
        raise RefusalError(404, "NOT_FOUND", detail, headers=retry)
    return response


def preview_url(request: Request, base: str, descriptor: str) -> str | None:
    """Return a link to the preview of a descriptor, if there is one by now.

    Parameters
    ----------
    request : Request
    base : str
        URL of the server.
    descriptor : str
        Its id, as the catalogue has it.

    Returns
    -------
    str or None
    """
    service: Service = request.app.state.service
    if not service.storage.preview(descriptor).exists():
        return None
    return service.signer.link(base, preview_path(descriptor), now=time.time())


def _let_in(
    request: Request, path: str, door: Door, service: Service, expires: int | None, signature: str | None
) -> Token | None:
    """Let whoever has a signed link in as nobody; all others need a token."""
    if expires is None or signature is None:
        return door(request)
    if not service.signer.is_valid(path, expires=expires, signature=signature, now=time.time()):
        detail = "this link has expired or is not whole: ask for the resource again, which tells a new one"
        raise RefusalError(403, "LINK_NOT_VALID", detail)
    return None


def _none_such(service: Service) -> RefusalError:
    detail = f"there is no such file of yours; they are kept for {service.settings.keep_hours:g} h"
    return RefusalError(404, "NOT_FOUND", detail)

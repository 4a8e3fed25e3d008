"""Pages of descriptors: all of them, one of them, and how they sound."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import JSONResponse, Response

from amper_spark.render.server.envelopes import RefusalError
from amper_spark.render.server.files import PREVIEW_RETRY_S, preview_url
from amper_spark.render.server.pages.answers import PageRoute, page, see_other, wants_json
from amper_spark.render.server.pages.listing import DescriptorListing, Wanted, grouped
from amper_spark.render.server.service import ServiceOf  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Callable

    from amper_spark.render.server.pages.listing import Entry

_MAX_WORDS = 200
_MAX_SHOWN = 40


def browse_router(listing: DescriptorListing, *, entrance: Callable[..., object]) -> APIRouter:
    """Make the pages.

    Parameters
    ----------
    listing : DescriptorListing
    entrance : callable
        A dependency that lets in who may read.

    Returns
    -------
    APIRouter
        ``GET /``, ``/descriptors/{name}`` and ``/previews``.
    """
    router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Depends(entrance)])

    @router.get("/")
    def browse(request: Request, service: ServiceOf) -> Response:
        """List descriptors."""
        wanted, hint = _wanted(request)
        found = listing.select(wanted)
        made = service.storage.made_previews()
        return page(
            request,
            "browse.html",
            listing=listing,
            wanted=wanted,
            tempo=_tempo_of(request),
            hint=hint,
            groups=grouped(found),
            n_found=len(found),
            made=made,
            n_missing=sum(entry.name not in made for entry in listing.entries),
        )

    @router.get("/descriptors/{name}")
    def descriptor(request: Request, name: str, service: ServiceOf) -> Response:
        """Tell all about a descriptor."""
        entry = listing.find(name)
        if entry is None:
            raise RefusalError(404, "NOT_FOUND", "There is no descriptor of this name.")
        is_made = service.storage.preview(entry.name).exists()
        return page(request, "descriptor.html", entry=entry, is_made=is_made)

    @router.get("/previews")
    def preview(request: Request, service: ServiceOf) -> Response:
        """Send the browser to the preview of a descriptor; tell scripts where it is."""
        entry = listing.find(request.query_params.get("descriptor", ""))
        if entry is None:
            raise RefusalError(404, "NOT_FOUND", "There is no descriptor of this name.")
        url = preview_url(request, "", entry.name)
        if url is None:
            raise _not_yet(entry, len(service.storage.made_previews()), len(listing.entries))
        return JSONResponse({"url": url}) if wants_json(request) else see_other(url)

    return router


def _wanted(request: Request) -> tuple[Wanted, str | None]:
    """Read what is looked for, with a hint where it cannot be understood."""
    query = request.query_params
    tempo = _tempo_of(request)
    wanted = Wanted(query.get("words", "")[:_MAX_WORDS], query.get("genre", ""), query.get("mood", ""))
    if not tempo:
        return wanted, None
    try:
        tempo_bpm = float(tempo)
    except ValueError:
        tempo_bpm = math.nan
    if not math.isfinite(tempo_bpm):
        told = f"“{tempo[:_MAX_SHOWN]}” is no tempo: that is a number of beats per minute, such as 120."
        return wanted, f"{told} Shown here are descriptors of all tempos."
    return wanted._replace(tempo_bpm=tempo_bpm), None


def _tempo_of(request: Request) -> str:
    return request.query_params.get("tempo", "").strip()[:_MAX_WORDS]


def _not_yet(entry: Entry, n_made: int, n_all: int) -> RefusalError:
    detail = (
        f"The preview of {entry.full_title} is not made yet. The server makes previews one after the other, "
        f"while it has nothing else to do: {n_made} of {n_all} are there."
    )
    return RefusalError(404, "NOT_FOUND", detail, headers={"Retry-After": str(PREVIEW_RETRY_S)})

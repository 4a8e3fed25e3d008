"""Pages of the music that somebody has asked for: all of it, and each piece as far as it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import JSONResponse, Response

from amper_spark.render.server.job import ENDED
from amper_spark.render.server.links import file_path
from amper_spark.render.server.pages.answers import PageRoute, page, see_other
from amper_spark.render.server.pages.own_jobs import none_such, own_job, own_summary
from amper_spark.render.server.pages.pieces import duration_of, percent_of, shown, words_of
from amper_spark.render.server.pages.visitors import SignedIn  # noqa: TC001 - as above
from amper_spark.render.server.service import ServiceOf  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Callable

    from amper_spark.render.server.offer import Offer
    from amper_spark.render.server.pages.listing import DescriptorListing

PAGE = 20
"""Jobs of a page."""

_MAX_ID = 64


def music_router(listing: DescriptorListing, offer: Offer, *, entrance: Callable[..., object]) -> APIRouter:
    """Make the pages.

    Parameters
    ----------
    listing : DescriptorListing
    offer : Offer
    entrance : callable
        A dependency that lets in who may have music made.

    Returns
    -------
    APIRouter
        ``GET /music``, ``/music/{job_id}``, its ``/progress``, and ``/files/{name}``.
    """
    router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Depends(entrance)])
    instruments = {one.id: one.name for one in offer.instruments}

    @router.get("/music")
    def music(request: Request, client: SignedIn, service: ServiceOf) -> Response:
        """List what has been asked for."""
        before = request.query_params.get("before", "")[:_MAX_ID] or None
        found = service.jobs.of_client(client.id, before=before, limit=PAGE + 1)
        return page(
            request,
            "music.html",
            rows=[(job, words_of(job, service), duration_of(job, service)) for job in found[:PAGE]],
            before=before,
            has_more=len(found) > PAGE,
            keep_hours=service.settings.keep_hours,
        )

    @router.get("/music/{job_id}")
    def piece(request: Request, job_id: str, client: SignedIn, service: ServiceOf) -> Response:
        """Show a piece, as far as it is."""
        job = own_job(job_id, client, service)
        return page(request, "piece.html", **shown(job, service, listing, instruments))

    @router.get("/music/{job_id}/progress")
    def progress(job_id: str, client: SignedIn, service: ServiceOf) -> Response:
        """Tell a script how far a piece is."""
        job = own_summary(job_id, client, service)
        told = {"words": words_of(job, service), "percent": percent_of(job), "ended": job.status in ENDED}
        return JSONResponse(told)

    @router.get("/music/{job_id}/files/{name}")
    def file(job_id: str, name: str, client: SignedIn, service: ServiceOf) -> Response:
        """Send the browser to a file, by a link that works for a while: pages hold none that go stale."""
        job = own_summary(job_id, client, service)
        if not any(file["name"] == name for file in job.files):
            raise none_such(service)
        return see_other(service.signer.link("", file_path(job.id, name), now=time.time()))

    return router

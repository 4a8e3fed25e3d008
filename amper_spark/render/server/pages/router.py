"""All pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import Response

from amper_spark.render.server.envelopes import RefusalError, is_among
from amper_spark.render.server.pages.answers import PageRoute
from amper_spark.render.server.pages.assets import asset_type, assets, version
from amper_spark.render.server.pages.browse import browse_router
from amper_spark.render.server.pages.compose import compose_router
from amper_spark.render.server.pages.listing import listing_of
from amper_spark.render.server.pages.music import music_router
from amper_spark.render.server.pages.sessions import Sessions
from amper_spark.render.server.pages.signing import signing_router
from amper_spark.render.server.pages.visitors import Entrance

if TYPE_CHECKING:
    from amper_spark.render.server.offer import Offer

_FOR_EVER = "public, max-age=31536000, immutable"


def page_router(offer: Offer, *, secret: bytes) -> APIRouter:
    """Make all pages.

    Parameters
    ----------
    offer : Offer
        What timelines can name.
    secret : bytes
        The server's, from which the key of the cookies is derived.

    Returns
    -------
    APIRouter
        None of its routes is part of the API or its description.
    """
    sessions, listing = Sessions(secret), listing_of(offer)
    router = APIRouter(include_in_schema=False)
    for part in (
        _asset_router(),
        signing_router(sessions),
        browse_router(listing, entrance=Entrance(sessions, "read")),
        compose_router(listing, entrance=Entrance(sessions, "read", "render")),
        music_router(listing, offer, entrance=Entrance(sessions, "render")),
    ):
        router.include_router(part)
    return router


def _asset_router() -> APIRouter:
    router = APIRouter(route_class=PageRoute, include_in_schema=False)

    @router.get("/static/{version_asked}/{name}")
    @router.head("/static/{version_asked}/{name}")
    def asset(request: Request, version_asked: str, name: str) -> Response:
        """Send a file: what is asked for is only looked up."""
        content = assets().get(name) if version_asked == version() else None
        if content is None:
            raise RefusalError(404, "NOT_FOUND", "This server's pages have changed: load the page again.")
        headers = {"ETag": f'"{version()}"', "Cache-Control": _FOR_EVER}
        if is_among(headers["ETag"], request.headers.get("if-none-match")):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=asset_type(name), headers=headers)

    return router

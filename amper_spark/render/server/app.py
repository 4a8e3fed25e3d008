"""The application: all endpoints, and what stands before them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse, Response

from amper_spark import __version__
from amper_spark.render.server import access_tokens, doors, files, health, renders
from amper_spark.render.server.admission import Room
from amper_spark.render.server.cors import Cors
from amper_spark.render.server.database import Database
from amper_spark.render.server.description import describe
from amper_spark.render.server.doors import Doors
from amper_spark.render.server.entities import entity_router
from amper_spark.render.server.envelopes import JsonApiResponse
from amper_spark.render.server.failures import Failures, answer_refusals
from amper_spark.render.server.headers import SecureHeaders
from amper_spark.render.server.jobs import Jobs
from amper_spark.render.server.links import Signer
from amper_spark.render.server.metrics import Metrics
from amper_spark.render.server.pages.router import page_router
from amper_spark.render.server.reference import POLICY, reference_page
from amper_spark.render.server.request_log import RequestLog
from amper_spark.render.server.service import Service
from amper_spark.render.server.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from amper_spark.render.server.offer import Offer
    from amper_spark.render.server.request_log import RequestRecord
    from amper_spark.render.server.service import Working
    from amper_spark.render.server.settings import ServerSettings
    from amper_spark.render.server.storage import Storage


def create_app(
    storage: Storage,
    settings: ServerSettings,
    *,
    offer: Offer,
    working: Working | None = None,
    audit: Callable[[RequestRecord], None] | None = None,
) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    storage : Storage
    settings : ServerSettings
    offer : Offer
        What timelines can name.
    working : Working, optional
        Who works the jobs off, to be asked for its health.
    audit : callable, optional
        Called with each request once it has been answered.

    Returns
    -------
    FastAPI
        It does no job: whoever works them off takes them from the same database.

    Raises
    ------
    DatabaseError
        The database cannot be used.
    StorageError
        The secret that links are signed with cannot be read or made.
    """
    service = _service(storage, settings, offer, working)
    app = FastAPI(
        title="Amper",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        default_response_class=JsonApiResponse,
        telemetry={"auto_configure": False},  # traces would have the signatures of links in them
        lifespan=_closing_database,
    )
    app.state.service = service
    answer_refusals(app)
    for router in (renders.router, files.router, access_tokens.router, health.router):
        app.include_router(router)
    app.include_router(entity_router(offer.index, guard=doors.READ, preview_url=files.preview_url))
    app.include_router(page_router(offer, secret=storage.secret()))
    _describe_itself(app)
    tell = [service.metrics.tell, *([audit] if audit else [])]
    # The last one added stands first.
    app.add_middleware(Failures)
    app.add_middleware(Cors, origins=settings.allowed_origins, routes=app.routes)
    app.add_middleware(SecureHeaders, allows_other_origins=bool(settings.allowed_origins))
    app.add_middleware(RequestLog, tell=tell)
    return app


@asynccontextmanager
async def _closing_database(app: FastAPI) -> AsyncIterator[None]:
    yield
    service: Service = app.state.service
    service.database.close_all()


def _service(storage: Storage, settings: ServerSettings, offer: Offer, working: Working | None) -> Service:
    database = Database(storage.database)
    tokens = Tokens(database)
    room = Room(
        max_waiting=settings.max_waiting,
        max_waiting_of_one=settings.max_waiting_per_token,
        max_kept_bytes=1e6 * settings.max_kept_mb_per_token,
    )
    return Service(
        settings=settings,
        database=database,
        storage=storage,
        jobs=Jobs(database, room=room),
        tokens=tokens,
        doors=Doors(tokens, requests_per_minute=settings.requests_per_minute),
        signer=Signer(storage.secret(), lasts_s=settings.link_lasts_s),
        metrics=Metrics(),
        descriptors=tuple(descriptor.name for descriptor in offer.catalogue.descriptors),
        working=working,
    )


def _describe_itself(app: FastAPI) -> None:
    @cache
    def described() -> dict[str, Any]:
        return describe(app)

    @cache
    def encoded() -> bytes:
        return bytes(JSONResponse(described()).body)

    @cache
    def page() -> str:
        return reference_page(described())

    @app.get("/openapi.json", include_in_schema=False, response_class=JSONResponse)
    def openapi() -> Response:
        return Response(encoded(), media_type="application/json")

    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    def docs() -> HTMLResponse:
        return HTMLResponse(page(), headers={"Content-Security-Policy": POLICY})

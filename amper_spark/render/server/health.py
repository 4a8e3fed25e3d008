"""``/health`` for whoever watches over the server, and ``/metrics`` for Prometheus."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, PlainTextResponse, Response

from amper_spark.render.server.doors import READ
from amper_spark.render.server.envelopes import refusals
from amper_spark.render.server.metrics import CONTENT_TYPE, job_lines, text_of, working_lines
from amper_spark.render.server.service import Service, ServiceOf  # noqa: TC001 - FastAPI reads the annotations
from amper_spark.render.server.tokens import Token  # noqa: TC001 - as above

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_FREE_MB = 500
RETRY_S = 5
_MB = 1_000_000


class Health(BaseModel):
    """Whether the server can do its work."""

    status: Literal["ok", "failing"]
    reasons: list[str] = Field(description="What is wrong; empty if nothing is.")


class Live(BaseModel):
    """That the server answers."""

    status: Literal["ok"] = "ok"


router = APIRouter(tags=["operation"])


@router.get(
    "/health",
    response_model=Health,
    response_class=JSONResponse,
    responses={503: {"model": Health, "description": "It cannot: reasons say why."}},
)
def health(service: ServiceOf) -> Response:
    """Tell whether the server can do its work; anybody may ask."""
    reasons = list(_reasons(service))
    document = Health(status="failing" if reasons else "ok", reasons=reasons)
    return JSONResponse(
        document.model_dump(),
        status_code=503 if reasons else 200,
        headers={"Retry-After": str(RETRY_S)} if reasons else None,
    )


@router.get("/live", response_model=Live, response_class=JSONResponse)
async def live() -> Response:
    """Answer, and nothing else; anybody may ask. Whoever gets no answer should start the server again."""
    return JSONResponse(Live().model_dump())


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"description": "Prometheus text."}, **refusals(401, 403, 429, 503)},
)
def metrics(service: ServiceOf, client: Annotated[Token, Depends(READ)]) -> Response:  # noqa: ARG001 - its being there is what is asked
    """Tell figures of requests, jobs and workers."""
    lines = [
        *service.metrics.lines(),
        *job_lines(service.jobs.counts(), max_waiting=service.jobs.room.max_waiting),
        *working_lines(_health_of_working(service)),
    ]
    return Response(text_of(lines), media_type=CONTENT_TYPE)


def _reasons(service: Service) -> Iterator[str]:
    try:
        service.database.connection.execute("SELECT count(*) FROM tokens").fetchone()
    except sqlite3.Error as error:
        yield f"the database cannot be used: {error}"
    try:
        free_mb = shutil.disk_usage(service.storage.folder).free / _MB
    except OSError as error:
        yield f"the data folder cannot be used: {error.strerror}"
    else:
        if free_mb < MIN_FREE_MB:
            yield f"the disk of the data folder is nearly full: {free_mb:.0f} MB are free"
    working = _health_of_working(service)
    if not working.get("ok", True):
        yield f"nobody works the jobs off: {working.get('last_error') or 'see the log of the server'}"


def _health_of_working(service: Service) -> dict[str, Any]:
    return service.working.health() if service.working is not None else {}

"""``/v1/simple_renders`` and ``/v1/simple_compositions``: ask for music, and see how far it is."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import Response  # noqa: TC002 - as above

from amper_spark.render.server.admission import QueueFullError, QuotaError
from amper_spark.render.server.doors import RENDER
from amper_spark.render.server.envelopes import (
    ETAG_HEADER,
    LOCATION_HEADER,
    Fault,
    RefusalError,
    answered,
    refusals,
)
from amper_spark.render.server.job import Job, Kind
from amper_spark.render.server.jobs import IdempotencyError
from amper_spark.render.server.limits import acceptable, parsed, read_body
from amper_spark.render.server.links import base_of
from amper_spark.render.server.requests import composition_request, render_request
from amper_spark.render.server.resources import CompositionDocument, RenderDocument, job_document, url_of
from amper_spark.render.server.service import Service, ServiceOf  # noqa: TC001 - as above
from amper_spark.render.server.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amper_spark.render.server.settings import ServerSettings

FULL_RETRY_S = 10
_MAX_KEY = 200
_CHECKS: Mapping[Kind, Callable[[object, ServerSettings], dict[str, Any]]] = {
    Kind.RENDER: render_request,
    Kind.COMPOSITION: composition_request,
}

Client = Annotated[Token, Depends(RENDER)]
Body = Annotated[bytes, Depends(read_body)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=_MAX_KEY,
        pattern=r"^[!-~]+$",
        description="Makes the request repeatable: with the same key and body it is done once.",
    ),
]

router = APIRouter(tags=["music"])
_GUARDS = refusals(400, 401, 403, 406, 429, 503)
_POSTED = {**_GUARDS, **refusals(408, 409, 413, 415, 422)}
_READ = {**_GUARDS, **refusals(404), 304: {"description": "You have it already."}}


def _made(model: type) -> dict[str, Any]:
    return {
        "status_code": 201,
        "response_model": model,
        "response_description": "It is taken, and will be done; ask links.self how far it is.",
        "responses": {**_POSTED, 201: {"headers": {**ETAG_HEADER, **LOCATION_HEADER}}},
    }


def _shown(model: type) -> dict[str, Any]:
    return {"response_model": model, "responses": {**_READ, 200: {"headers": ETAG_HEADER}}}


def _add(kind: Kind, name: str, *, asked: str, shown: type, about_post: str, about_get: str) -> None:
    """Add the endpoints by which jobs of a kind are asked for and seen."""

    @router.post(
        f"/v1/{kind}",
        name=f"create_{name}",
        description=about_post,
        openapi_extra={"requestBody": asked},
        **_made(shown),
    )
    def create(
        request: Request,
        client: Client,
        content: Body,
        service: ServiceOf,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        acceptable(request)
        base = base_of(request)
        job = taken(
            kind, parsed(content), client_id=client.id, service=service, idempotency_key=idempotency_key
        )
        document = _document(job, service, base)
        return answered(request, document, status=201, headers={"Location": url_of(job, base)})

    @router.get(f"/v1/{kind}/{{job_id}}", name=f"read_{name}", description=about_get, **_shown(shown))
    def read(request: Request, job_id: str, client: Client, service: ServiceOf) -> Response:
        acceptable(request)
        base = base_of(request)
        job = service.jobs.find(job_id, kind=kind, client_id=client.id)
        if job is None:
            detail = (
                f"there is no such resource of yours; they are kept for {service.settings.keep_hours:g} h"
            )
            raise RefusalError(404, "NOT_FOUND", [Fault(detail, "parameter", "job_id")])
        return answered(request, _document(job, service, base))


_add(
    Kind.RENDER,
    "render",
    asked="RenderRequest",
    shown=RenderDocument,
    about_post="Compose a timeline and play it.",
    about_get="See how far a render is, and where its files are.",
)
_add(
    Kind.COMPOSITION,
    "composition",
    asked="CompositionRequest",
    shown=CompositionDocument,
    about_post="Complete a timeline without playing it; what is wrong with it is told in its notifications.",
    about_get="See how far a composition is, and the completed timeline.",
)


def taken(
    kind: Kind, document: object, *, client_id: str, service: Service, idempotency_key: str | None = None
) -> Job:
    """Take a job.

    Parameters
    ----------
    kind : Kind
    document : object
        The JSON of a request for it.
    client_id : str
        Who asks: the id of a token.
    service : Service
    idempotency_key : str, optional

    Returns
    -------
    Job

    Raises
    ------
    RefusalError
        409: of another type, or the key belongs to another request; 422: not usable; 503: too many wait.
    """
    wanted = _CHECKS[kind](document, service.settings)
    try:
        job = service.jobs.add(
            kind,
            wanted,
            client_id=client_id,
            request_sha256=_digest(document),
            idempotency_key=idempotency_key,
        )
    except QueueFullError as error:
        raise RefusalError(
            503, "QUEUE_FULL", str(error), headers={"Retry-After": str(FULL_RETRY_S)}
        ) from error
    except QuotaError as error:
        raise RefusalError(429, "QUOTA", str(error), headers={"Retry-After": str(FULL_RETRY_S)}) from error
    except IdempotencyError as error:
        fault = Fault(f"{error}: use a new one for a new request", "header", "Idempotency-Key")
        raise RefusalError(409, "IDEMPOTENCY_CONFLICT", [fault]) from error
    return job


def _document(job: Job, service: Service, base: str) -> RenderDocument | CompositionDocument:
    position = service.jobs.queue_position(job)
    return job_document(job, queue_position=position, base=base, signer=service.signer, now=time.time())


def _digest(document: object) -> str:
    """Tell requests apart, but not the spaces and the order in which their JSON is written."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

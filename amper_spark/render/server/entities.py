"""Endpoints of entities: what timelines can name, listed, searched and looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotations

from amper_spark.render.server.entity_documents import (
    MODELS,
    PageLinks,
    entity_attributes,
    entity_resource,
)
from amper_spark.render.server.entity_filters import parameters_of
from amper_spark.render.server.entity_index import EntityKind
from amper_spark.render.server.entity_paging import CursorError, page_links, page_of
from amper_spark.render.server.entity_queries import QueryError, list_request
from amper_spark.render.server.envelopes import (
    ETAG_HEADER,
    Fault,
    RefusalError,
    answered,
    refusals,
)
from amper_spark.render.server.limits import acceptable
from amper_spark.render.server.links import base_of
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from amper_spark.render.server.entity_documents import EntityResource
    from amper_spark.render.server.entity_filters import Parameter
    from amper_spark.render.server.entity_index import Entity, EntityIndex

PREFIX = "/v1/entities"

_MAX_ID = 200
_OF_LISTS: dict[int | str, dict[str, Any]] = {
    200: {"headers": ETAG_HEADER},
    304: {"description": "You have it already."},
    **refusals(400, 401, 403, 406, 429, 503),
}
_OF_ONE = {**_OF_LISTS, **refusals(404)}


def entity_router(
    index: EntityIndex,
    *,
    guard: Callable[..., object],
    preview_url: Callable[[Request, str, str], str | None] | None = None,
) -> APIRouter:
    """Make the endpoints of all kinds of entities.

    Parameters
    ----------
    index : EntityIndex
    guard : callable
        A dependency that lets in who may read, and raises for others.
    preview_url : callable, optional
        Of the request, the server's URL and the id of a descriptor: where its preview is, or None where there
        is none yet. Without it, nothing has previews.

    Returns
    -------
    APIRouter
        ``GET /v1/entities/<kind>`` and ``GET /v1/entities/<kind>/<id>`` of each kind.
    """
    router = APIRouter(
        prefix=PREFIX,
        tags=["entities"],
        dependencies=[Depends(guard), Depends(acceptable)],
    )
    for kind in EntityKind:
        endpoints = _Endpoints(index, kind, preview_url if kind is EntityKind.DESCRIPTOR else None)
        example = next((one.id for one in index.all(kind)), "")
        router.add_api_route(
            f"/{kind}",
            endpoints.page,
            operation_id=f"list_{kind}",
            summary=f"List entities: {kind}",
            description="All filters hold at once, each by itself. Text is looked for inside ids and names, "
            "whether in upper or lower case.",
            response_model=MODELS[kind].page,
            response_description="A page of the list.",
            responses=_OF_LISTS,
            openapi_extra={"parameters": [_documented(one) for one in parameters_of(kind, example)]},
        )
        router.add_api_route(
            f"/{kind}/{{entity_id}}",
            endpoints.one,
            operation_id=f"get_{kind}",
            summary=f"Look an entity up: {kind}",
            response_model=MODELS[kind].document,
            response_description="The entity.",
            responses=_OF_ONE,
            openapi_extra={"parameters": [_documented_id(kind, example)]},
        )
    return router


class _Endpoints:
    """Endpoints of a kind of entity."""

    def __init__(
        self,
        index: EntityIndex,
        kind: EntityKind,
        preview_url: Callable[[Request, str, str], str | None] | None,
    ) -> None:
        self._index, self._kind, self._preview_url = index, kind, preview_url
        self._path = f"{PREFIX}/{kind}"
        # Kept once they are made: all of them take a third of a second, for which no start has to wait.
        self._attributes: dict[str, BaseModel] = {}

    def page(self, request: Request) -> Response:
        query = request.query_params.multi_items()
        try:
            wanted = list_request(self._kind, query)
            page = page_of(wanted.select(self._index.all(self._kind)), wanted.page)
        except QueryError as error:
            faults = [Fault(problem.message, "parameter", problem.parameter) for problem in error.problems]
            raise RefusalError(400, "BAD_PARAMETER", faults) from None
        except CursorError:
            fault = Fault(f"no {self._kind} of this id is in the list: begin again", "parameter", "cursor")
            raise RefusalError(400, "BAD_PARAMETER", [fault]) from None
        base = base_of(request)
        url = base + self._path
        links = page_links(page, wanted.page, url=url, filters=wanted.filters)
        links["self"] = f"{url}?{urlencode(query)}" if query else url
        document = MODELS[self._kind].page.model_construct(
            data=[self._resource(request, base, one) for one in page.records],
            links=PageLinks.model_validate(links),
        )
        return answered(request, document)

    def one(self, request: Request) -> Response:
        entity_id = request.path_params["entity_id"]
        found = self._index.find(self._kind, entity_id)
        if found is None:
            near = did_you_mean(entity_id[:_MAX_ID], (one.id for one in self._index.all(self._kind)))
            fault = Fault(f"there is no {self._kind} of this id{near}", "parameter", "entity_id")
            raise RefusalError(404, "NOT_FOUND", [fault])
        resource = self._resource(request, base_of(request), found)
        document = MODELS[self._kind].document.model_construct(data=resource, links=resource.links)
        return answered(request, document)

    def _resource(self, request: Request, base: str, entity: Entity) -> EntityResource:
        if entity.id not in self._attributes:
            self._attributes[entity.id] = entity_attributes(self._kind, entity)
        preview = self._preview_url(request, base, entity.id) if self._preview_url else None
        return entity_resource(
            self._kind,
            entity.id,
            self._attributes[entity.id],
            url=f"{base}{self._path}/{entity.id}",
            previews=[] if preview is None else [preview],
        )


def _documented(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "query",
        "required": False,
        "description": parameter.description,
        "schema": parameter.schema,
        "example": parameter.example,
    }


def _documented_id(kind: EntityKind, example: str) -> dict[str, Any]:
    return {
        "name": "entity_id",
        "in": "path",
        "required": True,
        "description": f"Id of the {kind}.",
        "schema": {"type": "string"},
        "example": example,
    }

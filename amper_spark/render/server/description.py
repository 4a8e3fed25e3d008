"""The server's own description: OpenAPI 3.1, true in all that it says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from amper_spark import __version__
from amper_spark.render.server.envelopes import MEDIA_TYPE
from amper_spark.render.server.examples import BODIES, LINKS
from amper_spark.render.server.limits import MEDIA_TYPES
from amper_spark.render.server.requests import CompositionRequest, RenderRequest
from amper_spark.render.server.token_documents import AccessTokenRequest
from amper_spark.timeline.document import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

_TITLE = "Amper"
_NO_WORD = re.compile(r"\W")
_ABOUT = (
    "Music from timelines: post one, poll until it is CREATED, download the files. The protocol is that of "
    "Amper's API, version 1, which follows JSON:API 1.0; docs/server.md says where this server goes further."
)
_REF = "#/components/schemas/{model}"
_BODIES = (RenderRequest, CompositionRequest, AccessTokenRequest, Timeline)
_TOKENS = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An access token."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "An access token as user name; any password, usually none.",
    },
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Describe an application.

    Bodies are read by the endpoints themselves, which name their models as ``requestBody``. Whatever can be
    refused with 401 is behind the doors.

    Parameters
    ----------
    app : FastAPI

    Returns
    -------
    dict
        OpenAPI, for JSON.
    """
    document = get_openapi(title=_TITLE, version=__version__, description=_ABOUT, routes=app.routes)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= _body_schemas()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = _TOKENS
    for operation in _operations(document):
        _complete(operation)
    _name(document)
    _link(document)
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def _complete(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]  # FastAPI's own; what is wrong with parameters is told with 400
    for response in responses.values():
        if "ErrorDocument" in str(response.get("content", "")):
            response["content"] = {MEDIA_TYPE: next(iter(response["content"].values()))}
    if "401" in responses:
        operation["security"] = [{"bearer": []}, {"basic": []}]
    model = operation.get("requestBody")
    if isinstance(model, str):
        schema = {"$ref": _REF.format(model=model)}
        operation["requestBody"] = {
            "required": True,
            "content": {
                media_type: {"schema": schema, "example": BODIES[model]} for media_type in MEDIA_TYPES
            },
        }


def _name(document: dict[str, Any]) -> None:
    """Name operations as their endpoints are named: FastAPI adds path and method."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            added = f"{_NO_WORD.sub('_', path)}_{method}"
            operation["operationId"] = operation["operationId"].removesuffix(added)


def _link(document: dict[str, Any]) -> None:
    operations = {operation["operationId"]: operation for operation in _operations(document)}
    for link in LINKS:
        following = operations[link.follows]
        links = operations[link.operation]["responses"][link.status].setdefault("links", {})
        links[link.name] = {
            "operationId": link.follows,
            "parameters": dict(link.parameters),
            "description": following.get("description", following["summary"]),
        }


def _body_schemas() -> dict[str, Any]:
    _, found = models_json_schema(
        [(model, "validation") for model in _BODIES], ref_template=_REF, by_alias=True
    )
    schemas: dict[str, Any] = found["$defs"]
    schemas["RenderAttributes"]["properties"]["timeline"] = {"$ref": _REF.format(model="Timeline")}
    # A composition takes any timeline, and tells what is wrong with it in its notifications.
    schemas["CompositionAttributes"]["properties"]["timeline"]["type"] = "object"
    return schemas

"""``/v1/access_tokens``: make tokens for programs, see which there are, revoke them.

A token can make only tokens that may do no more than itself, and for no longer.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations
from starlette.responses import Response

from amper_spark.errors import ParameterError
from amper_spark.render.server.doors import TOKENS, unauthorized
from amper_spark.render.server.entity_paging import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    CursorError,
    PageRequest,
    page_links,
    page_of,
)
from amper_spark.render.server.envelopes import (
    ETAG_HEADER,
    LOCATION_HEADER,
    Fault,
    RefusalError,
    answered,
    etag,
    is_among,
    refusals,
)
from amper_spark.render.server.limits import acceptable, parsed, read_body
from amper_spark.render.server.links import base_of
from amper_spark.render.server.requests import checked, not_usable
from amper_spark.render.server.service import Service, ServiceOf  # noqa: TC001 - as above
from amper_spark.render.server.token_documents import (
    AccessTokenDocument,
    AccessTokenPage,
    AccessTokenRequest,
    NewAccessTokenDocument,
    token_resource,
)
from amper_spark.render.server.token_order import sorted_tokens
from amper_spark.render.server.tokens import MAX_LASTS_S, Token, TokenError, TooManyTokensError

MAX_OFFSET = 1_000
_URL = "/v1/access_tokens"
_POINTER = "/data/attributes"
_MAX_TEXT = 200

Client = Annotated[Token, Depends(TOKENS)]
Body = Annotated[bytes, Depends(read_body)]
Limit = Annotated[int | None, Query(ge=1, le=MAX_LIMIT, description="How many; 10 by default.")]
Length = Annotated[int | None, Query(ge=1, le=MAX_LIMIT, description="Older name of limit.")]
Offset = Annotated[int | None, Query(ge=0, le=MAX_OFFSET, description="How many to pass over.")]
Cursor = Annotated[str | None, Query(max_length=_MAX_TEXT, description="Id of the first one.")]
Sort = Annotated[
    str | None,
    Query(
        max_length=_MAX_TEXT,
        description="date_access, date_create, display_name, with commas between; - before one: falling.",
    ),
]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="ETag of the token; it must be there.")]

router = APIRouter(prefix=_URL, tags=["access tokens"])
_GUARDS = refusals(400, 401, 403, 406, 429, 503)
_SHOWN: dict[int | str, dict[str, Any]] = {
    200: {"headers": ETAG_HEADER},
    304: {"description": "You have it already."},
}
_MADE: dict[int | str, dict[str, Any]] = {201: {"headers": {**ETAG_HEADER, **LOCATION_HEADER}}}


@router.post(
    "",
    status_code=201,
    response_model=NewAccessTokenDocument,
    responses={**_GUARDS, **refusals(408, 409, 413, 415, 422), **_MADE},
    openapi_extra={"requestBody": "AccessTokenRequest"},
)
def create_token(request: Request, client: Client, content: Body, service: ServiceOf) -> Response:
    """Make a token; it is shown this once."""
    acceptable(request)
    base = base_of(request)
    faults: list[Fault] = []
    wanted = checked(AccessTokenRequest, parsed(content), "access_tokens", faults)
    if wanted is None:
        raise not_usable(faults)
    attributes = wanted.data.attributes
    scopes = set(attributes.scopes or client.scopes)
    if not scopes <= client.scopes:
        detail = f"must be among {', '.join(sorted(client.scopes))}, as for the token that asks"
        raise not_usable([Fault(detail, "pointer", f"{_POINTER}/scopes")])
    lasts_s = _lasts_s(attributes.date_expire, client)
    try:
        token, plaintext = service.tokens.create(
            attributes.display_name or "", scopes=scopes, lasts_s=lasts_s, made_by=client.id
        )
    except TokenError:
        raise unauthorized() from None
    except TooManyTokensError as error:
        raise RefusalError(409, "TOO_MANY_TOKENS", str(error)) from None
    except ParameterError as error:
        raise not_usable([Fault(str(error), "pointer", f"{_POINTER}/display_name")]) from None
    resource = token_resource(token, _url(base, token))
    resource["attributes"]["access_token_plaintext"] = plaintext
    document = NewAccessTokenDocument.model_validate({"data": resource, "links": resource["links"]})
    headers = {"Location": _url(base, token), "Cache-Control": "no-store", "ETag": _tag(token)}
    return answered(request, document, status=201, headers=headers)


@router.get("", response_model=AccessTokenPage, responses={**_GUARDS, **_SHOWN})
def list_tokens(
    request: Request,
    client: Client,  # noqa: ARG001 - its being there is what is asked
    service: ServiceOf,
    limit: Limit = None,
    length: Length = None,
    offset: Offset = None,
    cursor: Cursor = None,
    sort: Sort = None,
) -> Response:
    """List the tokens that are not revoked."""
    acceptable(request)
    base = base_of(request)
    tokens = sorted_tokens([token for token in service.tokens.list() if token.date_revoke is None], sort)
    wanted = PageRequest(limit=limit or length or DEFAULT_LIMIT, offset=offset or 0, cursor=cursor)
    try:
        page = page_of(tokens, wanted)
    except CursorError:
        fault = Fault("no token has this id: begin again", "parameter", "cursor")
        raise RefusalError(400, "BAD_PARAMETER", [fault]) from None
    links = page_links(page, wanted, url=base + _URL, filters=[("sort", sort)] if sort else [])
    links["self"] = f"{base}{_URL}?{request.url.query}" if request.url.query else base + _URL
    data = [token_resource(token, _url(base, token)) for token in page.records]
    return answered(request, AccessTokenPage.model_validate({"data": data, "links": links}))


@router.get(
    "/{token_id}", response_model=AccessTokenDocument, responses={**_GUARDS, **refusals(404), **_SHOWN}
)
def read_token(
    request: Request,
    token_id: str,
    client: Client,  # noqa: ARG001 - its being there is what is asked
    service: ServiceOf,
) -> Response:
    """Look a token up."""
    acceptable(request)
    token = _found(token_id, service)
    resource = token_resource(token, _url(base_of(request), token))
    document = AccessTokenDocument.model_validate({"data": resource, "links": resource["links"]})
    return answered(request, document, headers={"ETag": _tag(token)})


@router.delete(
    "/{token_id}",
    status_code=204,
    response_class=Response,
    responses={**_GUARDS, **refusals(404, 412, 428), 204: {"description": "It opens nothing any more."}},
)
def revoke_token(
    request: Request,
    token_id: str,
    client: Client,  # noqa: ARG001 - its being there is what is asked
    service: ServiceOf,
    if_match: IfMatch = None,
) -> Response:
    """Revoke a token at once, and for good."""
    acceptable(request)
    token = _found(token_id, service)
    if if_match is None:
        detail = f"send If-Match with the ETag of GET {_URL}/{token.id}"
        raise RefusalError(428, "IF_MATCH_REQUIRED", [Fault(detail, "header", "If-Match")])
    if not is_among(_tag(token), if_match):
        detail = "this is not its ETag any more: read it again"
        raise RefusalError(412, "CHANGED_MEANWHILE", [Fault(detail, "header", "If-Match")])
    service.tokens.revoke(token.id)
    return Response(status_code=204)


def _url(base: str, token: Token) -> str:
    return f"{base}{_URL}/{token.id}"


def _found(token_id: str, service: Service) -> Token:
    token = service.tokens.find(token_id)
    if token is None or token.date_revoke is not None:
        fault = Fault("there is no such token, or no more", "parameter", "token_id")
        raise RefusalError(404, "NOT_FOUND", [fault])
    return token


def _tag(token: Token) -> str:
    """Name the state of a token; to be used is no change of it, or nobody could revoke one that is in use."""
    return etag(repr((token.id, token.display_name, sorted(token.scopes), token.date_expire)).encode())


def _lasts_s(date_expire: datetime | None, client: Token) -> float | None:
    """Say how long a new token lasts: no longer than the one that asks for it."""
    now = time.time()
    if date_expire is None:
        return None  # it ends when the one that asks does
    latest = min(client.date_expire or math.inf, now + MAX_LASTS_S)
    wanted = date_expire.timestamp()
    if not now < wanted <= latest:
        until = datetime.fromtimestamp(latest, UTC).isoformat()
        detail = f"must be to come, and not after {until}; got {date_expire.isoformat()}"
        raise not_usable([Fault(detail, "pointer", f"{_POINTER}/date_expire")])
    return wanted - now

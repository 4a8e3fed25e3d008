"""Access tokens as clients see them, and as they ask for new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from amper_spark.render.server.entity_documents import PageLinks  # noqa: TC001 - pydantic reads the annotations
from amper_spark.render.server.envelopes import Links  # noqa: TC001 - as above
from amper_spark.render.server.resources import iso_date
from amper_spark.render.server.tokens import Scope  # noqa: TC001 - as above

if TYPE_CHECKING:
    from amper_spark.render.server.tokens import Token


class NewTokenAttributes(BaseModel):
    """What a token is to be."""

    model_config = ConfigDict(extra="forbid")

    display_name: str | None = Field(None, max_length=200)
    scopes: Annotated[list[Scope], Field(min_length=1)] | None = Field(
        None, description="What it is for; by default, what the token is for that asks."
    )
    date_expire: AwareDatetime | None = Field(
        None, description="When it ends; by default, when the token does that asks."
    )


class NewTokenData(BaseModel):
    """A token that is wanted."""

    type: Literal["access_tokens"]
    attributes: NewTokenAttributes = Field(default_factory=lambda: NewTokenAttributes.model_validate({}))


class AccessTokenRequest(BaseModel):
    """Asks for a token."""

    data: NewTokenData


class TokenView(BaseModel):
    """What is known of a token."""

    display_name: str
    access_token_redacted: str = Field(description="How the token begins.")
    scopes: list[Scope]
    date_create: str
    date_access: str | None = Field(description="When it was used last, to the minute.")
    date_expire: str | None


class NewTokenView(TokenView):
    """A new token, and the only time that it is shown."""

    access_token_plaintext: str


class AccessTokenResource(BaseModel):
    """A token."""

    type: Literal["access_tokens"]
    id: str
    attributes: TokenView
    links: Links


class NewAccessTokenResource(AccessTokenResource):
    """A new token."""

    attributes: NewTokenView


class AccessTokenDocument(BaseModel):
    """A token, wrapped."""

    data: AccessTokenResource
    links: Links


class NewAccessTokenDocument(BaseModel):
    """A new token, wrapped."""

    data: NewAccessTokenResource
    links: Links


class AccessTokenPage(BaseModel):
    """A page of tokens."""

    data: list[AccessTokenResource]
    links: PageLinks


def token_resource(token: Token, url: str) -> dict[str, Any]:
    """Show a token.

    Parameters
    ----------
    token : Token
    url : str
        Where it is.

    Returns
    -------
    dict
        An `AccessTokenResource`, without its secret.
    """
    return {
        "type": "access_tokens",
        "id": token.id,
        "attributes": {
            "display_name": token.display_name,
            "access_token_redacted": token.redacted,
            "scopes": sorted(token.scopes),
            "date_create": iso_date(token.date_create),
            "date_access": iso_date(token.date_access),
            "date_expire": iso_date(token.date_expire),
        },
        "links": {"self": url},
    }

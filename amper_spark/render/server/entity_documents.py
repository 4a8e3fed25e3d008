"""Entities as JSON: JSON:API documents of one entity, and of a page of them."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    create_model,
    model_serializer,
)

from amper_spark.render.server.entity_index import EntityKind
from amper_spark.render.server.envelopes import Links

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amper_spark.render.server.entity_index import Entity


class _Object(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Reference(_Object):
    """Something that can be looked up."""

    id: str
    """For programs."""
    name: str
    """For people."""


class TagReference(Reference):
    """A word that says what something is like."""

    category: Reference
    """What the word is about, such as mood."""


class Preview(_Object):
    """Music to hear before anything is rendered."""

    content_type: Literal["audio/mp3"]
    """Media type."""
    url: str
    """Absolute. Not found until it has been rendered, which happens when there is nothing else to do."""


class NamedAttributes(_Object):
    """What is known of a category, a label or a style."""

    name: str
    """For people."""


class HitAttributes(NamedAttributes):
    """What is known of a hit."""

    previews: list[Preview] = []
    """May be empty."""


class InstrumentAttributes(HitAttributes):
    """What is known of an instrument."""

    tags: list[TagReference]
    """Of the categories instrument_category, instrument_type and style."""


class BandAttributes(NamedAttributes):
    """What is known of a band."""

    instruments: list[Reference]
    """What timelines name in place of the band."""
    tags: list[TagReference]
    """Of the categories descriptor and band_size."""


class DescriptorAttributes(NamedAttributes):
    """What is known of a descriptor."""

    average_render_speed: float = Field(examples=[37.0])
    """How many times faster than it plays it renders, when nothing else is rendered."""
    bands: list[Reference]
    """Instruments that go well together."""
    min_tempo: float
    """BPM."""
    max_tempo: float
    """BPM."""
    previews: list[Preview] = []
    """May be empty."""
    instruments: list[Reference]
    """All that play in its style."""
    tags: list[TagReference]
    """Genre, subgenre, style, mood, sentiment, valence, momentum; each scale_quality that it can have."""


class PageLinks(Links):
    """Where a page is, and others of the same list."""

    first: str = Field(description="The first page.")
    next: str | None = Field(None, description="The next page, by offset; absent on the last one.")
    next_cursor: str | None = Field(None, description="The next page, by cursor; absent on the last one.")

    @model_serializer(mode="wrap")
    def _without_absent(self, write: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]  # it would become the schema
        return {name: url for name, url in write(self).items() if url is not None}


class EntityResource(_Object):
    """An entity."""

    type: str
    """``entity_`` and its kind."""
    id: str
    """What timelines call it."""
    attributes: BaseModel
    """What is known of it."""
    links: Links
    """Where it is."""


class EntityDocument(_Object):
    """One entity."""

    data: EntityResource
    """The entity."""
    links: Links
    """Where this document is."""


class EntityPage(_Object):
    """A page of a list of entities."""

    data: list[EntityResource]
    """By their ids."""
    links: PageLinks
    """Where this page is, and others."""


class Models(NamedTuple):
    """How entities of a kind are written.

    Parameters
    ----------
    attributes : type of BaseModel
        What is known of one.
    resource : type of EntityResource
        One, in its envelope.
    document : type of EntityDocument
        The document of one.
    page : type of EntityPage
        That of a page.
    """

    attributes: type[BaseModel]
    resource: type[EntityResource]
    document: type[EntityDocument]
    page: type[EntityPage]


def _models(kind: EntityKind, attributes: type[BaseModel]) -> Models:
    name = kind.title()
    told: Any = Literal[f"entity_{kind}"]
    resource = create_model(
        f"{name}Resource",
        __base__=EntityResource,
        __doc__=EntityResource.__doc__,
        type=(told, Field(description="What this is.")),
        attributes=(attributes, Field(description="What is known of it.")),
    )
    document = create_model(
        f"{name}Document",
        __base__=EntityDocument,
        __doc__=EntityDocument.__doc__,
        data=(resource, Field(description="The entity.")),
    )
    page = create_model(
        f"{name}Page",
        __base__=EntityPage,
        __doc__=EntityPage.__doc__,
        data=(list[resource], Field(description="By their ids.")),  # type: ignore[valid-type]  # made above
    )
    return Models(attributes, resource, document, page)


MODELS = {
    kind: _models(kind, attributes)
    for kind, attributes in (
        (EntityKind.DESCRIPTOR, DescriptorAttributes),
        (EntityKind.BAND, BandAttributes),
        (EntityKind.INSTRUMENT, InstrumentAttributes),
        (EntityKind.HIT, HitAttributes),
        (EntityKind.CATEGORY, NamedAttributes),
        (EntityKind.LABEL, NamedAttributes),
        (EntityKind.STYLE, NamedAttributes),
    )
}
"""By kind."""


def entity_attributes(kind: EntityKind, entity: Entity) -> BaseModel:
    """Tell what is known of an entity, but for its previews.

    Parameters
    ----------
    kind : EntityKind
    entity : Entity

    Returns
    -------
    BaseModel

    Examples
    --------
    >>> from amper_spark.render.server.entity_index import Entity
    >>> entity_attributes(EntityKind.HIT, Entity("tock_hit", "Tock Hit"))
    HitAttributes(name='Tock Hit', previews=[])
    """
    known = asdict(entity)
    del known["id"]
    return MODELS[kind].attributes.model_validate(known)


def entity_resource(
    kind: EntityKind, entity_id: str, attributes: BaseModel, *, url: str, previews: Iterable[str] = ()
) -> EntityResource:
    """Put an entity into its envelope.

    Parameters
    ----------
    kind : EntityKind
    entity_id : str
    attributes : BaseModel
        Of `entity_attributes`.
    url : str
        Where it is.
    previews : iterable of str
        URLs; of kinds that have previews.

    Returns
    -------
    EntityResource
    """
    heard = [Preview(content_type="audio/mp3", url=one) for one in previews]
    return MODELS[kind].resource.model_construct(
        type=f"entity_{kind}",
        id=entity_id,
        attributes=attributes.model_copy(update={"previews": heard}) if heard else attributes,
        links=Links.model_validate({"self": url}),
    )

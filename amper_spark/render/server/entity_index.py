"""Entities: what timelines can name, as records that clients list and look up.

They are made once, from the catalogue, and know nothing of requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from amper_spark.descriptors.naming import titled

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from amper_spark.descriptors.bands import Band, Bands
    from amper_spark.descriptors.catalogue import Catalogue, Descriptor
    from amper_spark.descriptors.hits import Hits
    from amper_spark.descriptors.instruments import Instrument, Instruments

AVERAGE_RENDER_SPEED = 37.0
"""Times real time, of a master in stereo at 44,100 Hz as MP3 on one core: measured, see docs/rendering.md."""

CATEGORIES = (
    "band_size",
    "descriptor",
    "genre",
    "instrument_category",
    "instrument_type",
    "momentum",
    "mood",
    "scale_quality",
    "sentiment",
    "style",
    "subgenre",
    "valence",
)
"""Of tags."""

LABELS = ("general",)


class EntityKind(StrEnum):
    """What entities there are."""

    DESCRIPTOR = "descriptor"
    BAND = "band"
    INSTRUMENT = "instrument"
    HIT = "hit"
    CATEGORY = "category"
    LABEL = "label"
    STYLE = "style"


@dataclass(frozen=True)
class Entity:
    """Something with a name.

    Parameters
    ----------
    id, name : str
        For programs, and for people.
    """

    id: str
    name: str


@dataclass(frozen=True)
class Tag(Entity):
    """A word that says what something is like.

    Parameters
    ----------
    category : Entity
        Of `CATEGORIES`.
    """

    category: Entity


@dataclass(frozen=True)
class InstrumentEntity(Entity):
    """An instrument.

    Parameters
    ----------
    tags : tuple of Tag
    """

    tags: tuple[Tag, ...]


@dataclass(frozen=True)
class BandEntity(Entity):
    """A band.

    Parameters
    ----------
    tags : tuple of Tag
    instruments : tuple of Entity
        In the order in which they enter.
    """

    tags: tuple[Tag, ...]
    instruments: tuple[Entity, ...]


@dataclass(frozen=True)
class DescriptorEntity(Entity):
    """A descriptor.

    Parameters
    ----------
    tags : tuple of Tag
    instruments : tuple of Entity
        All that play in its style.
    bands : tuple of Entity
    min_tempo, max_tempo : float
        BPM.
    average_render_speed : float
        Times real time.
    """

    tags: tuple[Tag, ...]
    instruments: tuple[Entity, ...]
    bands: tuple[Entity, ...]
    min_tempo: float
    max_tempo: float
    average_render_speed: float = AVERAGE_RENDER_SPEED


class EntityIndex:
    """All entities.

    Parameters
    ----------
    catalogue : Catalogue
    instruments : Instruments
    bands : Bands
        Those whose descriptor is not in the catalogue are left out.
    hits : Hits

    Examples
    --------
    >>> from amper_spark.descriptors.bands import load_bands
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> from amper_spark.descriptors.hits import load_hits
    >>> from amper_spark.descriptors.instruments import load_instruments
    >>> index = EntityIndex(load_catalogue(), load_instruments(), load_bands(), load_hits())
    >>> index.find(EntityKind.DESCRIPTOR, "rock_indie_driving").name
    'Rock Indie Driving'
    >>> [len(index.all(kind)) for kind in (EntityKind.DESCRIPTOR, EntityKind.STYLE, EntityKind.HIT)]
    [204, 17, 19]
    """

    def __init__(self, catalogue: Catalogue, instruments: Instruments, bands: Bands, hits: Hits) -> None:
        names, styles = {one.name for one in catalogue}, {one.style for one in catalogue}
        records: dict[EntityKind, Iterable[Entity]] = {
            EntityKind.DESCRIPTOR: (_descriptor(one, instruments, bands) for one in catalogue),
            EntityKind.BAND: (_band(one) for one in bands if one.descriptor in names),
            EntityKind.INSTRUMENT: (_instrument(one, instruments, styles) for one in instruments),
            EntityKind.HIT: (_word(one.id) for one in hits),
            EntityKind.CATEGORY: map(_word, CATEGORIES),
            EntityKind.LABEL: map(_word, LABELS),
            EntityKind.STYLE: map(_word, styles),
        }
        self._records = {
            kind: {one.id: one for one in sorted(found, key=lambda one: one.id)}
            for kind, found in records.items()
        }
        self._lists = {kind: tuple(found.values()) for kind, found in self._records.items()}
        self._former = {one.former_name: one.name for one in catalogue if one.former_name}

    def all(self, kind: EntityKind) -> tuple[Entity, ...]:
        """Return all entities of a kind, by their ids."""
        return self._lists[kind]

    def find(self, kind: EntityKind, entity_id: str) -> Entity | None:
        """Look an entity up; descriptors by their former names, too."""
        if kind is EntityKind.DESCRIPTOR:
            entity_id = self._former.get(entity_id, entity_id)
        return self._records[kind].get(entity_id)


def _word(entity_id: str) -> Entity:
    return Entity(entity_id, titled(entity_id))


def _tags(category: str, *words: str) -> Iterator[Tag]:
    for word in words:
        yield Tag(word, titled(word), _word(category))


def _descriptor(one: Descriptor, instruments: Instruments, bands: Bands) -> DescriptorEntity:
    return DescriptorEntity(
        id=one.name,
        name=titled(one.name),
        tags=(
            *_tags("genre", one.genre),
            *_tags("subgenre", one.subgenre),
            *_tags("style", one.style),
            *_tags("mood", one.mood.name),
            *_tags("sentiment", one.sentiment),
            *_tags("valence", f"valence_{one.mood.valence}"),
            *_tags("momentum", f"momentum_{one.mood.momentum}"),
            *_tags("scale_quality", *one.scale_qualities),
        ),
        instruments=_references(_players(one.style, instruments)),
        bands=tuple(Entity(band.id, band.name) for band in bands.bands_of(one.name)),
        min_tempo=one.min_tempo_bpm,
        max_tempo=one.max_tempo_bpm,
    )


def _players(style: str, instruments: Instruments) -> Iterator[Instrument]:
    for role in instruments.roles(style):
        for half in instruments.pool(style, role).halves.values():
            yield from half


def _references(instruments: Iterable[Instrument]) -> tuple[Entity, ...]:
    return tuple(Entity(one, name) for one, name in {one.id: one.name for one in instruments}.items())


def _band(one: Band) -> BandEntity:
    return BandEntity(
        id=one.id,
        name=one.name,
        tags=(*_tags("descriptor", one.descriptor), *_tags("band_size", one.size)),
        instruments=_references(one.instruments),
    )


def _instrument(one: Instrument, instruments: Instruments, styles: Container[str]) -> InstrumentEntity:
    plays_in = (style for style in instruments.styles_with(one.id) if style in styles)
    return InstrumentEntity(
        id=one.id,
        name=one.name,
        tags=(
            *_tags("instrument_category", one.category),
            *_tags("instrument_type", one.type),
            *_tags("style", *plays_in),
        ),
    )

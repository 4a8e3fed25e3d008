"""Filters of lists of entities: what a query may ask for, and which entities are so.

Words are looked for inside words, whether upper or lower case; numbers are compared. All filters of a query
hold at once, each by itself: of two filters of tags, one tag can satisfy the first and another the second.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from amper_spark.render.server.entity_index import (
    BandEntity,
    DescriptorEntity,
    Entity,
    EntityKind,
    InstrumentEntity,
)
from amper_spark.render.server.entity_paging import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
MAX_TEXT = 200
"""Characters that a value can have."""
_SHOWN = 40


@dataclass(frozen=True)
class Parameter:
    """A parameter of a query.

    Parameters
    ----------
    name, description : str
    schema : mapping
        JSON Schema of its value.
    example : str or float
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    example: str | float


@dataclass(frozen=True)
class TextFilter(Parameter):
    """A filter that looks for a word inside others.

    Parameters
    ----------
    words : callable
        Of an entity: where it looks.
    """

    words: Callable[[Any], Iterable[str]] = field(kw_only=True)

    def test(self, text: str) -> Callable[[Entity], bool]:
        """Make the test of a value.

        Raises
        ------
        ValueError
            It is too long.
        """
        if len(text) > MAX_TEXT:
            raise ValueError(f"must have at most {MAX_TEXT} characters, got {len(text)}")
        wanted = text.casefold()
        return lambda entity: any(wanted in word.casefold() for word in self.words(entity))


@dataclass(frozen=True)
class NumberFilter(Parameter):
    """A filter that compares a number.

    Parameters
    ----------
    is_so : callable
        Of an entity and the number.
    """

    is_so: Callable[[Any, float], bool] = field(kw_only=True)

    def test(self, text: str) -> Callable[[Entity], bool]:
        """Make the test of a value.

        Raises
        ------
        ValueError
            It is no finite number.
        """
        if not _NUMBER.fullmatch(text) or not math.isfinite(number := float(text)):
            raise ValueError(f"must be a number, got {shortened(text)}")
        return lambda entity: self.is_so(entity, number)


Filter = TextFilter | NumberFilter


def shortened(text: str) -> str:
    """Show a value that may be long.

    Examples
    --------
    >>> shortened("x" * 1000) == repr("x" * 40)
    True
    """
    return repr(text[:_SHOWN])


def filters_of(kind: EntityKind) -> dict[str, Filter]:
    """Return the filters of a kind of entity, by name.

    Examples
    --------
    >>> list(filters_of(EntityKind.INSTRUMENT))
    ['id', 'name', 'tags.id', 'tags.name', 'tags.category']
    """
    return {one.name: one for one in _FILTERS[kind]}


def parameters_of(kind: EntityKind, example_id: str) -> tuple[Parameter, ...]:
    """Return all that a list of entities can be asked, filters first; the id is for an example."""
    cursor = Parameter(
        "cursor",
        "Id of the first record of the page; the offset, if there is one too, counts from it.",
        {"type": "string"},
        example_id,
    )
    return (*_FILTERS[kind], *_PAGING, cursor)


_PAGING = (
    Parameter(
        "limit",
        "How many records a page has at most.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        25,
    ),
    Parameter(
        "offset",
        "How many records to pass over.",
        {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
        0,
    ),
)

_TEXT = {"type": "string", "maxLength": MAX_TEXT}
_FINITE = {"type": "number"}


def _text(name: str, what: str, example: str, words: Callable[[Any], Iterable[str]]) -> TextFilter:
    return TextFilter(name, f"{what} contains this.", _TEXT, example, words=words)


def _number(name: str, what: str, example: float, is_so: Callable[[Any, float], bool]) -> NumberFilter:
    return NumberFilter(name, what, _FINITE, example, is_so=is_so)


def _tag_ids(one: DescriptorEntity | BandEntity | InstrumentEntity) -> Iterable[str]:
    return (tag.id for tag in one.tags)


def _tag_names(one: DescriptorEntity | BandEntity | InstrumentEntity) -> Iterable[str]:
    return (tag.name for tag in one.tags)


def _tag_categories(one: DescriptorEntity | BandEntity | InstrumentEntity) -> Iterable[str]:
    return (word for tag in one.tags for word in (tag.category.id, tag.category.name))


_NAMED = (
    _text("id", "The id", "tense", lambda one: (one.id,)),
    _text("name", "The name", "Tense", lambda one: (one.name,)),
)
_TAGGED = (
    _text("tags.id", "The id of one of its tags", "cinematic", _tag_ids),
    _text("tags.name", "The name of one of its tags", "Cinematic", _tag_names),
    _text("tags.category", "Id or name of the category of one of its tags", "style", _tag_categories),
)
_PLAYED = (
    _text(
        "instruments.id",
        "The id of one of its instruments",
        "piano",
        lambda one: (instrument.id for instrument in one.instruments),
    ),
    _text(
        "instruments.name",
        "The name of one of its instruments",
        "Piano",
        lambda one: (instrument.name for instrument in one.instruments),
    ),
)
_OF_DESCRIPTORS = (
    _text("bands.id", "The id of one of its bands", "band_1", lambda one: (band.id for band in one.bands)),
    _text(
        "bands.name",
        "The name of one of its bands",
        "Band 1",
        lambda one: (band.name for band in one.bands),
    ),
    _number(
        "render_speed_over",
        "It renders at least so many times faster than it plays.",
        10,
        lambda one, speed: one.average_render_speed >= speed,
    ),
    _number(
        "for_tempo",
        "It can be played at this tempo, in BPM.",
        76,
        lambda one, bpm: one.min_tempo <= bpm <= one.max_tempo,
    ),
    _number("min_tempo", "Its slowest tempo is this, in BPM.", 60, lambda one, bpm: one.min_tempo == bpm),
    _number("max_tempo", "Its fastest tempo is this, in BPM.", 112, lambda one, bpm: one.max_tempo == bpm),
)

_FILTERS: Mapping[EntityKind, tuple[Filter, ...]] = {
    EntityKind.DESCRIPTOR: (*_NAMED, *_OF_DESCRIPTORS, *_PLAYED, *_TAGGED),
    EntityKind.BAND: (*_NAMED, *_PLAYED, *_TAGGED),
    EntityKind.INSTRUMENT: (*_NAMED, *_TAGGED),
    EntityKind.HIT: _NAMED,
    EntityKind.CATEGORY: _NAMED,
    EntityKind.LABEL: _NAMED,
    EntityKind.STYLE: _NAMED,
}

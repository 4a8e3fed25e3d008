"""Descriptors as people browse them: by genre and subgenre, filtered by what they are like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from amper_spark.descriptors.naming import titled
from amper_spark.render.server.entity_index import DescriptorEntity, EntityKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from amper_spark.descriptors.bands import Band
    from amper_spark.render.server.offer import Offer

N_TONES = 8
"""Colours of genres that the style sheet has."""

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?")


@dataclass(frozen=True)
class Entry:
    """A descriptor.

    Parameters
    ----------
    name : str
        What timelines call it.
    title, full_title : str
        For people: within its subgenre, and by itself.
    genre, subgenre : str
    tone : int
        Which of the `N_TONES` colours its genre has.
    mood, sentiment : str
    min_tempo_bpm, max_tempo_bpm : float
    scale_qualities : tuple of str
    bands : tuple of Band
    instruments : tuple of str
        All that play in its style, by name.
    words : str
        What a search finds it by, in lower case.
    """

    name: str
    title: str
    full_title: str
    genre: str
    subgenre: str
    tone: int
    mood: str
    sentiment: str
    min_tempo_bpm: float
    max_tempo_bpm: float
    scale_qualities: tuple[str, ...]
    bands: tuple[Band, ...]
    instruments: tuple[str, ...]
    words: str


class Wanted(NamedTuple):
    """What somebody looks for; what is empty is open.

    Parameters
    ----------
    words : str
        Each is part of a name, a genre, a mood or an instrument; a number is a tempo.
    genre, mood : str
    tempo_bpm : float or None
    """

    words: str = ""
    genre: str = ""
    mood: str = ""
    tempo_bpm: float | None = None

    def is_met_by(self, entry: Entry) -> bool:
        """Whether a descriptor is one of those."""
        return (
            all(_fits(entry, word) for word in self.words.lower().replace("_", " ").split())
            and self.genre in ("", entry.genre)
            and self.mood in ("", entry.mood)
            and (self.tempo_bpm is None or _goes_at(entry, self.tempo_bpm))
        )


class DescriptorListing:
    """All descriptors of an offer.

    Parameters
    ----------
    offer : Offer
    """

    def __init__(self, offer: Offer) -> None:
        genres = tuple(offer.catalogue.hierarchy)
        self.tones: Mapping[str, int] = {genre: place % N_TONES for place, genre in enumerate(genres)}
        found = [
            _entry(one, offer, self.tones)
            for one in offer.index.all(EntityKind.DESCRIPTOR)
            if isinstance(one, DescriptorEntity)
        ]
        order = {style: place for place, style in enumerate(_styles(offer))}
        self.entries = tuple(
            sorted(found, key=lambda entry: (order[entry.genre, entry.subgenre], entry.name))
        )
        self._by_name = {entry.name: entry for entry in self.entries}

    def find(self, name: str) -> Entry | None:
        """Look a descriptor up."""
        return self._by_name.get(name)

    def select(self, wanted: Wanted) -> list[Entry]:
        """List the descriptors that somebody looks for, by genre and subgenre."""
        return [entry for entry in self.entries if wanted.is_met_by(entry)]

    @cached_property
    def genres(self) -> tuple[str, ...]:
        """All genres."""
        return tuple(self.tones)

    @cached_property
    def moods(self) -> tuple[str, ...]:
        """All moods, in the order of the alphabet."""
        return tuple(sorted({entry.mood for entry in self.entries}))


@cache
def listing_of(offer: Offer) -> DescriptorListing:
    """Make the listing of an offer, once."""
    return DescriptorListing(offer)


def grouped(entries: Iterable[Entry]) -> list[tuple[str, int, list[tuple[str, list[Entry]]]]]:
    """Group descriptors that are in order: genre, its tone, and its subgenres with their descriptors."""
    return [
        (
            genre,
            tone,
            [(name, list(inner)) for name, inner in groupby(those, lambda entry: entry.subgenre)],
        )
        for (genre, tone), those in groupby(entries, lambda entry: (entry.genre, entry.tone))
    ]


def _fits(entry: Entry, word: str) -> bool:
    # catalogue.js finds by the same rule.
    return _goes_at(entry, float(word)) if _NUMBER.fullmatch(word) else word in entry.words


def _goes_at(entry: Entry, tempo_bpm: float) -> bool:
    return entry.min_tempo_bpm <= tempo_bpm <= entry.max_tempo_bpm


def _styles(offer: Offer) -> list[tuple[str, str]]:
    return [
        (genre, subgenre) for genre, subgenres in offer.catalogue.hierarchy.items() for subgenre in subgenres
    ]


def _entry(one: DescriptorEntity, offer: Offer, tones: Mapping[str, int]) -> Entry:
    descriptor = offer.catalogue[one.id]
    instruments = tuple(instrument.name for instrument in one.instruments)
    title = titled(one.id.removeprefix(f"{descriptor.style}_"))
    about = (descriptor.name, descriptor.mood.name, descriptor.sentiment, descriptor.style)
    return Entry(
        name=one.id,
        title=title,
        full_title=one.name,
        genre=descriptor.genre,
        subgenre=descriptor.subgenre,
        tone=tones[descriptor.genre],
        mood=descriptor.mood.name,
        sentiment=descriptor.sentiment,
        min_tempo_bpm=descriptor.min_tempo_bpm,
        max_tempo_bpm=descriptor.max_tempo_bpm,
        scale_qualities=descriptor.scale_qualities,
        bands=offer.bands.bands_of(one.id),
        instruments=instruments,
        words=" ".join((*about, *instruments)).replace("_", " ").lower(),
    )

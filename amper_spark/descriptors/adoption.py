"""From a user's dictionary of descriptors to a catalogue: what it leaves open is taken from a known one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from amper_spark.descriptors.catalogue import Catalogue, Descriptor
from amper_spark.descriptors.moods import CHARACTER, N_MOMENTUM, SENTIMENTS, Mood

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from amper_spark.descriptors.dictionary import Entry

Value = TypeVar("Value")

TEMPO_BPM = (60.0, 180.0)
"""Where nothing is known of a genre."""


@dataclass(frozen=True)
class Adoption:
    """A catalogue made of a dictionary.

    Parameters
    ----------
    catalogue : Catalogue
    unrated : tuple of str
        Moods that are not known, in alphabetical order: their valence and momentum say nothing yet.
    """

    catalogue: Catalogue
    unrated: tuple[str, ...]


def adopt(entries: Sequence[Entry], *, known: Catalogue) -> Adoption:
    """Make a catalogue of a dictionary.

    A descriptor with the name or the path of a known one is played like it. Others get the tempo range of
    their subgenre, or else of their genre, or else `TEMPO_BPM`; and the scale qualities that most known
    descriptors of their sentiment have: those of their mood, or else of their subgenre, or else all. A mood
    that is not known gets the middle of all that a mood can be, but for its valence: that goes with the
    sentiment of most of its entries.

    Parameters
    ----------
    entries : sequence of Entry
    known : Catalogue

    Returns
    -------
    Adoption

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> from amper_spark.descriptors.dictionary import Entry
    >>> entry = Entry("rock_indie_rainy", "rainy", "negative", 1, "rock", "indie")
    >>> adoption = adopt([entry], known=load_catalogue())
    >>> adoption.unrated
    ('rainy',)
    >>> rainy = adoption.catalogue["rock_indie_rainy"]
    >>> rainy.min_tempo_bpm, rainy.max_tempo_bpm, rainy.scale_qualities
    (80.0, 192.0, ('natural_minor', 'dorian'))
    """
    known_moods = {one.mood.name: one.mood for one in known}
    words: dict[str, list[str]] = {}
    for entry in entries:
        words.setdefault(entry.mood, []).append(entry.sentiment)
    moods = {word: known_moods.get(word) or _neutral(word, _most(words[word])) for word in sorted(words)}
    names = {entry.name for entry in entries}
    return Adoption(
        Catalogue([_descriptor(entry, moods, names, known) for entry in entries]),
        tuple(word for word in moods if word not in known_moods),
    )


def _neutral(word: str, sentiment: str) -> Mood:
    """Say of a mood no more than its sentiment does."""
    return Mood(
        word,
        sentiment,
        valence_of_four=1 + SENTIMENTS.index(sentiment),
        momentum=N_MOMENTUM // 2,
        **dict.fromkeys(CHARACTER, 0),
    )


def _descriptor(entry: Entry, moods: Mapping[str, Mood], names: set[str], known: Catalogue) -> Descriptor:
    mood = moods[entry.mood]
    like = _namesake(entry, known)
    low_bpm, high_bpm = (like.min_tempo_bpm, like.max_tempo_bpm) if like else _tempo_bpm(entry, known)
    former_name = like.former_name if like and like.name == entry.name else None
    return Descriptor(
        name=entry.name,
        id=entry.id,
        genre=entry.genre,
        subgenre=entry.subgenre,
        mood=mood,
        min_tempo_bpm=low_bpm,
        max_tempo_bpm=high_bpm,
        scale_qualities=like.scale_qualities if like else _scale_qualities(entry, known),
        former_name=None if former_name in names else former_name,
        own_sentiment=None if entry.sentiment == mood.sentiment else entry.sentiment,
    )


def _namesake(entry: Entry, known: Catalogue) -> Descriptor | None:
    """Find the known descriptor of the same name, or else of the same path."""
    if entry.name in known:
        return known[entry.name]
    return next((one for one in known if one.path == entry.path), None)


def _tempo_bpm(entry: Entry, known: Catalogue) -> tuple[float, float]:
    genre = [one for one in known if one.genre == entry.genre]
    near = [one for one in genre if one.subgenre == entry.subgenre] or genre
    if not near:
        return TEMPO_BPM
    return min(one.min_tempo_bpm for one in near), max(one.max_tempo_bpm for one in near)


def _scale_qualities(entry: Entry, known: Catalogue) -> tuple[str, ...]:
    alike = [one for one in known if one.sentiment == entry.sentiment]
    near = [one for one in alike if one.mood.name == entry.mood]
    near = near or [one for one in alike if one.path[:2] == entry.path[:2]] or alike
    return _most(one.scale_qualities for one in near)


def _most(values: Iterable[Value]) -> Value:
    """Return the most frequent value, the first of such."""
    return Counter(values).most_common(1)[0][0]

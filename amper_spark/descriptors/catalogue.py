"""The catalogue of descriptors: genre, subgenre and mood, and what a mood means.

A descriptor is a leaf of the tree genre > subgenre > mood: no two share all three. Its mood also says its
affect: sentiment, valence and momentum; the sentiment may be one of its own. The catalogue is data, two
tables beside this module: ``descriptors.csv``, a descriptor a line, and ``moods.csv``, a mood a line.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.descriptors.moods import (
    CHARACTER,
    MAX_CHARACTER,
    MOODS_FILE,
    N_MOMENTUM,
    SENTIMENTS,
    Mood,
    check_sentiment,
    read_moods,
)
from amper_spark.descriptors.tables import check_word, read_table
from amper_spark.errors import ConfigError, ParameterError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [  # with those of `moods`, without which no catalogue is understood
    "CHARACTER",
    "DESCRIPTORS_FILE",
    "MAX_CHARACTER",
    "MAX_TEMPO_BPM",
    "MIN_TEMPO_BPM",
    "MOODS_FILE",
    "N_MOMENTUM",
    "SCALE_QUALITIES",
    "SENTIMENTS",
    "Catalogue",
    "Descriptor",
    "Mood",
    "load_catalogue",
]

DESCRIPTORS_FILE = "descriptors.csv"

SCALE_QUALITIES = (
    "major",
    "lydian",
    "mixolydian",
    "dorian",
    "natural_minor",
    "harmonic_minor",
    "phrygian",
)
"""From bright to dark."""
MIN_TEMPO_BPM, MAX_TEMPO_BPM = 40.0, 200.0

_FOLDER = Path(__file__).parent
_VERSION_DIGITS = 12


@dataclass(frozen=True)
class Descriptor:
    """A style.

    Parameters
    ----------
    name : str
    id : int > 0
    genre, subgenre : str
    mood : Mood
    min_tempo_bpm, max_tempo_bpm : float
        40 to 200.
    scale_qualities : tuple of str
        Of `SCALE_QUALITIES`, at least one.
    former_name : str or None
        What it was called before names began with the genre.
    own_sentiment : str or None
        Where it is not that of the mood.
    """

    name: str
    id: int
    genre: str
    subgenre: str
    mood: Mood
    min_tempo_bpm: float
    max_tempo_bpm: float
    scale_qualities: tuple[str, ...]
    former_name: str | None = None
    own_sentiment: str | None = None

    @property
    def sentiment(self) -> str:
        """Its own, or else that of its mood: negative, neutral or positive."""
        return self.own_sentiment or self.mood.sentiment

    @property
    def style(self) -> str:
        """What it shares with all moods of its subgenre: ``genre_subgenre``."""
        return f"{self.genre}_{self.subgenre}"

    @property
    def path(self) -> tuple[str, str, str]:
        """Genre, subgenre and mood."""
        return self.genre, self.subgenre, self.mood.name


class Catalogue:
    """Descriptors that have been found to go together.

    Parameters
    ----------
    descriptors : sequence of Descriptor

    Raises
    ------
    ConfigError
        Two descriptors with the same name, id or path: all such, at once.

    Examples
    --------
    >>> catalogue = load_catalogue()
    >>> pulsing = catalogue["cinematic_percussion_primal_pulsing"]
    >>> pulsing.id, pulsing.path, pulsing.sentiment
    (46, ('cinematic', 'percussion', 'powerful'), 'neutral')
    >>> catalogue.find("cinematic", "percussion", "powerful") is pulsing
    True
    """

    def __init__(self, descriptors: Sequence[Descriptor]) -> None:
        self.descriptors = tuple(sorted(descriptors, key=lambda descriptor: descriptor.id))
        names = [name for one in self.descriptors for name in (one.name, one.former_name) if name]
        problems = [
            *_repeated("name", names),
            *_repeated("id", [one.id for one in self.descriptors]),
            *_repeated("genre, subgenre and mood", [one.path for one in self.descriptors]),
        ]
        if problems:
            raise ConfigError(problems)
        self._by_name = {one.name: one for one in self.descriptors}
        self._by_former_name = {one.former_name: one for one in self.descriptors if one.former_name}
        self._by_path = {one.path: one for one in self.descriptors}

    def __len__(self) -> int:
        return len(self.descriptors)

    def __iter__(self) -> Iterator[Descriptor]:
        """Go through the descriptors by id."""
        return iter(self.descriptors)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name or name in self._by_former_name

    def __getitem__(self, name: str) -> Descriptor:
        """Look a descriptor up by its name, or its former name.

        Raises
        ------
        ParameterError
            There is none of this name.
        """
        found = self._by_name.get(name) or self._by_former_name.get(name)
        if found is None:
            raise ParameterError(f"no descriptor {name!r}{did_you_mean(name, self._by_name)}")
        return found

    def find(self, genre: str, subgenre: str, mood: str) -> Descriptor:
        """Look a descriptor up by its path.

        Raises
        ------
        ParameterError
            There is none.
        """
        path = (genre, subgenre, mood)
        if path not in self._by_path:
            raise ParameterError(f"no descriptor is {' > '.join(path)}")
        return self._by_path[path]

    @cached_property
    def hierarchy(self) -> Mapping[str, Mapping[str, Mapping[str, Descriptor]]]:
        """Descriptors by genre, subgenre and mood, in the order of their ids."""
        tree: dict[str, dict[str, dict[str, Descriptor]]] = {}
        for one in self.descriptors:
            tree.setdefault(one.genre, {}).setdefault(one.subgenre, {})[one.mood.name] = one
        return tree

    @cached_property
    def version(self) -> str:
        """12 hexadecimal digits: a hash of all that it says."""
        said = repr(self.descriptors).encode()
        return hashlib.sha256(said).hexdigest()[:_VERSION_DIGITS]


@cache
def load_catalogue(folder: Path = _FOLDER) -> Catalogue:
    """Read a catalogue.

    Parameters
    ----------
    folder : Path, optional
        Holds ``descriptors.csv`` and ``moods.csv``; by default the catalogue that comes with this package.

    Returns
    -------
    Catalogue

    Raises
    ------
    ConfigError
        All that is wrong with it, with file and line.

    Examples
    --------
    >>> len(load_catalogue())
    204
    """
    problems: list[str] = []
    moods = read_moods(folder, problems)
    descriptors = list(
        read_table(folder / DESCRIPTORS_FILE, lambda row: _descriptor(row, moods), problems, unique=_unique)
    )
    if problems:
        raise ConfigError(problems)
    return Catalogue(descriptors)


def _descriptor(row: Mapping[str, str], moods: Mapping[str, Mood]) -> Descriptor:
    mood, number = row["mood"], int(row["id"])
    if mood not in moods:
        raise ValueError(f"{MOODS_FILE} has no mood {mood!r}{did_you_mean(mood, moods)}")
    if number <= 0:
        raise ValueError(f"id must be positive, got {number}")
    low_bpm, high_bpm = float(row["min_tempo_bpm"]), float(row["max_tempo_bpm"])
    if not MIN_TEMPO_BPM <= low_bpm < high_bpm <= MAX_TEMPO_BPM:
        raise ValueError(
            f"tempi must rise within {MIN_TEMPO_BPM:g} to {MAX_TEMPO_BPM:g} BPM, got {low_bpm} to {high_bpm}"
        )
    qualities = tuple(row["scale_qualities"].split())
    if not qualities or not set(qualities) <= set(SCALE_QUALITIES):
        raise ValueError(f"scale_qualities must be of {', '.join(SCALE_QUALITIES)}, got {qualities}")
    former_name, own_sentiment = row["former_name"], row.get("sentiment")
    if former_name == row["name"]:
        raise ValueError(f"former_name must be another than the name, got {former_name!r}")
    return Descriptor(
        name=check_word("name", row["name"]),
        id=number,
        genre=check_word("genre", row["genre"]),
        subgenre=check_word("subgenre", row["subgenre"]),
        mood=moods[mood],
        min_tempo_bpm=low_bpm,
        max_tempo_bpm=high_bpm,
        scale_qualities=qualities,
        former_name=check_word("former_name", former_name) if former_name else None,
        own_sentiment=check_sentiment(own_sentiment) if own_sentiment else None,
    )


def _unique(one: Descriptor) -> list[tuple[str, object]]:
    names = [("name", name) for name in (one.name, one.former_name) if name]
    return [*names, ("id", one.id), ("genre, subgenre and mood", " > ".join(one.path))]


def _repeated(what: str, values: Sequence[object]) -> list[str]:
    return [f"{what} {value} more than once" for value, count in Counter(values).items() if count > 1]

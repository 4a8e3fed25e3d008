"""The catalogue of descriptors: genre, subgenre and mood, and what a mood means.

A descriptor is a leaf of the tree genre > subgenre > mood: no two share all three. Its mood also says its
affect: sentiment, valence and momentum. The catalogue is data, two tables beside this module:
``descriptors.csv``, a descriptor a line, and ``moods.csv``, a mood a line.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amper_spark.errors import ConfigError, ParameterError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

DESCRIPTORS_FILE = "descriptors.csv"
MOODS_FILE = "moods.csv"

SENTIMENTS = ("negative", "neutral", "positive")
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
N_MOMENTUM = 5

_FOLDER = Path(__file__).parent
_VERSION_DIGITS = 12
_VALENCE = (0, 0, 1, 2)


@dataclass(frozen=True)
class Mood:
    """What a mood word means.

    Parameters
    ----------
    name : str
    sentiment : str
        One of `SENTIMENTS`.
    valence_of_four : int
        0, unpleasant, to 3, pleasant.
    momentum : int
        0, at rest, to 4: activity and density of events.
    """

    name: str
    sentiment: str
    valence_of_four: int
    momentum: int

    @property
    def valence(self) -> int:
        """Valence in three levels, 0 to 2: the lowest two of four are one, since few moods have either."""
        return _VALENCE[self.valence_of_four]


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
    >>> pulsing.id, pulsing.path, pulsing.mood.sentiment
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
    moods = {mood.name: mood for mood in _read(folder / MOODS_FILE, _mood, problems)}
    descriptors = list(_read(folder / DESCRIPTORS_FILE, lambda row: _descriptor(row, moods), problems))
    if problems:
        raise ConfigError(problems)
    return Catalogue(descriptors)


def _read(file: Path, parse: Callable[[Mapping[str, str]], Any], problems: list[str]) -> Iterator[Any]:
    """Parse the lines of a table, and collect what is wrong with them."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream)
            for row in rows:
                try:
                    yield parse(row)
                except (KeyError, TypeError) as error:
                    problems.append(f"{file.name}:{rows.line_num}: a column is missing: {error}")
                except ValueError as error:
                    problems.append(f"{file.name}:{rows.line_num}: {error}")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{file}: {getattr(error, 'strerror', None) or 'not UTF-8'}")


def _mood(row: Mapping[str, str]) -> Mood:
    mood = Mood(
        name=row["mood"],
        sentiment=row["sentiment"],
        valence_of_four=int(row["valence_of_four"]),
        momentum=int(row["momentum"]),
    )
    if mood.sentiment not in SENTIMENTS:
        raise ValueError(f"sentiment must be one of {', '.join(SENTIMENTS)}, got {mood.sentiment!r}")
    if not 0 <= mood.valence_of_four < len(_VALENCE):
        raise ValueError(f"valence_of_four must be 0 to {len(_VALENCE) - 1}, got {mood.valence_of_four}")
    if not 0 <= mood.momentum < N_MOMENTUM:
        raise ValueError(f"momentum must be 0 to {N_MOMENTUM - 1}, got {mood.momentum}")
    return mood


def _descriptor(row: Mapping[str, str], moods: Mapping[str, Mood]) -> Descriptor:
    name, mood = row["name"], row["mood"]
    if not name.replace("_", "").isalnum() or name != name.lower():
        raise ValueError(f"name must be of lower-case letters, digits and _, got {name!r}")
    if mood not in moods:
        raise ValueError(f"{MOODS_FILE} has no mood {mood!r}{did_you_mean(mood, moods)}")
    low_bpm, high_bpm = float(row["min_tempo_bpm"]), float(row["max_tempo_bpm"])
    if not MIN_TEMPO_BPM <= low_bpm < high_bpm <= MAX_TEMPO_BPM:
        raise ValueError(
            f"tempi must rise within {MIN_TEMPO_BPM:g} to {MAX_TEMPO_BPM:g} BPM, got {low_bpm} to {high_bpm}"
        )
    qualities = tuple(row["scale_qualities"].split())
    if not qualities or not set(qualities) <= set(SCALE_QUALITIES):
        raise ValueError(f"scale_qualities must be of {', '.join(SCALE_QUALITIES)}, got {qualities}")
    return Descriptor(
        name=name,
        id=int(row["id"]),
        genre=row["genre"],
        subgenre=row["subgenre"],
        mood=moods[mood],
        min_tempo_bpm=low_bpm,
        max_tempo_bpm=high_bpm,
        scale_qualities=qualities,
        former_name=row["former_name"] or None,
    )


def _repeated(what: str, values: Sequence[object]) -> list[str]:
    return [f"{what} {value} more than once" for value, count in Counter(values).items() if count > 1]

"""Moods: what a mood word means, in numbers that people have given it.

A table beside this module, ``moods.csv``, has a mood a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.descriptors.tables import check_word, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOODS_FILE = "moods.csv"

SENTIMENTS = ("negative", "neutral", "positive")
N_MOMENTUM = 5
CHARACTER = ("brightness", "articulation", "intensity", "space", "tension", "syncopation")
"""What a mood changes beyond valence and momentum."""
MAX_CHARACTER = 2

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
    brightness : int
        -2, dark and low, to 2, bright and high; as all that follow, relative to what a style does anyway.
    articulation : int
        -2, detached, to 2, connected.
    intensity : int
        -2, soft, to 2, loud and full.
    space : int
        -2, near and dry, to 2, far and wide.
    tension : int
        -2, pure chords, to 2, dissonant ones over a pedal.
    syncopation : int
        -2, strict, to 2, against the beat.
    """

    name: str
    sentiment: str
    valence_of_four: int
    momentum: int
    brightness: int
    articulation: int
    intensity: int
    space: int
    tension: int
    syncopation: int

    @property
    def valence(self) -> int:
        """Valence in three levels, 0 to 2: the lowest two of four are one, since few moods have either."""
        return _VALENCE[self.valence_of_four]


def read_moods(folder: Path, problems: list[str]) -> dict[str, Mood]:
    """Read ``moods.csv``.

    Parameters
    ----------
    folder : Path
    problems : list of str
        Takes what is wrong, with file and line.

    Returns
    -------
    dict of str to Mood
        By name.
    """
    moods = read_table(folder / MOODS_FILE, _mood, problems, unique=lambda mood: [("mood", mood.name)])
    return {mood.name: mood for mood in moods}


def check_sentiment(word: str) -> str:
    """Return a word if it is a sentiment.

    Raises
    ------
    ValueError
        It is none.
    """
    if word not in SENTIMENTS:
        raise ValueError(f"sentiment must be one of {', '.join(SENTIMENTS)}, got {word!r}")
    return word


def _mood(row: Mapping[str, str]) -> Mood:
    mood = Mood(
        name=check_word("mood", row["mood"]),
        sentiment=check_sentiment(row["sentiment"]),
        valence_of_four=int(row["valence_of_four"]),
        momentum=int(row["momentum"]),
        **{name: int(row[name]) for name in CHARACTER},
    )
    if not 0 <= mood.valence_of_four < len(_VALENCE):
        raise ValueError(f"valence_of_four must be 0 to {len(_VALENCE) - 1}, got {mood.valence_of_four}")
    if not 0 <= mood.momentum < N_MOMENTUM:
        raise ValueError(f"momentum must be 0 to {N_MOMENTUM - 1}, got {mood.momentum}")
    for name in CHARACTER:
        if abs(getattr(mood, name)) > MAX_CHARACTER:
            raise ValueError(f"{name} must be -{MAX_CHARACTER} to {MAX_CHARACTER}, got {getattr(mood, name)}")
    return mood

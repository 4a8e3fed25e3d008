"""Scales, chords and progressions.

A progression is written in degrees of the scale, a word a bar; a bar of two chords has a stroke between them:
``1 4 1 4/5``. What a degree sounds like follows from the scale, so that one progression serves all modes of a
family. Triads that are diminished or augmented give way to the one a third below, which shares two tones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALES: Mapping[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "natural_minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
}
"""Semitones above the tonic."""

_OCTAVE = 12
_FIFTH = 7
_DEGREES = 7
_LEADING_TONE = 11
DOMINANT = 4
"""Its degree."""


@dataclass(frozen=True)
class Chord:
    """A chord on a degree of a scale.

    Parameters
    ----------
    degree : int
        0 to 6, 0 the tonic.
    root, third, fifth, seventh, ninth : int
        Pitch classes relative to the tonic, 0 to 11.
    """

    degree: int
    root: int
    third: int
    fifth: int
    seventh: int
    ninth: int


def family(quality: str) -> str:
    """Tell whether a scale is of the major or the minor family: by its third.

    Examples
    --------
    >>> family("lydian"), family("dorian")
    ('major', 'minor')
    """
    return "major" if SCALES[quality][2] == SCALES["major"][2] else "minor"


def chord_on(degree: int, *, quality: str) -> Chord:
    """Build the chord on a degree, or on the nearest one below by thirds that has a pure fifth.

    Parameters
    ----------
    degree : int
        0 the tonic.
    quality : str
        A name of `SCALES`.

    Returns
    -------
    Chord

    Examples
    --------
    >>> chord = chord_on(4, quality="major")
    >>> chord.root, chord.third, chord.fifth
    (7, 11, 2)
    >>> chord_on(6, quality="major").root  # B diminished gives way to G
    7
    """
    scale = SCALES[quality]
    for _ in range(_DEGREES):
        tones = [scale[(degree + step) % _DEGREES] for step in (0, 2, 4, 6, 1)]
        if (tones[2] - tones[0]) % _OCTAVE == _FIFTH:
            break
        degree -= 2
    return Chord(degree % _DEGREES, *tones)


def dominant(quality: str) -> Chord:
    """Build what leads home: V with its leading tone, which minor borrows; Phrygian II, Mixolydian VII.

    Examples
    --------
    >>> dominant("natural_minor").third
    11
    """
    if quality == "phrygian":
        return chord_on(1, quality=quality)
    if quality == "mixolydian":
        return chord_on(6, quality=quality)
    natural = chord_on(DOMINANT, quality=quality)
    return Chord(natural.degree, natural.root, _LEADING_TONE, natural.fifth, natural.seventh, natural.ninth)


def read_progression(text: str) -> tuple[tuple[int, ...], ...]:
    """Read a progression.

    Parameters
    ----------
    text : str
        Degrees from 1, a word a bar, two chords of a bar with a stroke between them.

    Returns
    -------
    tuple of tuple of int
        Degrees from 0, by bar.

    Raises
    ------
    ParameterError
        It does not begin on the tonic, or a degree is not of 1 to 7.

    Examples
    --------
    >>> read_progression("1 4 1 4/5")
    ((0,), (3,), (0,), (3, 4))
    """
    bars = tuple(tuple(_degree(word, text) for word in bar.split("/")) for bar in text.split())
    if not bars or any(len(bar) > 2 for bar in bars):
        raise ParameterError(f"a progression has one or two chords a bar, got {text!r}")
    if bars[0][0] != 0:
        raise ParameterError(f"a progression begins on the tonic, 1, got {text!r}")
    return bars


def _degree(word: str, text: str) -> int:
    if word not in {str(degree) for degree in range(1, _DEGREES + 1)}:
        raise ParameterError(f"degrees are 1 to 7, got {word!r} in {text!r}")
    return int(word) - 1

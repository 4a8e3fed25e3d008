"""Voicing: which tones of a chord sound where, led by the least motion."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.render.composer.harmony import Chord

COLOURS: Mapping[str, tuple[str, ...]] = {
    "triad": ("root", "third", "fifth"),
    "seventh": ("root", "third", "fifth", "seventh"),
    "add9": ("root", "third", "fifth", "ninth"),
    "sus2": ("root", "ninth", "fifth"),
    "open": ("root", "fifth", "third"),
    "power": ("root", "fifth"),
    "shell": ("root", "third"),
    "doubled": ("root", "third", "root"),
    "octave": ("root", "root"),
}
"""Tones of a chord by the name of its colour; `shell`, `doubled` and `octave` leave tones to others."""

_OCTAVE = 12
_CENTRE_WEIGHT = 0.5
_REACH = 24
_HARSH = {1, 13}  # semitones
_FREE = 5  # semitones about the centre


def lead(
    chord: Chord,
    *,
    tonic: int,
    colour: str,
    centre: float,
    before: Sequence[int] | None = None,
    low: int = 21,
    high: int = 108,
) -> tuple[int, ...]:
    """Choose the inversion that moves least and stays about a centre.

    Among the inversions in close position (spread by an octave for ``open``) it takes the one with the least
    ``sum(|moves|) + 0.5 d + max(d - 5, 0)^2``, d being ``|mean - centre|`` and moves those from the chord
    before, voice by voice. Semitones and minor ninths within the chord are avoided.

    Parameters
    ----------
    chord : Chord
    tonic : int
        Pitch class, C = 0.
    colour : str
        A name of `COLOURS`.
    centre : float
        MIDI key.
    before : sequence of int, optional
        Keys of the chord before.
    low, high : int
        Keys that the instrument has.

    Returns
    -------
    tuple of int
        MIDI keys, rising.

    Raises
    ------
    ParameterError
        No such colour, or no inversion within the keys.

    Examples
    --------
    >>> from amper_spark.render.composer.harmony import chord_on
    >>> first = lead(chord_on(0, quality="major"), tonic=0, colour="triad", centre=62)
    >>> first, lead(chord_on(3, quality="major"), tonic=0, colour="triad", centre=62, before=first)
    ((60, 64, 67), (60, 65, 69))
    """
    if colour not in COLOURS:
        raise ParameterError(f"a chord's colour is one of {', '.join(COLOURS)}, got {colour!r}")
    classes = [(tonic + getattr(chord, tone)) % _OCTAVE for tone in COLOURS[colour]]
    candidates = [
        keys
        for inversion in range(len(classes))
        for bottom in range(max(low, int(centre) - _REACH) // _OCTAVE, int(centre) // _OCTAVE + 1)
        if (keys := _stack(classes, inversion, bottom, spread=colour == "open"))
        and low <= keys[0]
        and keys[-1] <= high
    ]
    if not candidates:
        raise ParameterError(f"no voicing of {len(classes)} tones within keys {low} to {high}")
    mild = [keys for keys in candidates if not _HARSH & {high - low for low, high in combinations(keys, 2)}]
    return min(mild or candidates, key=lambda keys: (_cost(keys, centre, before), keys))


def _stack(classes: Sequence[int], inversion: int, octave: int, *, spread: bool) -> tuple[int, ...]:
    turned = [*classes[inversion:], *classes[:inversion]]
    keys = [turned[0] + _OCTAVE * octave]
    for tone in turned[1:]:
        step = (tone - keys[-1]) % _OCTAVE
        keys.append(keys[-1] + (step or _OCTAVE))
    if spread and len(keys) > 2:
        keys[1] += _OCTAVE
    return tuple(sorted(keys))


def _cost(keys: Sequence[int], centre: float, before: Sequence[int] | None) -> float:
    distance = abs(sum(keys) / len(keys) - centre)
    off_centre = _CENTRE_WEIGHT * distance + max(distance - _FREE, 0.0) ** 2
    if not before:
        return off_centre
    if len(before) == len(keys):
        return off_centre + sum(abs(key - other) for key, other in zip(keys, before, strict=True))
    return off_centre + sum(min(abs(key - other) for other in before) for key in keys)

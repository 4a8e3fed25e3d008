"""Voicing: which tones of a chord sound where, led by the least motion."""

from __future__ import annotations

from itertools import combinations, pairwise
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
_PERFECT, _FAULT = (0, 7), 4.0
MUDDY_BELOW = 48  # C3: below it neighbours want a fifth or more between them
_DENSE_BELOW = 52  # E3: below it there are no seconds
_THIRD, _FIFTH = 3, 7


def lead(
    chord: Chord,
    *,
    tonic: int,
    colour: str,
    centre: float,
    before: Sequence[int] | None = None,
    since: Chord | None = None,
    low: int = 21,
    high: int = 108,
) -> tuple[int, ...]:
    """Choose the inversion that moves least and stays about a centre.

    Among the inversions in close position (spread by an octave for ``open``) it takes the one with the least
    ``sum(|moves|) + 0.5 d + max(d - 5, 0)^2``, d being ``|mean - centre|`` and moves those from the chord
    before, voice by voice. Semitones and minor ninths within the chord are avoided. A top voice that
    runs in octaves or fifths with the roots costs as much as 4 semitones of motion; so does a ninth as the
    lowest tone; what is muddy, `is_clear`, twice as much.

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
    since : Chord, optional
        Which chord that was.
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
    ninth = (tonic + chord.ninth) % _OCTAVE

    def cost(keys: tuple[int, ...]) -> float:
        runs = before and since and _runs_parallel(before[-1] - since.root, keys[-1] - chord.root, tonic)
        faults = bool(runs) + (keys[0] % _OCTAVE == ninth) + 2 * (not is_clear(keys))
        return _cost(keys, centre, before) + _FAULT * faults

    return min(mild or candidates, key=lambda keys: (cost(keys), keys))


def _runs_parallel(before: int, after: int, tonic: int) -> bool:
    """Whether two top voices, less the roots of their chords, are the same octave or fifth above them."""
    above = (after - tonic) % _OCTAVE
    return above in _PERFECT and above == (before - tonic) % _OCTAVE


def is_clear(keys: Sequence[int]) -> bool:
    """Whether neighbours lie far enough apart for how low they are: fifths at the bottom, then thirds.

    Parameters
    ----------
    keys : sequence of int
        MIDI keys, rising.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_clear((40, 47, 55, 59)), is_clear((40, 44, 47))
    (True, False)
    """
    return all(
        high - low >= (_FIFTH if low < MUDDY_BELOW else _THIRD if low < _DENSE_BELOW else 0)
        for low, high in pairwise(keys)
    )


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

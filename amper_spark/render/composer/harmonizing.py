"""The harmony of a region: a chord or two for each bar, their colour, and what the bass does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.render.composer.form import PHRASE_BARS, Section
from amper_spark.render.composer.harmony import Chord, chord_on, dominant, family
from amper_spark.render.composer.notation import STEPS_PER_BAR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.render.composer.brief import Brief

_PEDAL_PROBABILITY = (0.15, 0.2, 0.3, 0.6, 0.9)
_LYDIAN_PEDAL = 0.9  # without it the fifth degree takes over
_TENSE_COLOURS = {1: "sus2", 2: "add9"}
_PURE_COLOURS = {-1: "triad", -2: "open"}
_SOMETIMES = 0.5


@dataclass(frozen=True)
class Harmony:
    """The harmony of a region.

    Parameters
    ----------
    by_bar : tuple of tuple of Chord
        One or two a bar.
    last : Chord
        What rings at the end.
    colour : str
        Of all chords, see `amper_spark.render.composer.voicing.COLOURS`.
    has_pedal : bool
        Whether the bass stays on the tonic, at least where it is calm.
    """

    by_bar: tuple[tuple[Chord, ...], ...]
    last: Chord
    colour: str
    has_pedal: bool


def harmonize(brief: Brief, sections: Sequence[Section], *, tension: int) -> Harmony:
    """Choose progressions, colour and bass.

    Parameters
    ----------
    brief : Brief
    sections : sequence of Section
        Every other phrase of the climax has another progression.
    tension : int
        -2 to 2.

    Returns
    -------
    Harmony
    """
    colour, has_pedal = _colour_and_pedal(brief, tension)
    tonic = chord_on(0, quality=brief.quality)
    return Harmony(_chords(brief, sections, tonic), tonic, colour, has_pedal)


def _chords(brief: Brief, sections: Sequence[Section], tonic: Chord) -> tuple[tuple[Chord, ...], ...]:
    n_bars = brief.meter.n_bars
    if not brief.material.progressions:
        return ((tonic,),) * n_bars
    choices = brief.material.progressions[family(brief.quality)]
    first, second = brief.generator("harmony").permutation(len(choices))[:2]
    bars = []
    for section in sections:
        for bar in range(section.n_bars):
            is_second = section.kind == "climax" and bar // PHRASE_BARS % 2 == 1
            progression = choices[second if is_second else first]
            degrees = progression[bar % len(progression)]
            bars.append(tuple(chord_on(degree, quality=brief.quality) for degree in degrees))
    if brief.ends:
        _lead_home(bars, tonic, brief)
    return tuple(bars)


def _lead_home(bars: list[tuple[Chord, ...]], tonic: Chord, brief: Brief) -> None:
    """Write a cadence: the dominant before the tonic, which rings after the last bar, or else fills it."""
    if not brief.rings:
        bars[-1] = (tonic,)
    last = len(bars) - 1 if brief.rings else len(bars) - 2
    if last > 0:
        leads = dominant(brief.quality)
        is_half = brief.meter.n_steps(last) <= STEPS_PER_BAR // 2  # and has no second chord
        bars[last] = (leads,) if is_half else (bars[last][0], leads)


def _colour_and_pedal(brief: Brief, tension: int) -> tuple[str, bool]:
    rng = brief.generator("harmony", "colour")
    colours = brief.style.colours or ("triad",)
    colour = colours[int(rng.integers(len(colours)))]
    if abs(tension) == 2 or (tension and rng.random() < _SOMETIMES):
        colour = (_TENSE_COLOURS | _PURE_COLOURS)[tension]
    probability = _LYDIAN_PEDAL if brief.quality == "lydian" else _PEDAL_PROBABILITY[tension + 2]
    return colour, bool(rng.random() < probability)

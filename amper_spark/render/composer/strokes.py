"""From patterns to what a part strikes: chosen, thinned or enriched, varied, fitted into the bar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from amper_spark.render.composer.density import enrich, sustained, thin, thin_evenly
from amper_spark.render.composer.notation import STEPS_PER_BAR, metric_weight, onset_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from amper_spark.render.composer.notation import Pattern, Stroke

UNPITCHED = ("drums", "percussion")
_SUSTAINED_BELOW, _FEW = 0.6, 2  # of what is written, of strokes: with less there would be holes
_SOFTENED = "o"
ENRICHED = ("drums", "percussion", "arpeggio", "chords", "bass")
_MAX_ENRICHED = {"drums": 16, "percussion": 16, "arpeggio": 16, "chords": 8, "bass": 8}
_STRONG = 2
_EIGHTH = 2


@dataclass(frozen=True)
class Repertoire:
    """The patterns that one part plays in a region.

    Parameters
    ----------
    verse, climax : Pattern
        The two that alternate: the climax has the busier one.
    """

    verse: Pattern
    climax: Pattern

    def bar(self, bar: int, kind: str) -> tuple[Stroke, ...]:
        """Say what is written for a bar of a section; the climax begins with a pattern of its own."""
        second = kind == "climax" and bar // 2 % 2 == 0
        return (self.climax if second else self.verse).bar(bar)


def draw(patterns: Sequence[Pattern], rng: np.random.Generator) -> Repertoire:
    """Choose two patterns of a part."""
    first, second = rng.permutation(len(patterns))[:2] if len(patterns) > 1 else (0, 0)
    return Repertoire(*sorted((patterns[first], patterns[second]), key=_onsets_per_bar))


def _onsets_per_bar(pattern: Pattern) -> float:
    return len(onset_steps(pattern.strokes)) / pattern.n_bars


def adapted(
    strokes: Sequence[Stroke],
    *,
    role: str,
    n_onsets: int,
    rng: np.random.Generator,
    is_second: bool = False,
) -> tuple[Stroke, ...]:
    """Thin or enrich a bar; the figure of an arpeggio is played slower, or faster.

    Parameters
    ----------
    strokes : sequence of Stroke
    role : str
        Pads are only ever thinned.
    n_onsets : int
        How many places of the bar are wanted, at least 1.
    rng : numpy.random.Generator
    is_second : bool
        Whether the bar is the second of a pair: it goes on with a figure that is half as fast or slower.

    Returns
    -------
    tuple of Stroke
    """
    found = _adapted(strokes, role, n_onsets, rng)
    if role != "arpeggio" or len(found) == len(strokes):
        return found
    first = len(found) if is_second and 2 * len(found) <= len(strokes) else 0
    return tuple(
        replace(one, symbol=strokes[(first + place) % len(strokes)].symbol) for place, one in enumerate(found)
    )


def _adapted(
    strokes: Sequence[Stroke], role: str, wanted: int, rng: np.random.Generator
) -> tuple[Stroke, ...]:
    n_written = len(onset_steps(strokes))
    if wanted < n_written:
        if role in UNPITCHED:
            return thin_evenly(strokes, n_onsets=wanted)
        thinned = thin(strokes, n_onsets=wanted)
        leaves_holes = wanted < _SUSTAINED_BELOW * n_written or wanted <= _FEW
        return sustained(thinned) if leaves_holes else thinned
    if wanted > n_written and role in ENRICHED:
        softened = _SOFTENED if role in UNPITCHED else None
        return enrich(strokes, n_onsets=min(wanted, _MAX_ENRICHED[role]), rng=rng, softened=softened)
    return tuple(strokes)


def pushed(strokes: Sequence[Stroke], *, share: float, rng: np.random.Generator) -> tuple[Stroke, ...]:
    """Let some strokes on weak beats come an eighth early, held up to where they ended.

    Parameters
    ----------
    strokes : sequence of Stroke
    share : float
        Of those that can.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of Stroke
    """
    taken = onset_steps(strokes)
    moved = []
    for stroke in strokes:
        to = stroke.step - _EIGHTH
        can = metric_weight(stroke.step) == _STRONG and to not in taken and to + 1 not in taken
        if can and share and rng.random() < share:
            moved.append(replace(stroke, step=to, n_steps=stroke.n_steps + _EIGHTH))
        else:
            moved.append(stroke)
    return tuple(sorted(moved, key=lambda one: (one.step, one.voice)))


def varied(strokes: Sequence[Stroke], rng: np.random.Generator) -> tuple[Stroke, ...]:
    """Change one thing in a bar: a weak stroke is left out, or comes again an eighth later."""
    weak = [stroke for stroke in strokes if metric_weight(stroke.step) < _STRONG]
    if not weak:
        return tuple(strokes)
    chosen = weak[int(rng.integers(len(weak)))]
    taken = onset_steps(strokes)
    again = chosen.step + _EIGHTH
    if rng.random() < 0.5 and again < STEPS_PER_BAR and again not in taken:
        return tuple(
            sorted([*strokes, replace(chosen, step=again, n_steps=1)], key=lambda one: (one.step, one.voice))
        )
    return tuple(stroke for stroke in strokes if stroke is not chosen) or tuple(strokes)


def ghosted(strokes: Sequence[Stroke], rng: np.random.Generator) -> tuple[Stroke, ...]:
    """Add soft strokes to a bar: one for every four, at least one."""
    n_onsets = len(onset_steps(strokes))
    return enrich(strokes, n_onsets=n_onsets + max(n_onsets // 4, 1), rng=rng, softened=_SOFTENED)


def ending(strokes: Sequence[Stroke], n_steps: int) -> tuple[Stroke, ...]:
    """Fit a fill into a bar of another length by its end: that is where it leads."""
    shift = n_steps - STEPS_PER_BAR
    return tuple(replace(stroke, step=stroke.step + shift) for stroke in strokes if stroke.step + shift >= 0)


def fitted(strokes: Sequence[Stroke], n_steps: int) -> tuple[Stroke, ...]:
    """Fit a bar of 16 steps into one of another length: cut short, or with its beginning once more."""
    repeated = [
        replace(stroke, step=stroke.step + shift)
        for shift in range(0, n_steps, STEPS_PER_BAR)
        for stroke in strokes
    ]
    return tuple(
        replace(stroke, n_steps=min(stroke.n_steps, n_steps - stroke.step))
        for stroke in repeated
        if stroke.step < n_steps
    )

"""Make patterns sparser or busier, and keep what they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from amper_spark.render.composer.notation import STEPS_PER_BAR, Stroke, metric_weight, onset_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


def thin(strokes: Sequence[Stroke], *, n_onsets: int) -> tuple[Stroke, ...]:
    """Leave out the metrically weakest strokes, and let those before them be held on.

    Parameters
    ----------
    strokes : sequence of Stroke
        Of one bar.
    n_onsets : int
        How many places of the bar keep a stroke, at most.

    Returns
    -------
    tuple of Stroke

    Examples
    --------
    >>> eighths = tuple(Stroke(step, 2, "R") for step in range(0, 16, 2))
    >>> [(stroke.step, stroke.n_steps) for stroke in thin(eighths, n_onsets=3)]
    [(0, 4), (4, 4), (8, 8)]
    """
    places = sorted(onset_steps(strokes), key=lambda step: (-metric_weight(step), step))
    kept = set(places[: max(n_onsets, 1)])
    return _kept(strokes, kept)


def thin_evenly(strokes: Sequence[Stroke], *, n_onsets: int) -> tuple[Stroke, ...]:
    """Leave out weak strokes by whole classes: both beats of a backbeat stay, or neither.

    Parameters
    ----------
    strokes : sequence of Stroke
        Of one bar.
    n_onsets : int
        About how many places of the bar keep a stroke.

    Returns
    -------
    tuple of Stroke

    Examples
    --------
    >>> quarters = tuple(Stroke(step, 1, "x", "hat") for step in range(0, 16, 4))
    >>> [stroke.step for stroke in thin_evenly(quarters, n_onsets=3)]
    [0, 4, 8, 12]
    """
    places = onset_steps(strokes)
    choices = [{step for step in places if metric_weight(step) >= weight} for weight in range(5)]
    kept = min((one for one in choices if one), key=lambda one: (abs(len(one) - n_onsets), -len(one)))
    return _kept(strokes, kept)


def sustained(strokes: Sequence[Stroke]) -> tuple[Stroke, ...]:
    """Hold every stroke up to the next one; what was muted is struck.

    Examples
    --------
    >>> [(one.step, one.n_steps, one.symbol) for one in sustained((Stroke(0, 1, "m"), Stroke(8, 2, "D")))]
    [(0, 8, 'd'), (8, 8, 'D')]
    """
    starts = sorted(onset_steps(strokes))
    ends = dict(zip(starts, [*starts[1:], STEPS_PER_BAR], strict=True))
    return tuple(
        replace(one, n_steps=ends[one.step] - one.step, symbol="d" if one.symbol == "m" else one.symbol)
        for one in strokes
    )


def _kept(strokes: Sequence[Stroke], kept: set[int]) -> tuple[Stroke, ...]:
    left = [stroke for stroke in strokes if stroke.step in kept]
    return tuple(_extended(stroke, strokes, kept) for stroke in left)


def _extended(stroke: Stroke, strokes: Sequence[Stroke], kept: set[int]) -> Stroke:
    """Hold a stroke over what followed it without a gap and is gone."""
    end = stroke.step + stroke.n_steps
    for after in sorted(strokes, key=lambda other: other.step):
        if after.step == end and after.step not in kept and after.voice == stroke.voice:
            end = after.step + after.n_steps
    return stroke if end == stroke.step + stroke.n_steps else replace(stroke, n_steps=end - stroke.step)


def enrich(
    strokes: Sequence[Stroke], *, n_onsets: int, rng: np.random.Generator, softened: str | None = None
) -> tuple[Stroke, ...]:
    """Strike again, at the strongest places that are still free, what was struck before them.

    Parameters
    ----------
    strokes : sequence of Stroke
        Of one bar.
    n_onsets : int
        How many places of the bar have a stroke in the end, at most 16.
    rng : numpy.random.Generator
        Decides between places of equal weight.
    softened : str, optional
        The symbol of what is added; by default that of what was struck before.

    Returns
    -------
    tuple of Stroke

    Examples
    --------
    >>> import numpy as np
    >>> halves = (Stroke(0, 8, "R"), Stroke(8, 8, "F"))
    >>> [(one.step, one.n_steps, one.symbol) for one in
    ...     enrich(halves, n_onsets=4, rng=np.random.default_rng(0))]
    [(0, 4, 'R'), (4, 4, 'R'), (8, 4, 'F'), (12, 4, 'F')]
    """
    taken = onset_steps(strokes)
    free = [step for step in range(STEPS_PER_BAR) if step not in taken]
    order = rng.permutation(len(free))
    free = sorted((free[index] for index in order), key=metric_weight, reverse=True)
    found = list(strokes)
    for step in sorted(free[: max(n_onsets - len(taken), 0)]):
        before = max((one for one in found if one.step < step), key=lambda one: one.step, default=strokes[0])
        held = max(before.step + before.n_steps - step, 1)
        if before.step < step < before.step + before.n_steps:
            found[found.index(before)] = replace(before, n_steps=step - before.step)
        found.append(Stroke(step, held, softened or before.symbol, before.voice))
    return tuple(sorted(found, key=lambda one: (one.step, one.voice)))

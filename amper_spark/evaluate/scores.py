"""From comparisons to scores: a figure each, with how many it is of and what it is to be held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.classify.intervals import interval
from amper_spark.evaluate.agreement import measure_agreement
from amper_spark.evaluate.comparison import ANSWERS
from amper_spark.evaluate.multi_region import COMPARED
from amper_spark.evaluate.single_region import measure_single_region
from amper_spark.evaluate.tempo_and_tonic import same_tempo, tonic_points

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import pandas as pd

    from amper_spark.evaluate.comparison import Comparison

BY_WINDOW = "single-region by window"
BY_RENDER = "single-region by render"
AGREEMENT = "multi-region"
AGREEMENT_AWAY = "multi-region away from boundaries"

REAL, RENDERED = "real", "rendered"
"""Titles that people have recorded, and titles that were rendered: never averaged together."""

TEMPO, TEMPO_OCTAVES = "tempo within 4 %", "tempo within 4 %, octaves aside"
TONIC, TONIC_POINTS = "tonic", "tonic, a fifth above counts half"

_AGREED = tuple(name for name in COMPARED if name not in ("tempo_bpm", "tonic"))
_RESAMPLES = 2_000
_MOST_TITLES_WITHOUT_INTERVAL = 9


@dataclass(frozen=True)
class Score:
    """A figure.

    Parameters
    ----------
    inputs : str
        `REAL` or `RENDERED`.
    kind : str
        `BY_WINDOW`, `BY_RENDER`, `AGREEMENT` or `AGREEMENT_AWAY`.
    target : str
        What was compared.
    title : str or None
        Of which recording, by its track_id; None is all of them.
    value : float
        0 to 1, 1 is best.
    n : int
        How many windows, renders or segments it is counted from.
    n_titles : int
    low, high : float or None
        Interval of 95 % over titles; None where there are too few: then those of all titles say more.
    constant, other_title, kappa : float or None
        See `amper_spark.evaluate.agreement.Agreement`.
    n_values : int or None
        How many different values the recordings have.
    """

    inputs: str
    kind: str
    target: str
    title: str | None
    value: float
    n: int
    n_titles: int = 1
    low: float | None = None
    high: float | None = None
    constant: float | None = None
    other_title: float | None = None
    kappa: float | None = None
    n_values: int | None = None


def score(comparisons: Sequence[Comparison]) -> Iterator[Score]:
    """Count everything.

    Parameters
    ----------
    comparisons : sequence of Comparison

    Yields
    ------
    Score
        Of real titles, then of rendered ones: by kind and target, that of all titles before that of each.
    """
    for inputs, is_render in ((REAL, False), (RENDERED, True)):
        chosen = [one for one in comparisons if one.is_render == is_render]
        if single := [one.single for one in chosen if not one.single.empty]:
            yield from _single(inputs, _joined(single))
        for kind, frames in (
            (AGREEMENT, [one.multi for one in chosen]),
            (AGREEMENT_AWAY, [one.multi_away for one in chosen]),
        ):
            if multi := [frame for frame in frames if not frame.empty]:
                yield from _multi(inputs, kind, _joined(multi))


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(frames, ignore_index=True)


def _single(inputs: str, windows: pd.DataFrame) -> Iterator[Score]:
    for target in ANSWERS:
        found = measure_single_region(
            titles=windows["title"].tolist(),
            renders=windows["render"].tolist(),
            descriptors=windows["descriptor"].tolist(),
            asked=windows[f"asked_{target}"].tolist(),
            heard=windows[f"heard_{target}"].tolist(),
        )
        n_of = windows.groupby("title").size()
        weights = np.array([float(n_of[title]) for title in found.by_title])
        low, high = _interval(np.array(list(found.by_title.values())), weights)
        n_titles = len(found.by_title)
        yield Score(inputs, BY_WINDOW, target, None, found.by_window, found.n_windows, n_titles, low, high)
        for title, share in found.by_title.items():
            yield Score(inputs, BY_WINDOW, target, title, share, int(n_of[title]))
        yield Score(inputs, BY_RENDER, target, None, found.by_render, found.n_renders, n_titles)
    for target, column, points in _points(windows, "asked"):
        yield from _mean(inputs, BY_WINDOW, target, column, points)


def _multi(inputs: str, kind: str, segments: pd.DataFrame) -> Iterator[Score]:
    n_of = segments.groupby("title").size()
    for target in _AGREED:
        found = measure_agreement(
            titles=segments["title"].tolist(),
            reference=segments[f"reference_{target}"].tolist(),
            heard=segments[f"heard_{target}"].tolist(),
        )
        low, high = _interval(np.array(list(found.by_title.values())))
        yield Score(
            inputs, kind, target, None, found.value, found.n_segments, found.n_titles, low, high,
            found.constant, found.other_title, found.kappa, found.n_values,
        )  # fmt: skip
        for title, share in found.by_title.items():
            yield Score(inputs, kind, target, title, share, int(n_of[title]))
    for target, column, points in _points(segments, "reference"):
        yield from _mean(inputs, kind, target, column, points)


def _points(
    frame: pd.DataFrame, side: str
) -> Iterator[tuple[str, npt.NDArray[np.str_], npt.NDArray[np.float64]]]:
    """Compare tempi and tonics, where both sides have one."""
    tempi = frame[frame[[f"{side}_tempo_bpm", "heard_tempo_bpm"]].notna().all(axis=1)]
    if len(tempi):
        titles = tempi["title"].to_numpy(dtype=str)
        for target, octaves in ((TEMPO, False), (TEMPO_OCTAVES, True)):
            is_same = same_tempo(
                reference_bpm=tempi[f"{side}_tempo_bpm"], heard_bpm=tempi["heard_tempo_bpm"], octaves=octaves
            )
            yield target, titles, is_same.astype(np.float64)
    tonics = frame[frame[[f"{side}_tonic", "heard_tonic"]].notna().all(axis=1)]
    if len(tonics):
        points = tonic_points(
            reference=tonics[f"{side}_tonic"].astype(int), heard=tonics["heard_tonic"].astype(int)
        )
        titles = tonics["title"].to_numpy(dtype=str)
        yield TONIC, titles, (points == 1).astype(np.float64)
        yield TONIC_POINTS, titles, points


def _mean(
    inputs: str, kind: str, target: str, titles: npt.NDArray[np.str_], points: npt.NDArray[np.float64]
) -> Iterator[Score]:
    """Average by title, and then over titles where each is to count alike."""
    names, number = np.unique(titles, return_inverse=True)
    counts = np.bincount(number)
    by_title = np.bincount(number, points) / counts
    weights = counts.astype(np.float64) if kind == BY_WINDOW else np.ones(len(names))
    value = float(np.average(by_title, weights=weights))
    low, high = _interval(by_title, weights)
    yield Score(inputs, kind, target, None, value, len(points), len(names), low, high)
    for title, share, count in zip(names.tolist(), by_title.tolist(), counts.tolist(), strict=True):
        yield Score(inputs, kind, target, title, share, count)


def _interval(
    by_title: npt.NDArray[np.float64], weights: npt.NDArray[np.float64] | None = None
) -> tuple[float, float] | tuple[None, None]:
    """Draw titles anew, with replacement: windows and segments of a title are not independent."""
    if len(by_title) <= _MOST_TITLES_WITHOUT_INTERVAL:
        return None, None
    drawn = np.random.default_rng(0).integers(0, len(by_title), (_RESAMPLES, len(by_title)))
    of = np.ones(len(by_title)) if weights is None else weights
    return interval((by_title[drawn] * of[drawn]).sum(axis=1) / of[drawn].sum(axis=1))

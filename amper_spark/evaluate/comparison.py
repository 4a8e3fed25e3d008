"""A recording beside its renders: all that scores are counted from, without the windows of the recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amper_spark.classify.hierarchy import AFFECT, TARGETS
from amper_spark.evaluate.multi_region import COMPARED, away_from_boundaries, pooled_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.spark.evaluation_material import HeardRender, Title

ANSWERS = (*TARGETS, *(f"free_{target}" for target in AFFECT))
"""What is compared: joint answers, which come of one descriptor, and free ones, which need not fit it."""


def catalogue_answer(answer: str) -> str:
    """Name the target of the catalogue that an answer is about."""
    return answer.removeprefix("free_")


@dataclass(frozen=True)
class Comparison:
    """What was asked for or heard, and what was heard in the renders.

    Parameters
    ----------
    title : str
        The track_id of the recording.
    is_render : bool
        Whether it was rendered itself.
    single : pd.DataFrame
        Windows of the renders of one region. Columns title, render, descriptor (that was asked for), and
        ``asked_*`` and ``heard_*`` of `ANSWERS`, ``tempo_bpm`` and ``tonic``.
    multi : pd.DataFrame
        Segments. Columns title, segment, n_renders, and ``reference_*`` and ``heard_*`` of
        `amper_spark.evaluate.multi_region.COMPARED`.
    multi_away : pd.DataFrame
        The same by the windows of the renders alone that do not reach over a boundary; without the segments
        that are too short to have any.
    """

    title: str
    is_render: bool
    single: pd.DataFrame
    multi: pd.DataFrame
    multi_away: pd.DataFrame


def compare(title: Title, *, catalogue: Catalogue, tonic_floor: float) -> Comparison:
    """Lay a recording and its renders side by side.

    Parameters
    ----------
    title : Title
    catalogue : Catalogue
        Says what a descriptor stands for.
    tonic_floor : float
        Windows whose tonic is less clear have no vote on it.

    Returns
    -------
    Comparison
        Frames without rows where there are no such renders.
    """
    import pandas as pd

    singles = [one for one in title.renders if one.kind == "single" and one.descriptor in catalogue]
    multis = [one.heard.windows for one in title.renders if one.kind == "multi"]
    own = title.reduction.segments
    away = [away_from_boundaries(windows, own) for windows in multis]
    return Comparison(
        title=title.track_id,
        is_render=title.is_render,
        single=pd.concat([_single(title.track_id, one, catalogue) for one in singles], ignore_index=True)
        if singles
        else pd.DataFrame(),
        multi=_multi(title.track_id, own, multis, tonic_floor),
        multi_away=_multi(title.track_id, _with_centres(own, away), away, tonic_floor),
    )


def _single(title: str, render: HeardRender, catalogue: Catalogue) -> pd.DataFrame:
    windows, asked = render.heard.windows, catalogue[str(render.descriptor)]
    wanted: dict[str, Any] = {
        "genre": asked.genre,
        "subgenre": asked.subgenre,
        "mood": asked.mood.name,
        "sentiment": asked.sentiment,
        "valence": asked.mood.valence,
        "momentum": asked.mood.momentum,
    }
    frame = windows[list(ANSWERS)].add_prefix("heard_")
    frame = frame.assign(
        title=title, render=render.timeline_id, descriptor=asked.name, asked_tempo_bpm=render.tempo_bpm,
        asked_tonic=render.tonic, heard_tempo_bpm=windows["tempo"], heard_tonic=windows["tonic"],
    )  # fmt: skip
    return frame.assign(**{f"asked_{answer}": wanted[catalogue_answer(answer)] for answer in ANSWERS})


def _multi(
    title: str, reference: pd.DataFrame, renders: Sequence[pd.DataFrame], tonic_floor: float
) -> pd.DataFrame:
    import pandas as pd

    heard_in = [windows for windows in renders if not windows.empty]
    if not heard_in or reference.empty:
        return pd.DataFrame()
    heard = pooled_segments(renders=heard_in, segments=reference, tonic_floor=tonic_floor)
    joined = reference[["segment", *COMPARED]].merge(
        heard[["segment", "n_renders", *COMPARED]], on="segment", suffixes=("_reference", "_heard")
    )
    named = {f"{name}_{side}": f"{side}_{name}" for name in COMPARED for side in ("reference", "heard")}
    return joined.rename(columns=named).assign(title=title)


def _with_centres(segments: pd.DataFrame, renders: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Keep the segments in which each render has the centre of a window: no other one is to answer for it."""
    is_held = [
        all(
            (((one["start_s"] + one["end_s"]) / 2).between(start_s, end_s, inclusive="left")).any()
            for one in renders
        )
        for start_s, end_s in zip(segments["start_s"], segments["end_s"], strict=True)
    ]
    return segments[is_held]

"""What the renders of a recording come down to in each of its segments, to be compared with the recording.

Renders of several regions are made to be a recording over again, segment by segment. So they are cut where
the recording is cut, not where their own form is, and all windows of all renders that lie in a segment vote
together, by the rules by which the recording was reduced (`amper_spark.timeline.majorities`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.classify.hierarchy import AFFECT, TARGETS
from amper_spark.errors import ParameterError
from amper_spark.timeline.majorities import assign_windows, find_majority, majority_columns
from amper_spark.timeline.tempo_votes import RecordingTempi

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

BOUNDARY_S = 5.0
"""Half a window: whoever is nearer to a boundary has heard both sides of it."""
COMPARED = (*TARGETS, *(f"free_{target}" for target in AFFECT), "descriptor", "tempo_bpm", "tonic")
"""Columns that stand on both sides."""


def pooled_segments(
    *, renders: Sequence[pd.DataFrame], segments: pd.DataFrame, tonic_floor: float
) -> pd.DataFrame:
    """Let the windows of all renders of a recording vote in each of its segments.

    Parameters
    ----------
    renders : sequence of pd.DataFrame
        Windows of each render, as in `amper_spark.timeline.majorities.reduce_recording`.
    segments : pd.DataFrame
        Those of the recording: columns segment, start_s, end_s.
    tonic_floor : float
        Windows whose tonic is less clear have no vote on it.

    Returns
    -------
    pd.DataFrame
        A row a segment, in turn: segment, n_renders, and the columns of
        `amper_spark.timeline.majorities.majority_columns`.

    Raises
    ------
    ParameterError
        There are no renders, or no segments.
    """
    import pandas as pd

    if not renders or segments.empty:
        raise ParameterError(
            f"at least one render and one segment are needed, got {len(renders)} and {len(segments)}"
        )
    windows = pd.concat(renders, ignore_index=True)
    tempi = RecordingTempi.of(
        tempo_bpm=windows["tempo"].to_numpy(),
        alternative_bpm=windows["tempo_alternative"].to_numpy(),
        pulse_clarity=windows["pulse_clarity"].to_numpy(),
    )
    pooled = pd.concat([assign_windows(one, segments) for one in renders], ignore_index=True)
    return pd.DataFrame([
        {
            "segment": segment,
            "n_renders": len(renders),
            **majority_columns(find_majority(held, tonic_floor=tonic_floor), tempi),
        }
        for segment, held in pooled.groupby("segment", sort=True)
    ])  # fmt: skip


def away_from_boundaries(
    windows: pd.DataFrame, segments: pd.DataFrame, *, margin_s: float = BOUNDARY_S
) -> pd.DataFrame:
    """Leave out the windows that reach over a boundary between segments.

    Parameters
    ----------
    windows : pd.DataFrame
        Columns start_s and end_s.
    segments : pd.DataFrame
        Columns start_s and end_s.
    margin_s : float >= 0
        What is at least so far from each boundary, by its centre, stays.

    Returns
    -------
    pd.DataFrame
        Rows of `windows`. It may be empty.

    Examples
    --------
    >>> import pandas as pd
    >>> windows = pd.DataFrame({"start_s": [0.0, 4.0, 9.0], "end_s": [10.0, 14.0, 19.0]})
    >>> segments = pd.DataFrame({"start_s": [0.0, 9.0], "end_s": [9.0, 30.0]})
    >>> away_from_boundaries(windows, segments, margin_s=4).index.tolist()
    [0, 2]
    """
    centre_s = ((windows["start_s"] + windows["end_s"]) / 2).to_numpy()
    boundaries_s = segments["start_s"].sort_values().to_numpy()[1:]
    near = (abs(centre_s[:, None] - boundaries_s) < margin_s).any(axis=1)
    return windows[~near]

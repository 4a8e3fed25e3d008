"""What was heard in some recordings, window by window, as frames: analyses beside the labels of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.classify.hierarchy import AFFECT, TARGETS
from amper_spark.spark.merging import unit_names
from amper_spark.spark.schemas import ANALYSES, LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from amper_spark.spark.lake import Lake

_ANALYSED = (
    "window",
    "start_s",
    "end_s",
    "tempo",
    "tempo_alternative",
    "pulse_clarity",
    "tonic",
    "tonic_strength",
)
_SEGMENT = ("segment", "section", "start_s", "end_s")
_LABELLED = {
    "window": "window",
    "abstained": "abstained",
    **{name: f"joint.{name}" for name in ("descriptor", *TARGETS)},
    "confidence": "joint_confidence.mood",
    **{f"free_{name}": f"free.{name}" for name in AFFECT},
    **{f"free_{name}_confidence": f"free_confidence.{name}" for name in AFFECT},
}
"""Where each column is in a window of ``labels``."""


@dataclass(frozen=True)
class Heard:
    """What was heard in a recording.

    Parameters
    ----------
    duration_s : float
        As analysed.
    windows : pd.DataFrame
        As in `amper_spark.timeline.majorities.reduce_recording`, in order of time.
    segments : pd.DataFrame
        Of its own form: columns segment, section, start_s, end_s, in turn.
    """

    duration_s: float
    windows: pd.DataFrame
    segments: pd.DataFrame


def read_heard(lake: Lake, labels: pa.Table) -> dict[str, Heard]:
    """Read what was heard in some recordings.

    Parameters
    ----------
    lake : Lake
    labels : pyarrow.Table
        The key columns of ``labels``; as many rows as memory has room for: a window takes 0.2 kB.

    Returns
    -------
    dict of str to Heard
        By track_id; none for what has no windows.
    """
    analysed = _rows(lake, ANALYSES.name, ["duration_s", "windows", "segments"], labels)
    labelled = _rows(lake, LABELS.name, ["windows"], labels)
    heard = {}
    for track_id, analysis in analysed.items():
        windows = _frame(analysis["windows"], {name: name for name in _ANALYSED})
        answers = labelled.get(track_id)
        if answers is None or windows.empty:
            continue
        joined = windows.merge(_frame(answers["windows"], _LABELLED), on="window", validate="one_to_one")
        segments = _frame(analysis["segments"], {name: name for name in _SEGMENT})
        heard[track_id] = Heard(
            duration_s=analysis["duration_s"].as_py(),
            windows=joined.sort_values("window").reset_index(drop=True),
            segments=segments.sort_values("segment").reset_index(drop=True),
        )
    return heard


def _rows(lake: Lake, table: str, columns: list[str], labels: pa.Table) -> dict[str, Mapping[str, pa.Scalar]]:
    """Read rows of a table by their whole key; as Arrow values, which take a tenth of Python's."""
    key = list(ANALYSES.key if table == ANALYSES.name else LABELS.key)
    wanted = unit_names(labels, key)
    where = pc.field("track_id").isin(labels["track_id"].combine_chunks())
    found: dict[str, Mapping[str, Any]] = {}
    for piece in lake.scan(table, [*key, *columns], where=where):
        rows = piece.filter(pc.is_in(unit_names(piece, key), value_set=wanted))
        for number, track_id in enumerate(rows["track_id"].to_pylist()):
            found[track_id] = {name: rows[name][number] for name in columns}
    return found


def _frame(items: pa.ListScalar, paths: Mapping[str, str]) -> pd.DataFrame:
    """Turn a list of structs into a frame with a column for each path into them."""
    values = items.values
    columns = {name: pc.struct_field(values, path.split(".")) for name, path in paths.items()}
    frame: pd.DataFrame = pa.table(columns).to_pandas()
    return frame

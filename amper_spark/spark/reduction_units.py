"""Which labelled recordings are left to reduce, and in which files they lie."""

from __future__ import annotations

import hashlib
import json
import shlex
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import AmperSparkError
from amper_spark.spark.corpora import check_known
from amper_spark.spark.estimate import WEIGHT
from amper_spark.spark.file_weights import weigh_by_file
from amper_spark.spark.loop_schemas import REDUCTIONS, RENDERS
from amper_spark.spark.pending import without
from amper_spark.spark.schemas import ANALYSES, LABELS, TRACKS

if TYPE_CHECKING:
    from amper_spark import config
    from amper_spark.spark.lake import Lake

LABELS_FILE, ANALYSES_FILE = "labels_file", "analyses_file"
"""The columns of a unit that say in which files of these tables its rows are."""

_REVISION = 1
"""Raised whenever the same labels come down to something else."""
_WINDOW_BYTES = 100  # of what is read of a window
_TRACK = ["track_id", "etag"]
_UNIT = list(REDUCTIONS.key)


def reduction_version(settings: config.Reduction) -> str:
    """Name the rules: 12 hexadecimal digits, a hash of all that decides a reduction, given the labels."""
    said = json.dumps({"revision": _REVISION, **settings.model_dump()}, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def current_labels(lake: Lake, model_version: str, *, corpus: str | None = None) -> pa.Table:
    """Find the labels that a model has given to the recordings as they are now.

    Parameters
    ----------
    lake : Lake
    model_version : str
        See `amper_spark.spark.chosen_model.model_version`.
    corpus : str, optional
        None takes all recordings that are no renders: those of a corpus that is known to have been rendered
        from descriptors, or that `submit` has had made. Else each run would resemble those of the run before.

    Returns
    -------
    pyarrow.Table
        The key columns of ``labels``, labels_file, analyses_file, work_bytes: of each recording its most
        recent labels.

    Raises
    ------
    AmperSparkError
        There are none.
    """
    tracks = _tracks(lake, corpus)
    labels = lake.read(LABELS.name, [*LABELS.key, "at"], file_column=LABELS_FILE)
    named = labels.filter(pc.field("model_version") == model_version)
    rows = named.join(tracks.select(_TRACK), _TRACK, join_type="left semi")
    if rows.num_rows == 0:
        _refuse(lake, model_version, labels, corpus)
    columns = ["analysis_version", "model_version", LABELS_FILE]
    latest = (
        rows.sort_by([("at", "descending"), ("analysis_version", "descending")])
        .group_by(_TRACK, use_threads=False)
        .aggregate([(column, "first") for column in columns])
        .rename_columns([*_TRACK, *columns])
    )
    analyses = lake.read(ANALYSES.name, [*ANALYSES.key, "duration_s"], file_column=ANALYSES_FILE)
    return weigh_by_file(
        latest.join(analyses, list(ANALYSES.key), join_type="inner"),
        file=LABELS_FILE,
        window_bytes=_WINDOW_BYTES,
    )


def reduction_units(
    lake: Lake,
    labels: pa.Table,
    *,
    settings: config.Reduction,
    force: bool = False,
    limit: int | None = None,
) -> tuple[pa.Table, int]:
    """Select the labels that have not been reduced yet.

    Parameters
    ----------
    lake : Lake
    labels : pyarrow.Table
        See `current_labels`.
    settings : amper_spark.config.Reduction
    force : bool
        Select also what is done.
    limit : int, optional
        At most so many, in the order of the run.

    Returns
    -------
    units : pyarrow.Table
        Columns of the key of ``reductions``, labels_file, analyses_file, work_bytes.
    done_before : int
        How many were reduced before.
    """
    version = pa.array([reduction_version(settings)] * labels.num_rows, pa.string())
    units = labels.append_column("reduction_version", version)
    left = units if force else without(units, lake.read(REDUCTIONS.name, _UNIT), _UNIT)
    left = left.sort_by([(WEIGHT, "descending"), ("track_id", "ascending")])
    columns = [*_UNIT, LABELS_FILE, ANALYSES_FILE, WEIGHT]
    return left.select(columns).slice(0, limit), units.num_rows - left.num_rows


def _tracks(lake: Lake, corpus: str | None) -> pa.Table:
    """Read which recordings there are: of a corpus, or all that are no renders."""
    tracks = lake.read(TRACKS.name, [*_TRACK, "corpus", "descriptor", "deleted_at"])
    tracks = tracks.filter(pc.field("deleted_at").is_null())
    if corpus is not None:
        check_known(lake, corpus)
        return tracks.filter(pc.field("corpus") == corpus)
    made = pc.drop_null(lake.read(RENDERS.name, ["track_id"])["track_id"]).combine_chunks()
    return tracks.filter(pc.field("descriptor").is_null() & ~pc.field("track_id").isin(made))


def _refuse(lake: Lake, model_version: str, labels: pa.Table, corpus: str | None) -> None:
    """Say why there is nothing to reduce, and what to do about it."""
    others = sorted(set(pc.unique(labels["model_version"]).to_pylist()) - {model_version})
    named = f" --corpus {shlex.quote(corpus)}" if corpus else ""
    known = f" ({', '.join(others)} has: --model names it)" if others else ""
    but = "" if corpus else "; renders are left out, unless --corpus names theirs"
    raise AmperSparkError(
        f"model {model_version} has labelled nothing{named and f' of corpus {corpus}'} in {lake.uri}{known}: "
        f"run `amper-spark score --lake {shlex.quote(lake.uri)}{named}`{but}"
    )

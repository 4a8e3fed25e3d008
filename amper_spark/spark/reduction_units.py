"""Which labelled recordings are left to reduce, and in which files they lie."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import AmperSparkError
from amper_spark.spark.corpora import check_known
from amper_spark.spark.estimate import WEIGHT
from amper_spark.spark.file_weights import weigh_by_file
from amper_spark.spark.generated import SIZE_TAG
from amper_spark.spark.loop_schemas import REDUCTIONS
from amper_spark.spark.pending import without
from amper_spark.spark.schemas import ANALYSES, DONE, LABELS, TRACKS
from amper_spark.terminal import counted

if TYPE_CHECKING:
    from amper_spark import config
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)

LABELS_FILE, ANALYSES_FILE = "labels_file", "analyses_file"
"""The columns of a unit that say in which files of these tables its rows are."""

_REVISION = 2
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
        None takes all recordings but the renders of `generate` and `submit`: else each run would resemble
        what the run before has made.

    Returns
    -------
    pyarrow.Table
        The key columns of ``labels``, duration_s, labels_file, analyses_file, work_bytes: of each recording
        the labels of its last analysis, of those that the model fits.

    Raises
    ------
    AmperSparkError
        There are none.
    """
    tracks = _tracks(lake, corpus)
    rows, n_unlabelled = labels_of(lake, model_version, tracks)
    if rows.num_rows == 0:
        labels = lake.read(LABELS.name, list(LABELS.key))
        _refuse(lake, model_version, labels.join(tracks, _TRACK, join_type="left semi"), corpus)
    if n_unlabelled:
        _LOG.warning("%s left out: score labels them", counted(n_unlabelled, "analysed recording"))
    return weigh_by_file(rows, file=LABELS_FILE, window_bytes=_WINDOW_BYTES)


def labels_of(lake: Lake, model_version: str, tracks: pa.Table) -> tuple[pa.Table, int]:
    """Find the labels that a model has given to some recordings as they are now.

    Parameters
    ----------
    lake : Lake
    model_version : str
    tracks : pyarrow.Table
        Columns track_id and etag of the recordings.

    Returns
    -------
    labels : pyarrow.Table
        The key columns of ``labels``, duration_s, labels_file, analyses_file.
    n_unlabelled : int
        How many have an analysis that the model has not labelled.
    """
    labels = lake.read(LABELS.name, list(LABELS.key), file_column=LABELS_FILE)
    named = labels.filter(pc.field("model_version") == model_version)
    analyses = _latest_analyses(lake, tracks, fitting=pc.unique(named["analysis_version"]))
    rows = analyses.join(named, list(ANALYSES.key), join_type="inner")
    return rows, analyses.num_rows - rows.num_rows


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
    tracks = lake.read(TRACKS.name, [*_TRACK, "corpus", "tags", "deleted_at"])
    tracks = tracks.filter(pc.field("deleted_at").is_null())
    if corpus is not None:
        check_known(lake, corpus)
        return tracks.filter(pc.field("corpus") == corpus).select(_TRACK)
    is_render = pc.is_valid(pc.map_lookup(tracks["tags"], pa.scalar(SIZE_TAG), "first"))
    return tracks.filter(pc.invert(is_render)).select(_TRACK)


def _latest_analyses(lake: Lake, tracks: pa.Table, *, fitting: pa.Array) -> pa.Table:
    """Find the last analysis of each recording, of those that the model fits; unless it was quarantined."""
    columns = [*ANALYSES.key, "outcome", "duration_s", "at"]
    rows = lake.read(ANALYSES.name, columns, file_column=ANALYSES_FILE)
    rows = rows.filter(pc.field("analysis_version").isin(fitting)).join(tracks, _TRACK, join_type="left semi")
    told = ["analysis_version", "outcome", "duration_s", ANALYSES_FILE]
    latest = (
        rows.sort_by([("at", "descending"), ("analysis_version", "descending")])
        .group_by(_TRACK, use_threads=False)
        .aggregate([(column, "first") for column in told])
        .rename_columns([*_TRACK, *told])
    )
    return latest.filter(pc.field("outcome") == DONE).drop_columns("outcome")


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

"""The stage `score`: which analyses are left to label, and how a model labels them.

The windows of a corpus are gigabytes, and never pass through the driver nor through Java. The driver reads
from ``analyses`` who has been analysed, how, and in which file that lies; a unit of work is told by that. A
task opens these files itself with pyarrow, on S3 as on a disk, so that Spark needs no driver for either.

Weights make batches of whole files (`amper_spark.spark.file_weights`), and of each batch a file goes to one
task.
"""

from __future__ import annotations

import logging
import shlex
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.analysis import analysis_version
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.errors import AmperSparkError
from amper_spark.separation.accompaniment import removal_version
from amper_spark.spark.corpora import check_known
from amper_spark.spark.estimate import WEIGHT
from amper_spark.spark.file_weights import weigh_by_file
from amper_spark.spark.pending import without
from amper_spark.spark.schemas import ANALYSES, DONE, LABELS, TRACKS
from amper_spark.spark.stage import Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from amper_spark import config
    from amper_spark.config import Config
    from amper_spark.spark.chosen_model import ChosenModel
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)

_WINDOW_BYTES = 4 * len(MATRIX_COLUMNS)
_TRACK = ["track_id", "etag"]


def scoring_units(
    lake: Lake,
    model: ChosenModel,
    *,
    config: Config,
    corpus: str | None = None,
    force: bool = False,
    limit: int | None = None,
) -> tuple[pa.Table, int]:
    """Select the analyses that have no labels of this model yet.

    Of each recording it is the most recent analysis that the model fits: of the version that it has learnt
    from, or the same without vocals. What was quarantined has nothing to be labelled.

    Parameters
    ----------
    lake : Lake
    model : ChosenModel
    config : amper_spark.config.Config
    corpus : str, optional
        None takes all.
    force : bool
        Select also what is done.
    limit : int, optional
        At most so many, in the order of the run.

    Returns
    -------
    units : pyarrow.Table
        Columns track_id, etag, analysis_version, model_version, file, part, work_bytes.
    done_before : int
        How many analyses have their labels already.

    Raises
    ------
    AmperSparkError
        There is nothing to select from, or nothing that the model fits.
    """
    tracks = _current_tracks(lake, corpus)
    rows = weigh_by_file(
        lake.read(ANALYSES.name, [*ANALYSES.key, "outcome", "duration_s", "at"], file_column="file"),
        file="file",
        window_bytes=_WINDOW_BYTES,
    )
    rows = rows.join(tracks, _TRACK, join_type="left semi")
    fitting = rows.filter(pc.is_in(rows["analysis_version"], value_set=_fitting_versions(model, config)))
    _check_versions(lake, model, rows, fitting, config=config, corpus=corpus)
    columns = ["analysis_version", "outcome", "file", "part", WEIGHT]
    latest = (
        fitting.sort_by([("at", "descending"), ("analysis_version", "descending")])
        .group_by(_TRACK, use_threads=False)
        .aggregate([(column, "first") for column in columns])
        .rename_columns([*_TRACK, *columns])
    )
    latest = latest.filter(pc.equal(latest["outcome"], DONE)).drop_columns("outcome")
    named = pa.array([model.version] * latest.num_rows, pa.string())
    units = latest.append_column("model_version", named)
    left = units if force else without(units, lake.read(LABELS.name, list(LABELS.key)), LABELS.key)
    left = left.sort_by([(WEIGHT, "descending"), ("track_id", "ascending")])
    return left.slice(0, limit), units.num_rows - left.num_rows


def scoring_stage(model: ChosenModel, *, lake: Lake, settings: config.Stage) -> Stage:
    """Describe the stage: units in, rows of ``labels`` out.

    Parameters
    ----------
    model : ChosenModel
    lake : Lake
    settings : amper_spark.config.Stage

    Returns
    -------
    amper_spark.spark.stage.Stage
    """

    def transform(units: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F
        from pyspark.sql.pandas.types import from_arrow_schema

        from amper_spark.spark.labelling import ROW_SCHEMA, labelling
        from amper_spark.spark.worker_model import bring_model

        context = units.sparkSession.sparkContext
        place = bring_model(context, model.folder)
        tasks = settings.tasks_per_core * context.defaultParallelism
        by_file = units.repartitionById(tasks, F.col("part") % tasks)
        return by_file.mapInArrow(labelling(lake, place), from_arrow_schema(ROW_SCHEMA))

    return Stage(name="score", table=LABELS.name, version=model.version, transform=transform)


def _fitting_versions(model: ChosenModel, config: Config) -> pa.Array:
    versions = [model.analysis_version]
    if model.analysis_version == analysis_version(config.analysis):
        # The features are the same; what they are of is the music without the voice.
        versions.append(analysis_version(config.analysis, separated=removal_version(config.separation)))
    return pa.array(versions)


def _current_tracks(lake: Lake, corpus: str | None) -> pa.Table:
    tracks = lake.read(TRACKS.name, [*_TRACK, "corpus", "deleted_at"])
    tracks = tracks.filter(pc.field("deleted_at").is_null())
    if corpus is not None:
        check_known(lake, corpus)
        tracks = tracks.filter(pc.field("corpus") == corpus)
    if tracks.num_rows == 0:
        command = f"`amper-spark catalog MUSIC_FOLDER --lake {shlex.quote(lake.uri)}`"
        raise AmperSparkError(f"no recordings in {lake.uri}: run {command}")
    return tracks.select(_TRACK)


def _check_versions(
    lake: Lake, model: ChosenModel, rows: pa.Table, fitting: pa.Table, *, config: Config, corpus: str | None
) -> None:
    """Refuse what the model cannot label at all, and tell of what it leaves out."""
    done = rows.filter(pc.equal(rows["outcome"], DONE))
    named = f" --corpus {shlex.quote(corpus)}" if corpus else ""
    command = f"`amper-spark analyze --lake {shlex.quote(lake.uri)}{named}`"
    if done.num_rows == 0:
        raise AmperSparkError(
            f"nothing is analysed in {lake.uri}{named and f', corpus {corpus}'}: run {command}"
        )
    others = done.join(fitting, _TRACK, join_type="left anti")
    if others.num_rows == 0:
        return
    versions = ", ".join(sorted(pc.unique(others["analysis_version"]).to_pylist()))
    is_configured = model.analysis_version == analysis_version(config.analysis)
    advice = (
        f"run {command}"
        if is_configured
        else (
            f"analyse them with the configuration that it was trained with ({command} makes "
            f"{analysis_version(config.analysis)}), or train on these"
        )
    )
    said = f"model {model.version} has learnt from analysis version {model.analysis_version}"
    if fitting.num_rows == 0:
        raise AmperSparkError(f"{said}, the windows are of {versions}: {advice}")
    count = others.group_by(_TRACK).aggregate([]).num_rows
    _LOG.warning(
        "%s recordings are left out, of analysis version %s: %s; %s", f"{count:,}", versions, said, advice
    )

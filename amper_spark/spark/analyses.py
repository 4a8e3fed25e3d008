"""The stage `analyze`: which recordings are left to do, and what becomes of each."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.analysis import analysis_version
from amper_spark.errors import AmperSparkError
from amper_spark.separation.accompaniment import removal_version, separation_version
from amper_spark.spark.corpora import check_known
from amper_spark.spark.estimate import WEIGHT
from amper_spark.spark.pending import find_pending, without
from amper_spark.spark.schemas import ANALYSES, TRACKS
from amper_spark.spark.stage import Stage
from amper_spark.spark.stems import StemStore

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame

    from amper_spark.config import Config, Separation
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)

SEPARATION_WORK = 10
"""How many times the analysis of a file it is to remove its vocals before."""
UNIT_COLUMNS = ("track_id", "etag", "uri", "size_bytes", "separate")


def analysis_units(
    lake: Lake,
    *,
    config: Config,
    corpus: str | None = None,
    separate: bool | None = None,
    force: bool = False,
    retry: bool = False,
    limit: int | None = None,
) -> tuple[pa.Table, int]:
    """Select the recordings that have no analysis of this version yet.

    Parameters
    ----------
    lake : amper_spark.spark.lake.Lake
    config : amper_spark.config.Config
    corpus : str, optional
        None takes all.
    separate : bool, optional
        Whether vocals are removed first; None leaves it to each track.
    force : bool
        Select also what is done.
    retry : bool
        Select also what was quarantined.
    limit : int, optional
        At most so many; those that take longest come first, as they do in the run.

    Returns
    -------
    units : pa.Table
        Columns track_id, etag, uri, size_bytes, separate, analysis_version, work_bytes: tracks without their
        vocals have another version.
    done_before : int
        How many recordings have their analysis already.

    Raises
    ------
    AmperSparkError
        If there is nothing to select from.
    """
    tracks = lake.read(TRACKS.name)
    tracks = tracks.filter(pc.field("deleted_at").is_null())
    if corpus is not None:
        check_known(lake, corpus)
        tracks = tracks.filter(pc.field("corpus") == corpus)
    if tracks.num_rows == 0:
        raise AmperSparkError(
            f"no recordings in {lake.uri}: run `amper-spark catalog MUSIC_FOLDER --lake {lake.uri}`"
        )
    if separate is not None:
        column = tracks.schema.get_field_index("separate")
        chosen = pa.array([separate] * tracks.num_rows, pa.bool_())
        tracks = tracks.set_column(column, "separate", chosen)
    version = pc.if_else(
        tracks["separate"],
        analysis_version(config.analysis, separated=removal_version(config.separation)),
        analysis_version(config.analysis),
    )
    work = pc.multiply(tracks["size_bytes"], pc.if_else(tracks["separate"], SEPARATION_WORK, 1))
    units = tracks.select(UNIT_COLUMNS).append_column("analysis_version", version).append_column(WEIGHT, work)
    pending = find_pending(lake, ANALYSES.name, units, force=force, retry=retry)
    if pending.done_before:
        _tell_what_is_hidden(lake, without(units, pending.units, ANALYSES.key))
    largest_first = pending.units.sort_by([(WEIGHT, "descending"), ("track_id", "ascending")])
    return largest_first.slice(0, limit), pending.done_before


def _tell_what_is_hidden(lake: Lake, done: pa.Table) -> None:
    """Say that views show another analysis of some recordings, though this one is done."""
    names = ["track_id", "etag"]
    rows = lake.read(ANALYSES.name, [*names, "analysis_version", "at"]).sort_by([("at", "descending")])
    newest = rows.group_by(names, use_threads=False).aggregate([("analysis_version", "first")])
    both = done.select([*names, "analysis_version"]).join(newest, names, join_type="inner")
    hidden = pc.sum(pc.not_equal(both["analysis_version"], both["analysis_version_first"])).as_py()
    if hidden:
        _LOG.warning(
            "%s of those done before: analysed in another way since, which is what views show; "
            "--force makes this analysis the newest",
            f"{hidden:,}",
        )


def separation_model(settings: Separation, units: pa.Table) -> Path | None:
    """Get the graph that removes vocals, if any unit needs it.

    Parameters
    ----------
    settings : amper_spark.config.Separation
    units : pa.Table
        See `analysis_units`.

    Returns
    -------
    Path or None

    Raises
    ------
    AmperSparkError
        If the weights cannot be had, or the interpreter of the official package is not there.
    """
    if not pc.any(units["separate"]).as_py():
        return None
    if settings.engine == "official":
        if shutil.which(str(settings.official_python)) is None:
            raise AmperSparkError(f"separation.official_python: {settings.official_python} is no interpreter")
        return None
    from amper_spark.separation.weights import fetch_weights

    return fetch_weights(settings.weights)


def analysis_stage(
    config: Config, *, lake: Lake, model: Path | None = None, keep_stems: bool = False
) -> Stage:
    """Describe the stage: units in, rows of ``analyses`` out.

    Parameters
    ----------
    config : amper_spark.config.Config
    lake : amper_spark.spark.lake.Lake
        Where accompaniments are kept.
    model : Path, optional
        The graph that removes vocals; the official engine needs none.
    keep_stems : bool
        Keep the accompaniments that are made.

    Returns
    -------
    amper_spark.spark.stage.Stage
    """
    stems = StemStore(lake.uri, separation_version(config.separation), lake.storage_options)
    if keep_stems:
        stems.remove_leftovers()

    def transform(units: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F

        from amper_spark.spark.functions import RESULT_COLUMNS, make_analyze_udf
        from amper_spark.spark.handing_out import hand_out
        from amper_spark.spark.vocals import Vocals

        vocals = Vocals(
            settings=config.separation,
            limits=config.analysis.limits,
            model=None if model is None else hand_out(units.sparkSession.sparkContext, model),
            stems=stems,
            keep=keep_stems,
        )
        analyze = make_analyze_udf(config.analysis, config.decoder, config.isolation, vocals)
        # A UDF's struct that is taken apart by name would run once a field.
        described = units.withColumn("result", analyze(F.struct("uri", "etag", "separate", "track_id")))
        return described.select(
            "track_id", "etag", "analysis_version", *(f"result.{c}" for c in RESULT_COLUMNS)
        )

    version = analysis_version(config.analysis, separated=removal_version(config.separation))
    return Stage(name="analyze", table=ANALYSES.name, version=version, transform=transform)

"""The stage `analyze`: which recordings are left to do, and what becomes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.analysis import analysis_version
from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.spark.corpora import check_known
from amper_spark.spark.pending import find_pending
from amper_spark.spark.schemas import ANALYSES, TRACKS
from amper_spark.spark.stage import Stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from amper_spark.config import Analysis, Config
    from amper_spark.spark.lake import Lake

UNIT_COLUMNS = ("track_id", "etag", "uri", "size_bytes")


def analysis_units(
    lake: Lake,
    *,
    settings: Analysis,
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
    settings : amper_spark.config.Analysis
    corpus : str, optional
        None takes all.
    separate : bool, optional
        Whether vocals are removed first; None leaves it to each track.
    force : bool
        Select also what is done.
    retry : bool
        Select also what was quarantined.
    limit : int, optional
        At most so many; the largest come first, as they do in the run.

    Returns
    -------
    units : pa.Table
        Columns track_id, etag, uri, size_bytes, analysis_version.
    done_before : int
        How many recordings have their analysis already.

    Raises
    ------
    AmperSparkError
        If there is nothing to select from.
    ParameterError
        If vocals would have to be removed.
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
    if separate or (separate is None and pc.any(tracks["separate"]).as_py()):
        raise ParameterError("this version does not remove vocals: run analyze with --no-separate")
    version = pa.array([analysis_version(settings)] * tracks.num_rows, pa.string())
    units = tracks.select(UNIT_COLUMNS).append_column("analysis_version", version)
    pending = find_pending(lake, ANALYSES.name, units, force=force, retry=retry)
    largest_first = pending.units.sort_by([("size_bytes", "descending"), ("track_id", "ascending")])
    return largest_first.slice(0, limit), pending.done_before


def analysis_stage(config: Config) -> Stage:
    """Describe the stage: units in, rows of ``analyses`` out.

    Parameters
    ----------
    config : amper_spark.config.Config

    Returns
    -------
    amper_spark.spark.stage.Stage
    """

    def transform(units: DataFrame) -> DataFrame:
        from pyspark.sql import functions as F

        from amper_spark.spark.functions import RESULT_COLUMNS, make_analyze_udf

        analyze = make_analyze_udf(config.analysis, config.decoder, config.isolation)
        # A UDF's struct that is taken apart by name would run once a field.
        described = units.withColumn("result", analyze(F.struct("uri", "etag")))
        return described.select(
            "track_id", "etag", "analysis_version", *(f"result.{c}" for c in RESULT_COLUMNS)
        )

    return Stage(
        name="analyze", table=ANALYSES.name, version=analysis_version(config.analysis), transform=transform
    )

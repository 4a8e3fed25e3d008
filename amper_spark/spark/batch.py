"""One batch is one Spark job: its tasks write the rows to files, the driver watches, stops or explains it."""

from __future__ import annotations

import logging
import re
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from py4j.protocol import Py4JError, Py4JNetworkError  # type: ignore[import-untyped]  # it ships no types
from pyspark.errors import PySparkException
from pyspark.sql import Observation
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from amper_spark.errors import AmperSparkError
from amper_spark.spark.planning import Batch, likely_finished
from amper_spark.spark.row_writer import FILE_SCHEMA, row_writer
from amper_spark.spark.schemas import QUARANTINED, REFUSAL, TABLES
from amper_spark.spark.staging import StagedFile

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from pyspark import SparkContext
    from pyspark.sql import Column, DataFrame, Row, SparkSession

    from amper_spark.spark.lake import Lake

    Transform = Callable[[DataFrame], DataFrame]
    Watch = Callable[[int, float], None]

_LOG = logging.getLogger(__name__)

_POLL_S = 0.5


class StageInterruptedError(AmperSparkError):
    """The stage was stopped by Ctrl-C or SIGTERM."""


@dataclass(frozen=True)
class Written:
    """What the tasks of a batch wrote.

    Parameters
    ----------
    files : tuple of StagedFile
        Not committed yet.
    quarantined : int
        How many of the rows are quarantined.
    audio_s : float
        Duration of the recordings, in s; 0 where it is not known.
    refusals : tuple of str
        Why units have no row: a reason for each of them.
    """

    files: tuple[StagedFile, ...]
    quarantined: int
    audio_s: float
    refusals: tuple[str, ...] = ()

    @property
    def records(self) -> int:
        """Rows in all files."""
        return sum(file.records for file in self.files)


def write_batch(
    spark: SparkSession,
    lake: Lake,
    batch: Batch,
    *,
    table: str,
    transform: Transform,
    label: str,
    watch: Watch,
    stop: threading.Event,
    advice: str,
) -> Written:
    """Let Spark write the rows of a batch, and wait for it.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    lake : Lake
    batch : Batch
    table : str
        Name of the table that the rows belong to.
    transform : callable
        See `amper_spark.spark.stage.Stage`.
    label : str
        Says what is going on, in Spark's UI and in errors: "analyze 3/16".
    watch : callable
        Is told about twice a second how many records of the batch are done, and their weight.
    stop : threading.Event
        Once set, the Spark job is cancelled.
    advice : str
        What to do after a failure or a stop: the end of either message.

    Returns
    -------
    Written

    Raises
    ------
    StageInterruptedError
        When `stop` was set.
    AmperSparkError
        A task failed on all its attempts, or there is not a row or a refusal for each unit.
    """
    context = spark.sparkContext
    counts = Observation()
    rows = _rows(spark, batch, table, transform).observe(counts, *_counted(table))
    files = rows.mapInArrow(row_writer(lake, table, stem=batch.batch_id), from_arrow_schema(FILE_SCHEMA))

    def run() -> list[Row]:
        # Properties of jobs belong to the thread that starts them.
        context.setJobGroup(batch.batch_id, label, interruptOnCancel=True)
        return files.collect()

    with ThreadPoolExecutor(1) as thread:
        job = thread.submit(run)
        try:
            while not job.done() and not stop.is_set():
                wait([job], _POLL_S)
                watch(*_done(context, batch))
        finally:
            _cancel(context, batch, job)
    try:
        written = _collected(job.result())
    except (PySparkException, Py4JError, OSError) as error:
        if stop.is_set():
            raise StageInterruptedError(f"{label} was stopped. {advice}") from error
        _LOG.debug("%s failed", label, exc_info=error)
        raise AmperSparkError(f"{label} failed: {explain(error)}\n{advice}") from error
    _check(written, counts.get, batch, label)
    return written


def explain(error: Exception) -> str:
    r"""Find the words that matter in what Spark raises.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
        The Python error of the task without its traceback, how the Python worker died, or what Spark's own
        Java has to say.

    Examples
    --------
    >>> explain(ValueError("Traceback (most recent call last):\n  File ...\nOSError: disk full\n\n\tat org."))
    'OSError: disk full'
    >>> lost = "Task 3 failed 4 times, most recent failure: Lost task 3.3 in stage 2.0 (TID 8) (host): "
    >>> explain(ValueError(f"An error occurred while calling o1.collect.\n: {lost}x.Y: heap\n\tat org."))
    'x.Y: heap'
    """
    if isinstance(error, (Py4JNetworkError, OSError)):
        return f"Spark's Java process has ended, perhaps for want of memory ({error})"
    text = str(error)
    _, traceback, rest = text.rpartition("Traceback (most recent call last):\n")
    if traceback:
        # Below the indented frames: the error itself, which may have several lines, until the Java trace.
        below = re.sub(r"\A(?:[ \t]+.*\n)+", "", rest)
        return re.split(r"\n\s*(?:\n|at )", below.strip())[0]
    if crash := re.search(r"Python worker exited unexpectedly[^\n]*", text):
        return crash[0].rstrip(" :")
    message = re.sub(r"\AAn error occurred while calling .*\n: ", "", text).strip() or type(error).__name__
    return re.sub(r".*most recent failure: .*? \(TID \d+\) \(.*?\): ", "", message.splitlines()[0])


def _rows(spark: SparkSession, batch: Batch, table: str, transform: Transform) -> DataFrame:
    units = (
        spark.createDataFrame(batch.units)
        .repartitionById(len(batch.bins), F.col("bin"))
        .sortWithinPartitions("rank")
        .drop("bin", "rank")
    )
    rows = transform(units)
    refusal = [REFUSAL] if REFUSAL in rows.columns else []
    return (
        rows.withColumn("batch_id", F.lit(batch.batch_id))
        .withColumn("at", F.lit(datetime.now(UTC)))
        .select(*TABLES[table].schema.names, *refusal)
    )


def _counted(table: str) -> list[Column]:
    counted = [F.count(F.lit(1)).alias("records")]
    if TABLES[table].has_outcomes:
        counted.append(F.count_if(F.col("outcome") == QUARANTINED).alias("quarantined"))
    return counted


def _collected(rows: Sequence[Row]) -> Written:
    files = tuple(StagedFile(row.path, row.size_bytes, row.records) for row in rows if row.records)
    return Written(
        files,
        quarantined=sum(row.quarantined for row in rows),
        audio_s=sum(row.audio_s for row in rows),
        refusals=tuple(refusal for row in rows for refusal in row.refusals),
    )


def _check(written: Written, observed: dict[str, int], batch: Batch, label: str) -> None:
    """Commit nothing that Spark, the files and the plan count differently."""
    planned = batch.units.num_rows
    if not written.records + len(written.refusals) == observed["records"] == planned:
        raise AmperSparkError(
            f"{label} gave {written.records} rows in files and {observed['records']} in Spark for {planned} "
            "units; nothing of it was committed. The stage must give one row a unit."
        )
    if written.quarantined != observed.get("quarantined", 0):
        raise AmperSparkError(
            f"{label} has {written.quarantined} quarantined rows in files and {observed['quarantined']} in "
            "Spark; nothing of it was committed."
        )


def _cancel(context: SparkContext, batch: Batch, job: Future[list[Row]]) -> None:
    """Leave nothing running, whatever ended the waiting; without effect on a job that is done."""
    # Again and again: the job may not have reached Spark yet when it is first cancelled.
    while not job.done():
        with suppress(Py4JError, OSError):  # a terminal's Ctrl-C under spark-submit ends the JVM as well
            context.cancelJobGroup(batch.batch_id)
        wait([job], _POLL_S)


def _done(context: SparkContext, batch: Batch) -> tuple[int, float]:
    """Guess records and weight done, from the tasks that have finished."""
    try:
        tracker = context.statusTracker()
        jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(batch.batch_id)]
        stages = sorted({stage for job in jobs if job is not None for stage in job.stageIds})
        # The first stage only deals out the bins; a job has it alone as long as the work has not begun.
        info = tracker.getStageInfo(stages[-1]) if len(stages) > 1 else None
    except (Py4JError, OSError):  # Spark has gone, which the job itself will say
        info = None
    if info is None:
        return 0, 0.0
    finished = likely_finished(batch.bins, completed=info.numCompletedTasks, active=info.numActiveTasks)
    return sum(part.records for part in finished), sum(part.weight for part in finished)

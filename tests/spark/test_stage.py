from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark import TaskContext, cloudpickle
from pyspark.sql.pandas.types import from_arrow_schema
from rich.console import Console

from amper_spark import config
from amper_spark.errors import AmperSparkError, BadRecordError, ParameterError, Reason
from amper_spark.progress import Progress
from amper_spark.spark.isolation import run_isolated
from amper_spark.spark.lake import Lake
from amper_spark.spark.pending import find_pending
from amper_spark.spark.schemas import ANALYSES, DONE, QUARANTINED
from amper_spark.spark.stage import (
    Stage,
    StageInterruptedError,
    StageOutcome,
    estimate,
    run_stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from amper_spark.spark.merging import Merge
    from amper_spark.spark.staging import StagedFile

# The workers cannot import tests: what is defined here travels with the tasks.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

KEY = ANALYSES.key
LIGHTEST = "t0000"
ROW = pa.schema([field for field in ANALYSES.schema if field.name not in {"batch_id", "at"}])
SETTINGS = config.Stage(batch_records=10, tasks_per_core=2)

Unit = dict[str, Any]
Row = dict[str, Any]


def units_of(n: int, *, start: int = 0) -> pa.Table:
    numbers = range(start, start + n)
    return pa.table(
        {
            "track_id": [f"t{number:04d}" for number in numbers],
            "etag": [f"e{number}" for number in numbers],
            "analysis_version": ["v1"] * n,
            "work_bytes": [1000 + (number * 37) % 101 for number in numbers],
        }
    )


def row_of(unit: Unit, *, reason: Reason | None = None, detail: str | None = None) -> Row:
    context = TaskContext.get()
    assert context is not None
    return {
        **{name: unit[name] for name in KEY},
        "outcome": QUARANTINED if reason else DONE,
        "reason": reason and str(reason),
        "detail": detail,
        "attempt": context.attemptNumber(),
        "duration_s": 2.0,
        "provider": "none",
        "windows": [],
        "segments": [],
        "beats": [],
    }


def a_stage(work: Callable[[Unit], Row] = row_of, *, version: str = "v1") -> Stage:
    """A stage that calls a function for each unit."""

    def rows(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_pylist([work(unit) for unit in batch.to_pylist()], schema=ROW)

    def transform(units: DataFrame) -> DataFrame:
        return units.mapInArrow(rows, from_arrow_schema(ROW))

    return Stage(name="analyze", table=ANALYSES.name, version=version, transform=transform)


def once(marker: Path) -> bool:
    """True for the first caller only, whichever process it is."""
    try:
        marker.open("x").close()
    except FileExistsError:
        return False
    return True


def rows_in(lake: Lake) -> list[Row]:
    columns = [*KEY, "outcome", "reason", "detail", "attempt", "batch_id"]
    return sorted(lake.read("analyses", columns=columns).to_pylist(), key=lambda row: row["track_id"])


def track_ids(rows: Sequence[Row]) -> list[str]:
    return [row["track_id"] for row in rows]


def batch_ids(lake: Lake) -> list[str | None]:
    return [commit.batch_id for commit in reversed(lake.history("analyses")) if commit.batch_id]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_every_unit_becomes_one_row_in_batches(spark: SparkSession, lake: Lake):
    began_at = datetime.now(UTC)
    outcome = run_stage(spark, lake, a_stage(), units_of(25), settings=SETTINGS)

    rows = rows_in(lake)
    times = lake.read("analyses", columns=["at"])["at"].to_pylist()
    assert began_at <= min(times) <= max(times) <= datetime.now(UTC)
    assert (outcome.done, outcome.quarantined, outcome.skipped) == (25, 0, 0)
    assert outcome.audio_s == 50
    assert outcome.exit_status(0.0) == 0
    assert track_ids(rows) == [f"t{number:04d}" for number in range(25)]
    commits = [commit for commit in lake.history("analyses") if commit.stage == "analyze"]
    assert [commit.metadata["records"] for commit in reversed(commits)] == ["10", "10", "5"]
    for commit in commits:
        assert sum(row["batch_id"] == commit.batch_id for row in rows) == int(commit.metadata["records"])


def test_a_second_run_has_nothing_to_do(spark: SparkSession, lake: Lake):
    run_stage(spark, lake, a_stage(), units_of(5), settings=SETTINGS)
    version = lake.version("analyses")

    outcome = run_stage(spark, lake, a_stage(), units_of(5), settings=SETTINGS)

    assert (outcome.done, outcome.skipped) == (0, 5)
    assert lake.version("analyses") == version


def test_only_what_is_missing_is_done(spark: SparkSession, lake: Lake):
    run_stage(spark, lake, a_stage(), units_of(5), settings=SETTINGS)

    outcome = run_stage(spark, lake, a_stage(), units_of(12), settings=SETTINGS)

    assert (outcome.done, outcome.skipped) == (7, 5)
    assert track_ids(rows_in(lake)) == [f"t{number:04d}" for number in range(12)]


def test_no_units_at_all(spark: SparkSession, lake: Lake):
    outcome = run_stage(spark, lake, a_stage(), units_of(0), settings=SETTINGS)

    assert outcome == StageOutcome(seconds=outcome.seconds)
    assert not lake.exists("analyses")


def test_a_single_unit(spark: SparkSession, lake: Lake):
    assert run_stage(spark, lake, a_stage(), units_of(1), settings=SETTINGS).done == 1
    assert track_ids(rows_in(lake)) == ["t0000"]


def test_a_thousand_tiny_units_of_which_three_hundred_are_bad(spark: SparkSession, lake: Lake):
    def work(unit: Unit) -> Row:
        bad = int(unit["track_id"][1:]) % 10 < 3
        return row_of(unit, reason=Reason.SILENT, detail="peak -91 dBFS") if bad else row_of(unit)

    console = Console(file=io.StringIO())
    progress = Progress("analyze", console=console)
    outcome = run_stage(
        spark,
        lake,
        a_stage(work),
        units_of(1000),
        settings=config.Stage(batch_records=600),
        progress=progress,
    )

    outcomes = [row["outcome"] for row in rows_in(lake)]
    assert (outcome.done, outcome.quarantined) == (700, 300)
    assert (outcomes.count(DONE), outcomes.count(QUARANTINED)) == (700, 300)
    assert outcome.exit_status(0.05) == 3
    assert outcome.exit_status(0.3) == 0
    assert (progress.counts.done, progress.counts.bad, progress.counts.share) == (1000, 300, 1.0)
    counted = [commit.metadata for commit in lake.history("analyses") if commit.batch_id]
    assert sum(int(batch["quarantined"]) for batch in counted) == 300


def test_a_task_gets_a_bin_with_the_longest_first(spark: SparkSession, lake: Lake):
    def work(unit: Unit) -> Row:
        context = TaskContext.get()
        assert context is not None
        # Rows keep the order in which a task writes them.
        return row_of(unit, detail=f"{context.partitionId()} {unit['work_bytes']}")

    settings = config.Stage(tasks_per_core=3)
    run_stage(spark, lake, a_stage(work), units_of(40), settings=settings)

    tasks: dict[str, list[int]] = {}
    for detail in lake.read("analyses", columns=["detail"])["detail"].to_pylist():
        task, work_bytes = detail.split()
        tasks.setdefault(task, []).append(int(work_bytes))
    assert len(tasks) == 6
    for sizes in tasks.values():
        assert sizes == sorted(sizes, reverse=True)
    loads = [sum(sizes) for sizes in tasks.values()]
    assert max(loads) - min(loads) <= 1101


def test_a_killed_worker_costs_nothing(spark: SparkSession, lake: Lake, tmp_path: Path):
    marker = tmp_path / "killed"

    def work(unit: Unit) -> Row:
        if unit["track_id"] == "t0007" and once(marker):
            os.kill(os.getpid(), signal.SIGKILL)
        return row_of(unit)

    outcome = run_stage(spark, lake, a_stage(work), units_of(20), settings=SETTINGS)

    rows = rows_in(lake)
    assert marker.exists()
    assert outcome.done == 20
    assert track_ids(rows) == [f"t{number:04d}" for number in range(20)]
    assert {row["track_id"]: row["attempt"] for row in rows}["t0007"] == 1


def test_a_record_that_kills_every_worker_is_quarantined(spark: SparkSession, lake: Lake):
    def analyse(track_id: str) -> None:
        if track_id == "t0007":
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGSEGV)

    def work(unit: Unit) -> Row:
        context = TaskContext.get()
        assert context is not None
        try:
            if context.attemptNumber() == 0:
                analyse(unit["track_id"])
            else:
                run_isolated(analyse, unit["track_id"], timeout_s=60)
        except BadRecordError as error:
            return row_of(unit, reason=error.reason, detail=error.detail)
        return row_of(unit)

    outcome = run_stage(spark, lake, a_stage(work), units_of(20), settings=SETTINGS)

    rows = rows_in(lake)
    bad = [row for row in rows if row["outcome"] == QUARANTINED]
    assert (outcome.done, outcome.quarantined) == (19, 1)
    assert track_ids(rows) == [f"t{number:04d}" for number in range(20)]
    assert [(row["track_id"], row["reason"]) for row in bad] == [("t0007", "analysis_crashed")]
    assert "SIGSEGV" in bad[0]["detail"]


@pytest.mark.slow
def test_a_record_that_hangs_is_quarantined(spark: SparkSession, lake: Lake):
    def analyse(track_id: str) -> None:
        if track_id == "t0007":
            signal.pause()

    def work(unit: Unit) -> Row:
        context = TaskContext.get()
        assert context is not None
        try:
            if context.attemptNumber() == 0:
                analyse(unit["track_id"])
            else:
                run_isolated(analyse, unit["track_id"], timeout_s=1)
        except BadRecordError as error:
            return row_of(unit, reason=error.reason, detail=error.detail)
        return row_of(unit)

    setting = "spark.sql.execution.pyspark.udf.idleTimeoutSeconds"
    before = spark.conf.get(setting)
    # Long enough for a worker to start on a busy machine.
    spark.conf.set(setting, "20")
    try:
        outcome = run_stage(spark, lake, a_stage(work), units_of(10), settings=SETTINGS)
    finally:
        spark.conf.set(setting, before)

    assert (outcome.done, outcome.quarantined) == (9, 1)
    assert [row["reason"] for row in rows_in(lake) if row["reason"]] == ["timed_out"]


def test_a_file_of_a_failed_attempt_is_never_seen(spark: SparkSession, tmp_path: Path):
    marker = tmp_path / "failed"

    class DyingLake(Lake):
        def write_file(self, table: str, batches: Any, *, stem: str) -> StagedFile | None:
            file = super().write_file(table, batches, stem=stem)
            if once(marker):
                raise ConnectionResetError("after the file was written")
            return file

    lake = DyingLake(tmp_path / "lake")
    outcome = run_stage(spark, lake, a_stage(), units_of(20), settings=SETTINGS)

    written = list((tmp_path / "lake/tables/analyses").glob("*.parquet"))
    assert outcome.done == 20
    assert track_ids(rows_in(lake)) == [f"t{number:04d}" for number in range(20)]
    assert len(written) == len(lake.file_uris("analyses")) + 1


def test_after_a_failed_commit_the_same_batches_are_cut(spark: SparkSession, tmp_path: Path):
    class FullLake(Lake):
        commits = 0

        def commit(self, *arguments: Any, **options: Any) -> Merge:
            self.commits += 1
            if self.commits == 2:
                raise AmperSparkError("no space left on device")
            return super().commit(*arguments, **options)

    untroubled = Lake(tmp_path / "untroubled")
    run_stage(spark, untroubled, a_stage(), units_of(15), settings=SETTINGS)
    troubled = FullLake(tmp_path / "troubled")

    with pytest.raises(AmperSparkError, match="no space left"):
        run_stage(spark, troubled, a_stage(), units_of(15), settings=SETTINGS)
    assert len(rows_in(troubled)) == 10
    outcome = run_stage(spark, troubled, a_stage(), units_of(15), settings=SETTINGS)

    assert (outcome.done, outcome.skipped) == (5, 10)
    assert batch_ids(troubled) == batch_ids(untroubled)
    assert rows_in(troubled) == rows_in(untroubled)


def overlapping(lake: Lake, units: pa.Table, *, force: bool = False) -> Callable[[Unit], Row]:
    """Work during which another run commits some of the same units, in a batch that it has cut itself."""
    pending = find_pending(lake, "analyses", units, force=force)

    def work(unit: Unit) -> Row:
        if once(marker):
            rows = [
                row_of(other, detail="theirs") | {"batch_id": "x", "at": datetime.now(UTC)}
                for other in others
            ]
            file = lake.write_file(
                "analyses", [pa.RecordBatch.from_pylist(rows, schema=ANALYSES.schema)], stem="x"
            )
            assert file is not None
            lake.commit("analyses", [file], stage="analyze", batch_id="x", replaced=pending.replaced)
        return row_of(unit, detail="ours")

    others = units.to_pylist()
    marker = Path(lake.uri).parent / "overlapped"
    return work


@pytest.mark.parametrize("there", [0, 3])
@pytest.mark.parametrize("force", [False, True])
def test_units_that_another_run_commits_meanwhile_stand_once(
    spark: SparkSession, lake: Lake, there: int, force: bool
):
    if there:
        run_stage(spark, lake, a_stage(), units_of(there), settings=SETTINGS)
    progress = Progress("analyze", console=Console(file=io.StringIO()))
    others = units_of(4, start=5)

    outcome = run_stage(
        spark,
        lake,
        a_stage(overlapping(lake, others)),
        units_of(12),
        settings=SETTINGS,
        force=force,
        progress=progress,
    )

    before = 0 if force else there
    assert (outcome.done, outcome.skipped) == (8 - before, 4 + before)
    assert outcome.audio_s == 2.0 * outcome.done
    assert progress.counts.done == 12 - before
    details = {row["track_id"]: row["detail"] for row in rows_in(lake)}
    assert len(rows_in(lake)) == len(details) == 12
    theirs = [track_id for track_id, detail in details.items() if detail == "theirs"]
    assert theirs == others["track_id"].to_pylist()


def test_rows_that_another_run_has_only_moved_are_still_replaced(spark: SparkSession, lake: Lake):
    run_stage(spark, lake, a_stage(), units_of(12), settings=config.Stage(batch_records=12, tasks_per_core=1))
    others = units_of(3, start=4)
    stage = a_stage(overlapping(lake, others, force=True))

    outcome = run_stage(spark, lake, stage, units_of(12), settings=SETTINGS, force=True)

    assert (outcome.done, outcome.skipped) == (9, 3)
    details = [row["detail"] for row in rows_in(lake)]
    assert details == ["ours"] * 4 + ["theirs"] * 3 + ["ours"] * 5
    told = [commit.metadata for commit in lake.history("analyses", limit=3) if commit.batch_id != "x"]
    assert sum(int(batch["records"]) for batch in told) == 9


def test_rows_that_were_removed_are_made_again(spark: SparkSession, lake: Lake):
    run_stage(spark, lake, a_stage(), units_of(5), settings=SETTINGS)
    DeltaTable(lake.table_uri("analyses")).delete()

    assert run_stage(spark, lake, a_stage(), units_of(5), settings=SETTINGS).done == 5
    assert len(rows_in(lake)) == 5


def refusing(*reasons: Reason) -> Callable[[Unit], Row]:
    """Refuse the first units, each for a reason."""

    def work(unit: Unit) -> Row:
        number = int(unit["track_id"][1:])
        return row_of(unit, reason=reasons[number]) if number < len(reasons) else row_of(unit)

    return work


def test_what_had_vanished_is_looked_for_again_and_the_rest_on_request(spark: SparkSession, lake: Lake):
    stage = a_stage(refusing(Reason.VANISHED, Reason.TIMED_OUT, Reason.UNREADABLE))
    assert run_stage(spark, lake, stage, units_of(25), settings=SETTINGS).quarantined == 3

    again = run_stage(spark, lake, a_stage(refusing(Reason.VANISHED)), units_of(25), settings=SETTINGS)
    assert (again.done, again.quarantined, again.skipped) == (0, 1, 24)
    found = run_stage(spark, lake, a_stage(), units_of(25), settings=SETTINGS)
    assert (found.done, found.skipped) == (1, 24)
    assert [row["reason"] for row in rows_in(lake) if row["reason"]] == ["timed_out", "unreadable"]

    retried = run_stage(
        spark,
        lake,
        a_stage(refusing(Reason.VANISHED, Reason.TIMED_OUT)),
        units_of(25),
        settings=SETTINGS,
        retry=True,
    )
    assert (retried.done, retried.quarantined, retried.skipped) == (1, 1, 23)
    rows = rows_in(lake)
    assert track_ids(rows) == [f"t{number:04d}" for number in range(25)]
    assert [row["reason"] for row in rows if row["reason"]] == ["timed_out"]


def test_force_replaces_rows(spark: SparkSession, lake: Lake):
    run_stage(spark, lake, a_stage(), units_of(9), settings=SETTINGS)
    for detail in ("second", "third"):
        stage = a_stage(lambda unit, detail=detail: row_of(unit, detail=detail))
        outcome = run_stage(spark, lake, stage, units_of(7), settings=SETTINGS, force=True)
        assert (outcome.done, outcome.skipped) == (7, 0)

    rows = rows_in(lake)
    assert track_ids(rows) == [f"t{number:04d}" for number in range(9)]
    assert [row["detail"] for row in rows] == ["third"] * 7 + [None] * 2


def test_an_error_in_a_task_is_told_in_a_line(spark: SparkSession, lake: Lake):
    def work(unit: Unit) -> Row:
        if unit["track_id"] == LIGHTEST:
            raise PermissionError(13, "Permission denied", "/music/song.ogg")
        return row_of(unit)

    with pytest.raises(AmperSparkError) as caught:
        run_stage(spark, lake, a_stage(work), units_of(11), settings=SETTINGS)

    first, second = str(caught.value).splitlines()
    why = "PermissionError: [Errno 13] Permission denied: '/music/song.ogg'"
    assert first == f"analyze, batch 2 of 2, failed: {why}"
    assert "run the same command again" in second
    assert len(rows_in(lake)) == 10


def test_a_forced_run_that_failed_says_that_it_begins_anew(spark: SparkSession, lake: Lake):
    def fail(unit: Unit) -> Row:
        raise PermissionError(13, "Permission denied", "/music/song.ogg")

    with pytest.raises(AmperSparkError, match="run the same command again to do all of it"):
        run_stage(spark, lake, a_stage(fail), units_of(1), settings=SETTINGS, force=True)


@pytest.mark.slow
def test_a_worker_that_always_crashes_is_told_in_a_line(spark: SparkSession, lake: Lake):
    def work(unit: Unit) -> Row:
        os.kill(os.getpid(), signal.SIGKILL)
        return row_of(unit)

    failure = r"\Aanalyze, batch 1 of 1, failed: Python worker exited unexpectedly"
    with pytest.raises(AmperSparkError, match=failure):
        run_stage(spark, lake, a_stage(work), units_of(1), settings=SETTINGS)

    assert not lake.exists("analyses")


@pytest.mark.parametrize(("predicate", "given_rows"), [("track_id != 't0003'", 9), ("true", 20)])
def test_nothing_is_committed_unless_each_unit_gave_one_row(
    spark: SparkSession, lake: Lake, predicate: str, given_rows: int
):
    whole = a_stage()

    def transform(units: DataFrame) -> DataFrame:
        rows = whole.transform(units).where(predicate)
        return rows.union(rows) if given_rows == 20 else rows

    stage = Stage(name="analyze", table="analyses", version="v1", transform=transform)

    with pytest.raises(AmperSparkError, match=f"{given_rows} rows in files.*for 10 units"):
        run_stage(spark, lake, stage, units_of(10), settings=SETTINGS)

    assert not lake.exists("analyses")


def test_a_stop_request_ends_the_job_and_keeps_what_is_committed(
    spark: SparkSession, lake: Lake, tmp_path: Path
):
    driver = os.getpid()
    marker = tmp_path / "asked"

    def work(unit: Unit) -> Row:
        if unit["track_id"] == LIGHTEST:
            if once(marker):
                os.kill(driver, signal.SIGTERM)
            # Until Spark ends this worker, because the driver cancels the job.
            signal.pause()
        return row_of(unit)

    handler = signal.getsignal(signal.SIGTERM)
    message = r"\Aanalyze, batch 2 of 2, was stopped\. What is committed stays"
    with pytest.raises(StageInterruptedError, match=message):
        run_stage(spark, lake, a_stage(work), units_of(11), settings=SETTINGS)
    assert signal.getsignal(signal.SIGTERM) is handler
    assert len(rows_in(lake)) == 10

    outcome = run_stage(spark, lake, a_stage(), units_of(11), settings=SETTINGS)

    assert (outcome.done, outcome.skipped) == (1, 10)
    assert track_ids(rows_in(lake)) == [f"t{number:04d}" for number in range(11)]


LOSE_SPARK = """
import sys
import psutil
import pyarrow as pa
from amper_spark.config import Config
from amper_spark.errors import AmperSparkError
from amper_spark.spark.lake import Lake
from amper_spark.spark.session import spark_session
from amper_spark.spark.stage import Stage, run_stage

def kill_java(batches):
    next(parent for parent in psutil.Process().parents() if parent.name() == "java").kill()
    yield from batches

units = pa.table({"track_id": ["t"], "etag": ["e"], "analysis_version": ["v"], "work_bytes": [1]})
config = Config(spark={"spark.master": "local[1]", "spark.ui.enabled": "false"})
try:
    with spark_session(config, app_name="lost") as spark:
        columns = [*units.column_names[:3], *(f"null as {name}" for name in sys.argv[2:])]
        transform = lambda units: units.mapInArrow(kill_java, units.schema).selectExpr(*columns)
        stage = Stage("analyze", "analyses", "v", transform)
        run_stage(spark, Lake(sys.argv[1]), stage, units, settings=config.stage)
except AmperSparkError as error:
    print(error)
"""


@pytest.mark.slow
def test_losing_spark_itself_is_told_in_a_line(tmp_path: Path):
    others = [name for name in ROW.names if name not in KEY]
    run = subprocess.run(
        [sys.executable, "-c", LOSE_SPARK, tmp_path, *others], capture_output=True, text=True, timeout=300
    )

    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("analyze, batch 1 of 1, failed: Spark's Java process has ended")
    assert "run the same command again" in run.stdout


def test_estimates_come_from_batches_before(spark: SparkSession, lake: Lake):
    stage = a_stage()
    assert estimate(lake, stage, units_of(10), cores=2).seconds is None
    run_stage(spark, lake, stage, units_of(10), settings=SETTINGS)

    seconds = estimate(lake, stage, units_of(10), cores=2).seconds
    assert seconds is not None
    assert estimate(lake, stage, units_of(10), cores=4).seconds == pytest.approx(seconds / 2)
    assert estimate(lake, stage, units_of(10)).cores == 2, "as the last batch, whatever this machine has"
    assert estimate(lake, stage, units_of(0), cores=2).seconds == 0
    (commit,) = [commit for commit in lake.history("analyses") if commit.batch_id]
    assert seconds == pytest.approx(float(commit.metadata["seconds"]), abs=0.01)


def test_another_stage_says_nothing_about_this_one(spark: SparkSession, lake: Lake):
    run_stage(spark, lake, a_stage(), units_of(1), settings=SETTINGS)
    other = Stage(name="score", table="analyses", version="v1", transform=a_stage().transform)

    assert estimate(lake, other, units_of(1)).seconds is None


def test_forced_units_are_checked_too(spark: SparkSession, lake: Lake):
    twice = pa.concat_tables([units_of(2), units_of(1)])

    with pytest.raises(ParameterError, match="twice"):
        run_stage(spark, lake, a_stage(), twice, settings=SETTINGS, force=True)
    with pytest.raises(ParameterError, match="work_bytes"):
        run_stage(spark, lake, a_stage(), units_of(2).drop_columns("work_bytes"), settings=SETTINGS)

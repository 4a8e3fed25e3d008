"""Run a stage: one row a unit of work, one commit a batch, nothing lost or doubled whatever is killed.

Units that the stage's table does not hold yet are cut into batches (`amper_spark.spark.planning`). Each batch
is a Spark job whose tasks write files that nobody sees (`amper_spark.spark.batch`); then all of them are
committed at once. What was killed before the commit is not there: the next run finds those units missing and
cuts the same batches again.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.logs import log_context
from amper_spark.progress import Progress, format_duration
from amper_spark.spark.batch import GO_ON, StageInterruptedError, write_batch
from amper_spark.spark.estimate import WEIGHT, Estimate, batch_metadata, estimate
from amper_spark.spark.planning import Bin, plan_batches
from amper_spark.spark.schemas import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pyspark.sql import DataFrame, SparkSession

    from amper_spark import config
    from amper_spark.spark.batch import Written
    from amper_spark.spark.lake import Lake
    from amper_spark.spark.planning import Batch

__all__ = ["Estimate", "Stage", "StageInterruptedError", "StageOutcome", "estimate", "pending", "run_stage"]

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stage:
    """What a stage does.

    Parameters
    ----------
    name : str
    table : str
        The table of the lake that it fills; a unit of work is a row of it.
    version : str
        Names everything that changes the rows, such as a hash of the configuration.
    transform : callable
        Takes a DataFrame of units and returns one with the columns of the table, without ``batch_id`` and
        ``at``: one row a unit, quarantined ones too.
    """

    name: str
    table: str
    version: str
    transform: Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class StageOutcome:
    """What a run of a stage came to.

    Parameters
    ----------
    done, quarantined : int
        Units committed in this run.
    skipped : int
        Units that were there before, or that another run has committed meanwhile.
    size_bytes : float
        Size of the units committed.
    audio_s : float
        Duration of the recordings committed, in s; 0 for tables that have none.
    seconds : float
        Of the whole run.
    """

    done: int = 0
    quarantined: int = 0
    skipped: int = 0
    size_bytes: float = 0.0
    audio_s: float = 0.0
    seconds: float = 0.0

    def exit_status(self, max_bad_share: float) -> int:
        """Return 3 if more than this share of the units was quarantined, otherwise 0.

        Examples
        --------
        >>> StageOutcome(done=19, quarantined=1).exit_status(0.05)
        0
        >>> StageOutcome(done=18, quarantined=2).exit_status(0.05)
        3
        """
        return 3 if self.quarantined > max_bad_share * (self.done + self.quarantined) else 0

    def __str__(self) -> str:
        """Say it in a line.

        Examples
        --------
        >>> print(StageOutcome(done=1_000, quarantined=3, audio_s=36_000, seconds=120))
        1,000 done, 3 quarantined in 2 min, 300 x real time
        """
        text = f"{self.done:,} done, {self.quarantined:,} quarantined in {format_duration(self.seconds)}"
        return f"{text}, {self.audio_s / self.seconds:,.0f} x real time" if self.audio_s > 0 else text


def pending(units: pa.Table, done: pa.Table, key: Sequence[str]) -> pa.Table:
    """Leave out the units that are done.

    Parameters
    ----------
    units : pyarrow.Table
    done : pyarrow.Table
        Has the key columns at least.
    key : sequence of str
        The columns that name a unit.

    Returns
    -------
    pyarrow.Table
        Rows of `units`, in their order.

    Raises
    ------
    ParameterError
        Units without a key column, with a null in one, or with the same key twice.

    Examples
    --------
    >>> units = pa.table({"track_id": ["a", "b", "c"], "size_bytes": [1, 2, 3]})
    >>> pending(units, pa.table({"track_id": ["b"]}), ["track_id"])["track_id"].to_pylist()
    ['a', 'c']
    """
    _check_units(units, key)
    names = list(key)
    keys = units.select(names).cast(pa.schema([done.schema.field(name) for name in names]))
    rows = keys.append_column("row", pa.array(range(units.num_rows), pa.int64()))
    left = rows.join(done.select(names), names, join_type="left anti")
    return units.take(left["row"].sort())


def run_stage(
    spark: SparkSession,
    lake: Lake,
    stage: Stage,
    units: pa.Table,
    *,
    settings: config.Stage,
    force: bool = False,
    progress: Progress | None = None,
) -> StageOutcome:
    """Do what is left to do of a stage, batch by batch.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    lake : Lake
    stage : Stage
    units : pyarrow.Table
        The units of work: the key columns of the stage's table, ``size_bytes``, and what the transform needs.
        References, never audio.
    settings : amper_spark.config.Stage
    force : bool
        Do all units again, and replace the rows that are there.
    progress : Progress, optional
        Where to show progress; None takes one of its own.

    Returns
    -------
    StageOutcome

    Raises
    ------
    ParameterError
        Units without the columns above, without a key, or with the same key twice.
    StageInterruptedError
        Ctrl-C or SIGTERM.
    AmperSparkError
        A task that failed on all its attempts, a lake that cannot be written, rows that are not the units'.
        In either case batches that are committed stay.
    """
    began_s = time.monotonic()
    table = TABLES[stage.table]
    _check_units(units, table.key, weight=WEIGHT)
    todo = units if force else pending(units, lake.read(table.name, columns=table.key), table.key)
    cores = spark.sparkContext.defaultParallelism
    batches = plan_batches(
        todo,
        key=table.key,
        weight=WEIGHT,
        # Forced work is always new work; what it is called by another run must not stop it.
        work=[stage.name, stage.version, *([uuid4().hex] if force else [])],
        max_records=settings.batch_records,
        max_weight=settings.batch_mb * 1e6,
        n_bins=settings.tasks_per_core * cores,
    )
    outcome = StageOutcome(skipped=units.num_rows - todo.num_rows)
    if not batches:
        return outcome
    past = Bin(records=0, weight=0.0)
    showing = Progress(stage.name) if progress is None else nullcontext(progress)
    with showing as shown, _stop_requests() as stop:
        shown.begin(total=todo.num_rows, total_bytes=sum(batch.weight for batch in batches))
        for number, batch in enumerate(batches, start=1):
            label = f"{stage.name} {number}/{len(batches)}"
            if stop.is_set():
                raise StageInterruptedError(f"{stage.name} was stopped before {label}. {GO_ON}")
            with log_context(stage=stage.name, batch_id=batch.batch_id):
                batch_began_s = time.monotonic()
                written = write_batch(
                    spark,
                    lake,
                    batch,
                    table=table.name,
                    transform=stage.transform,
                    label=label,
                    watch=partial(_show, shown, outcome, past),
                    stop=stop,
                )
                seconds = time.monotonic() - batch_began_s
                metadata = batch_metadata(stage.version, batch, written, seconds=seconds, cores=cores)
                committed = _commit(lake, stage, batch, written, metadata, force=force)
                _LOG.debug("%s: %s", label, "committed" if committed else "committed by another run")
            outcome = _added(outcome, batch, written) if committed else _passed(outcome, batch)
            past = Bin(past.records + batch.units.num_rows, past.weight + batch.weight)
            _show(shown, outcome, past, 0, 0.0)
    return replace(outcome, seconds=time.monotonic() - began_s)


def _check_units(units: pa.Table, key: Sequence[str], *, weight: str | None = None) -> None:
    for name in (*key, weight) if weight else key:
        if name not in units.column_names:
            raise ParameterError(f"units need a column {name!r}, got {', '.join(units.column_names)}")
        if units[name].null_count:
            raise ParameterError(f"units must not be null in {name!r}, {units[name].null_count} are")
    if units.num_rows and units.group_by(list(key)).aggregate([]).num_rows < units.num_rows:
        raise ParameterError(f"units have the same {', '.join(key)} twice")


def _commit(
    lake: Lake, stage: Stage, batch: Batch, written: Written, metadata: dict[str, str], *, force: bool
) -> bool:
    """Commit a batch; False where another run has done so since this one began."""
    commit = lake.replace_files if force else lake.commit
    if commit(stage.table, written.files, stage=stage.name, batch_id=batch.batch_id, metadata=metadata):
        return True
    key = TABLES[stage.table].key
    gone = pending(batch.units, lake.read(stage.table, columns=key), key).num_rows
    if gone:
        raise AmperSparkError(
            f"{gone} units of {stage.name} were done and committed once, and their rows have been removed "
            f"from the table {stage.table} since: run with --force to do them again"
        )
    return False


def _added(outcome: StageOutcome, batch: Batch, written: Written) -> StageOutcome:
    return replace(
        outcome,
        done=outcome.done + written.records - written.quarantined,
        quarantined=outcome.quarantined + written.quarantined,
        size_bytes=outcome.size_bytes + batch.weight,
        audio_s=outcome.audio_s + written.audio_s,
    )


def _passed(outcome: StageOutcome, batch: Batch) -> StageOutcome:
    return replace(outcome, skipped=outcome.skipped + batch.units.num_rows)


def _show(shown: Progress, outcome: StageOutcome, past: Bin, records: int, weight: float) -> None:
    shown.update(
        done=past.records + records,
        bad=outcome.quarantined,
        done_bytes=past.weight + weight,
        audio_s=outcome.audio_s,
    )


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an event, so that they never hit between two steps that belong together.

    The second one is obeyed at once. Only the main thread gets signals; elsewhere the event is never set.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request(number: int, frame: object) -> None:  # noqa: ARG001 - what a handler gets
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

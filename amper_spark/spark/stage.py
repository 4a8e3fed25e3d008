"""Run a stage: one row a unit of work, one commit a batch, nothing lost or doubled whatever is killed.

Units that are pending (`amper_spark.spark.pending`) are cut into batches (`amper_spark.spark.planning`).
Each batch is a Spark job whose tasks write files that nobody sees (`amper_spark.spark.batch`); then all of
them are committed at once. What was killed before the commit is not there: the next run finds those units
missing and cuts the same batches again. Where two runs do the same units, the first commit of each stands.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from amper_spark.logs import log_context
from amper_spark.progress import Progress, format_duration
from amper_spark.spark.batch import StageInterruptedError, Written, write_batch
from amper_spark.spark.estimate import WEIGHT, Estimate, batch_metadata, estimate
from amper_spark.spark.interrupts import stop_requests
from amper_spark.spark.pending import check_units, find_pending
from amper_spark.spark.planning import Bin, cut_units, deal_batch
from amper_spark.spark.schemas import TABLES
from amper_spark.spark.tallies import TALLIED_COLUMNS, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from amper_spark import config
    from amper_spark.spark.lake import Lake
    from amper_spark.spark.merging import Merge
    from amper_spark.spark.planning import Batch

__all__ = ["Estimate", "Stage", "StageInterruptedError", "StageOutcome", "estimate", "run_stage"]

_LOG = logging.getLogger(__name__)

_REFUSALS_TOLD = 10
_GO_ON = "What is committed stays; run the same command again to go on."
_FORCE_AGAIN = (
    "What is committed stays, the rest is as it was before; run the same command again to do all of it."
)


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
        ``at``: one row a unit, quarantined ones too. Where the table has no outcomes, the column ``refusal``
        says why a unit gets no row.
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
    refused : int
        Units that came to nothing, and have no row.
    skipped : int
        Units that were there before, or that another run has committed meanwhile.
    audio_s : float
        Duration of the recordings committed, in s; 0 where it is not known.
    seconds : float
        Of the whole run.
    """

    done: int = 0
    quarantined: int = 0
    refused: int = 0
    skipped: int = 0
    audio_s: float = 0.0
    seconds: float = 0.0

    @property
    def bad(self) -> int:
        """Units that were quarantined or came to nothing."""
        return self.quarantined + self.refused

    def exit_status(self, max_bad_share: float) -> int:
        """Return 3 if more than this share of the units was bad, otherwise 0.

        Examples
        --------
        >>> StageOutcome(done=19, quarantined=1).exit_status(0.05)
        0
        >>> StageOutcome(done=18, quarantined=2).exit_status(0.05)
        3
        """
        return 3 if self.bad > max_bad_share * (self.done + self.bad) else 0

    def __str__(self) -> str:
        """Say it in a line.

        Examples
        --------
        >>> print(StageOutcome(done=1_000, quarantined=3, audio_s=36_000, seconds=120))
        1,000 done, 3 quarantined in 2 min, 300 x real time
        >>> print(StageOutcome(done=1_000, refused=1, seconds=60))
        1,000 done, 0 quarantined, 1 failed in 1 min
        """
        failed = f", {self.refused:,} failed" if self.refused else ""
        text = f"{self.done:,} done, {self.quarantined:,} quarantined{failed}"
        text += f" in {format_duration(self.seconds)}"
        return f"{text}, {self.audio_s / self.seconds:,.0f} x real time" if self.audio_s > 0 else text


def run_stage(
    spark: SparkSession,
    lake: Lake,
    stage: Stage,
    units: pa.Table,
    *,
    settings: config.Stage,
    force: bool = False,
    retry: bool = False,
    progress: Progress | None = None,
) -> StageOutcome:
    """Do what is left to do of a stage, batch by batch.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    lake : Lake
    stage : Stage
    units : pyarrow.Table
        The units of work: the key columns of the stage's table, ``work_bytes``, and what the transform needs.
        References, never audio.
    settings : amper_spark.config.Stage
    force : bool
        Do all units again, and replace the rows that are there.
    retry : bool
        Do again what was quarantined.
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
    check_units(units, (*table.key, WEIGHT))
    pending = find_pending(lake, table.name, units, force=force, retry=retry)
    cuts = cut_units(
        pending.units,
        key=table.key,
        weight=WEIGHT,
        max_records=settings.batch_records,
        max_weight=settings.batch_mb * 1e6,
    )
    outcome = StageOutcome(skipped=pending.done_before)
    if not cuts:
        return outcome
    settled = set(pending.settled_files)
    # Of a table without outcomes the caller has chosen the units, and will leave out those that are done.
    advice = _FORCE_AGAIN if force and table.has_outcomes else _GO_ON
    past = Bin(records=0, weight=0.0)
    showing = Progress(stage.name) if progress is None else nullcontext(progress)
    with showing as shown, stop_requests() as stop:
        shown.begin(total=pending.units.num_rows, total_bytes=pc.sum(pending.units[WEIGHT]).as_py())
        for number, cut in enumerate(cuts, start=1):
            label = f"{stage.name}, batch {number} of {len(cuts)},"
            if stop.is_set():
                raise StageInterruptedError(f"{stage.name} was stopped before {label}. {advice}")
            batch_began_s = time.monotonic()
            cores = spark.sparkContext.defaultParallelism  # only now: on a cluster, executors come and go
            batch = deal_batch(
                cut,
                key=table.key,
                weight=WEIGHT,
                work=[stage.name, stage.version],
                n_bins=max(settings.tasks_per_core * cores, math.ceil(cut.num_rows / settings.task_records)),
            )
            with log_context(stage=stage.name, batch_id=batch.batch_id):
                written = write_batch(
                    spark,
                    lake,
                    batch,
                    table=table.name,
                    transform=stage.transform,
                    label=label,
                    watch=partial(_show, shown, outcome, past),
                    stop=stop,
                    advice=advice,
                )
                describe = partial(
                    batch_metadata,
                    stage.version,
                    batch,
                    seconds=time.monotonic() - batch_began_s,
                    cores=cores,
                )
                committed = _commit(lake, stage, batch, written, pending.replaced, settled, describe)
            _tell_refusals(label, committed.refusals)
            settled |= {file.path for file in committed.files}
            outcome = _added(outcome, committed, batch)
            past = Bin(past.records + batch.units.num_rows, past.weight + batch.weight)
            _show(shown, outcome, past, 0, 0.0)
    return replace(outcome, seconds=time.monotonic() - began_s)


def _commit(
    lake: Lake,
    stage: Stage,
    batch: Batch,
    written: Written,
    replaced: pa.Array,
    settled: set[str],
    describe: Callable[[Written], dict[str, str]],
) -> Written:
    """Commit a batch; return what is left of it where another run has committed units meanwhile."""

    def left(merged: Merge) -> Written:
        if merged.files == written.files:
            return written
        columns = [name for name in TALLIED_COLUMNS if name in TABLES[stage.table].schema.names]
        total = tally(lake.read(stage.table, columns, paths=[file.path for file in merged.files]))
        return Written(merged.files, total.quarantined, total.audio_s, written.refusals)

    return left(
        lake.commit(
            stage.table,
            written.files,
            stage=stage.name,
            batch_id=batch.batch_id,
            metadata=lambda merged: describe(left(merged)),
            replaced=replaced,
            settled=settled,
        )
    )


def _added(outcome: StageOutcome, written: Written, batch: Batch) -> StageOutcome:
    return replace(
        outcome,
        done=outcome.done + written.records - written.quarantined,
        quarantined=outcome.quarantined + written.quarantined,
        refused=outcome.refused + len(written.refusals),
        skipped=outcome.skipped + batch.units.num_rows - written.records - len(written.refusals),
        audio_s=outcome.audio_s + written.audio_s,
    )


def _tell_refusals(label: str, refusals: Sequence[str]) -> None:
    for refusal in refusals[:_REFUSALS_TOLD]:
        _LOG.warning("%s", refusal)
    if len(refusals) > _REFUSALS_TOLD:
        _LOG.warning("%s: %d more failed", label, len(refusals) - _REFUSALS_TOLD)


def _show(shown: Progress, outcome: StageOutcome, past: Bin, records: int, weight: float) -> None:
    shown.update(
        done=past.records + records,
        bad=outcome.bad,
        done_bytes=past.weight + weight,
        audio_s=outcome.audio_s,
    )

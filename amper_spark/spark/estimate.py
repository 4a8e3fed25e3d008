"""How long a stage will take, told from the batches that the lake has seen."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.progress import format_duration
from amper_spark.terminal import counted

if TYPE_CHECKING:
    from amper_spark.spark.batch import Written
    from amper_spark.spark.lake import Lake
    from amper_spark.spark.planning import Batch
    from amper_spark.spark.stage import Stage

WEIGHT = "work_bytes"
"""The column of a unit that says how much work it is: as much as the analysis of a file of so many bytes."""
LARGE_S = 60.0
"""From here on a batch tells how long others take; in shorter ones starting workers weighs too much."""
_COMMITS = 100


@dataclass(frozen=True)
class Estimate:
    """How long a stage will take.

    Parameters
    ----------
    records : int
    cores : int
    seconds : float or None
        Without starting Spark. None where the lake holds no batch of this stage to judge by.
    is_limit : bool
        It takes no longer, but perhaps much less: there were only batches of less than `LARGE_S`.
    """

    records: int
    cores: int
    seconds: float | None
    is_limit: bool = False

    def __str__(self) -> str:
        """Say it in a line.

        Examples
        --------
        >>> print(Estimate(records=1_000, cores=8, seconds=600))
        1,000 to do, about 10 min on 8 cores besides starting Spark
        >>> print(Estimate(records=1_000, cores=8, seconds=600, is_limit=True))
        1,000 to do, at most 10 min on 8 cores besides starting Spark: told by small batches
        >>> print(Estimate(records=1_000, cores=8, seconds=None))
        1,000 to do; nobody can tell how long that takes before the first batch is done
        """
        text = f"{self.records:,} to do"
        if self.seconds is None:
            return f"{text}; nobody can tell how long that takes before the first batch is done"
        about, why = ("at most", ": told by small batches") if self.is_limit else ("about", "")
        cores = counted(self.cores, "core")
        return f"{text}, {about} {format_duration(self.seconds)} on {cores} besides starting Spark{why}"


def estimate(lake: Lake, stage: Stage, units: pa.Table, cores: int | None = None) -> Estimate:
    """Estimate how long units will take, from the batches that the lake has seen.

    Batches of `LARGE_S` or more tell it; where there are none, smaller ones tell how long it takes at most.

    Parameters
    ----------
    lake : Lake
    stage : Stage
    units : pyarrow.Table
        What is left to do.
    cores : int, optional
        Cores to do it on; None takes as many as the last batch had, or this machine's.

    Returns
    -------
    Estimate
    """
    work = float(pc.sum(units[WEIGHT]).as_py() or 0)
    past = [
        commit.metadata
        for commit in lake.history(stage.table, limit=_COMMITS)
        if commit.stage == stage.name and {"seconds", WEIGHT} <= commit.metadata.keys()
    ]
    cores = cores or (int(past[0]["cores"]) if past else os.cpu_count()) or 1
    large = [batch for batch in past if float(batch["seconds"]) >= LARGE_S]
    telling = large or past
    core_seconds = sum(float(batch["seconds"]) * int(batch["cores"]) for batch in telling)
    past_work = sum(float(batch[WEIGHT]) for batch in telling)
    if past_work == 0:
        return Estimate(units.num_rows, cores, seconds=None)
    seconds = work * core_seconds / past_work / cores
    return Estimate(units.num_rows, cores, seconds, is_limit=not large)


def batch_metadata(
    version: str, batch: Batch, written: Written, *, seconds: float, cores: int
) -> dict[str, str]:
    """Say in the history of the table what a batch was: what `estimate` reads.

    Parameters
    ----------
    version : str
        Of the stage.
    batch : Batch
    written : Written
    seconds : float
        How long it took.
    cores : int
        That worked on it.

    Returns
    -------
    dict of str to str
    """
    return {
        "version": version,
        "records": str(written.records),
        "quarantined": str(written.quarantined),
        WEIGHT: f"{batch.weight:.0f}",
        "audio_s": f"{written.audio_s:.3f}",
        "seconds": f"{seconds:.3f}",
        "cores": str(cores),
    }

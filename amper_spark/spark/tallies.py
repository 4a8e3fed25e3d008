"""What rows come to: how many are bad, and how much audio they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.spark.schemas import QUARANTINED

DURATION_TAG = "duration_s"
"""The tag of a track that tells how long it is, where that is known before it is analysed."""
TALLIED_COLUMNS = ("outcome", "duration_s", "tags")
"""Of these, a tally looks at those that there are."""


@dataclass(frozen=True)
class Tally:
    """What rows come to.

    Parameters
    ----------
    quarantined : int
        Rows of recordings that were refused.
    audio_s : float
        Duration of the recordings, in s; 0 where it is not known.
    """

    quarantined: int = 0
    audio_s: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        """Count the rows of both."""
        return Tally(self.quarantined + other.quarantined, self.audio_s + other.audio_s)


def tally(rows: pa.Table | pa.RecordBatch) -> Tally:
    """Count what rows come to.

    Parameters
    ----------
    rows : pyarrow.Table or pyarrow.RecordBatch
        Of any table.

    Returns
    -------
    Tally

    Examples
    --------
    >>> tally(pa.table({"outcome": ["done", "quarantined"], "duration_s": [9.5, 0.0]}))
    Tally(quarantined=1, audio_s=9.5)
    """
    quarantined = 0
    if "outcome" in rows.schema.names:
        quarantined = pc.sum(pc.equal(rows["outcome"], QUARANTINED)).as_py() or 0
    durations_s = None
    if "duration_s" in rows.schema.names:
        durations_s = rows["duration_s"]
    elif "tags" in rows.schema.names:
        durations_s = pc.map_lookup(rows["tags"], pa.scalar(DURATION_TAG), "first").cast(pa.float64())
    return Tally(quarantined, 0.0 if durations_s is None else pc.sum(durations_s).as_py() or 0.0)

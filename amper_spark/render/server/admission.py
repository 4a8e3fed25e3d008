"""Whether there is room for another job: in the queue, and among what one client has asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    import sqlite3

_WAITING = "SELECT count(*) FROM jobs WHERE status IN ('WAITING_COMPOSE', 'WAITING_RENDER')"
_WAITING_OF_ONE = """
SELECT count(*) FROM jobs WHERE status IN ('WAITING_COMPOSE', 'WAITING_RENDER') AND client_id = ?
"""
_KEPT_BYTES = "SELECT coalesce(sum(kept_bytes), 0) FROM jobs INDEXED BY jobs_by_room WHERE client_id = ?"


class QueueFullError(AmperSparkError):
    """As many jobs wait as may."""


class QuotaError(AmperSparkError):
    """As many jobs of one client wait as may, or they keep as much as they may."""


@dataclass(frozen=True)
class Room:
    """How much room there is.

    Parameters
    ----------
    max_waiting : int
        Jobs that may wait.
    max_waiting_of_one : int
        The same, of one client.
    max_kept_bytes : float
        Of all requests, timelines and files of a client, until they expire.
    """

    max_waiting: int = 1_000
    max_waiting_of_one: int = 1_000
    max_kept_bytes: float = math.inf

    def check(self, connection: sqlite3.Connection, client_id: str) -> None:
        """See whether a client may ask for another job.

        Parameters
        ----------
        connection : sqlite3.Connection
            In the transaction in which the job is to be added.
        client_id : str

        Raises
        ------
        QueueFullError
            Too many wait.
        QuotaError
            Too many of this client do, or they keep too much.
        """
        if n_waiting(connection) >= self.max_waiting:
            raise QueueFullError(f"{self.max_waiting} jobs wait: try again later")
        (n_own,) = connection.execute(_WAITING_OF_ONE, (client_id,)).fetchone()
        if n_own >= self.max_waiting_of_one:
            raise QuotaError(f"{self.max_waiting_of_one} jobs of this token wait: try again later")
        (kept_bytes,) = connection.execute(_KEPT_BYTES, (client_id,)).fetchone()
        if kept_bytes >= self.max_kept_bytes:
            raise QuotaError(f"jobs of this token keep {kept_bytes / 1e6:,.0f} MB: wait until some expire")


def n_waiting(connection: sqlite3.Connection) -> int:
    """Count the jobs that wait."""
    (number,) = connection.execute(_WAITING).fetchone()
    return int(number)

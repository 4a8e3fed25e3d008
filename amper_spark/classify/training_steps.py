"""How far a training has come."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from amper_spark.progress import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG = logging.getLogger(__name__)


class TrainingSteps:
    """Says which step begins, and how long the rest will take at the rate so far.

    Parameters
    ----------
    work : mapping of str to float
        What each step takes, in any unit, in the order of the steps.
    """

    def __init__(self, work: Mapping[str, float]) -> None:
        self._work = work
        self._names = list(work)
        self._began_s = time.monotonic()

    def begin(self, name: str) -> None:
        """Say that a step begins, those before it being done.

        Parameters
        ----------
        name : str
            One of the steps.
        """
        place = self._names.index(name)
        done = sum(self._work[one] for one in self._names[:place])
        left = sum(self._work.values()) - done
        elapsed_s = time.monotonic() - self._began_s
        told = f", {format_duration(elapsed_s * left / done)} left" if done else ""
        _LOG.info("train: %s (%d of %d%s)", name, place + 1, len(self._names), told)

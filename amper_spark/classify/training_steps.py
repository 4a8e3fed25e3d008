"""How far a training has come."""

from __future__ import annotations

import logging
import time
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from amper_spark.progress import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOG = logging.getLogger(__name__)


class TrainingSteps:
    """Says which step begins, and how long the rest will take.

    Parameters
    ----------
    expected_s : mapping of str to float
        What each step is expected to take, in the order of the steps; they are named ``kind: step``. As a
        kind of model gets on, its steps are expected to go on as its finished ones went.
    clock : callable
        Says what time it is, in s.
    """

    def __init__(
        self, expected_s: Mapping[str, float], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._expected_s = expected_s
        self._clock = clock
        self._began_s: dict[str, float] = {}

    def begin(self, name: str) -> None:
        """Say that a step begins, those before it being done.

        Parameters
        ----------
        name : str
            One of the steps.
        """
        self._began_s[name] = self._clock()
        left = format_duration(self._left_s())
        _LOG.info("train: %s (%d of %d, %s left)", name, len(self._began_s), len(self._expected_s), left)

    def _left_s(self) -> float:
        """Add up what is expected of the steps that are not finished, kind by kind."""
        took_s = {step: end_s - began_s for (step, began_s), (_, end_s) in pairwise(self._began_s.items())}
        left_s = 0.0
        for _, steps in groupby(self._expected_s, key=_kind):
            named = list(steps)
            expected_s = sum(self._expected_s[step] for step in named if step in took_s)
            rate = sum(took_s.get(step, 0.0) for step in named) / expected_s if expected_s else 1.0
            left_s += rate * sum(self._expected_s[step] for step in named if step not in took_s)
        return left_s


def _kind(step: str) -> str:
    return step.partition(":")[0]

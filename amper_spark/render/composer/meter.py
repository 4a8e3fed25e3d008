"""Bars, beats and seconds of a region."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.render.composer.form import BEATS_PER_BAR
from amper_spark.render.composer.notation import STEPS_PER_BEAT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_MIN_BAR_BEATS = 2.0
_STRAIGHT = 0.5


@dataclass(frozen=True, eq=False)
class Meter:
    """The bars of a region.

    Parameters
    ----------
    n_beats : float
        Up to the region's last bar line.
    swing : float
        Share of a beat that its first eighth takes.
    to_seconds : callable
        Beats to seconds, both from the start of the region.
    """

    n_beats: float
    swing: float
    to_seconds: Callable[[NDArray[np.float64]], NDArray[np.float64]]

    @cached_property
    def bar_starts(self) -> NDArray[np.float64]:
        """Bar lines in beats, the last one included.

        All bars have four beats, except that the last takes what is left over: it has two to six.
        """
        n_whole = int(self.n_beats // BEATS_PER_BAR)
        rest = self.n_beats - BEATS_PER_BAR * n_whole
        starts = np.arange(n_whole + 1, dtype=np.float64) * BEATS_PER_BAR
        if rest >= _MIN_BAR_BEATS or not n_whole:
            return np.append(starts, self.n_beats) if rest else starts
        starts[-1] = self.n_beats
        return starts

    @property
    def n_bars(self) -> int:
        """How many bars there are."""
        return len(self.bar_starts) - 1

    def n_steps(self, bar: int) -> int:
        """Sixteenths in a bar."""
        starts = self.bar_starts
        return round((starts[bar + 1] - starts[bar]) * STEPS_PER_BEAT)

    def swung(self, beats: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move what lies within a beat: the first half takes the share `swing` of it."""
        whole = np.floor(beats)
        inside = beats - whole
        return whole + np.where(
            inside < _STRAIGHT,
            inside * (self.swing / _STRAIGHT),
            self.swing + (inside - _STRAIGHT) * ((1.0 - self.swing) / _STRAIGHT),
        )

    def seconds(self, beats: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds from the start of the region, swung."""
        return self.to_seconds(self.swung(beats))

"""The times of a span: on the timeline, since its start, and in beats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.timeline.tempo import TIME_DECIMALS

if TYPE_CHECKING:
    from amper_spark.timeline.tempo import TempoCurve

_FEW_DECIMALS, _DECIMALS = 6, 12
"""Those that a person would write, and those that tell nanoseconds apart at any tempo."""


@dataclass(frozen=True)
class SpanClock:
    """Turns times into one another, to the nanosecond: beats written for a time are read as that time.

    Parameters
    ----------
    start_s, end_s : float
        Of the span, on the timeline.
    tempo : TempoCurve
    """

    start_s: float
    end_s: float
    tempo: TempoCurve

    @property
    def duration_s(self) -> float:
        """How long the span lasts."""
        return self.elapsed_s(self.end_s)

    def elapsed_s(self, time_s: float) -> float:
        """Count a time of the timeline from the start of the span."""
        return self.rounded(time_s - self.start_s)

    def elapsed_at_beat(self, beat: float) -> float:
        """Find when a beat falls, from the start of the span."""
        return self.rounded(float(self.tempo.seconds_at(beat)))

    @staticmethod
    def rounded(time_s: float) -> float:
        """Round a time to the nanosecond."""
        return round(time_s, TIME_DECIMALS)

    def time_s(self, elapsed_s: float) -> float:
        """Turn time since the start of the span into time on the timeline, up to the end of the span."""
        return self.end_s if elapsed_s >= self.duration_s else self.start_s + elapsed_s

    def beats_between(self, start_s: float, end_s: float) -> float:
        """Count beats between times of the timeline, in as few decimals as are read as the second time."""
        first, elapsed_s = self._beat(start_s), self.elapsed_s(end_s)
        exact = self._beat(end_s) - first
        short = round(exact, _FEW_DECIMALS)
        return short if self.elapsed_at_beat(first + short) == elapsed_s else round(exact, _DECIMALS)

    def beat(self, time_s: float) -> float:
        """Tell the beat of a time of the timeline, in as few decimals as are read as that time."""
        return self.beats_between(self.start_s, time_s)

    def _beat(self, time_s: float) -> float:
        return float(self.tempo.beats_at(self.elapsed_s(time_s)))

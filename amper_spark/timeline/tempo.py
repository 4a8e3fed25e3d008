"""The tempo of a span: beats to seconds and back, where tempo changes linearly between points in time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike

FloatArray = NDArray[np.float64]

TIME_DECIMALS = 9
"""Times are kept to the nanosecond, so that what is written in beats is read as the time that it was."""

_SECONDS_PER_MINUTE = 60.0


class TempoPoint(NamedTuple):
    """A tempo that is reached.

    Parameters
    ----------
    time_s : float
        From the start of the span.
    tempo_bpm : float
    """

    time_s: float
    tempo_bpm: float


class _Segments(NamedTuple):
    """What lies between points; the first lies before the first point, the last after the last one."""

    start_s: FloatArray
    start_beat: FloatArray
    tempo_bpm: FloatArray
    change_bpm: FloatArray
    duration_s: FloatArray


@dataclass(frozen=True)
class TempoCurve:
    r"""Tempo as a function of time, linear between points, constant before the first and after the last.

    Beat 0 is at 0 s. From a point :math:`(t_0, b_0)` to the next one, :math:`(t_1, b_1)`, there are
    :math:`\frac{b_0 + b_1}{2} \cdot \frac{t_1 - t_0}{60}` beats. Two points at the same time are a jump: the
    first is reached, and the second holds from then on.

    Points that change nothing are left out, times are rounded to nanoseconds, and there is always a point
    at 0 s, so that curves that were written differently can be compared.

    Parameters
    ----------
    points : iterable of (float, float)
        Seconds and beats per minute, in order of time.

    Raises
    ------
    ParameterError
        There is no point, or points go back in time, or a tempo is not above 0.

    Examples
    --------
    From 60 to 120 BPM in 10 s: 15 beats.

    >>> curve = TempoCurve([(0, 60), (10, 120)])
    >>> curve.beats_at([0, 10, 20]).tolist()
    [0.0, 15.0, 35.0]
    >>> curve.seconds_at([0, 15, 35]).tolist()
    [0.0, 10.0, 20.0]
    """

    points: tuple[TempoPoint, ...]

    def __init__(self, points: Iterable[tuple[float, float]]) -> None:
        rounded = [TempoPoint(round(float(time), TIME_DECIMALS), float(bpm)) for time, bpm in points]
        if not rounded:
            raise ParameterError("a tempo curve needs at least one point")
        before = 0.0
        for point in rounded:
            if not before <= point.time_s < math.inf:
                raise ParameterError(f"tempo points must be in order of time from 0 s, got {point.time_s} s")
            if not 0 < point.tempo_bpm < math.inf:
                raise ParameterError(f"tempo must be above 0 BPM, got {point.tempo_bpm}")
            before = point.time_s
        object.__setattr__(self, "points", tuple(_canonical(rounded)))

    @classmethod
    def constant(cls, tempo_bpm: float) -> TempoCurve:
        """Make the curve of a tempo that does not change."""
        return cls([(0.0, tempo_bpm)])

    def tempo_at(self, times_s: ArrayLike) -> FloatArray:
        """Tempo at times, in beats per minute; at a jump, the tempo that holds from then on."""
        times = np.asarray(times_s, dtype=np.float64)
        at, segments = self._found(self._times_s, times)
        passed = (times - segments.start_s[at]) / segments.duration_s[at]
        return segments.tempo_bpm[at] + segments.change_bpm[at] * passed

    def beats_at(self, times_s: ArrayLike) -> FloatArray:
        """Beats from the start of the span until times; negative before it.

        Parameters
        ----------
        times_s : array_like
            Seconds from the start of the span.

        Returns
        -------
        np.ndarray
            Of the same shape.
        """
        times = np.asarray(times_s, dtype=np.float64)
        at, segments = self._found(self._times_s, times)
        elapsed_s = times - segments.start_s[at]
        passed = elapsed_s / segments.duration_s[at]
        mean_bpm = segments.tempo_bpm[at] + segments.change_bpm[at] * passed / 2
        return segments.start_beat[at] + elapsed_s * mean_bpm / _SECONDS_PER_MINUTE

    def seconds_at(self, beats: ArrayLike) -> FloatArray:
        """Find the times at which beats fall: the inverse of `beats_at`.

        Within a segment, the beats after time t are (b t + c t² / 2 d) / 60, with tempo b at its start,
        change c and duration d; t is the root of that which is not negative.

        Parameters
        ----------
        beats : array_like
            Counted from the start of the span.

        Returns
        -------
        np.ndarray
            Seconds from the start of the span, of the same shape.
        """
        counted = np.asarray(beats, dtype=np.float64)
        at, segments = self._found(self._point_beats, counted)
        minutes_bpm = (counted - segments.start_beat[at]) * _SECONDS_PER_MINUTE
        bpm = segments.tempo_bpm[at]
        # This form of the root loses no digits where the tempo hardly changes.
        root = np.sqrt(bpm * bpm + 2 * segments.change_bpm[at] * (minutes_bpm / segments.duration_s[at]))
        return segments.start_s[at] + 2 * minutes_bpm / (bpm + root)

    @cached_property
    def _times_s(self) -> FloatArray:
        return np.array([point.time_s for point in self.points])

    @cached_property
    def _point_beats(self) -> FloatArray:
        bpm = np.array([point.tempo_bpm for point in self.points])
        between = (bpm[:-1] + bpm[1:]) / 2 * np.diff(self._times_s) / _SECONDS_PER_MINUTE
        return np.concatenate(([0.0], np.cumsum(between)))

    @cached_property
    def _segments(self) -> _Segments:
        bpm = np.array([point.tempo_bpm for point in self.points])
        return _Segments(
            start_s=np.concatenate((self._times_s[:1], self._times_s)),
            start_beat=np.concatenate((self._point_beats[:1], self._point_beats)),
            tempo_bpm=np.concatenate((bpm[:1], bpm)),
            change_bpm=np.concatenate(([0.0], np.diff(bpm), [0.0])),
            duration_s=np.concatenate(([np.inf], np.diff(self._times_s), [np.inf])),
        )

    def _found(self, points: FloatArray, values: FloatArray) -> tuple[NDArray[np.intp], _Segments]:
        return np.searchsorted(points, values, side="right"), self._segments


def _canonical(points: list[TempoPoint]) -> Iterator[TempoPoint]:
    """Leave out what changes nothing, and begin at 0 s."""
    kept: list[TempoPoint] = []
    for index, point in enumerate(points):
        begins = index == 0 or points[index - 1].time_s < point.time_s
        ends = index == len(points) - 1 or points[index + 1].time_s > point.time_s
        # Of many at one time, what is reached and what holds on; at 0 s there is nothing to reach it from.
        if ends or (begins and point.time_s > 0):
            kept.append(point)
    yield TempoPoint(0.0, kept[0].tempo_bpm)
    last_bpm = kept[0].tempo_bpm
    for index, point in enumerate(kept):
        following = kept[index + 1] if index + 1 < len(kept) else point
        if not last_bpm == point.tempo_bpm == following.tempo_bpm and point.time_s > 0:
            yield point
        last_bpm = point.tempo_bpm

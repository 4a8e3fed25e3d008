"""How often somebody may do something: token buckets, in the memory of one process."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_KEYS = 10_000


class Buckets:
    """A bucket for each key: it holds so many permits, and is filled again evenly.

    Parameters
    ----------
    per_minute : float
        Permits that come back in a minute.
    at_once : float
        Permits of a full bucket.
    clock : callable
        Seconds that never go back.

    Examples
    --------
    >>> now = [0.0]
    >>> buckets = Buckets(per_minute=60, at_once=2, clock=lambda: now[0])
    >>> [buckets.take("a") for _ in range(3)], buckets.take("b")
    ([0.0, 0.0, 1.0], 0.0)
    >>> now[0] = 1.0
    >>> buckets.take("a")
    0.0
    """

    def __init__(
        self, *, per_minute: float, at_once: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_minute / 60
        self._at_once = max(1.0, at_once)
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> float:
        """Take a permit.

        Parameters
        ----------
        key : str

        Returns
        -------
        float
            0 if there was one, else the seconds until there will be.
        """
        with self._lock:
            now = self._clock()
            level = self._level(key, now)
            if level < 1:
                return (1 - level) / self._per_second
            self._levels[key] = (level - 1, now)
            if len(self._levels) > _MAX_KEYS:
                self._forget(now)
            return 0.0

    def owe(self, key: str, permits: float) -> None:
        """Take permits whether or not they are there: as long as they are owed, there is none to take.

        Parameters
        ----------
        key : str
        permits : float
        """
        with self._lock:
            now = self._clock()
            self._levels[key] = (self._level(key, now) - permits, now)

    def _level(self, key: str, now: float) -> float:
        level, before = self._levels.get(key, (self._at_once, now))
        return min(self._at_once, level + (now - before) * self._per_second)

    def _forget(self, now: float) -> None:
        """Drop the full ones, which are as good as new; then, if need be, those that waited longest."""
        kept = {key: state for key, state in self._levels.items() if self._level(key, now) < self._at_once}
        latest = sorted(kept.items(), key=lambda item: item[1][1])[-_MAX_KEYS // 2 :]
        self._levels = dict(latest)

"""How far all timelines are, counted by states."""

from __future__ import annotations

import threading
from collections import Counter

WAITING, RENDERING, DOWNLOADING = "waiting", "rendering", "downloading"
STATES = (WAITING, RENDERING, DOWNLOADING)


class Tally:
    """Counts timelines by states; threads may share it.

    Parameters
    ----------
    total : int
        Timelines; those that nothing is said of wait.

    Examples
    --------
    >>> tally = Tally(3)
    >>> tally.put("a", RENDERING)
    >>> tally.end("b", failed=False)
    >>> tally.counts(), tally.done, tally.failed
    ({'waiting': 1, 'rendering': 1, 'downloading': 0}, 1, 0)
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = self.failed = 0
        self._states: dict[str, str] = {}
        self._lock = threading.Lock()

    def put(self, name: str, state: str) -> None:
        """Say how far a timeline is."""
        with self._lock:
            self._states[name] = state

    def end(self, name: str, *, failed: bool) -> None:
        """Say that a timeline has ended."""
        with self._lock:
            self._states.pop(name, None)
            self.failed += failed
            self.done += not failed

    def counts(self) -> dict[str, int]:
        """Count those that have not ended."""
        with self._lock:
            found = Counter(self._states.values())
            left = self.total - self.done - self.failed - len(self._states)
        return {state: found[state] + (left if state == WAITING else 0) for state in STATES}

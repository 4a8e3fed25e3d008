"""How far a long stage has come: done of total, rate, time left, bad records.

`describe` puts counts into words; `Progress` shows them, as a live bar on a terminal and otherwise as a
line in the log every now and then.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOG = logging.getLogger(__name__)

_LEAST_SHARE = 1e-6


@dataclass(frozen=True)
class Counts:
    """What a stage has done so far.

    Parameters
    ----------
    total : int >= 0
        Records to do.
    total_bytes : float >= 0
        Their size; 0 where records have none, and time is then told by records.
    done, bad : int >= 0
        Records done, and how many of them were quarantined.
    done_bytes : float >= 0
        Size of the records done.
    audio_s : float >= 0
        Duration of the recordings done, as far as it is known, in s.
    elapsed_s : float >= 0
        Time since the stage began, in s.
    states : mapping of str to int
        Records that are not done, by how far they are; empty where nobody tells.
    """

    total: int
    total_bytes: float = 0.0
    done: int = 0
    bad: int = 0
    done_bytes: float = 0.0
    audio_s: float = 0.0
    elapsed_s: float = 0.0
    states: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Share of the work that is done, 0 to 1.

        Examples
        --------
        >>> Counts(total=4, done=1).share
        0.25
        """
        if self.total_bytes > 0:
            return min(1.0, self.done_bytes / self.total_bytes)
        return self.done / self.total if self.total else 1.0

    @property
    def time_left_s(self) -> float | None:
        """Time that the rest will take at the rate so far, in s; None before a millionth is done.

        Examples
        --------
        >>> Counts(total=4, done=1, elapsed_s=10).time_left_s
        30.0
        """
        return self.elapsed_s * (1 - self.share) / self.share if self.share >= _LEAST_SHARE else None


def describe(counts: Counts) -> str:
    """Put counts into words.

    Parameters
    ----------
    counts : Counts

    Returns
    -------
    str

    Examples
    --------
    >>> describe(Counts(total=2_000, done=500, bad=3, audio_s=36_000, elapsed_s=120))
    '500/2,000 records (25 %), 300 x real time, 6 min left, 3 bad'
    >>> describe(Counts(total=40, total_bytes=8e9, done=10, done_bytes=2e9, elapsed_s=100))
    '10/40 records (25 %), 20.0 MB/s, 5 min left, 0 bad'
    >>> describe(Counts(total=40, done=40, elapsed_s=20))
    '40/40 records (100 %), 2.0 records/s, took 20 s, 0 bad'
    >>> describe(Counts(total=20, done=10, bad=1, elapsed_s=60, states={"waiting": 7, "rendering": 3}))
    '7 waiting, 3 rendering, 9 done, 1 failed, 1 min left'
    """
    if counts.states:
        return ", ".join(_states(counts))
    parts = [f"{counts.done:,}/{counts.total:,} records ({int(100 * counts.share)} %)"]
    parts += _rate(counts)
    if counts.done >= counts.total:
        parts.append(f"took {format_duration(counts.elapsed_s)}")
    elif counts.time_left_s is not None:
        parts.append(f"{format_duration(counts.time_left_s)} left")
    parts.append(f"{counts.bad:,} bad")
    return ", ".join(parts)


def format_duration(duration_s: float) -> str:
    """Write a duration with the two units that matter.

    Parameters
    ----------
    duration_s : float >= 0
        In s.

    Returns
    -------
    str

    Examples
    --------
    >>> [format_duration(duration_s) for duration_s in (0.4, 59, 372, 7_260, 200_000)]
    ['0 s', '59 s', '6 min 12 s', '2 h 1 min', '2 d 7 h']
    """
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    rest = round(duration_s)
    parts: list[str] = []
    for name, length in units:
        count, rest = divmod(rest, length)
        if parts or count:
            parts.append(f"{count} {name}")
    shown = [part for part in parts[:2] if not part.startswith("0 ")]
    return " ".join(shown) or "0 s"


class Progress:
    """Shows how far a stage has come, from `begin` to `end`; leaving its context ends it too.

    Parameters
    ----------
    label : str
        Name of the stage.
    console : rich.console.Console, optional
        Where to show it; None takes standard error. The live bar needs a terminal.
    interval_s : float
        Least time between two lines in the log, in s.
    clock : callable
        Gives the time in s; only differences matter.
    """

    def __init__(
        self,
        label: str,
        *,
        console: Console | None = None,
        interval_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label = label
        self._console = console if console is not None else Console(stderr=True)
        self._interval_s = interval_s
        self._clock = clock
        self._began_s = self._logged_s = clock()
        self._counts = Counts(total=0)
        self._bar: Bar | None = None
        self._running = False

    @property
    def counts(self) -> Counts:
        """What has been reported last."""
        return self._counts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def begin(self, *, total: int, total_bytes: float = 0.0) -> None:
        """Start the clock.

        Parameters
        ----------
        total : int >= 0
            Records to do.
        total_bytes : float >= 0
            Their size.
        """
        self._began_s = self._logged_s = self._clock()
        self._counts = Counts(total=total, total_bytes=total_bytes)
        self._running = True
        if self._console.is_terminal:
            self._bar = _bar(self._console)
            self._bar.add_task(self.label, total=1.0, state=describe(self._counts))
            self._bar.start()

    def update(
        self,
        *,
        done: int,
        bad: int,
        done_bytes: float = 0.0,
        audio_s: float = 0.0,
        states: Mapping[str, int] | None = None,
    ) -> None:
        """Report what has been done since the beginning.

        Parameters
        ----------
        done, bad : int >= 0
            Records done, and how many of them were quarantined.
        done_bytes : float >= 0
            Their size.
        audio_s : float >= 0
            Their duration, in s.
        states : mapping of str to int, optional
            The other records, by how far they are.
        """
        now_s = self._clock()
        self._counts = replace(
            self._counts,
            done=done,
            bad=bad,
            done_bytes=done_bytes,
            audio_s=audio_s,
            elapsed_s=now_s - self._began_s,
            states=states or {},
        )
        if self._bar is not None:
            self._draw(self._bar)
        elif now_s - self._logged_s >= self._interval_s:
            self._log()

    def end(self) -> None:
        """Say where it stands and stop the clock; without effect before `begin` and after the first time."""
        if not self._running:
            return
        self._running = False
        self._counts = replace(self._counts, elapsed_s=self._clock() - self._began_s)
        if self._bar is not None:
            self._draw(self._bar)
            self._bar.stop()
            self._bar = None
        else:
            self._log()

    def _draw(self, bar: Bar) -> None:
        bar.update(bar.task_ids[0], completed=self._counts.share, state=describe(self._counts))

    def _log(self) -> None:
        self._logged_s = self._clock()
        _LOG.info("%s: %s", self.label, describe(self._counts))


def _bar(console: Console) -> Bar:
    return Bar(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[state]}"),
        console=console,
    )


def _states(counts: Counts) -> list[str]:
    parts = [f"{count:,} {state}" for state, count in counts.states.items() if count]
    parts += [f"{counts.done - counts.bad:,} done", f"{counts.bad:,} failed"]
    if counts.done >= counts.total:
        return [*parts, f"took {format_duration(counts.elapsed_s)}"]
    left_s = counts.time_left_s
    return parts if left_s is None else [*parts, f"{format_duration(left_s)} left"]


def _rate(counts: Counts) -> list[str]:
    if counts.elapsed_s <= 0 or counts.done <= 0:
        return []
    if counts.audio_s > 0:
        return [f"{counts.audio_s / counts.elapsed_s:,.0f} x real time"]
    if counts.done_bytes > 0:
        return [f"{counts.done_bytes / counts.elapsed_s / 1e6:,.1f} MB/s"]
    return [f"{counts.done / counts.elapsed_s:,.1f} records/s"]

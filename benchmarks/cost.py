"""Measure CPU time: steps in turn, round after round, so that what disturbs the machine hits all alike."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psutil
from rich.console import Console
from rich.progress import track
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

Step = Callable[[], object]


@dataclass(frozen=True)
class Cost:
    """What a step costs.

    Parameters
    ----------
    audio_s : float > 0
        Audio that one run deals with.
    runs_s : tuple of float
        CPU time of each run.

    Examples
    --------
    >>> cost = Cost(audio_s=200.0, runs_s=(0.5, 0.4, 0.9))
    >>> cost.ms_per_s, cost.times_real_time
    (2.5, 400.0)
    """

    audio_s: float
    runs_s: tuple[float, ...]

    @property
    def cpu_s(self) -> float:
        """Median CPU time of a run, in s."""
        return statistics.median(self.runs_s)

    @property
    def ms_per_s(self) -> float:
        """CPU time for a second of audio, in ms."""
        return 1_000 * self.cpu_s / self.audio_s

    @property
    def times_real_time(self) -> float:
        """Audio that one CPU second deals with, in s."""
        return self.audio_s / self.cpu_s


class Workload(NamedTuple):
    """A recording, and what is measured on it.

    Parameters
    ----------
    track : str
    audio_s : float > 0
        Audio that each of the steps deals with.
    steps : mapping of str to callable
        By name; the same names for each recording.
    """

    track: str
    audio_s: float
    steps: Mapping[str, Step]


Costs = dict[str, dict[str, Cost]]
"""By step and track."""


def cpu_s(step: Step) -> float:
    """CPU time of one call in this process, in s."""
    start_s = time.process_time()
    step()
    return time.process_time() - start_s


def cpu_with_children_s(step: Step) -> float:
    """CPU time of one call, in s, in this process and in those of its children that live on afterwards.

    What children have used is known to a hundredth of a second.
    """
    before_s = _children_s()
    own_s = cpu_s(step)
    after_s = _children_s()
    return own_s + sum(used_s - before_s.get(child, 0.0) for child, used_s in after_s.items())


def _children_s() -> dict[psutil.Process, float]:
    used_s = {}
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            used_s[child] = times.user + times.system
    return used_s


def measure(
    workloads: Sequence[Workload],
    *,
    repeats: int,
    warm_up: Mapping[str, Step],
    label: str,
    spent_s: Callable[[Step], float] = cpu_s,
) -> Costs:
    """Measure all steps of all recordings once in each of some rounds, on one thread.

    Parameters
    ----------
    workloads : sequence of Workload
    repeats : int > 0
        Rounds.
    warm_up : mapping of str to callable
        Called first and not measured: whatever is compiled, loaded or cached on first use.
    label : str
        Said beside the progress bar.
    spent_s : callable, optional
        What measures a call: `cpu_s` or `cpu_with_children_s`.

    Returns
    -------
    Costs
    """
    runs_s: dict[tuple[str, str], list[float]] = {}
    with threadpool_limits(limits=1):
        for step in warm_up.values():
            step()
        for _ in track(range(repeats), label, console=Console(stderr=True)):
            for workload in workloads:
                for name, step in workload.steps.items():
                    runs_s.setdefault((name, workload.track), []).append(spent_s(step))
    audio_s = {workload.track: workload.audio_s for workload in workloads}
    costs: Costs = {}
    for (name, track_name), runs in runs_s.items():
        costs.setdefault(name, {})[track_name] = Cost(audio_s[track_name], tuple(runs))
    return costs


def over_tracks(costs: Iterable[Cost]) -> Cost:
    """Add up one step's costs for several recordings.

    Examples
    --------
    >>> over_tracks([Cost(10.0, (1.0, 2.0)), Cost(20.0, (3.0, 5.0))])
    Cost(audio_s=30.0, runs_s=(4.0, 7.0))
    """
    costs = list(costs)
    return Cost(sum(cost.audio_s for cost in costs), _added(costs))


def over_steps(costs: Iterable[Cost]) -> Cost:
    """Add up several steps' costs for the same audio.

    Examples
    --------
    >>> over_steps([Cost(10.0, (1.0, 2.0)), Cost(10.0, (3.0, 5.0))])
    Cost(audio_s=10.0, runs_s=(4.0, 7.0))
    """
    costs = list(costs)
    return Cost(costs[0].audio_s, _added(costs))


def _added(costs: Sequence[Cost]) -> tuple[float, ...]:
    return tuple(sum(runs) for runs in zip(*(cost.runs_s for cost in costs), strict=True))

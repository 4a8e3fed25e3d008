"""docs/load.md, written from a run of `benchmarks.load`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from benchmarks.load_clients import GET, POST
from benchmarks.performance_document import wrapped
from benchmarks.performance_tables import Table
from benchmarks.targets import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PERCENTILES = (50, 95, 99, 100)
AT_MOST_S = 1.0
_CREATED = "CREATED"


@dataclass(frozen=True)
class Phase:
    """What clients saw, while they asked for music or filled the queue.

    Parameters
    ----------
    duration_s : float
    percentiles_s : dict of str to list of float
        Latencies, by kind of request, at `PERCENTILES`.
    statuses : dict
        How often each status came, by kind of request.
    n_taken, n_created, n_repeated : int
        Jobs that were taken, and seen to be CREATED; requests made twice.
    faults : list of str
    lag_s : float
        By how much the clients' process was late at most.
    cpu_s : dict of str to float
        CPU time of the API, of the workers and of the clients.
    """

    duration_s: float
    percentiles_s: dict[str, list[float]]
    statuses: dict[str, dict[int, int]]
    n_taken: int
    n_created: int
    n_repeated: int
    faults: list[str]
    lag_s: float
    cpu_s: dict[str, float]


@dataclass(frozen=True)
class Audit:
    """What the database and the files say when all is over.

    Parameters
    ----------
    statuses : dict of str to int
    n_lost : int
        Jobs that a client was told of and that are not there.
    n_doubled : int
        Jobs that are there and that no client was told of, or that needed more than one attempt.
    n_broken_files : int
        Missing, or with other bytes than told.
    n_errors : int
        Errors in the log.
    most_waiting : int
        That the queue held at most, as counted once a second.
    recovered_s : float
        From the moment when all clients had been refused until each was let in again.
    """

    statuses: dict[str, int]
    n_lost: int
    n_doubled: int
    n_broken_files: int
    n_errors: int
    most_waiting: int
    recovered_s: float


@dataclass(frozen=True)
class LoadRun:
    """One run.

    Parameters
    ----------
    command, commit, date : str
    machine : dict of str to str
    n_clients, n_workers, max_waiting : int
    music_s : float
        How long each piece was.
    steady, full : Phase
    audit : Audit
    """

    command: str
    commit: str
    date: str
    machine: dict[str, str]
    n_clients: int
    n_workers: int
    max_waiting: int
    music_s: float
    steady: Phase
    full: Phase
    audit: Audit


def write_run(run: LoadRun, file: Path) -> None:
    """Write a run as JSON."""
    file.write_bytes(TypeAdapter(LoadRun).dump_json(run, indent=1) + b"\n")


def percentiles(latencies_s: Mapping[str, Iterable[float]]) -> dict[str, list[float]]:
    """Reduce latencies to `PERCENTILES`.

    Examples
    --------
    >>> percentiles({"GET /": [0.1, 0.2, 0.3]})["GET /"][0]
    0.2
    """
    return {
        kind: [round(float(value), 4) for value in np.percentile(list(seen), PERCENTILES)]
        for kind, seen in latencies_s.items()
    }


def targets(run: LoadRun) -> list[Target]:
    """Judge a run."""
    at_99 = PERCENTILES.index(99)
    answered = [run.steady.percentiles_s[kind][at_99] for kind in (POST, GET)]
    taken, audit = run.steady.n_taken + run.full.n_taken, run.audit
    amiss = len(run.steady.faults) + len(run.full.faults) + audit.n_errors
    refused = run.full.statuses[POST].get(503, 0)
    return [
        Target("p99 of POST, s", "post_p99_s", answered[0], AT_MOST_S, at_most=True),
        Target("p99 of GET, s", "get_p99_s", answered[1], AT_MOST_S, at_most=True),
        Target("jobs lost", "lost", audit.n_lost, 0, at_most=True),
        Target("jobs doubled or begun twice", "doubled", audit.n_doubled, 0, at_most=True),
        Target(
            "jobs that are not CREATED", "failed", taken - audit.statuses.get(_CREATED, 0), 0, at_most=True
        ),
        Target("files that are not whole", "broken", audit.n_broken_files, 0, at_most=True),
        Target("answers amiss, and errors in the log", "amiss", amiss, 0, at_most=True),
        Target("clients refused by 503 at the bound", "refused", refused, run.n_clients, at_most=False),
        Target("jobs waiting at most", "most_waiting", audit.most_waiting, run.max_waiting, at_most=True),
    ]


def tables(run: LoadRun) -> dict[str, Table]:
    """Lay the figures out."""
    return {
        "targets": _targets_table(run),
        "steady": _latencies_table("Clients that take what they ask for", run.steady),
        "full": _latencies_table("Clients that fill the queue", run.full),
        "cost": _cost_table(run),
    }


def document(run: LoadRun) -> str:
    """Write the document."""
    texts = {"targets": "", "steady": _steady(run), "full": _full(run), "cost": _COST}
    parts = [f"# The render server under load\n\n{wrapped(_head(run))}"]
    for about, table in tables(run).items():
        text = f"{wrapped(texts[about])}\n" if texts[about] else ""
        parts.append(f"## {table.title}\n\n{text}{table.as_markdown()}")
    return "\n".join(parts)


def _targets_table(run: LoadRun) -> Table:
    rows = [
        (
            target.name,
            f"{target.value:.3g}" if target.value < 1 else f"{target.value:,.0f}",
            f"{'at most' if target.at_most else 'at least'} {target.limit:,g}",
            "yes" if target.is_met else "no",
        )
        for target in targets(run)
    ]
    return Table("Targets", ("", "measured", "target", "met"), rows)


def _latencies_table(title: str, phase: Phase) -> Table:
    rows = [
        (
            f"`{kind}`",
            f"{sum(phase.statuses[kind].values()):,}",
            *(f"{1_000 * value:,.0f}" for value in values),
        )
        for kind, values in phase.percentiles_s.items()
    ]
    return Table(title, ("", "requests", "median, ms", "p95, ms", "p99, ms", "longest, ms"), rows)


def _cost_table(run: LoadRun) -> Table:
    phase = run.steady
    rows = [
        (who, f"{spent_s:,.0f}", f"{spent_s / phase.duration_s:.2f}") for who, spent_s in phase.cpu_s.items()
    ]
    return Table("Where the time went", ("", "CPU time, s", "cores"), rows)


def _head(run: LoadRun) -> str:
    machine, late_ms = run.machine, 1_000 * run.steady.lag_s
    return f"""
    Written by `{run.command}`; the figures are in [load.json](load.json). One server with {run.n_workers}
    workers, and {run.n_clients} clients, all on one machine: {machine["processor"]}, {machine["cores"]}
    cores, {machine["system"]}; {run.date[:10]}, commit {run.commit}. Latencies are what clients see,
    connecting included; their own process was late by {late_ms:,.0f} ms at most, which is part of the longest
    ones.
    """


def _steady(run: LoadRun) -> str:
    phase = run.steady
    per_minute = 60 * phase.n_created / phase.duration_s
    times_real_time = per_minute * run.music_s / 60
    return f"""
    For {phase.duration_s / 60:.1f} minutes each client asks for {run.music_s:g} s of music as MP3, polls
    every 2 s until it is made, takes it, and asks for the next. {phase.n_created:,} pieces were made,
    {per_minute:,.0f} a minute, which is {times_real_time:,.0f} times real time; {phase.n_repeated:,} requests
    were made twice with one `Idempotency-Key`, and answered with one job. A download counts until its last
    byte.
    """


def _full(run: LoadRun) -> str:
    phase, audit = run.full, run.audit
    created = audit.statuses.get(_CREATED, 0)
    return f"""
    Then the clients ask and do not wait: {phase.n_taken:,} more jobs until {run.max_waiting:,} wait and each
    client has been refused by 503. They wait as long as `Retry-After` says; after {audit.recovered_s:,.0f} s
    the last of them had been let in again. In the end {created:,} jobs were CREATED.
    """


_COST = "CPU time while clients took what they asked for. Workers are niced: the API goes before them."

"""Whether a render server holds load: many clients at once, while it renders with all it has.

``make bench-server``, or ``python -m benchmarks.load``. A server of its own in a process of its own, with
workers for all cores; clients in this process, on the same machine.

1. For some minutes each client asks for a piece, polls every 2 s until it is made, takes its file, and asks
   for the next. A tenth of what is asked for is asked for twice, with the same Idempotency-Key.
2. The clients ask and do not wait, until the queue is full and all of them have been told so, 503 with
   Retry-After; they wait as long as they are told, until each has been let in again.
3. When all jobs have ended, the database is asked what became of each, and the files are read.

Exit status 1 where a target is missed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shlex
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from rich.console import Console

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.render.server.database import Database
from amper_spark.render.server.job import WAITING, Status, job_of
from amper_spark.render.server.jobs import Jobs
from amper_spark.render.server.settings import ServerSettings
from benchmarks.load_clients import Client, Seen, watch_own_lag
from benchmarks.load_document import Audit, LoadRun, Phase, document, percentiles, tables, targets, write_run
from benchmarks.options import document_parser, parsed_options
from benchmarks.record import ROOT, commit_name, machine
from benchmarks.results import report_console
from benchmarks.served import Served, served

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from amper_spark.render.server.job import Job
    from amper_spark.render.server.storage import Storage

DOCUMENT = ROOT / "docs" / "load.md"
_MINUTE_S = 60
_TOLD_EVERY_S = 30
_DRAIN_S = 3_600
UNFINISHED = (*WAITING, Status.RUNNING_COMPOSE, Status.RUNNING_RENDER)


def main() -> None:
    """Measure, print the tables, keep the figures, and judge them."""
    options = _options()
    commit = commit_name()
    bound = f"server.max_waiting={options.max_waiting}"
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), bound, workers=options.workers) as server,
    ):
        run = asyncio.run(_measure(server, options, commit))
    console = report_console()
    for table in tables(run).values():
        console.print(table.for_terminal())
    for fault in (*run.steady.faults, *run.full.faults):
        console.print(f"amiss: {fault}", soft_wrap=True)
    if options.write_docs:
        write_run(run, DOCUMENT.with_suffix(".json"))
        DOCUMENT.write_text(document(run), encoding="utf-8")
    raise SystemExit(int(not all(target.is_met for target in targets(run))))


async def _measure(server: Served, options: argparse.Namespace, commit: str) -> LoadRun:
    jobs = Jobs(Database(server.storage.database))
    waiting = _Waiting(jobs)
    steady, full = Seen(), Seen()
    async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(limit=0)) as session:
        clients = _clients(session, server.tokens(options.clients), options.music_s, steady)
        watch = asyncio.create_task(waiting.watch())
        _tell(f"{len(clients)} clients ask for music, for {options.minutes:g} minutes")
        until_s = time.monotonic() + options.minutes * _MINUTE_S
        first = await _phase(server, clients, steady, lambda client: client.ask_until(until_s))
        _tell(f"they ask for more, until {options.max_waiting:,} jobs wait")
        second = await _phase(server, clients, full, Client.ask_until_refused)
        _tell("they wait as long as they are told to, and ask again")
        refused_s = time.monotonic()
        await asyncio.gather(*(client.ask_until_let_in() for client in clients))
        recovered_s = time.monotonic() - refused_s
        _tell("all that is left is made")
        await _drained(jobs)
        watch.cancel()
    second = replace(second, n_taken=len(full.ids), faults=full.faults)  # those let in again, too
    return LoadRun(
        command=options.command or shlex.join(["python", "-m", "benchmarks.load", *sys.argv[1:]]),
        commit=commit,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=machine(),
        n_clients=options.clients,
        n_workers=options.workers,
        max_waiting=options.max_waiting,
        music_s=options.music_s,
        steady=first,
        full=second,
        audit=_audit(server, {*steady.ids, *full.ids}, most_waiting=waiting.most, recovered_s=recovered_s),
    )


def _clients(
    session: aiohttp.ClientSession, tokens: Sequence[str], music_s: float, seen: Seen
) -> list[Client]:
    descriptors = [descriptor.name for descriptor in load_catalogue().descriptors]
    return [
        Client(session, number=number, token=token, descriptors=descriptors, music_s=music_s, seen=seen)
        for number, token in enumerate(tokens, 1)
    ]


async def _phase(
    server: Served, clients: Sequence[Client], seen: Seen, act: Callable[[Client], Awaitable[None]]
) -> Phase:
    """Let all clients do something at once, and say what they saw of it."""
    for client in clients:
        client.seen = seen
    watch = asyncio.create_task(watch_own_lag(seen))
    before_s, begun_s = _cpu_s(server), time.monotonic()
    acts = asyncio.gather(*(act(client) for client in clients))
    while not (await asyncio.wait([acts], timeout=_TOLD_EVERY_S))[0]:
        _tell(f"{time.monotonic() - begun_s:,.0f} s: {len(seen.ids):,} taken, {seen.n_created:,} made")
    await acts
    watch.cancel()
    after_s = _cpu_s(server)
    return Phase(
        duration_s=time.monotonic() - begun_s,
        percentiles_s=percentiles(seen.latencies_s),
        statuses={kind: dict(statuses) for kind, statuses in seen.statuses.items()},
        n_taken=len(seen.ids),
        n_created=seen.n_created,
        n_repeated=seen.n_repeated,
        faults=seen.faults,
        lag_s=seen.lag_s,
        cpu_s={who: after_s[who] - before_s[who] for who in after_s},
    )


def _cpu_s(server: Served) -> dict[str, float]:
    return {**server.cpu_s(), "clients": time.process_time()}


class _Waiting:
    """Counts the jobs that wait, once a second."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self.most = 0

    async def watch(self) -> None:
        while True:
            self.most = max(self.most, _n_waiting(self._jobs))
            await asyncio.sleep(1)


def _n_waiting(jobs: Jobs) -> int:
    counts = jobs.counts()
    return sum(counts[status] for status in WAITING)


async def _drained(jobs: Jobs) -> None:
    until_s = time.monotonic() + _DRAIN_S
    while any(jobs.counts()[status] for status in UNFINISHED):
        if time.monotonic() > until_s:
            return  # whatever has not ended is not CREATED, which the audit tells
        await asyncio.sleep(1)


def _audit(server: Served, ids: set[str], *, most_waiting: int, recovered_s: float) -> Audit:
    """Ask the database what became of all jobs, and read their files."""
    rows = Database(server.storage.database).connection.execute("SELECT * FROM jobs").fetchall()
    jobs = [job_of(row) for row in rows]
    records = [(job, record) for job in jobs for record in job.files]
    levels = (json.loads(line)["level"] for line in server.log.open(encoding="utf-8") if line[0] == "{")
    return Audit(
        statuses=dict(Counter(job.status.value for job in jobs)),
        n_lost=len(ids - {job.id for job in jobs}),
        n_doubled=sum(job.id not in ids or job.attempts != 1 for job in jobs),
        n_broken_files=sum(not _is_whole(server.storage, job, record) for job, record in records),
        n_errors=sum(level == "ERROR" for level in levels),
        most_waiting=most_waiting,
        recovered_s=recovered_s,
    )


def _is_whole(storage: Storage, job: Job, record: Mapping[str, Any]) -> bool:
    file = storage.find(job, record["name"])
    if file is None or not file.exists():
        return False
    return hashlib.sha256(file.read_bytes()).hexdigest() == record["sha256"]


def _tell(text: str) -> None:
    Console(stderr=True).print(text)


def _options() -> argparse.Namespace:
    parser = document_parser(__doc__, DOCUMENT)
    parser.add_argument("--clients", type=int, default=64, help="at once (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="they ask for so long (default: %(default)g)"
    )
    parser.add_argument(
        "--music-s", type=float, default=10.0, help="length of a piece, in s (default: %(default)g)"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="default: one for each core")
    parser.add_argument(
        "--max-waiting", type=int, default=ServerSettings().max_waiting, help="default: the server's"
    )
    return parsed_options(parser, DOCUMENT)


if __name__ == "__main__":
    main()

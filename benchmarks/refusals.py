"""Measure whether the time of a refusal tells which refusal it is.

``python -m benchmarks.refusals`` asks a render server with tokens that are not valid, in all ways in which
they can be so, and for renders that are not there or are somebody else's. All ways take turns, in an order
drawn anew for each round. Each is compared with the first of its group by the area under the ROC curve (AUC):
the chance to guess right by time alone which of two requests, one of each kind, is which. 0.5 is a coin; the
interval is that of 95 % by bootstrap over rounds. Ways with a * need no hiding: the client knows itself that
it has sent no token, or has the secret of one that has expired.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
from scipy.stats import rankdata

from amper_spark.render.server.app import create_app
from amper_spark.render.server.envelopes import RefusalError
from amper_spark.render.server.job import Kind
from amper_spark.render.server.offer import load_offer
from amper_spark.render.server.serving import listen, server_of, url_of
from amper_spark.render.server.settings import ServerSettings
from amper_spark.render.server.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt
    from fastapi import FastAPI

    from amper_spark.render.server.service import Service

_N_TOKENS, _N_JOBS = 200, 400
_LARGE_LETTERS = 500_000
_RESAMPLES = 400
_WARM_UP = 200
_SEED = 0
_HOST = b"music.example"


@dataclass(frozen=True)
class Way:
    """A way to be refused.

    Parameters
    ----------
    name : str
    path : str
        Of a GET.
    token : str or None
    is_secret : bool
        Whether the client should not be able to tell it from the first way of its group.
    """

    name: str
    path: str
    token: str | None
    is_secret: bool = True


@dataclass(frozen=True)
class Told:
    """How far a way differs from the first of its group.

    Parameters
    ----------
    median_us : float
    difference_us : float
        Of medians.
    auc, low, high : float
    """

    median_us: float
    difference_us: float
    auc: float
    low: float
    high: float


def auc_of(first: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Return the chance that a value of the second is above one of the first, ties counting half.

    Examples
    --------
    >>> auc_of(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.875
    """
    ranks = rankdata(np.concatenate([first, other]))
    return float((ranks[first.size :].sum() - other.size * (other.size + 1) / 2) / first.size / other.size)


def compared(first: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> Told:
    """Compare times of one way with those of another, taken in the same rounds; in s."""
    draws = np.random.default_rng(_SEED).integers(first.size, size=(_RESAMPLES, first.size))
    aucs = [auc_of(first[draw], other[draw]) for draw in draws]
    low, high = np.percentile(aucs, [2.5, 97.5])
    medians = 1e6 * np.median(first), 1e6 * np.median(other)
    return Told(medians[1], medians[1] - medians[0], auc_of(first, other), float(low), float(high))


def measured(ways: Mapping[str, Callable[[], float]], n_rounds: int) -> dict[str, npt.NDArray[np.float64]]:
    """Take the time of each way once a round, in an order that is drawn for each round."""
    names = list(ways)
    random = np.random.default_rng(_SEED)
    times = {name: np.empty(n_rounds) for name in names}
    for round_number in range(-_WARM_UP, n_rounds):
        for index in random.permutation(len(names)):
            took_s = ways[names[index]]()
            if round_number >= 0:
                times[names[index]][round_number] = took_s
    return times


def prepare(service: Service) -> dict[str, tuple[Way, ...]]:
    """Fill a server's database, and say what is to be asked of it."""
    tokens = service.tokens
    made = [tokens.create(f"token {number}") for number in range(_N_TOKENS)]
    own, other, revoked = made[0], made[_N_TOKENS // 2], made[_N_TOKENS // 3]
    expired = tokens.create("expired", lasts_s=1e-3)
    tokens.revoke(revoked[0].id)
    time.sleep(2e-3)
    tokens.authenticate(own[1])  # the time of its last use is written now, and not while it is measured
    spans = [{"type": "metered", "time": 0, "regions": []}, {"type": "unmetered", "time": 20}]
    ids: dict[str, list[str]] = {own[0].id: [], other[0].id: []}
    for number in range(_N_JOBS):
        client_id = (own, other)[number % 2][0].id
        meta = {"note": "x" * (_LARGE_LETTERS if number == _N_JOBS // 2 + 1 else number)}
        job = service.jobs.add(
            Kind.RENDER,
            {"timeline": {"meta": meta, "spans": spans}, "preset": "MASTER_MP3"},
            client_id=client_id,
            request_sha256="0",
        )
        ids[client_id].append(job.id)
    theirs = ids[other[0].id]

    def wrong(of: str) -> str:
        return of[:-2] + ("AA" if not of.endswith("AA") else "BB")

    unknown = f"amper_0123456789abcdef_{wrong(made[1][1]).split('_', 2)[2]}"
    door = "/v1/simple_renders/x"
    render, file = "/v1/simple_renders/{}", "/v1/files/{}/master.mp3"
    nothing = theirs[0][::-1]
    return {
        "tokens": (
            Way("unknown id", door, unknown),
            Way("known id, wrong secret", door, wrong(other[1])),
            Way("expired, wrong secret", door, wrong(expired[1])),
            Way("revoked, wrong secret", door, wrong(revoked[1])),
            Way("expired, right secret", door, expired[1], is_secret=False),
            Way("revoked, right secret", door, revoked[1], is_secret=False),
            Way("no token's form", door, "amper", is_secret=False),
            Way("none", door, None, is_secret=False),
        ),
        "renders": (
            Way("unknown", render.format(nothing), own[1]),
            Way("another token's", render.format(theirs[_N_JOBS // 4 - 1]), own[1]),
            Way("another token's, large", render.format(theirs[_N_JOBS // 4]), own[1]),
        ),
        "files": (
            Way("unknown", file.format(nothing), own[1]),
            Way("another token's", file.format(theirs[_N_JOBS // 4 - 1]), own[1]),
            Way("another token's, large", file.format(theirs[_N_JOBS // 4]), own[1]),
        ),
    }


def by_door(service: Service) -> Callable[[Way], Callable[[], float]]:
    """Ask the door alone, where there is least noise."""
    numbers = iter(range(10**9))

    def asking(way: Way) -> Callable[[], float]:
        header = None if way.token is None else f"Bearer {way.token}"

        def ask() -> float:
            address = _address(next(numbers))
            began = time.perf_counter()
            status = 0
            try:
                service.doors.admit(header, address)
            except RefusalError as refusal:
                status = refusal.status
            took_s = time.perf_counter() - began
            assert status == 401, way  # noqa: S101 - a benchmark checks what it measures
            return took_s

        return ask

    return asking


def by_jobs(service: Service) -> Callable[[Way], Callable[[], float]]:
    """Ask the database for jobs, as the endpoints do, without the rest."""

    def asking(way: Way) -> Callable[[], float]:
        job_id = way.path.split("/")[3]
        client_id = service.tokens.authenticate(way.token or "").id

        def ask() -> float:
            began = time.perf_counter()
            found = service.jobs.find(job_id, client_id=client_id)
            took_s = time.perf_counter() - began
            assert found is None  # noqa: S101 - as above
            return took_s

        return ask

    return asking


def by_application(app: FastAPI, runner: asyncio.Runner) -> Callable[[Way], Callable[[], float]]:
    """Ask the application, without a network."""
    numbers = iter(range(10**9))

    def asking(way: Way) -> Callable[[], float]:
        headers = [(b"host", _HOST)]
        headers += [] if way.token is None else [(b"authorization", f"Bearer {way.token}".encode())]

        async def ask() -> float:
            statuses: list[int] = []
            scope = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "scheme": "http",
                "method": "GET",
                "path": way.path,
                "raw_path": way.path.encode(),
                "root_path": "",
                "query_string": b"",
                "headers": list(headers),
                "server": ("music.example", 80),
                "client": (_address(next(numbers)), 1),
            }

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])

            began = time.perf_counter()
            await app(scope, receive, send)
            took_s = time.perf_counter() - began
            assert statuses in ([401], [404]), (way, statuses)  # noqa: S101 - as above
            return took_s

        return lambda: runner.run(ask())

    return asking


def by_network(url: str, client: httpx.Client) -> Callable[[Way], Callable[[], float]]:
    """Ask a server over a connection that stays, on this machine."""
    numbers = iter(range(10**9))

    def asking(way: Way) -> Callable[[], float]:
        headers = {} if way.token is None else {"Authorization": f"Bearer {way.token}"}
        request = client.build_request("GET", url + way.path, headers=headers)

        def ask() -> float:
            request.headers["X-Forwarded-For"] = _address(next(numbers))
            began = time.perf_counter()
            response = client.send(request)
            took_s = time.perf_counter() - began
            assert response.status_code in (401, 404), way  # noqa: S101 - as above
            return took_s

        return ask

    return asking


def _address(number: int) -> str:
    """Make up an address that has not failed before: else the answer would be 429."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@contextmanager
def _served(app: FastAPI) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listening:
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield url_of(listening)
        finally:
            server.should_exit = True
            thread.join()


def table_of(title: str, ways: tuple[Way, ...], times: Mapping[str, npt.NDArray[np.float64]]) -> str:
    """Write the figures of a group as rows of Markdown."""
    first = times[ways[0].name]
    rows = []
    for way in ways:
        told = compared(first, times[way.name])
        auc = "" if way is ways[0] else f"{told.auc:.3f} ({told.low:.3f}-{told.high:.3f})"
        difference = "" if way is ways[0] else f"{told.difference_us:+.2f}"
        note = "" if way.is_secret else " *"
        rows.append(
            f"| {title} | {way.name}{note} | {first.size:,} | {told.median_us:.1f} | {difference} | {auc} |"
        )
    return "\n".join(rows)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=4_000, help="requests of each way to the application")
    parser.add_argument("--json", type=Path, help="write all times to this file, too, in s")
    options = parser.parse_args()
    all_times: dict[str, dict[str, list[float]]] = {}
    print("| asked | refused because | n | median, µs | more than first | AUC (95 %) |")  # noqa: T201 - the result
    print("| --- | --- | ---: | ---: | ---: | --- |")  # noqa: T201 - as above
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        plenty = ServerSettings(requests_per_minute=10**9)
        app = create_app(Storage(Path(folder) / "data"), plenty, offer=load_offer())
        service: Service = app.state.service
        groups = prepare(service)

        def tell(
            title: str, ways: tuple[Way, ...], asking: Callable[[Way], Callable[[], float]], n: int
        ) -> None:
            times = measured({way.name: asking(way) for way in ways}, n)
            all_times[title] = {name: values.tolist() for name, values in times.items()}
            print(table_of(title, ways, times), flush=True)  # noqa: T201 - as above

        n = options.rounds
        tell("the door", groups["tokens"], by_door(service), 5 * n)
        tell("jobs", groups["renders"], by_jobs(service), 5 * n)
        for name, ways in groups.items():
            tell(f"application: {name}", ways, by_application(app, runner), n)
        with _served(app) as url, httpx.Client() as client:
            for name, ways in groups.items():
                tell(f"network: {name}", ways, by_network(url, client), n // 2)
    if options.json:
        options.json.write_text(json.dumps(all_times))


if __name__ == "__main__":
    main()

"""Clients of a render server: each asks for music, polls until it is made, takes the file, and asks again."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

POST, GET, FILE = "POST /v1/simple_renders", "GET /v1/simple_renders/{id}", "GET /v1/files/{id}/{name}"
POLL_EVERY_S = 2.0
"""As often as the one client of Amper that is known polled."""

OK, MADE, FULL = 200, 201, 503
_REPEATED_SHARE = 0.1
_TICK_S = 0.05
_ENDED = ("CREATED", "FAILED_CREATE")


@dataclass
class Seen:
    """What all clients have seen together.

    Parameters
    ----------
    latencies_s : dict
        By kind of request; of a file until its last byte.
    statuses : dict
        How often each status came, by kind of request.
    ids : list of str
        Of the jobs that were taken, each once.
    n_created, n_repeated : int
        Jobs seen to be CREATED, and requests made a second time with the same key.
    faults : list of str
        Whatever should not have been.
    lag_s : float
        By how much the clients' own process was late at most: the part of a latency that is not the server's.
    """

    latencies_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    statuses: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    ids: list[str] = field(default_factory=list)
    n_created: int = 0
    n_repeated: int = 0
    faults: list[str] = field(default_factory=list)
    lag_s: float = 0.0


class Client:
    """One client, with a token of its own.

    Parameters
    ----------
    session : aiohttp.ClientSession
    number : int
        Its jobs are called by it, and it decides what they sound like.
    token : str
    descriptors : sequence of str
        What it asks for, in turn.
    music_s : float
        How long each piece is to be.
    seen : Seen
        Can be set anew, for what comes next.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        number: int,
        token: str,
        descriptors: Sequence[str],
        music_s: float,
        seen: Seen,
    ) -> None:
        self._session, self._number = session, number
        self.seen = seen
        self._descriptors, self._music_s = descriptors, music_s
        self._headers = {"Authorization": f"Bearer {token}"}
        self._random = random.Random(number)  # noqa: S311 - which requests are repeated is no secret
        self._n_asked = 0

    async def ask_until(self, until_s: float) -> None:
        """Have one piece after the other made and taken, and begin none after a time."""
        while time.monotonic() < until_s:
            status, url, _ = await self.ask()
            if url is None:
                self.seen.faults.append(f"POST was answered {status}")
                return
            await self._follow(url)

    async def ask_until_refused(self) -> None:
        """Ask for one piece after the other until the queue is full."""
        while (asked := await self.ask())[1] is not None:
            pass
        self._check_refusal(*asked)

    async def ask_until_let_in(self) -> None:
        """Ask for a piece, and again when the server says so, until it is taken."""
        while (asked := await self.ask())[1] is None:
            if (retry_after_s := self._check_refusal(*asked)) is None:
                return
            await asyncio.sleep(retry_after_s)

    def _check_refusal(self, status: int, _: str | None, retry_after: str | None) -> float | None:
        if status == FULL and retry_after is not None and retry_after.isdecimal():
            return float(retry_after)
        self.seen.faults.append(f"POST was answered {status}, Retry-After {retry_after}")
        return None

    async def ask(self) -> tuple[int, str | None, str | None]:
        """Ask for a piece; return the status, the URL of the job if there is one, and Retry-After."""
        self._n_asked += 1
        key = f"{self._number}-{self._n_asked}"
        timeline = self._timeline()
        status, headers, document = await self._post(key, timeline)
        if status != MADE:
            return status, None, headers.get("Retry-After")
        self.seen.ids.append(document["data"]["id"])
        if self._random.random() < _REPEATED_SHARE:
            self.seen.n_repeated += 1
            again, _, repeated = await self._post(key, timeline)
            if repeated.get("data", {}).get("id") != document["data"]["id"]:
                self.seen.faults.append(f"{key} was asked for twice and answered {again} with another job")
        return status, headers["Location"], None

    async def _follow(self, url: str) -> None:
        while True:
            await asyncio.sleep(POLL_EVERY_S)
            status, document = await self._get(url)
            if status != OK:
                self.seen.faults.append(f"{url} was answered {status}")
                return
            attributes = document["data"]["attributes"]
            if attributes["status"] in _ENDED:
                break
        if attributes["status"] != "CREATED":
            self.seen.faults.append(f"{url} failed: {attributes['problem']}")
            return
        self.seen.n_created += 1
        await self._take(attributes["files"][0])

    async def _take(self, file: dict[str, Any]) -> None:
        begun_s = time.perf_counter()
        async with self._session.get(file["download_url"]) as answer:
            content = await answer.read()
        self._count(FILE, answer.status, begun_s)
        if len(content) != file["size_bytes"]:
            self.seen.faults.append(f"{file['download_url']}: {len(content)} of {file['size_bytes']} bytes")

    async def _post(self, key: str, timeline: dict[str, Any]) -> tuple[int, Any, dict[str, Any]]:
        attributes = {"preset": "MASTER_MP3", "timeline": timeline}
        body = {"data": {"type": "simple_renders", "attributes": attributes}}
        begun_s = time.perf_counter()
        headers = {**self._headers, "Idempotency-Key": key}
        async with self._session.post("/v1/simple_renders", json=body, headers=headers) as answer:
            document = await answer.json(content_type=None)
        self._count(POST, answer.status, begun_s)
        return answer.status, answer.headers, document

    async def _get(self, url: str) -> tuple[int, dict[str, Any]]:
        begun_s = time.perf_counter()
        async with self._session.get(url, headers=self._headers) as answer:
            document = await answer.json(content_type=None)
        self._count(GET, answer.status, begun_s)
        return answer.status, document

    def _count(self, kind: str, status: int, begun_s: float) -> None:
        self.seen.latencies_s[kind].append(time.perf_counter() - begun_s)
        self.seen.statuses[kind][status] += 1

    def _timeline(self) -> dict[str, Any]:
        descriptor = self._descriptors[(self._number + self._n_asked) % len(self._descriptors)]
        region = {"region": "music", "descriptor": descriptor, "beat": 0}
        spans = [
            {"type": "metered", "time": 0, "regions": [region]},
            {"type": "unmetered", "time": self._music_s},
        ]
        return {"random_seed": self._number * 100_000 + self._n_asked, "spans": spans}


async def watch_own_lag(seen: Seen) -> None:
    """Keep the longest time by which this process has been late, until cancelled."""
    while True:
        due_s = time.perf_counter() + _TICK_S
        await asyncio.sleep(_TICK_S)
        seen.lag_s = max(seen.lag_s, time.perf_counter() - due_s)

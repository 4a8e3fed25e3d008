"""Many timelines at a time: a thread follows one after the other, and all end together."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from amper_spark.render.client.trouble import StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from amper_spark.render.client.orders import Outcome, TimelineOrder

_END_TIMEOUT_S = 5.0


class Ended(NamedTuple):
    """An order, and what has become of it."""

    order: TimelineOrder
    outcome: Outcome


class Submitters:
    """Threads that follow orders.

    They are no executor's, which waits for its threads whatever happens: one that hears nothing from the
    service shall not keep the process from ending. What it is at goes on in the next run, as after a kill.

    Parameters
    ----------
    orders : iterable of TimelineOrder
    follow : callable
        Brings one to its end; raises `StoppedError` once `stop` is set.
    n_threads : int
    stop : threading.Event
        Set by whoever wants all to end, and here, if one thread has trouble that all have.
    """

    def __init__(
        self,
        orders: Iterable[TimelineOrder],
        follow: Callable[[TimelineOrder], Outcome],
        *,
        n_threads: int,
        stop: threading.Event,
    ) -> None:
        self._orders, self._follow, self._stop = iter(orders), follow, stop
        self._taking = threading.Lock()
        self._told: queue.SimpleQueue[Ended | BaseException | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"submitter-{number}", daemon=True)
            for number in range(n_threads)
        ]

    def outcomes(self, every_s: float) -> Iterator[Ended | None]:
        """Start, and tell what becomes of the orders.

        Parameters
        ----------
        every_s : float
            So often there is a None, at least: time to look around.

        Yields
        ------
        Ended or None

        Raises
        ------
        Exception
            What has kept a thread from going on, after all others have ended, too.
        """
        for thread in self._threads:
            thread.start()
        trouble: BaseException | None = None
        running, until_s = len(self._threads), float("inf")
        while running and time.monotonic() < until_s:
            try:
                told = self._told.get(timeout=every_s)
            except queue.Empty:
                yield None
            else:
                if isinstance(told, Ended):
                    yield told
                elif told is None:
                    running -= 1
                else:
                    trouble = trouble or told
                    self._stop.set()
            if self._stop.is_set():
                until_s = min(until_s, time.monotonic() + _END_TIMEOUT_S)
        if trouble is not None:
            raise trouble

    def _work(self) -> None:
        try:
            while not self._stop.is_set() and (order := self._next()) is not None:
                self._told.put(Ended(order, self._follow(order)))
        except StoppedError:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, the main thread raises it
            self._told.put(error)
        finally:
            self._told.put(None)

    def _next(self) -> TimelineOrder | None:
        with self._taking:
            return next(self._orders, None)

"""Figures for Prometheus, in its text format (version 0.0.4)."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from amper_spark.render.server.job import WAITING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from amper_spark.render.server.job import Status
    from amper_spark.render.server.request_log import RequestRecord

CONTENT_TYPE = "text/plain; version=0.0.4"

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counts requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._durations: defaultdict[tuple[str, str], list[float]] = defaultdict(
            lambda: [0.0] * (len(BOUNDS_S) + 2)
        )

    def tell(self, record: RequestRecord) -> None:
        """Count a request."""
        with self._lock:
            self._requests[record.method, record.route, record.status] += 1
            durations = self._durations[record.method, record.route]
            durations[bisect_left(BOUNDS_S, record.duration_s)] += 1
            durations[-1] += record.duration_s

    def lines(self) -> Iterator[str]:
        """Yield what has been counted."""
        with self._lock:
            requests = dict(self._requests)
            durations = {key: list(values) for key, values in self._durations.items()}
        yield from _family("amper_requests_total", "counter", "Requests answered.")
        for (method, route, status), count in sorted(requests.items()):
            yield _sample("amper_requests_total", count, method=method, route=route, status=str(status))
        name = "amper_request_duration_seconds"
        yield from _family(name, "histogram", "How long they took.")
        for (method, route), (*counts, total_s) in sorted(durations.items()):
            so_far = 0.0
            for bound, number in zip((*map(str, BOUNDS_S), "+Inf"), counts, strict=True):
                so_far += number
                yield _sample(f"{name}_bucket", so_far, method=method, route=route, le=bound)
            yield _sample(f"{name}_sum", total_s, method=method, route=route)
            yield _sample(f"{name}_count", so_far, method=method, route=route)


def job_lines(counts: Mapping[Status, int], *, max_waiting: int) -> Iterator[str]:
    """Yield how many jobs there are.

    Parameters
    ----------
    counts : mapping of Status to int
    max_waiting : int
    """
    yield from _family("amper_jobs", "gauge", "Jobs kept, by status.")
    for status, count in counts.items():
        yield _sample("amper_jobs", count, status=status)
    yield from _gauge("amper_queue_waiting", "Jobs that wait.", sum(counts[status] for status in WAITING))
    yield from _gauge("amper_queue_limit", "Jobs that may wait.", max_waiting)


def working_lines(health: Mapping[str, object]) -> Iterator[str]:
    """Yield the figures among what those who work the jobs off tell of themselves.

    Parameters
    ----------
    health : mapping of str to object
    """
    for name, value in sorted(health.items()):
        if isinstance(value, (bool, int, float)):
            yield from _gauge(f"amper_working_{name}", "As the supervisor tells it.", float(value))


def text_of(lines: Iterable[str]) -> str:
    """Join lines."""
    return "".join(f"{line}\n" for line in lines)


def _family(name: str, kind: str, help_text: str) -> Iterator[str]:
    yield f"# HELP {name} {help_text}"
    yield f"# TYPE {name} {kind}"


def _gauge(name: str, help_text: str, value: float) -> Iterator[str]:
    yield from _family(name, "gauge", help_text)
    yield _sample(name, value)


def _sample(name: str, value: float, **labels: str) -> str:
    r"""Write a sample.

    Examples
    --------
    >>> _sample("requests", 3, route='a "b"')
    'requests{route="a \\"b\\""} 3'
    """
    told = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
    return f"{name}{{{told}}} {value:.12g}" if told else f"{name} {value:.12g}"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

"""The audit log: who has asked for what, one JSON line a request, without anything secret."""

from __future__ import annotations

import json
import select
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from amper_spark.render.server.request_log import RequestRecord


def audit_line(record: RequestRecord, *, n_lost: int = 0) -> str:
    r"""Write a request down, and how many before it could not be.

    Examples
    --------
    >>> from amper_spark.render.server.request_log import RequestRecord
    >>> print(audit_line(RequestRecord(0.0, "192.0.2.7", None, "GET", "/health", 200, 0.0042)), end="")
    {"time":"1970-01-01T00:00:00.000+00:00","address":"192.0.2.7","token":null,"method":"GET","route":"/health","status":200,"duration_ms":4.2}
    """
    fields: dict[str, object] = {
        "time": datetime.fromtimestamp(record.date, UTC).isoformat(timespec="milliseconds"),
        "address": record.address,
        "token": record.token_id,
        "method": record.method,
        "route": record.route,
        "status": record.status,
        "duration_ms": round(1_000 * record.duration_s, 1),
    }
    if n_lost:
        fields["lost"] = n_lost
    return json.dumps(fields, separators=(",", ":")) + "\n"


def audit_to(stream: TextIO) -> Callable[[RequestRecord], None]:
    """Return what writes requests to a stream.

    Parameters
    ----------
    stream : text stream

    Returns
    -------
    callable
        A stream that takes no more, such as a closed pipe, or one that nobody reads, does not keep the server
        from serving: the lines are lost, and the next one that is taken says in ``lost`` how many.
    """
    is_ready = _readiness(stream)
    n_lost = 0

    def tell(record: RequestRecord) -> None:
        nonlocal n_lost
        try:
            if is_ready():
                stream.write(audit_line(record, n_lost=n_lost))
                stream.flush()
                n_lost = 0
                return
        except (OSError, ValueError):
            pass
        n_lost += 1

    return tell


def _readiness(stream: TextIO) -> Callable[[], bool]:
    """Return what says whether a line can be written without waiting: pipes then take 4 kB at least."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
    except (OSError, ValueError):  # nothing of the system's: in memory, or closed
        return lambda: True
    return lambda: bool(poll.poll(0))

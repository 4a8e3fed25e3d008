"""The audit log: who has asked for what, one JSON line a request, without anything secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from amper_spark.render.server.watching import Seen


def audit_line(seen: Seen) -> str:
    r"""Write a request down.

    Examples
    --------
    >>> from amper_spark.render.server.watching import Seen
    >>> print(audit_line(Seen(0.0, "192.0.2.7", None, "GET", "/health", 200, 0.0042)), end="")
    {"time":"1970-01-01T00:00:00.000+00:00","address":"192.0.2.7","token":null,"method":"GET","route":"/health","status":200,"duration_ms":4.2}
    """
    fields = {
        "time": datetime.fromtimestamp(seen.date, UTC).isoformat(timespec="milliseconds"),
        "address": seen.address,
        "token": seen.token_id,
        "method": seen.method,
        "route": seen.route,
        "status": seen.status,
        "duration_ms": round(1_000 * seen.duration_s, 1),
    }
    return json.dumps(fields, separators=(",", ":")) + "\n"


def audit_to(stream: TextIO) -> Callable[[Seen], None]:
    """Return what writes requests to a stream.

    Parameters
    ----------
    stream : text stream

    Returns
    -------
    callable
        A stream that takes no more, such as a closed pipe, does not keep the server from serving.
    """

    def tell(seen: Seen) -> None:
        try:
            stream.write(audit_line(seen))
            stream.flush()
        except (OSError, ValueError):
            pass

    return tell

"""Jobs in short: what each is called, and lists of them that read no timeline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from amper_spark.descriptors.naming import titled
from amper_spark.render.server.job import JobSummary, summary_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

MAX_TITLE = 200
"""Letters of a title."""

_ID = re.compile("[0-9a-z_]+")
_TITLED = 3
_UNKNOWING = ("meta", "info")
"""What clients may keep anything in."""

# Numbers are of the order in which jobs were asked for. Of a job that is none of the client's there is none.
_NEWEST = """
SELECT id, kind, client_id, title, status, progress_percent, files, date_create
FROM jobs INDEXED BY jobs_of_client_by_number
WHERE client_id = :client_id AND number < CASE
    WHEN :before IS NULL THEN 9223372036854775807
    ELSE (SELECT number FROM jobs WHERE id = :before AND client_id = :client_id)
END
ORDER BY number DESC LIMIT :limit
"""
_ONE = """
SELECT id, kind, client_id, title, status, progress_percent, files, date_create
FROM jobs INDEXED BY jobs_of_client WHERE id = ? AND client_id = ?
"""


def title_of(request: Mapping[str, Any]) -> str:
    """Say what a job is called: as its file is, or by its descriptors.

    Parameters
    ----------
    request : mapping
        What is asked for; its timeline may be anything.

    Returns
    -------
    str
        Of at most `MAX_TITLE` letters; empty where nothing has a name.

    Examples
    --------
    >>> title_of({"timeline": {"spans": [{"regions": [{"descriptor": "rock_indie_happy"}]}]}})
    'Rock Indie Happy'
    >>> title_of({"timeline": [], "attachment_filename": "cue.mp3"}), title_of({"timeline": 7})
    ('cue.mp3', '')
    """
    if name := request.get("attachment_filename"):
        return str(name)[:MAX_TITLE]
    names = list(dict.fromkeys(_descriptors(request.get("timeline"))))
    titles = [titled(name) if _ID.fullmatch(name) else name for name in names[:_TITLED]]
    more = [f"{len(names) - _TITLED} more"] if len(names) > _TITLED else []
    return ", ".join(titles + more)[:MAX_TITLE]


def newest_of_client(
    connection: sqlite3.Connection, client_id: str, *, before: str | None, limit: int
) -> list[JobSummary]:
    """List the jobs of a client, newest first.

    Parameters
    ----------
    connection : sqlite3.Connection
    client_id : str
    before : str or None
        Id of a job: those that are older. Of none, or of somebody else's, there are none.
    limit : int

    Returns
    -------
    list of JobSummary
    """
    asked = {"client_id": client_id, "before": before, "limit": limit}
    return [summary_of(row) for row in connection.execute(_NEWEST, asked)]


def find_of_client(connection: sqlite3.Connection, job_id: str, client_id: str) -> JobSummary | None:
    """Find a job of a client."""
    row = connection.execute(_ONE, (job_id, client_id)).fetchone()
    return summary_of(row) if row is not None else None


def _descriptors(value: object) -> Iterator[str]:
    """Find the descriptors of a timeline, whatever else is in it."""
    if isinstance(value, dict):
        if isinstance(value.get("descriptor"), str):
            yield value["descriptor"]
        children = [child for key, child in value.items() if key not in _UNKNOWING]
    else:
        children = value if isinstance(value, list) else []
    for child in children:
        yield from _descriptors(child)

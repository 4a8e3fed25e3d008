"""A job, and how far it has come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3


class Kind(StrEnum):
    """What is asked for: the type of the resource."""

    RENDER = "simple_renders"
    COMPOSITION = "simple_compositions"


class Status(StrEnum):
    """How far a job has come, in this order; it ends as created or failed."""

    WAITING_COMPOSE = "WAITING_COMPOSE"
    RUNNING_COMPOSE = "RUNNING_COMPOSE"
    WAITING_RENDER = "WAITING_RENDER"
    RUNNING_RENDER = "RUNNING_RENDER"
    CREATED = "CREATED"
    FAILED_CREATE = "FAILED_CREATE"


WAITING = (Status.WAITING_COMPOSE, Status.WAITING_RENDER)
RUNNING = (Status.RUNNING_COMPOSE, Status.RUNNING_RENDER)
ENDED = (Status.CREATED, Status.FAILED_CREATE)


@dataclass(frozen=True)
class Job:
    """A job as it stands.

    Parameters
    ----------
    id : str
    kind : Kind
    client_id : str
        Who has asked.
    request : dict
        What for: timeline, and for renders preset, make_timeline, attachment_filename.
    status : Status
    progress_percent : int or None
        While it runs.
    attempts : int
        How often it has been begun.
    timeline : dict or None
        The completed one, once there is one.
    files : tuple of dict
        What has been made.
    problem : str or None
        Why it has failed.
    date_create : float
        Seconds since 1970, as are all dates.
    date_update, date_finish : float or None
    """

    id: str
    kind: Kind
    client_id: str
    request: dict[str, Any]
    status: Status
    progress_percent: int | None
    attempts: int
    timeline: dict[str, Any] | None
    files: tuple[dict[str, Any], ...]
    problem: str | None
    date_create: float
    date_update: float | None
    date_finish: float | None


def job_of(row: sqlite3.Row) -> Job:
    """Read a job from its row."""
    return Job(
        id=row["id"],
        kind=Kind(row["kind"]),
        client_id=row["client_id"],
        request=json.loads(row["request"]),
        status=Status(row["status"]),
        progress_percent=row["progress_percent"],
        attempts=row["attempts"],
        timeline=json.loads(row["timeline"]) if row["timeline"] is not None else None,
        files=tuple(json.loads(row["files"])),
        problem=row["problem"],
        date_create=row["date_create"],
        date_update=row["date_update"],
        date_finish=row["date_finish"],
    )

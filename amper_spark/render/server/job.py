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
class JobSummary:
    """A job without its timelines, of which one can be a megabyte.

    Parameters
    ----------
    id : str
    kind : Kind
    client_id : str
        Who has asked.
    title : str
        What people know it by; may be empty.
    status : Status
    progress_percent : int or None
        While it runs.
    files : tuple of dict
        What has been made.
    date_create : float
        Seconds since 1970, as are all dates.
    """

    id: str
    kind: Kind
    client_id: str
    title: str
    status: Status
    progress_percent: int | None
    files: tuple[dict[str, Any], ...]
    date_create: float


@dataclass(frozen=True)
class Job(JobSummary):
    """A job as it stands.

    Parameters
    ----------
    *
        As of `JobSummary`.
    request : dict
        What for: timeline, and for renders preset, make_timeline, attachment_filename.
    attempts : int
        How often it has been begun.
    timeline : dict or None
        The completed one, once there is one.
    n_timeline_bytes : int
        Of both timelines, the one asked for and the completed one, as they are kept.
    problem : str or None
        Why it has failed.
    date_update, date_finish : float or None
    """

    request: dict[str, Any]
    attempts: int
    timeline: dict[str, Any] | None
    n_timeline_bytes: int
    problem: str | None
    date_update: float | None
    date_finish: float | None


def summary_of(row: sqlite3.Row) -> JobSummary:
    """Read a summary from a row."""
    return JobSummary(**_summary(row))


def job_of(row: sqlite3.Row) -> Job:
    """Read a job from its row."""
    return Job(
        **_summary(row),
        request=json.loads(row["request"]),
        attempts=row["attempts"],
        timeline=json.loads(row["timeline"]) if row["timeline"] is not None else None,
        n_timeline_bytes=len(row["request"]) + len(row["timeline"] or ""),  # of ASCII
        problem=row["problem"],
        date_update=row["date_update"],
        date_finish=row["date_finish"],
    )


def _summary(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "kind": Kind(row["kind"]),
        "client_id": row["client_id"],
        "title": row["title"],
        "status": Status(row["status"]),
        "progress_percent": row["progress_percent"],
        "files": tuple(json.loads(row["files"])),
        "date_create": row["date_create"],
    }

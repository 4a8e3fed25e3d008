"""What is asked of a render service, what becomes of it, and where both are written down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

SUBMITTING, SUBMITTED, MADE, FETCHING, ENDED = "submitting", "submitted", "made", "fetching", "ended"
"""The steps of an order, in the log: before and after it is submitted, made, fetched."""

CREATED, FAILED = "CREATED", "FAILED"

_META = "amper_spark"


@dataclass(frozen=True)
class TimelineOrder:
    """A timeline that is to be rendered.

    Parameters
    ----------
    timeline_id : str
    attempt : int >= 1
        How often it has been ordered: each attempt is rendered once.
    timeline : str
        JSON.
    duration_s : float
    place : str
        Where its file goes: a path below the folder of files.
    """

    timeline_id: str
    attempt: int
    timeline: str
    duration_s: float
    place: str

    @property
    def name(self) -> str:
        """Tells the order from all others, in the log and by the service: `idempotency_key`.

        Examples
        --------
        >>> TimelineOrder("a0", 1, "{}", 1.0, "a0.wav").name
        'a0'
        >>> TimelineOrder("a0", 3, "{}", 1.0, "a0.wav").name
        'a0-3'
        """
        return self.timeline_id if self.attempt == 1 else f"{self.timeline_id}-{self.attempt}"

    idempotency_key = name

    def document(self) -> dict[str, Any]:
        """Give the timeline as it is sent: signed, so that its render can be told from those of others.

        Raises
        ------
        ValueError
            It is no JSON object.
        """
        document = json.loads(self.timeline)
        if not isinstance(document, dict):
            raise ValueError("a timeline is an object")
        meta = document.get("meta")
        return {**document, "meta": {**(meta if isinstance(meta, dict) else {}), _META: self.name}}

    def is_of(self, completed: Mapping[str, Any] | None) -> bool:
        """Whether a completed timeline may be this one; one without a signature may be."""
        meta = completed.get("meta") if completed is not None else None
        signature = meta.get(_META) if isinstance(meta, dict) else None
        return signature in (None, self.name)


@dataclass(frozen=True)
class Placed:
    """A file in its place.

    Parameters
    ----------
    uri : str
    size_bytes : int
    etag : str
    modified_at : str
        ISO 8601.
    """

    uri: str
    size_bytes: int
    etag: str
    modified_at: str


@dataclass(frozen=True)
class Outcome:
    """What has become of an order, as it stands in the log.

    Parameters
    ----------
    status : str
        `CREATED` or `FAILED`.
    submitted_at, finished_at : str
        ISO 8601.
    render_id, sha256, completed, error : str or None
    file : Placed or None
    refused : bool
        Whether the service has said that it cannot be made: the same key brings the same answer.
    """

    status: str
    submitted_at: str
    finished_at: str
    render_id: str | None = None
    sha256: str | None = None
    completed: str | None = None
    error: str | None = None
    file: Placed | None = None
    refused: bool = False


class Log(Protocol):
    """Where steps are written down before and after they are done."""

    def add(self, order: TimelineOrder, step: str, told: Mapping[str, Any]) -> None:
        """Write a step down: when this returns, it stays."""


class Shelf(Protocol):
    """Where files are put."""

    def passing(self, place: str) -> AbstractContextManager[Path]:
        """Name a local file to be written, which is put into its place at the end, if that is come to."""

    def find(self, place: str) -> Placed | None:
        """Describe the file in a place, if there is one."""

    def sha256(self, place: str) -> str:
        """Hash the file in a place."""

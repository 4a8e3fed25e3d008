"""Jobs as clients see them: the resources ``simple_renders`` and ``simple_compositions``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from amper_spark.render.server.envelopes import Links  # noqa: TC001 - pydantic reads the annotations
from amper_spark.render.server.job import Job, Kind, Status
from amper_spark.render.server.links import file_path
from amper_spark.render.server.waveform import CONTENT_TYPE as WAVEFORM

if TYPE_CHECKING:
    from amper_spark.render.server.links import Signer

CompositionStatus = Literal["WAITING_COMPOSE", "RUNNING_COMPOSE", "CREATED", "FAILED_CREATE"]
RenderStatus = Literal[
    "WAITING_COMPOSE", "RUNNING_COMPOSE", "WAITING_RENDER", "RUNNING_RENDER", "CREATED", "FAILED_CREATE"
]


class File(BaseModel):
    """A file that a render has made."""

    tracks: list[str] = Field(description="What is to be heard in it; a master: master.")
    content_type: str
    inner_content_type: str | None = Field(description="Of the files inside, if it is an archive.")
    frequency_hz: float
    bits_sample: int
    kbits_second: float
    channel_count: int
    size_bytes: int
    sha256: str = Field(description="Of the file, 64 hexadecimal digits: whether it has come whole.")
    attachment_filename: str | None
    download_url: str = Field(description="Works without a token for a while; ask again for a new one.")


class CompositionView(BaseModel):
    """How far a composition is, and what it has become."""

    status: CompositionStatus
    progress_percent: int | None = Field(ge=0, le=100, description="While it runs.")
    queue_position: int | None = Field(ge=1, description="While it waits: 1 is next.")
    timeline: dict[str, Any] | None = Field(description="Completed, once there is one.")
    problem: str | None = Field(description="Why it has failed.")
    date_create: str
    date_update: str | None


class RenderView(CompositionView):
    """How far a render is, and what it has made."""

    status: RenderStatus  # type: ignore[assignment]  # a render goes through more than a composition
    files: list[File]


class RenderResource(BaseModel):
    """A render."""

    type: Literal["simple_renders"]
    id: str
    attributes: RenderView
    links: Links


class CompositionResource(BaseModel):
    """A composition."""

    type: Literal["simple_compositions"]
    id: str
    attributes: CompositionView
    links: Links


class RenderDocument(BaseModel):
    """A render, wrapped."""

    data: RenderResource
    links: Links


class CompositionDocument(BaseModel):
    """A composition, wrapped."""

    data: CompositionResource
    links: Links


def url_of(job: Job, base: str) -> str:
    """Return the URL of a job."""
    return f"{base}/v1/{job.kind}/{job.id}"


def iso_date(seconds: float | None) -> str | None:
    """Write a date as ISO 8601 with its offset.

    Examples
    --------
    >>> iso_date(1533715688)
    '2018-08-08T08:08:08+00:00'
    """
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def job_document(
    job: Job, *, queue_position: int | None, base: str, signer: Signer, now: float
) -> RenderDocument | CompositionDocument:
    """Show a job.

    Parameters
    ----------
    job : Job
    queue_position : int or None
    base : str
        URL of the server.
    signer : Signer
    now : float
        Seconds since 1970.

    Returns
    -------
    RenderDocument or CompositionDocument
    """
    links = {"self": url_of(job, base)}
    attributes: dict[str, Any] = {
        "status": job.status,
        "progress_percent": job.progress_percent,
        "queue_position": queue_position,
        "timeline": _timeline(job),
        "problem": job.problem,
        "date_create": iso_date(job.date_create),
        "date_update": iso_date(job.date_update),
    }
    resource = {"type": job.kind, "id": job.id, "attributes": attributes, "links": links}
    if job.kind == Kind.COMPOSITION:
        return CompositionDocument.model_validate({"data": resource, "links": links})
    attributes["files"] = [
        _file(file, job, signer.link(base, file_path(job.id, file["name"]), now=now)) for file in job.files
    ]
    return RenderDocument.model_validate({"data": resource, "links": links})


def filename_of(job: Job, file: dict[str, Any]) -> str | None:
    """Say what the download of a file is to be called; the waveform, which nobody saves, has no name."""
    return None if file["content_type"] == WAVEFORM else job.request.get("attachment_filename")


def _timeline(job: Job) -> dict[str, Any] | None:
    if job.kind == Kind.COMPOSITION:
        return job.timeline if job.status == Status.CREATED else None
    return job.timeline if job.request.get("make_timeline") else None


def _file(file: dict[str, Any], job: Job, download_url: str) -> dict[str, Any]:
    told = (
        *("tracks", "content_type", "frequency_hz", "bits_sample", "kbits_second", "channel_count"),
        *("size_bytes", "sha256"),
    )
    return {
        **{name: file[name] for name in told},
        "inner_content_type": file.get("inner_content_type"),
        "attachment_filename": filename_of(job, file),
        "download_url": download_url,
    }

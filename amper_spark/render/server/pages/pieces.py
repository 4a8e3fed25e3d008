"""A job as its page shows it: how far it is, and what has become of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from amper_spark.render.server.job import ENDED, RUNNING, Job, JobSummary, Kind, Status
from amper_spark.render.server.pages.outline import stretches
from amper_spark.render.server.pages.waves import HEIGHT, WIDTH, read_duration_s, read_wave
from amper_spark.render.server.pages.wording import status_words, title_words
from amper_spark.render.server.resources import filename_of
from amper_spark.render.server.waveform import CONTENT_TYPE as WAVEFORM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amper_spark.render.server.pages.listing import DescriptorListing
    from amper_spark.render.server.service import Service

_WAVEFORM_FILE = "waveform.json"
_NOTE = re.compile(r"(WARNING|ERROR): *(.*)", re.DOTALL)
# Composing takes a moment, playing the rest.
_COMPOSING_SHARE = 0.1


def shown(
    job: Job, service: Service, listing: DescriptorListing, instruments: Mapping[str, str]
) -> dict[str, Any]:
    """Gather what the page of a job shows.

    Parameters
    ----------
    job : Job
    service : Service
    listing : DescriptorListing
    instruments : mapping of str to str
        Names by ids.

    Returns
    -------
    dict
    """
    files = [file for file in job.files if file["content_type"] != WAVEFORM]
    wave = read_wave(service.storage.find(job, _WAVEFORM_FILE))
    outline = stretches(job.timeline) if job.timeline is not None else []
    duration_s = outline[-1].end_s if outline else (wave.duration_s if wave else 0.0)
    return {
        "job": job,
        "title": title_words(job),
        "words": words_of(job, service),
        "percent": percent_of(job),
        "is_ended": job.status in ENDED,
        "is_failed": job.status is Status.FAILED_CREATE,
        "is_render": job.kind is Kind.RENDER,
        "files": [(file, filename_of(job, file) or file["name"]) for file in files],
        "player": next((file for file in files if file["content_type"].startswith("audio/")), None),
        "wave": wave,
        "wave_size": (WIDTH, HEIGHT),
        "duration_s": duration_s,
        "stretches": [(one, listing.find(one.descriptor) if one.descriptor else None) for one in outline],
        "instruments": instruments,
        "notes": [_note(text) for text in (job.timeline or {}).get("notifications", [])],
        "seed": (job.timeline or {}).get("random_seed"),
        "keep_hours": service.settings.keep_hours,
    }


def duration_of(job: JobSummary, service: Service) -> float | None:
    """Say how many seconds of music a job has made, where its waveform tells; the timeline is not read."""
    file = service.storage.find(job, _WAVEFORM_FILE)
    return read_duration_s(file)


def words_of(job: JobSummary, service: Service) -> str:
    """Say how far a job is."""
    return status_words(job, service.jobs.queue_position(job))


def percent_of(job: JobSummary) -> int | None:
    """Say how much of a job is done; None while it waits."""
    if job.status in ENDED:
        return 100
    if job.status not in RUNNING or job.progress_percent is None:
        return None
    if job.kind is Kind.COMPOSITION:
        return job.progress_percent
    if job.status is Status.RUNNING_COMPOSE:
        return round(_COMPOSING_SHARE * job.progress_percent)
    return round(100 * _COMPOSING_SHARE + (1 - _COMPOSING_SHARE) * job.progress_percent)


def _note(text: object) -> tuple[str, str]:
    """Tell what a notification is: ``warning``, ``error``, or ``note``; and its words."""
    found = _NOTE.match(str(text))
    return (found[1].lower(), found[2]) if found else ("note", str(text))

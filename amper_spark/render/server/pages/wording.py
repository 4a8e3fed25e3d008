"""Figures and statuses in words for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from amper_spark.descriptors.naming import titled
from amper_spark.render.server.job import JobSummary, Kind, Status
from amper_spark.render.server.resources import iso_date

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KB = 1_000
_MINUTE_S = 60
_WORDS: Mapping[Status, str] = {
    Status.WAITING_COMPOSE: "Waiting for its turn",
    Status.RUNNING_COMPOSE: "Composing",
    Status.WAITING_RENDER: "Waiting for its turn",
    Status.RUNNING_RENDER: "Playing the instruments",
    Status.CREATED: "Ready",
    Status.FAILED_CREATE: "Failed",
}
_TYPES: Mapping[str, str] = {"audio/mp3": "MP3", "audio/wav": "WAV", "application/zip": "Stems (ZIP)"}
_SHARP, _FLAT = "is", "es"


def status_words(job: JobSummary, queue_position: int | None) -> str:
    """Say how far a job is."""
    if queue_position is not None:
        return "Next in line" if queue_position == 1 else f"Number {queue_position} in line"
    return _WORDS[job.status]


def title_words(job: JobSummary) -> str:
    """Say what a job is called."""
    return job.title or "Untitled"


def kind_words(job: JobSummary) -> str:
    """Say what a job has made, or makes."""
    if job.kind is Kind.COMPOSITION:
        return "Timeline"
    return next(
        (_TYPES[file["content_type"]] for file in job.files if file["content_type"] in _TYPES), "Music"
    )


def clock(seconds: float) -> str:
    """Write a duration or a time of a piece.

    Examples
    --------
    >>> clock(0), clock(65.0), clock(12.5), clock(3599.96)
    ('0:00', '1:05', '0:12.5', '60:00')
    """
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 10 * _MINUTE_S)
    tenth = f".{rest % 10}" if rest % 10 else ""
    return f"{minutes}:{rest // 10:02d}{tenth}"


def size(n_bytes: int) -> str:
    """Write the size of a file.

    Examples
    --------
    >>> size(734), size(481_000), size(5_292_044)
    ('1 kB', '481 kB', '5.3 MB')
    """
    if n_bytes < _KB * _KB:
        return f"{max(1, round(n_bytes / _KB))} kB"
    return f"{n_bytes / _KB / _KB:.1f} MB"


def date(seconds: float) -> str:
    """Write a date.

    Examples
    --------
    >>> date(1533715688)
    '2018-08-08 08:08:08 UTC'
    """
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def number(value: float) -> str:
    """Write a number as short as it is, to the hundredth.

    Examples
    --------
    >>> number(96.0), number(97.25), number(97.123)
    ('96', '97.25', '97.12')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def tempo(bpm: float) -> str:
    """Write a tempo, to the tenth of a beat per minute.

    Examples
    --------
    >>> tempo(96.0), tempo(99.23), tempo(120.00000000000001)
    ('96', '99.2', '120')
    """
    return f"{bpm:.1f}".removesuffix(".0")


def tonic(name: str) -> str:
    """Write a tonic as musicians do.

    Examples
    --------
    >>> tonic("cis"), tonic("bes"), tonic("as"), tonic("es"), tonic("g"), tonic("deses"), tonic("?")
    ('C♯', 'B♭', 'A♭', 'E♭', 'G', 'D♭♭', '?')
    """
    accidentals = name[1:]
    if name in ("as", "es", "ases", "eses"):
        accidentals = _FLAT + accidentals[1:]
    flats, sharps = accidentals.count(_FLAT), accidentals.count(_SHARP)
    return name[:1].upper() + "♭" * flats + "♯" * sharps


FILTERS: Mapping[str, Callable[..., str | None]] = {
    "clock": clock,
    "date": date,
    "iso_date": iso_date,
    "kind_words": kind_words,
    "number": number,
    "size": size,
    "tempo": tempo,
    "title_words": title_words,
    "titled": titled,
    "tonic": tonic,
}
"""What templates can write."""

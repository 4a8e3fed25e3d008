"""From reductions to the table `timelines`: what is left to write, and how it is written, without Spark."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import ParameterError
from amper_spark.render.composer.playing_bands import drawn_band
from amper_spark.spark.current_timelines import catalogue_of, missing_timelines, timeline_versions
from amper_spark.spark.loop_schemas import REDUCTIONS, TIMELINES
from amper_spark.terminal import counted
from amper_spark.timeline.parsing import dump_timeline
from amper_spark.timeline.problems import TimelineError
from amper_spark.timeline.reduced import ReducedSegment, ReducedTrack, multi_region, single_region

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from amper_spark import config
    from amper_spark.config import Config
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)

_BATCH = 40_000
"""Timelines in memory at a time, of 1.4 kB each."""
_KEY = list(REDUCTIONS.key)
_DIGITS = 16
_COLUMNS = [*_KEY, "duration_s", "segments", "descriptors", "tempi", "tonics"]
_SAID = ("start_s", "end_s", "section", "descriptor", "tempo_bpm", "tonic")

Row = dict[str, Any]


@dataclass(frozen=True)
class WrittenTimelines:
    """What a run has written.

    Parameters
    ----------
    new : int
        Timelines that were not there before, or were those of an earlier reduction or of other rules.
    tracks : int
        Of how many recordings.
    without : int
        For how many recordings there can be none: a warning says why.
    """

    new: int
    tracks: int
    without: int

    def __str__(self) -> str:
        """Say it in a line."""
        none = f"; none for {counted(self.without, 'recording')}" if self.without else ""
        return f"{self.new:,} new timelines of {counted(self.tracks, 'recording')}{none}"


def write_missing_timelines(
    lake: Lake, labels: pa.Table, config: Config, *, limit: int | None = None
) -> WrittenTimelines:
    """Write the timelines of recordings that are reduced and lack some, batch by batch.

    Parameters
    ----------
    lake : Lake
    labels : pyarrow.Table
        Which recordings, and by which model: see `amper_spark.spark.reduction_units.current_labels`.
    config : amper_spark.config.Config
    limit : int, optional
        Of at most so many recordings.

    Returns
    -------
    WrittenTimelines
    """
    reductions, replaced = missing_timelines(lake, labels, config)
    reductions = reductions.slice(0, limit)
    catalogue, settings = catalogue_of(config), config.timelines
    versions, band = timeline_versions(settings, catalogue), drawn_band(catalogue)
    n_at_once = max(1, _BATCH // (settings.top**3 + settings.variants))
    n_new = n_without = 0
    for part in range(0, reductions.num_rows, n_at_once):
        rows, failed = _rows(lake, reductions.slice(part, n_at_once), settings, band)
        n_without += failed
        batch_id, at = uuid4().hex[:12], datetime.now(UTC)
        stamped = [
            row | {"timeline_version": versions[row["kind"]], "batch_id": batch_id, "at": at} for row in rows
        ]
        table = pa.Table.from_pylist(stamped, schema=TIMELINES.schema)
        file = lake.write_file(TIMELINES.name, [table], stem="timelines")
        if file is not None:
            merged = lake.commit(
                TIMELINES.name, [file], stage="timelines", batch_id=batch_id, replaced=replaced
            )
            n_new += sum(one.records for one in merged.files)
    return WrittenTimelines(n_new, reductions.num_rows - n_without, n_without)


def track_of(row: Mapping[str, Any]) -> ReducedTrack:
    """Take from a row of ``reductions`` what timelines need."""
    segments = sorted(row["segments"], key=lambda one: one["segment"])
    return ReducedTrack(
        track_id=row["track_id"],
        duration_s=row["duration_s"],
        segments=tuple(ReducedSegment(*(one[name] for name in _SAID)) for one in segments),
        descriptors=tuple(one["descriptor"] for one in row["descriptors"]),
        tempi_bpm=tuple(one["tempo_bpm"] for one in row["tempi"]),
        tonics=tuple(one["tonic"] for one in row["tonics"]),
    )


def timeline_rows(
    row: Mapping[str, Any], *, settings: config.Timelines, band: Callable[[str, int], Sequence[str]]
) -> Iterator[Row]:
    """Write the timelines of a reduction.

    Parameters
    ----------
    row : mapping
        Of ``reductions``.
    settings : amper_spark.config.Timelines
    band : callable
        See `amper_spark.timeline.reduced.single_region`.

    Yields
    ------
    dict
        A row of ``timelines``, without version and stamp.

    Raises
    ------
    TimelineError
        The recording is longer, or has more segments, than a timeline may.
    ParameterError
        It is too short for music.
    """
    track, key = track_of(row), {name: row[name] for name in _KEY}
    singles = single_region(track, band=band, top=settings.top) if settings.top else ()
    for made in chain(singles, multi_region(track, band=band, variants=settings.variants)):
        said = {
            **key,
            "kind": made.kind,
            "variant": made.variant,
            "seed": made.seed,
            "descriptor": made.descriptor,
            "tempo_bpm": made.tempo_bpm,
            "tonic": made.tonic,
            "duration_s": made.duration_s,
            "timeline": json.dumps(dump_timeline(made.timeline)),
        }
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
        yield {"timeline_id": digest[:_DIGITS], **said}


def _rows(
    lake: Lake,
    reductions: pa.Table,
    settings: config.Timelines,
    band: Callable[[str, int], Sequence[str]],
) -> tuple[list[Row], int]:
    rows: list[Row] = []
    failed = 0
    wanted = {tuple(row.values()) for row in reductions.select(_KEY).to_pylist()}
    where = pc.field("track_id").isin(reductions["track_id"].combine_chunks())
    for piece in lake.scan(REDUCTIONS.name, _COLUMNS, where=where):
        for row in piece.to_pylist():
            if tuple(row[name] for name in _KEY) not in wanted:
                continue
            try:
                made = list(timeline_rows(row, settings=settings, band=band))
            except (TimelineError, ParameterError) as error:
                failed += 1
                _LOG.warning("no timelines for track %s: %s", row["track_id"], error)
            else:
                rows += made
    return rows, failed

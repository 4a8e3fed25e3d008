"""From reductions to the table `timelines`: what is left to write, and how it is written, without Spark."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.errors import ParameterError
from amper_spark.render.composer.playing_bands import drawn_band
from amper_spark.spark.loop_schemas import REDUCTIONS, TIMELINES
from amper_spark.spark.pending import without
from amper_spark.spark.reduction_units import reduction_version
from amper_spark.spark.schemas import LABELS
from amper_spark.terminal import counted
from amper_spark.timeline.parsing import dump_timeline
from amper_spark.timeline.problems import TimelineError
from amper_spark.timeline.reduced import ReducedSegment, ReducedTrack, multi_region, single_region

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from amper_spark import config
    from amper_spark.config import Config
    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)

_REVISION = 1
"""Raised whenever the same reduction becomes other timelines."""
_BATCH = 2_000
_KEY = list(REDUCTIONS.key)
_DIGITS = 16
_COLUMNS = [*_KEY, "duration_s", "segments", "descriptors", "tempi", "tonics"]
_SAID = ("segment", "start_s", "end_s", "section", "descriptor", "tempo_bpm", "tonic")

Row = dict[str, Any]


def timeline_version(settings: config.Timelines, catalogue: Catalogue) -> str:
    """Name how timelines are written: 12 hexadecimal digits, a hash of all that decides it."""
    said = {
        "revision": _REVISION,
        "catalogue": catalogue.version,
        "instruments": load_instruments().version,
        **settings.model_dump(),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class WrittenTimelines:
    """What a run has written.

    Parameters
    ----------
    new : int
        Timelines that were not there before: one that is written again is the same, and stays as it is.
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


def write_missing_timelines(lake: Lake, labels: pa.Table, config: Config) -> WrittenTimelines:
    """Write the timelines of all recordings that are reduced and have none.

    Parameters
    ----------
    lake : Lake
    labels : pyarrow.Table
        Which recordings, and by which model: see `amper_spark.spark.reduction_units.current_labels`.
    config : amper_spark.config.Config
    """
    folder = config.render.catalogue
    catalogue = load_catalogue() if folder is None else load_catalogue(Path(folder).expanduser())
    version = timeline_version(config.timelines, catalogue)
    reductions = lake.read(REDUCTIONS.name, _KEY).join(
        labels.select(list(LABELS.key)), list(LABELS.key), join_type="left semi"
    )
    reductions = reductions.filter(pc.field("reduction_version") == reduction_version(config.reduction))
    written = lake.read(TIMELINES.name, [*_KEY, "timeline_version"])
    left = without(reductions, written.filter(pc.field("timeline_version") == version), _KEY)
    return write_timelines(lake, left, settings=config.timelines, catalogue=catalogue)


def write_timelines(
    lake: Lake, reductions: pa.Table, *, settings: config.Timelines, catalogue: Catalogue
) -> WrittenTimelines:
    """Write the timelines of reductions, batch by batch.

    Parameters
    ----------
    lake : Lake
    reductions : pyarrow.Table
        Key columns of the reductions that timelines are to be written for.
    settings : amper_spark.config.Timelines
    catalogue : Catalogue

    Returns
    -------
    WrittenTimelines
    """
    version = timeline_version(settings, catalogue)
    band = drawn_band(catalogue)
    n_new = n_without = 0
    for part in range(0, reductions.num_rows, _BATCH):
        rows, failed = _rows(lake, reductions.slice(part, _BATCH), settings, band)
        n_without += failed
        batch_id = uuid4().hex[:12]
        stamp = {"timeline_version": version, "batch_id": batch_id, "at": datetime.now(UTC)}
        table = pa.Table.from_pylist([row | stamp for row in rows], schema=TIMELINES.schema)
        file = lake.write_file(TIMELINES.name, [table], stem="timelines")
        if file is not None:
            merged = lake.commit(TIMELINES.name, [file], stage="timelines", batch_id=batch_id)
            n_new += sum(one.records for one in merged.files)
    return WrittenTimelines(n_new, reductions.num_rows, n_without)


def track_of(row: Mapping[str, Any]) -> ReducedTrack:
    """Take from a row of ``reductions`` what timelines need."""
    segments = sorted(row["segments"], key=lambda one: one["segment"])
    return ReducedTrack(
        track_id=row["track_id"],
        duration_s=row["duration_s"],
        segments=tuple(ReducedSegment(*(one[name] for name in _SAID[1:])) for one in segments),
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
                rows += timeline_rows(row, settings=settings, band=band)
            except (TimelineError, ParameterError) as error:
                failed += 1
                _LOG.warning("no timelines for track %s: %s", row["track_id"], error)
    return rows, failed

"""``amper-spark show``: find tracks in the lake, print their tables, draw their pictures."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from rich.console import Console

from amper_spark.audio import decode
from amper_spark.errors import AmperSparkError, BadRecordError
from amper_spark.report.pictures import overview_picture, track_picture, waveform_envelope
from amper_spark.report.tables import segments_table, tracks_table
from amper_spark.report.track import track_report
from amper_spark.spark.lake import Lake
from amper_spark.spark.sources import local_path
from amper_spark.spark.views import current_analyses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from amper_spark.report.pictures import Envelope
    from amper_spark.report.track import TrackReport

MOST_TRACKS = 200
"""More than a terminal shows and a person reads."""

Row = dict[str, Any]


def show_tracks(
    lake_uri: str,
    names: Sequence[str],
    *,
    every: bool = False,
    pictures: Path | None = None,
    overview: Path | None = None,
) -> None:
    """Print what was found in some tracks, or in all, and draw it.

    Parameters
    ----------
    lake_uri : str
    names : sequence of str
        Track ids, keys or parts of keys. Empty: all tracks.
    every : bool
        Without names: print each track's segments rather than a line a track.
    pictures : Path, optional
        Folder for a PNG a track.
    overview : Path, optional
        PNG with the form of all these tracks.

    Raises
    ------
    AmperSparkError
        If there is nothing to show.
    """
    tracks, left_out = find_tracks(Lake(lake_uri), names)
    console = Console()
    if names or every:
        for track in tracks:
            console.print(segments_table(track))
    else:
        console.print(tracks_table(tracks))
    if left_out:
        console.print(f"... and {left_out:,} more: name some, or `amper-spark export segments --to FILE`")
    analysed = [track for track in tracks if track.outcome == "done"]
    if pictures is not None:
        for track in analysed:
            console.print(f"picture: {_draw_track(track, pictures)}", highlight=False, soft_wrap=True)
    if overview is not None and analysed:
        overview.parent.mkdir(parents=True, exist_ok=True)
        overview_picture(analysed, [_envelope(track) for track in analysed]).savefig(overview)
        console.print(f"picture: {overview}", highlight=False, soft_wrap=True)


def find_tracks(lake: Lake, names: Sequence[str]) -> tuple[list[TrackReport], int]:
    """Find analysed tracks by id, key or part of the key; the first ones without names.

    Parameters
    ----------
    lake : amper_spark.spark.lake.Lake
    names : sequence of str

    Returns
    -------
    reports : list of TrackReport
        By key, at most `MOST_TRACKS`.
    left_out : int
        How many more there are.

    Raises
    ------
    AmperSparkError
        If a name fits no track, or nothing has been analysed.
    """
    tracks = [row for row in lake.read("tracks").to_pylist() if row["deleted_at"] is None]
    chosen: dict[str, Row] = {}
    for name in names or [""]:
        exact = [row for row in tracks if name in (row["track_id"], row["key"])]
        found = exact or [row for row in tracks if name in row["key"]]
        if name and not found:
            raise AmperSparkError(f"no track is called {name!r}: `amper-spark show` lists them")
        chosen |= {row["track_id"]: row for row in found}
    analysed = set(lake.read("analyses", ["track_id"])["track_id"].to_pylist())
    shown = sorted((row for row in chosen.values() if row["track_id"] in analysed), key=itemgetter("key"))
    analyses = current_analyses(lake, [row["track_id"] for row in shown[:MOST_TRACKS]])
    reports = [
        track_report(row, analyses[row["track_id"]])
        for row in shown[:MOST_TRACKS]
        if row["track_id"] in analyses
    ]
    if not reports:
        raise AmperSparkError(
            f"nothing analysed in {lake.uri}: run `amper-spark catalog MUSIC` and `amper-spark analyze`"
        )
    return reports, max(0, len(shown) - MOST_TRACKS)


def _draw_track(track: TrackReport, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    # Keys may hold what file systems and terminals dislike; the id keeps names apart.
    readable = re.sub(r"[^\w.-]+", "_", track.title)[:80]
    file = folder / f"{readable}-{track.track_id[:8]}.png"
    track_picture(track, _envelope(track)).savefig(file)
    return file


def _envelope(track: TrackReport) -> Envelope | None:
    try:
        return waveform_envelope(samples=decode(local_path(track.uri)).samples)
    except (OSError, BadRecordError):
        return None  # moved or unreachable since: the picture does without the waveform

"""``amper-spark show``: find tracks in the lake, print their tables, draw their pictures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console

from amper_spark.decoder import Decoder
from amper_spark.errors import AmperSparkError, BadRecordError
from amper_spark.report.pictures import overview_picture, track_picture, waveform_envelope
from amper_spark.report.tables import segments_table, tracks_table
from amper_spark.report.track import track_report
from amper_spark.spark.lake import Lake
from amper_spark.spark.sources import check_unchanged, local_path
from amper_spark.spark.views import current_analyses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from amper_spark.report.pictures import Envelope
    from amper_spark.report.track import TrackReport

MOST_TRACKS = 200
"""More than a terminal shows and a person reads."""

_KEYS_NAMED = 3
_TRACK_COLUMNS = ("track_id", "key", "uri", "etag", "deleted_at")


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
    if pictures is not None or (overview is not None and analysed):
        _draw(analysed, pictures, overview, console)


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
    tracks = lake.read("tracks", _TRACK_COLUMNS)
    named = _named(tracks.filter(pc.is_null(tracks["deleted_at"])), names)
    analysed = lake.read("analyses", ["track_id", "etag"])
    shown = named.join(analysed, ["track_id", "etag"], join_type="left semi").sort_by("key")
    if shown.num_rows == 0:
        if names:
            raise AmperSparkError(
                f"not analysed as it is now: {_some(named['key'])}; run `amper-spark analyze`"
            )
        raise AmperSparkError(
            f"nothing analysed in {lake.uri}: run `amper-spark catalog MUSIC` and `amper-spark analyze`"
        )
    rows = shown.slice(0, MOST_TRACKS).to_pylist()
    analyses = current_analyses(lake, [row["track_id"] for row in rows])
    reports = [track_report(row, analyses[row["track_id"]]) for row in rows if row["track_id"] in analyses]
    return reports, shown.num_rows - len(rows)


def _named(tracks: pa.Table, names: Sequence[str]) -> pa.Table:
    if not names:
        return tracks
    chosen = pa.array([False] * tracks.num_rows)
    for name in names:
        found = pc.or_(pc.equal(tracks["track_id"], name), pc.equal(tracks["key"], name))
        if not pc.any(found).as_py():
            found = pc.match_substring(tracks["key"], name)
        if not pc.any(found).as_py():
            raise AmperSparkError(f"no track is called {name!r}: `amper-spark show` lists them")
        chosen = pc.or_(chosen, found)
    return tracks.filter(chosen)


def _some(keys: pa.ChunkedArray) -> str:
    left = len(keys) - _KEYS_NAMED
    return ", ".join(keys[:_KEYS_NAMED].to_pylist()) + (f" and {left:,} more" if left > 0 else "")


def _draw(
    tracks: Sequence[TrackReport], pictures: Path | None, overview: Path | None, console: Console
) -> None:
    envelopes: list[Envelope | None] = []
    with Decoder() as decoder:
        for track in tracks:
            envelope, trouble = _envelope(track, decoder)
            envelopes.append(envelope)
            if trouble is not None:
                _say(
                    console, f"{track.key} is drawn from its analysis alone, without the waveform ({trouble})"
                )
            if pictures is not None:
                file = _picture_file(track, pictures)
                track_picture(track, envelope).savefig(file)
                _say(console, f"picture: {file}")
    if overview is not None:
        overview.parent.mkdir(parents=True, exist_ok=True)
        overview_picture(tracks, envelopes).savefig(overview)
        _say(console, f"picture: {overview}")


def _picture_file(track: TrackReport, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    # Keys may hold what file systems and terminals dislike; the id keeps names apart.
    readable = re.sub(r"[^\w.-]+", "_", track.title)[:80]
    return folder / f"{readable}-{track.track_id[:8]}.png"


def _envelope(track: TrackReport, decoder: Decoder) -> tuple[Envelope | None, str | None]:
    """Return the waveform to draw, or why there is none."""
    try:
        check_unchanged(track.uri, track.etag)
        return waveform_envelope(samples=decoder.decode(local_path(track.uri)).samples), None
    except BadRecordError as error:
        return None, error.detail
    except OSError as error:
        return None, error.strerror or str(error)


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)

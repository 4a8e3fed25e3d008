"""``amper-spark show``: find tracks in the lake, print their tables, draw their pictures."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.appearing import named_in_errors
from amper_spark.decoder import Decoder
from amper_spark.errors import AmperSparkError, BadRecordError, ParameterError
from amper_spark.report.names import file_names, titles
from amper_spark.report.pictures import (
    PICTURE_SUFFIXES,
    overview_picture,
    save_picture,
    track_picture,
    waveform_envelope,
)
from amper_spark.report.tables import quarantine_table, segments_table, tracks_table
from amper_spark.report.track import track_report
from amper_spark.spark.corpora import check_known
from amper_spark.spark.lake import Lake
from amper_spark.spark.sources import check_unchanged, local_path
from amper_spark.spark.views import current_analyses
from amper_spark.suggestions import did_you_mean
from amper_spark.terminal import output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from amper_spark.report.pictures import Envelope
    from amper_spark.report.track import TrackReport

MOST_TRACKS = 200
"""More than a terminal shows and a person reads."""

_KEYS_NAMED = 3
_TRACK_COLUMNS = ("track_id", "corpus", "key", "uri", "etag", "deleted_at")


def show_tracks(
    lake_uri: str,
    names: Sequence[str],
    *,
    corpus: str | None = None,
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
    corpus : str, optional
        Only tracks of this corpus.
    every : bool
        Without names: print each track's segments rather than a line a track.
    pictures : Path, optional
        Folder for a PNG a track; it is made.
    overview : Path, optional
        Picture with the form of all these tracks, in a folder that is there.

    Raises
    ------
    AmperSparkError
        If there is nothing to show, or the overview cannot be written under its name.
    """
    if overview is not None:
        _check_overview(overview)
    lake = Lake(lake_uri)
    tracks, left_out = find_tracks(lake, names, corpus=corpus)
    console = output()
    if names or every:
        _print_each(tracks, console)
    else:
        _print_list(tracks, console)
    if left_out:
        command = _command(lake, "export segments --to FILE")
        _say(console, f"... and {left_out:,} more: name some, or {command}")
    if pictures is not None or overview is not None:
        _draw([track for track in tracks if track.outcome == "done"], pictures, overview, console)


def _check_overview(file: Path) -> None:
    if file.suffix.lower() not in PICTURE_SUFFIXES:
        raise ParameterError(
            f"cannot draw {file.suffix or 'a file without suffix'}: use {', '.join(PICTURE_SUFFIXES)}"
        )
    if not file.parent.is_dir():
        raise ParameterError(f"there is no folder {file.parent}")


def _print_each(tracks: Sequence[TrackReport], console: Console) -> None:
    for track in tracks:
        if track.outcome == "done":
            console.print(segments_table(track), crop=False)
        else:
            _say(console, f"{track.title}: quarantined: {track.reason}: {track.detail or ''}")


def _print_list(tracks: Sequence[TrackReport], console: Console) -> None:
    analysed = [track for track in tracks if track.outcome == "done"]
    if analysed:
        console.print(tracks_table(analysed), crop=False)
    if len(analysed) < len(tracks):
        refused = [track for track in tracks if track.outcome != "done"]
        console.print(quarantine_table(refused), crop=False)


def find_tracks(
    lake: Lake, names: Sequence[str], *, corpus: str | None = None
) -> tuple[list[TrackReport], int]:
    """Find analysed tracks by id, key or part of the key; the first ones without names.

    Parameters
    ----------
    lake : amper_spark.spark.lake.Lake
    names : sequence of str
    corpus : str, optional
        Only tracks of this corpus.

    Returns
    -------
    reports : list of TrackReport
        By key, at most `MOST_TRACKS`.
    left_out : int
        How many more there are.

    Raises
    ------
    AmperSparkError
        If a name fits no track, there is no such corpus, or nothing has been analysed.
    """
    tracks = lake.read("tracks", _TRACK_COLUMNS)
    tracks = tracks.filter(pc.is_null(tracks["deleted_at"]))
    if corpus is not None:
        check_known(lake, corpus)
        tracks = tracks.filter(pc.equal(tracks["corpus"], corpus))
    named = _named(tracks, names, lake)
    analysed = lake.read("analyses", ["track_id", "etag"])
    shown = named.join(analysed, ["track_id", "etag"], join_type="left semi").sort_by("key")
    if shown.num_rows == 0:
        if names:
            raise AmperSparkError(
                f"not analysed as it is now: {_some(named['key'])}; run {_command(lake, 'analyze')}"
            )
        if corpus is not None and tracks.num_rows:
            advice = _command(lake, "analyze", f" --corpus {shlex.quote(corpus)}")
            raise AmperSparkError(f"nothing of corpus {corpus} is analysed yet: run {advice}")
        first = "" if tracks.num_rows else f"{_command(lake, 'catalog MUSIC')} and "
        raise AmperSparkError(f"nothing analysed in {lake.uri}: run {first}{_command(lake, 'analyze')}")
    rows = shown.slice(0, MOST_TRACKS).to_pylist()
    analyses = current_analyses(lake, [row["track_id"] for row in rows])
    rows_titles = zip(rows, titles([(row["corpus"], row["key"]) for row in rows]), strict=True)
    reports = [
        track_report(row, analyses[row["track_id"]], title=title)
        for row, title in rows_titles
        if row["track_id"] in analyses
    ]
    return reports, shown.num_rows - len(rows)


def _named(tracks: pa.Table, names: Sequence[str], lake: Lake) -> pa.Table:
    if not names:
        return tracks
    chosen = pa.array([False] * tracks.num_rows)
    for name in names:
        found = pc.or_(pc.equal(tracks["track_id"], name), pc.equal(tracks["key"], name))
        if not pc.any(found).as_py():
            found = pc.match_substring(tracks["key"], name)
        if not pc.any(found).as_py():
            found = pc.match_substring(tracks["key"], name, ignore_case=True)
        if not pc.any(found).as_py():
            keys = tracks["key"].to_pylist()
            near = did_you_mean(name, [*keys, *(PurePosixPath(key).stem for key in keys)])
            raise AmperSparkError(f"no track is called {name!r}: {_command(lake, 'show')} lists them{near}")
        chosen = pc.or_(chosen, found)
    return tracks.filter(chosen)


def _some(keys: pa.ChunkedArray) -> str:
    left = len(keys) - _KEYS_NAMED
    return ", ".join(keys[:_KEYS_NAMED].to_pylist()) + (f" and {left:,} more" if left > 0 else "")


def _command(lake: Lake, command: str, options: str = "") -> str:
    return f"`amper-spark {command} --lake {shlex.quote(lake.uri)}{options}`"


def _draw(
    tracks: Sequence[TrackReport], pictures: Path | None, overview: Path | None, console: Console
) -> None:
    if not tracks:
        _say(console, "no picture: there is no analysis to draw")
        return
    if pictures is not None:
        with named_in_errors(pictures):
            pictures.mkdir(parents=True, exist_ok=True)
    envelopes: list[Envelope | None] = []
    names = file_names([(track.title, track.track_id) for track in tracks])
    with Decoder() as decoder:
        for track, name in zip(tracks, names, strict=True):
            envelope, trouble = _envelope(track, decoder)
            envelopes.append(envelope)
            if trouble is not None:
                _say(
                    console, f"{track.key} is drawn from its analysis alone, without the waveform ({trouble})"
                )
            if pictures is not None:
                file = pictures / f"{name}.png"
                save_picture(track_picture(track, envelope), file)
                _say(console, f"picture: {file}")
    if overview is not None:
        save_picture(overview_picture(tracks, envelopes), overview)
        _say(console, f"picture: {overview}")


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

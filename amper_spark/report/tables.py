"""Tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from amper_spark.report.palette import section_colour

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.report.track import TrackReport


def segments_table(track: TrackReport) -> Table:
    """Table of the formal segments of a track: time, tempo, tonic.

    Parameters
    ----------
    track : TrackReport
        Of an analysed track.

    Returns
    -------
    rich.table.Table
    """
    table = Table(title=_headline(track), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("section", justify="center")
    for name in ("start", "end", "length", "tempo", "tonic"):
        table.add_column(name, justify="right")
    for segment in track.segments:
        colour = section_colour(segment.section)
        table.add_row(
            Text(f" {segment.section} ", style=f"bold black on {colour}"),
            clock(segment.start_s),
            clock(segment.end_s),
            f"{segment.end_s - segment.start_s:.1f} s",
            f"{segment.tempo_bpm:.1f} BPM",
            segment.tonic,
        )
    return table


def tracks_table(tracks: Sequence[TrackReport]) -> Table:
    """Table with one line a track.

    Parameters
    ----------
    tracks : sequence of TrackReport
        Analysed ones.

    Returns
    -------
    rich.table.Table
    """
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("track", overflow="fold")
    for name in ("duration", "tempo", "tonic"):
        table.add_column(name, justify="right")
    table.add_column("form", overflow="fold")
    for track in tracks:
        table.add_row(
            escape(track.key),
            clock(track.duration_s or 0.0),
            f"{track.tempo_bpm:.1f} BPM",
            track.tonic,
            track.form,
        )
    return table


def quarantine_table(tracks: Sequence[TrackReport]) -> Table:
    """Table of tracks that were refused, with the reason in a word.

    Parameters
    ----------
    tracks : sequence of TrackReport
        Quarantined ones.

    Returns
    -------
    rich.table.Table
    """
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("quarantined", overflow="fold")
    table.add_column("reason", no_wrap=True)
    for track in tracks:
        table.add_row(escape(track.key), track.reason)
    return table


def clock(time_s: float) -> str:
    """Write a time as minutes and seconds.

    Examples
    --------
    >>> clock(83.27), clock(59.96)
    ('1:23.3', '1:00.0')
    """
    minutes, tenths = divmod(round(time_s * 10), 600)
    return f"{minutes}:{tenths // 10:02d}.{tenths % 10}"


def _headline(track: TrackReport) -> str:
    title = f"[bold]{escape(track.title)}[/bold]"
    return (
        f"{title}  {clock(track.duration_s or 0.0)}  {track.tempo_bpm:.1f} BPM  {track.tonic}  {track.form}"
    )

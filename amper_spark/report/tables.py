"""Tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from amper_spark.report.palette import section_colour
from amper_spark.terminal import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Group

    from amper_spark.report.track import TrackReport


def segments_table(track: TrackReport) -> Group:
    """Table of the formal segments of a track: time, tempo, tonic.

    Parameters
    ----------
    track : TrackReport
        Of an analysed track.

    Returns
    -------
    rich.console.Group
    """
    table = Table(box=box.SIMPLE_HEAD)
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
    return whole(table, title=_headline(track))


def tracks_table(tracks: Sequence[TrackReport]) -> Group:
    """Table with one line a track.

    Parameters
    ----------
    tracks : sequence of TrackReport
        Analysed ones.

    Returns
    -------
    rich.console.Group
    """
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("track")
    for name in ("duration", "tempo", "tonic"):
        table.add_column(name, justify="right")
    table.add_column("form")
    for track in tracks:
        table.add_row(
            escape(track.key),
            clock(track.duration_s or 0.0),
            f"{track.tempo_bpm:.1f} BPM",
            track.tonic,
            track.form,
        )
    return whole(table, unbroken=["track"])


def quarantine_table(tracks: Sequence[TrackReport]) -> Group:
    """Table of tracks that were refused, with the reason in a word.

    Parameters
    ----------
    tracks : sequence of TrackReport
        Quarantined ones.

    Returns
    -------
    rich.console.Group
    """
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("quarantined")
    table.add_column("reason")
    for track in tracks:
        table.add_row(escape(track.key), track.reason)
    return whole(table, unbroken=["quarantined"])


def clock(time_s: float) -> str:
    """Write a time as minutes and seconds.

    Examples
    --------
    >>> clock(83.27), clock(59.96)
    ('1:23.3', '1:00.0')
    """
    minutes, tenths = divmod(round(time_s * 10), 600)
    return f"{minutes}:{tenths // 10:02d}.{tenths % 10}"


def _headline(track: TrackReport) -> Text:
    found = (clock(track.duration_s or 0.0), f"{track.tempo_bpm:.1f} BPM", track.tonic, track.form)
    return Text("  ").join([Text(track.title, style="bold"), *map(Text, found)])

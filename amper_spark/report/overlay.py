"""A recording and renders made for it, one waveform over the other: whether their forms are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from amper_spark.report.palette import section_colour
from amper_spark.report.pictures import Envelope, new_figure, time_axis
from amper_spark.report.tables import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from amper_spark.report.track import TrackReport

_GREY = "#8a8a8a"


def overlay_picture(track: TrackReport, envelope: Envelope, renders: Mapping[str, Envelope]) -> Figure:
    """Draw the waveform of a recording, and over it those of its renders, one below the other.

    Parameters
    ----------
    track : TrackReport
        Of the recording: its segments are drawn as lines and colours.
    envelope : np.ndarray [shape=(3, column)]
        Of the recording, see `amper_spark.report.pictures.waveform_envelope`.
    renders : mapping of str to np.ndarray
        Envelopes of the renders by what each is called, at least one.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(12, 0.6 + 1.9 * len(renders))
    axes = figure.subplots(len(renders), 1, sharex=True, squeeze=False)[:, 0]
    figure.suptitle(
        f"{track.title}   {clock(track.duration_s or 0.0)}   grey: the recording, in colour: renders",
        x=0.01,
        ha="left",
        fontweight="bold",
        parse_math=False,
    )
    for row, (name, render) in zip(axes, renders.items(), strict=True):
        _draw(row, track, envelope, render)
        row.set_title(name, loc="left", fontsize=9, parse_math=False)
    time_axis(axes[-1], track.duration_s or 0.0)
    return figure


def _draw(axes: Axes, track: TrackReport, recording: Envelope, render: Envelope) -> None:
    time_s, low, high = _scaled(recording)
    axes.fill_between(time_s, low, high, color=_GREY, alpha=0.55, linewidth=0)
    time_s, low, high = _scaled(render)
    for segment in track.segments:
        first, last = np.searchsorted(time_s, [segment.start_s, segment.end_s])
        part = slice(max(first - 1, 0), last + 1)
        colour = section_colour(segment.section)
        axes.fill_between(time_s[part], low[part], high[part], color=colour, alpha=0.75, linewidth=0)
        axes.axvline(segment.start_s, color="black", linewidth=0.8)
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _scaled(envelope: Envelope) -> Envelope:
    """Bring a waveform to full height: what is compared is the form, not the level."""
    time_s, low, high = envelope
    scale = max(float(np.abs([low, high]).max()), 1e-9)
    return np.stack([time_s, low / scale, high / scale])

"""Pictures of a track: waveform, form, chroma and tempo over time."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.appearing import named_in_errors
from amper_spark.errors import MissingExtraError
from amper_spark.features.registry import PITCH_CLASSES
from amper_spark.grid import SAMPLE_RATE
from amper_spark.report.palette import section_colour
from amper_spark.report.tables import clock
from amper_spark.report.tempo_curve import tempo_curve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from amper_spark.report.track import TrackReport

ENVELOPE_COLUMNS = 2_400
"""Points of a drawn waveform: two a pixel."""

PICTURE_SUFFIXES = (".png", ".svg", ".pdf")
"""What `save_picture` writes."""

Envelope = npt.NDArray[np.float32]


def waveform_envelope(*, samples: npt.NDArray[np.float32]) -> Envelope:
    """Reduce a waveform to what a picture can show.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)]
        Mono signal at 22,050 Hz.

    Returns
    -------
    np.ndarray [shape=(3, column)]
        Time in s, minimum and maximum of each stretch.

    Examples
    --------
    >>> waveform_envelope(samples=np.ones(22_050, np.float32)).shape[0]
    3
    """
    starts = np.unique(np.linspace(0, samples.size, ENVELOPE_COLUMNS, endpoint=False, dtype=np.intp))
    low, high = np.minimum.reduceat(samples, starts), np.maximum.reduceat(samples, starts)
    return np.stack([starts / SAMPLE_RATE, low, high]).astype(np.float32)


def track_picture(track: TrackReport, envelope: Envelope | None) -> Figure:
    """Draw one track: waveform coloured by section, chroma with the tonic, tempo.

    Parameters
    ----------
    track : TrackReport
        Of an analysed track.
    envelope : np.ndarray [shape=(3, column)] or None
        See `waveform_envelope`; None where the file is out of reach: the level of the windows is drawn.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(12, 7)
    form, chroma, tempo = figure.subplots(3, 1, sharex=True, height_ratios=[2, 2, 1.5])
    figure.suptitle(
        f"{track.title}   {clock(track.duration_s or 0.0)}   {track.tempo_bpm:.1f} BPM   tonic {track.tonic}",
        x=0.01,
        ha="left",
        fontweight="bold",
        parse_math=False,
    )
    _draw_form(form, track, envelope)
    form.set_ylabel("waveform and form")
    _draw_chroma(chroma, track)
    _draw_tempo(tempo, track)
    tempo.set_xlabel("time")
    time_axis(tempo, track.duration_s or 0.0)
    return figure


def overview_picture(tracks: Sequence[TrackReport], envelopes: Sequence[Envelope | None]) -> Figure:
    """Draw the form of several tracks below each other, on one time scale.

    Parameters
    ----------
    tracks : sequence of TrackReport
        Analysed tracks, at least one.
    envelopes : sequence of np.ndarray or None
        A waveform a track.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(12, 0.6 + 1.35 * len(tracks))
    axes = figure.subplots(len(tracks), 1, sharex=True, squeeze=False)[:, 0]
    for row, track, envelope in zip(axes, tracks, envelopes, strict=True):
        _draw_form(row, track, envelope)
        row.spines[:].set_visible(False)
        row.set_title(
            f"{track.title}   {track.tempo_bpm:.1f} BPM   tonic {track.tonic}",
            loc="left",
            fontsize=9,
            parse_math=False,
        )
    time_axis(axes[-1], max(track.duration_s or 0.0 for track in tracks))
    return figure


def save_picture(figure: Figure, file: Path) -> None:
    """Write a picture.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    file : Path
        Ends in one of `PICTURE_SUFFIXES`. A file that is there is replaced.

    Raises
    ------
    WritingError
        No permission, no room.
    """
    with named_in_errors(file), warnings.catch_warnings():
        # A box in a title tells as much as a warning for each letter that the font has not got.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(file)


def new_figure(width_in: float, height_in: float, *, dpi: int = 110) -> Figure:
    """Begin a picture of so many inches.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("drawing pictures", "figures") from error
    return Figure(figsize=(width_in, height_in), dpi=dpi, layout="constrained")


def _draw_form(axes: Axes, track: TrackReport, envelope: Envelope | None) -> None:
    time_s, low, high = _level(track) if envelope is None else envelope
    scale = max(float(np.abs([low, high]).max()), 1e-9)
    for segment in track.segments:
        colour = section_colour(segment.section)
        axes.axvspan(segment.start_s, segment.end_s, color=colour, alpha=0.3, linewidth=0)
        # One column beyond the end, so that neighbouring segments meet.
        first, last = np.searchsorted(time_s, [segment.start_s, segment.end_s])
        part = slice(max(first - 1, 0), last + 1)
        axes.fill_between(time_s[part], low[part] / scale, high[part] / scale, color=colour, linewidth=0)
        axes.axvline(segment.start_s, color="black", linewidth=0.6)
        axes.text(
            (segment.start_s + segment.end_s) / 2,
            1.22,
            segment.section,
            ha="center",
            va="center",
            fontweight="bold",
            clip_on=True,
        )
    axes.set_ylim(-1.05, 1.45)
    axes.set_yticks([])


def _level(track: TrackReport) -> tuple[npt.NDArray[np.float64], ...]:
    rms = track.windows["rms"]
    return _centres(track), -rms, rms


def _centres(track: TrackReport) -> npt.NDArray[np.float64]:
    return (track.windows["start_s"] + track.windows["end_s"]) / 2


def _draw_chroma(axes: Axes, track: TrackReport) -> None:
    centre_s = _centres(track)
    # A window is drawn about its centre, the first and the last as far as they reach.
    edges_s = np.concatenate([[0.0], (centre_s[:-1] + centre_s[1:]) / 2, [track.duration_s or 0.0]])
    pitches = np.arange(len(PITCH_CLASSES) + 1) - 0.5
    axes.pcolormesh(edges_s, pitches, track.windows["chroma"].T, cmap="magma", rasterized=True)
    pitched = track.windows["tonic_strength"] > 0
    axes.plot(
        centre_s[pitched],
        track.windows["tonic"][pitched],
        linestyle="none",
        marker="s",
        markersize=3.5,
        markerfacecolor="none",
        markeredgecolor="white",
        label="tonic",
    )
    axes.set_yticks(range(len(PITCH_CLASSES)), PITCH_CLASSES)
    axes.set_ylabel("chroma")
    axes.legend(loc="upper right", fontsize=8, facecolor="black", labelcolor="white")


def _draw_tempo(axes: Axes, track: TrackReport) -> None:
    for segment in track.segments:
        colour = section_colour(segment.section)
        axes.axvspan(segment.start_s, segment.end_s, color=colour, alpha=0.15, linewidth=0)
        axes.axvline(segment.start_s, color="black", linewidth=0.4)
    time_s, curve_bpm = tempo_curve(beats_s=track.beats_s)
    windows_bpm = track.windows["tempo"]
    known = np.isfinite(curve_bpm)
    low_bpm, high_bpm = _tempo_limits(curve_bpm[known] if known.any() else windows_bpm)
    for marker, chosen in {
        "o": (low_bpm <= windows_bpm) & (windows_bpm <= high_bpm),
        "v": windows_bpm < low_bpm,
        "^": windows_bpm > high_bpm,
    }.items():
        axes.plot(
            _centres(track)[chosen],
            windows_bpm[chosen].clip(low_bpm, high_bpm),
            linestyle="none",
            marker=marker,
            markersize=5,
            markerfacecolor="white",
            markeredgecolor="dimgray",
            markeredgewidth=0.8,
            label="windows of 10 s (▲▼ beyond)" if marker == "o" else None,
        )
    axes.plot(time_s, curve_bpm, color="black", linewidth=1.6, label="beats, smoothed over bars")
    margin_bpm = 0.06 * (high_bpm - low_bpm)
    axes.set_ylim(low_bpm - margin_bpm, high_bpm + 5 * margin_bpm)
    axes.grid(axis="y", color="black", alpha=0.12, linewidth=0.6)
    axes.locator_params(axis="y", nbins=6, integer=True)
    axes.set_ylabel("tempo (BPM)")
    axes.legend(loc="upper right", fontsize=8, ncols=2)


def _tempo_limits(tempo_bpm: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Show a steady tempo as the flat line that it is, and windows an octave off at the edge."""
    middle_bpm = np.median(tempo_bpm)
    return min(tempo_bpm.min(), 0.85 * middle_bpm), max(tempo_bpm.max(), 1.15 * middle_bpm)


def time_axis(axes: Axes, duration_s: float) -> None:
    """Label the horizontal axis in minutes and seconds, from the start to the end of a recording."""
    axes.set_xlim(0, duration_s)
    axes.xaxis.set_major_formatter(lambda time_s, _: f"{int(time_s) // 60}:{int(time_s) % 60:02d}")
    axes.locator_params(axis="x", nbins=12, steps=[1, 1.5, 2, 3, 6, 10])

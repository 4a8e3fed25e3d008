"""One track's analysis, arranged for people: segments with their tempo and tonic."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from amper_spark.features.registry import PITCH_CLASSES
from amper_spark.octave import nearest_octave, recording_tempo

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class SegmentSummary:
    """A formal segment as a musician names it.

    Parameters
    ----------
    section : str
        "A" for the first kind of section and all that sound like it, then "B" ...
    start_s, end_s : float
    tempo_bpm : float
        What its windows agree on, in the octave of the recording's tempo.
    tonic : str
        Pitch class that wins most of the windows, each counted by its strength.
    """

    section: str
    start_s: float
    end_s: float
    tempo_bpm: float
    tonic: str


@dataclass(frozen=True)
class TrackReport:
    """A row of ``analyses`` with its row of ``tracks``.

    Parameters
    ----------
    track_id, key, uri : str
    title : str
        What people call it, see `amper_spark.report.names.titles`.
    etag : str
        Of the file that was analysed.
    outcome : str
        "done" or "quarantined".
    reason, detail : str or None
        Why it was quarantined.
    duration_s : float or None
    windows : dict of str to np.ndarray
        Columns of the windows: start_s, end_s, tempo, chroma (window, 12) ...
    segments : tuple of SegmentSummary
    beats_s : np.ndarray [shape=(beat,)]
        Times of the beats, ascending.
    tempo_bpm : float
        The tempo that the windows agree on; NaN without windows.
    silhouette : float
        How well the sections are told apart, -1 to 1.
    """

    track_id: str
    key: str
    uri: str
    title: str
    etag: str
    outcome: str
    reason: str | None
    detail: str | None
    duration_s: float | None
    windows: Mapping[str, npt.NDArray[np.float64]]
    segments: tuple[SegmentSummary, ...]
    beats_s: npt.NDArray[np.float64]
    tempo_bpm: float
    silhouette: float

    @property
    def form(self) -> str:
        """Sections in order, such as "ABABCB"."""
        return "".join(segment.section for segment in self.segments)

    @property
    def tonic(self) -> str:
        """Pitch class that wins most of all windows, each counted by its strength."""
        return _strongest_tonic(self.windows["tonic"], self.windows["tonic_strength"])


def track_report(track: Mapping[str, Any], analysis: Mapping[str, Any], *, title: str) -> TrackReport:
    """Arrange a row of ``tracks`` and its row of ``analyses``.

    Parameters
    ----------
    track, analysis : mapping
        Rows as Python values, nested lists included.
    title : str

    Returns
    -------
    TrackReport
    """
    windows = _columns(analysis["windows"])
    segments = analysis["segments"]
    tempo_bpm = _common_tempo(windows, np.arange(len(analysis["windows"]))) if windows else math.nan
    return TrackReport(
        track_id=track["track_id"],
        key=track["key"],
        uri=track["uri"],
        title=title,
        etag=analysis["etag"],
        outcome=analysis["outcome"],
        reason=analysis["reason"],
        detail=analysis["detail"],
        duration_s=analysis["duration_s"],
        windows=windows,
        segments=tuple(_summary(segment, windows, tempo_bpm) for segment in segments),
        tempo_bpm=tempo_bpm,
        beats_s=np.array(analysis["beats"], dtype=np.float64),
        silhouette=segments[0]["silhouette"] if segments else 0.0,
    )


def section_letter(section: int) -> str:
    """Name a kind of section: 0 is "A".

    Examples
    --------
    >>> section_letter(0), section_letter(3)
    ('A', 'D')
    """
    return string.ascii_uppercase[section]


def _summary(
    segment: Mapping[str, Any], windows: Mapping[str, npt.NDArray[np.float64]], track_bpm: float
) -> SegmentSummary:
    inside = windows_of_segment(windows, segment["start_s"], segment["end_s"])
    return SegmentSummary(
        section=section_letter(segment["section"]),
        start_s=segment["start_s"],
        end_s=segment["end_s"],
        tempo_bpm=nearest_octave(tempo_bpm=_common_tempo(windows, inside), reference_bpm=track_bpm),
        tonic=_strongest_tonic(windows["tonic"][inside], windows["tonic_strength"][inside]),
    )


def windows_of_segment(
    windows: Mapping[str, npt.NDArray[np.float64]], start_s: float, end_s: float
) -> npt.NDArray[np.intp]:
    """Find the windows whose centre lies in a segment; the nearest one where there is none.

    Parameters
    ----------
    windows : mapping
        With `start_s` and `end_s`, each (window,).
    start_s, end_s : float
        Of the segment.

    Returns
    -------
    np.ndarray [shape=(n,)], int
        At least one index.

    Examples
    --------
    >>> windows = {"start_s": np.array([0.0, 2.0, 4.0]), "end_s": np.array([10.0, 12.0, 14.0])}
    >>> windows_of_segment(windows, 6.0, 9.5), windows_of_segment(windows, 0.0, 1.0)
    (array([1, 2]), array([0]))
    """
    centre_s = (windows["start_s"] + windows["end_s"]) / 2
    inside = np.flatnonzero((start_s <= centre_s) & (centre_s < end_s))
    if inside.size:
        return inside
    return np.array([np.abs(centre_s - (start_s + end_s) / 2).argmin()])


def _common_tempo(windows: Mapping[str, npt.NDArray[np.float64]], inside: npt.NDArray[np.intp]) -> float:
    return recording_tempo(
        tempo_bpm=windows["tempo"][inside],
        alternative_bpm=windows["tempo_alternative"][inside],
        pulse_clarity=windows["pulse_clarity"][inside],
    )


def _strongest_tonic(tonic: npt.NDArray[np.float64], strength: npt.NDArray[np.float64]) -> str:
    votes = np.bincount(tonic.astype(np.intp), weights=strength, minlength=len(PITCH_CLASSES))
    return PITCH_CLASSES[int(votes.argmax())] if votes.any() else "–"


def _columns(rows: list[Mapping[str, Any]]) -> dict[str, npt.NDArray[np.float64]]:
    if not rows:
        return {}
    return {name: np.array([row[name] for row in rows], dtype=np.float64) for name in rows[0]}

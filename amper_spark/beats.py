"""The pulse of a whole recording: its tempo over time, its beats, and what sounds from beat to beat.

Where `amper_spark.rhythm` hears every window alone, here the windows decide together: over ten seconds a
tempo and its double are often equally right, over a recording seldom.
"""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError
from amper_spark.grid import (
    FRAME_LENGTH,
    FRAME_RATE,
    HOP_LENGTH,
    SAMPLE_RATE,
    WINDOW_DURATION_S,
    WINDOW_STRIDE_S,
)
from amper_spark.rhythm import (
    ONSET_LAG,
    TEMPO_GRID_BPM,
    TEMPO_MAX_BPM,
    TEMPO_MIN_BPM,
    FloatArray,
    checked_onset_strength,
    interpolated_tempo,
)

ONSET_DELAY_S = (FRAME_LENGTH - ONSET_LAG * HOP_LENGTH) / SAMPLE_RATE
"""From the start of the frame in which onset strength peaks to the onset itself: 52.9 ms.

Onset strength compares frame t with frame t - 2. It is largest where the onset comes as early as possible in
frame t, but not yet in frame t - 2: just after the end of frame t - 2. Clicks, drums and plucked tones at
known times confirm it: 42 to 57 ms on average in noise 24 to 44 dB below their peak, 62 ms in silence."""

_DRIFT_OCTAVES = 0.02
"""Scale of the tempo's change from one window to the next, 2 s later: 1.4 %, a lively ritardando."""
_JUMP_PROBABILITY = 1e-4
"""Chance that the next window begins at another tempo altogether. A change of tempo, which the score shows by
several nats a window, passes within a few windows; the other octave, a few tenths better, needs minutes."""

_TIGHTNESS = 400
"""How strictly beats keep to the tempo. librosa's 100 leaves room to find changes of tempo; here the tempo is
given, and a beat off the grid is an off-beat more often than a change. From 800 on, the fastest tempi fail:
the tracker rounds the beat period to whole frames."""
_SILENT_BEATS = 8
"""Beats of silence that the tracker gets before and after the recording, see `_tracked_beats`."""


def tempo_curve(*, score: npt.NDArray[Any]) -> FloatArray:
    """Follow the tempo of a recording: the octave is decided by all windows together.

    Parameters
    ----------
    score : np.ndarray [shape=(window, tempo)]
        The recording's windows in order, over `amper_spark.rhythm.TEMPO_GRID_BPM`; see
        `amper_spark.rhythm.estimate_tempo`.

    Returns
    -------
    np.ndarray [shape=(window,), 30 to 300]
        In BPM.

    Raises
    ------
    ParameterError
        If the score is not (window, tempo) or not finite.

    Notes
    -----
    The most likely path through the scores (Viterbi). From one window to the next the tempo drifts, with a
    Laplace distribution on the logarithmic scale, and now and then jumps anywhere. On the path, tempi are
    interpolated between those of the grid.

    Examples
    --------
    >>> from amper_spark.rhythm import TEMPO_GRID_BPM
    >>> octave_of = lambda bpm: -np.abs(np.log2(TEMPO_GRID_BPM / bpm))
    >>> windows = [octave_of(100.0)] * 5 + [octave_of(200.0)] + [octave_of(100.0)] * 5
    >>> tempo_curve(score=np.array(windows)).round(0).tolist()
    [100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 100.0]
    """
    if score.ndim != 2 or len(score) == 0 or score.shape[1] != TEMPO_GRID_BPM.size:
        raise ParameterError(f"score must be (window, {TEMPO_GRID_BPM.size}), shape={score.shape}")
    if not np.isfinite(score).all():
        raise ParameterError("score must be finite")
    likelihood = np.exp(score - score.max(axis=1, keepdims=True)).astype(np.float64)
    path = librosa.sequence.viterbi(likelihood.T, _tempo_transition())
    return interpolated_tempo(score=score, index=path.astype(np.intp))


def beat_times(*, onset_strength: npt.NDArray[Any], tempo_bpm: npt.NDArray[Any]) -> FloatArray:
    """Place the beats of a recording.

    Parameters
    ----------
    onset_strength : np.ndarray [shape=(frame,), >= 0]
        Of the whole recording, in dB.
    tempo_bpm : np.ndarray [shape=(window,), 30 to 300]
        Tempo at every window of the recording, in BPM; see `tempo_curve`.

    Returns
    -------
    np.ndarray [shape=(beat,)]
        In s, strictly increasing, from the beginning of the recording to its end: before the first onset,
        after the last, and where there is none at all, beats go on steadily at the given tempo.

    Raises
    ------
    ParameterError
        If the onset strength is not one row of finite numbers >= 0, or the tempi are not one a window,
        30 to 300.

    Notes
    -----
    Dynamic programming [1]_ by ``librosa.beat.beat_track``, with the tempo given for every frame: that of
    the window whose middle is nearest. From frames to seconds see `ONSET_DELAY_S`.

    References
    ----------
    .. [1] Ellis, D. P. W. (2007). "Beat tracking by dynamic programming." Journal of New Music Research,
       36(1).

    Examples
    --------
    >>> strength = np.zeros(200)
    >>> strength[10::25] = 6.0
    >>> beat_times(onset_strength=strength, tempo_bpm=np.array([120.0])).round(2).tolist()
    [0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75]
    """
    strength = checked_onset_strength(onset_strength, axes="frame")
    if tempo_bpm.ndim != 1 or tempo_bpm.size == 0:
        raise ParameterError(f"tempo_bpm must be (window,) and not empty, shape={tempo_bpm.shape}")
    if not ((tempo_bpm >= TEMPO_MIN_BPM) & (tempo_bpm <= TEMPO_MAX_BPM)).all():
        raise ParameterError(
            f"tempo_bpm must be {TEMPO_MIN_BPM:g} to {TEMPO_MAX_BPM:g}, "
            f"lowest {tempo_bpm.min()}, highest {tempo_bpm.max()}"
        )
    stop_s = ((strength.size - 1) * HOP_LENGTH + FRAME_LENGTH) / SAMPLE_RATE
    tracked_s = _tracked_beats(strength, tempo_bpm)
    if tracked_s.size == 0:
        return np.array([0.0, *_steady_beats(0.0, stop_s, tempo_bpm)])
    before_s = _steady_beats(tracked_s[0], 0.0, tempo_bpm)
    after_s = _steady_beats(tracked_s[-1], stop_s, tempo_bpm)
    return np.concatenate([before_s[::-1], tracked_s, after_s])


def unit_edges(
    *,
    beats_s: npt.NDArray[Any],
    duration_s: float,
    shortest_s: float = 0.15,
    longest_s: float = 1.0,
) -> FloatArray:
    """Cut a recording into units at its beats.

    Parameters
    ----------
    beats_s : np.ndarray [shape=(beat,)]
        Ascending, in s.
    duration_s : float > 0
    shortest_s : float > 0
        Beats nearer than this to an edge before them or to the end are left out.
    longest_s : float > 0
        What lies further apart, such as before the first beat, is cut into equal parts.

    Returns
    -------
    np.ndarray [shape=(unit + 1,)]
        From 0 to `duration_s`.

    Examples
    --------
    >>> unit_edges(beats_s=np.array([0.1, 0.6, 1.1, 1.6]), duration_s=3.4).tolist()
    [0.0, 0.6, 1.1, 1.6, 2.5, 3.4]
    """
    if not 0 < duration_s < np.inf:
        raise ParameterError(f"duration_s must be positive and finite, got {duration_s}")
    edges = [0.0]
    for beat_s in beats_s:
        if edges[-1] + shortest_s <= beat_s <= duration_s - shortest_s:
            edges.append(float(beat_s))
    edges.append(float(duration_s))
    gaps = np.diff(edges)
    parts = np.maximum(np.ceil(gaps / longest_s - 1e-9), 1).astype(int)
    starts = [start + gap / n * np.arange(n) for start, gap, n in zip(edges, gaps, parts, strict=False)]
    return np.concatenate([*starts, edges[-1:]])


def synchronize(
    *,
    frames: npt.NDArray[Any],
    frame_times_s: npt.NDArray[Any],
    edges_s: npt.NDArray[Any],
) -> FloatArray:
    """Average frames over units.

    Parameters
    ----------
    frames : np.ndarray [shape=(..., bin, frame)]
    frame_times_s : np.ndarray [shape=(frame,)]
        Centres of the frames, ascending.
    edges_s : np.ndarray [shape=(unit + 1,)]
        Ascending.

    Returns
    -------
    np.ndarray [shape=(..., bin, unit)]
        Mean of the frames with ``edges_s[u] <= time < edges_s[u + 1]``. A unit without frames, or shorter
        than the way from frame to frame, gets the value at its centre, interpolated linearly; beyond the
        first and last frame, theirs.

    Raises
    ------
    ParameterError
        If times and frames do not match.

    Examples
    --------
    >>> ramp = np.arange(10.0)
    >>> synchronize(frames=ramp, frame_times_s=ramp, edges_s=np.array([0, 4, 4.5, 10])).tolist()
    [1.5, 4.25, 7.0]
    """
    times, edges = np.asarray(frame_times_s, dtype=np.float64), np.asarray(edges_s, dtype=np.float64)
    if times.size == 0 or frames.shape[-1] != times.size:
        raise ParameterError(f"{frames.shape[-1]} frames, but {times.size} frame times")
    if edges.size < 2 or not (np.diff(edges) > 0).all():
        raise ParameterError(f"edges_s must ascend from unit to unit, got {edges}")
    first = np.searchsorted(times, edges)
    count = np.diff(first)
    hop_s = float(np.median(np.diff(times))) if times.size > 1 else np.inf
    centre = np.interp((edges[:-1] + edges[1:]) / 2, times, np.arange(times.size))
    left = np.floor(centre).astype(int)
    right = np.minimum(left + 1, times.size - 1)
    values = frames[..., left] + (centre - left) * (frames[..., right] - frames[..., left])
    values = values.astype(np.float64, copy=False)
    averaged = np.flatnonzero((count > 0) & (np.diff(edges) >= hop_s))
    for unit in averaged:
        values[..., unit] = frames[..., first[unit] : first[unit + 1]].mean(axis=-1, dtype=np.float64)
    return values


def _tempo_transition() -> FloatArray:
    distance = np.abs(np.subtract.outer(np.log2(TEMPO_GRID_BPM), np.log2(TEMPO_GRID_BPM)))
    drift = np.exp(-distance / _DRIFT_OCTAVES)
    drift /= drift.sum(axis=1, keepdims=True)
    return (1 - _JUMP_PROBABILITY) * drift + _JUMP_PROBABILITY / TEMPO_GRID_BPM.size


def _tracked_beats(strength: FloatArray, tempo_bpm: FloatArray) -> FloatArray:
    if not strength.any():
        return np.zeros(0)
    # librosa begins and ends its path near the two ends of the array, whether beats are due there or not, and
    # displaces their neighbours to match: with silence around the recording, those are in the silence.
    silent_frames = round(_SILENT_BEATS * 60 * FRAME_RATE / float(tempo_bpm.min()))
    padded = np.pad(strength, silent_frames)
    time_s = (np.arange(padded.size) - silent_frames) / FRAME_RATE
    _, frames = librosa.beat.beat_track(
        onset_envelope=padded,
        sr=SAMPLE_RATE,
        hop_length=HOP_LENGTH,
        bpm=tempo_bpm[_nearest_window(time_s, tempo_bpm.size)],
        tightness=_TIGHTNESS,
        trim=False,
    )
    frames = frames[(frames >= silent_frames) & (frames < silent_frames + strength.size)] - silent_frames
    return np.asarray(frames / FRAME_RATE + ONSET_DELAY_S)


def _steady_beats(start_s: float, stop_s: float, tempo_bpm: FloatArray) -> list[float]:
    """Step from a beat, which is not repeated, forwards or backwards until the recording is left."""
    direction = 1 if stop_s > start_s else -1
    beats: list[float] = []
    beat_s = start_s
    while True:
        beat_s += direction * 60 / float(tempo_bpm[_nearest_window(beat_s, tempo_bpm.size)])
        if direction * (stop_s - beat_s) <= 0:
            return beats
        beats.append(beat_s)


def _nearest_window(time_s: Any, n_windows: int) -> Any:
    nearest = np.rint((np.asarray(time_s) - WINDOW_DURATION_S / 2) / WINDOW_STRIDE_S).astype(np.intp)
    return np.clip(nearest, 0, n_windows - 1)

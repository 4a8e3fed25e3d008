"""The pulse of a whole recording: its tempo over time and its beats.

Where `amper_spark.rhythm` hears every window alone, here the windows decide together: over ten seconds a
tempo and its double are often equally right, over a recording seldom.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from amper_spark.beat_tracking import track_beats
from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.grid import (
    FRAME_LENGTH,
    FRAME_RATE,
    HOP_LENGTH,
    SAMPLE_RATE,
    WINDOW_DURATION_S,
    WINDOW_STRIDE_S,
)
from amper_spark.onsets import ONSET_LAG, FloatArray, checked_onset_strength
from amper_spark.rhythm import TEMPO_GRID_BPM, TEMPO_MAX_BPM, TEMPO_MIN_BPM, interpolated_tempo

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
    return interpolated_tempo(score=score, index=_likeliest_path(score, _log_transition()))


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
    Ellis' dynamic programming, see `amper_spark.beat_tracking.track_beats`, with the tempo given for every
    frame: that of the window whose middle is nearest. From frames to seconds see `ONSET_DELAY_S`.

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


@cache
def _log_transition() -> FloatArray:
    distance = np.abs(np.subtract.outer(np.log2(TEMPO_GRID_BPM), np.log2(TEMPO_GRID_BPM)))
    drift = np.exp(-distance / _DRIFT_OCTAVES)
    drift /= drift.sum(axis=1, keepdims=True)
    return np.log((1 - _JUMP_PROBABILITY) * drift + _JUMP_PROBABILITY / TEMPO_GRID_BPM.size)


def _likeliest_path(log_likelihood: npt.NDArray[Any], log_transition: FloatArray) -> npt.NDArray[np.intp]:
    """Viterbi's algorithm from an even start; of equals the first, as in `librosa.sequence.viterbi`."""
    best = np.array(log_likelihood, dtype=np.float64, order="C")
    _add_best_scores(best, log_transition, log_transition.max(axis=1), log_transition.min())
    path = np.empty(len(best), dtype=np.intp)
    path[-1] = best[-1].argmax()
    for step in range(len(best) - 1, 0, -1):
        path[step - 1] = (best[step - 1] + log_transition[:, path[step]]).argmax()
    return path


@compiled("void(float64[:, ::1], float64[:, ::1], float64[::1], float64)")
def _add_best_scores(
    best: FloatArray, log_transition: FloatArray, likeliest: FloatArray, rarest: float
) -> None:
    """Turn the likelihood of every state at every step into the score of the best path to it.

    ``best[n, j] += max over i of (best[n - 1, i] + log_transition[i, j])``
    """
    n_steps, n_states = best.shape
    gain = np.empty(n_states)
    for step in range(1, n_steps):
        before = best[step - 1]
        # Every state can be reached from the best one: most others are too far behind to lead anywhere.
        reached = -np.inf
        for i in range(n_states):
            reached = max(reached, before[i] + rarest)
        gain[:] = reached
        for i in range(n_states):
            if before[i] + likeliest[i] > reached:
                for j in range(n_states):
                    gain[j] = max(gain[j], before[i] + log_transition[i, j])
        for j in range(n_states):
            best[step, j] += gain[j]


def _tracked_beats(strength: FloatArray, tempo_bpm: FloatArray) -> FloatArray:
    # The tracker begins and ends its path near the two ends of the array, whether beats are due there or not,
    # and displaces their neighbours to match: with silence around the recording, those are in the silence.
    silent_frames = round(_SILENT_BEATS * 60 * FRAME_RATE / float(tempo_bpm.min()))
    padded = np.pad(strength, silent_frames)
    time_s = (np.arange(padded.size) - silent_frames) / FRAME_RATE
    period_frames = np.rint(60 * FRAME_RATE / tempo_bpm).astype(np.intp)
    frames = track_beats(
        onset_strength=padded,
        period_frames=period_frames[_nearest_window(time_s, tempo_bpm.size)],
        tightness=_TIGHTNESS,
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

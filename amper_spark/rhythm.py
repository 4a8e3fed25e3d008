"""The tempo of windows (feature 17 and 18 of `amper_spark.features.registry`).

From onset strength, 50 frames a second, see `amper_spark.onsets`. Every result is computed in an order that
depends neither on how the input is cut nor on what else is in the batch, so that a window alone and the same
window among others agree bit for bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.grid import FRAME_RATE
from amper_spark.onsets import FloatArray, checked_onset_strength

TEMPO_MIN_BPM = 30.0
TEMPO_MAX_BPM = 300.0
TEMPO_GRID_BPM: FloatArray = np.geomspace(TEMPO_MIN_BPM, TEMPO_MAX_BPM, 241)
"""The tempi that are scored, in BPM: evenly spaced on a logarithmic scale, just under 1 % apart."""
TEMPO_GRID_BPM.setflags(write=False)

SAME_TEMPO_RATIO = 1.08
"""Two tempi within this ratio are one tempo: the tolerance of the MIREX tempo task."""

_COMB_BEATS = (1, 2, 4)
"""Multiples of the beat period, and of the beat frequency, at which a tempo's evidence is collected."""
_COMB_FLOOR = 1e-3
"""Keeps the logarithms finite where there is no periodicity at all."""
_SPECTRUM_LENGTH = 2048
"""Zero-padded length of the Fourier transform, in frames: 1.5 BPM between bins."""
_LARGEST_DEVIATION = 1.0
"""Standard deviations beyond which the number of onsets a beat says no more."""
_BATCH_WINDOWS = 64
"""Windows computed together: bounds the memory, changes no bit of the result."""


class TempoEstimate(NamedTuple):
    """Tempo of every window of a batch.

    Attributes
    ----------
    tempo_bpm : np.ndarray [shape=(window,), 30 to 300]
        The best static tempo, in BPM.
    alternative_bpm : np.ndarray [shape=(window,), 30 to 300]
        The runner-up, in BPM: most often half or double the best.
    pulse_clarity : np.ndarray [shape=(window,), 0 to 1]
        How strictly the onset strength repeats from beat to beat; 0 where nothing repeats.
    score : np.ndarray [shape=(window, tempo)]
        Evidence for every tempo of `TEMPO_GRID_BPM`, in nats.
    """

    tempo_bpm: FloatArray
    alternative_bpm: FloatArray
    pulse_clarity: FloatArray
    score: FloatArray


def estimate_tempo(
    *,
    onset_strength: npt.NDArray[Any],
    onset_rate: npt.NDArray[Any],
    prior_bpm: float,
    prior_octaves: float,
    spectrum_weight: float,
    onsets_per_beat: float,
    onsets_octaves: float,
) -> TempoEstimate:
    """Estimate one static tempo for every window.

    Parameters
    ----------
    onset_strength : np.ndarray [shape=(window, frame), >= 0]
        The windows' onset strength, in dB.
    onset_rate : np.ndarray [shape=(window,), >= 0]
        The windows' onsets a second, see `amper_spark.onsets.onset_frames`.
    prior_bpm : float, 30 to 300
        The tempo that is most likely before anything is heard, in BPM.
    prior_octaves : float > 0
        Standard deviation of the prior, in octaves.
    spectrum_weight : float >= 0
        Weight of the Fourier transform against the autocorrelation.
    onsets_per_beat : float > 0
        The number of onsets a beat that is most likely.
    onsets_octaves : float > 0
        Standard deviation of that number, in octaves.

    Returns
    -------
    TempoEstimate
        Never NaN, never outside 30 to 300 BPM. Without a pulse the prior decides, the pulse clarity is 0, and
        the alternative is half of the tempo (its double, where the half is below 30).

    Raises
    ------
    ParameterError
        For a parameter out of its range, or an onset strength that is not (window, frame), finite and >= 0.

    Notes
    -----
    The autocorrelation of a steady pulse peaks at the beat period and at its multiples; the Fourier
    transform, at the beat frequency and its multiples. Their product keeps what both share [1]_ [2]_. For a
    tempo b, with A the unbiased autocorrelation of the standardised onset strength, averaged at 1, 2 and 4
    beat periods, and F the amplitude of its Hann-windowed spectrum, added up at 1, 2 and 4 times the beat
    frequency::

        score(b) = log max(A(b), 0.001) + weight * log(F(b) + 0.001)
                   - (log2(b / prior) / octaves)^2 / 2 - d(b)^2 / 2

    Both are interpolated linearly, the maximum of the score by a parabola. Multiples of the period beyond 5/6
    of the window, where hardly anything overlaps, are left out. A tempo and its double differ little in A
    and F; beside the prior, d decides: how far the onsets a beat, 60 r / b with r onsets a second, are from
    what is usual, in standard deviations on a logarithmic scale. Beyond one it says no more, and nothing
    where there are no onsets: sparse music need not be slow.

    References
    ----------
    .. [1] Peeters, G. (2007). "Template-based estimation of time-varying tempo." EURASIP Journal on Advances
       in Signal Processing 2007.
    .. [2] Percival, G., & Tzanetakis, G. (2014). "Streamlined tempo estimation based on autocorrelation and
       cross-correlation with pulses." IEEE/ACM Trans. Audio, Speech, and Language Processing, 22(12).

    Examples
    --------
    >>> strength = np.zeros((2, 496))
    >>> strength[0, ::25] = 6.0  # a pulse every 25 frames is 2 a second; the second window has none
    >>> estimate = estimate_tempo(
    ...     onset_strength=strength,
    ...     onset_rate=np.array([2.0, 0.0]),
    ...     prior_bpm=130.0,
    ...     prior_octaves=0.7,
    ...     spectrum_weight=0.75,
    ...     onsets_per_beat=2.3,
    ...     onsets_octaves=1.5,
    ... )
    >>> estimate.tempo_bpm.round(0).tolist(), estimate.pulse_clarity.round(2).tolist()
    ([120.0, 130.0], [1.0, 0.0])
    """
    if not TEMPO_MIN_BPM <= prior_bpm <= TEMPO_MAX_BPM:
        raise ParameterError(f"prior_bpm must be {TEMPO_MIN_BPM:g} to {TEMPO_MAX_BPM:g}, got {prior_bpm}")
    if not 0 < prior_octaves < np.inf:
        raise ParameterError(f"prior_octaves must be positive and finite, got {prior_octaves}")
    if not 0 <= spectrum_weight < np.inf:
        raise ParameterError(f"spectrum_weight must be at least 0 and finite, got {spectrum_weight}")
    for name, value in {"onsets_per_beat": onsets_per_beat, "onsets_octaves": onsets_octaves}.items():
        if not 0 < value < np.inf:
            raise ParameterError(f"{name} must be positive and finite, got {value}")
    strength = checked_onset_strength(onset_strength, axes="window, frame")
    rate = np.asarray(onset_rate, dtype=np.float64)
    if rate.shape != strength.shape[:1] or not (np.isfinite(rate) & (rate >= 0)).all():
        raise ParameterError(f"onset_rate must be one a window, finite and >= 0, got {onset_rate}")
    prior = -0.5 * (np.log2(TEMPO_GRID_BPM / prior_bpm) / prior_octaves) ** 2
    prior = prior - 0.5 * _onsets_deviation(rate, onsets_per_beat, onsets_octaves) ** 2
    starts = range(0, len(strength), _BATCH_WINDOWS)
    batches = [
        _estimate_batch(
            strength[start : start + _BATCH_WINDOWS], prior[start : start + _BATCH_WINDOWS], spectrum_weight
        )
        for start in starts
    ]
    return TempoEstimate(*(np.concatenate(column) for column in zip(*batches, strict=True)))


def interpolated_tempo(*, score: FloatArray, index: npt.NDArray[np.intp]) -> FloatArray:
    """Place a tempo between the tempi of the grid: the vertex of the parabola through three scores.

    Parameters
    ----------
    score : np.ndarray [shape=(window, tempo)]
        Over `TEMPO_GRID_BPM`.
    index : np.ndarray [shape=(window,)]
        Where on the grid, for every window.

    Returns
    -------
    np.ndarray [shape=(window,), 30 to 300]
        In BPM, at most half a step of the grid away. The tempo of the grid itself where the three scores have
        no maximum between them, and at both ends of the grid.

    Examples
    --------
    >>> score = -np.abs(np.log2(TEMPO_GRID_BPM / 100.0))[np.newaxis] ** 2
    >>> interpolated_tempo(score=score, index=score.argmax(axis=1)).round(6).tolist()
    [100.0]
    """
    window = np.arange(len(score))
    middle = np.clip(index, 1, TEMPO_GRID_BPM.size - 2)
    before, at, after = (score[window, middle + shift] for shift in (-1, 0, 1))
    curvature = before - 2 * at + after
    has_vertex = (curvature < 0) & (index == middle)
    offset = np.where(has_vertex, 0.5 * (before - after) / np.where(has_vertex, curvature, 1), 0)
    step = np.log(TEMPO_MAX_BPM / TEMPO_MIN_BPM) / (TEMPO_GRID_BPM.size - 1)
    tempo_bpm = TEMPO_GRID_BPM[index] * np.exp(step * np.clip(offset, -0.5, 0.5))
    return np.clip(tempo_bpm, TEMPO_MIN_BPM, TEMPO_MAX_BPM)


def _onsets_deviation(rate: FloatArray, per_beat: float, octaves: float) -> FloatArray:
    onsets = 60 * rate[:, np.newaxis] / TEMPO_GRID_BPM
    deviation = np.log2(np.where(onsets > 0, onsets, per_beat) / per_beat) / octaves
    return np.clip(deviation, -_LARGEST_DEVIATION, _LARGEST_DEVIATION)


def _estimate_batch(strength: FloatArray, prior: FloatArray, spectrum_weight: float) -> TempoEstimate:
    standardised = _standardised(strength)
    autocorrelation = _autocorrelation(standardised)
    score = (
        np.log(np.maximum(_period_comb(autocorrelation, n_frames=strength.shape[1]), _COMB_FLOOR))
        + spectrum_weight * np.log(_frequency_comb(standardised) + _COMB_FLOOR)
        + prior
    )
    tempo_bpm = interpolated_tempo(score=score, index=score.argmax(axis=1))
    at_tempo = _sampled(autocorrelation, _beat_period_frames(tempo_bpm)[:, np.newaxis])
    return TempoEstimate(tempo_bpm, _alternative(score, tempo_bpm), np.clip(at_tempo[:, 0], 0, 1), score)


def _standardised(strength: FloatArray) -> FloatArray:
    deviation = strength - strength.mean(axis=1, keepdims=True)
    scale = deviation.std(axis=1, keepdims=True)
    # What is left of a constant is rounding, not rhythm.
    is_flat = scale <= 1e-9 * strength.max(axis=1, keepdims=True)
    return np.where(is_flat, 0, deviation / np.where(is_flat, 1, scale))


def _autocorrelation(standardised: FloatArray) -> FloatArray:
    """Unbiased, for lags from 0 to 4 beats of the slowest tempo; the overlap counts as a sixth at least."""
    n_frames = standardised.shape[1]
    lag = np.arange(int(_beat_period_frames(TEMPO_MIN_BPM) * max(_COMB_BEATS)) + 2)
    length = scipy.fft.next_fast_len(n_frames + lag.size, real=True)
    spectrum = scipy.fft.rfft(standardised, length)
    product = scipy.fft.irfft(spectrum.real**2 + spectrum.imag**2, length)[:, : lag.size]
    return np.asarray(product / np.maximum(n_frames - lag, n_frames / 6))


def _period_comb(autocorrelation: FloatArray, *, n_frames: int) -> FloatArray:
    period = _beat_period_frames(TEMPO_GRID_BPM)[np.newaxis]
    total = np.zeros((len(autocorrelation), TEMPO_GRID_BPM.size))
    count = np.zeros_like(period)
    for beats in _COMB_BEATS:
        is_inside = beats * period <= n_frames * 5 / 6
        total += np.where(is_inside, _sampled(autocorrelation, beats * period), 0)
        count += is_inside
    return total / np.maximum(count, 1)


def _frequency_comb(standardised: FloatArray) -> FloatArray:
    n_frames = standardised.shape[1]
    length = scipy.fft.next_fast_len(max(n_frames, _SPECTRUM_LENGTH), real=True)
    taper = np.hanning(n_frames + 2)[1:-1]
    spectrum = scipy.fft.rfft(standardised * taper, length)
    amplitude = np.sqrt(spectrum.real**2 + spectrum.imag**2) / taper.sum()
    position = (TEMPO_GRID_BPM / 60 / FRAME_RATE * length)[np.newaxis]
    total = np.zeros((len(standardised), TEMPO_GRID_BPM.size))
    for multiple in _COMB_BEATS:
        total += _sampled(amplitude, multiple * position)
    return total


def _alternative(score: FloatArray, tempo_bpm: FloatArray) -> FloatArray:
    padded = np.pad(score, ((0, 0), (1, 1)), constant_values=-np.inf)
    is_peak = (score > padded[:, :-2]) & (score >= padded[:, 2:])
    is_other = np.abs(np.log(TEMPO_GRID_BPM / tempo_bpm[:, np.newaxis])) > np.log(SAME_TEMPO_RATIO)
    candidate = np.where(is_peak & is_other, score, -np.inf)
    runner_up_bpm = interpolated_tempo(score=score, index=candidate.argmax(axis=1))
    other_octave_bpm = np.where(tempo_bpm >= 2 * TEMPO_MIN_BPM, tempo_bpm / 2, tempo_bpm * 2)
    return np.where((is_peak & is_other).any(axis=1), runner_up_bpm, other_octave_bpm)


def _beat_period_frames(tempo_bpm: Any) -> Any:
    return 60 * FRAME_RATE / tempo_bpm


@compiled("float64[:, ::1](float64[:, ::1], float64[:, :])")
def _sampled(values: FloatArray, position: FloatArray) -> FloatArray:
    """Interpolate rows linearly at fractional positions, shape (window or 1, position)."""
    sampled = np.empty((values.shape[0], position.shape[1]))
    for window in range(sampled.shape[0]):
        own = window % position.shape[0]
        for i in range(sampled.shape[1]):
            lower = min(int(position[own, i]), values.shape[1] - 2)
            fraction = position[own, i] - lower
            sampled[window, i] = values[window, lower] * (1 - fraction) + values[window, lower + 1] * fraction
    return sampled

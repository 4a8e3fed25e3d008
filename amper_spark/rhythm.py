"""The tempo of windows (feature 17 and 18 of `amper_spark.features.registry`).

From onset strength, 50 frames a second, see `amper_spark.onsets`. Every result is computed in an order that
depends neither on how the input is cut nor on what else is in the batch, so that a window alone and the same
window among others agree bit for bit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError
from amper_spark.onsets import ONSET_BAND_EDGES_HZ, FloatArray, checked_onset_strength
from amper_spark.periodicity import (
    autocorrelation,
    beat_period_frames,
    correlation_at_beats,
    interpolated,
    spectrum_at_beats,
    standardised,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TEMPO_MIN_BPM = 30.0
TEMPO_MAX_BPM = 300.0
TEMPO_GRID_BPM: FloatArray = np.geomspace(TEMPO_MIN_BPM, TEMPO_MAX_BPM, 241)
"""The tempi that are scored, in BPM: evenly spaced on a logarithmic scale, just under 1 % apart."""
TEMPO_GRID_BPM.setflags(write=False)

SAME_TEMPO_RATIO = 1.08
"""Two tempi within this ratio are one tempo: the tolerance of the MIREX tempo task."""

_COMB_BEATS = (1, 2, 4)
"""Multiples of the beat period, and of the beat frequency, at which a tempo's evidence is collected."""
_BEAT = (1,)
_BEAT_AND_BAR = (1, 4)
"""Beats after which low frequencies are heard again. Not two: syncopated basses repeat with the bar alone."""
_COMB_FLOOR = 1e-3
"""Keeps the logarithms finite where there is no periodicity at all."""
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


class _Weights(NamedTuple):
    spectrum: float
    bass: float
    subdivision: float


def estimate_tempo(
    *,
    band_onset_strength: npt.NDArray[Any],
    onset_rate: npt.NDArray[Any],
    prior_bpm: float,
    prior_octaves: float,
    spectrum_weight: float,
    onsets_per_beat: float,
    onsets_octaves: float,
    bass_weight: float,
    subdivision_weight: float,
) -> TempoEstimate:
    """Estimate one static tempo for every window.

    Parameters
    ----------
    band_onset_strength : np.ndarray [shape=(window, 3, frame), >= 0]
        The windows' onset strength in low, middle and high frequencies, in dB, see
        `amper_spark.onsets.band_onset_strength`.
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
    bass_weight : float >= 0
        What a beat and bar that low frequencies repeat with speak for a tempo, in nats.
    subdivision_weight : float >= 0
        What a beat that only high frequencies repeat with speaks against a tempo, in nats.

    Returns
    -------
    TempoEstimate
        Never NaN, never outside 30 to 300 BPM. Without a pulse the prior decides, the pulse clarity is 0, and
        the alternative is half of the tempo (its double, where the half is below 30).

    Raises
    ------
    ParameterError
        For a parameter out of its range, or an onset strength that is not (window, 3, frame), finite and
        >= 0.

    Notes
    -----
    The autocorrelation of a steady pulse peaks at the beat period and at its multiples; the Fourier
    transform, at the beat frequency and its multiples. Their product keeps what both share [1]_ [2]_. For a
    tempo b, with A the unbiased autocorrelation of the standardised onset strength, averaged at 1, 2 and 4
    beat periods, and F the amplitude of its Hann-windowed spectrum, added up at 1, 2 and 4 times the beat
    frequency::

        score(b) = log max(A(b), 0.001) + weight * log(F(b) + 0.001)
                   - (log2(b / prior) / octaves)^2 / 2 - d(b)^2 / 2 + l(b)

    Both are interpolated linearly, the maximum of the score by a parabola. Multiples of the period beyond 5/6
    of the window, where hardly anything overlaps, are left out. A tempo and its double differ little in A
    and F; beside the prior, d and l decide. d is how far the onsets a beat, 60 r / b with r onsets a second,
    are from what is usual, in standard deviations on a logarithmic scale. Beyond one it says no more, and
    nothing where there are no onsets: sparse music need not be slow.

    l hears who plays: basses and kick drums lay down the beat and the bar [3]_ [4]_; what hi-hats alone
    repeat is a subdivision of the beat. With A_l, A_m and A_h the autocorrelation, at a number of beat
    periods, of the onset strength below 200 Hz, up to 2 kHz, and above::

        l(b) = bass_weight * max(0, (A_l(1) + A_l(4)) / 2)
               - subdivision_weight * max(0, A_h(1) - max(0, A_l(1), A_m(1)))

    References
    ----------
    .. [1] Peeters, G. (2007). "Template-based estimation of time-varying tempo." EURASIP Journal on Advances
       in Signal Processing 2007.
    .. [2] Percival, G., & Tzanetakis, G. (2014). "Streamlined tempo estimation based on autocorrelation and
       cross-correlation with pulses." IEEE/ACM Trans. Audio, Speech, and Language Processing, 22(12).
    .. [3] Klapuri, A. P., Eronen, A. J., & Astola, J. T. (2006). "Analysis of the meter of acoustic musical
       signals." IEEE Trans. Audio, Speech, and Language Processing, 14(1).
    .. [4] Hove, M. J., Marie, C., Bruce, I. C., & Trainor, L. J. (2014). "Superior time perception for lower
       musical pitch explains why bass-ranged instruments lay down musical rhythms." PNAS, 111(28).

    Examples
    --------
    >>> strength = np.zeros((2, 3, 496))
    >>> strength[0, :, ::25] = 2.0  # a pulse every 25 frames is 2 a second; the second window has none
    >>> estimate = estimate_tempo(
    ...     band_onset_strength=strength,
    ...     onset_rate=np.array([2.0, 0.0]),
    ...     prior_bpm=130.0,
    ...     prior_octaves=0.7,
    ...     spectrum_weight=0.75,
    ...     onsets_per_beat=2.3,
    ...     onsets_octaves=1.5,
    ...     bass_weight=2.0,
    ...     subdivision_weight=2.0,
    ... )
    >>> estimate.tempo_bpm.round(0).tolist(), estimate.pulse_clarity.round(2).tolist()
    ([120.0, 130.0], [1.0, 0.0])
    """
    if not TEMPO_MIN_BPM <= prior_bpm <= TEMPO_MAX_BPM:
        raise ParameterError(f"prior_bpm must be {TEMPO_MIN_BPM:g} to {TEMPO_MAX_BPM:g}, got {prior_bpm}")
    if not 0 < prior_octaves < np.inf:
        raise ParameterError(f"prior_octaves must be positive and finite, got {prior_octaves}")
    for name, value in {"onsets_per_beat": onsets_per_beat, "onsets_octaves": onsets_octaves}.items():
        if not 0 < value < np.inf:
            raise ParameterError(f"{name} must be positive and finite, got {value}")
    weights = _Weights(spectrum_weight, bass_weight, subdivision_weight)
    for name, value in weights._asdict().items():
        if not 0 <= value < np.inf:
            raise ParameterError(f"{name}_weight must be at least 0 and finite, got {value}")
    n_bands = len(ONSET_BAND_EDGES_HZ) + 1
    if band_onset_strength.ndim != 3 or band_onset_strength.shape[1] != n_bands or not len(onset_rate):
        raise ParameterError(
            f"band_onset_strength must be (window, {n_bands}, frame), shape={band_onset_strength.shape}"
        )
    rate = np.asarray(onset_rate, dtype=np.float64)
    if rate.shape != band_onset_strength.shape[:1] or not (np.isfinite(rate) & (rate >= 0)).all():
        raise ParameterError(f"onset_rate must be one a window, finite and >= 0, got {onset_rate}")
    prior = -0.5 * (np.log2(TEMPO_GRID_BPM / prior_bpm) / prior_octaves) ** 2
    prior = prior - 0.5 * _onsets_deviation(rate, onsets_per_beat, onsets_octaves) ** 2
    batches = []
    for start in range(0, len(rate), _BATCH_WINDOWS):
        batch = slice(start, start + _BATCH_WINDOWS)
        bands = checked_onset_strength(
            band_onset_strength[batch], axes="window, band, frame", name="band_onset_strength"
        )
        leaning = prior[batch] + _metrical_level(bands, weights)
        batches.append(_estimate_batch(bands.sum(axis=1), leaning, weights))
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


def _n_lags(beats: Sequence[int]) -> int:
    """From 0 to so many beats of the slowest tempo, and one to interpolate with."""
    return int(beat_period_frames(TEMPO_MIN_BPM) * max(beats)) + 2


def _metrical_level(bands: FloatArray, weights: _Weights) -> FloatArray:
    """How well the bands fit each tempo as the tempo of the beat, rather than half or double, in nats."""
    at = partial(correlation_at_beats, n_frames=bands.shape[-1], tempo_bpm=TEMPO_GRID_BPM)
    correlations = [
        autocorrelation(
            strength=standardised(strength=np.ascontiguousarray(bands[:, band])), n_lags=_n_lags(beats)
        )
        for band, beats in enumerate((_BEAT_AND_BAR, _BEAT, _BEAT))
    ]
    low, middle, high = (at(correlation=correlation, beats=_BEAT) for correlation in correlations)
    bass = np.maximum(at(correlation=correlations[0], beats=_BEAT_AND_BAR), 0)
    subdivision = np.maximum(high - np.maximum(np.maximum(low, middle), 0), 0)
    return weights.bass * bass - weights.subdivision * subdivision


def _estimate_batch(strength: FloatArray, prior: FloatArray, weights: _Weights) -> TempoEstimate:
    standard = standardised(strength=strength)
    correlation = autocorrelation(strength=standard, n_lags=_n_lags(_COMB_BEATS))
    period = correlation_at_beats(
        correlation=correlation, n_frames=strength.shape[1], tempo_bpm=TEMPO_GRID_BPM, beats=_COMB_BEATS
    )
    frequency = spectrum_at_beats(strength=standard, tempo_bpm=TEMPO_GRID_BPM, beats=_COMB_BEATS)
    score = (
        np.log(np.maximum(period, _COMB_FLOOR)) + weights.spectrum * np.log(frequency + _COMB_FLOOR) + prior
    )
    tempo_bpm = interpolated_tempo(score=score, index=score.argmax(axis=1))
    at_tempo = interpolated(correlation, beat_period_frames(tempo_bpm)[:, np.newaxis])
    return TempoEstimate(tempo_bpm, _alternative(score, tempo_bpm), np.clip(at_tempo[:, 0], 0, 1), score)


def _alternative(score: FloatArray, tempo_bpm: FloatArray) -> FloatArray:
    padded = np.pad(score, ((0, 0), (1, 1)), constant_values=-np.inf)
    is_peak = (score > padded[:, :-2]) & (score >= padded[:, 2:])
    is_other = np.abs(np.log(TEMPO_GRID_BPM / tempo_bpm[:, np.newaxis])) > np.log(SAME_TEMPO_RATIO)
    candidate = np.where(is_peak & is_other, score, -np.inf)
    runner_up_bpm = interpolated_tempo(score=score, index=candidate.argmax(axis=1))
    other_octave_bpm = np.where(tempo_bpm >= 2 * TEMPO_MIN_BPM, tempo_bpm / 2, tempo_bpm * 2)
    return np.where((is_peak & is_other).any(axis=1), runner_up_bpm, other_octave_bpm)

"""The compiled loops against the formulas, written out with numpy in double precision.

Spectra are drawn over everything that is let in: from denormal numbers to the power of 1e12 times full scale.
"""

from __future__ import annotations

import warnings
from dataclasses import fields

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.audio import MAX_AMPLITUDE
from amper_spark.errors import ParameterError
from amper_spark.features.contrast import spectral_contrast
from amper_spark.features.extraction import describe_frames
from amper_spark.features.mel import mel_cepstrum, mel_power
from amper_spark.features.spectral import (
    FREQUENCIES_HZ,
    spectral_bandwidth,
    spectral_centroid,
    spectral_flatness,
    spectral_rolloff,
)
from amper_spark.features.temporal import root_mean_square, zero_crossing_rate
from amper_spark.grid import FRAME_LENGTH, HOP_LENGTH, SAMPLE_RATE
from amper_spark.spectra import constant_q_power, decibels, power_blocks


@st.composite
def spectra(draw, lowest=-45.0, highest=30.0):
    """Power of up to 70 frames, with silent bins and frames, and repeated values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low, high = sorted(draw(st.tuples(*[st.floats(lowest, highest)] * 2)))
    high += 0.0  # or else -0.0 would be less than 0.0 to numpy
    power = 10.0 ** rng.uniform(low, high, (FREQUENCIES_HZ.size, draw(st.integers(1, 70))))
    power[rng.random(power.shape) < draw(st.sampled_from([0.0, 0.1, 0.95]))] = 0.0
    power[:, rng.random(power.shape[1]) < 0.1] = draw(st.sampled_from([0.0, 1.0]))
    return power.astype(np.float32)


@st.composite
def signals(draw):
    """Up to 12 frames and a rest, of any level, with silence and constant stretches."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    samples = rng.standard_normal(FRAME_LENGTH + draw(st.integers(0, 11 * HOP_LENGTH + 440)))
    samples *= 10.0 ** draw(st.floats(-44, np.log10(MAX_AMPLITUDE) - 1))
    samples[draw(st.integers(0, samples.size)) :][: draw(st.integers(0, 3000))] = draw(
        st.sampled_from([0.0, 1.0])
    )
    return samples.astype(np.float32)


def divide(numerator, denominator):
    silent = denominator < np.finfo(np.float32).tiny
    return np.where(silent, 0.0, numerator / np.where(silent, 1.0, denominator))


@given(magnitude=spectra(highest=15))
def test_moments(magnitude):
    exact = magnitude.astype(np.float64)
    total = exact.sum(axis=0)
    centroid_hz = divide(FREQUENCIES_HZ @ exact, total)
    np.testing.assert_allclose(spectral_centroid(magnitude=magnitude), centroid_hz, rtol=1e-12)
    deviation_hz = FREQUENCIES_HZ[:, np.newaxis] - centroid_hz
    np.testing.assert_allclose(
        spectral_bandwidth(magnitude=magnitude, centroid_hz=centroid_hz),
        np.sqrt(divide((exact * deviation_hz**2).sum(axis=0), total)),
        rtol=1e-9,
        atol=1e-9,
    )


@given(magnitude=spectra(highest=15))
def test_rolloff(magnitude):
    cumulative = np.cumsum(magnitude.astype(np.float64), axis=0)
    expected = FREQUENCIES_HZ[(cumulative < 0.85 * cumulative[-1]).sum(axis=0)]
    np.testing.assert_array_equal(spectral_rolloff(magnitude=magnitude), expected)


@given(power=spectra())
def test_flatness(power):
    floored = np.maximum(power.astype(np.float64), 1e-10)
    expected = np.exp(np.log(floored).mean(axis=0)) / floored.mean(axis=0)
    np.testing.assert_allclose(spectral_flatness(power=power), expected, rtol=1e-7)


@given(magnitude=spectra(highest=15))
def test_contrast(magnitude):
    edges_hz = [0.0, 200.0, 400.0, 800.0, 1600.0, 3200.0, 6400.0, 12800.0]
    expected = np.zeros(magnitude.shape[1])
    for band in range(7):
        inside = np.flatnonzero((edges_hz[band] <= FREQUENCIES_HZ) & (edges_hz[band + 1] >= FREQUENCIES_HZ))
        first, stop = max(0, inside[0] - 1) if band else 0, inside[-1] + 1
        extreme = max(1, round(0.02 * (stop - first)))
        ordered = np.sort(magnitude[first : stop - (band < 6)].astype(np.float64), axis=0)
        peak, valley = ordered[-extreme:].mean(axis=0), ordered[:extreme].mean(axis=0)
        expected += 10 * np.log10(np.maximum(peak, 1e-10) / np.maximum(valley, 1e-10)) / 7
    np.testing.assert_allclose(spectral_contrast(magnitude=magnitude), expected, atol=1e-9)


@given(power=spectra(), bands=st.sampled_from([1, 3, 40, 64, 128]))
def test_mel_power(power, bands):
    filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=FRAME_LENGTH, n_mels=bands, dtype=np.float64)
    actual = mel_power(power=power, bands=bands)
    # Sums of a few denormal numbers have no relative precision.
    np.testing.assert_allclose(actual, filters @ power.astype(np.float64), rtol=2e-5, atol=1e-40)


@given(power=spectra(), coefficients=st.integers(1, 13))
def test_cepstrum(power, coefficients):
    level = decibels(power[:128])
    bands = np.arange(128)
    order = np.arange(coefficients)[:, np.newaxis]
    basis = np.where(order == 0, np.sqrt(1 / 128), np.sqrt(2 / 128)) * np.cos(
        np.pi * order * (bands + 0.5) / 128
    )
    actual = mel_cepstrum(mel_db=level, coefficients=coefficients)
    np.testing.assert_allclose(actual, basis @ level.astype(np.float64), atol=1e-9)


@given(power=spectra(highest=38))
def test_decibels(power):
    expected = 10 * np.log10(np.maximum(power.astype(np.float64), 1e-10))
    for values, answer in ((power, expected), (power[::3, ::-2], expected[::3, ::-2])):
        actual = decibels(values)
        assert actual.dtype == np.float32
        np.testing.assert_allclose(actual, answer, rtol=1e-7, atol=2e-8)


@given(samples=signals())
def test_level_and_zero_crossings(samples):
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_LENGTH)[::HOP_LENGTH]
    np.testing.assert_allclose(
        root_mean_square(samples=samples),
        np.sqrt(np.square(frames, dtype=np.float64).mean(axis=1)),
        rtol=1e-12,
    )
    negative = frames < -1e-10
    crossings = np.count_nonzero(negative[:, 1:] != negative[:, :-1], axis=1)
    np.testing.assert_array_equal(zero_crossing_rate(samples=samples), crossings / FRAME_LENGTH)


@settings(max_examples=25)
@given(samples=signals())
def test_power(samples):
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME_LENGTH)[::HOP_LENGTH]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_LENGTH) / FRAME_LENGTH)
    expected = np.abs(np.fft.rfft(frames.astype(np.float64) * window)).T ** 2
    (block,) = power_blocks(samples=samples)
    actual = block.power[:, block.frames]
    # Single precision: relative to the frame, not to each bin.
    assert (np.abs(actual - expected) <= 2e-6 * expected.max(axis=0) + 1e-40).all()


@settings(max_examples=25)
@given(power=spectra(highest=15), frame=st.integers(0, 69))
def test_a_frame_does_not_depend_on_its_neighbours(power, frame):
    frame %= power.shape[1]
    alone = power[:, [frame]]
    for feature in (
        lambda p: spectral_centroid(magnitude=p),
        lambda p: spectral_bandwidth(magnitude=p, centroid_hz=np.full(p.shape[1], 1000.0)),
        lambda p: spectral_rolloff(magnitude=p),
        lambda p: spectral_flatness(power=p),
        lambda p: spectral_contrast(magnitude=p),
        lambda p: mel_power(power=p, bands=64),
        lambda p: mel_cepstrum(mel_db=decibels(p), coefficients=13),
        decibels,
    ):
        np.testing.assert_array_equal(feature(alone), feature(power)[..., [frame]])


EXTREMES = {
    "one sample": np.ones(1),
    "silence": np.zeros(3000),
    "constant": np.full(9000, 0.5),
    "a click": np.eye(1, 9000, 4000)[0],
    "full-scale square": np.sign(np.sin(np.arange(9000) * 0.1)),
    "denormal": np.full(9000, 1e-45),
    "denormal power": np.random.default_rng(0).normal(0, 1e-22, 9000),
    "loudest square": MAX_AMPLITUDE * np.sign(np.sin(np.arange(9000) * 0.1)),
    "loudest constant": np.full(9000, MAX_AMPLITUDE),
    "loudest click": MAX_AMPLITUDE * np.eye(1, 9000, 4000)[0],
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_signals_give_finite_numbers_in_range(name):
    samples = EXTREMES[name].astype(np.float32)
    samples.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frames = describe_frames(samples=samples)
        chroma = constant_q_power(samples=samples)
    assert np.isfinite(chroma).all()
    for field in fields(frames):
        assert np.isfinite(getattr(frames, field.name)).all(), field.name
    assert (frames.spectral_flatness <= 1).all()
    assert (frames.spectral_contrast >= 0).all()
    for name_hz in ("spectral_centroid", "spectral_bandwidth", "spectral_rolloff"):
        assert ((getattr(frames, name_hz) >= 0) & (getattr(frames, name_hz) <= SAMPLE_RATE / 2)).all()
    assert (frames.rms <= 1.001 * max(1, np.abs(samples).max())).all()


def test_less_than_a_frame_is_refused():
    with pytest.raises(ParameterError, match=r"\(2047,\)"):
        root_mean_square(samples=np.zeros(2047, np.float32))
    with pytest.raises(ParameterError, match=r"\(2, 4096\)"):
        zero_crossing_rate(samples=np.zeros((2, 4096), np.float32))

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, resample_poly, sosfilt

from amper_spark.errors import ParameterError
from amper_spark.render.engine.dynamics import compressor_curve
from amper_spark.render.engine.limiter import limiter_curve
from amper_spark.render.engine.true_peak import peaks_above, true_peak

RATE = 22_050


def tone(level, seconds, *, rate=RATE, hz=500.0):
    return (level * np.sin(2 * np.pi * hz / rate * np.arange(round(seconds * rate)))).astype(np.float32)


def noise(seed, n_samples, *, rate=RATE, channels=1):
    samples = np.random.default_rng(seed).standard_normal((channels, n_samples))
    return sosfilt(butter(4, 0.42 * rate, fs=rate, output="sos"), samples).astype(np.float32)


def oversampled_peak(audio):
    return float(np.abs(resample_poly(audio.astype(np.float64), 8, 1, axis=-1)).max())


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0, 3.0, 4.7, 20.0])
@pytest.mark.parametrize("level", [0.001, 0.5, 4.0])
def test_what_is_8_db_too_loud_is_compressed_by_the_ratio(ratio, level):
    curve = compressor_curve(tone(level, 2.0)[np.newaxis], ratio=ratio, rate=RATE)
    assert 20 * math.log10(curve[-1]) == pytest.approx(-8 * (1 - 1 / ratio), abs=0.02)


def test_what_is_soft_is_left_alone():
    audio = np.concatenate([tone(0.5, 2.0), tone(0.15, 2.0)])[np.newaxis]
    curve = compressor_curve(audio, ratio=4.0, rate=RATE)
    assert curve[-1] > 0.999
    assert curve[RATE] < 0.6


def test_release_takes_its_time_and_attack_less():
    audio = np.concatenate([tone(0.1, 1.0), tone(0.5, 1.0), tone(0.1, 1.0)])[np.newaxis]
    curve = compressor_curve(audio, ratio=3.0, rate=RATE)
    low, change = curve[2 * RATE - 500], 1 - curve[2 * RATE - 500]
    falling = np.flatnonzero(curve[: 2 * RATE] < low + change / math.e)[0] / RATE - 1.0
    rising = np.flatnonzero(curve[2 * RATE :] > low + change * (1 - 1 / math.e))[0] / RATE
    assert falling == pytest.approx(0.02, abs=0.012)
    assert rising == pytest.approx(0.15, abs=0.02)


def test_the_curve_has_no_steps():
    audio = np.concatenate([tone(0.1, 0.5), tone(1.0, 0.5), tone(0.1, 0.5)])[np.newaxis]
    curve = compressor_curve(audio, ratio=4.0, rate=RATE)
    assert np.abs(np.diff(curve)).max() < 0.003


def test_both_rates_have_one_curve():
    rng = np.random.default_rng(0)
    levels = np.repeat(rng.uniform(0.02, 1.0, 40), 0.1 * 44_100)
    audio = (tone(1.0, 4.0, rate=44_100) * levels).astype(np.float32)
    fine = compressor_curve(audio[np.newaxis], ratio=3.0, rate=44_100)
    coarse = compressor_curve(audio[::2][np.newaxis], ratio=3.0, rate=RATE)
    np.testing.assert_allclose(coarse, fine[::2], atol=0.02)


@pytest.mark.parametrize("n_samples", [0, 1, 100, 221])
def test_short_passages_have_a_curve(n_samples):
    curve = compressor_curve(np.ones((2, n_samples), dtype=np.float32), ratio=3.0, rate=RATE)
    assert curve.shape == (n_samples,)
    assert ((curve > 0) & (curve <= 1)).all()


def test_silence_is_not_compressed():
    assert (compressor_curve(np.zeros((1, 1_000), np.float32), ratio=3.0, rate=RATE) == 1).all()


@pytest.mark.parametrize("ratio", [0.5, math.inf, math.nan])
def test_refuses_what_is_no_ratio(ratio):
    with pytest.raises(ParameterError, match="ratio"):
        compressor_curve(np.zeros((1, 10), np.float32), ratio=ratio, rate=RATE)


@pytest.mark.parametrize("hz", [997.0, 3_000.0, 5_512.5, 8_000.0])
@pytest.mark.parametrize("phase", [0.0, 0.4, 0.785398])
def test_the_true_peak_of_a_sine_is_its_amplitude(hz, phase):
    n = np.arange(4_000)
    audio = 0.5 * np.sin(2 * np.pi * hz / RATE * n + phase) * np.hanning(n.size)
    assert true_peak(audio.astype(np.float32)[np.newaxis]) == pytest.approx(0.5, rel=0.01)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_samples=st.integers(1, 3_000))
def test_the_true_peak_is_that_of_scipys_oversampling(seed, n_samples):
    audio = noise(seed, n_samples, channels=2)
    assert true_peak(audio) == pytest.approx(
        max(oversampled_peak(audio), float(np.abs(audio).max())), rel=0.02
    )


@pytest.mark.parametrize("seed", range(30))
def test_the_true_peak_is_right_almost_to_half_the_rate(seed):
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(4_096) * np.hanning(4_096))
    spectrum[round(0.95 * 2_048) :] = 0
    exact = np.abs(np.fft.irfft(spectrum, 16 * 4_096)).max() * 16
    audio = np.fft.irfft(spectrum).astype(np.float32)
    assert true_peak(audio[np.newaxis]) == pytest.approx(exact, rel=0.01)


def test_peaks_are_told_where_they_are():
    audio = noise(1, 2_000)
    peaks = peaks_above(audio, floor=1.5)
    fine = np.abs(resample_poly(np.pad(audio[0].astype(np.float64), 4), 4, 1))[13:-12]
    expected = np.array([fine[4 * n : 4 * n + 7].max() for n in range(2_000)])
    loud = expected > 1.6
    np.testing.assert_allclose(peaks[loud], expected[loud], rtol=0.03)
    assert loud.sum() > 100


@pytest.mark.parametrize("gain", [0.8, 1.0, 3.0])
@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_limited_audio_stays_below_the_ceiling(gain, rate):
    audio = noise(2, 60_000, channels=2) * np.float32(gain * 0.3)
    curve = limiter_curve(audio, ceiling=0.8, rate=rate)
    assert curve is not None
    assert (peaks_above(audio, floor=0.8) * curve).max() <= 0.8 * (1 + 1e-5)
    assert oversampled_peak(audio * curve) < 0.8 * 10 ** (0.3 / 20)


@settings(max_examples=60, deadline=None)
@given(
    clicks=st.lists(st.tuples(st.integers(0, 2_999), st.floats(-8, 8)), max_size=8),
    rate=st.sampled_from([8_000, 22_050, 44_100]),
)
def test_no_peak_passes_wherever_it_is(clicks, rate):
    audio = np.full((1, 3_000), 0.01, dtype=np.float32)
    for at, height in clicks:
        audio[0, at] = height
    curve = limiter_curve(audio, ceiling=1.0, rate=rate)
    if curve is None:
        assert np.abs(audio).max() <= 1
        return
    assert np.abs(audio * curve).max() <= 1 + 1e-5
    assert ((curve > 0) & (curve <= 1)).all()


def test_what_is_low_enough_is_left_alone():
    assert limiter_curve(tone(0.7, 1.0)[np.newaxis], ceiling=0.8, rate=RATE) is None
    assert limiter_curve(np.zeros((2, 0), np.float32), ceiling=0.8, rate=RATE) is None


def test_the_limiter_acts_around_a_peak_only_and_without_a_step():
    audio = tone(0.5, 2.0)[np.newaxis]
    audio[0, RATE] = 2.0
    curve = limiter_curve(audio, ceiling=0.9, rate=RATE)
    assert curve[RATE] <= 0.45
    np.testing.assert_array_equal(curve[: RATE - round(0.006 * RATE)], 1)
    assert curve[-1] > 0.999
    assert np.abs(np.diff(curve)).max() < 0.012
    assert np.abs(np.diff(curve, 2)).max() < 0.003


@pytest.mark.parametrize("ceiling", [0.0, -1.0, math.nan, math.inf])
def test_refuses_what_is_no_ceiling(ceiling):
    with pytest.raises(ParameterError, match="ceiling"):
        limiter_curve(np.zeros((1, 10), np.float32), ceiling=ceiling, rate=RATE)

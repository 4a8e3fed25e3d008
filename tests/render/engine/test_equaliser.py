from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt, welch

from amper_spark.errors import ParameterError
from amper_spark.render.engine.balance import band_powers
from amper_spark.render.engine.equaliser import LIMIT_DB, equalise, matching_gains, response
from amper_spark.render.score import SPECTRUM_BANDS_HZ

RATES = [22_050, 44_100]


def coloured(seed, *, rate, seconds=4.0, tilt_hz=400):
    """Noise that falls like music: by 6 dB an octave above `tilt_hz`, with something left above."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(round(seconds * rate)) * 0.1
    low = sosfilt(butter(1, tilt_hz, fs=rate, output="sos"), noise)
    return (low + 0.04 * noise).astype(np.float32)[np.newaxis]


def shares_db(audio, *, rate):
    powers = band_powers(audio, rate=rate)
    return 10 * np.log10(powers / powers.sum())


def normalised(spectrum_db):
    shares = 10 ** (np.array(spectrum_db) / 10)
    return 10 * np.log10(shares / shares.sum())


def gain_db(gains, hz, *, rate):
    curve = response(gains, rate=rate)
    return 20 * math.log10(abs(curve[round(hz / (rate / 2) * (curve.size - 1))]))


@pytest.mark.parametrize("rate", RATES)
def test_shares_are_those_of_welchs_spectrum(rate):
    audio = coloured(0, rate=rate, seconds=10)
    hz, density = welch(audio[0].astype(np.float64), rate, nperseg=8_192)
    expected = [density[(hz >= low) & (hz < high)].sum() for low, high in pairwise(SPECTRUM_BANDS_HZ)]
    np.testing.assert_allclose(
        shares_db(audio, rate=rate), 10 * np.log10(expected / np.sum(expected)), atol=0.5
    )


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    "wanted_db",
    [(-9, -4, -6, -10, -16), (-6, -6, -7, -8, -9), (-12, -3, -5, -14, -20), (-4, -6, -8, -12, -14)],
)
def test_the_wanted_balance_comes_out(rate, wanted_db):
    audio = coloured(1, rate=rate)
    gains = matching_gains(audio, wanted_db, rate=rate)
    assert all(0.36 < gain < 2.81 for gain in gains)
    balance = shares_db(equalise(audio, gains, rate=rate), rate=rate)
    np.testing.assert_allclose(balance, normalised(wanted_db), atol=0.3)


def test_a_balance_that_is_right_is_left_alone():
    audio = coloured(2, rate=22_050)
    gains = matching_gains(audio, shares_db(audio, rate=22_050), rate=22_050)
    np.testing.assert_allclose(gains, 1.0, atol=0.01)


def test_no_band_is_moved_beyond_the_limit_and_the_others_keep_their_proportions():
    audio = coloured(3, rate=22_050)
    wanted_db = np.array([-6.0, -6.0, -6.0, -8.0, 0.0])
    gains = matching_gains(audio, wanted_db, rate=22_050)
    assert 20 * math.log10(max(gains)) == pytest.approx(LIMIT_DB, abs=1e-6)
    assert min(gains) > 10 ** (-(LIMIT_DB + 0.01) / 20)
    free = [band for band in range(5) if gains[band] < 0.99 * max(gains)]
    balance = shares_db(equalise(audio, gains, rate=22_050), rate=22_050)[free]
    np.testing.assert_allclose(balance - balance[0], (wanted_db - wanted_db[free[0]])[free], atol=0.5)


def test_a_band_that_holds_nothing_is_left_alone():
    t = np.arange(4 * 22_050) / 22_050
    audio = (np.sin(2 * np.pi * 300 * t) + 0.3 * np.sin(2 * np.pi * 1_000 * t)).astype(np.float32)
    audio *= np.hanning(t.size).astype(np.float32)
    gains = matching_gains(audio[np.newaxis], (-6, -6, -6, -6, -6), rate=22_050)
    assert gains[4] == 1
    assert gains[1] < 1 < gains[2]


def test_silence_is_left_alone():
    assert matching_gains(np.zeros((2, 5_000), np.float32), (-7, -7, -7, -7, -7), rate=44_100) == (1,) * 5


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-9, 9), min_size=5, max_size=5), st.sampled_from(RATES))
def test_nothing_is_boosted_below_30_hz_nor_anything_beyond_its_bands(gains_db, rate):
    gains = [10 ** (gain / 20) for gain in gains_db]
    curve = response(gains, rate=rate)
    hz = np.linspace(0, rate / 2, curve.size)
    assert curve[hz <= 30].max() < 10 ** (0.1 / 20)
    assert curve.max() <= max(*gains, 1) * 1.01
    assert curve.min() >= min(*gains, 1) * 0.97
    assert (np.abs(curve[hz > 10_000] / gains[4] - 1) < 0.01).all()


@pytest.mark.parametrize("rate", RATES)
def test_bands_reach_their_gain_at_their_centre(rate):
    gains = [10 ** (gain / 20) for gain in (-6, 4, -3, 5, -4)]
    for band in range(1, 5):
        centre_hz = math.sqrt(SPECTRUM_BANDS_HZ[band] * SPECTRUM_BANDS_HZ[band + 1])
        assert gain_db(gains, centre_hz, rate=rate) == pytest.approx(20 * math.log10(gains[band]), abs=0.5)
    assert gain_db(gains, 50, rate=rate) == pytest.approx(-6, abs=0.5)


def test_both_rates_have_one_curve():
    gains = (0.5, 1.2, 0.8, 1.6, 2.0)
    for hz in (25, 60, 150, 400, 1_500, 5_000, 10_000):
        assert gain_db(gains, hz, rate=22_050) == pytest.approx(gain_db(gains, hz, rate=44_100), abs=0.02)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("at", [0, 1, 5_000, 9_999])
def test_clicks_stay_where_they_are(rate, at):
    click = np.zeros((1, 10_000), dtype=np.float32)
    click[0, at] = 1.0
    filtered = equalise(click, (0.4, 0.8, 1.0, 1.9, 2.5), rate=rate)
    assert filtered.shape == click.shape
    assert int(np.abs(filtered).argmax()) == at


def test_the_response_is_symmetric():
    click = np.zeros((1, 10_001), dtype=np.float32)
    click[0, 5_000] = 1.0
    filtered = equalise(click, (0.4, 0.8, 1.0, 1.9, 2.5), rate=22_050)[0]
    np.testing.assert_allclose(filtered, filtered[::-1], atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(n_samples=st.integers(0, 30_000), channels=st.integers(1, 2))
def test_flat_gains_change_nothing(n_samples, channels):
    audio = (np.random.default_rng(0).standard_normal((channels, n_samples)) * 0.1).astype(np.float32)
    np.testing.assert_allclose(equalise(audio, (1.0,) * 5, rate=22_050), audio, atol=1e-6)


def test_channels_are_filtered_alike():
    audio = np.concatenate([coloured(4, rate=44_100), coloured(5, rate=44_100)])
    gains = (0.7, 1.3, 0.9, 1.5, 2.0)
    both = equalise(audio, gains, rate=44_100)
    for channel in range(2):
        np.testing.assert_array_equal(both[channel], equalise(audio[[channel]], gains, rate=44_100)[0])


@pytest.mark.parametrize("spectrum_db", [(), (-6,) * 4, (-6, -6, -6, -6, math.nan), (-math.inf,) * 5])
def test_refuses_what_is_no_balance(spectrum_db):
    with pytest.raises(ParameterError, match="spectrum_db"):
        matching_gains(np.zeros((1, 10), np.float32), spectrum_db, rate=22_050)


@pytest.mark.parametrize("gains", [(), (1,) * 4, (1, 1, 1, 1, 0), (1, 1, 1, 1, math.inf)])
def test_refuses_what_are_no_gains(gains):
    with pytest.raises(ParameterError, match="gains"):
        equalise(np.zeros((1, 10), np.float32), gains, rate=22_050)

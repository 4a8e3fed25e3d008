from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, fftconvolve, resample_poly, sosfiltfilt

from amper_spark.errors import ParameterError
from amper_spark.render.engine.convolution import best_n_fft, convolve, transfer
from amper_spark.render.engine.half_band import doubled, halved
from amper_spark.render.engine.reverberation import impulse_response, reverberate

RATE = 44_100


def energies_db(response, first_s, last_s, rate):
    return 10 * np.log10((response[:, round(first_s * rate) : round(last_s * rate)] ** 2).mean())


@pytest.mark.parametrize("room_s", [0.4, 1.4, 3.0])
@pytest.mark.parametrize("rate", [22_050, 44_100])
def test_a_room_decays_by_60_db_in_its_time(room_s, rate):
    response = impulse_response(seed=3, room_s=room_s, rate=rate)
    low = sosfiltfilt(butter(4, [250, 600], "bandpass", fs=rate, output="sos"), response)
    early = energies_db(low, 0.012 + 0.1 * room_s, 0.012 + 0.2 * room_s, rate)
    late = energies_db(low, 0.012 + 0.6 * room_s, 0.012 + 0.7 * room_s, rate)
    assert early - late == pytest.approx(30, abs=4)


def test_high_frequencies_decay_sooner():
    response = impulse_response(seed=3, room_s=2.0, rate=22_050)
    decays = []
    for band in ([250, 600], [3_000, 4_500]):
        part = sosfiltfilt(butter(4, band, "bandpass", fs=22_050, output="sos"), response)
        decays.append(energies_db(part, 0.1, 0.2, 22_050) - energies_db(part, 1.0, 1.1, 22_050))
    assert decays[1] > decays[0] + 4


def test_a_room_has_its_band():
    response = impulse_response(seed=5, room_s=1.4, rate=22_050)
    power = np.abs(np.fft.rfft(response[0])) ** 2
    hz = np.fft.rfftfreq(response.shape[1], 1 / 22_050)
    assert power[(hz > 180) & (hz < 5_000)].sum() > 0.93 * power.sum()
    assert power[hz < 60].sum() < 0.002 * power.sum()


def test_left_and_right_are_independent_and_of_unit_energy_after_the_pre_delay():
    left, right = impulse_response(seed=8, room_s=1.4, rate=22_050).astype(np.float64)
    assert (left**2).sum() == pytest.approx(1, rel=1e-5)
    assert (right**2).sum() == pytest.approx(1, rel=1e-5)
    assert abs((left * right).sum()) < 0.05
    assert not left[: round(0.012 * 22_050)].any()
    assert left[round(0.012 * 22_050) :][:5].any()


def test_the_seed_is_the_room():
    one, again = (impulse_response(seed=1, room_s=0.5, rate=22_050) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, impulse_response(seed=2, room_s=0.5, rate=22_050))


@pytest.mark.parametrize("n_samples", [1, 2, 999, 44_100, 200_001])
def test_mono_is_the_mean_of_left_and_right(n_samples):
    send = (np.random.default_rng(0).standard_normal(n_samples) * 0.1).astype(np.float32)
    both = reverberate(send, seed=4, room_s=0.8, rate=RATE, channels=2)
    mono = reverberate(send, seed=4, room_s=0.8, rate=RATE, channels=1)
    assert mono.shape == (1, n_samples)
    np.testing.assert_allclose(mono[0], both.mean(axis=0), atol=1e-6)


def test_half_the_rate_is_as_good_as_the_whole():
    rng = np.random.default_rng(1)
    send = sosfiltfilt(butter(4, 4_000, fs=RATE, output="sos"), rng.standard_normal(RATE)).astype(np.float32)
    response = impulse_response(seed=4, room_s=0.8, rate=RATE // 2)
    wet = reverberate(send, seed=4, room_s=0.8, rate=RATE, channels=2)
    for channel in range(2):
        expected = resample_poly(fftconvolve(resample_poly(send, 1, 2), response[channel]), 2, 1)[:RATE]
        error = (wet[channel] - expected)[2_000:-2_000]
        assert np.sqrt((error**2).mean() / (expected**2).mean()) < 0.01


@settings(max_examples=60, deadline=None)
@given(
    n_samples=st.integers(1, 3_000),
    n_taps=st.integers(1, 300),
    ahead=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_convolution_in_blocks_is_convolution(n_samples, n_taps, ahead, seed):
    rng = np.random.default_rng(seed)
    signal, taps = (rng.standard_normal(n).astype(np.float32) for n in (n_samples, n_taps))
    n_ahead = int(ahead * (n_taps - 1))
    n_fft = best_n_fft(n_samples=n_samples, n_taps=n_taps)
    turned = np.roll(np.pad(taps, (0, n_fft - n_taps)), -n_ahead)
    filtered = convolve(signal, transfer(turned[np.newaxis], n_fft=n_fft), n_taps=n_taps, n_ahead=n_ahead)
    expected = np.convolve(signal.astype(np.float64), taps)[n_ahead : n_ahead + n_samples]
    np.testing.assert_allclose(filtered[0], expected, atol=2e-5 * n_taps**0.5)


def test_halving_keeps_what_is_low_and_removes_what_is_high():
    t = np.arange(20_000) / RATE
    for hz, gain in [(100, 1.0), (4_000, 1.0), (8_000, 1.0), (14_500, 0.0), (18_000, 0.0)]:
        half = halved(np.sin(2 * np.pi * hz * t).astype(np.float32))[100:-100]
        assert np.sqrt(2 * (half**2).mean()) == pytest.approx(gain, abs=0.015)


def test_doubling_keeps_the_samples_and_fills_in_the_others():
    t = np.arange(2_000) / RATE
    slow = np.sin(2 * np.pi * 3_000 * t).astype(np.float32)
    np.testing.assert_allclose(doubled(slow[::2])[100:-100], slow[100:-100], atol=0.01)


@pytest.mark.parametrize("room_s", [0.0, -1.0, 31.0, float("nan")])
def test_refuses_rooms_that_there_are_not(room_s):
    with pytest.raises(ParameterError, match="room_s"):
        impulse_response(seed=0, room_s=room_s, rate=22_050)


def test_refuses_what_it_cannot_do():
    send = np.zeros(10, dtype=np.float32)
    with pytest.raises(ParameterError, match="11025"):
        reverberate(send, seed=0, room_s=1.0, rate=11_025, channels=1)
    with pytest.raises(ParameterError, match="3"):
        reverberate(send, seed=0, room_s=1.0, rate=RATE, channels=3)
    with pytest.raises(ParameterError, match="taps"):
        convolve(send, transfer(send[np.newaxis], n_fft=16), n_taps=20)

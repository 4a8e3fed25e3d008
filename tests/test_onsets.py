from __future__ import annotations

import librosa
import mir_eval
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from amper_spark.errors import ParameterError
from amper_spark.features.extraction import describe_frames
from amper_spark.grid import FRAME_RATE, HOP_LENGTH, SAMPLE_RATE
from amper_spark.onsets import band_onset_strength, onset_frames, onset_strength
from amper_spark.spectra import decibels
from tests.synthesis.drums import drum_track


def strength_of(samples):
    frames = describe_frames(samples=np.asarray(samples, dtype=np.float32))
    return onset_strength(mel_db=decibels(frames.mel_power))


# Onset strength


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(128, 300), (2, 40, 50), (1, 7)])
def test_onset_strength_is_librosas(shape, dtype):
    level = np.random.default_rng(0).normal(-50, 20, shape).astype(dtype)
    expected = librosa.onset.onset_strength_multi(
        S=level, lag=2, max_size=1, center=False, sr=SAMPLE_RATE, hop_length=HOP_LENGTH, aggregate=np.mean
    )
    np.testing.assert_allclose(onset_strength(mel_db=level), expected[..., 0, :], rtol=1e-5, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    n_mel=st.integers(1, 130),
    bounds=st.tuples(st.integers(0, 90), st.integers(3, 100)).filter(lambda b: b[1] - b[0] >= 3),
    order=st.sampled_from("CF"),
)
def test_onset_strength_has_the_same_bits_however_it_is_cut(seed, n_mel, bounds, order):
    level = np.random.default_rng(seed).normal(-50, 20, (n_mel, 100)).astype(np.float32)
    whole = onset_strength(mel_db=level)
    cut = onset_strength(mel_db=np.array(level[:, slice(*bounds)], order=order))
    np.testing.assert_array_equal(cut[2:], whole[slice(*bounds)][2:])
    np.testing.assert_array_equal(cut[:2], 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(128, 300), (2, 40, 50), (1, 7), (3, 1)])
def test_bands_add_up_to_the_onset_strength(shape, dtype):
    level = np.random.default_rng(0).normal(-50, 20, shape).astype(dtype)
    bands = band_onset_strength(mel_db=level)
    assert bands.shape == (*shape[:-2], 3, shape[-1])
    assert (bands >= 0).all()
    np.testing.assert_array_equal(bands.sum(axis=-2), onset_strength(mel_db=level))


@pytest.mark.parametrize("n_mel", [40, 64, 128])
def test_bands_part_at_200_hz_and_2_khz(n_mel):
    centre_hz = librosa.mel_frequencies(n_mel + 2, fmin=0, fmax=SAMPLE_RATE / 2)[1:-1]
    for mel, hz in enumerate(centre_hz):
        level = np.zeros((n_mel, 3))
        level[mel, 2] = 10.0
        band = int(hz >= 200) + int(hz >= 2000)
        expected = np.where(np.arange(3) == band, 10 / n_mel, 0)
        np.testing.assert_allclose(band_onset_strength(mel_db=level)[:, 2], expected)


def test_a_kick_drum_is_low_and_a_hat_is_high():
    for kind, band in (("kick", 0), ("hat", 2)):
        samples = drum_track({kind: np.arange(0.5, 9, 0.5)}, 10.0)
        frames = describe_frames(samples=np.asarray(samples, dtype=np.float32))
        bands = band_onset_strength(mel_db=decibels(frames.mel_power))
        share_of_band = bands.std(axis=-1) / np.array([7, 57, 64])  # per mel band
        assert share_of_band.argmax() == band


@pytest.mark.parametrize("n_frames", [1, 2, 3])
def test_the_first_two_frames_have_no_onset_strength(n_frames):
    strength = onset_strength(mel_db=np.cumsum(np.ones((4, n_frames)), axis=1))
    assert strength.tolist() == [0.0, 0.0, 2.0][:n_frames]


def test_falling_levels_do_not_count():
    assert not onset_strength(mel_db=-np.cumsum(np.ones((4, 20)), axis=1)).any()


@pytest.mark.parametrize("shape", [(10,), (0, 10)])
def test_onset_strength_refuses_what_has_no_bands(shape):
    for function in (onset_strength, band_onset_strength):
        with pytest.raises(ParameterError, match=r"mel_db must be .*shape="):
            function(mel_db=np.zeros(shape))


# Onsets


def test_onsets_of_drums_are_found():
    rng = np.random.default_rng(3)
    truth_s = 0.5 + np.cumsum(rng.choice([0.12, 0.18, 0.25, 0.35, 0.5], 60))
    kinds = rng.choice(["kick", "snare", "hat"], truth_s.size)
    hits = {kind: truth_s[kinds == kind] for kind in ("kick", "snare", "hat")}
    strength = strength_of(drum_track(hits, truth_s[-1] + 1))
    # 53 ms: a frame's onset comes when the frame before the last has ended.
    found_s = onset_frames(onset_strength=strength) / FRAME_RATE + 0.053
    f_measure, precision, recall = mir_eval.onset.f_measure(truth_s, found_s, window=0.05)
    assert f_measure > 0.9, (precision, recall)


@pytest.mark.parametrize("colour", ["white", "brown"])
def test_steady_noise_has_no_onsets(colour):
    samples = np.random.default_rng(1).standard_normal(20 * SAMPLE_RATE)
    if colour == "brown":
        samples = np.cumsum(samples)
        samples -= np.convolve(samples, np.ones(500) / 500, "same")
    strength = strength_of(0.1 * samples / np.abs(samples).max())
    assert onset_frames(onset_strength=strength).size == 0


@pytest.mark.parametrize("level", [0.0, 5.0])
@pytest.mark.parametrize("n_frames", [1, 5, 100])
def test_constant_onset_strength_has_no_onsets(level, n_frames):
    assert onset_frames(onset_strength=np.full(n_frames, level)).size == 0


def test_of_equal_neighbours_the_first_is_the_onset():
    strength = np.zeros(40)
    strength[20:23] = 5.0
    assert onset_frames(onset_strength=strength).tolist() == [20]


@settings(max_examples=100, deadline=None)
@given(strength=stnp.arrays(np.float64, st.integers(1, 120), elements=st.floats(0, 1e3)))
def test_onsets_are_at_least_60_ms_apart_and_stand_out(strength):
    onsets = onset_frames(onset_strength=strength)
    assert (np.diff(onsets) > 0.06 * FRAME_RATE).all()
    for onset in onsets:
        around = strength[max(0, onset - 10) : onset + 11]
        assert strength[onset] == strength[max(0, onset - 3) : onset + 4].max()
        assert strength[onset] > around.mean() + 0.9


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**16), start=st.integers(0, 100), length=st.integers(21, 200))
def test_a_verdict_on_an_onset_depends_on_ten_frames_either_side(seed, start, length):
    strength = np.random.default_rng(seed).gamma(1, 2, 300)
    stop = min(300, start + length)
    whole = onset_frames(onset_strength=strength)
    cut = start + onset_frames(onset_strength=strength[start:stop])
    inside = (start + 10, stop - 10)
    np.testing.assert_array_equal(
        cut[(cut >= inside[0]) & (cut < inside[1])], whole[(whole >= inside[0]) & (whole < inside[1])]
    )


@pytest.mark.parametrize("strength", [np.zeros((2, 5)), np.zeros(0), np.array([1.0, np.nan]), -np.ones(3)])
def test_onset_frames_refuses_what_is_no_onset_strength(strength):
    with pytest.raises(ParameterError, match=r"onset_strength must be"):
        onset_frames(onset_strength=strength)

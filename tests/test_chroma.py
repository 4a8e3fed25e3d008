from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.chroma import (
    bass_frames,
    chroma_entropy,
    chroma_frames,
    class_shares,
    scale_frames,
    window_moments,
)
from amper_spark.errors import ParameterError
from amper_spark.grid import SAMPLE_RATE, STRIDE_LENGTH, WINDOW_LENGTH, window_count
from amper_spark.spectra import constant_q_power
from tests.synthesis.instruments import Hit, Note, Timbre, render


def analysed_chroma(samples):
    chroma = chroma_frames(constant_q_power=constant_q_power(samples=samples))
    return window_moments(frames=chroma, n_windows=window_count(samples.size))[0]


def bass_on_d():
    """Held notes with partials, as a bass has them."""
    timbre = Timbre(slope_db=-6, odd=0.0, attack_s=0.005, decay_s=2.0)
    return [Note(start_s, 1.25, 38, 0.6, timbre) for start_s in np.arange(0, 10, 1.25)]


def analysed_bass(events):
    samples = (0.1 * render(events, duration_s=10.0)).astype(np.float32)
    return bass_frames(constant_q_power=constant_q_power(samples=samples))


def test_a_kick_drum_is_no_bass():
    kicks = [Hit(start_s, "kick", 1.0) for start_s in np.arange(0, 10, 0.5)]
    assert (analysed_bass([*bass_on_d(), *kicks]).argmax(axis=0) == 2).all()


@pytest.mark.parametrize("pitch", [31, 33, 34, 36])
def test_a_tuned_kick_drum_is_no_bass(pitch):
    """Half as loud again as the bass, and on another class for a fifth of a second: but without partials."""
    sine = Timbre(slope_db=-300, odd=0.0, attack_s=0.002, decay_s=0.2)
    kicks = [Note(start_s, 0.8, pitch, 0.9, sine) for start_s in np.arange(0, 10, 0.5)]
    assert (analysed_bass(kicks).argmax(axis=0) == pitch % 12).all()  # by itself it would be
    assert (analysed_bass([*bass_on_d(), *kicks]).argmax(axis=0) == 2).all()


def test_soft_notes_belong_to_the_scale():
    power = np.zeros((252, 1))
    power[[36 * 3, 36 * 3 + 12]] = [[1.0], [1e-4]]  # C4, and E4 at -40 dB
    chroma, scale = chroma_frames(constant_q_power=power), scale_frames(constant_q_power=power)
    assert scale[4] / scale[0] == pytest.approx(0.1)
    assert chroma[4] / chroma[0] == pytest.approx(0.01)


@pytest.mark.parametrize("chroma", [np.zeros(12), np.full(12, 0.3), np.ones((4, 12))])
def test_a_flat_chroma_has_all_entropy(chroma):
    np.testing.assert_allclose(chroma_entropy(chroma=chroma), 1.0)


@given(chroma=st.lists(st.floats(0, 1), min_size=12, max_size=12).map(np.array))
def test_entropy_is_a_share(chroma):
    assert 0 <= chroma_entropy(chroma=chroma) <= 1


def test_chroma_of_a_window_alone_is_the_slice_of_the_recordings(reference_signals):
    samples = reference_signals["feelings"].samples[: 20 * SAMPLE_RATE]
    whole = analysed_chroma(samples)
    for window, expected in enumerate(whole):
        alone = analysed_chroma(samples[STRIDE_LENGTH * window :][:WINDOW_LENGTH])
        np.testing.assert_array_equal(alone[0], expected)


def test_chroma_agrees_with_librosas_exact_transform(reference_signals):
    agreement, correlation = [], []
    for signal in reference_signals.values():
        samples = signal.samples[: 60 * SAMPLE_RATE]
        ours = analysed_chroma(samples)[::5]
        for window, chroma in zip(range(0, window_count(samples.size), 5), ours, strict=True):
            piece = samples[STRIDE_LENGTH * window :][:WINDOW_LENGTH]
            theirs = librosa.feature.chroma_cqt(y=piece, tuning=0.0, hop_length=512).mean(axis=1)
            correlation.append(np.corrcoef(chroma, theirs)[0, 1])
            second, first = np.sort(theirs)[-2:]
            if first > 1.05 * second:  # nearer than that, either is right
                agreement.append(chroma.argmax() == theirs.argmax())
    assert np.mean(agreement) >= 0.95
    assert np.median(correlation) >= 0.97


@pytest.mark.parametrize("frames", [chroma_frames, scale_frames, bass_frames])
def test_a_wrong_shape_is_named(frames):
    with pytest.raises(ParameterError, match=r"\(84, 3\)"):
        frames(constant_q_power=np.zeros((84, 3)))


def test_shares_add_up_to_one_where_anything_sounds():
    frames = np.random.default_rng(0).random((12, 5))
    frames[:, 2] = 0
    np.testing.assert_allclose(class_shares(frames=frames).sum(axis=0), [1, 1, 0, 1, 1])
    np.testing.assert_allclose(class_shares(frames=100 * frames), class_shares(frames=frames))


def test_what_changes_from_frame_to_frame_deviates():
    frames = np.zeros((12, 60))
    frames[4] = 0.5
    frames[7, ::2] = 1.0
    _, deviation = window_moments(frames=frames, n_windows=2)
    assert deviation.shape == (2, 12)
    assert deviation[:, 7] == pytest.approx(0.5, abs=0.01)
    assert not np.delete(deviation, 7, axis=1).any()

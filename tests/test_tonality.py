from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.grid import SAMPLE_RATE, STRIDE_LENGTH, WINDOW_LENGTH, window_count
from amper_spark.spectra import constant_q_power
from amper_spark.tonality import (
    MAJOR_PROFILE,
    MINOR_PROFILE,
    chroma_entropy,
    chroma_frames,
    estimate_tonic,
    window_chroma,
)

CADENCES = {
    "major": [(0, 4, 7), (5, 9, 0), (7, 11, 2), (0, 4, 7)],
    "minor": [(0, 3, 7), (5, 8, 0), (7, 11, 2), (0, 3, 7)],
}


def chord_progression(tonic, chords, chord_s=2.5):
    """Sawtooth-like chords with a bass an octave below their roots."""
    time_s = np.arange(int(chord_s * SAMPLE_RATE)) / SAMPLE_RATE
    pieces = []
    for chord in chords:
        notes = [36 + tonic + chord[0], *(60 + (tonic + degree) % 12 for degree in chord)]
        piece = sum(
            np.sin(2 * np.pi * harmonic * 440 * 2 ** ((note - 69) / 12) * time_s) / harmonic
            for note in notes
            for harmonic in range(1, 6)
        )
        pieces.append(piece * np.exp(-time_s))
    return (0.1 * np.concatenate(pieces)).astype(np.float32)


def analysed_chroma(samples):
    chroma = chroma_frames(constant_q_power=constant_q_power(samples=samples))
    return window_chroma(chroma=chroma, n_windows=window_count(samples.size))


@pytest.mark.parametrize("mode", CADENCES)
@pytest.mark.parametrize("tonic", range(12))
def test_the_tonic_of_a_cadence(tonic, mode):
    estimate = estimate_tonic(chroma=analysed_chroma(chord_progression(tonic, CADENCES[mode])))
    assert estimate.tonic.tolist() == [tonic]
    assert estimate.strength[0] > 0


@given(
    chroma=st.lists(st.floats(0, 1, width=32), min_size=12, max_size=12).map(np.array),
    steps=st.integers(0, 11),
)
def test_transposing_the_chroma_transposes_the_tonic(chroma, steps):
    estimate = estimate_tonic(chroma=chroma)
    moved = estimate_tonic(chroma=np.roll(chroma, steps))
    assert estimate.strength == pytest.approx(moved.strength, abs=1e-9)
    if estimate.strength > 1e-6:
        assert moved.tonic == (estimate.tonic + steps) % 12


@pytest.mark.parametrize("profile", [MAJOR_PROFILE, MINOR_PROFILE])
def test_a_profile_is_its_own_best_match(profile):
    assert estimate_tonic(chroma=np.roll(profile, 7)).tonic == 7


@pytest.mark.parametrize("chroma", [np.zeros(12), np.full(12, 0.3), np.ones((4, 12))])
def test_no_pitch_no_strength(chroma):
    estimate = estimate_tonic(chroma=chroma)
    assert (estimate.strength == 0).all()
    assert (estimate.tonic == 0).all()
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


def test_a_wrong_shape_is_named():
    with pytest.raises(ParameterError, match=r"\(84, 3\)"):
        chroma_frames(constant_q_power=np.zeros((84, 3)))
    with pytest.raises(ParameterError, match=r"\(11,\)"):
        estimate_tonic(chroma=np.zeros(11))

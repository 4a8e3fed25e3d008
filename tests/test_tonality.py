from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.chroma import bass_frames, scale_frames
from amper_spark.errors import ParameterError
from amper_spark.grid import SAMPLE_RATE, STRIDE_LENGTH, WINDOW_LENGTH, window_count
from amper_spark.spectra import constant_q_power
from amper_spark.tonality import match_keys, window_tonic
from tests.synthesis.loops import loop

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


def analysed_tonic(samples):
    power = constant_q_power(samples=samples)
    return window_tonic(
        scale=scale_frames(constant_q_power=power),
        bass=bass_frames(constant_q_power=power),
        n_windows=window_count(samples.size),
    )


@pytest.mark.parametrize("mode", CADENCES)
@pytest.mark.parametrize("tonic", range(12))
def test_the_tonic_of_a_cadence_by_notes_and_bass(tonic, mode):
    found = analysed_tonic(chord_progression(tonic, CADENCES[mode]))
    assert (found.tonic.tolist(), found.mode.tolist()) == ([tonic], [mode])
    assert found.strength[0] > 0


def test_the_bass_tells_a_key_from_its_relative():
    c_major = analysed_tonic(loop([(0, 4), (0, 4), (7, 4), (5, 4)], chord_s=1.25))
    a_minor = analysed_tonic(loop([(9, 3), (9, 3), (5, 4), (7, 4)], chord_s=1.25))
    assert (c_major.tonic[0], c_major.mode[0]) == (0, "major")
    assert (a_minor.tonic[0], a_minor.mode[0]) == (9, "minor")


WHITE_KEYS = np.array([1.0, 0, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1])


def bass_of_a_loop(a):
    """So much of A, and 1 each of F, C and G: a loop of A minor, or of C major."""
    bass = np.zeros(12)
    bass[[5, 0, 7]] = 1.0
    bass[9] = a
    return bass


@pytest.mark.parametrize(("a", "tonic", "mode"), [(1.0, 0, "major"), (1.5, 9, "minor"), (3.0, 9, "minor")])
def test_a_bass_that_dwells_on_a_note_makes_it_the_tonic(a, tonic, mode):
    found = match_keys(scale=WHITE_KEYS, bass=bass_of_a_loop(a))
    assert (found.tonic, found.mode) == (tonic, mode)


# 1.5 times the power is no half as much again; nor is it the mean of the roots that counts.
@pytest.mark.parametrize(
    ("a", "tonic"), [([1.5, 1.5], 0), ([2.25, 2.25], 9), ([0.0, 4.5], 9), ([0.0, 3.0], 0)]
)
def test_the_bass_counts_by_the_root_of_its_mean_power(a, tonic):
    bass = np.stack([bass_of_a_loop(power) for power in a], axis=1)
    scale = np.stack([WHITE_KEYS] * bass.shape[1], axis=1)
    assert window_tonic(scale=scale, bass=bass, n_windows=1).tonic == [tonic]


def test_the_strength_is_what_the_correlations_leave_between_two_tonics():
    rng = np.random.default_rng(0)
    in_rock = [0.328, 0.005, 0.036, 0.026, 0.019, 0.226, 0.003, 0.163, 0.040, 0.072, 0.081, 0.004]
    notes = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
    for _ in range(20):
        scale, bass = rng.random((2, 12))
        of_tonics = []
        for tonic in range(12):
            of_bass = 0.35 * np.corrcoef(bass, np.roll(np.square(in_rock), tonic))[0, 1]
            of_scale = {
                mode: 0.65 * np.corrcoef(scale, np.roll(np.isin(np.arange(12), degrees), tonic))[0, 1]
                for mode, degrees in notes.items()
            }
            of_tonics.append(of_bass + max(of_scale["major"], of_scale["minor"] + 0.08))
        found = match_keys(scale=scale, bass=bass)
        assert found.tonic == np.argmax(of_tonics)
        assert found.strength == pytest.approx(np.ptp(np.sort(of_tonics)[-2:]), abs=1e-9)


@pytest.mark.parametrize("level", [1e-4, 1.0, 30.0])
def test_the_tonic_does_not_depend_on_the_level(level):
    samples = loop([(9, 3), (5, 4), (0, 4), (7, 4)], chord_s=1.25)
    found, expected = analysed_tonic((level * samples).astype(np.float32)), analysed_tonic(samples)
    assert found.tonic == expected.tonic
    np.testing.assert_allclose(found.strength, expected.strength, rtol=1e-3)


classes = st.lists(st.floats(0, 1, width=32), min_size=12, max_size=12).map(np.array)


@given(scale=classes, bass=classes, steps=st.integers(0, 11))
def test_transposing_scale_and_bass_transposes_the_tonic(scale, bass, steps):
    found = match_keys(scale=scale, bass=bass)
    moved = match_keys(scale=np.roll(scale, steps), bass=np.roll(bass, steps))
    assert found.strength == pytest.approx(moved.strength, abs=1e-9)
    if found.strength > 1e-6:
        assert moved.tonic == (found.tonic + steps) % 12


def test_nothing_to_hear_gives_no_strength():
    found = match_keys(scale=np.zeros((3, 12)), bass=np.full((3, 12), 0.2))
    assert (found.strength == 0).all()
    assert (found.tonic == 0).all()


def test_the_tonic_of_a_window_alone_is_that_of_the_recordings(reference_signals):
    samples = reference_signals["feelings"].samples[: 20 * SAMPLE_RATE]
    whole = analysed_tonic(samples)
    for window in range(window_count(samples.size)):
        alone = analysed_tonic(samples[STRIDE_LENGTH * window :][:WINDOW_LENGTH])
        assert alone.tonic[0] == whole.tonic[window]
        np.testing.assert_array_equal(alone.strength[0], whole.strength[window])


def test_a_wrong_shape_is_named():
    with pytest.raises(ParameterError, match=r"\(3, 12\)"):
        match_keys(scale=np.zeros((2, 12)), bass=np.zeros((3, 12)))
    with pytest.raises(ParameterError, match=r"\(11,\)"):
        match_keys(scale=np.zeros(11), bass=np.zeros(11))

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.chroma import window_moments
from amper_spark.intervals import (
    above_bass_frames,
    above_floor,
    interval_class_frames,
    window_persistence,
)

C, D, E, F, G, B = 0, 2, 4, 5, 7, 11
TRITONE = 5


def sounding(*pitch_classes):
    """One frame in which these sound alike."""
    frame = np.zeros((12, 1))
    frame[list(pitch_classes)] = 1.0
    return frame


def classes_of(*pitch_classes):
    return interval_class_frames(chroma=sounding(*pitch_classes)).ravel()


def test_a_tone_alone_makes_no_interval():
    assert not classes_of(E).any()


@pytest.mark.parametrize(
    ("pair", "semitones"), [((E, F), 1), ((C, D), 2), ((C, E), 4), ((C, F), 5), ((C, G), 5)]
)
def test_two_tones_make_one_interval_or_its_inversion(pair, semitones):
    np.testing.assert_allclose(classes_of(*pair), 0.5 * (np.arange(1, 7) == semitones))


def test_a_dominant_seventh_has_a_tritone_and_a_triad_has_none():
    assert classes_of(G, B, D, F)[TRITONE] > 0.4
    assert classes_of(G, B, D)[TRITONE] == 0


chromas = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).uniform(0, 1, (12, 5)))


@given(chroma=chromas, key=st.integers(0, 11), gain=st.floats(0.01, 100))
def test_neither_key_nor_loudness_matters(chroma, key, gain):
    bass = chroma[::-1]
    moved = {"chroma": gain * np.roll(chroma, key, axis=0), "bass": gain * np.roll(bass, key, axis=0)}
    np.testing.assert_allclose(
        interval_class_frames(chroma=moved["chroma"]), interval_class_frames(chroma=chroma), atol=1e-9
    )
    np.testing.assert_allclose(
        above_bass_frames(**moved), above_bass_frames(chroma=chroma, bass=bass), atol=1e-9
    )


@given(chroma=chromas)
def test_shares_and_similarities_are_of_0_to_1(chroma):
    assert np.logical_and(
        interval_class_frames(chroma=chroma) >= 0, interval_class_frames(chroma=chroma) <= 1
    ).all()
    np.testing.assert_allclose(above_bass_frames(chroma=chroma, bass=chroma).sum(axis=0), 1)
    persistence = window_persistence(frames=chroma, n_windows=1)
    assert np.logical_and(persistence >= 0, persistence <= 1 + 1e-9).all()


def test_above_the_bass_inversions_differ():
    root_position = above_bass_frames(chroma=sounding(C, E, G), bass=sounding(C))
    inverted = above_bass_frames(chroma=sounding(C, E, G), bass=sounding(E))
    assert root_position.ravel().nonzero()[0].tolist() == [0, 4, 7]
    assert inverted.ravel().nonzero()[0].tolist() == [0, 3, 8]


def test_harmony_that_stays_persists_and_one_that_changes_does_not():
    held = np.tile(sounding(C, E, G), 24)
    changing = np.stack([sounding(C, E, G)[:, 0], sounding(D, F, 9)[:, 0]] * 12, axis=1)
    np.testing.assert_allclose(window_persistence(frames=held, n_windows=1), 1)
    np.testing.assert_allclose(window_persistence(frames=changing, n_windows=1), [[0, 1, 1, 1]], atol=1e-9)


def test_silence_says_nothing():
    silent = np.zeros((12, 24))
    assert not interval_class_frames(chroma=silent).any()
    assert not above_bass_frames(chroma=silent, bass=silent).any()
    assert not window_persistence(frames=silent, n_windows=1).any()


@pytest.mark.parametrize("n_frames", [1, 3])
def test_in_short_windows_long_lags_say_nothing(n_frames):
    persistence = window_persistence(frames=np.ones((12, n_frames)), n_windows=1)
    assert persistence[0].tolist() == [pytest.approx(float(lag < n_frames)) for lag in (1, 2, 4, 8)]


def test_windows_are_told_apart():
    frames = np.concatenate(
        [np.tile(sounding(E), 24), np.random.default_rng(0).uniform(0, 1, (12, 24))], axis=1
    )
    persistence = window_persistence(frames=frames, n_windows=5)
    assert persistence[0, 0] == pytest.approx(1)
    assert (np.diff(persistence[:, 0]) < 0).all()


def test_the_floor_is_what_sounds_least():
    frames = np.random.default_rng(0).uniform(1, 2, (12, 7))
    lifted = above_floor(frames=frames)
    np.testing.assert_allclose(lifted.min(axis=0), 0)
    assert window_moments(frames=lifted, n_windows=1)[0].argmax() == frames.mean(axis=1).argmax()

from __future__ import annotations

import numpy as np
import pytest

from amper_spark.grid import SAMPLE_RATE, STRIDE_LENGTH, WINDOW_LENGTH
from amper_spark.spectra import constant_q_power
from amper_spark.tonalness import window_tonalness
from tests.synthesis.instruments import Hit, Note, Timbre, render

STRINGS = Timbre(slope_db=-6, odd=0.0, attack_s=0.05, decay_s=5.0)


def tonalness_of(samples, *, n_windows=1):
    power = constant_q_power(samples=np.asarray(samples, dtype=np.float32))
    return window_tonalness(constant_q_power=power, n_windows=n_windows)


def chords():
    """A triad every 2 s."""
    return [Note(start_s, 2.0, key, 0.3, STRINGS) for start_s in range(0, 10, 2) for key in (60, 64, 67)]


def drums():
    """Kick, snare and hi-hat, four strokes a second."""
    return [Hit(0.25 * beat, ("kick", "hat", "snare", "hat")[beat % 4], 0.5) for beat in range(40)]


@pytest.fixture(scope="module")
def sounds():
    made = {
        name: render(events, duration_s=10.0)
        for name, events in {"chords": chords(), "drums": drums()}.items()
    }
    return made | {"noise": np.random.default_rng(0).normal(0, 0.1, WINDOW_LENGTH)}


def test_notes_have_a_pitch_and_drums_and_noise_have_none(sounds):
    tonalness = {name: tonalness_of(samples)[0] for name, samples in sounds.items()}
    assert tonalness["chords"] > 0.4
    assert tonalness["drums"] < 0.12
    assert tonalness["noise"] < 0.12


def test_drums_beside_notes_leave_some_of_it(sounds):
    alone, together = (
        tonalness_of(samples)[0] for samples in (sounds["chords"], sounds["chords"] + sounds["drums"])
    )
    assert tonalness_of(sounds["drums"])[0] < together < alone


def test_loudness_does_not_matter(sounds):
    assert tonalness_of(0.01 * sounds["chords"])[0] == pytest.approx(
        tonalness_of(sounds["chords"])[0], abs=1e-3
    )


def test_bass_drums_do_not_count_though_they_have_a_pitch():
    times_s = np.arange(WINDOW_LENGTH) / SAMPLE_RATE
    assert tonalness_of(np.sin(2 * np.pi * 50 * times_s))[0] < 0.1


def test_windows_are_told_apart(sounds):
    both = np.concatenate([sounds["drums"], sounds["chords"]])
    tonalness = tonalness_of(both, n_windows=6)
    assert tonalness[0] == pytest.approx(tonalness_of(both[:WINDOW_LENGTH])[0], abs=0.02)
    assert (np.diff(tonalness) > 0).all()
    assert tonalness[5] == pytest.approx(tonalness_of(both[5 * STRIDE_LENGTH :])[0], abs=0.05)


@pytest.mark.parametrize("n_samples", [1, 8_000, 30_000])
def test_silence_and_very_short_sounds_have_none(n_samples):
    assert tonalness_of(np.zeros(n_samples)).tolist() == [0.0]
    assert 0 <= tonalness_of(np.ones(n_samples))[0] <= 1

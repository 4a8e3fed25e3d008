from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from amper_spark.beat_tracking import track_beats
from amper_spark.errors import ParameterError
from amper_spark.features.extraction import describe_frames
from amper_spark.grid import FRAME_RATE, HOP_LENGTH, SAMPLE_RATE
from amper_spark.onsets import onset_strength
from amper_spark.spectra import decibels

TIGHTNESS = 400.0


def librosas_beats(strength, period_frames, tightness=TIGHTNESS):
    _, beats = librosa.beat.beat_track(
        onset_envelope=strength,
        sr=SAMPLE_RATE,
        hop_length=HOP_LENGTH,
        bpm=60 * FRAME_RATE / period_frames,
        tightness=tightness,
        trim=False,
    )
    return beats


def pulses(period_frames, n_frames, seed):
    """Onset strength of beats of uneven loudness, some of them missing, in noise."""
    rng = np.random.default_rng(seed)
    strength = rng.gamma(1, 0.2, n_frames)
    beats = np.rint(np.arange(7, n_frames - 1, period_frames)).astype(int)
    strength[beats] += rng.uniform(2, 8, beats.size) * (rng.uniform(size=beats.size) > 0.2)
    strength[0] = 0.0  # which librosa overlooks
    return strength


@pytest.mark.parametrize("tightness", [100.0, TIGHTNESS])
@pytest.mark.parametrize("period", [10, 11, 17, 25, 38, 63, 100])
def test_beats_at_a_constant_tempo_are_librosas(period, tightness):
    for seed in range(5):
        strength = pulses(period + 0.2, 3000, seed)
        beats = track_beats(onset_strength=strength, period_frames=np.full(3000, period), tightness=tightness)
        np.testing.assert_array_equal(beats, librosas_beats(strength, period, tightness))
        assert beats.size > 0.8 * 3000 / period


@pytest.mark.parametrize("shortest_s", [1, 40, 100])
def test_beats_at_a_changing_tempo_are_librosas(shortest_s):
    rng = np.random.default_rng(shortest_s)
    for seed in range(5):
        lengths = rng.integers(shortest_s, 3 * shortest_s, 3000)
        period_frames = np.repeat(rng.integers(10, 101, 3000), lengths)[:3000]
        strength = pulses(25, 3000, seed)
        beats = track_beats(onset_strength=strength, period_frames=period_frames, tightness=TIGHTNESS)
        np.testing.assert_array_equal(beats, librosas_beats(strength, period_frames))


@pytest.mark.parametrize("bpm", [95.0, 135.0, 140.0, 150.0])
def test_beats_of_real_music_are_librosas(reference_signals, bpm):
    for signal in reference_signals.values():
        frames = describe_frames(samples=signal.samples[: 60 * SAMPLE_RATE])
        strength = onset_strength(mel_db=decibels(frames.mel_power))
        period = round(60 * FRAME_RATE / bpm)
        beats = track_beats(
            onset_strength=strength, period_frames=np.full(strength.size, period), tightness=TIGHTNESS
        )
        np.testing.assert_array_equal(beats, librosas_beats(strength, period))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), n_frames=st.integers(2, 400), tightness=st.floats(1e-3, 1e4))
def test_beats_increase_and_keep_their_distance(data, n_frames, tightness):
    strength = data.draw(stnp.arrays(np.float64, n_frames, elements=st.floats(0, 1e3)))
    period_frames = data.draw(stnp.arrays(np.int64, n_frames, elements=st.integers(2, 100)))
    beats = track_beats(onset_strength=strength, period_frames=period_frames, tightness=tightness)
    assert (beats.size > 0) <= strength.any()
    assert ((beats >= 0) & (beats < n_frames)).all()
    lag, period = np.diff(beats), period_frames[beats[1:]]
    assert ((lag >= np.rint(period / 2)) & (lag <= 2 * period)).all()


def test_silence_has_no_beats():
    assert track_beats(onset_strength=np.zeros(9), period_frames=np.full(9, 4), tightness=1.0).size == 0


@pytest.mark.parametrize("level", [5e-324, 0.1, 1e3])
def test_constant_onset_strength_has_beats_all_the_same(level):
    beats = track_beats(
        onset_strength=np.full(200, level), period_frames=np.full(200, 25), tightness=TIGHTNESS
    )
    assert beats.size >= 7


def test_beats_do_not_depend_on_the_unit_of_the_onset_strength():
    strength, period_frames = pulses(25, 1000, 0), np.full(1000, 25)
    beats = track_beats(onset_strength=strength, period_frames=period_frames, tightness=TIGHTNESS)
    for scale in (2.0**-30, 2.0**30):
        scaled = track_beats(
            onset_strength=scale * strength, period_frames=period_frames, tightness=TIGHTNESS
        )
        np.testing.assert_array_equal(scaled, beats)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"onset_strength": np.full(9, np.nan)}, "onset_strength must be finite"),
        ({"onset_strength": np.ones(1)}, "onset_strength must have at least two frames, got 1"),
        ({"period_frames": np.full(8, 4)}, r"period_frames must be 9 whole numbers.*shape \(8,\)"),
        ({"period_frames": np.full(9, 4.0)}, "period_frames must be 9 whole numbers.*float64"),
        ({"period_frames": np.full(9, 1)}, "period_frames must be at least 2, lowest 1"),
        ({"tightness": 0.0}, "tightness must be positive and finite, got 0.0"),
        ({"tightness": np.nan}, "tightness must be positive and finite, got nan"),
    ],
)
def test_what_cannot_be_tracked_is_refused(changes, message):
    arguments = {"onset_strength": np.ones(9), "period_frames": np.full(9, 4), "tightness": 1.0}
    with pytest.raises(ParameterError, match=message):
        track_beats(**(arguments | changes))

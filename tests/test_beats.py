from __future__ import annotations

import json
from pathlib import Path

import librosa
import mir_eval
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from amper_spark import config, rhythm
from amper_spark.beats import beat_times, tempo_curve
from amper_spark.errors import ParameterError
from amper_spark.grid import (
    FRAME_LENGTH,
    HOP_LENGTH,
    SAMPLE_RATE,
    STRIDE_FRAMES,
    WINDOW_FRAMES,
    cut_windows,
    frame_count,
    window_count,
)
from amper_spark.onsets import onset_strength, window_onset_rate

REFERENCE_TRACKS = Path(__file__).parents[1] / "data" / "reference-tracks"
SETTINGS = config.Tempo().model_dump()
GRID_BPM = rhythm.TEMPO_GRID_BPM


def count_windows(n_frames):
    return max(0, n_frames - WINDOW_FRAMES) // STRIDE_FRAMES + 1


def strength_of(samples):
    power = librosa.feature.melspectrogram(
        y=np.asarray(samples, dtype=np.float32),
        sr=SAMPLE_RATE,
        n_fft=FRAME_LENGTH,
        hop_length=HOP_LENGTH,
        center=False,
        power=2,
        n_mels=128,
    )
    return onset_strength(mel_db=librosa.power_to_db(power, ref=1, amin=1e-10, top_db=None))


def estimate_of(strength, **changes):
    windows = cut_windows(frames=strength, n_windows=count_windows(strength.size))
    rate = window_onset_rate(onset_strength=strength, n_windows=len(windows))
    bands = np.stack([np.zeros_like(windows), windows, np.zeros_like(windows)], axis=1)
    return rhythm.estimate_tempo(band_onset_strength=bands, onset_rate=rate, **{**SETTINGS, **changes})


def curve_of(strength):
    return tempo_curve(score=estimate_of(strength).score)


def clicks(times_s, duration_s, noise=3e-3, seed=0):
    """Short bursts of noise at given times, in noise."""
    rng = np.random.default_rng(seed)
    samples = noise * rng.standard_normal(int(duration_s * SAMPLE_RATE))
    burst_s = np.arange(2000) / SAMPLE_RATE
    for time_s in times_s:
        start = round(time_s * SAMPLE_RATE)
        burst = 0.3 * rng.standard_normal(burst_s.size) * np.exp(-burst_s / 0.005)
        samples[start : start + burst.size] += burst[: max(0, samples.size - start)]
    return samples


def beats_at(tempo_of, duration_s, start_s=0.3):
    """Beat times in s of a tempo that changes: tempo_of(time_s) in BPM."""
    times_s = [start_s]
    while times_s[-1] < duration_s - 1:
        times_s.append(times_s[-1] + 60 / tempo_of(times_s[-1]))
    return np.array(times_s)


def end_s(n_frames):
    return ((n_frames - 1) * HOP_LENGTH + FRAME_LENGTH) / SAMPLE_RATE


def score_at(tempo_bpm, lead=1.0):
    """A score with a peak at a tempo, and others at half and double that are less high by the lead."""
    distance = np.log2(GRID_BPM / np.asarray(tempo_bpm)[..., np.newaxis])
    main, half, double = (-np.minimum(8.0, (50 * (distance - octave)) ** 2) for octave in (0, -1, 1))
    return np.maximum(main, np.maximum(half, double) - lead)


# Tempo over time


def test_windows_that_slip_an_octave_are_put_right():
    tempo_bpm = np.full(40, 95.0)
    tempo_bpm[[3, 17, 18, 19, 39]] = 190.0
    curve = tempo_curve(score=score_at(tempo_bpm, lead=0.5))
    np.testing.assert_allclose(curve, 95.0, rtol=0.01)


def test_a_change_of_tempo_is_followed():
    tempo_bpm = np.repeat([100.0, 140.0, 84.0], 20)
    curve = tempo_curve(score=score_at(tempo_bpm))
    np.testing.assert_allclose(curve, tempo_bpm, rtol=0.01)


def test_a_drift_of_tempo_is_followed():
    tempo_bpm = np.geomspace(90, 150, 60)
    np.testing.assert_allclose(tempo_curve(score=score_at(tempo_bpm)), tempo_bpm, rtol=0.015)


@pytest.mark.parametrize("seed", range(5))
def test_the_curve_is_the_likeliest_path_that_librosa_finds(seed):
    score = np.random.default_rng(seed).normal(0, 2, (60, GRID_BPM.size))
    octaves = np.abs(np.subtract.outer(np.log2(GRID_BPM), np.log2(GRID_BPM)))
    drift = np.exp(-octaves / 0.02)
    transition = 0.9999 * drift / drift.sum(axis=1, keepdims=True) + 0.0001 / GRID_BPM.size
    path = librosa.sequence.viterbi(np.exp(score - score.max(axis=1, keepdims=True)).T, transition)
    # Interpolation moves a tempo by half a step of the grid at most.
    np.testing.assert_allclose(tempo_curve(score=score), GRID_BPM[path], rtol=0.0049)


@pytest.mark.parametrize("spread", [0.1, 1.0, 4.0, 20.0, 1e3])
def test_no_path_is_likelier_than_the_curve(spread):
    octaves = np.abs(np.subtract.outer(np.log2(GRID_BPM), np.log2(GRID_BPM)))
    drift = np.exp(-octaves / 0.02)
    transition = np.log(0.9999 * drift / drift.sum(axis=1, keepdims=True) + 0.0001 / GRID_BPM.size)
    for seed in range(5):
        score = np.random.default_rng(seed).normal(0, spread, (40, GRID_BPM.size))
        best, came_from = score[0], []
        for step in score[1:]:
            candidates = best[:, np.newaxis] + transition
            came_from.append(candidates.argmax(axis=0))
            best = candidates.max(axis=0) + step
        path = [best.argmax()]
        for previous in reversed(came_from):
            path.append(previous[path[-1]])
        # Interpolation moves a tempo by half a step of the grid at most.
        np.testing.assert_allclose(tempo_curve(score=score), GRID_BPM[path[::-1]], rtol=0.0049)


@pytest.mark.parametrize("n_windows", [1, 2, 50])
def test_without_any_evidence_the_curve_stays_on_the_prior(n_windows):
    estimate = rhythm.estimate_tempo(
        band_onset_strength=np.zeros((n_windows, 3, 496)), onset_rate=np.zeros(n_windows), **SETTINGS
    )
    np.testing.assert_allclose(tempo_curve(score=estimate.score), SETTINGS["prior_bpm"])


@settings(max_examples=50, deadline=None)
@given(data=st.data(), n_windows=st.integers(1, 8))
def test_the_curve_is_never_nan_and_never_out_of_range(data, n_windows):
    score = data.draw(stnp.arrays(np.float64, (n_windows, GRID_BPM.size), elements=st.floats(-1e6, 1e6)))
    curve = tempo_curve(score=score)
    assert curve.shape == (n_windows,)
    assert ((curve >= 30) & (curve <= 300)).all()


@pytest.mark.parametrize(
    ("score", "message"),
    [
        (np.zeros(241), r"score must be \(window, 241\), shape=\(241,\)"),
        (np.zeros((0, 241)), r"score must be \(window, 241\), shape=\(0, 241\)"),
        (np.zeros((3, 240)), r"score must be \(window, 241\), shape=\(3, 240\)"),
        (np.full((3, 241), np.nan), "score must be finite"),
    ],
)
def test_tempo_curve_refuses_what_is_no_score(score, message):
    with pytest.raises(ParameterError, match=message):
        tempo_curve(score=score)


def test_the_octave_of_a_real_recording_is_decided_with_context():
    tracks = json.loads((REFERENCE_TRACKS / "tracks.json").read_text())
    tempo_bpm = next(track["tempo_bpm"] for track in tracks if track["file"] == "feelings.ogg")
    samples, rate = soundfile.read(
        REFERENCE_TRACKS / "feelings.ogg", start=60 * 44_100, frames=60 * 44_100, dtype="float32"
    )
    mono = soxr.resample((samples[:, 0] + samples[:, 1]) / 2, rate, SAMPLE_RATE, quality="HQ")
    strength = strength_of(mono)
    # Windows that know nothing of the usual number of onsets a beat take the other octave now and then.
    estimate = estimate_of(strength, onsets_octaves=1e6, spectrum_weight=0.5)
    assert (estimate.tempo_bpm > 1.9 * tempo_bpm).any()
    curve = tempo_curve(score=estimate.score)
    np.testing.assert_allclose(curve, tempo_bpm, rtol=0.01)
    beats_s = beat_times(onset_strength=strength, tempo_bpm=curve)
    assert 60 / np.median(np.diff(beats_s)) == pytest.approx(tempo_bpm, rel=0.04)


# Beats


@pytest.mark.parametrize("noise", [0.0, 3e-3])
@pytest.mark.parametrize("bpm", [87.0, 100.0, 123.4, 150.0, 177.0])
def test_beats_of_clicks_are_found(bpm, noise):
    truth_s = beats_at(lambda _: bpm, 30)
    strength = strength_of(clicks(truth_s, 30, noise=noise))
    beats_s = beat_times(onset_strength=strength, tempo_bpm=curve_of(strength))
    assert mir_eval.beat.f_measure(truth_s, beats_s) > 0.96
    nearest_s = truth_s[np.abs(np.subtract.outer(beats_s, truth_s)).argmin(axis=1)]
    # Frames are 20 ms apart.
    assert abs(np.median(beats_s - nearest_s)) < 0.015


@pytest.mark.parametrize(
    "tempo_of",
    [
        pytest.param(lambda time_s: 100 if time_s < 25 else 140, id="faster at once"),
        pytest.param(lambda time_s: 150 if time_s < 25 else 90, id="slower at once"),
        pytest.param(lambda time_s: 100 + 40 * time_s / 50, id="accelerando"),
        pytest.param(lambda time_s: 140 - 40 * time_s / 50, id="ritardando"),
        pytest.param(lambda time_s: 120 + 4 * np.sin(time_s), id="unsteady"),
    ],
)
def test_beats_follow_a_change_of_tempo(tempo_of):
    truth_s = beats_at(tempo_of, 50)
    strength = strength_of(clicks(truth_s, 50))
    curve = curve_of(strength)
    beats_s = beat_times(onset_strength=strength, tempo_bpm=curve)
    assert mir_eval.beat.f_measure(truth_s, beats_s) > 0.94
    middle_s = 5 + 2 * np.arange(curve.size)
    expected_bpm = np.array([tempo_of(time_s) for time_s in middle_s])
    assert np.mean(np.abs(curve / expected_bpm - 1) < 0.04) > 0.9


@pytest.mark.parametrize(("bpm", "duration_s"), [(120.0, 30), (60.0, 10), (200.0, 1)])
def test_silence_has_a_steady_grid_of_beats(bpm, duration_s):
    n_samples = duration_s * SAMPLE_RATE
    beats_s = beat_times(
        onset_strength=np.zeros(frame_count(n_samples)), tempo_bpm=np.full(window_count(n_samples), bpm)
    )
    np.testing.assert_allclose(beats_s, np.arange(0, end_s(frame_count(n_samples)), 60 / bpm))


def test_beats_go_on_where_nothing_is_heard():
    truth_s = np.arange(20, 40, 0.5)
    strength = strength_of(clicks(truth_s, 60, noise=0.0))
    beats_s = beat_times(onset_strength=strength, tempo_bpm=np.full(26, 120.0))
    assert beats_s[0] < 0.5
    assert beats_s[-1] > 59.4
    np.testing.assert_allclose(np.diff(beats_s), 0.5, atol=0.03)


@pytest.mark.parametrize("n_frames", range(180, 230, 7))
def test_the_end_of_the_recording_does_not_displace_the_last_beats(n_frames):
    strength = np.zeros(n_frames)
    strength[10::25] = 6.0
    beats_s = beat_times(onset_strength=strength, tempo_bpm=np.array([120.0]))
    np.testing.assert_allclose(np.diff(beats_s), 0.5, atol=1e-9)


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 46, 600])
@pytest.mark.parametrize("onset", [0, 1, 2, -1])
def test_a_single_onset_anywhere_is_no_trouble(n_frames, onset):
    strength = np.zeros(n_frames)
    strength[min(onset, n_frames - 1)] = 5.0
    beats_s = beat_times(onset_strength=strength, tempo_bpm=np.full(count_windows(n_frames), 120.0))
    np.testing.assert_allclose(np.diff(beats_s), 0.5, atol=0.021)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), n_frames=st.integers(1, 900))
def test_beats_increase_inside_the_recording_and_leave_no_gap(data, n_frames):
    strength = data.draw(stnp.arrays(np.float64, n_frames, elements=st.floats(0, 1e3)))
    n_windows = count_windows(n_frames)
    tempo_bpm = data.draw(stnp.arrays(np.float64, n_windows, elements=st.floats(30, 300)))
    beats_s = beat_times(onset_strength=strength, tempo_bpm=tempo_bpm)
    assert beats_s.dtype == np.float64
    assert (np.diff(beats_s) > 0).all()
    assert ((beats_s >= 0) & (beats_s < end_s(n_frames))).all()
    # The tracker leaves out a beat at most, and rounds the period up by half a frame at most.
    bounds_s = np.concatenate([[0.0], beats_s, [end_s(n_frames)]])
    assert np.diff(bounds_s).max() <= 2 * (60 / tempo_bpm.min() + 0.01) + 1e-9
    np.testing.assert_array_equal(beats_s, beat_times(onset_strength=strength, tempo_bpm=tempo_bpm))


@pytest.mark.parametrize(
    ("strength", "tempo_bpm", "message"),
    [
        (np.zeros((2, 600)), np.full(2, 120.0), r"onset_strength must be \(frame\).*shape=\(2, 600\)"),
        (np.full(600, np.nan), np.full(2, 120.0), "onset_strength must be finite and >= 0"),
        (np.zeros(600), np.zeros(0), r"tempo_bpm must be \(window,\) and not empty, shape=\(0,\)"),
        (np.zeros(600), np.array([120.0, 301.0]), "tempo_bpm must be 30 to 300, lowest 120.0, highest 301.0"),
        (np.zeros(600), np.array([120.0, np.nan]), "tempo_bpm must be 30 to 300"),
    ],
)
def test_beat_times_refuses_what_does_not_fit(strength, tempo_bpm, message):
    with pytest.raises(ParameterError, match=message):
        beat_times(onset_strength=strength, tempo_bpm=tempo_bpm)

from __future__ import annotations

import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from amper_spark import config, rhythm
from amper_spark.errors import ParameterError
from amper_spark.grid import (
    FRAME_LENGTH,
    FRAME_RATE,
    HOP_LENGTH,
    SAMPLE_RATE,
    STRIDE_FRAMES,
    STRIDE_LENGTH,
    WINDOW_FRAMES,
    WINDOW_LENGTH,
    cut_windows,
)
from amper_spark.onsets import band_onset_strength, onset_frames, onset_strength
from tests.synthesis.drums import drum_track

REFERENCE_TRACKS = Path(__file__).parents[1] / "data" / "reference-tracks"
TRACKS = json.loads((REFERENCE_TRACKS / "tracks.json").read_text())
SETTINGS = config.Tempo().model_dump()


def mel_db(samples):
    power = librosa.feature.melspectrogram(
        y=np.asarray(samples, dtype=np.float32),
        sr=SAMPLE_RATE,
        n_fft=FRAME_LENGTH,
        hop_length=HOP_LENGTH,
        center=False,
        power=2,
        n_mels=128,
    )
    return librosa.power_to_db(power, ref=1, amin=1e-10, top_db=None)


def strength_of(samples):
    return onset_strength(mel_db=mel_db(samples))


def windows_of(strength):
    n_frames = strength.shape[-1]
    n_windows = max(0, n_frames - WINDOW_FRAMES) // STRIDE_FRAMES + 1
    return cut_windows(frames=strength, n_windows=n_windows)


def rate_of(strength):
    return np.array([50 * onset_frames(onset_strength=row).size / row.size for row in strength])


def in_the_middle(strength):
    """Onsets that neither bass nor hi-hats have a part in."""
    return np.stack([np.zeros_like(strength), strength, np.zeros_like(strength)], axis=1)


def estimate(strength, **changes):
    """Estimate the tempo of (window, frame), or of (window, 3, frame)."""
    bands = strength if strength.ndim == 3 else in_the_middle(strength)
    if "onset_rate" not in changes:
        changes["onset_rate"] = rate_of(bands.sum(axis=1))
    return rhythm.estimate_tempo(band_onset_strength=bands, **{**SETTINGS, **changes})


def estimate_of_samples(samples, **changes):
    return estimate(windows_of(band_onset_strength(mel_db=mel_db(samples))), **changes)


def beat_positions(pattern, bpm, duration_s, bar=4):
    """Times in s at which a pattern, in beats of a bar, comes round."""
    bars = np.arange(0, duration_s * bpm / 60, bar)
    times_s = np.add.outer(bars, np.asarray(pattern, dtype=float)).ravel() * 60 / bpm
    return np.sort(times_s[times_s < duration_s])


def pulses(period_frames, n_frames, phase=0.0):
    """Onset strength with a peak of triangular shape every so many frames, a fraction of a frame included."""
    frames = np.arange(n_frames)
    distance = np.abs((frames - phase + period_frames / 2) % period_frames - period_frames / 2)
    return 6.0 * np.maximum(0, 1 - distance / 2)


def is_close(tempo_bpm, truth_bpm, factors=(1.0,), tolerance=0.04):
    ratio = np.asarray(tempo_bpm)[..., np.newaxis] / (truth_bpm * np.asarray(factors))
    return (np.abs(ratio - 1) <= tolerance).any(axis=-1)


def strengths(shape):
    return stnp.arrays(np.float64, shape, elements=st.floats(0, 1e3))


# Tempo


@pytest.mark.parametrize("bpm", [92.3, 100.0, 118.7, 135.0, 150.0, 171.9])
def test_tempo_is_interpolated_between_frames(bpm):
    result = estimate(pulses(60 * FRAME_RATE / bpm, WINDOW_FRAMES, phase=7.3)[np.newaxis])
    assert result.tempo_bpm[0] == pytest.approx(bpm, rel=0.004)
    assert result.pulse_clarity[0] > 0.8


STYLES = {
    "clicks": {"hat": [0, 1, 2, 3]},
    "straight": {"kick": [0, 2], "snare": [1, 3], "hat": np.arange(0, 4, 0.5)},
    "four on the floor": {"kick": [0, 1, 2, 3], "snare": [1, 3], "hat": np.arange(0.5, 4, 1)},
    "half-time": {"kick": [0, 1.5], "snare": [2], "hat": np.arange(0, 4, 0.5)},
    "syncopated": {"kick": [0, 1.5, 2.5], "snare": [1, 3], "hat": np.arange(0, 4, 0.5)},
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("bpm", range(60, 201, 20))
def test_tempo_of_drum_patterns_is_right_up_to_the_octave(style, bpm):
    hits = {kind: beat_positions(pattern, bpm, 14) for kind, pattern in STYLES[style].items()}
    result = estimate_of_samples(drum_track(hits, 14))
    assert is_close(result.tempo_bpm, bpm, factors=(1 / 3, 1 / 2, 1, 2, 3)).all()


@pytest.mark.parametrize("bpm", range(100, 161, 10))
def test_tempo_of_a_rock_beat_is_right(bpm):
    hits = {kind: beat_positions(pattern, bpm, 12) for kind, pattern in STYLES["straight"].items()}
    assert is_close(estimate_of_samples(drum_track(hits, 12)).tempo_bpm, bpm).all()


@pytest.mark.parametrize("bpm", [66.0, 72.0, 78.0])
def test_what_hats_alone_repeat_is_not_the_beat(bpm):
    period = 60 * FRAME_RATE / bpm
    beat, between = pulses(period, WINDOW_FRAMES), pulses(period, WINDOW_FRAMES, phase=period / 2)
    bands = np.stack([0 * beat, beat, 2 * (beat + between)])[np.newaxis]
    for subdivision_weight, expected_bpm in ((2.0, bpm), (0.0, 2 * bpm)):
        result = estimate(bands, subdivision_weight=subdivision_weight)
        np.testing.assert_allclose(result.tempo_bpm, expected_bpm, rtol=0.01)


@pytest.mark.parametrize("bpm", [66.0, 72.0, 78.0])
def test_of_two_octaves_the_one_that_the_bass_plays_is_taken(bpm):
    period = 60 * FRAME_RATE / bpm
    beat, between = pulses(period, WINDOW_FRAMES), pulses(period, WINDOW_FRAMES, phase=period / 2)
    others = 2 * (beat + between)
    for bass, expected_bpm in ((beat, bpm), (beat + between, 2 * bpm)):
        bands = np.stack([bass, others, others])[np.newaxis]
        result = estimate(bands)
        np.testing.assert_allclose(result.tempo_bpm, expected_bpm, rtol=0.01)


def test_bands_that_weigh_nothing_change_nothing():
    rng = np.random.default_rng(0)
    bands = rng.gamma(1, 2, (3, 3, WINDOW_FRAMES))
    weighed = estimate(bands, bass_weight=0.0, subdivision_weight=0.0)
    for with_bands, without in zip(weighed, estimate(bands.sum(axis=1)), strict=True):
        np.testing.assert_array_equal(with_bands, without)


def test_the_alternative_is_the_other_octave_of_a_pulse():
    result = estimate(pulses(25.0, WINDOW_FRAMES)[np.newaxis])
    assert is_close(result.tempo_bpm, 120.0, tolerance=0.01).all()
    assert is_close(result.alternative_bpm, 120.0, factors=(1 / 2, 2), tolerance=0.01).all()


def test_pulse_clarity_is_the_normalised_autocorrelation():
    strength = pulses(25.0, WINDOW_FRAMES) + np.random.default_rng(0).gamma(1, 2, WINDOW_FRAMES)
    result = estimate(strength[np.newaxis])
    lag = 60 * FRAME_RATE / result.tempo_bpm[0]
    deviation = strength - strength.mean()
    at_lags = [
        (deviation[k:] * deviation[: WINDOW_FRAMES - k]).mean() / deviation.var()
        for k in (int(lag), int(lag) + 1)
    ]
    assert result.pulse_clarity[0] == pytest.approx(np.interp(lag % 1, [0, 1], at_lags), abs=1e-9)


def test_pulse_clarity_tells_a_pulse_from_noise():
    noise = np.random.default_rng(0).gamma(1, 1, (20, WINDOW_FRAMES))
    assert estimate(noise).pulse_clarity.mean() < 0.2
    assert estimate(pulses(25.0, WINDOW_FRAMES)[np.newaxis]).pulse_clarity[0] > 0.95


@pytest.mark.parametrize("level", [0.0, 0.1, 7.3])
@pytest.mark.parametrize("n_frames", [1, 2, 46, WINDOW_FRAMES])
@pytest.mark.parametrize(
    ("prior_bpm", "alternative_bpm"), [(130.0, 65.0), (60.0, 30.0), (30.0, 60.0), (300.0, 150.0)]
)
def test_without_a_pulse_the_prior_decides(level, n_frames, prior_bpm, alternative_bpm):
    result = estimate(np.full((3, n_frames), level), prior_bpm=prior_bpm)
    silent = np.zeros((3, 3, n_frames))
    for of_one, of_other in zip(result, estimate(silent, prior_bpm=prior_bpm), strict=True):
        np.testing.assert_array_equal(of_one, of_other)
    np.testing.assert_allclose(result.tempo_bpm, prior_bpm)
    np.testing.assert_allclose(result.alternative_bpm, alternative_bpm)
    assert not result.pulse_clarity.any()
    assert np.isfinite(result.score).all()


@settings(max_examples=100, deadline=None)
@given(
    strength=st.tuples(st.integers(1, 3), st.integers(1, 600)).flatmap(strengths),
    prior_bpm=st.floats(30, 300),
    prior_octaves=st.floats(0.05, 10),
    spectrum_weight=st.floats(0, 5),
    onset_rate=st.floats(0, 25),
    onsets_per_beat=st.floats(0.1, 10),
    onsets_octaves=st.floats(0.05, 10),
    bass_weight=st.floats(0, 5),
    subdivision_weight=st.floats(0, 5),
    shares=stnp.arrays(np.float64, (3, 1), elements=st.floats(0, 1)),
)
def test_tempo_is_never_nan_and_never_out_of_range(strength, onset_rate, shares, **parameters):
    result = rhythm.estimate_tempo(
        band_onset_strength=shares * strength[:, np.newaxis],
        onset_rate=np.full(len(strength), onset_rate),
        **parameters,
    )
    for tempo_bpm in (result.tempo_bpm, result.alternative_bpm):
        assert tempo_bpm.shape == (len(strength),)
        assert ((tempo_bpm >= 30) & (tempo_bpm <= 300)).all()
    assert (np.abs(np.log(result.alternative_bpm / result.tempo_bpm)) > np.log(1.07)).all()
    assert ((result.pulse_clarity >= 0) & (result.pulse_clarity <= 1)).all()
    assert result.score.shape == (len(strength), rhythm.TEMPO_GRID_BPM.size)
    assert np.isfinite(result.score).all()


@pytest.mark.parametrize("n_frames", [1, 2, 3, 46, 333, WINDOW_FRAMES, 2000])
@pytest.mark.parametrize("n_windows", [2, 3, 70])
def test_a_window_has_the_same_bits_alone_and_among_others(n_windows, n_frames):
    rng = np.random.default_rng(n_windows)
    bands = rng.gamma(1, 2, (n_windows, 3, n_frames)) + pulses(23.1, n_frames)
    together = estimate(bands)
    for window in range(n_windows):
        alone = estimate(bands[[window]])
        for of_one, of_all in zip(alone, together, strict=True):
            np.testing.assert_array_equal(of_one[0], of_all[window])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**16), bounds=st.tuples(st.integers(0, 149), st.integers(1, 150)))
def test_part_of_a_batch_has_the_bits_of_the_whole(seed, bounds):
    start, stop = min(bounds), max(bounds)
    strength = np.random.default_rng(seed).gamma(1, 2, (3, 15_600))
    bands = np.lib.stride_tricks.sliding_window_view(strength, WINDOW_FRAMES, axis=-1)[:, ::100]
    bands = bands.swapaxes(0, 1)
    part = slice(start, stop + 1)
    for of_part, of_all in zip(
        estimate(bands[part]),
        estimate(np.asfortranarray(bands)),
        strict=True,
    ):
        np.testing.assert_array_equal(of_part, of_all[start : stop + 1])


def test_tempo_does_not_depend_on_the_scale_of_the_onset_strength():
    strength = pulses(23.1, WINDOW_FRAMES) + np.random.default_rng(0).gamma(1, 1, (5, WINDOW_FRAMES))
    louder, softer = (estimate(scale * strength, onset_rate=rate_of(strength)) for scale in (1, 1e-3))
    np.testing.assert_allclose(softer.tempo_bpm, louder.tempo_bpm)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prior_bpm": 29.0}, "prior_bpm must be 30 to 300, got 29"),
        ({"prior_bpm": float("nan")}, "prior_bpm must be 30 to 300, got nan"),
        ({"prior_octaves": 0.0}, "prior_octaves must be positive and finite, got 0"),
        ({"prior_octaves": float("inf")}, "prior_octaves must be positive and finite, got inf"),
        ({"spectrum_weight": -0.5}, "spectrum_weight must be at least 0 and finite, got -0.5"),
        ({"bass_weight": -2.0}, "bass_weight must be at least 0 and finite, got -2"),
        ({"subdivision_weight": float("nan")}, "subdivision_weight must be at least 0 and finite, got nan"),
    ],
)
def test_estimate_tempo_refuses_wrong_parameters(changes, message):
    with pytest.raises(ParameterError, match=message):
        estimate(np.zeros((1, WINDOW_FRAMES)), **changes)


@pytest.mark.parametrize(
    ("strength", "message"),
    [
        (np.zeros((2, WINDOW_FRAMES)), r"\(window, 3, frame\), shape=\(2, 496\)"),
        (np.zeros((2, 2, WINDOW_FRAMES)), r"\(window, 3, frame\), shape=\(2, 2, 496\)"),
        (np.zeros((0, 3, WINDOW_FRAMES)), r"\(window, 3, frame\), shape=\(0, 3, 496\)"),
        (np.zeros((2, 3, 0)), r"not empty, shape=\(2, 3, 0\)"),
        (np.full((2, 3, 5), np.nan), "finite and >= 0, lowest nan"),
        (np.full((2, 3, 5), np.inf), "finite and >= 0, lowest inf"),
        (np.full((2, 3, 5), -1.0), "finite and >= 0, lowest -1"),
    ],
)
def test_estimate_tempo_refuses_what_is_no_onset_strength(strength, message):
    with pytest.raises(ParameterError, match=message):
        rhythm.estimate_tempo(band_onset_strength=strength, onset_rate=np.zeros(len(strength)), **SETTINGS)


@pytest.mark.parametrize("onset_rate", [np.zeros(3), np.array([1.0, -1.0]), np.array([1.0, np.nan])])
def test_estimate_tempo_refuses_what_is_no_onset_rate(onset_rate):
    with pytest.raises(ParameterError, match="one a window, finite and >= 0"):
        estimate(np.ones((2, WINDOW_FRAMES)), onset_rate=onset_rate)


def test_of_two_octaves_the_one_with_usual_onsets_a_beat_is_taken():
    strength = pulses(15.0, WINDOW_FRAMES)[np.newaxis]  # 200 a minute: beats or eighths
    for onset_rate, tempo_bpm in ((3.3, 100), (8.0, 200)):
        result = estimate(strength, onset_rate=np.array([onset_rate]))
        np.testing.assert_allclose(result.tempo_bpm, tempo_bpm, rtol=0.01)


# Real music


@pytest.fixture(scope="module")
def reference_samples():
    """The reference tracks at 22,050 Hz, mono."""
    tracks = {}
    for track in TRACKS:
        samples, rate = soundfile.read(REFERENCE_TRACKS / track["file"], dtype="float32")
        mono = (samples[:, 0] + samples[:, 1]) / 2
        tracks[track["file"]] = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    return tracks


def reference_hits(tempo_of, reference_samples):
    """Whether the tempo is right within 4 %, for every window of the four tracks."""
    return np.concatenate(
        [is_close(tempo_of(reference_samples[track["file"]]), track["tempo_bpm"]) for track in TRACKS]
    )


def tempo_of_windows(samples):
    return estimate_of_samples(samples).tempo_bpm


def test_tempo_of_the_reference_tracks_is_right(reference_samples):
    hits = reference_hits(tempo_of_windows, reference_samples)
    assert hits.size == 389
    # Required: 0.90. Reached: 0.987.
    assert hits.mean() >= 0.95


@pytest.mark.slow
def test_tempo_of_the_reference_tracks_is_better_than_librosas(reference_samples):
    def librosas_tempo_of_windows(samples):
        windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_LENGTH)[::STRIDE_LENGTH]
        return np.concatenate([librosa.feature.tempo(y=window, sr=SAMPLE_RATE) for window in windows])

    hits = reference_hits(tempo_of_windows, reference_samples)
    baseline = reference_hits(librosas_tempo_of_windows, reference_samples)
    assert hits.size == baseline.size
    assert hits.mean() > baseline.mean() + 0.05

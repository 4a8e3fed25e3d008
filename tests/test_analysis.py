from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.analysis import analyse, analysis_version
from amper_spark.audio import Signal
from amper_spark.config import Analysis, load_config
from amper_spark.errors import BadRecordError, ParameterError
from amper_spark.features.registry import STORED_FEATURES
from amper_spark.grid import SAMPLE_RATE, STRIDE_LENGTH, WINDOW_LENGTH, window_count
from amper_spark.spark.schemas import ANALYSES
from tests.synthesis.drums import drum_track
from tests.synthesis.loops import loop
from tests.synthesis.pieces import TEST_SEEDS, key_piece, tempo_piece

# Features that look at their own frames only: 1 to 3 and 7 to 14 of the registry.
LOCAL_FEATURES = [
    "mfcc_1",
    "mfcc_2",
    "mfcc_3",
    "rms",
    "zero_crossing_rate",
    "spectral_centroid",
    "spectral_centroid_std",
    "spectral_bandwidth",
    "spectral_contrast",
    "spectral_flatness",
    "spectral_rolloff",
]


def mono(samples):
    return Signal(np.asarray(samples, dtype=np.float32))


def square_wave(n_samples):
    return np.where(np.arange(n_samples) // 50 % 2, 1.0, -1.0)


def click_train(n_samples):
    clicks = np.zeros(n_samples)
    clicks[::11_025] = 1.0
    return clicks


ODD_SIGNALS = {
    # The frames of a second window are there, and the window is not.
    "a window and a stride, short of one sample": np.full(WINDOW_LENGTH + STRIDE_LENGTH - 1, 0.1),
    "one sample": [0.5],
    "two samples": [0.5, -0.5],
    "shorter than a frame": np.full(1_000, 0.1),
    "silence": np.zeros(15 * SAMPLE_RATE),
    "DC": np.full(15 * SAMPLE_RATE, 0.7),
    "one click": np.eye(1, 15 * SAMPLE_RATE, 100_000)[0],
    "clicks": click_train(15 * SAMPLE_RATE),
    "full-scale square wave": square_wave(15 * SAMPLE_RATE),
    "denormal numbers": np.full(12 * SAMPLE_RATE, 1e-42),
    "very loud": square_wave(12 * SAMPLE_RATE) * 1e5,
    "silence, then noise": np.r_[
        np.zeros(12 * SAMPLE_RATE), np.random.default_rng(0).normal(0, 0.1, 6 * SAMPLE_RATE)
    ],
}


def assert_sound(analysis, duration_s):
    """All that must hold for any analysis, whatever was analysed."""
    for name, values in (analysis.windows | analysis.segments).items():
        assert np.isfinite(values).all(), name
    assert np.isfinite(analysis.beats_s).all()
    n_windows = window_count(round(duration_s * SAMPLE_RATE))
    assert {values.shape[0] for values in analysis.windows.values()} == {n_windows}
    for feature in STORED_FEATURES:
        values = analysis.windows[feature.name]
        assert feature.low is None or values.min() >= feature.low, feature.name
        assert feature.high is None or values.max() <= feature.high, feature.name
    start_s, end_s = analysis.segments["start_s"], analysis.segments["end_s"]
    assert start_s[0] == 0
    assert end_s[-1] == duration_s
    np.testing.assert_array_equal(start_s[1:], end_s[:-1])
    assert (end_s > start_s).all()
    assert (np.diff(analysis.beats_s) > 0).all()
    assert analysis.beats_s.size == 0 or 0 <= analysis.beats_s[0] <= analysis.beats_s[-1] <= duration_s


@pytest.mark.parametrize("name", ODD_SIGNALS)
def test_odd_signals(name):
    signal = mono(ODD_SIGNALS[name])
    assert_sound(analyse(signal), signal.duration_s)


@settings(max_examples=20, deadline=None)
@given(
    n_samples=st.integers(1, 16 * SAMPLE_RATE),
    seed=st.integers(0, 2**32 - 1),
    amplitude=st.sampled_from([1e-6, 1e-3, 0.3, 1.0]),
    holes=st.booleans(),
)
def test_any_signal(n_samples, seed, amplitude, holes):
    random = np.random.default_rng(seed)
    samples = amplitude * random.uniform(-1, 1, n_samples)
    if holes:
        samples[random.integers(0, n_samples) :][: n_samples // 3] = 0.0
    assert_sound(analyse(mono(samples)), n_samples / SAMPLE_RATE)


def test_columns_are_those_of_the_table():
    analysis = analyse(mono(ODD_SIGNALS["clicks"]))
    for name, columns in {"windows": analysis.windows, "segments": analysis.segments}.items():
        struct = ANALYSES.schema.field(name).type.value_type
        assert list(columns) == [field.name for field in struct]


def test_local_features_of_a_window_alone_are_those_of_the_recording(reference_signals):
    samples = reference_signals["war_of_freedom"].samples[: 21 * SAMPLE_RATE]
    whole = analyse(mono(samples)).windows
    for window in range(window_count(samples.size)):
        alone = analyse(mono(samples[STRIDE_LENGTH * window :][:WINDOW_LENGTH])).windows
        for name in [*LOCAL_FEATURES, "logmel", "chroma", "chroma_entropy", "tonic", "dynamic_range"]:
            np.testing.assert_array_equal(alone[name][0], whole[name][window], err_msg=name)


def test_reference_tracks(reference_signals, reference_tempi):
    """The analysis as a whole on real music; rhythm and structure have tests of their own."""
    right = []
    for name, signal in reference_signals.items():
        analysis = analyse(signal)
        assert_sound(analysis, signal.duration_s)
        right.append(np.abs(analysis.windows["tempo"] / reference_tempi[name] - 1) <= 0.04)
        assert 4 <= analysis.segments["segment"].size <= 24, name
        median_interval_s = np.median(np.diff(analysis.beats_s))
        assert 60 / median_interval_s == pytest.approx(reference_tempi[name], rel=0.04), name
    assert np.concatenate(right).mean() >= 0.90


@pytest.mark.parametrize("bpm", [60, 72, 78])
def test_a_beat_that_the_bass_drum_plays_and_hats_divide(bpm):
    hits = {"kick": np.arange(0, 14, 60 / bpm), "hat": np.arange(0, 14, 30 / bpm)}
    analysis = analyse(mono(drum_track(hits, 14)))
    np.testing.assert_allclose(analysis.windows["tempo"], bpm, rtol=0.01)


@pytest.mark.parametrize(
    ("tonic", "roots_and_thirds"),
    [(0, [(0, 4), (0, 4), (7, 4), (5, 4)]), (9, [(9, 3), (9, 3), (5, 4), (7, 4)])],
)
@pytest.mark.parametrize("steps", [0, 5])
def test_the_tonic_of_a_loop(tonic, roots_and_thirds, steps):
    transposed = [((root + steps) % 12, third) for root, third in roots_and_thirds]
    analysis = analyse(mono(loop(transposed, chord_s=1.25, duration_s=14.0)))
    assert set(analysis.windows["tonic"]) == {(tonic + steps) % 12}
    assert (analysis.windows["tonic_strength"] > 0).all()


@pytest.mark.parametrize("duration_s", [3, 10])
def test_the_mel_spectrum_of_a_window_is_the_mean_of_its_frames(reference_signals, duration_s):
    samples = reference_signals["metal_madness"].samples[60 * SAMPLE_RATE :][: duration_s * SAMPLE_RATE]
    power = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE, n_fft=2048, hop_length=441, center=False, n_mels=64
    )
    expected = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None).mean(axis=1)
    (logmel,) = analyse(mono(samples)).windows["logmel"]
    np.testing.assert_allclose(logmel, expected, atol=0.002)


def test_tempo_of_synthetic_pieces():
    """The first of the pieces that ``make accuracy`` measures, with room for other machines."""
    right, right_up_to_the_level = [], []
    for piece in (tempo_piece(seed) for seed in TEST_SEEDS[:8]):
        ratio = analyse(piece.signal).windows["tempo"] / piece.tempo_bpm
        errors = np.abs(ratio[:, np.newaxis] / [1, 2, 3, 1 / 2, 1 / 3] - 1)
        right_up_to_the_level.append((errors <= 0.04).any(axis=1))
        if not piece.half_time:  # one may well tap at half the tempo
            right.append(errors[:, 0] <= 0.04)
    assert np.concatenate(right_up_to_the_level).all()
    assert np.concatenate(right).mean() >= 0.6


def test_tonic_of_synthetic_pieces():
    # Eight in minor, then eight in major.
    pieces = [key_piece(seed) for seed in TEST_SEEDS[:16]]
    right = [analyse(piece.signal).windows["tonic"] == piece.tonic for piece in pieces]
    assert np.concatenate(right).mean() >= 0.6


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e13])
def test_what_no_recording_holds_is_refused(value):
    samples = np.zeros(SAMPLE_RATE)
    samples[7] = value
    with pytest.raises(BadRecordError, match="not_finite"):
        analyse(mono(samples))


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((2, 9))])
def test_what_is_no_mono_signal_is_refused(samples):
    with pytest.raises(ParameterError, match="samples must be"):
        analyse(mono(samples))


def test_the_version_names_the_configuration():
    other = load_config(overrides=["analysis.structure.max_sections=5"]).analysis
    assert analysis_version(Analysis()) == analysis_version(load_config().analysis)
    assert analysis_version(Analysis()) != analysis_version(other)

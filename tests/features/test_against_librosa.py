"""Every feature that librosa defines equals librosa's, computed from each window alone.

The tolerance of a feature stands beside it. librosa's ``top_db`` is switched off: it clips relative to the
loudest frame of whatever excerpt it is given, so a window alone and a slice would differ by definition.
"""

from __future__ import annotations

from functools import partial

import librosa
import numpy as np
import pytest

from amper_spark.features.extraction import describe_frames
from amper_spark.features.percussive import percussive_energy
from amper_spark.features.statistics import window_means, window_standard_deviations, window_sums
from amper_spark.grid import STRIDE_LENGTH, WINDOW_LENGTH, window_count

STFT = {"n_fft": 2048, "hop_length": 441, "center": False}
UNCLIPPED = partial(librosa.power_to_db, ref=1.0, amin=1e-10, top_db=None)


@pytest.fixture(scope="module")
def frames(samples):
    return describe_frames(samples=samples)


@pytest.fixture(scope="module")
def windows(samples):
    return [
        samples[STRIDE_LENGTH * w : STRIDE_LENGTH * w + WINDOW_LENGTH]
        for w in range(window_count(samples.size))
    ]


def mel(window):
    return librosa.feature.melspectrogram(y=window, sr=22_050, n_mels=128, **STFT)


def per_window(windows, feature):
    return np.array([np.mean(feature(y=window)) for window in windows])


@pytest.mark.parametrize(
    ("name", "reference", "relative", "absolute"),
    [
        ("rms", partial(librosa.feature.rms, frame_length=2048, hop_length=441, center=False), 1e-6, 0.0),
        (
            "zero_crossing_rate",
            partial(librosa.feature.zero_crossing_rate, frame_length=2048, hop_length=441, center=False),
            1e-12,
            0.0,
        ),
        ("spectral_centroid", partial(librosa.feature.spectral_centroid, **STFT), 1e-5, 0.01),
        # One bin is 10.8 Hz: in one frame in ten thousand, rounding moves the 85 % mark across a bin.
        ("spectral_rolloff", partial(librosa.feature.spectral_rolloff, **STFT), 1e-5, 0.05),
        ("spectral_flatness", partial(librosa.feature.spectral_flatness, **STFT), 1e-4, 1e-7),
    ],
)
def test_mean_over_frames(windows, frames, name, reference, relative, absolute):
    expected = per_window(windows, reference)
    np.testing.assert_allclose(
        window_means(values=getattr(frames, name), n_windows=len(windows)),
        expected,
        rtol=relative,
        atol=absolute,
    )


def test_spectral_bandwidth(windows, frames, is_pure_tone):
    expected = per_window(windows, partial(librosa.feature.spectral_bandwidth, **STFT))
    actual = window_means(values=frames.spectral_bandwidth, n_windows=len(windows))
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=2.0 if is_pure_tone else 0.01)


def test_spectral_contrast(windows, frames, is_pure_tone, monkeypatch):
    monkeypatch.setattr(librosa.feature.spectral, "power_to_db", UNCLIPPED)
    expected = per_window(windows, partial(librosa.feature.spectral_contrast, sr=22_050, **STFT))
    np.testing.assert_allclose(
        window_means(values=frames.spectral_contrast, n_windows=len(windows)),
        expected,
        atol=2.5 if is_pure_tone else 0.05,
    )


def test_standard_deviation_of_the_centroid(windows, frames):
    expected = [np.std(librosa.feature.spectral_centroid(y=window, **STFT)) for window in windows]
    actual = window_standard_deviations(values=frames.spectral_centroid, n_windows=len(windows))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=0.01)


def test_mfcc(windows, frames, is_pure_tone):
    expected = [librosa.feature.mfcc(S=UNCLIPPED(mel(window)), n_mfcc=13).mean(axis=1) for window in windows]
    np.testing.assert_allclose(
        window_means(values=frames.mfcc, n_windows=len(windows)).T,
        expected,
        atol=0.05 if is_pure_tone else 0.005,
    )


def test_logmel(windows, frames, is_pure_tone):
    expected = [
        UNCLIPPED(librosa.feature.melspectrogram(y=window, sr=22_050, n_mels=64, **STFT)).mean(axis=1)
        for window in windows
    ]
    np.testing.assert_allclose(
        window_means(values=frames.logmel, n_windows=len(windows)).T,
        expected,
        atol=0.05 if is_pure_tone else 0.002,
    )


def test_percussive_ratio(samples, frames):
    n = window_count(samples.size)
    energy = percussive_energy(mel_power=frames.mel_power)
    areas = librosa.filters.mel(sr=22_050, n_fft=2048, norm=None)
    power = np.abs(librosa.stft(samples, **STFT)) ** 2
    _, expected = librosa.decompose.hpss(np.sqrt(areas @ power), kernel_size=17, power=2.0)
    actual = window_sums(values=energy.percussive, n_windows=n) / window_sums(
        values=energy.total, n_windows=n
    )
    reference = window_sums(values=(expected**2).sum(axis=0), n_windows=n) / window_sums(
        values=(areas @ power).sum(axis=0), n_windows=n
    )
    np.testing.assert_allclose(actual, reference, atol=1e-4)

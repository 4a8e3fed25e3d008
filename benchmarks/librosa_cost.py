"""What librosa takes for the same features: window by window, and once for a whole recording.

The grid is ours (frames of 2,048 samples every 441), and functions share what they can: one short-time
Fourier transform, one mel spectrum, one onset envelope. Everything else is librosa's default.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import librosa
import numpy as np
import numpy.typing as npt

from amper_spark.grid import (
    FRAME_LENGTH,
    HOP_LENGTH,
    SAMPLE_RATE,
    STRIDE_LENGTH,
    WINDOW_LENGTH,
    window_count,
)
from benchmarks.published_form import published_forms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cost import Step

Samples = npt.NDArray[np.float32]

SAMPLED_WINDOWS = 8
"""Windows of a recording that are measured; they are much alike, and all of them would take an hour."""

FRAMES = "frames: STFT and their features"
TEMPO = "feature.tempo"
CHROMA = "chroma_cqt"
PERCUSSIVE = "decompose.hpss"
BEATS = "beat.beat_track"
FEATURES = (FRAMES, TEMPO, CHROMA, PERCUSSIVE)
"""What is compared with the whole analysis: the same, without beats and form."""
FORM = "form (published Laplacian recipe, with its beats and constant-Q)"


def sampled_windows(samples: Samples) -> list[Samples]:
    """Take windows of 10 s at even distances from all windows of a recording."""
    n_windows = window_count(samples.size)
    chosen = np.unique(np.linspace(0, n_windows - 1, SAMPLED_WINDOWS).astype(int))
    starts = STRIDE_LENGTH * chosen
    return [samples[start : start + WINDOW_LENGTH] for start in starts]


def sampled_audio_s(samples: Samples) -> float:
    """Say how much of a recording its sampled windows stand for: windows begin every 2 s and last 10."""
    share = len(sampled_windows(samples)) / window_count(samples.size)
    return share * samples.size / SAMPLE_RATE


def window_steps(samples: Samples) -> dict[str, Step]:
    """List what is measured of the sampled windows, each for itself."""
    return _feature_steps(sampled_windows(samples))


def track_steps(samples: Samples) -> dict[str, Step]:
    """List what is measured of a recording in one piece."""
    envelope = onsets(samples)
    return {
        **_feature_steps([samples]),
        BEATS: lambda: librosa.beat.beat_track(
            onset_envelope=envelope, sr=SAMPLE_RATE, hop_length=HOP_LENGTH
        ),
        FORM: lambda: published_forms(samples=samples, sample_rate=SAMPLE_RATE),
    }


def _feature_steps(parts: Sequence[Samples]) -> dict[str, Step]:
    envelopes = [onsets(part) for part in parts]
    magnitudes = [magnitude_of(part) for part in parts]
    return {
        FRAMES: lambda: [frame_features(part) for part in parts],
        TEMPO: lambda: [tempo(envelope) for envelope in envelopes],
        CHROMA: lambda: [librosa.feature.chroma_cqt(y=part, sr=SAMPLE_RATE) for part in parts],
        PERCUSSIVE: lambda: [librosa.decompose.hpss(magnitude) for magnitude in magnitudes],
    }


def magnitude_of(samples: Samples) -> Samples:
    """Magnitude of the short-time Fourier transform on our grid."""
    return np.abs(librosa.stft(samples, n_fft=FRAME_LENGTH, hop_length=HOP_LENGTH))


def frame_features(samples: Samples) -> list[npt.NDArray[np.floating]]:
    """Compute the features of the frames, from one spectrum."""
    feature = librosa.feature
    magnitude = magnitude_of(samples)
    mel_db = librosa.power_to_db(feature.melspectrogram(S=magnitude**2, sr=SAMPLE_RATE))
    return [
        feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE),
        feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE),
        feature.spectral_contrast(S=magnitude, sr=SAMPLE_RATE),
        feature.spectral_flatness(S=magnitude),
        feature.spectral_rolloff(S=magnitude, sr=SAMPLE_RATE),
        feature.rms(S=magnitude),
        feature.zero_crossing_rate(samples, hop_length=HOP_LENGTH),
        feature.mfcc(S=mel_db, n_mfcc=13),
        librosa.onset.onset_strength(S=mel_db, sr=SAMPLE_RATE, hop_length=HOP_LENGTH),
    ]


def onsets(samples: Samples) -> npt.NDArray[np.floating]:
    """Onset envelope, which tempo and beats begin with; it is measured among the features of the frames."""
    return librosa.onset.onset_strength(y=samples, sr=SAMPLE_RATE, hop_length=HOP_LENGTH)


def tempo(envelope: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Tempo at every frame, which takes no longer than a single one."""
    return librosa.feature.tempo(
        onset_envelope=envelope, sr=SAMPLE_RATE, hop_length=HOP_LENGTH, aggregate=None
    )

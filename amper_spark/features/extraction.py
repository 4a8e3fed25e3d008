"""From samples to the features of every window: one pass over the spectrum, then window statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from amper_spark.features.contrast import spectral_contrast
from amper_spark.features.mel import mel_cepstrum, mel_power
from amper_spark.features.registry import LOGMEL_BANDS, TEXTURE_BANDS
from amper_spark.features.spectral import (
    spectral_bandwidth,
    spectral_centroid,
    spectral_flatness,
    spectral_rolloff,
)
from amper_spark.features.temporal import root_mean_square, zero_crossing_rate
from amper_spark.features.texture import texture_levels
from amper_spark.grid import frame_count
from amper_spark.spectra import MEL_BANDS, PowerBlock, decibels, power_blocks

MEL_COEFFICIENTS = 13
"""MFCC 0 to 12: windows keep 1 to 3, the formal segmentation uses all."""


@dataclass(frozen=True)
class Frames:
    """What is known of each frame of a recording, 50 frames a second.

    Parameters
    ----------
    rms, zero_crossing_rate : np.ndarray [shape=(frame,)]
    spectral_centroid, spectral_bandwidth, spectral_rolloff : np.ndarray [shape=(frame,)]
        In Hz.
    spectral_contrast : np.ndarray [shape=(frame,)]
        In dB.
    spectral_flatness : np.ndarray [shape=(frame,)]
    mel_power : np.ndarray [shape=(128, frame)], float32
    mfcc : np.ndarray [shape=(13, frame)]
    logmel : np.ndarray [shape=(64, frame)]
        Power of 64 mel bands in dB.
    band_level : np.ndarray [shape=(16, frame)]
        Power of 16 bands in dB, see `amper_spark.features.texture`.
    """

    rms: npt.NDArray[np.float64]
    zero_crossing_rate: npt.NDArray[np.float64]
    spectral_centroid: npt.NDArray[np.float64]
    spectral_bandwidth: npt.NDArray[np.float64]
    spectral_rolloff: npt.NDArray[np.float64]
    spectral_contrast: npt.NDArray[np.float64]
    spectral_flatness: npt.NDArray[np.float64]
    mel_power: npt.NDArray[np.float32]
    mfcc: npt.NDArray[np.float32]
    logmel: npt.NDArray[np.float32]
    band_level: npt.NDArray[np.float32]


SCALARS = (
    "rms",
    "zero_crossing_rate",
    "spectral_centroid",
    "spectral_bandwidth",
    "spectral_rolloff",
    "spectral_contrast",
    "spectral_flatness",
)
"""The fields of `Frames` that are a number a frame."""


def describe_frames(*, samples: npt.NDArray[np.float32]) -> Frames:
    """Run the one spectral pass: power block in, numbers per frame out, the power itself never kept.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)], float32
        Mono signal at 22,050 Hz.

    Returns
    -------
    Frames

    Examples
    --------
    >>> frames = describe_frames(samples=np.zeros(44_100, np.float32))
    >>> frames.mel_power.shape, float(frames.spectral_flatness[0].round(6))
    ((128, 96), 1.0)
    """
    n_frames = frame_count(samples.size)
    columns: dict[str, npt.NDArray[Any]] = {name: np.empty(n_frames) for name in SCALARS} | {
        "mel_power": np.empty((MEL_BANDS, n_frames), dtype=np.float32),
        "mfcc": np.empty((MEL_COEFFICIENTS, n_frames), dtype=np.float32),
        "logmel": np.empty((LOGMEL_BANDS, n_frames), dtype=np.float32),
        "band_level": np.empty((TEXTURE_BANDS, n_frames), dtype=np.float32),
    }
    for block in power_blocks(samples=samples):
        count = block.frames.stop - block.frames.start
        for name, values in _describe_block(block).items():
            columns[name][..., block.frames] = values[..., :count]
    return Frames(**columns)


def _describe_block(block: PowerBlock) -> dict[str, npt.NDArray[Any]]:
    magnitude = np.sqrt(block.power)
    centroid_hz = spectral_centroid(magnitude=magnitude)
    mel = mel_power(power=block.power, bands=MEL_BANDS)
    coarse_mel = mel_power(power=block.power, bands=LOGMEL_BANDS)
    return {
        "rms": root_mean_square(samples=block.samples),
        "zero_crossing_rate": zero_crossing_rate(samples=block.samples),
        "spectral_centroid": centroid_hz,
        "spectral_bandwidth": spectral_bandwidth(magnitude=magnitude, centroid_hz=centroid_hz),
        "spectral_rolloff": spectral_rolloff(magnitude=magnitude),
        "spectral_contrast": spectral_contrast(magnitude=magnitude),
        "spectral_flatness": spectral_flatness(power=block.power),
        "mel_power": mel,
        "mfcc": mel_cepstrum(mel_db=decibels(mel), coefficients=MEL_COEFFICIENTS),
        "logmel": decibels(coarse_mel),
        "band_level": decibels(texture_levels(mel_power=coarse_mel)),
    }

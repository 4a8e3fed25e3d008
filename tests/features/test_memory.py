"""What is computed in blocks takes no more memory for a longer recording."""

from __future__ import annotations

import tracemalloc

import numpy as np

from amper_spark.features.percussive import percussive_energy
from amper_spark.spectra import MEL_BANDS


def peak_mb(n_frames):
    mel_power = np.ones((MEL_BANDS, n_frames), dtype=np.float32)
    tracemalloc.start()
    try:
        percussive_energy(mel_power=mel_power)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_percussive_energy_of_a_long_recording_takes_no_more_memory():
    # Two float64 a frame are the result.
    assert peak_mb(10_000) - peak_mb(2_500) < 1.0

"""A recording described passage by passage has the bits of one that is described in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from amper_spark.chroma import bass_frames, chroma_frames, scale_frames
from amper_spark.errors import BadRecordError, ParameterError, Reason
from amper_spark.features.extraction import SCALARS, describe_frames
from amper_spark.features.percussive import percussive_energy
from amper_spark.features.statistics import mean_of_blocks, window_means
from amper_spark.grid import SAMPLE_RATE, window_count
from amper_spark.onsets import band_onset_strength, onset_strength
from amper_spark.recording import describe_recording
from amper_spark.spectra import constant_q_power, decibels

PASSAGE = 32 * SAMPLE_RATE
LENGTHS = [1, 2_048, 9_000, 11 * SAMPLE_RATE, PASSAGE, PASSAGE + 7_565, 2 * PASSAGE + 16_384, 3 * PASSAGE - 1]


@pytest.fixture(scope="module")
def song():
    rng = np.random.default_rng(0)
    samples = 0.1 * rng.standard_normal(3 * PASSAGE)
    samples[SAMPLE_RATE : 9 * SAMPLE_RATE] = 0.0
    samples[:: SAMPLE_RATE // 2] += 0.5
    return samples.astype(np.float32)


@pytest.mark.parametrize("n_samples", LENGTHS)
def test_passages_give_the_bits_of_the_whole(song, n_samples):
    samples = song[:n_samples]
    recording = describe_recording(blocks=np.array_split(samples, 1 + n_samples // 50_000))

    frames = describe_frames(samples=samples)
    energy = percussive_energy(mel_power=frames.mel_power)
    power = constant_q_power(samples=samples)
    n_windows = window_count(n_samples)
    expected = {name: getattr(frames, name) for name in (*SCALARS, "mfcc")} | {
        "band_onset_strength": band_onset_strength(mel_db=decibels(frames.mel_power)),
        "onset_strength": onset_strength(mel_db=decibels(frames.mel_power)),
        "percussive_energy": energy.percussive,
        "energy": energy.total,
        "constant_q_power": power,
        "chroma": chroma_frames(constant_q_power=power),
        "scale": scale_frames(constant_q_power=power),
        "bass": bass_frames(constant_q_power=power),
    }
    assert recording.n_samples == n_samples
    for name, values in expected.items():
        np.testing.assert_array_equal(getattr(recording, name), values, err_msg=name)
    np.testing.assert_array_equal(
        mean_of_blocks(sums=recording.logmel, n_windows=n_windows),
        window_means(values=frames.logmel, n_windows=n_windows),
    )


def test_no_samples_are_refused():
    with pytest.raises(ParameterError, match="at least one"):
        describe_recording(blocks=[])


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e13])
def test_what_is_not_finite_is_found_in_any_passage(song, value):
    samples = song.copy()
    samples[2 * PASSAGE + 1_000] = value
    with pytest.raises(BadRecordError) as caught:
        describe_recording(blocks=[samples])
    assert caught.value.reason == Reason.NOT_FINITE

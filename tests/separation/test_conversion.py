from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.separation.conversion import resampled, separate_recording

RATES = [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000]


def separated(blocks, rate, network, **options):
    stems = separate_recording(blocks=blocks, rate=rate, network=network, with_vocals=True, **options)
    return tuple(np.concatenate(part) for part in zip(*stems, strict=True))


@pytest.fixture(scope="module")
def chord():
    """Two seconds of two tones at any rate, faded in and out; each channel quieter than the one before."""

    def synthesize(rate, n_channels):
        time_s = np.arange(2 * rate) / rate
        tones = 0.2 * np.sin(2 * np.pi * 440 * time_s) + 0.1 * np.sin(2 * np.pi * 1_500 * time_s)
        return np.outer(np.hanning(len(tones)) * tones, 0.9 ** np.arange(n_channels)).astype(np.float32)

    return synthesize


@settings(max_examples=25)
@given(
    rate=st.sampled_from(RATES),
    n_samples=st.integers(1, 5) | st.integers(1, 60_000),
    n_channels=st.sampled_from([1, 2, 6]),
    n_block=st.integers(500, 60_000),
)
@example(rate=192_000, n_samples=1, n_channels=2, n_block=500)
def test_parts_have_the_shape_of_the_recording(constant, noise, rate, n_samples, n_channels, n_block):
    samples = noise.reshape(-1)[: n_samples * n_channels].reshape(n_samples, n_channels)
    blocks = [samples[first : first + n_block] for first in range(0, n_samples, n_block)]
    accompaniment, vocals = separated(blocks, rate, constant(0.5))
    assert accompaniment.shape == vocals.shape == samples.shape
    assert accompaniment.dtype == vocals.dtype == np.float32


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_all_that_is_kept_comes_back(constant, chord, agreement_db, rate, n_channels):
    samples = chord(rate, n_channels)
    accompaniment, vocals = separated([samples], rate, constant(0.75))
    assert agreement_db(samples * 0.75, accompaniment) > 100
    assert agreement_db(samples * 0.25, vocals) > 100


@settings(max_examples=8)
@given(
    rate=st.sampled_from([8_000, 44_100, 48_000, 96_000]),
    lengths=st.lists(st.integers(1, 60_000), min_size=1, max_size=3).filter(lambda found: sum(found) > 2_000),
)
def test_bits_do_not_depend_on_the_cut(curious, noise, cut, rate, lengths):
    samples = noise[:200_000]
    blocks = list(cut(samples, lengths))
    np.testing.assert_array_equal(separated(blocks, rate, curious()), separated([samples], rate, curious()))


def test_no_samples_have_no_parts(constant):
    assert list(separate_recording(blocks=[], rate=48_000, network=constant(1))) == []


def test_equal_rates_leave_blocks_alone(noise):
    (block,) = resampled(blocks=[noise], from_hz=44_100, to_hz=44_100)
    assert block is noise


@pytest.mark.parametrize("rate", [0, -44_100])
def test_rates_must_be_positive(constant, rate):
    with pytest.raises(ParameterError, match=f"rate must be positive, got {rate}"):
        next(separate_recording(blocks=[], rate=rate, network=constant(1)))


@pytest.mark.parametrize("block", [np.zeros(9, np.float32), np.zeros((9, 2))])
def test_what_is_no_block_of_samples_is_refused(constant, block):
    with pytest.raises(ParameterError, match="a block must"):
        next(separate_recording(blocks=[block], rate=48_000, network=constant(1)))


def test_long_blocks_of_a_low_rate_take_no_more_memory(constant, noise):
    def peak_mb(n_samples):
        samples = noise.reshape(-1)[:n_samples, np.newaxis]
        tracemalloc.start()
        try:
            for _ in separate_recording(blocks=[samples], rate=4_000, network=constant(1)):
                pass
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()

    assert peak_mb(300_000) - peak_mb(100_000) < 0.5

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.separation.spectrogram import (
    Filter,
    Resynthesis,
    magnitude,
    spectrum_chunks,
)

CHUNK = 512 * 1_024
FIRST_CHUNK = CHUNK - 4_096
LENGTHS = st.integers(1, 600_000) | st.builds(
    lambda base, more: base + more,
    st.sampled_from([FIRST_CHUNK, FIRST_CHUNK + 3_072, CHUNK]),
    st.integers(-3, 3),
)
BLOCK_LENGTHS = st.lists(st.integers(1_000, 400_000), min_size=1, max_size=4)


def spectrum_of(blocks):
    """All frames, (channel, frame, bin)."""
    chunks = [chunk.spectrum[:, : chunk.n_frames].copy() for chunk in spectrum_chunks(blocks=blocks)]
    return np.concatenate(chunks, axis=1)


def all_pass(beyond=1.0):
    return Filter(np.ones((512, 1_024), np.float32), np.full(512, beyond, np.float32))


def through(blocks, filters, n_channels):
    resynthesis = Resynthesis(n_channels)
    return np.concatenate(
        [resynthesis.add(chunk=chunk, filters=filters) for chunk in spectrum_chunks(blocks=blocks)]
    )


@pytest.mark.parametrize("n_samples", [1, 100, 1_024, 1_025, 50_000, FIRST_CHUNK + 1])
def test_spectrum_is_that_of_the_definition(noise, n_samples, agreement_db):
    samples = noise[:n_samples].astype(np.float64)
    n_frames = math.ceil((4_096 + n_samples) / 1_024)
    padded = np.zeros((n_frames * 1_024 + 3_072, 2))
    padded[4_096 : 4_096 + n_samples] = samples
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4_096) / 4_096)
    frames = np.stack([padded[1_024 * t : 1_024 * t + 4_096].T * hann for t in range(n_frames)], axis=1)
    found = spectrum_of([noise[:n_samples]])
    assert found.dtype == np.complex64
    assert agreement_db(np.fft.rfft(frames), found) > 130


@settings(max_examples=40)
@given(n_samples=LENGTHS, lengths=BLOCK_LENGTHS)
@example(n_samples=FIRST_CHUNK + 3_072, lengths=[FIRST_CHUNK + 3_072])
def test_every_sample_and_every_frame_comes_once(n_samples, lengths, cut):
    samples = np.zeros((n_samples, 1), dtype=np.float32)
    chunks = [chunk[1:] for chunk in spectrum_chunks(blocks=cut(samples, lengths))]
    assert sum(n_frames for n_frames, _ in chunks) == math.ceil(n_samples / 1_024) + 4
    assert sum(complete for _, complete in chunks) == n_samples
    assert all(n_frames == 512 for n_frames, _ in chunks[:-1])


@pytest.mark.parametrize("n_samples", [100, FIRST_CHUNK, FIRST_CHUNK + 1])
def test_frames_after_the_last_are_zero(noise, n_samples):
    *_, last = spectrum_chunks(blocks=[noise[:n_samples]])
    assert not last.spectrum[:, last.n_frames :].any()


@settings(max_examples=25)
@given(n_samples=LENGTHS, lengths=BLOCK_LENGTHS)
def test_bits_do_not_depend_on_the_cut(noise, cut, n_samples, lengths):
    samples = noise[:n_samples]
    np.testing.assert_array_equal(
        through(cut(samples, lengths), [all_pass()] * 2, 2), through([samples], [all_pass()] * 2, 2)
    )


@settings(max_examples=20)
@given(n_samples=LENGTHS)
@example(n_samples=1)
def test_what_is_not_filtered_comes_back(noise, agreement_db, n_samples):
    samples = noise[:n_samples]
    assert agreement_db(samples, through([samples], [all_pass()] * 2, 2)) > 130


def test_each_bin_is_multiplied_by_its_factor():
    time_s = np.arange(3 * 44_100) / 44_100
    tones = [np.sin(2 * np.pi * hz * time_s) for hz in (1_000, 5_000, 15_000)]
    factors = Filter(np.ones((512, 1_024), np.float32), np.full(512, 0.25, np.float32))
    factors.mask[:, 300:] = 0.5
    samples = sum(tones).astype(np.float32)[:, np.newaxis]
    found = through([samples], [factors], 1)[:, 0]
    expected = tones[0] + 0.5 * tones[1] + 0.25 * tones[2]
    middle = slice(8_192, -8_192)
    np.testing.assert_allclose(found[middle], expected[middle], atol=2e-5)


def test_magnitude_is_that_of_complex_numbers(noise):
    (chunk,) = spectrum_chunks(blocks=[noise[:200_000]])
    np.testing.assert_allclose(
        magnitude(spectrum=chunk.spectrum), np.abs(chunk.spectrum[..., :1_024]), rtol=1e-6, atol=0
    )


def test_no_samples_have_no_spectrum():
    assert list(spectrum_chunks(blocks=[])) == []
    assert list(spectrum_chunks(blocks=[np.zeros((0, 2), np.float32)] * 2)) == []


def test_a_view_of_any_order_will_do(noise):
    reversed_channels = noise[:30_000, ::-1]
    np.testing.assert_array_equal(
        spectrum_of([reversed_channels]), spectrum_of([np.ascontiguousarray(reversed_channels)])
    )


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([np.zeros(9, np.float32)], r"shape \(n, channel\), got \(9,\)"),
        ([np.zeros((9, 0), np.float32)], r"shape \(n, channel\), got \(9, 0\)"),
        ([np.zeros((9, 2))], "float32, got float64"),
        ([np.zeros((9, 17), np.float32)], "up to 16 channels, got 17"),
        ([np.zeros((9, 2), np.float32), np.zeros((9, 1), np.float32)], "has 1 channels, .* have 2"),
    ],
)
def test_what_is_no_block_of_samples_is_refused(blocks, message):
    with pytest.raises(ParameterError, match=message):
        list(spectrum_chunks(blocks=blocks))


def test_filters_that_do_not_go_with_the_channels_are_refused(noise):
    chunk = next(spectrum_chunks(blocks=[noise[:5_000]]))
    with pytest.raises(ParameterError, match="1 filters for 2 channels"):
        Resynthesis(2).add(chunk=chunk, filters=[all_pass()])
    with pytest.raises(ParameterError, match="n_channels=3"):
        Resynthesis(3).add(chunk=chunk, filters=[all_pass()] * 2)


def test_a_long_recording_takes_no_more_memory():
    def peak_mb(n_blocks):
        block = np.zeros((65_536, 1), dtype=np.float32)
        resynthesis = Resynthesis(1)
        tracemalloc.start()
        try:
            for chunk in spectrum_chunks(blocks=(block for _ in range(n_blocks))):
                resynthesis.add(chunk=chunk, filters=[all_pass()])
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()

    assert peak_mb(80) - peak_mb(20) < 0.1

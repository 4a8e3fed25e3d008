from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.grid import frame_count
from amper_spark.passages import passages
from amper_spark.spectra import CONSTANT_Q_FRAME_LENGTH, CONSTANT_Q_HOP_LENGTH

RECORDING = np.arange(2_500_000, dtype=np.float32)
PASSAGE_S = 32
STEP = PASSAGE_S * 22_050
LENGTH = 713_164


def cut(n_samples, n_block):
    samples = RECORDING[:n_samples]
    blocks = [samples[start : start + n_block] for start in range(0, n_samples, n_block)]
    return [passage._replace(samples=passage.samples.copy()) for passage in passages(blocks=blocks)]


@given(
    n_samples=st.integers(1, RECORDING.size)
    | st.builds(lambda number, more: number * STEP + more, st.integers(0, 3), st.integers(1, 20_000)),
    n_block=st.integers(10_000, 800_000),
)
@example(n_samples=LENGTH, n_block=1_000)
@example(n_samples=LENGTH + 1, n_block=LENGTH)
@example(n_samples=STEP + CONSTANT_Q_FRAME_LENGTH, n_block=STEP)
@example(n_samples=1, n_block=1)
def test_every_frame_of_the_recording_is_in_one_passage(n_samples, n_block):
    found = cut(n_samples, n_block)
    assert [passage.start for passage in found] == [STEP * number for number in range(len(found))]
    assert [passage.is_last for passage in found] == [False] * (len(found) - 1) + [True]
    for passage in found:
        end = passage.start + passage.samples.size
        np.testing.assert_array_equal(passage.samples, RECORDING[passage.start : end])
        if passage.n_frames > 1:
            assert frame_count(passage.framed.size) == passage.n_frames
    assert found[-1].start + found[-1].samples.size == n_samples
    assert sum(passage.n_frames for passage in found) == frame_count(n_samples)
    assert sum(passage.n_constant_q_frames for passage in found) == frame_count(
        n_samples, frame_length=CONSTANT_Q_FRAME_LENGTH, hop_length=CONSTANT_Q_HOP_LENGTH
    )


def test_empty_blocks_are_no_samples():
    empty = np.zeros(0, dtype=np.float32)
    assert list(passages(blocks=[])) == []
    assert list(passages(blocks=[empty])) == []
    (passage,) = passages(blocks=[empty, RECORDING[:5], empty])
    assert passage.samples.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("block", [np.zeros((2, 9), dtype=np.float32), np.zeros(9)])
def test_what_is_no_mono_signal_is_refused(block):
    with pytest.raises(ParameterError, match="samples must be"):
        list(passages(blocks=[block]))

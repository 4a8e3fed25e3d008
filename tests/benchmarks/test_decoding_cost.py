from __future__ import annotations

import numpy as np
import pytest
import soundfile

from amper_spark.audio import decode_blocks
from benchmarks.decoding import ENCODINGS, Replay, encode, read_through

RATE = 44_100


@pytest.fixture
def original(tmp_path):
    file = tmp_path / "tone.ogg"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * RATE) / RATE)
    soundfile.write(file, np.column_stack([tone, tone]), RATE)
    return file


def test_every_format_is_written_at_full_length(original, tmp_path):
    folder = tmp_path / "encoded"
    folder.mkdir()
    files = encode([original], folder)[original]
    assert list(files) == ["Ogg Vorbis", *ENCODINGS]
    for file in files.values():
        duration_s = read_through(file) / soundfile.info(file).samplerate
        assert duration_s == pytest.approx(3.0, abs=0.1)  # MP3 adds some silence


def test_replayed_blocks_make_a_signal_of_the_whole_length():
    block = np.full((1_000, 2), 0.25, dtype=np.float32)
    replay = Replay(block, samplerate=RATE, frames=2 * RATE)
    samples = np.concatenate(list(decode_blocks(replay)))
    assert samples.size == RATE
    assert samples[RATE // 2] == pytest.approx(0.25, abs=1e-4)

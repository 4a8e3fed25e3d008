from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from amper_spark.audio import decode_blocks
from amper_spark.decoder import Decoder
from benchmarks.cost import cpu_with_children_s
from benchmarks.decoding import ENCODINGS, Replay, analyse_streamed, encode, read_through
from benchmarks.stage import HERE, RECEIVING, decoding_cpu_s

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


def test_a_streamed_analysis_is_measured_with_its_decoding(original):
    with Decoder() as decoder:
        assert cpu_with_children_s(lambda: analyse_streamed(decoder, original)) > 0


def test_decoding_is_measured_file_by_file_in_both_ways(original):
    copy = Path(shutil.copy(original, original.with_name("copy.ogg")))
    spent_s = decoding_cpu_s([original, copy])
    assert list(spent_s) == [HERE, RECEIVING]
    assert all(len(files) == 2 and min(files) > 0 for files in spent_s.values())

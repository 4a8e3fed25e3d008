from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate

from amper_spark.errors import ParameterError
from amper_spark.render.engine.mp3 import RATES, write_mp3


def noise(n_samples, channels, seed=0):
    samples = np.random.default_rng(seed).normal(0, 3_000, (n_samples, channels))
    smooth = np.apply_along_axis(np.convolve, 0, samples, np.hanning(33), "same")
    return np.clip(smooth[:n_samples], -30_000, 30_000).astype(np.int16)


def written(samples, rate, *, n_blocks=3):
    stream = io.BytesIO()
    write_mp3(stream, np.array_split(samples, n_blocks), rate=rate, channels=samples.shape[1])
    return stream.getvalue()


def as_libsndfile_writes(samples, rate):
    stream = io.BytesIO()
    options = {"subtype": "MPEG_LAYER_III", "compression_level": 128 / 288, "bitrate_mode": "CONSTANT"}
    with soundfile.SoundFile(stream, "w", rate, samples.shape[1], format="MP3", **options) as encoder:
        encoder.write(samples / np.float32(32_768))
    return stream.getvalue()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_a_player_hears_each_sample_where_it_was(rate, channels):
    samples = noise(rate + 17, channels)
    heard, heard_rate = soundfile.read(io.BytesIO(written(samples, rate)), always_2d=True)
    assert (heard_rate, heard.shape) == (rate, samples.shape)
    alike = correlate(heard[:, 0], samples[:, 0].astype(float), "same")
    assert int(np.argmax(alike)) == len(samples) // 2  # no shift fits better than none


@given(n_samples=st.integers(1, 9_000), n_blocks=st.integers(1, 5))
def test_it_lasts_as_long_as_the_music(n_samples, n_blocks):
    content = written(noise(n_samples, 2), 44_100, n_blocks=n_blocks)
    assert soundfile.info(io.BytesIO(content)).frames == n_samples
    assert content == written(noise(n_samples, 2), 44_100, n_blocks=1)


@pytest.mark.parametrize("channels", [1, 2])
def test_the_tag_tells_what_lame_itself_tells(channels):
    samples = noise(100_000, channels)
    ours, theirs = written(samples, 44_100), as_libsndfile_writes(samples, 44_100)
    begins = ours.index(b"Info")
    assert theirs.index(b"Info") == begins
    frames_and_bytes, delays = slice(begins + 4, begins + 16), slice(begins + 141, begins + 144)
    assert ours[frames_and_bytes] == theirs[frames_and_bytes]
    assert ours[delays] == theirs[delays]
    assert len(ours) == len(theirs)


def test_it_sounds_as_good_as_libsndfile_makes_it():
    samples = noise(88_200, 2)
    errors = [
        np.std(soundfile.read(io.BytesIO(content))[0] * 32_768 - samples)
        for content in (written(samples, 44_100), as_libsndfile_writes(samples, 44_100))
    ]
    assert errors[0] < 1.02 * errors[1]


def test_the_same_music_gives_the_same_bytes():
    assert written(noise(50_000, 2), 44_100) == written(noise(50_000, 2), 44_100)


def test_another_rate_is_refused():
    with pytest.raises(ParameterError, match=r"MP3 knows rates of 8000, .*, got 12345"):
        written(noise(100, 1), 12_345)

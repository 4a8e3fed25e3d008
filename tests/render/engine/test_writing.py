from __future__ import annotations

import io
import subprocess
import sys
import wave
import zipfile

import numpy as np
import pytest
import soundfile

from amper_spark.appearing import WritingError
from amper_spark.errors import ParameterError
from amper_spark.render.engine.writing import (
    SUFFIXES,
    encode_flac,
    to_int16,
    write_audio,
    write_stems,
)

RATE = 22_050

WRITE = """
import sys
from pathlib import Path
from amper_spark.render.engine.writing import write_audio, write_stems
from tests.render.engine.test_writing import music

folder = Path(sys.argv[1])
for suffix in (".wav", ".flac"):
    write_audio((folder / "music").with_suffix(suffix), music(2), 22050)
write_stems(folder / "music.zip", {"bass": music(2), "drums": music(1)}.items(), 22050)
"""


def music(n_channels, duration_s=3.0, gain=0.2):
    random = np.random.default_rng(n_channels)
    times = np.arange(round(duration_s * RATE)) / RATE
    tones = [np.sin(2 * np.pi * f * times) * np.exp(-((times * f / 200) % 1.0)) for f in (110, 165, 277)]
    audio = np.stack([sum(tones) + 0.05 * random.standard_normal(len(times)) for _ in range(n_channels)])
    return (gain * audio).astype(np.float32)


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".FLAC"])
def test_what_is_written_is_read_back_to_the_last_bit(tmp_path, n_channels, suffix):
    audio = music(n_channels, duration_s=7)  # more than one block
    assert write_audio(tmp_path / f"music{suffix}", audio, RATE) == 0
    read, rate = soundfile.read(tmp_path / f"music{suffix}", dtype="int16", always_2d=True)
    assert rate == RATE
    np.testing.assert_array_equal(read.T, to_int16(audio)[0])
    assert [file.name for file in tmp_path.iterdir()] == [f"music{suffix}"]


@pytest.mark.parametrize(("rate", "kbit_s"), [(44_100, 192), (48_000, 192), (22_050, 160)])
def test_mp3_has_its_bit_rate_and_sounds_the_same(tmp_path, rate, kbit_s):
    audio = music(2, duration_s=20)
    write_audio(tmp_path / "music.mp3", audio, rate)
    duration_s = audio.shape[1] / rate
    size_kbit = (tmp_path / "music.mp3").stat().st_size * 8 / 1000
    assert size_kbit / duration_s == pytest.approx(kbit_s, rel=0.03)
    read, read_rate = soundfile.read(tmp_path / "music.mp3", dtype="float32")
    assert read_rate == rate
    assert len(read) == audio.shape[1]
    power, original = (np.mean(x.astype(np.float64) ** 2) for x in (read, audio))
    assert power == pytest.approx(original, rel=0.1)


def test_rounding_is_to_the_nearest_step_and_half_to_even():
    steps = np.array([0.4, 0.5, 0.6, 1.5, 2.5, -0.5, -1.5], np.float32) / 32_768
    assert to_int16(steps)[0].tolist() == [0, 0, 1, 2, 2, 0, -2]


def test_what_is_beyond_full_scale_is_clipped_and_counted(tmp_path):
    audio = np.array([[0, 1, -1, 1.01, -7, 32_767 / 32_768]], np.float32)
    assert write_audio(tmp_path / "loud.wav", audio, RATE) == 2
    read, _ = soundfile.read(tmp_path / "loud.wav", dtype="int16")
    assert read.tolist() == [0, 32_767, -32_768, 32_767, -32_768, 32_767]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_sample_can_be_written(tmp_path, suffix):
    assert write_audio(tmp_path / f"short{suffix}", np.zeros((2, 1), np.float32), RATE) == 0
    assert (tmp_path / f"short{suffix}").exists()
    if suffix != ".mp3":
        read, _ = soundfile.read(tmp_path / f"short{suffix}")
        assert read.shape == (1, 2)


def test_flac_in_memory_is_flac_in_a_file(tmp_path):
    write_audio(tmp_path / "music.flac", music(1), RATE)
    content = encode_flac(music(1), RATE)
    assert content == (tmp_path / "music.flac").read_bytes()
    assert soundfile.info(io.BytesIO(content)).subtype == "PCM_16"


def predictors(content):
    """Return of which kinds the first subframes of all frames of a mono FLAC file are."""
    kinds = set()
    at = content.find(b"\xff\xf8", 42)
    while at >= 0:
        size_code, number = content[at + 2] >> 4, content[at + 4]
        n_number = 1 if number < 0x80 else 8 - (number ^ 0xFF).bit_length()
        n_extra = {6: 1, 7: 2}.get(size_code, 0) + {12: 1, 13: 2, 14: 2}.get(content[at + 2] & 15, 0)
        kind = content[at + 4 + n_number + n_extra + 1] >> 1
        if content[at + 3] >> 4 == 0:  # one channel: a header, not samples that look like one
            kinds.add("linear" if kind >= 32 else "fixed" if kind >= 8 else "verbatim or constant")
        at = content.find(b"\xff\xf8", at + 16)
    return kinds


def test_flac_is_predicted_with_integers_only():
    audio = music(1)
    assert predictors(encode_flac(audio, RATE)) <= {"fixed", "verbatim or constant"}
    usual = io.BytesIO()
    soundfile.write(usual, audio[0], RATE, format="FLAC", subtype="PCM_16")
    assert "linear" in predictors(usual.getvalue())


def test_stems_are_wavs_in_a_zip(tmp_path):
    stems = {"bass": music(2), "drums": music(1, gain=5)}
    n_clipped = write_stems(tmp_path / "music.zip", stems.items(), RATE)
    assert n_clipped == to_int16(stems["drums"])[1] > 0
    with zipfile.ZipFile(tmp_path / "music.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["bass.wav", "drums.wav"]
        for name, audio in stems.items():
            with archive.open(f"{name}.wav") as content, wave.open(content) as stem:
                assert (stem.getnchannels(), stem.getframerate()) == (len(audio), RATE)
                samples = np.frombuffer(stem.readframes(stem.getnframes()), "<i2")
                np.testing.assert_array_equal(samples.reshape(-1, len(audio)).T, to_int16(audio)[0])


def test_another_process_writes_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        subprocess.run([sys.executable, "-c", WRITE, tmp_path / folder], check=True)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_without_room_nothing_is_left_and_what_was_there_stays(tmp_path, disk_with_room_for):
    audio = music(2, duration_s=8)
    for suffix in (*SUFFIXES, ".zip"):
        (tmp_path / f"music{suffix}").write_text("before")
    for suffix in SUFFIXES:
        with (
            disk_with_room_for(50_000),
            pytest.raises(WritingError, match=rf"music{suffix} cannot be written: File too large$"),
        ):
            write_audio(tmp_path / f"music{suffix}", audio, RATE)
    with (
        disk_with_room_for(50_000),
        pytest.raises(WritingError, match=r"music\.zip cannot be written: File too large$"),
    ):
        write_stems(tmp_path / "music.zip", {"bass": audio, "drums": audio}.items(), RATE)
    assert {file.name for file in tmp_path.iterdir()} == {f"music{suffix}" for suffix in (*SUFFIXES, ".zip")}
    assert all(file.read_text() == "before" for file in tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_last_bytes_need_room_too(tmp_path, suffix, disk_with_room_for):
    audio = music(1, duration_s=0.5)
    write_audio(tmp_path / f"music{suffix}", audio, RATE)
    size = (tmp_path / f"music{suffix}").stat().st_size
    with disk_with_room_for(size - 1), pytest.raises(WritingError, match="cannot be written"):
        write_audio(tmp_path / f"again{suffix}", audio, RATE)
    assert [file.name for file in tmp_path.iterdir()] == [f"music{suffix}"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WritingError, match=r"nowhere/music\.wav cannot be written: No such file"):
        write_audio(tmp_path / "nowhere" / "music.wav", music(1), RATE)


@pytest.mark.parametrize(
    ("name", "audio", "message"),
    [
        ("music.ogg", music(1), r"music\.ogg: the suffix must be one of \.wav, \.flac, \.mp3"),
        ("music.wav", music(1)[0], r"float32 of shape \(1 or 2, samples\), got float32 of shape \(66150,\)"),
        ("music.flac", music(2)[:, :0], r"got float32 of shape \(2, 0\)"),
        ("music.wav", music(1).astype(np.float64), "got float64"),
        ("music.flac", np.full((1, 9), np.nan, np.float32), "must be finite"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, name, audio, message):
    with pytest.raises(ParameterError, match=message):
        write_audio(tmp_path / name, audio, RATE)
    assert list(tmp_path.iterdir()) == []


def test_a_rate_that_the_format_lacks_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"MP3 knows rates of .*, got 12345"):
        write_audio(tmp_path / "music.mp3", music(1), 12_345)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../bass", "a/b", ".hidden", "new\nline"])
def test_stems_need_names_of_files(tmp_path, name):
    with pytest.raises(ParameterError, match="a stem cannot be named"):
        write_stems(tmp_path / "music.zip", [(name, music(1))], RATE)
    assert list(tmp_path.iterdir()) == []

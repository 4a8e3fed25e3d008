from __future__ import annotations

import numpy as np
import pytest
import soundfile

from amper_spark.render.client.answers import MadeFile
from amper_spark.render.client.downloads import DamagedError, check_file, save

RATE = 44_100


def made(**more):
    usual = {
        "download_url": "",
        "content_type": "audio/wav",
        "tracks": ("master",),
        "size_bytes": None,
        "sha256": None,
        "frequency_hz": None,
    }
    return MadeFile(**usual | more)


@pytest.fixture
def music(tmp_path):
    file = tmp_path / "music.wav"
    soundfile.write(file, np.zeros((RATE, 2)), RATE, subtype="PCM_16")
    return file.read_bytes()


def check(folder, content, duration_s=1.0, **told):
    file = folder / "came"
    check_file(file, save([content[:1000], content[1000:]], file), made=made(**told), duration_s=duration_s)


def test_what_is_whole_is_taken_whatever_the_service_tells_of_it(tmp_path, music):
    check(tmp_path, music)
    sha256 = save([music], tmp_path / "again").sha256
    check(tmp_path, music, size_bytes=len(music), sha256=sha256, frequency_hz=44_100.0)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"size_bytes": 7}, "bytes instead of 7"),
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"frequency_hz": 48_000.0}, "44,100 Hz instead of 48,000"),
        ({"duration_s": 1 + 1 / RATE}, "44,100 frames at 44,100 Hz instead of 44,101"),
    ],
)
def test_what_is_something_else_is_not_taken(tmp_path, music, told, problem):
    with pytest.raises(DamagedError, match=problem):
        check(tmp_path, music, **told)


def test_what_is_not_whole_is_not_taken(tmp_path, music):
    for n_bytes in (0, 30, 44, 5_000, len(music) - 4):
        with pytest.raises(DamagedError):
            check(tmp_path, music[:n_bytes])
    with pytest.raises(DamagedError, match="cannot be decoded"):
        check(tmp_path, b"<html>" * 1000)


def test_other_formats_are_not_taken(tmp_path):
    file = tmp_path / "music.flac"
    soundfile.write(file, np.zeros((RATE, 2)), RATE)
    with pytest.raises(DamagedError, match="it is FLAC, not WAV"):
        check(tmp_path, file.read_bytes())

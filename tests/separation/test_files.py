"""One file is separated into files, as ``amper-spark separate`` does it."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from amper_spark.errors import BadRecordError, ParameterError
from amper_spark.separation.files import separate_file


class Refusing:
    """Fails at the second chunk."""

    def __init__(self):
        self.asked = 0

    def accompaniment_mask(self, magnitude):
        self.asked += 1
        if self.asked > 1:
            raise OSError("the network has gone")
        return np.ones_like(magnitude)


@pytest.fixture
def recording(tmp_path, noise):
    """Write so many samples to a file, and say where."""

    def write(name="song.wav", *, rate=44_100, n_channels=2, n_samples=30_000):
        samples = noise.reshape(-1)[: n_samples * n_channels].reshape(-1, n_channels)
        soundfile.write(tmp_path / name, samples, rate, subtype="FLOAT" if name.endswith(".wav") else None)
        return tmp_path / name

    return write


def separate(source, to, network, **options):
    return separate_file(source, to, network=network, mask_extension="average", **options)


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".ogg"])
def test_rate_channels_and_length_are_the_recordings(recording, constant, rate, n_channels, suffix):
    source = recording(rate=rate, n_channels=n_channels)
    to, vocals = source.with_name(f"backing{suffix}"), source.with_name("vocals.wav")
    separate(source, to, constant(0.75), vocals=vocals)
    for file in (to, vocals):
        found = soundfile.info(file)
        assert (found.samplerate, found.channels, found.frames) == (rate, n_channels, 30_000)


def test_the_parts_are_what_they_say(recording, constant):
    source = recording()
    to, vocals = source.with_name("backing.flac"), source.with_name("vocals.wav")
    separate(source, to, constant(0.75), vocals=vocals)
    samples = soundfile.read(source)[0]
    for file, share in ((to, 0.75), (vocals, 0.25)):
        np.testing.assert_allclose(soundfile.read(file)[0], share * samples, atol=1e-5)


def test_what_is_clipped_is_counted(recording, constant):
    source = recording(n_samples=9_000)
    samples = 2 * soundfile.read(source)[0] / 0.1
    soundfile.write(source, samples, 44_100, subtype="FLOAT")
    to, vocals = source.with_name("backing.flac"), source.with_name("vocals.flac")
    clipped = separate(source, to, constant(1), vocals=vocals)
    assert clipped[vocals] == 0
    assert abs(clipped[to] - np.count_nonzero(np.abs(samples) > 1)) < 10


def test_progress_ends_at_the_whole(recording, constant):
    source, seen = recording(n_samples=200_000), []
    separate(source, source.with_name("backing.wav"), constant(1), on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(seen) > 2


def test_what_fails_half_way_leaves_all_as_it_was(recording, noise):
    source = recording(n_samples=len(noise))
    to = source.with_name("backing.wav")
    to.write_text("older")
    with pytest.raises(OSError, match="the network has gone"):
        separate(source, to, Refusing(), vocals=source.with_name("vocals.wav"))
    assert to.read_text() == "older"
    assert sorted(file.name for file in source.parent.iterdir()) == ["backing.wav", "song.wav"]


def test_a_format_that_cannot_hold_it_is_said_by_name(recording, constant):
    source = recording(rate=96_000)
    with pytest.raises(ParameterError, match=r"backing\.mp3 cannot hold 96000 Hz and 2 channels"):
        separate(source, source.with_name("backing.mp3"), constant(1))
    assert [file.name for file in source.parent.iterdir()] == ["song.wav"]


def test_outputs_that_cannot_be_are_refused(recording, constant, tmp_path):
    source = recording()
    for to, words in (
        (tmp_path / "backing.m4a", r"the suffix must be one of \.wav"),
        (source, "is the recording itself"),
        (tmp_path / "nowhere" / "backing.wav", "nowhere is not a folder"),
    ):
        with pytest.raises(ParameterError, match=words):
            separate(source, to, constant(1))
    backing = tmp_path / "backing.wav"
    with pytest.raises(ParameterError, match="accompaniment and vocals need files of their own"):
        separate(source, backing, constant(1), vocals=backing)
    assert list(tmp_path.iterdir()) == [source]


def test_damaged_recordings_are_separated_as_far_as_they_decode(tmp_path, make_file, damaged_kind, constant):
    source = make_file(damaged_kind)
    separate(source, tmp_path / "backing.wav", constant(1))
    assert soundfile.info(tmp_path / "backing.wav").frames > 0


def test_samples_that_are_no_numbers_are_said_to_be_so(tmp_path, recording, constant):
    source = tmp_path / "song.wav"
    soundfile.write(source, np.array([0.1, np.nan, 0.1]), 44_100, subtype="FLOAT")
    with pytest.raises(BadRecordError, match=r"a sample of nan at 0\.000 s"):
        separate(source, tmp_path / "backing.wav", constant(1))
    assert list(tmp_path.iterdir()) == [source]


def test_no_room_is_said_in_words(recording, constant, disk_with_room_for):
    source = recording()
    full = source.with_name("full.wav")
    with disk_with_room_for(50_000), pytest.raises(OSError, match=r"full\.wav cannot be written"):
        separate(source, full, constant(1))
    assert list(source.parent.iterdir()) == [source]


def test_what_is_no_recording_is_said_to_be_none(tmp_path, constant):
    source = tmp_path / "song.wav"
    source.write_text("no music")
    with pytest.raises(BadRecordError):
        separate(source, tmp_path / "backing.wav", constant(1))
    assert list(tmp_path.iterdir()) == [source]

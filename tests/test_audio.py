from __future__ import annotations

import errno
import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amper_spark.audio import STEREO, Signal, decode, decode_blocks
from amper_spark.audio_file import open_audio
from amper_spark.config import Limits
from amper_spark.errors import BadRecordError, Reason
from amper_spark.grid import SAMPLE_RATE

LIMITS = Limits().model_dump()


def one_shot(path):
    with path.open("rb") as file:
        samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1, dtype=np.float32), rate, SAMPLE_RATE, quality="HQ")


def in_blocks(path, block_frames):
    with open_audio(path) as file:
        return np.concatenate(list(decode_blocks(file, block_frames=block_frames)))


def test_every_good_file_decodes(good_kind, make_file):
    signal = decode(make_file(good_kind), **LIMITS)
    assert signal.duration_s == pytest.approx(3.0, abs=1e-4)
    assert signal.samples.dtype == np.float32
    assert signal.samples.ndim == 1
    assert signal.samples.flags.writeable
    assert 0.1 < np.abs(signal.samples).max() < 1


@pytest.mark.parametrize("kind", ["mp3", "flac", "vorbis", "opus", "wav", "22050_hz", "8_bit_8_khz_mono"])
def test_a_stream_equals_one_go(kind, make_file):
    path = make_file(kind)
    np.testing.assert_array_equal(decode(path).samples, one_shot(path))


def test_six_channels_agree_with_one_go(make_file):
    path = make_file("24_bit_96_khz_6_channels")  # numpy adds six numbers in another order
    np.testing.assert_allclose(decode(path).samples, one_shot(path), atol=1e-7)


def test_a_tone_keeps_its_pitch_and_level(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(2 * 48_000) / 48_000)
    soundfile.write(tmp_path / "tone.flac", np.stack([tone, tone], axis=1), 48_000)
    spectrum = np.abs(np.fft.rfft(decode(tmp_path / "tone.flac").samples[:SAMPLE_RATE]))
    assert int(spectrum.argmax()) == 1_000
    assert spectrum.max() / (SAMPLE_RATE / 2) == pytest.approx(0.5, rel=1e-3)


def test_a_path_may_be_text_bytes_or_path(make_file):
    path = make_file("name_not_utf8")
    assert {decode(form).duration_s for form in (path, str(path), os.fsencode(path))} == {3.0}


def test_a_path_may_name_an_open_descriptor(make_file):
    with make_file("flac").open("rb") as file:
        assert decode(f"/dev/fd/{file.fileno()}").duration_s == 3


def test_signals_are_not_compared_sample_by_sample():
    samples = np.zeros(3, dtype=np.float32)
    assert Signal(samples) != Signal(samples)


@pytest.fixture(scope="session")
def excerpt(tmp_path_factory):
    path = tmp_path_factory.mktemp("excerpt") / "excerpt.ogg"
    soundfile.write(path, np.random.default_rng(1).uniform(-0.5, 0.5, (3_001, 3)), 44_100)
    return path


@given(block_frames=st.integers(1, 5_000))
@example(block_frames=1)
@settings(max_examples=25, deadline=None)
def test_the_size_of_blocks_does_not_matter(excerpt, block_frames):
    np.testing.assert_array_equal(in_blocks(excerpt, block_frames), decode(excerpt).samples)


@given(block_frames=st.integers(1_000, 100_000))
@settings(max_examples=4, deadline=None)
def test_the_size_of_blocks_does_not_matter_to_a_damaged_file(damaged_kind, damaged_files, block_frames):
    path = damaged_files[damaged_kind]
    np.testing.assert_array_equal(in_blocks(path, block_frames), decode(path).samples)


@pytest.mark.parametrize("rate", [300, 8_000, 22_050, 44_100, 655_350])
def test_blocks_stay_small_at_any_rate(rate, tmp_path):
    n_frames = min(60 * rate, 400_000)
    soundfile.write(tmp_path / "odd_rate.wav", np.full(n_frames, 0.5), rate)
    with open_audio(tmp_path / "odd_rate.wav") as file:
        lengths = [len(block) for block in decode_blocks(file)]
    assert max(lengths) <= 2**17
    assert sum(lengths) == pytest.approx(n_frames * SAMPLE_RATE / rate, abs=1)


def in_stereo(path):
    with open_audio(path) as file:
        return np.concatenate(list(decode_blocks(file, layout=STEREO, **LIMITS)))


def test_a_stereo_file_at_the_rate_of_the_layout_is_itself(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (150_000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "stereo.wav", samples, 44_100, subtype="FLOAT")
    np.testing.assert_array_equal(in_stereo(tmp_path / "stereo.wav"), samples)


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_any_file_in_stereo_has_the_mean_of_its_channels(channels, rate, tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * rate, channels)).astype(np.float32)
    soundfile.write(tmp_path / "any.wav", samples, rate, subtype="FLOAT")
    stereo = in_stereo(tmp_path / "any.wav")
    mean = samples.mean(axis=1)
    if rate != 44_100:
        mean = soxr.resample(mean, rate, 44_100, quality="HQ")
    np.testing.assert_allclose(stereo.mean(axis=1), mean, atol=1e-5)
    if channels != 2:
        np.testing.assert_array_equal(stereo[:, 0], stereo[:, 1])


def test_refusals_do_not_depend_on_the_layout(refused_kind, refused_reasons, make_file):
    if refused_kind == "ultrasonic":  # at 44,100 Hz there is sound
        assert np.abs(in_stereo(make_file(refused_kind))).max() > 0.1
        return
    with pytest.raises(BadRecordError) as caught:
        in_stereo(make_file(refused_kind))
    assert caught.value.reason == refused_reasons[refused_kind]


def test_damaged_files_count_as_far_as_they_decode(damaged_kind, damaged_files):
    assert 1 < decode(damaged_files[damaged_kind], **LIMITS).duration_s < 3.2


@pytest.mark.parametrize(
    ("damaged", "good"), [("flac_half", "flac"), ("vorbis_half", "vorbis"), ("wav_half", "wav")]
)
def test_half_a_file_is_the_beginning_of_the_whole(damaged, good, damaged_files, make_file):
    half, whole = decode(damaged_files[damaged]).samples, decode(make_file(good)).samples
    n_settled = len(half) - 1_000  # the resampler looks ahead
    np.testing.assert_allclose(half[:n_settled], whole[:n_settled], atol=1e-6)


def test_refused_files_have_their_reason(refused_kind, refused_reasons, make_file):
    with pytest.raises(BadRecordError) as caught:
        decode(make_file(refused_kind), **LIMITS)
    assert caught.value.reason == refused_reasons[refused_kind]
    assert len(caught.value.detail) > 20


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("m4a", r"MP4, M4A"),
        ("65_channels", r"65 channels, more than the 64"),
        ("half_a_second", r"0\.500 s decode, at least 1 s"),
        ("quiet", r"peak is -80\.\d dBFS, below -80 dBFS$"),
        ("cancelling_channels", r"the channels, peak -\d+\.\d dBFS, cancel each other out"),
        ("ultrasonic", r"lies above 11025 Hz"),
        ("nan", r"nan at 1\.000 s in channel 2"),
        ("infinity", r"-inf at 0\.000 s in channel 1"),
    ],
)
def test_the_detail_holds_the_figures(kind, detail, make_file):
    with pytest.raises(BadRecordError, match=detail):
        decode(make_file(kind), **LIMITS)


def test_too_long(make_file):
    with pytest.raises(BadRecordError, match=r"more than 2 s decode; the header says 3\.0 s") as caught:
        decode(make_file("wav"), max_duration_s=2)
    assert caught.value.reason == Reason.TOO_LONG


def test_ten_hours_are_not_decoded_to_the_end(tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(1), 8_000, subtype="PCM_16")
    n_bytes = 10 * 3_600 * 8_000 * 2
    path.write_bytes(path.read_bytes()[:40] + struct.pack("<I", n_bytes))
    os.truncate(path, 44 + n_bytes)  # a hole: it takes no room on disk
    lengths = []
    with open_audio(path) as file, pytest.raises(BadRecordError, match=r"header says 36000\.0 s"):
        lengths.extend(len(block) for block in decode_blocks(file, max_duration_s=20))
    assert sum(lengths) <= 20 * SAMPLE_RATE


def test_limits_are_inclusive(make_file):
    assert decode(make_file("wav"), min_duration_s=3, max_duration_s=3).duration_s == 3


def test_without_limits_all_that_has_samples_decodes(make_file):
    assert decode(make_file("half_a_second")).duration_s == 0.5
    assert not decode(make_file("silence")).samples.any()
    with pytest.raises(BadRecordError, match=r"0\.000 s decode"):
        decode(make_file("no_samples"))


@pytest.fixture
def unprivileged():
    """Root may read everything, so it steps down for a moment."""
    if os.getuid() != 0:
        yield
        return
    os.seteuid(65_534)
    yield
    os.seteuid(0)


def test_missing_permission_is_not_the_recordings_fault(make_file, unprivileged):
    path = make_file("wav") if os.getuid() else Path("/root/any.wav")
    if os.getuid():
        path.chmod(0)
    with pytest.raises(PermissionError):
        decode(path)


@pytest.mark.parametrize("kind", ["flac_half", "mp3_first_half", "vorbis_hole", "noise_as_mp3"])
def test_a_failing_disk_is_not_taken_for_the_end_of_the_file(kind, make_file, monkeypatch):
    class FailingDisk(io.FileIO):
        def read(self, size=-1, /):
            if self.tell() >= 1_024:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    path = make_file(kind)
    monkeypatch.setattr(Path, "open", lambda self, *_, **__: FailingDisk(self))
    with pytest.raises(OSError, match="Input/output error"):
        decode(path)

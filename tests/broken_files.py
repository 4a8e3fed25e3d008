"""Make real audio files of every kind that a corpus holds: sound, odd, damaged, mislabelled.

Three tables name the kinds: `GOOD` and `DAMAGED` decode (a damaged file as far as it goes), `REFUSED` do
not, each for its `Reason`. `make(kind, folder)` writes one and returns its path.
"""

from __future__ import annotations

import functools
import os
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from amper_spark.errors import Reason

Maker = Callable[[Path], Path]
Audio = npt.NDArray[np.float64]

DURATION_S = 3.0
RATE = 44_100


def make(kind: str, folder: Path) -> Path:
    """Write a file of a kind into a folder that exists."""
    maker = GOOD.get(kind) or DAMAGED.get(kind) or REFUSED[kind][1]
    return maker(folder)


def music(duration_s: float = DURATION_S, *, rate: int = RATE, channels: int = 2) -> Audio:
    """A chord with a pulse and some noise, different in each channel; shape (frame, channel)."""
    rng = np.random.default_rng(7)
    time_s = np.arange(round(duration_s * rate)) / rate
    pulse = 0.5 + 0.5 * (time_s % 0.5 < 0.1)
    tones = [pulse * np.sin(2 * np.pi * 220 * (1 + channel / 4) * time_s) for channel in range(channels)]
    return 0.3 * np.stack(tones, axis=1) + 0.02 * rng.standard_normal((len(time_s), channels))


def _write(path: Path, audio: Audio, rate: int = RATE, **options: str) -> Path:
    soundfile.write(path, audio, rate, **options)
    return path


def _put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _edited(kind: str, name: str, edit: Callable[[bytes], bytes]) -> Maker:
    """A good file whose bytes have been changed."""

    def maker(folder: Path) -> Path:
        good = GOOD[kind](folder)
        content = good.read_bytes()
        good.unlink()
        return _put(folder / name, edit(content))

    return maker


def _damage(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(5_000) + content[middle + 5_000 :]


def _overstate_wav(content: bytes) -> bytes:
    start = content.index(b"data") + 4
    return content[:start] + struct.pack("<I", 2**31) + content[start + 4 :]


def _overstate_mp3(content: bytes) -> bytes:
    start = content.index(b"Xing") + 8
    (n_frames,) = struct.unpack_from(">I", content, start)
    return content[:start] + struct.pack(">I", 1_000 * n_frames) + content[start + 4 :]


def _id3_tag(size: int = 1_014) -> bytes:
    return b"ID3\x04\0\0" + bytes([0, 0, size >> 7, size & 127]) + bytes(size)


def _wav_header(*, rate: int = 8_000, channels: int = 1, n_bytes: int = 0) -> bytes:
    layout = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2 & 0xFFFF, 16)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", 36 + n_bytes, b"WAVE", b"fmt ", 16)
        + layout
        + struct.pack("<4sI", b"data", n_bytes)
    )


def _mp4_box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _ogg_page(packet: bytes) -> bytes:
    header = struct.pack("<4sBBqIIIBB", b"OggS", 0, 2, 0, 1, 0, 0, 1, len(packet))
    checksum = 0
    for byte in header + packet:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x04C11DB7 if checksum & 0x80000000 else 0)) & 0xFFFFFFFF
    return header[:22] + struct.pack("<I", checksum) + header[26:] + packet


_NOISE = np.random.default_rng(3).bytes(100_000)
_ADTS = b"".join(b"\xff\xf1\x50\x80\x2e\x7f\xfc" + bytes(364) for _ in range(200))
_MP4 = _mp4_box(b"ftyp", b"M4A \0\0\0\0M4A mp42isom") + _mp4_box(b"mdat", _NOISE)


def _nan(folder: Path) -> Path:
    audio = music()
    audio[RATE, 1] = np.nan
    return _write(folder / "nan.wav", audio, subtype="FLOAT")


def _constant(name: str, value: float) -> Maker:
    audio = np.full((2 * RATE, 2), value)
    return lambda folder: _write(folder / name, audio, subtype="FLOAT")


def _cancelling(folder: Path) -> Path:
    left = music(channels=1)
    return _write(folder / "cancelling.wav", np.hstack([left, -left]))


def _ultrasonic(folder: Path) -> Path:
    tone = 0.5 * np.sin(2 * np.pi * 15_000 * np.arange(2 * RATE) / RATE) * np.hanning(2 * RATE)
    return _write(folder / "ultrasonic.wav", tone[:, np.newaxis], subtype="FLOAT")


def _folder(folder: Path) -> Path:
    (folder / "folder.wav").mkdir()
    return folder / "folder.wav"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.wav")
    return folder / "pipe.wav"


def _link_to_nowhere(folder: Path) -> Path:
    (folder / "link.mp3").symlink_to(folder / "nowhere.mp3")
    return folder / "link.mp3"


def _link_to_itself(folder: Path) -> Path:
    (folder / "loop.mp3").symlink_to(folder / "loop.mp3")
    return folder / "loop.mp3"


def _good(name: str, *, rate: int = RATE, channels: int = 2, **options: str) -> Maker:
    """Music in a format; encoded once, since that takes longer than to decode it."""

    @functools.cache
    def content() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            return _write(
                Path(folder) / name, music(rate=rate, channels=channels), rate, **options
            ).read_bytes()

    return lambda folder: _put(folder / name, content())


def _named(name: bytes) -> Maker:
    """Music under a name that may not be text; soundfile itself cannot write to such a name."""
    return lambda folder: GOOD["wav"](folder).rename(folder / os.fsdecode(name))


GOOD: dict[str, Maker] = {
    "mp3": _good("good.mp3"),
    "flac": _good("good.flac"),
    "vorbis": _good("good.ogg"),
    "opus": _good("good.opus", rate=48_000, format="OGG", subtype="OPUS"),
    "wav": _good("good.wav"),
    "aiff": _good("good.aiff"),
    "caf": _good("good.caf"),
    "w64": _good("good.w64"),
    "rf64": _good("good.wav", format="RF64"),
    "22050_hz": _good("22050.wav", rate=22_050),
    "8_bit_8_khz_mono": _good("small.wav", rate=8_000, channels=1, subtype="PCM_U8"),
    "24_bit_96_khz_6_channels": _good("big.wav", rate=96_000, channels=6, subtype="PCM_24"),
    "32_bit_float": _good("float.wav", subtype="FLOAT"),
    "64_channels": _good("wide.wav", rate=8_000, channels=64),
    "name_with_newline_and_quotes": _named(b"a \"b\" 'c'\n$(d) \\ %s;*.wav"),
    "name_of_250_characters": _named(b"x" * 246 + b".wav"),
    "name_not_utf8": _named(b"caf\xe9 \xff\xfe.wav"),
}
"""What decodes to 3 s."""

DAMAGED: dict[str, Maker] = {
    "mp3_first_half": _edited("mp3", "half.mp3", lambda content: content[: len(content) // 2]),
    "mp3_second_half": _edited("mp3", "half.mp3", lambda content: content[len(content) // 2 :]),
    "mp3_hole": _edited("mp3", "hole.mp3", _damage),
    "mp3_behind_rubbish": _edited("mp3", "rubbish.mp3", lambda content: _NOISE[:3_000] + content),
    "mp3_header_overstates": _edited("mp3", "lie.mp3", _overstate_mp3),
    "flac_half": _edited("flac", "half.flac", lambda content: content[: len(content) // 2]),
    "flac_hole": _edited("flac", "hole.flac", _damage),
    "flac_with_id3": _edited("flac", "tagged.flac", lambda content: _id3_tag() + content),
    "vorbis_half": _edited("vorbis", "half.ogg", lambda content: content[: len(content) // 2]),
    "vorbis_hole": _edited("vorbis", "hole.ogg", _damage),
    "opus_cut": _edited("opus", "cut.opus", lambda content: content[: len(content) * 3 // 4]),
    "wav_half": _edited("wav", "half.wav", lambda content: content[: len(content) // 2]),
    "wav_header_overstates": _edited("wav", "lie.wav", _overstate_wav),
}
"""What decodes to more than 1 s, and not more than 3.2 s."""

REFUSED: dict[str, tuple[Reason, Maker]] = {
    "zero_bytes": (Reason.UNREADABLE, lambda folder: _put(folder / "zero.mp3", b"")),
    "noise_as_mp3": (Reason.UNREADABLE, lambda folder: _put(folder / "noise.mp3", _NOISE)),
    "noise_as_wav": (Reason.UNREADABLE, lambda folder: _put(folder / "noise.wav", _NOISE)),
    "noise_as_raw": (Reason.UNREADABLE, lambda folder: _put(folder / "noise.raw", _NOISE)),
    "noise_as_au": (Reason.UNREADABLE, lambda folder: _put(folder / "noise.au", _NOISE)),
    "text_as_mp3": (Reason.UNREADABLE, lambda folder: _put(folder / "text.mp3", b"<html>404</html>\n" * 99)),
    "bitmap_as_mp3": (  # it is full of what looks like the head of an MPEG frame of layer I
        Reason.UNREADABLE,
        lambda folder: _put(folder / "bitmap.mp3", b"BM" + bytes(52) + b"\xff\xff\xff\0" * 20_000),
    ),
    "mp3_head_only": (Reason.UNREADABLE, _edited("mp3", "head.mp3", lambda content: content[:200])),
    "flac_head_only": (Reason.UNREADABLE, _edited("flac", "head.flac", lambda content: content[:200])),
    "vorbis_head_only": (Reason.UNREADABLE, _edited("vorbis", "head.ogg", lambda content: content[:200])),
    "wav_head_broken": (Reason.UNREADABLE, _edited("wav", "head.wav", lambda content: content[:20])),
    "folder": (Reason.UNREADABLE, _folder),
    "pipe": (Reason.UNREADABLE, _pipe),
    "link_to_itself": (Reason.UNREADABLE, _link_to_itself),
    "m4a": (Reason.UNSUPPORTED_FORMAT, lambda folder: _put(folder / "song.m4a", _MP4)),
    "m4a_as_mp3": (Reason.UNSUPPORTED_FORMAT, lambda folder: _put(folder / "song.mp3", _MP4)),
    "wma": (
        Reason.UNSUPPORTED_FORMAT,
        lambda folder: _put(folder / "song.wma", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + _NOISE),
    ),
    "aac": (Reason.UNSUPPORTED_FORMAT, lambda folder: _put(folder / "song.aac", _ADTS)),
    "aac_with_id3": (Reason.UNSUPPORTED_FORMAT, lambda folder: _put(folder / "song.mp3", _id3_tag() + _ADTS)),
    "webm": (
        Reason.UNSUPPORTED_FORMAT,
        lambda folder: _put(folder / "film.webm", bytes.fromhex("1a45dfa3") + _NOISE),
    ),
    "avi": (
        Reason.UNSUPPORTED_FORMAT,
        lambda folder: _put(folder / "film.avi", b"RIFF\0\0\1\0AVI LIST" + _NOISE),
    ),
    "transport_stream": (
        Reason.UNSUPPORTED_FORMAT,
        lambda folder: _put(folder / "film.ts", (b"G" + _NOISE[:187]) * 50),
    ),
    "theora": (
        Reason.UNSUPPORTED_FORMAT,
        lambda folder: _put(folder / "film.ogg", _ogg_page(b"\x80theora\3\2\1" + bytes(32))),
    ),
    "aac_in_caf": (
        Reason.UNSUPPORTED_FORMAT,
        _edited("caf", "aac.caf", lambda content: content.replace(b"lpcm", b"aac ")),
    ),
    "65_channels": (Reason.UNSUPPORTED_FORMAT, _good("wide.wav", rate=8_000, channels=65)),
    "2000_channels": (
        Reason.UNSUPPORTED_FORMAT,
        lambda folder: _put(folder / "wide.wav", _wav_header(channels=2_000, n_bytes=40_000) + bytes(40_000)),
    ),
    "half_a_second": (Reason.TOO_SHORT, lambda folder: _write(folder / "short.flac", music(0.5))),
    "no_samples": (Reason.TOO_SHORT, lambda folder: _put(folder / "empty.wav", _wav_header())),
    "silence": (Reason.SILENT, _constant("silence.wav", 0.0)),
    "quiet": (Reason.SILENT, _constant("quiet.wav", 9e-5)),
    "cancelling_channels": (Reason.SILENT, _cancelling),
    "ultrasonic": (Reason.SILENT, _ultrasonic),
    "nan": (Reason.NOT_FINITE, _nan),
    "infinity": (Reason.NOT_FINITE, _constant("infinity.wav", -np.inf)),
    "absurdly_loud": (Reason.NOT_FINITE, _constant("loud.wav", 3e30)),
    "missing": (Reason.VANISHED, lambda folder: folder / "missing.mp3"),
    "missing_folder": (Reason.VANISHED, lambda folder: _put(folder / "file", b"x") / "song.mp3"),
    "link_to_nowhere": (Reason.VANISHED, _link_to_nowhere),
}
"""What is refused, under the default limits, and why. `too_long` takes lower limits: any file will do."""

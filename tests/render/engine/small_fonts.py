"""SoundFonts of a few kilobytes, whose sound is known."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field

import numpy as np
import soundfile

RATE = 44_100
KEY_RANGE, VELOCITY_RANGE, INSTRUMENT, SAMPLE, LOOPS, ROOT_KEY, SCALE = 43, 44, 41, 53, 54, 58, 56
FIXED_PITCH = [(SCALE, 0)]


@dataclass
class Zone:
    sample: int
    generators: list[tuple[int, int]] = field(default_factory=list)


def keys(low, high):
    return KEY_RANGE, low | high << 8


def velocities(low, high):
    return VELOCITY_RANGE, low | high << 8


def chunk(kind, content):
    return kind.encode() + struct.pack("<I", len(content)) + content


def soundfont(samples, presets, *, compressed=False):
    """Samples are int16 arrays that loop as a whole; presets map (bank, program) to zones."""
    bodies = [_vorbis(sample) for sample in samples] if compressed else [s.tobytes() for s in samples]
    scale = 1 if compressed else 2
    data, headers = b"", b""
    for number, (sample, body) in enumerate(zip(samples, bodies, strict=True)):
        start, end = len(data) // scale, (len(data) + len(body)) // scale
        loop = (0, len(sample)) if compressed else (start, end)
        headers += struct.pack(
            "<20s5IBbHH", b"sample%d" % number, start, end, *loop, RATE, 69, 0, 0, 0x11 if compressed else 1
        )
        data += body
        if not compressed:
            data += bytes(2 * 46)
    headers += struct.pack("<20s5IBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    phdr = pbag = pgen = inst = ibag = igen = b""
    n_zones = 0
    for number, ((bank, program), zones) in enumerate(sorted(presets.items())):
        phdr += struct.pack("<20sHHH3I", b"preset%d" % number, program, bank, number, 0, 0, 0)
        pbag += struct.pack("<HH", number, 0)
        pgen += struct.pack("<HH", INSTRUMENT, number)
        inst += struct.pack("<20sH", b"instrument%d" % number, n_zones)
        for zone in zones:
            ibag += struct.pack("<HH", len(igen) // 4, 0)
            for operator, amount in [*zone.generators, (LOOPS, 1), (SAMPLE, zone.sample)]:
                igen += struct.pack("<HH", operator, amount & 0xFFFF)
            n_zones += 1
    n = len(presets)
    phdr += struct.pack("<20sHHH3I", b"EOP", 0, 0, n, 0, 0, 0)
    pbag += struct.pack("<HH", n, 0)
    inst += struct.pack("<20sH", b"EOI", n_zones)
    ibag += struct.pack("<HH", len(igen) // 4, 0)
    tables = {
        "phdr": phdr,
        "pbag": pbag,
        "pmod": bytes(10),
        "pgen": pgen + bytes(4),
        "inst": inst,
        "ibag": ibag,
        "imod": bytes(10),
        "igen": igen + bytes(4),
        "shdr": headers,
    }
    info = chunk("ifil", struct.pack("<HH", 2, 4)) + chunk("INAM", b"small\0")
    content = b"sfbk" + chunk("LIST", b"INFO" + info)
    content += chunk("LIST", b"sdta" + chunk("smpl", data + bytes(len(data) % 2)))
    content += chunk("LIST", b"pdta" + b"".join(chunk(*table) for table in tables.items()))
    return chunk("RIFF", content)


def _vorbis(sample):
    stream = io.BytesIO()
    soundfile.write(stream, sample, RATE, format="OGG", subtype="VORBIS")
    return stream.getvalue()


def constant(value, n=1000):
    return np.full(n, round(value * 32_767), np.int16)


def sine(value, period=100, n_periods=20):
    phase = np.arange(period * n_periods) / period
    return np.rint(value * 32_767 * np.sin(2 * np.pi * phase)).astype(np.int16)


def small_font(*, compressed=False):
    """A step (0:0), a sine of 441 Hz at A4 (0:1), a soft and a hard recording (0:2), and a kit (128:0)."""
    samples = [constant(0.5), sine(0.5), constant(0.25), constant(0.125)]
    presets = {
        (0, 0): [Zone(0, FIXED_PITCH)],
        (0, 1): [Zone(1)],
        (0, 2): [Zone(2, [velocities(0, 63), *FIXED_PITCH]), Zone(0, [velocities(64, 127), *FIXED_PITCH])],
        (128, 0): [Zone(0, [keys(36, 36), *FIXED_PITCH]), Zone(3, [keys(38, 38), *FIXED_PITCH])],
        (128, 1): [Zone(3, [keys(90, 90), *FIXED_PITCH])],
    }
    return soundfont(samples, presets, compressed=compressed)

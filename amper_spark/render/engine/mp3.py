"""MP3 by LAME, with the frame before the music that tells players where it begins and ends.

Frames of MP3 hold 1,152 samples (576 at low rates) and an encoder looks ahead: without that frame, a player
would begin with silence and end with some more. libsndfile has LAME, too, but built without vector
instructions: it takes three times as long for the same sound.

References
----------
.. [1] ISO/IEC 11172-3 and 13818-3: frame headers.
.. [2] "MP3 Info Tag, revision 1", gabriel.mp3-tech.org/mp3infotag.html.
"""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING

import lameenc

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
"""Those that the format knows, in Hz."""

_QUALITY = 3  # LAME's own choice for constant rates
_DELAY = 576  # of the encoder, in samples; players know that of their decoder
_PADDED = 0x02  # in the third byte of a header: the frame is a byte longer than others
_HEADER_BYTES = 4


def write_mp3(stream: IO[bytes], blocks: Iterable[NDArray[np.int16]], *, rate: int, channels: int) -> None:
    """Write audio as MP3 of a constant rate: 192 kbit/s, 160 below 32 kHz, 64 below 16 kHz.

    Parameters
    ----------
    stream : binary file
        That can seek, at its beginning.
    blocks : iterable of np.ndarray [shape=(sample, channel)], int16
        Taken one at a time.
    rate : int
        One of `RATES`.
    channels : int
        1 or 2.

    Raises
    ------
    ParameterError
        Another rate.

    Examples
    --------
    >>> import io
    >>> import numpy as np
    >>> import soundfile
    >>> stream = io.BytesIO()
    >>> write_mp3(stream, [np.zeros((44_100, 2), np.int16)], rate=44_100, channels=2)
    >>> soundfile.info(io.BytesIO(stream.getvalue())).frames
    44100
    """
    if rate not in RATES:
        raise ParameterError(f"MP3 knows rates of {', '.join(map(str, RATES))} Hz, got {rate}")
    kbit_s, frame_samples = _frames_of(rate)
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(channels)
    encoder.set_in_sample_rate(rate)
    encoder.set_out_sample_rate(rate)
    encoder.set_bit_rate(kbit_s)
    encoder.set_quality(_QUALITY)

    frame_bytes = frame_samples // 8 * kbit_s * 1_000 / rate
    n_samples, n_bytes = 0, int(frame_bytes)
    stream.write(bytes(n_bytes))  # where the tag will stand
    for block in blocks:
        n_samples += len(block)
        n_bytes += stream.write(encoder.encode(block.tobytes()))
    n_bytes += stream.write(encoder.flush())

    stream.seek(int(frame_bytes))
    header = stream.read(_HEADER_BYTES)
    n_frames = round(n_bytes / frame_bytes) - 1
    padding = n_frames * frame_samples - _DELAY - n_samples
    stream.seek(0)
    stream.write(_tag(header, n_frames=n_frames, n_bytes=n_bytes, padding=padding, kbit_s=kbit_s))


def _frames_of(rate: int) -> tuple[int, int]:
    """Return kbit/s and the samples of a frame, by version of the format: MPEG-1, 2 and 2.5."""
    if rate >= 32_000:
        return 192, 1_152
    return (160, 576) if rate >= 16_000 else (64, 576)


def _tag(header: bytes, *, n_frames: int, n_bytes: int, padding: int, kbit_s: int) -> bytes:
    """Make the beginning of the frame that goes before those of the music: its body would be silence.

    Checksums, gains and whatever else is optional stay 0.
    """
    is_mpeg1, is_mono = bool(header[1] & 0x08), header[3] >> 6 == 0b11
    side_bytes = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
    has_all, evenly = 0b1111, bytes(256 * part // 100 for part in range(100))
    xing = struct.pack(">4sIII100sI", b"Info", has_all, n_frames, n_bytes, evenly, 0)
    revision_and_constant_rate = 0x01
    delays = (_DELAY << 12 | padding).to_bytes(3, "big")
    lame = struct.pack(">9sB10xB3s4xI4x", b"LAME3.100", revision_and_constant_rate, kbit_s, delays, n_bytes)
    plain = bytes((header[0], header[1], header[2] & ~_PADDED, header[3]))
    return plain + bytes(side_bytes) + xing + lame

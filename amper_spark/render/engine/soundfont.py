"""Check that a file is a sound SoundFont, before a synthesiser that trusts its files reads it.

TinySoundFont follows the tables of a font wherever their numbers point, and decodes compressed samples
whatever their bytes: a damaged font makes it crash. Here every number that it follows is checked to stay
within its table, and every page of compressed samples against its checksum.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Tables = Mapping[str, NDArray[np.void]]

_RECORDS = {
    "phdr": np.dtype(
        [("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("reserved", "<u4", 3)]
    ),
    "pbag": np.dtype([("generator", "<u2"), ("modulator", "<u2")]),
    "pmod": np.dtype("V10"),
    "pgen": np.dtype([("operator", "<u2"), ("amount", "<u2")]),
    "inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    "ibag": np.dtype([("generator", "<u2"), ("modulator", "<u2")]),
    "imod": np.dtype("V10"),
    "igen": np.dtype([("operator", "<u2"), ("amount", "<u2")]),
    "shdr": np.dtype(
        [
            ("name", "S20"),
            ("start", "<u4"),
            ("end", "<u4"),
            ("loop", "<u4", 2),
            ("rate", "<u4"),
            ("pitch", "u1"),
            ("correction", "i1"),
            ("link", "<u2"),
            ("type", "<u2"),
        ]
    ),
}
_INSTRUMENT, _SAMPLE = 41, 53  # generators that name an instrument, a sample
_COMPRESSED = 0x30  # flags in the type of a sample
_OGG_HEADER = 27
_REVERSED_BITS = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class FontError(AmperSparkError):
    """A SoundFont that cannot be had, read or trusted, or that lacks a sound."""


def check_soundfont(content: bytes) -> None:
    """Check the content of a SoundFont 2 file, whose samples may be compressed with Vorbis (SoundFont 3).

    Parameters
    ----------
    content : bytes

    Raises
    ------
    FontError
        What is wrong, without the file's name.

    Notes
    -----
    The format is that of the SoundFont Technical Specification 2.04 (Creative Technology, 2006).

    Examples
    --------
    >>> check_soundfont(b"RIFF....WAVE")
    Traceback (most recent call last):
        ...
    amper_spark.render.engine.soundfont.FontError: it does not begin as a SoundFont does
    """
    if content[:4] != b"RIFF" or content[8:12] != b"sfbk":
        raise FontError("it does not begin as a SoundFont does")
    size = int.from_bytes(content[4:8], "little")
    if size + 8 > len(content):
        raise FontError(f"it is cut short: {len(content):,} bytes of {size + 8:,}")
    chunks: dict[str, memoryview] = {}
    for kind, chunk in _chunks(memoryview(content)[12 : size + 8]):
        if kind == "LIST":
            chunks.update(_chunks(chunk[4:]))
    tables = _tables(chunks)
    _check_references(tables)
    _check_samples(tables["shdr"], chunks["smpl"])


def _chunks(content: memoryview) -> Iterator[tuple[str, memoryview]]:
    position = 0
    while position < len(content):
        header = bytes(content[position : position + 8])
        size = int.from_bytes(header[4:], "little")
        kind = header[:4].decode("latin-1")
        if position + 8 + size > len(content) or len(header) < 8:
            raise FontError(f"its chunk {kind!r} is longer than the file")
        if kind == "LIST" and size < 4:
            raise FontError("it holds a list without a name")
        yield kind, content[position + 8 : position + 8 + size]
        position += 8 + size  # without padding to even lengths, which TinySoundFont does not know either


def _tables(chunks: Mapping[str, memoryview]) -> dict[str, NDArray[np.void]]:
    tables = {}
    for name, record in _RECORDS.items():
        chunk = chunks.get(name)
        if chunk is None or len(chunk) < record.itemsize or len(chunk) % record.itemsize:
            raise FontError(f"its table {name!r} is missing or damaged")
        tables[name] = np.frombuffer(chunk, record)
    if len(chunks.get("smpl", b"")) < 2:
        raise FontError("it holds no samples")
    return tables


def _check_references(tables: Tables) -> None:
    """Check that each table points into the next; its last record only says where the one before it ends."""
    for source, field, target in (
        ("phdr", "bag", "pbag"),
        ("pbag", "generator", "pgen"),
        ("pbag", "modulator", "pmod"),
        ("inst", "bag", "ibag"),
        ("ibag", "generator", "igen"),
        ("ibag", "modulator", "imod"),
    ):
        places = tables[source][field].astype(np.int64)
        if np.any(np.diff(places) < 0) or places[-1] > len(tables[target]) - 1:
            raise FontError(f"its table {source!r} points beyond {target!r}")
    for source, operator, target in (("pgen", _INSTRUMENT, "inst"), ("igen", _SAMPLE, "shdr")):
        generators = tables[source][:-1]
        named = generators["amount"][generators["operator"] == operator]
        if np.any(named >= len(tables[target]) - 1):
            raise FontError(f"its table {source!r} points beyond {target!r}")


def _check_samples(headers: NDArray[np.void], samples: memoryview) -> None:
    headers, last = headers[:-1], headers[-1]
    # The last record only ends the table, yet TinySoundFont follows it like the others.
    if last["start"] or last["end"] or last["type"] & _COMPRESSED:
        raise FontError("its table 'shdr' does not end as it should")
    is_compressed = headers["type"] & _COMPRESSED != 0
    if np.any(is_compressed) and not np.all(is_compressed):
        raise FontError("some of its samples are compressed and some are not, which is not supported")
    length = len(samples) if np.any(is_compressed) else len(samples) // 2
    for header in headers:
        start, end = int(header["start"]), int(header["end"])
        if start > end or end > length:
            name = header["name"].decode("latin-1")
            raise FontError(f"its sample {name!r} lies outside of the file")
        if header["type"] & _COMPRESSED:
            _check_ogg(samples[start:end], header["name"].decode("latin-1"))


def _check_ogg(stream: memoryview, name: str) -> None:
    """Check the checksums of an Ogg stream (RFC 3533)."""
    position = 0
    while position < len(stream):
        header = bytes(stream[position : position + _OGG_HEADER])
        n_segments = header[-1] if len(header) == _OGG_HEADER and header[:4] == b"OggS" else 0
        lengths = bytes(stream[position + _OGG_HEADER : position + _OGG_HEADER + n_segments])
        end = position + _OGG_HEADER + n_segments + sum(lengths)
        if not lengths or end > len(stream):
            raise FontError(f"its sample {name!r} is damaged")
        blank = header[:22] + bytes(4) + header[26:]
        page = blank + bytes(stream[position + _OGG_HEADER : end])
        if _ogg_checksum(page) != int.from_bytes(header[22:26], "little"):
            raise FontError(f"its sample {name!r} is damaged")
        position = end
    if not len(stream):
        raise FontError(f"its sample {name!r} is empty")


def _ogg_checksum(page: bytes) -> int:
    # Ogg's CRC is zlib's with the bits the other way round, and without its inversions.
    crc = zlib.crc32(page.translate(_REVERSED_BITS), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2)

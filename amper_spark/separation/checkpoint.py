"""Read a checkpoint of TensorFlow without TensorFlow.

A checkpoint is a *tensor bundle*: ``model.index``, a sorted table in LevelDB's format that maps names to
protocol buffers (type, shape, offset, checksum), and ``model.data-00000-of-00001``, the values one after
another. What Spleeter's checkpoints make no use of is refused: several shards, compressed tables, slices.

References
----------
- https://github.com/tensorflow/tensorflow/blob/v2.12.0/tensorflow/core/util/tensor_bundle/tensor_bundle.h
- https://github.com/google/leveldb/blob/1.23/doc/table_format.md
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from amper_spark.compiled import compiled
from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

INDEX_FILE = "model.index"
DATA_FILE = "model.data-00000-of-00001"

_FOOTER_BYTES = 48
_TRAILER_BYTES = 5  # after each block: how it is compressed, and a checksum
_TABLE_MAGIC = 0xDB4775248B80FB57
_HEADER_KEY = b""
_TYPES: Mapping[int, str] = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8"}  # tensorflow/core/framework/types.proto

Message = dict[int, list["int | bytes"]]
"""A protocol buffer: the values of each field, by the field's number."""


class CheckpointError(AmperSparkError):
    """A checkpoint that is damaged, incomplete, or of a kind that is not read."""


class _Entry(NamedTuple):
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    offset: int
    size: int
    checksum: int


def read_checkpoint(folder: Path) -> dict[str, np.ndarray]:
    """Read all tensors, and check each against its checksum.

    Parameters
    ----------
    folder : Path
        Holds ``model.index`` and ``model.data-00000-of-00001``.

    Returns
    -------
    dict of str to np.ndarray
        Tensors by name, in the order of their names.

    Raises
    ------
    CheckpointError
        A file is missing, damaged or too short, or of a kind that is not read.
    """
    try:
        index = (folder / INDEX_FILE).read_bytes()
        data = (folder / DATA_FILE).read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read the checkpoint: {error.filename}: {error.strerror}") from error
    try:
        entries = _read_index(index)
    except (IndexError, struct.error, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"{folder / INDEX_FILE} is damaged: {error}") from error
    return {name: _read_tensor(name, entry, data) for name, entry in entries.items()}


def masked_crc32c(data: bytes | memoryview) -> int:
    """Compute LevelDB's checksum: CRC-32C, rotated, plus a constant.

    Parameters
    ----------
    data : bytes-like

    Returns
    -------
    int
        32 bits.

    References
    ----------
    RFC 3720, appendix B.4; https://github.com/google/leveldb/blob/1.23/util/crc32c.h

    Examples
    --------
    >>> hex(masked_crc32c(b"123456789"))  # CRC-32C is 0xe3069283
    '0xc78ab0e5'
    """
    crc = int(_crc32c(np.frombuffer(data, dtype=np.uint8), _CRC32C_TABLE))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _read_index(index: bytes) -> dict[str, _Entry]:
    table = dict(_read_table(index))
    header = _read_message(table.pop(_HEADER_KEY))
    if _number(header, 1) != 1 or _number(header, 2) != 0:
        raise CheckpointError("only checkpoints in one shard, little-endian, are read")
    return {name.decode(): _read_entry(name.decode(), value) for name, value in table.items()}


def _read_entry(name: str, value: bytes) -> _Entry:
    entry = _read_message(value)
    kind = _number(entry, 1)
    if kind not in _TYPES or 7 in entry or _number(entry, 3) != 0:
        raise CheckpointError(f"{name}: tensors of this kind are not read (type {kind})")
    shape = _read_message(entry[2][0]) if 2 in entry else {}  # scalars may go without
    dimensions = tuple(_number(_read_message(dimension), 1) for dimension in shape.get(2, []))
    return _Entry(np.dtype(_TYPES[kind]), dimensions, _number(entry, 4), _number(entry, 5), _number(entry, 6))


def _read_tensor(name: str, entry: _Entry, data: bytes) -> np.ndarray:
    values = memoryview(data)[entry.offset : entry.offset + entry.size]
    if len(values) != entry.size:
        raise CheckpointError(f"{name}: {DATA_FILE} is too short: it has {len(data):,} bytes")
    if entry.size != math.prod(entry.shape) * entry.dtype.itemsize:
        raise CheckpointError(f"{name}: {entry.size} bytes do not fill the shape {entry.shape}")
    if masked_crc32c(values) != entry.checksum:
        raise CheckpointError(f"{name}: {DATA_FILE} is damaged: the checksum is wrong")
    return np.frombuffer(values, dtype=entry.dtype).reshape(entry.shape)


def _read_table(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a LevelDB table: its index block names its data blocks."""
    footer = table[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or struct.unpack("<Q", footer[-8:])[0] != _TABLE_MAGIC:
        raise ValueError("it does not end as such a table does")
    position = 0
    for _ in range(2):  # the handle of the metaindex block, which holds nothing here
        _, position = _read_varint(footer, position)
    for _, handle in _read_block(table, footer[position:]):
        yield from _read_block(table, handle)


def _read_block(table: bytes, handle: bytes) -> Iterator[tuple[bytes, bytes]]:
    offset, position = _read_varint(handle, 0)
    size, _ = _read_varint(handle, position)
    end = offset + size
    compression, checksum = struct.unpack("<BI", table[end : end + _TRAILER_BYTES])
    if masked_crc32c(table[offset : end + 1]) != checksum:
        raise ValueError("the checksum of a block is wrong")
    if compression != 0:
        raise CheckpointError(f"compressed indexes are not read (kind {compression})")
    block = table[offset:end]
    n_restarts = struct.unpack("<I", block[-4:])[0]
    key, position = b"", 0
    while position < size - 4 * (n_restarts + 1):
        shared, position = _read_varint(block, position)
        unshared, position = _read_varint(block, position)
        length, position = _read_varint(block, position)
        key = key[:shared] + block[position : position + unshared]
        position += unshared
        yield key, block[position : position + length]
        position += length


def _read_message(buffer: int | bytes) -> Message:
    """Read a protocol buffer; of its wire types, those that a checkpoint uses."""
    if isinstance(buffer, int):
        raise TypeError("a number stands where a message should")
    fields: Message = {}
    position = 0
    while position < len(buffer):
        tag, position = _read_varint(buffer, position)
        value: int | bytes
        match tag & 7:
            case 0:
                value, position = _read_varint(buffer, position)
            case 2:
                length, position = _read_varint(buffer, position)
                value, position = buffer[position : position + length], position + length
            case 5:
                value, position = struct.unpack_from("<I", buffer, position)[0], position + 4
            case wire_type:
                raise ValueError(f"wire type {wire_type} has no place here")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _number(message: Message, field: int) -> int:
    value = message.get(field, [0])[-1]
    if isinstance(value, bytes):
        raise TypeError("a message stands where a number should")
    return value


def _read_varint(buffer: bytes, position: int) -> tuple[int, int]:
    """Read a number of 7 bits a byte, the lowest first; return it and the position after it."""
    value = shift = 0
    while True:
        byte = buffer[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _crc32c_table() -> np.ndarray:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1).astype(np.uint32)
    return table


_CRC32C_TABLE = _crc32c_table()


@compiled("uint32(Array(uint8, 1, 'C', readonly=True), uint32[::1])")
def _crc32c(data: np.ndarray, table: np.ndarray) -> np.uint32:
    """CRC-32C: the remainder of the division by the Castagnoli polynomial, bits reflected."""
    crc = np.uint32(0xFFFFFFFF)
    for byte in data:
        crc = table[(crc ^ byte) & np.uint32(0xFF)] ^ (crc >> np.uint32(8))
    return crc ^ np.uint32(0xFFFFFFFF)

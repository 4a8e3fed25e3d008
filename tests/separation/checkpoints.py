"""Write checkpoints as TensorFlow does, and the tensors of a small network of Spleeter's form."""

from __future__ import annotations

import hashlib
import itertools
import struct

import numpy as np

FILES = ("model.data-00000-of-00001", "model.index", "model.meta")
CHANNELS = (2, 3, 4, 5, 6, 7, 8)
TYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9}


def small_tensors(seed=0):
    """Two nets of the form of Spleeter's, of few channels."""
    rng = np.random.default_rng(seed)
    tensors = {"global_step": np.array(0, dtype=np.int64)}

    def add(kind, number, **parts):
        name = f"{kind}_{number}" if number else kind
        tensors.update({f"{name}/{part}": values.astype(np.float32) for part, values in parts.items()})

    def convolution(kind, number, shape, channels_in, channels_out, gain=2):
        scale = gain / np.sqrt(np.prod(shape[:2]) * channels_in)
        add(kind, number, kernel=rng.normal(0, scale, shape), bias=rng.normal(0, 0.3, channels_out))

    down = list(itertools.pairwise(CHANNELS))
    up = [(8, 7), (14, 6), (12, 5), (10, 4), (8, 3), (6, 1)]
    for net in range(2):
        for layer, (given, made) in enumerate(down):
            convolution("conv2d", 7 * net + layer, (5, 5, given, made), given, made)
        convolution("conv2d", 7 * net + 6, (4, 4, 1, 2), 1, 2, gain=0.5)
        for layer, (given, made) in enumerate(up):
            convolution("conv2d_transpose", 6 * net + layer, (5, 5, made, given), given, made)
        for layer, (_, made) in enumerate(down + up):
            add(
                "batch_normalization",
                12 * net + layer,
                gamma=rng.normal(0.6, 0.4, made),
                beta=rng.normal(0, 0.3, made),
                moving_mean=rng.normal(0, 0.3, made),
                moving_variance=rng.uniform(0.5, 1.5, made),
            )
    return tensors


def write_checkpoint(folder, tensors, *, entries_per_block=7, n_shards=1, compression=0):
    """Write the three files of a checkpoint; return the SHA-256 of each."""
    folder.mkdir(parents=True, exist_ok=True)
    data = b""
    entries = {"": varint_field(1, n_shards) + message_field(3, varint_field(1, 1))}
    for name, tensor in sorted(tensors.items()):
        values = tensor.tobytes()
        shape = b"".join(message_field(2, varint_field(1, size)) for size in tensor.shape)
        fields = varint_field(1, TYPES[tensor.dtype.name]) + message_field(2, shape)
        fields += varint_field(4, len(data)) + varint_field(5, len(values))
        entries[name] = fields + b"\x35" + struct.pack("<I", masked_crc32c(values))
        data += values
    contents = (data, table(entries, entries_per_block, compression), b"what the graph was")
    for name, content in zip(FILES, contents, strict=True):
        (folder / name).write_bytes(content)
    return checksums(folder)


def checksums(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def table(entries, entries_per_block, compression):
    """A LevelDB table: data blocks, an empty metaindex block, an index of the data blocks, a footer."""
    content, handles = b"", {}
    items = [(key.encode(), value) for key, value in entries.items()]

    def add(block):
        nonlocal content
        handle = varint(len(content)) + varint(len(block))
        trailed = block + bytes([compression])
        content += trailed + struct.pack("<I", masked_crc32c(trailed))
        return handle

    for start in range(0, len(items), entries_per_block):
        some = items[start : start + entries_per_block]
        handles[some[-1][0]] = add(block_of(some))
    footer = add(block_of([])) + add(block_of(list(handles.items())))
    return content + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def block_of(items):
    """Each key without what it shares with the key before."""
    block, before = b"", b""
    for key, value in items:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        block += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return block + struct.pack("<II", 0, 1)  # one restart, at 0


def varint(value):
    encoded = b""
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def varint_field(number, value):
    return varint(number << 3) + varint(value)


def message_field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def masked_crc32c(data):
    """Bit by bit, as RFC 3720 defines it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF

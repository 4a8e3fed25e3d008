from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from amper_spark.separation.checkpoint import CheckpointError, masked_crc32c, read_checkpoint
from tests.separation.checkpoints import write_checkpoint

NAMES = st.text("abc/_1é", min_size=1, max_size=12)
TENSORS = st.sampled_from(["float32", "float64", "int32", "int64"]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=4, max_side=4))
)
SOME = {
    "conv2d/bias": np.arange(3, dtype=np.float32),
    "conv2d/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "global_step": np.array(7, dtype=np.int64),
}


def unmasked(data):
    rotated = (masked_crc32c(data) - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_the_checksum_has_the_values_of_rfc_3720(data, expected):
    assert unmasked(data) == expected


@given(st.dictionaries(NAMES, TENSORS, min_size=1, max_size=8), st.integers(1, 5))
def test_what_was_written_is_read(tmp_path_factory, tensors, entries_per_block):
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(folder, tensors, entries_per_block=entries_per_block)
    read = read_checkpoint(folder)
    assert sorted(read) == sorted(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        np.testing.assert_array_equal(read[name], tensor)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    write_checkpoint(folder, SOME)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture
def read_damaged(whole, tmp_path):
    def read(name, content):
        for file, good in whole.items():
            (tmp_path / file).write_bytes(content if file == name else good)
        return read_checkpoint(tmp_path)

    return read


@pytest.mark.parametrize("name", ["model.index", "model.data-00000-of-00001"])
def test_a_file_that_is_cut_short_anywhere_is_refused(whole, read_damaged, name):
    for length in range(len(whole[name])):
        with pytest.raises(CheckpointError, match=name):
            read_damaged(name, whole[name][:length])


@pytest.mark.parametrize("name", ["model.index", "model.data-00000-of-00001"])
@settings(max_examples=300)
@given(data=st.data())
def test_no_damage_changes_a_tensor_unseen(whole, tmp_path_factory, name, data):
    folder = tmp_path_factory.mktemp("damaged")
    for file, good in whole.items():
        content = bytearray(good)
        if file == name:
            content[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
        (folder / file).write_bytes(content)
    try:
        read = read_checkpoint(folder)
    except CheckpointError:
        return
    assert {key: tensor.tolist() for key, tensor in read.items()} == {k: t.tolist() for k, t in SOME.items()}


@pytest.mark.parametrize("name", ["model.index", "model.data-00000-of-00001"])
def test_a_missing_file_is_named(tmp_path, name):
    write_checkpoint(tmp_path, SOME)
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        read_checkpoint(tmp_path)


def test_what_is_no_checkpoint_is_refused(read_damaged):
    with pytest.raises(CheckpointError, match="does not end as such a table does"):
        read_damaged("model.index", b"<html>" * 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"compression": 1}, "compressed"), ({"n_shards": 2}, "in one shard")],
)
def test_kinds_that_are_not_read_are_named(tmp_path, options, message):
    write_checkpoint(tmp_path, SOME, **options)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path)

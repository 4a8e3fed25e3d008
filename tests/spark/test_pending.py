from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.spark.pending import check_units, without


@given(st.sets(st.integers(0, 50)), st.sets(st.integers(0, 50)))
def test_without_is_set_difference_in_order(wanted: set[int], done: set[int]):
    units = pa.table({"a": [str(n) for n in wanted], "b": ["x"] * len(wanted)})
    schema = pa.schema({"b": pa.string(), "a": pa.large_string()})
    table = pa.table({"b": ["x"] * len(done), "a": [str(n) for n in done]}, schema=schema)

    left = without(units, table, ["a", "b"])["a"].to_pylist()

    assert left == [str(n) for n in wanted if n not in done]


@pytest.mark.parametrize(
    ("units", "message"),
    [
        ({"track_id": ["a"], "size_bytes": [1]}, "need a column 'etag'"),
        ({"track_id": ["a", None], "etag": ["e", "e"]}, "null in 'track_id', 1 are"),
        ({"track_id": ["a", "a"], "etag": ["e", "e"]}, "the same track_id, etag twice"),
    ],
)
def test_units_that_cannot_be_told_apart_are_refused(units: dict[str, list[Any]], message: str):
    with pytest.raises(ParameterError, match=message):
        check_units(pa.table(units), ["track_id", "etag"])

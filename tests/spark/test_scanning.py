from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from amper_spark.spark.scanning import matching_row_groups


@pytest.fixture
def dataset(tmp_path):
    """Two files with row groups of three rows; their statistics rule nothing out."""
    for file in range(2):
        names = [f"{letter}{file}{number}" for number in range(4) for letter in "amz"]
        table = pa.table({"name": names, "payload": [name.upper() * 100 for name in names]})
        pq.write_table(table, tmp_path / f"{file}.parquet", row_group_size=3)
    return pyarrow.dataset.dataset(tmp_path, format="parquet")


def test_only_the_row_groups_that_hold_matching_rows_are_left(dataset):
    where = pc.field("name").isin(pa.array(["m02", "m12", "z12"]))
    narrowed = matching_row_groups(dataset, where)
    assert [group.row_groups[0].id for group in narrowed.get_fragments()] == [2, 2]
    assert narrowed.to_table()["name"].to_pylist() == ["a02", "m02", "z02", "a12", "m12", "z12"]


def test_where_nothing_matches_there_are_no_rows_but_columns(dataset):
    rows = matching_row_groups(dataset, pc.field("name") == "n00").to_table()
    assert (rows.num_rows, rows.column_names) == (0, ["name", "payload"])

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.spark.planning import Batch, cut_batches, cut_units, deal_batch, pack_bins

WEIGHTS = st.dictionaries(st.text(max_size=3), st.integers(0, 10**9), max_size=60)
BINS = st.integers(1, 12)
RECORDS = st.integers(1, 9)
WEIGHT = st.integers(1, 10**9)


@given(WEIGHTS, RECORDS, WEIGHT)
def test_batches_hold_every_unit_once_within_bounds(weights, max_records, max_weight):
    batches = cut_batches(weights, max_records=max_records, max_weight=max_weight)

    units = [unit for batch in batches for unit in batch]
    assert sorted(units) == sorted(weights)
    assert [(-weights[unit], unit) for unit in units] == sorted((-weights[unit], unit) for unit in units)
    for batch in batches:
        assert 1 <= len(batch) <= max_records
        assert len(batch) == 1 or sum(weights[unit] for unit in batch) <= max_weight


@given(WEIGHTS, RECORDS, WEIGHT, st.data())
def test_the_rest_is_cut_as_if_nothing_had_been_done(weights, max_records, max_weight, data):
    batches = cut_batches(weights, max_records=max_records, max_weight=max_weight)
    n_done = data.draw(st.integers(0, len(batches)))
    done = {unit for batch in batches[:n_done] for unit in batch}

    rest = {unit: weight for unit, weight in reversed(weights.items()) if unit not in done}

    assert cut_batches(rest, max_records=max_records, max_weight=max_weight) == batches[n_done:]


@given(WEIGHTS, BINS)
def test_bins_hold_every_unit_once_longest_first(weights, n_bins):
    bins = pack_bins(weights, n_bins)

    assert len(bins) == min(n_bins, len(weights))
    assert all(bins)
    assert sorted(unit for members in bins for unit in members) == sorted(weights)
    for members in bins:
        sizes = [weights[unit] for unit in members]
        assert sizes == sorted(sizes, reverse=True)


@given(WEIGHTS.filter(len), BINS)
def test_bins_are_balanced(weights, n_bins):
    loads = [sum(weights[unit] for unit in members) for members in pack_bins(weights, n_bins)]

    assert loads == sorted(loads, reverse=True)
    # Whoever got the last unit was the lightest before: at most the mean of the others' work.
    assert max(loads) <= sum(loads) / len(loads) + max(weights.values())


def test_longest_processing_time_first_on_the_textbook_example():
    # Graham's worst case for two machines: 7/6 of the optimum.
    weights = {"a": 3, "b": 3, "c": 2, "d": 2, "e": 2}

    loads = [sum(weights[unit] for unit in members) for members in pack_bins(weights, 2)]

    assert loads == [7, 5]


def test_units_without_weight_are_spread_too():
    bins = pack_bins(dict.fromkeys(range(8), 0), 4)

    assert [len(members) for members in bins] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("call", "value"),
    [
        (lambda: pack_bins({"a": 1}, 0), "n_bins=0"),
        (lambda: cut_batches({"a": 1}, max_records=0, max_weight=1), "max_records=0"),
        (lambda: cut_batches({"a": 1}, max_records=1, max_weight=float("nan")), "max_weight=nan"),
        (lambda: cut_batches({"a": -1}, max_records=1, max_weight=1), "'a' weighs -1"),
        (lambda: pack_bins({"a": float("nan")}, 1), "'a' weighs nan"),
    ],
)
def test_nonsense_is_named(call, value):
    with pytest.raises(ParameterError, match=value):
        call()


def _units(n: int) -> pa.Table:
    return pa.table(
        {
            "track_id": [f"t{i:02d}" for i in range(n)],
            "etag": ["e"] * n,
            "uri": [f"file:///music/{i}.ogg" for i in range(n)],
            "size_bytes": [(i * 7) % 11 for i in range(n)],
        }
    )


def _plan(units: pa.Table, *, work: tuple[str, ...] = ("analyze", "v1"), n_bins: int = 3) -> list[Batch]:
    key, weight = ("track_id", "etag"), "size_bytes"
    cuts = cut_units(units, key=key, weight=weight, max_records=10, max_weight=1e9)
    return [deal_batch(cut, key=key, weight=weight, work=work, n_bins=n_bins) for cut in cuts]


def test_a_plan_keeps_the_columns_of_the_units():
    units = _units(25)

    batches = _plan(units)

    assert [batch.units.num_rows for batch in batches] == [10, 10, 5]
    planned = pa.concat_tables([batch.units.drop_columns(["bin", "rank"]) for batch in batches])
    assert planned.sort_by("track_id") == units
    for batch in batches:
        numbers = batch.units["bin"].to_pylist()
        assert [numbers.count(number) for number in range(3)] == [part.records for part in batch.bins]
        assert batch.units["rank"].to_pylist() == list(range(batch.units.num_rows))
        assert batch.weight == sum(batch.units["size_bytes"].to_pylist())


def test_batches_are_named_after_the_work_and_the_units_alone():
    ids = [batch.batch_id for batch in _plan(_units(25))]

    backwards = _units(25).take(list(reversed(range(25))))
    assert [batch.batch_id for batch in _plan(backwards, n_bins=5)] == ids
    assert len(set(ids)) == 3
    assert not {batch.batch_id for batch in _plan(_units(25), work=("analyze", "v2"))} & set(ids)


def test_nothing_to_do_is_no_batch():
    assert _plan(_units(0)) == []

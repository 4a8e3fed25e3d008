"""Cut work into batches and batches into bins: pure functions, Spark is not needed.

A batch is what is committed at once, a bin is what one task works through. Both put the longest units
first, so that no task is left alone with a long recording at the end.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Key = TypeVar("Key", bound=Hashable)


def cut_batches(weights: Mapping[Key, float], *, max_records: int, max_weight: float) -> list[list[Key]]:
    """Cut units into batches, longest units first.

    The cut has no memory: what follows a batch depends only on the units that are left. A stage that was
    stopped after some batches therefore cuts the rest exactly as it would have been cut.

    Parameters
    ----------
    weights : mapping of key to float >= 0
        The units; keys must be comparable with one another.
    max_records : int > 0
        Most units in a batch.
    max_weight : float > 0
        Most weight in a batch; a unit that weighs more makes a batch of its own.

    Returns
    -------
    list of list of key
        Every unit exactly once, by falling weight, equal weights by key.

    Raises
    ------
    ParameterError
        For a bound that is not positive or a weight that is negative.

    Examples
    --------
    >>> cut_batches({"a": 3, "b": 9, "c": 3, "d": 1}, max_records=2, max_weight=8)
    [['b'], ['a', 'c'], ['d']]
    """
    if max_records < 1 or not max_weight > 0:
        raise ParameterError(
            f"a batch must hold something: max_records={max_records}, max_weight={max_weight}"
        )
    batches: list[list[Key]] = []
    load = 0.0
    for key in _longest_first(weights):
        full = not batches or len(batches[-1]) == max_records or load + weights[key] > max_weight
        if full:
            batches.append([])
            load = 0.0
        batches[-1].append(key)
        load += weights[key]
    return batches


def pack_bins(weights: Mapping[Key, float], n_bins: int) -> list[list[Key]]:
    """Pack units into bins of about the same weight: longest processing time first.

    Each unit, longest first, goes to the bin that has the least so far [1]_. No bin then weighs more than
    the mean plus the heaviest unit, and more than 4/3 of the best possible.

    Parameters
    ----------
    weights : mapping of key to float >= 0
        The units; keys must be comparable with one another.
    n_bins : int > 0
        Most bins; never more than there are units.

    Returns
    -------
    list of list of key
        Heaviest bin first, longest unit first in each; every unit exactly once, no bin empty.

    Raises
    ------
    ParameterError
        For a number of bins that is not positive or a weight that is negative.

    References
    ----------
    .. [1] R. L. Graham, "Bounds on multiprocessing timing anomalies", SIAM Journal on Applied
       Mathematics 17 (1969).

    Examples
    --------
    >>> pack_bins({"a": 5, "b": 4, "c": 3, "d": 3}, 2)
    [['a', 'd'], ['b', 'c']]
    """
    if n_bins < 1:
        raise ParameterError(f"there must be at least one bin, n_bins={n_bins}")
    bins: list[list[Key]] = [[] for _ in range(min(n_bins, len(weights)))]
    # The count decides between equal loads: units without weight spread out too.
    lightest: list[tuple[float, int, int]] = [(0.0, 0, index) for index in range(len(bins))]
    loads = [0.0] * len(bins)
    for key in _longest_first(weights):
        load, count, index = lightest[0]
        bins[index].append(key)
        loads[index] = load + weights[key]
        heapq.heapreplace(lightest, (loads[index], count + 1, index))
    heaviest_first = sorted(range(len(bins)), key=lambda index: (-loads[index], index))
    return [bins[index] for index in heaviest_first]


@dataclass(frozen=True)
class Bin:
    """What one task works through.

    Parameters
    ----------
    records : int > 0
    weight : float >= 0
    """

    records: int
    weight: float


@dataclass(frozen=True)
class Batch:
    """What is committed at once.

    Parameters
    ----------
    batch_id : str
        16 hexadecimal digits: a hash of what is done to which units.
    units : pyarrow.Table
        In the order of the work, with two more columns: `bin`, and `rank`, a unit's place in this order.
    bins : tuple of Bin
        By number, the heaviest first.
    """

    batch_id: str
    units: pa.Table
    bins: tuple[Bin, ...]

    @property
    def weight(self) -> float:
        """Weight of all its units."""
        return sum(part.weight for part in self.bins)


def cut_units(
    units: pa.Table, *, key: Sequence[str], weight: str, max_records: int, max_weight: float
) -> list[pa.Table]:
    """Cut a table of units into batches, longest units first.

    Parameters
    ----------
    units : pyarrow.Table
    key : sequence of str
        The columns that name a unit; neither null nor twice the same.
    weight : str
        The column that says how heavy a unit is.
    max_records, max_weight
        See `cut_batches`.

    Returns
    -------
    list of pyarrow.Table
    """
    weights = _weights(units, key, weight)
    row_of = {unit: row for row, unit in enumerate(weights)}
    cuts = cut_batches(weights, max_records=max_records, max_weight=max_weight)
    return [units.take([row_of[unit] for unit in cut]) for cut in cuts]


def deal_batch(
    units: pa.Table, *, key: Sequence[str], weight: str, work: Sequence[str], n_bins: int
) -> Batch:
    """Deal the units of a batch out to tasks.

    Parameters
    ----------
    units : pyarrow.Table
    key, weight
        See `cut_units`.
    work : sequence of str
        What is done to the units: part of the name of the batch.
    n_bins : int > 0
        Most bins, see `pack_bins`.

    Returns
    -------
    Batch
    """
    weights = _weights(units, key, weight)
    row_of = {unit: row for row, unit in enumerate(weights)}
    bins = pack_bins(weights, n_bins)
    ordered = [unit for members in bins for unit in members]
    numbers = [number for number, members in enumerate(bins) for _ in members]
    rows = (
        units.take([row_of[unit] for unit in ordered])
        .append_column("bin", pa.array(numbers, pa.int32()))
        .append_column("rank", pa.array(range(len(ordered)), pa.int32()))
    )
    sizes = tuple(Bin(len(members), sum(weights[unit] for unit in members)) for members in bins)
    return Batch(_batch_id(work, ordered), rows, sizes)


def likely_finished(bins: Sequence[Bin], *, completed: int, active: int) -> Sequence[Bin]:
    """Guess which bins are done, of tasks that tell no more than how many they are.

    Tasks begin in the order of the bins, the heaviest first; of those that have begun, the lightest finish
    first.

    Parameters
    ----------
    bins : sequence of Bin
        The heaviest first.
    completed, active : int >= 0
        Tasks that are done, and that are at work.

    Returns
    -------
    sequence of Bin
        As many as are completed.

    Examples
    --------
    >>> bins = [Bin(records=1, weight=9.0), Bin(records=3, weight=5.0), Bin(records=3, weight=4.0)]
    >>> likely_finished(bins, completed=1, active=1)
    [Bin(records=3, weight=5.0)]
    """
    begun = bins[: completed + active]
    return begun[len(begun) - completed :]


def _weights(units: pa.Table, key: Sequence[str], weight: str) -> dict[tuple[Any, ...], float]:
    keys = zip(*(units[name].to_pylist() for name in key), strict=True)
    return dict(zip(keys, units[weight].to_pylist(), strict=True))


def _batch_id(work: Sequence[str], keys: Sequence[Any]) -> str:
    document = json.dumps([list(work), sorted(keys)], default=str, separators=(",", ":"))
    return hashlib.sha256(document.encode()).hexdigest()[:16]


def _longest_first(weights: Mapping[Key, float]) -> list[Key]:
    def order(key: Any) -> tuple[float, Any]:
        return -weights[key], key

    wrong = [key for key, weight in weights.items() if not weight >= 0]
    if wrong:
        raise ParameterError(f"a weight must not be negative: {wrong[0]!r} weighs {weights[wrong[0]]}")
    return sorted(weights, key=order)

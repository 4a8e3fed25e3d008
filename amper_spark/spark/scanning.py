"""Reading a few rows of a big table: only the row groups that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow.compute import Expression
    from pyarrow.dataset import Dataset, FileSystemDataset


def matching_rows(dataset: FileSystemDataset, where: Expression) -> Dataset:
    """Narrow a dataset to the rows that match, and to the row groups that hold any.

    A filter alone would decode every column of every row group whose statistics do not rule it out, and hashes
    are never ruled out.

    Parameters
    ----------
    dataset : pyarrow.dataset.FileSystemDataset
        Parquet files.
    where : pyarrow.compute.Expression
        Its columns are read here, of every row group that statistics do not rule out.

    Returns
    -------
    pyarrow.dataset.Dataset
    """
    import pyarrow.dataset  # not above: tasks that only write save its second of imports

    groups = [
        group
        for file in dataset.get_fragments()
        for group in file.split_by_row_group(where, dataset.schema)
        if group.count_rows(filter=where)
    ]
    narrowed = pyarrow.dataset.FileSystemDataset(groups, dataset.schema, dataset.format, dataset.filesystem)
    return narrowed.filter(where)

"""Reading a few rows of a big table: only the row groups that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyarrow.compute import Expression
    from pyarrow.dataset import FileSystemDataset


def matching_row_groups(dataset: FileSystemDataset, where: Expression) -> FileSystemDataset:
    """Narrow a dataset to the row groups that hold rows which match.

    A filter alone decodes every column of each row group that its statistics do not rule out, and they
    rule out no hash.

    Parameters
    ----------
    dataset : pyarrow.dataset.FileSystemDataset
        Parquet files.
    where : pyarrow.compute.Expression
        Only its columns are read here.

    Returns
    -------
    pyarrow.dataset.FileSystemDataset
        Still with all rows of these row groups.
    """
    import pyarrow.dataset  # not above: tasks that only write save its second of imports

    groups = [
        group
        for file in dataset.get_fragments()
        for group in file.split_by_row_group(where, dataset.schema)
        if group.count_rows(filter=where)
    ]
    return pyarrow.dataset.FileSystemDataset(groups, dataset.schema, dataset.format, dataset.filesystem)

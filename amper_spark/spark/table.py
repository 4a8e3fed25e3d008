"""What a table of the lake is, and how its columns say what they mean.

Every column, nested ones too, carries its meaning in the field metadata: ``comment`` (the key that Delta
tables use), ``unit``, and where it applies ``range`` and ``length``.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")
"""The type of every point in time."""


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Parameters
    ----------
    name : str
        Its folder below ``<lake>/tables``.
    description : str
        One sentence.
    key : tuple of str
        The columns that tell one row from another.
    schema : pyarrow.Schema
        Columns with their meanings in the field metadata.
    stamp : tuple of str
        The columns that tell an earlier row of a unit from a later one.
    """

    name: str
    description: str
    key: tuple[str, ...]
    schema: pa.Schema
    stamp: tuple[str, ...]

    @property
    def has_outcomes(self) -> bool:
        """Whether a row says how its unit came out; otherwise only what came out well has a row."""
        return "outcome" in self.schema.names


def column(
    name: str, kind: pa.DataType, comment: str, *, nullable: bool = False, **details: str | None
) -> pa.Field:
    """Describe a column, or a field of a struct: its unit, range and length besides what it means."""
    metadata = {"comment": comment} | {key: value for key, value in details.items() if value}
    return pa.field(name, kind, nullable=nullable, metadata=metadata)


def list_of(kind: pa.DataType) -> pa.ListType:
    """Give the type of a list whose items are never null."""
    # "element" is the name that Delta gives list items; any other would have to be renamed at each read.
    return pa.list_(pa.field("element", kind, nullable=False))

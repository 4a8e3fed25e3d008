"""What commands print for people: nothing that they may want to copy is cut, and no word is broken."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.measure import Measurement
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Collection

    from rich.console import ConsoleOptions, RenderResult
    from rich.table import Table

_NO_LIMIT = 10_000


def output() -> Console:
    """Give standard output: as wide as the terminal or COLUMNS says, and without either as wide as it takes.

    Tables go through `whole`, and are printed with ``crop=False``: what is wider than the terminal goes on
    in its next line.
    """
    is_limited = sys.stdout.isatty() or os.environ.get("COLUMNS")
    return Console(width=None if is_limited else _NO_LIMIT)


def whole(table: Table, *, title: str | Text | None = None, unbroken: Collection[str] = ()) -> Group:
    """Make the columns of a table wide enough for their words, however narrow the terminal is.

    Parameters
    ----------
    table : rich.table.Table
        Without a title: one of its own would be broken where it is wider than the table. It is changed.
    title : str or rich.text.Text, optional
    unbroken : collection of str
        Headings of columns whose cells stay in one line though they may have spaces, such as file names.

    Returns
    -------
    rich.console.Group
        Title and table.

    Examples
    --------
    >>> from rich.table import Table
    >>> table = Table("id", box=None, pad_edge=False)
    >>> table.add_row("documentary_underscore_heartfelt")
    >>> Console(width=20).print(whole(table, title="1 descriptor"), crop=False)
    1 descriptor
    id
    documentary_underscore_heartfelt
    """
    measuring = Console(width=_NO_LIMIT)
    for column in table.columns:
        cells = [
            Measurement.get(measuring, measuring.options, cell) for cell in (column.header, *column.cells)
        ]
        column.no_wrap = column.header in unbroken
        column.min_width = max(cell.maximum if column.no_wrap else cell.minimum for cell in cells)
    least = Measurement.get(measuring, measuring.options, table).minimum
    if title is None:
        return Group(_AtLeast(table, least))
    text = title if isinstance(title, Text) else Text(title)
    text.no_wrap, text.overflow = True, "ignore"
    return Group(text, _AtLeast(table, least))


@dataclass(frozen=True)
class _AtLeast:
    """A table that gets so much room, even of a terminal that has less."""

    table: Table
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(self.table, options.update_width(max(self.width, options.max_width)))


def counted(count: int, noun: str) -> str:
    """Say how many there are of something.

    Examples
    --------
    >>> counted(1, "mood"), counted(1_200, "descriptor")
    ('1 mood', '1,200 descriptors')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

"""Tables of the catalogue: lines of CSV to objects, and all that is wrong with them at once."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
    from pathlib import Path

Row = TypeVar("Row")

_WORD = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*")


def read_table(
    file: Path,
    parse: Callable[[Mapping[str, str]], Row],
    problems: list[str],
    *,
    unique: Callable[[Row], Iterable[tuple[str, Hashable]]] | None = None,
) -> Iterator[Row]:
    """Parse a table line by line.

    Parameters
    ----------
    file : Path
        CSV with a header and at least one line, in UTF-8.
    parse : callable
        Makes an object of a line, or raises `ValueError` with what is wrong with it.
    problems : list of str
        Takes what is wrong, with file and line.
    unique : callable, optional
        Says what no two objects may share: what it is, and its value.

    Yields
    ------
    object
        Of each line that is right.
    """
    n_lines = 0
    first_lines: dict[tuple[str, Hashable], int] = {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:  # spreadsheets begin UTF-8 with a mark
            rows = csv.DictReader(stream)
            for n_lines, row in enumerate(rows, 1):  # noqa: B007 -- how many there were is asked below
                place = f"{file.name}:{rows.line_num}"
                try:
                    parsed = parse(_whole(row))
                except KeyError as error:
                    problems.append(f"{file.name}:1: a column is missing: {error}")
                    break  # all lines lack it
                except ValueError as error:
                    problems.append(f"{place}: {error}")
                    continue
                for what, value in unique(parsed) if unique else ():
                    first = first_lines.setdefault((what, value), rows.line_num)
                    if first != rows.line_num:
                        problems.append(f"{place}: {what} {value} more than once, first on line {first}")
                yield parsed
    except UnicodeDecodeError:
        problems.append(f"{file}: not UTF-8")
    except (OSError, csv.Error) as error:
        problems.append(f"{file}: {getattr(error, 'strerror', None) or error}")
    else:
        if not n_lines:
            problems.append(f"{file.name}:1: no line follows the header")


def check_word(what: str, word: str) -> str:
    """Return a word as names of the catalogue are made of.

    Raises
    ------
    ValueError
        It holds anything but lower-case letters, digits and single _ between them.

    Examples
    --------
    >>> check_word("genre", "hip_hop")
    'hip_hop'
    """
    if not _WORD.fullmatch(word):
        raise ValueError(f"{what} must be of lower-case letters, digits and _, got {word!r}")
    return word


def _whole(row: Mapping[str | None, str | list[str] | None]) -> Mapping[str, str]:
    """Return a line that has as many cells as the header."""
    cells = {name: cell for name, cell in row.items() if name is not None and isinstance(cell, str)}
    if None in row:
        raise ValueError(f"{len(cells)} columns, but more cells")
    if missing := [name for name in row if name not in cells]:
        raise ValueError(f"a column is missing: {', '.join(map(str, missing))}")
    return cells

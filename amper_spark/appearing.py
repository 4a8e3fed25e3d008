"""Files that appear whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class WritingError(AmperSparkError):
    """A file that cannot be written."""


@contextmanager
def appearing(file: Path) -> Iterator[Path]:
    """Name a file beside another one, which takes its place when it has been written to the end.

    Parameters
    ----------
    file : Path
        What is to appear; what was there stays until then, and if writing fails.

    Yields
    ------
    Path
        To be written; in the same folder, with the same suffix. It is gone at the end.

    Examples
    --------
    >>> folder = getfixture("tmp_path")
    >>> with appearing(folder / "notes.txt") as passing:
    ...     _ = passing.write_text("do re mi")
    >>> [file.name for file in folder.iterdir()]
    ['notes.txt']
    """
    passing = file.with_name(f".{file.stem}.{uuid4().hex[:8]}{file.suffix}")
    try:
        yield passing
        passing.replace(file)
    finally:
        passing.unlink(missing_ok=True)


@contextmanager
def named_in_errors(file: Path) -> Iterator[None]:
    """Say which file it is that cannot be written, where writing it is all that is done.

    Parameters
    ----------
    file : Path

    Raises
    ------
    WritingError
        For each OSError: no folder, no permission, no room.
    """
    try:
        yield
    except OSError as error:
        raise WritingError(f"{file} cannot be written: {error.strerror or error}") from error

"""Files of the driver's that every executor needs, such as the weights of a network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark import SparkFiles

if TYPE_CHECKING:
    from pyspark import SparkContext


@cache
def hand_out(context: SparkContext, file: Path) -> str:
    """Have Spark bring a file to every executor, once however often this is called.

    Parameters
    ----------
    context : pyspark.SparkContext
    file : Path
        No other one that is handed out may have its name.

    Returns
    -------
    str
        For `handed_out`.
    """
    context.addFile(str(file))
    return file.name


def handed_out(name: str) -> Path:
    """Find on an executor what `hand_out` has brought; an absolute path stays as it is."""
    return Path(name) if Path(name).is_absolute() else Path(SparkFiles.get(name))

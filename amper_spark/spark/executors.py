"""Whether the executors of a cluster can do the work: asked before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.errors import PySparkException

import amper_spark
from amper_spark.errors import AmperSparkError
from amper_spark.spark.batch import explain
from amper_spark.spark.session import is_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession


def check_executors(spark: SparkSession) -> None:
    """Make sure that an executor can run what a stage needs.

    Does nothing where the executors are this very machine's.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession

    Raises
    ------
    AmperSparkError
        An executor's Python lacks the package or what it needs, or has another version of it or of Python.
    """
    if is_local(spark.sparkContext.master or ""):
        return
    try:
        (row,) = spark.range(1).mapInArrow(_version, "version string").collect()
    except PySparkException as error:
        raise AmperSparkError(
            f"the executors cannot run amper_spark: {explain(error)}\n"
            "Let PYSPARK_PYTHON (or spark.pyspark.python) name a Python on every node that has "
            "amper_spark[spark] installed, or send one along with --archives."
        ) from error
    if row.version != amper_spark.__version__:
        raise AmperSparkError(
            f"the executors have amper_spark {row.version}, this is {amper_spark.__version__}: "
            "install the same version everywhere"
        )


def _version(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    from amper_spark.spark import functions  # noqa: F401 - what the tasks of a stage import

    for _ in batches:
        yield pa.RecordBatch.from_pydict({"version": [amper_spark.__version__]})

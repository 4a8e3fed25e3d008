"""Pandas UDFs: analysis and labels for any Spark user on any DataFrame.

>>> from amper_spark.spark.functions import analyze_udf
>>> recordings.select("path", analyze_udf("path").alias("analysis"))  # doctest: +SKIP

`make_score_udf` makes one that labels windows.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Union, cast

import pandas as pd
import pyarrow as pa
from pyspark import SparkContext, TaskContext
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.pandas.types import from_arrow_schema

from amper_spark.config import Analysis, Config, Isolation
from amper_spark.config import Decoder as DecoderSettings
from amper_spark.decoder import Decoder
from amper_spark.errors import ParameterError
from amper_spark.spark.analysis_rows import analysis_row
from amper_spark.spark.label_rows import LABEL_SCHEMA, MOST_WINDOWS, flat_labels
from amper_spark.spark.schemas import ANALYSES
from amper_spark.spark.worker_model import bring_model, worker_model

if TYPE_CHECKING:
    from pyspark.sql import Column

    from amper_spark.spark.vocals import Vocals

RESULT_COLUMNS = (
    "outcome",
    "reason",
    "detail",
    "attempt",
    "duration_s",
    "provider",
    "windows",
    "segments",
    "beats",
)
"""Fields of the struct that `analyze_udf` returns: what a row of ``analyses`` says of the recording."""


def make_analyze_udf(
    analysis: Analysis | None = None,
    decoder: DecoderSettings | None = None,
    isolation: Isolation | None = None,
    vocals: Vocals | None = None,
) -> Callable[..., Column]:
    """Make an analysis UDF with a configuration of its own.

    Parameters
    ----------
    analysis : amper_spark.config.Analysis, optional
    decoder : amper_spark.config.Decoder, optional
    isolation : amper_spark.config.Isolation, optional
    vocals : amper_spark.spark.vocals.Vocals, optional
        How vocals are removed, where they are to be.

    Returns
    -------
    callable
        A pandas UDF: a path or ``file://`` URI in, or a struct with a field ``uri`` and, if a changed file
        is to be refused, ``etag``, if vocals are to be removed from some, a boolean ``separate``, and if
        their accompaniments are kept, ``track_id``; a struct with the fields `RESULT_COLUMNS` out. A bad
        recording, a null path too, gives ``outcome = 'quarantined'`` with a reason, never an exception. Each
        Python worker keeps one decoding process for all its recordings.
    """
    analysis = analysis or Config().analysis
    decoder = decoder or Config().decoder

    def analyze(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        context = TaskContext.get()
        attempt = context.attemptNumber() if context is not None else 0
        process = _worker_decoder(analysis, decoder)
        for batch in batches:
            # One by one: a batch of Spark's own choosing may hold thousands.
            for recording in _recordings(batch):
                if recording.separate and vocals is None:
                    raise ParameterError(f"{recording.uri}: vocals are to be removed, but vocals=None")
                row = analysis_row(
                    recording.uri,
                    etag=recording.etag,
                    decoder=process,
                    settings=analysis,
                    isolation=isolation,
                    attempt=attempt,
                    vocals=vocals if recording.separate else None,
                    stem=recording.stem,
                )
                yield pd.DataFrame([row], columns=list(RESULT_COLUMNS))

    # Spark tells an iterator UDF by its annotations, which must be types here, not text.
    analyze.__annotations__ = {"batches": Iterator[_INPUT], "return": Iterator[pd.DataFrame]}
    return _udf(analyze, pa.schema([ANALYSES.schema.field(name) for name in RESULT_COLUMNS]))


def make_score_udf(model: str | Path) -> Callable[..., Column]:
    """Make a UDF that labels windows, each by itself: the stage `score` hears those around it, too.

    Parameters
    ----------
    model : str or Path
        A folder with the files of a registered model, see `amper_spark.classify.registry.download`. It is
        brought to the executors, and loaded once by each Python worker.

    Returns
    -------
    callable
        A pandas UDF: a struct with `amper_spark.classify.windows.TABLE_COLUMNS` in, whatever else it holds;
        a struct with the fields of `amper_spark.spark.label_rows.LABEL_SCHEMA` out: ``free_genre``,
        ``free_genre_confidence`` and so on, ``joint_descriptor``, ``joint_genre`` ..., ``abstained``.

    See Also
    --------
    mlflow.pyfunc.spark_udf : Does the same with a signature of MLflow's; it needs the tracking server.

    Examples
    --------
    The windows of a lake, by the champion:

    >>> from pyspark.sql import functions as F
    >>> from amper_spark.classify.registry import download, resolve
    >>> from amper_spark.classify.store import Store
    >>> from amper_spark.spark.views import spark_view
    >>> store = Store.of_lake("lake")  # doctest: +SKIP
    >>> folder = download(store, resolve(store, None), Path("champion"))  # doctest: +SKIP
    >>> score_udf = make_score_udf(folder)  # doctest: +SKIP
    >>> windows = spark_view(spark, lake, "windows")  # doctest: +SKIP
    >>> labels = windows.select("key", "start_s", score_udf(F.struct("*")).alias("label"))  # doctest: +SKIP
    >>> labels.select("key", "start_s", "label.free_genre").show()  # doctest: +SKIP
    """
    place = bring_model(SparkContext.getOrCreate(), Path(model))

    def score(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for windows in _gathered(batches):
            yield flat_labels(worker_model(place), windows)

    score.__annotations__ = {"batches": Iterator[pd.DataFrame], "return": Iterator[pd.DataFrame]}
    return _udf(score, LABEL_SCHEMA)


def _udf(function: Callable[..., Iterator[pd.DataFrame]], result: pa.Schema) -> Callable[..., Column]:
    # pandas cannot say that a column holds no nulls; the lake checks it when it writes.
    fields = pa.schema([field.with_nullable(nullable=True) for field in result])
    make: Any = pandas_udf  # its annotations know no UDF that returns structs
    return cast("Callable[..., Column]", make(function, returnType=from_arrow_schema(fields)))


def _gathered(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Put batches together: a recording's analysis makes few rows a batch, and windows are small."""
    gathered: list[pd.DataFrame] = []
    rows = 0
    for batch in batches:
        gathered.append(batch)
        rows += len(batch)
        if rows >= MOST_WINDOWS:
            yield pd.concat(gathered)
            gathered, rows = [], 0
    if gathered:
        yield pd.concat(gathered)


_INPUT = Union[pd.Series, pd.DataFrame]  # noqa: UP007 - PySpark does not know the newer form


class _Recording(NamedTuple):
    uri: str | None
    etag: str | None = None
    separate: bool = False
    track_id: str | None = None

    @property
    def stem(self) -> str | None:
        """Name its accompaniment."""
        return None if self.track_id is None or self.etag is None else f"{self.track_id}-{self.etag}"


def _recordings(batch: pd.Series | pd.DataFrame) -> Iterator[_Recording]:
    if isinstance(batch, pd.Series):
        return (_Recording(uri) for uri in batch)
    if "uri" not in batch.columns:
        raise ParameterError(f"a struct must have a field 'uri', got {', '.join(batch.columns)}")
    known = [name for name in _Recording._fields if name in batch.columns]
    return (_Recording(**dict(zip(known, row, strict=True))) for row in batch[known].itertuples(index=False))


@cache
def _worker_decoder(analysis: Analysis, settings: DecoderSettings) -> Decoder:
    # One for the life of the worker: starting a process for every ten-second file would double its cost.
    decoder = Decoder(settings, analysis.limits)
    atexit.register(decoder.close)
    return decoder


analyze_udf = make_analyze_udf()
"""`make_analyze_udf` with the default configuration."""

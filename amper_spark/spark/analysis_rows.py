"""One recording in, one row out, whatever the recording is like: what the executors do for each of them.

Nothing here needs Spark: tests and other engines can call it with a plain path.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from amper_spark.analysis import PROVIDER, TrackAnalysis, analyse
from amper_spark.audio import Signal
from amper_spark.errors import AmperSparkError, BadRecordError, Reason
from amper_spark.grid import SAMPLE_RATE
from amper_spark.spark.isolation import run_isolated
from amper_spark.spark.schemas import DONE, QUARANTINED
from amper_spark.spark.sources import check_unchanged, local_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from amper_spark.config import Analysis
    from amper_spark.decoder import Decoder

log = logging.getLogger(__name__)

Row = dict[str, Any]

SLOWEST_ANALYSIS = 0.1
"""Seconds that a second of audio may take to analyse on its own: ten times what an idle machine needs."""


def analysis_row(
    uri: str, *, etag: str | None, decoder: Decoder, settings: Analysis, attempt: int = 0
) -> Row:
    """Decode and analyse one recording.

    Parameters
    ----------
    uri : str
        ``file://`` URI or path.
    etag : str or None
        What the listing saw; a file that has changed since is quarantined as vanished. None takes any.
    decoder : Decoder
        The worker's decoding process.
    settings : amper_spark.config.Analysis
    attempt : int
        0 for a task's first attempt. On later ones a recording may have killed the worker: each is then
        analysed in a process of its own, within a limit of time.

    Returns
    -------
    dict
        The fields of a row of ``analyses`` that are the recording's own.

    Raises
    ------
    OSError
        Trouble that is not the recording's fault, such as a permission or the network: worth a retry.
    """
    row: Row = {
        "outcome": DONE,
        "reason": None,
        "detail": None,
        "attempt": attempt,
        "duration_s": 0.0,
        "provider": PROVIDER,
        "windows": [],
        "segments": [],
        "beats": [],
    }
    try:
        check_unchanged(uri, etag)
        signal = decoder.decode(local_path(uri))
        row["duration_s"] = signal.duration_s
        analysis = _analysed(signal, settings, attempt=attempt, decoder_limit_s=decoder.timeout_s)
    except BadRecordError as error:
        return row | {"outcome": QUARANTINED, "reason": str(error.reason), "detail": error.detail}
    except MemoryError as error:
        detail = (
            f"the analysis ran out of memory: {error}" if str(error) else "the analysis ran out of memory"
        )
        return row | {"outcome": QUARANTINED, "reason": str(Reason.OUT_OF_MEMORY), "detail": detail}
    return row | analysis_lists(analysis)


def _analysed(signal: Signal, settings: Analysis, *, attempt: int, decoder_limit_s: float) -> TrackAnalysis:
    if attempt == 0:
        return analyse(signal, settings)
    _warm_up(settings)
    timeout_s = decoder_limit_s + signal.duration_s * SLOWEST_ANALYSIS
    try:
        return run_isolated(analyse, signal, settings, timeout_s=timeout_s)
    except (AmperSparkError, OSError, MemoryError):
        raise
    except Exception as error:
        # Twice the same recording, twice an error that nobody foresaw: it must not stop all the others.
        log.exception("the analysis failed")
        raise BadRecordError(Reason.ANALYSIS_CRASHED, f"{type(error).__name__}: {error}") from error


@cache
def _warm_up(settings: Analysis) -> None:
    # Some seconds of imports and compilation, which every isolated recording would pay for again. Noise that
    # comes and goes for 15 s has beats and sections, and so goes all the way.
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 15 * SAMPLE_RATE).astype(np.float32)
    samples[np.arange(samples.size) % (SAMPLE_RATE // 2) > SAMPLE_RATE // 8] *= np.float32(0.01)
    analyse(Signal(samples, source_rate=SAMPLE_RATE, source_channels=1), settings)


def analysis_lists(analysis: TrackAnalysis) -> Row:
    """Give an analysis as the nested lists of a row."""
    return {
        "duration_s": analysis.duration_s,
        "windows": _structs(analysis.windows),
        "segments": _structs(analysis.segments),
        "beats": analysis.beats_s.tolist(),
    }


def _structs(columns: Mapping[str, npt.NDArray[np.generic]]) -> list[Row]:
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in values]

"""One recording in, one row out, whatever the recording is like: what the executors do for each of them.

Nothing here needs Spark: tests and other engines can call it with a plain path.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from amper_spark.analysis import PROVIDER, TrackAnalysis, analyse_blocks
from amper_spark.config import Isolation
from amper_spark.errors import AmperSparkError, BadRecordError, ParameterError, Reason
from amper_spark.grid import SAMPLE_RATE
from amper_spark.spark.isolation import analysis_limit_s, run_isolated
from amper_spark.spark.schemas import DONE, QUARANTINED
from amper_spark.spark.sources import check_unchanged, local_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from amper_spark.audio import Samples
    from amper_spark.config import Analysis
    from amper_spark.decoder import Decoder
    from amper_spark.spark.vocals import Vocals

log = logging.getLogger(__name__)

Row = dict[str, Any]


def analysis_row(
    uri: str | None,
    *,
    etag: str | None,
    decoder: Decoder,
    settings: Analysis,
    isolation: Isolation | None = None,
    attempt: int = 0,
    vocals: Vocals | None = None,
    stem: str | None = None,
) -> Row:
    """Decode and analyse one recording, if so asked without its vocals.

    Parameters
    ----------
    uri : str or None
        ``file://`` URI or path; without one there is nothing to read.
    etag : str or None
        What the listing saw; a file that has changed since is quarantined as vanished. None takes any.
    decoder : Decoder
        The worker's decoding process.
    settings : amper_spark.config.Analysis
    isolation : amper_spark.config.Isolation, optional
        Limits of time and memory on later attempts.
    attempt : int
        0 for a task's first attempt. On later ones a recording may have killed the worker: each is then
        analysed in a process of its own, within these limits.
    vocals : Vocals, optional
        How they are removed; None leaves them in.
    stem : str, optional
        Name of its accompaniment among those that are kept.

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
        "provider": PROVIDER if vocals is None else vocals.provider,
        "windows": [],
        "segments": [],
        "beats": [],
    }
    try:
        path = _readable_path(uri)
        check_unchanged(path, etag)
        recording = _Recording(path, vocals, stem)
        if attempt:
            analysis = _analysed_alone(recording, decoder, settings, isolation or Isolation())
        else:
            analysis = analyse_blocks(recording.sound(decoder), settings)
    except BadRecordError as error:
        return row | {"outcome": QUARANTINED, "reason": str(error.reason), "detail": error.detail}
    except MemoryError as error:
        detail = (
            f"the analysis ran out of memory: {error}" if str(error) else "the analysis ran out of memory"
        )
        return row | {"outcome": QUARANTINED, "reason": str(Reason.OUT_OF_MEMORY), "detail": detail}
    return row | analysis_lists(analysis)


def _readable_path(uri: str | None) -> Path:
    if uri is None:
        raise BadRecordError(Reason.UNREADABLE, "there is no path")
    try:
        return local_path(uri)
    except ParameterError as error:
        raise BadRecordError(Reason.UNREADABLE, str(error)) from error


@dataclass(frozen=True)
class _Recording:
    path: Path
    vocals: Vocals | None
    stem: str | None

    def sound(self, decoder: Decoder) -> Iterator[Samples]:
        if self.vocals is None:
            return decoder.stream(self.path)
        return self.vocals.removed(self.path, decoder=decoder, name=self.stem)


def _analysed_alone(
    recording: _Recording, decoder: Decoder, settings: Analysis, isolation: Isolation
) -> TrackAnalysis:
    _warm_up(settings)
    # Decoded twice: how long the analysis may take depends on how long the recording is.
    duration_s = sum(block.size for block in decoder.stream(recording.path)) / SAMPLE_RATE
    without_vocals = recording.vocals is not None
    limit_s = analysis_limit_s(isolation, duration_s, without_vocals=without_vocals) + decoder.timeout_s
    try:
        return run_isolated(
            _decoded_and_analysed,
            recording,
            decoder,
            settings,
            timeout_s=limit_s,
            memory_mb=isolation.memory_mb,
        )
    except (BadRecordError, OSError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, AmperSparkError) and not isinstance(error, ParameterError):
            raise  # such as a decoder that cannot be started: no recording's fault
        # Twice the same recording, twice an error that nobody foresaw: it must not stop all the others.
        log.exception("the analysis failed")
        raise BadRecordError(Reason.ANALYSIS_CRASHED, f"{type(error).__name__}: {error}") from error


def _decoded_and_analysed(recording: _Recording, decoder: Decoder, settings: Analysis) -> TrackAnalysis:
    with decoder:  # after a fork it has a process of its own, which must not outlive this one
        return analyse_blocks(recording.sound(decoder), settings)


@cache
def _warm_up(settings: Analysis) -> None:
    # Seconds of imports and first calls, which every isolated recording would pay for again. Noise that comes
    # and goes has beats.
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 15 * SAMPLE_RATE).astype(np.float32)
    samples[np.arange(samples.size) % (SAMPLE_RATE // 2) > SAMPLE_RATE // 8] *= np.float32(0.01)
    analyse_blocks([samples], settings)


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

"""The official Spleeter package as an engine: slow, with memory for whole recordings, but the original."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import AmperSparkError, BadRecordError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from amper_spark.audio import Samples

PROGRAM = Path(__file__).with_name("official_program.py")
_BLOCK = 65_536
THREAD_VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
"""A Spark worker has one core: more threads would take the other workers'."""


def official_accompaniment(
    blocks: Iterable[Samples], *, python: str, mask_extension: str
) -> Iterator[Samples]:
    """Remove the vocals of a recording by the official package, in an interpreter of its own.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n, 2)], float32
        Its consecutive samples at 44,100 Hz.
    python : str
        An interpreter that has ``spleeter`` 2.4.2.
    mask_extension : str
        ``zeros`` or ``average``.

    Yields
    ------
    np.ndarray [shape=(n, 2)], float32

    Raises
    ------
    BadRecordError
        ``out_of_memory``, ``analysis_crashed``: a signal has ended it.
    AmperSparkError
        The interpreter is not there, or the package fails; with its last words.
    """
    with tempfile.TemporaryDirectory(prefix="amper-spleeter-") as scratch:
        source, to = Path(scratch) / "mixture.npy", Path(scratch) / "accompaniment.npy"
        np.save(source, np.concatenate([np.empty((0, 2), dtype=np.float32), *blocks]))
        try:
            done = subprocess.run(
                [python, PROGRAM, source, to, mask_extension],
                check=False,
                capture_output=True,
                text=True,
                env=os.environ | dict.fromkeys(THREAD_VARIABLES, "1"),
            )
        except OSError as error:
            raise AmperSparkError(f"separation.official_python: {python}: {error.strerror}") from error
        if done.returncode < 0:
            raise BadRecordError(
                Reason.OUT_OF_MEMORY if done.returncode == -signal.SIGKILL else Reason.ANALYSIS_CRASHED,
                f"the official spleeter package died of {signal.Signals(-done.returncode).name}",
            )
        if done.returncode != 0 or not to.exists():
            lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise AmperSparkError(f"the official spleeter package failed in {python}: {lines[-1]}")
        accompaniment = np.load(to, mmap_mode="r")
        for start in range(0, len(accompaniment), _BLOCK):
            yield np.array(accompaniment[start : start + _BLOCK])

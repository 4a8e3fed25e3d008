"""Other software on the same input: librosa in this process, Essentia by an interpreter of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import librosa
import numpy as np
import numpy.typing as npt
import soxr

from amper_spark.grid import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[1]
ESSENTIA_PYTHON = Path(os.environ.get("ESSENTIA_PYTHON", ROOT / ".venv-peers" / "bin" / "python"))
_ESSENTIA_RATE = 44_100
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Samples = npt.NDArray[np.float32]


def has_essentia() -> bool:
    """Tell whether `make peers` has been run."""
    return ESSENTIA_PYTHON.exists()


def essentia(task: str, windows: Sequence[Samples]) -> list[Any]:
    """Ask Essentia about signals of equal length.

    Parameters
    ----------
    task : str
        ``degara`` or ``percival`` (BPM), or ``key`` (such as ``F# minor``).
    windows : sequence of np.ndarray [shape=(n,)]
        At 22,050 Hz; Essentia gets them at the 44,100 Hz that its defaults are made for.
    """
    found: list[Any] = _ask(task=task, signals=_for_essentia(windows))
    return found


def essentia_costs(
    files: Mapping[str, Path], windows: Mapping[str, Sequence[Samples]], *, repeats: int
) -> dict[str, Any]:
    """Let Essentia measure itself.

    Parameters
    ----------
    files : mapping of str to Path
        Whole recordings, by track.
    windows : mapping of str to sequence of np.ndarray
        Windows of the same tracks, at 22,050 Hz, all of one length.
    repeats : int > 0

    Returns
    -------
    dict
        ``version``; and ``runs_s``: by step and track, the CPU time of each round in s.
    """
    answer: dict[str, Any] = _ask(
        task="costs",
        signals=_for_essentia([window for part in windows.values() for window in part]),
        owners=np.array([name for name, part in windows.items() for _ in part]),
        tracks=np.array(list(files)),
        files=np.array([str(file) for file in files.values()]),
        repeats=repeats,
    )
    return answer


def _for_essentia(windows: Sequence[Samples]) -> Samples:
    return np.stack([soxr.resample(window, SAMPLE_RATE, _ESSENTIA_RATE) for window in windows])


def _ask(**request: Any) -> Any:
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, **request)
        file.flush()
        script = Path(__file__).with_name("essentia_peer.py")
        answer = subprocess.run(
            [ESSENTIA_PYTHON, script, file.name],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | _ONE_THREAD,
        )
    return json.loads(answer.stdout.splitlines()[-1])


def librosa_tempo(windows: Sequence[Samples]) -> npt.NDArray[np.float64]:
    """Give each window to ``librosa.feature.tempo`` with its defaults."""
    return np.concatenate([librosa.feature.tempo(y=window, sr=SAMPLE_RATE) for window in windows])


def librosa_tonic(windows: Sequence[Samples]) -> npt.NDArray[np.int64]:
    """Take the strongest class of ``librosa.feature.chroma_cqt``, mean over a window: the study's rule."""
    chroma = [librosa.feature.chroma_cqt(y=window, sr=SAMPLE_RATE).mean(axis=1) for window in windows]
    return np.argmax(chroma, axis=1)

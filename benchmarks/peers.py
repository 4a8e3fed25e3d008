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
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
ESSENTIA_PYTHON = Path(os.environ.get("ESSENTIA_PYTHON", ROOT / ".venv-peers" / "bin" / "python"))
_ESSENTIA_RATE = 44_100

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
    signals = np.stack([soxr.resample(window, SAMPLE_RATE, _ESSENTIA_RATE) for window in windows])
    with tempfile.NamedTemporaryFile(suffix=".npz") as request:
        np.savez(request, task=task, signals=signals)
        request.flush()
        script = Path(__file__).with_name("essentia_peer.py")
        answer = subprocess.run(
            [ESSENTIA_PYTHON, script, request.name], check=True, capture_output=True, text=True
        )
    found: list[Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def librosa_tempo(windows: Sequence[Samples]) -> npt.NDArray[np.float64]:
    """Give each window to ``librosa.feature.tempo`` with its defaults."""
    return np.concatenate([librosa.feature.tempo(y=window, sr=SAMPLE_RATE) for window in windows])


def librosa_tonic(windows: Sequence[Samples]) -> npt.NDArray[np.int64]:
    """Take the strongest class of ``librosa.feature.chroma_cqt``, mean over a window: the study's rule."""
    chroma = [librosa.feature.chroma_cqt(y=window, sr=SAMPLE_RATE).mean(axis=1) for window in windows]
    return np.argmax(chroma, axis=1)

"""How often the tempo of a window is right on the reference recordings, beside librosa on the same windows.

Run by ``make accuracy``.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from amper_spark.analysis import analyse
from amper_spark.audio import decode
from amper_spark.grid import STRIDE_LENGTH, WINDOW_LENGTH, window_count
from benchmarks.peers import librosa_tempo

REFERENCE_TRACKS = Path(__file__).parents[1] / "data" / "reference-tracks"
TOLERANCE = 0.04
LEAST_SHARE = 0.90


def librosa_tempi(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Give each window to librosa."""
    starts = STRIDE_LENGTH * np.arange(window_count(samples.size))
    return librosa_tempo([samples[start : start + WINDOW_LENGTH] for start in starts])


def main() -> None:
    """Print the share of windows whose tempo is within 4 % of the truth."""
    table = Table("recording", "true BPM", "windows", "amper_spark", f"librosa {version('librosa')}")
    right: list[npt.NDArray[np.bool_]] = []
    for track in json.loads((REFERENCE_TRACKS / "tracks.json").read_text()):
        signal = decode(REFERENCE_TRACKS / track["file"])
        tempi = np.stack([analyse(signal).windows["tempo"], librosa_tempi(signal.samples)])
        right.append(np.abs(tempi / track["tempo_bpm"] - 1) <= TOLERANCE)
        shares = (f"{share:.3f}" for share in right[-1].mean(axis=1))
        table.add_row(track["file"], f"{track['tempo_bpm']:g}", str(tempi.shape[1]), *shares)
    ours, theirs = np.concatenate(right, axis=1).mean(axis=1)
    table.add_section()
    table.add_row("all", "", str(sum(part.shape[1] for part in right)), f"{ours:.3f}", f"{theirs:.3f}")
    Console().print(table)
    Console(highlight=False).print(f"RESULT tempo_within_4_percent={ours:.3f} librosa={theirs:.3f}")
    raise SystemExit(int(ours < LEAST_SHARE))


if __name__ == "__main__":
    main()

"""What the analysis costs against decoding: CPU time, one thread, medians, the reference recordings.

make bench
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from amper_spark.analysis import analyse
from amper_spark.audio import decode
from amper_spark.features.extraction import describe_frames
from amper_spark.features.percussive import percussive_energy
from amper_spark.spectra import constant_q_power, power_blocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from amper_spark.audio import Signal

REFERENCE_TRACKS = Path(__file__).parents[1] / "data" / "reference-tracks"
REPEATS = 5


def cpu_s(step: Callable[[], object]) -> float:
    """Median CPU time of a step over a few runs, after one that warms it up."""
    step()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    return statistics.median(times)


def steps(file: Path, signal: Signal) -> dict[str, Callable[[], object]]:
    """List what is measured for one recording."""
    mel_power = describe_frames(samples=signal.samples).mel_power
    return {
        "decode, mix, resample": lambda: decode(file),
        "bare STFT power": lambda: [np.sum(b.power) for b in power_blocks(samples=signal.samples)],
        "frames (13 features)": lambda: describe_frames(samples=signal.samples),
        "percussive ratio": lambda: percussive_energy(mel_power=mel_power),
        "constant-Q": lambda: constant_q_power(samples=signal.samples),
        "analysis, all of it": lambda: analyse(signal),
    }


def main() -> None:
    """Print a table of costs in ms of CPU per second of audio."""
    totals: dict[str, float] = {}
    audio_s = 0.0
    for file in sorted(REFERENCE_TRACKS.glob("*.ogg")):
        signal = decode(file)
        audio_s += signal.duration_s
        for name, step in steps(file, signal).items():
            totals[name] = totals.get(name, 0.0) + cpu_s(step)
    table = Table("step", "ms of CPU per s of audio", "x real time")
    for name, total_s in totals.items():
        table.add_row(name, f"{1000 * total_s / audio_s:.2f}", f"{audio_s / total_s:,.0f}")
    Console().print(table)
    ratio = totals["analysis, all of it"] / totals["decode, mix, resample"]
    Console(highlight=False).print(f"RESULT analysis_over_decode={ratio:.2f}")


if __name__ == "__main__":
    main()

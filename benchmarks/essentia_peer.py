"""Essentia's estimates and costs, by an interpreter of its own: it is AGPL, and no part of this project.

``.venv-peers/bin/python benchmarks/essentia_peer.py REQUEST.npz`` prints one line of JSON. The request holds
signals at 44,100 Hz, of equal length, as the rows of ``signals``, and in ``task`` what to find: ``degara``,
``percival`` or ``key``, a list as long as there are signals. The task ``costs`` measures these three, and as
``extractor`` MusicExtractor on whole ``files``: CPU time by step, track and round.
"""

import json
import sys
import time

import essentia
import numpy as np

essentia.log.infoActive = False
essentia.log.warningActive = False

from essentia import standard  # noqa: E402 - after the log is silenced

RATE = 44_100


def main(path: str) -> None:
    """Answer a request."""
    with np.load(path) as request:
        task, signals = str(request["task"]), request["signals"].astype(np.float32)
        if task == "costs":
            tracks = dict(zip(request["tracks"].tolist(), request["files"].tolist(), strict=True))
            windows = {name: signals[request["owners"] == name] for name in tracks}
            answer: object = {
                "version": essentia.__version__,
                "runs_s": costs(tracks, windows, int(request["repeats"])),
            }
        else:
            answer = [ESTIMATORS[task](signal) for signal in signals]
    sys.stdout.write(json.dumps(answer) + "\n")


def degara(signal: np.ndarray) -> float:
    """Tempo by RhythmExtractor2013 with its quick method."""
    return float(standard.RhythmExtractor2013(method="degara")(signal)[0])


def percival(signal: np.ndarray) -> float:
    """Tempo by PercivalBpmEstimator."""
    return float(standard.PercivalBpmEstimator(sampleRate=RATE)(signal))


def key(signal: np.ndarray) -> str:
    """Key by KeyExtractor, such as ``F# minor``."""
    name, scale, _ = standard.KeyExtractor(sampleRate=RATE)(signal)
    return f"{name} {scale}"


ESTIMATORS = {"degara": degara, "percival": percival, "key": key}
EXTRACTOR = "extractor"


def costs(
    files: dict[str, str], windows: dict[str, np.ndarray], repeats: int
) -> dict[str, dict[str, list[float]]]:
    """CPU time of each step by track, round after round, after one on the first track that is not counted."""
    runs_s: dict[str, dict[str, list[float]]] = {name: {} for name in (EXTRACTOR, *ESTIMATORS)}
    first = next(iter(files))
    measured_once(files[first], windows[first])
    for _ in range(repeats):
        for track, file in files.items():
            for name, run_s in measured_once(file, windows[track]).items():
                runs_s[name].setdefault(track, []).append(run_s)
    return runs_s


def measured_once(file: str, windows: np.ndarray) -> dict[str, float]:
    """CPU time of each step on a recording, in s."""
    steps = {EXTRACTOR: (standard.MusicExtractor(), [file])} | {
        name: (step, windows) for name, step in ESTIMATORS.items()
    }
    return {name: cpu_s(step, inputs) for name, (step, inputs) in steps.items()}


def cpu_s(step, inputs) -> float:  # type: ignore[no-untyped-def]  # whatever Essentia's algorithms take
    """CPU time of a step on each of some inputs, in s."""
    start_s = time.process_time()
    for one in inputs:
        step(one)
    return time.process_time() - start_s


if __name__ == "__main__":
    main(sys.argv[1])

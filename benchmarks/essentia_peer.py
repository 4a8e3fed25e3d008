"""Essentia's estimates, by an interpreter of its own: it is under the AGPL, and no part of this project.

``.venv-peers/bin/python benchmarks/essentia_peer.py REQUEST.npz`` prints a JSON list. The request holds
signals at 44,100 Hz, of equal length, as the rows of ``signals``, and in ``task`` what to find: ``degara``,
``percival`` or ``key``.
"""

import json
import sys

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
    sys.stdout.write(json.dumps([ESTIMATORS[task](signal) for signal in signals]) + "\n")


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

if __name__ == "__main__":
    main(sys.argv[1])

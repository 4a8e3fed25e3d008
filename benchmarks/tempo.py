"""How often the tempo is right: reference recordings and synthetic pieces, beside librosa and Essentia.

``python -m benchmarks.tempo [--seeds tuning|test] [--limit N]``, or ``make accuracy``.

Accuracy 1 is the share of windows within 4 % of the truth; accuracy 2 also takes twice, three times, half and
a third of it. Pieces in half time, to which one may well tap at either tempo, count in accuracy 2 only.
"Whole recording" is the tempo of the same windows, the octave decided by all of them together; "one tempo",
the single tempo of a recording. "Alternative right where wrong": of the windows whose tempo is wrong by
accuracy 1, the share whose alternative tempo is right.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.analysis import window_tempi
from amper_spark.audio import decode
from amper_spark.beats import tempo_curve
from amper_spark.config import Tempo
from amper_spark.grid import STRIDE_LENGTH, WINDOW_LENGTH, window_count
from amper_spark.octave import recording_tempo
from amper_spark.onsets import window_onset_rate
from amper_spark.recording import describe_recording
from benchmarks.peers import essentia, has_essentia, librosa_tempo
from benchmarks.results import Figure, figures_table, mean_figure, report_console
from tests.synthesis.pieces import TEST_SEEDS, TUNING_SEEDS, tempo_piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from amper_spark.audio import Signal

REFERENCE_TRACKS = Path(__file__).parents[1] / "data" / "reference-tracks"
TOLERANCE = 0.04
STRIDES_APART = 5
"""Peers hear every fifth window: those that do not overlap."""
ALTERNATIVE = "alternative right where wrong"
TARGETS = {
    ("reference", "accuracy 1"): 0.95,
    ("reference", "accuracy 2"): 0.99,
    ("synthetic", "accuracy 1"): 0.75,
    ("synthetic", "accuracy 2"): 0.97,
    ("synthetic", "accuracy 1, whole recording"): 0.85,
}

Tempi = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Recording:
    """A signal and the truth about its tempo."""

    signal: Signal
    tempo_bpm: float
    half_time: bool = False

    def windows(self) -> list[npt.NDArray[np.float32]]:
        """Windows that do not overlap."""
        samples = self.signal.samples
        starts = STRIDE_LENGTH * np.arange(0, window_count(samples.size), STRIDES_APART)
        return [samples[start : start + WINDOW_LENGTH] for start in starts]


class Ours(NamedTuple):
    """Tempo of every fifth window, alone, its alternative, and decided by all; and of the whole recording."""

    alone: Tempi
    alternative: Tempi
    curve: Tempi
    recording: Tempi


def our_tempi(signal: Signal) -> Ours:
    """Find the tempi that the analysis finds."""
    recording = describe_recording(blocks=[signal.samples])
    onset_rate = window_onset_rate(
        onset_strength=recording.onset_strength, n_windows=window_count(recording.n_samples)
    )
    estimate = window_tempi(recording, onset_rate, Tempo())
    one = recording_tempo(
        tempo_bpm=estimate.tempo_bpm,
        alternative_bpm=estimate.alternative_bpm,
        pulse_clarity=estimate.pulse_clarity,
    )
    return Ours(
        alone=estimate.tempo_bpm[::STRIDES_APART],
        alternative=estimate.alternative_bpm[::STRIDES_APART],
        curve=tempo_curve(score=estimate.score)[::STRIDES_APART],
        recording=np.array([one]),
    )


def accuracy_1(tempi: Tempi, truth_bpm: float) -> npt.NDArray[np.bool_]:
    """Tell which tempi are within 4 % of the truth."""
    return np.abs(tempi / truth_bpm - 1) <= TOLERANCE


def accuracy_2(tempi: Tempi, truth_bpm: float) -> npt.NDArray[np.bool_]:
    """Tell which tempi are within 4 % of the truth or of another metrical level."""
    return np.any([accuracy_1(tempi, truth_bpm * level) for level in (1, 2, 3, 1 / 2, 1 / 3)], axis=0)


def measure(recordings: Sequence[Recording]) -> dict[str, dict[str, Figure]]:
    """Compare all estimators on the same windows."""
    ours = [our_tempi(recording.signal) for recording in recordings]
    found: dict[str, list[Tempi]] = {"amper_spark": [tempi.alone for tempi in ours]}
    windows = [recording.windows() for recording in recordings]
    found["librosa 0.11 feature.tempo"] = [librosa_tempo(part) for part in windows]
    if has_essentia():
        peers: dict[str, str] = {
            "Essentia RhythmExtractor2013 (degara)": "degara",
            "Essentia PercivalBpmEstimator": "percival",
        }
        for name, task in peers.items():
            found[name] = [np.array(essentia(task, part)) for part in windows]
    rows = {name: _figures(recordings, tempi) for name, tempi in found.items()}
    rows["amper_spark"] |= {
        "accuracy 1, whole recording": _figure(
            recordings, [tempi.curve for tempi in ours], accuracy_1, also_half_time=False
        ),
        "accuracy 1, one tempo": _figure(
            recordings, [tempi.recording for tempi in ours], accuracy_1, also_half_time=False
        ),
    }
    if alternative := alternative_figure(recordings, ours):
        rows["amper_spark"][ALTERNATIVE] = alternative
    return rows


def alternative_figure(recordings: Sequence[Recording], ours: Sequence[Ours]) -> Figure | None:
    """Say how often the alternative is right where the tempo of a window is wrong; None if it never is."""
    judged = [
        accuracy_1(tempi.alternative[~accuracy_1(tempi.alone, recording.tempo_bpm)], recording.tempo_bpm)
        for recording, tempi in zip(recordings, ours, strict=True)
        if not recording.half_time
    ]
    wrong = [part for part in judged if part.size]
    return mean_figure(wrong) if wrong else None


def _figures(recordings: Sequence[Recording], tempi: Sequence[Tempi]) -> dict[str, Figure]:
    return {
        "accuracy 1": _figure(recordings, tempi, accuracy_1, also_half_time=False),
        "accuracy 2": _figure(recordings, tempi, accuracy_2, also_half_time=True),
    }


def _figure(
    recordings: Sequence[Recording],
    tempi: Sequence[Tempi],
    judge: Callable[[Tempi, float], npt.NDArray[np.bool_]],
    *,
    also_half_time: bool,
) -> Figure:
    return mean_figure(
        [
            judge(part, recording.tempo_bpm)
            for recording, part in zip(recordings, tempi, strict=True)
            if also_half_time or not recording.half_time
        ]
    )


def reference_recordings() -> list[Recording]:
    """Four recordings of rock, with the tempi that their composer gives."""
    tracks = json.loads((REFERENCE_TRACKS / "tracks.json").read_text())
    return [Recording(decode(REFERENCE_TRACKS / track["file"]), track["tempo_bpm"]) for track in tracks]


def synthetic_recordings(seeds: Iterable[int]) -> list[Recording]:
    """Pieces of 30 s by seed."""
    pieces = [tempo_piece(seed) for seed in seeds]
    return [Recording(piece.signal, piece.tempo_bpm, piece.half_time) for piece in pieces]


def main() -> None:
    """Print the tables, and fail where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", choices=["tuning", "test"], default="test")
    parser.add_argument("--limit", type=int, default=200, help="so many synthetic pieces")
    options = parser.parse_args()
    seeds = (TUNING_SEEDS if options.seeds == "tuning" else TEST_SEEDS)[: options.limit]
    sets = {"reference": reference_recordings(), "synthetic": synthetic_recordings(seeds)}
    console = report_console()
    figures: dict[tuple[str, str], Figure] = {}
    for name, recordings in sets.items():
        rows = measure(recordings)
        ours = rows["amper_spark"]
        figures |= {(name, column): figure for column, figure in ours.items()}
        what = f"seeds {seeds[0]}-{seeds[-1]}" if name == "synthetic" else "recordings of rock"
        n_items = ours["accuracy 2"].items
        title = f"tempo, {name}: {len(recordings)} {what}, {n_items} windows that do not overlap"
        console.print(figures_table(title, rows, counted=(ALTERNATIVE,)))
    missed = {key: figure for key, figure in figures.items() if figure.value < TARGETS.get(key, 0)}
    values = (
        f"{'_'.join(key).replace(', ', '_').replace(' ', '_')}={figure.value:.3f}"
        for key, figure in figures.items()
    )
    console.print("RESULT", *values, soft_wrap=True)
    raise SystemExit(int(bool(missed)))


if __name__ == "__main__":
    main()

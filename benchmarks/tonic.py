"""How often tonic and key are right on synthetic pieces, beside librosa and Essentia.

``python -m benchmarks.tonic [--seeds tuning|test] [--limit N]``, or ``make accuracy``.

*Exact* is the share of windows with the right tonic. *MIREX* also weighs the mode: a fifth above counts 0.5,
the relative key 0.3, the parallel key 0.2. The strongest class of librosa's chroma is the study's rule.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NamedTuple

import librosa
import mir_eval
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from amper_spark.chroma import bass_frames, scale_frames
from amper_spark.grid import STRIDE_LENGTH, WINDOW_LENGTH, window_count
from amper_spark.spectra import constant_q_power
from amper_spark.tonality import window_tonic
from benchmarks.peers import essentia, has_essentia, librosa_tonic
from benchmarks.results import Figure, figures_table, mean_figure, report_console
from tests.synthesis.pieces import TEST_SEEDS, TUNING_SEEDS, key_piece

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.synthesis.pieces import Piece

STRIDES_APART = 5
"""Every fifth window: those that do not overlap, two of a piece."""
PIECES_TOGETHER = 10
"""Essentia takes a second to start, and as much memory as the windows that it is given at once."""
MOST_ERROR_OF_THE_BEST_PEER = 0.5
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
OURS = "amper_spark"
ESSENTIA = "Essentia KeyExtractor"
LIBROSA = "librosa 0.11 chroma_cqt, strongest class"


class Judged(NamedTuple):
    """What an estimator scores on the windows of a piece; the chroma alone has no mode."""

    exact: npt.NDArray[np.bool_]
    mirex: npt.NDArray[np.float64] | None = None


def windows_of(piece: Piece) -> list[npt.NDArray[np.float32]]:
    """Cut out the windows that do not overlap."""
    samples = piece.signal.samples
    starts = STRIDE_LENGTH * np.arange(0, window_count(samples.size), STRIDES_APART)
    return [samples[start : start + WINDOW_LENGTH] for start in starts]


def our_keys(piece: Piece) -> list[str]:
    """Find the key of the same windows as the analysis finds it, from the whole piece."""
    samples = piece.signal.samples
    power = constant_q_power(samples=samples)
    found = window_tonic(
        scale=scale_frames(constant_q_power=power),
        bass=bass_frames(constant_q_power=power),
        n_windows=window_count(samples.size),
    )
    names = [f"{NOTES[tonic]} {mode}" for tonic, mode in zip(found.tonic, found.mode, strict=True)]
    return names[::STRIDES_APART]


def judged_keys(found: Sequence[str], piece: Piece) -> Judged:
    """Tell which tonics are right, and how near the keys are."""
    truth = f"{NOTES[piece.tonic]} {piece.mode}"
    return Judged(
        exact=np.array([librosa.note_to_midi(key.split()[0]) % 12 == piece.tonic for key in found]),
        mirex=np.array([mir_eval.key.weighted_score(truth, key) for key in found]),
    )


def judge(pieces: Sequence[Piece]) -> Iterator[tuple[str, Judged]]:
    """Judge all estimators on the same windows of some pieces."""
    windows = [windows_of(piece) for piece in pieces]
    for piece, part in zip(pieces, windows, strict=True):
        yield OURS, judged_keys(our_keys(piece), piece)
        yield LIBROSA, Judged(exact=librosa_tonic(part) == piece.tonic)
    if has_essentia():
        keys = iter(essentia("key", [window for part in windows for window in part]))
        for piece, part in zip(pieces, windows, strict=True):
            yield ESSENTIA, judged_keys([next(keys) for _ in part], piece)


def measure(seeds: Sequence[int]) -> dict[str, dict[str, Figure]]:
    """Compose pieces, a few at a time, and compare all estimators on them."""
    judged: dict[str, list[Judged]] = {}
    batches = [seeds[first : first + PIECES_TOGETHER] for first in range(0, len(seeds), PIECES_TOGETHER)]
    for batch in track(batches, description="tonic", console=Console(stderr=True)):
        for name, scores in judge([key_piece(seed) for seed in batch]):
            judged.setdefault(name, []).append(scores)
    return {name: _figures(scores) for name, scores in judged.items()}


def _figures(judged: Sequence[Judged]) -> dict[str, Figure]:
    figures = {"exact": mean_figure([scores.exact for scores in judged])}
    nearness = [scores.mirex for scores in judged if scores.mirex is not None]
    return figures | ({"MIREX": mean_figure(nearness)} if nearness else {})


def main() -> None:
    """Print the table, and fail where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", choices=["tuning", "test"], default="test")
    parser.add_argument("--limit", type=int, default=200, help="so many pieces")
    options = parser.parse_args()
    seeds = (TUNING_SEEDS if options.seeds == "tuning" else TEST_SEEDS)[: options.limit]
    rows = measure(seeds)
    ours = rows[OURS]["exact"]
    best = max(figures["exact"].value for name, figures in rows.items() if name != OURS)
    console = report_console()
    windows = f"{ours.items} windows that do not overlap"
    title = f"tonic, synthetic: {len(seeds)} pieces, seeds {seeds[0]}-{seeds[-1]}, {windows}"
    console.print(figures_table(title, rows))
    error_ratio = (1 - ours.value) / max(1 - best, 1e-9)
    console.print(f"RESULT tonic_exact={ours.value:.3f} best_peer={best:.3f} error_ratio={error_ratio:.2f}")
    raise SystemExit(int(error_ratio > MOST_ERROR_OF_THE_BEST_PEER))


if __name__ == "__main__":
    main()

"""How often tonic and key are right on synthetic pieces, beside librosa and Essentia.

``python -m benchmarks.tonic [--seeds tuning|test] [--limit N]``, or ``make accuracy``.

*Exact* is the share of windows with the right tonic. *MIREX* also weighs the mode: a fifth above counts 0.5,
the relative key 0.3, the parallel key 0.2. The strongest class of librosa's chroma is the study's rule.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import librosa
import mir_eval
import numpy as np
import numpy.typing as npt
from rich.console import Console

from amper_spark.analysis import analyse
from amper_spark.grid import STRIDE_LENGTH, WINDOW_LENGTH, window_count
from amper_spark.tonality import estimate_tonic
from benchmarks.peers import essentia, has_essentia, librosa_tonic
from benchmarks.results import Figure, figures_table, mean_figure
from tests.synthesis.pieces import TEST_SEEDS, TUNING_SEEDS, key_piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.synthesis.pieces import Piece

STRIDES_APART = 5
MOST_ERROR_OF_THE_BEST_PEER = 0.5
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def windows_of(piece: Piece) -> list[npt.NDArray[np.float32]]:
    """Cut out the windows that do not overlap."""
    samples = piece.signal.samples
    starts = STRIDE_LENGTH * np.arange(0, window_count(samples.size), STRIDES_APART)
    return [samples[start : start + WINDOW_LENGTH] for start in starts]


def our_keys(piece: Piece) -> list[str]:
    """Find the key of the same windows."""
    chroma = analyse(piece.signal).windows["chroma"][::STRIDES_APART]
    estimate = estimate_tonic(chroma=np.asarray(chroma, dtype=np.float64))
    return [f"{NOTES[tonic]} {mode}" for tonic, mode in zip(estimate.tonic, estimate.mode, strict=True)]


def exact(found: Sequence[str], piece: Piece) -> npt.NDArray[np.bool_]:
    """Tell which tonics are right."""
    return np.array([librosa.note_to_midi(key.split()[0]) % 12 == piece.tonic for key in found])


def mirex(found: Sequence[str], piece: Piece) -> npt.NDArray[np.float64]:
    """Score keys by how near they are."""
    truth = f"{NOTES[piece.tonic]} {piece.mode}"
    return np.array([mir_eval.key.weighted_score(truth, key) for key in found])


def measure(pieces: Sequence[Piece]) -> dict[str, dict[str, Figure]]:
    """Compare all estimators on the same windows."""
    windows = [windows_of(piece) for piece in pieces]
    found = {"amper_spark": [our_keys(piece) for piece in pieces]}
    if has_essentia():
        found["Essentia KeyExtractor"] = [essentia("key", part) for part in windows]
    rows = {
        name: {
            "exact": mean_figure([exact(part, piece) for part, piece in zip(keys, pieces, strict=True)]),
            "MIREX": mean_figure([mirex(part, piece) for part, piece in zip(keys, pieces, strict=True)]),
        }
        for name, keys in found.items()
    }
    strongest = [librosa_tonic(part) == piece.tonic for part, piece in zip(windows, pieces, strict=True)]
    return rows | {"librosa 0.11 chroma_cqt, strongest class": {"exact": mean_figure(strongest)}}


def main() -> None:
    """Print the table, and fail where the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", choices=["tuning", "test"], default="test")
    parser.add_argument("--limit", type=int, default=200, help="so many pieces")
    options = parser.parse_args()
    seeds = (TUNING_SEEDS if options.seeds == "tuning" else TEST_SEEDS)[: options.limit]
    rows = measure([key_piece(seed) for seed in seeds])
    ours = rows["amper_spark"]["exact"]
    best = max(figures["exact"].value for name, figures in rows.items() if name != "amper_spark")
    console = Console(highlight=False)
    windows = f"{ours.items} windows that do not overlap"
    title = f"tonic, synthetic: {len(seeds)} pieces, seeds {seeds[0]}-{seeds[-1]}, {windows}"
    console.print(figures_table(title, rows))
    error_ratio = (1 - ours.value) / max(1 - best, 1e-9)
    console.print(f"RESULT tonic_exact={ours.value:.3f} best_peer={best:.3f} error_ratio={error_ratio:.2f}")
    raise SystemExit(int(error_ratio > MOST_ERROR_OF_THE_BEST_PEER))


if __name__ == "__main__":
    main()

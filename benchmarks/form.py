"""How well the form of synthetic pieces is found, beside the published recipe, and what choosing k costs.

python -m benchmarks.form --seeds tuning|test
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NamedTuple

import mir_eval
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from amper_spark.analysis import TrackAnalysis, analyse, beat_units
from amper_spark.config import Structure
from amper_spark.grid import SAMPLE_RATE
from amper_spark.recording import describe_recording
from amper_spark.structure import Segmentation, candidates
from benchmarks.published_form import LEAST_MEAN_SEGMENT_S, choose_by_entropy, published_forms
from benchmarks.results import figures_table, mean_figure, report_console
from tests.synthesis.pieces import TEST_SEEDS, TUNING_SEEDS, Piece, form_piece

if TYPE_CHECKING:
    from amper_spark.audio import Signal

SEEDS = {"tuning": TUNING_SEEDS, "test": TEST_SEEDS}
MEASURES = ("boundary F, 0.5 s", "boundary F, 3 s", "pairwise F")
LEAST_GAIN = 0.10
"""In boundary F at 3 s, over the published recipe."""
OURS, PAPER = "amper_spark, k by silhouette", "published recipe, k by entropy"
PROGRAMME = "the same, entropy / log k"
TEXT = (
    "Synthetic pieces of ten forms. Mean over pieces, and its 95 % interval by bootstrap over pieces. "
    "Boundaries with mir_eval, trim=False: beginning and end count, and are found by all. The published "
    "recipe is the example of Laplacian segmentation in librosa's gallery; of k = 2 to 10 with segments of "
    f"at least {LEAST_MEAN_SEGMENT_S:g} s on average, the k of the highest entropy is taken, as in McFee and "
    "Ellis (2014). The oracle takes the k of the best pairwise F. MSAF's scluster is not compared: MSAF "
    "0.1.80 installs beside SciPy 1.17, but cannot be imported there (scipy.inf is gone)."
)


class Agreement(NamedTuple):
    """F-measures, as in `MEASURES`."""

    near: float
    wide: float
    pairwise: float


def agreement(piece: Piece, boundaries_s: npt.NDArray[np.floating], section: npt.ArrayLike) -> Agreement:
    """Compare segments with the truth; they are stretched to the whole piece."""
    duration_s = piece.signal.duration_s
    true_s, found_s = (
        np.concatenate([[0.0], np.asarray(edges)[1:-1], [duration_s]])
        for edges in (piece.boundaries_s, boundaries_s)
    )
    true, found = (np.column_stack([edges[:-1], edges[1:]]) for edges in (true_s, found_s))
    labels = [str(label) for label in np.asarray(section)]
    return Agreement(
        mir_eval.segment.detection(true, found, window=0.5, trim=False)[2],
        mir_eval.segment.detection(true, found, window=3.0, trim=False)[2],
        mir_eval.segment.pairwise(true, list(piece.sections), found, labels)[2],
    )


def our_candidates(signal: Signal, analysis: TrackAnalysis) -> list[Segmentation]:
    """Segment a recording into each number of sections, as the analysis does before it chooses."""
    recording = describe_recording(blocks=[signal.samples])
    return candidates(
        **beat_units(recording, analysis.beats_s)._asdict(),
        duration_s=recording.duration_s,
        **Structure().model_dump(),
    )


def entropy(form: Segmentation) -> float:
    """Entropy of the sections of a form, weighted by duration."""
    lasts_s = np.bincount(form.section, weights=np.diff(form.boundaries_s))
    share = lasts_s / lasts_s.sum()
    return float(-(share * np.log(share)).sum())


def measure(piece: Piece) -> dict[str, Agreement]:
    """Score a piece: ours with k by silhouette, entropy and oracle, and the published recipe."""
    analysis = analyse(piece.signal)
    columns = analysis.segments
    chosen = agreement(piece, np.append(columns["start_s"], columns["end_s"][-1]), columns["section"])
    forms = our_candidates(piece.signal, analysis)
    ours = [agreement(piece, form.boundaries_s, form.section) for form in forms]
    if columns["k"][0] > 1 and chosen not in ours:
        raise AssertionError("the analysis chose a form that is not among its candidates")
    allowed = [
        number
        for number, form in enumerate(forms)
        if np.diff(form.boundaries_s).mean() >= LEAST_MEAN_SEGMENT_S
    ]
    by_entropy = ours[max(allowed or [0], key=lambda number: entropy(forms[number]))] if ours else chosen
    published = published_forms(samples=piece.signal.samples, sample_rate=SAMPLE_RATE)
    theirs = {id(form): agreement(piece, form.boundaries_s, form.section) for form in published}
    return {
        OURS: chosen,
        "amper_spark, k by entropy": by_entropy,
        "amper_spark, k by oracle": max([*ours, chosen], key=lambda score: score.pairwise),
        PAPER: theirs[id(choose_by_entropy(published, normalised=False))],
        PROGRAMME: theirs[id(choose_by_entropy(published, normalised=True))],
        "published recipe, k by oracle": max(theirs.values(), key=lambda score: score.pairwise),
    }


def main() -> None:
    """Print a table; exit 1 where the recipe of the paper is not beaten by `LEAST_GAIN`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", choices=SEEDS, default="test")
    parser.add_argument("--limit", type=int, default=None, metavar="N", help="only the first N pieces")
    arguments = parser.parse_args()
    seeds = SEEDS[arguments.seeds][: arguments.limit]
    console = report_console()
    scores = [measure(form_piece(seed)) for seed in track(seeds, "measuring", console=Console(stderr=True))]
    rows = {
        name: {
            measure_: mean_figure([np.array([piece[name][column]]) for piece in scores])
            for column, measure_ in enumerate(MEASURES)
        }
        for name in scores[0]
    }
    console.print(figures_table(f"{len(seeds)} pieces of the {arguments.seeds} seeds", rows))
    console.print(TEXT, soft_wrap=True)
    wide = {name: figures[MEASURES[1]].value for name, figures in rows.items()}
    gain = wide[OURS] - wide[PAPER]
    console.print(
        f"RESULT form_boundary_f_3s={wide[OURS]:.3f} published={wide[PAPER]:.3f} gain={gain:.3f} "
        f"gain_over_entropy_by_log_k={wide[OURS] - wide[PROGRAMME]:.3f}",
        soft_wrap=True,
    )
    raise SystemExit(int(gain < LEAST_GAIN))


if __name__ == "__main__":
    main()

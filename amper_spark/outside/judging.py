"""What a model's labels of outside music are worth: one score, and three reasons to veto the model.

The score is the macro recall of genre. A recording counts by the share of its windows whose genre a listener
would accept. Recall of a genre is the mean of these shares over the recordings for which it is acceptable,
each weighted by one over the number of its acceptable genres; macro recall is the unweighted mean over
genres. Only genres count that are the sole acceptable one of some recordings: where another answer always is
as good, nothing is learnt of them.

Vetoes: pitched music that is called percussion; labels that change when a recording is re-encoded; labels
that hardly ever differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.intervals import Figure, mean_figure
from amper_spark.errors import ParameterError
from amper_spark.outside.recall import Weights, best_constant, recalls, weigh
from amper_spark.outside.tracks import ORIGINAL
from amper_spark.outside.variants import REFERENCE, VARIANTS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd

MAX_PERCUSSION_SHARE = 0.02
"""Largest share of pitched windows that may be called `PERCUSSION`."""
MIN_AGREEMENT = 0.9
"""Smallest share of windows of a re-encoded excerpt that must keep their genre."""
MIN_ENTROPY_SHARE = 0.5
"""Smallest entropy of the labels, as a share of that of the genre prior."""
PERCUSSION = "cinematic_percussion"
"""The style without pitched instruments."""
COMPARED = tuple(variant for variant in VARIANTS if variant != REFERENCE)
"""The variants that are compared with the unchanged excerpt."""


@dataclass(frozen=True)
class Judgement:
    """What a model is worth on outside music.

    Parameters
    ----------
    way : str
        ``free`` or ``joint``: which of its answers were judged.
    macro_recall : Figure
        Of genre, per window.
    recall : dict of str to Figure
        By genre.
    vote_macro_recall : float
        The same, with one answer a recording: the most frequent genre of its windows.
    constant : tuple of str and float
        The genre that would score best if it were always said, and its macro recall.
    percussion : Figure
        Share of pitched windows that are called `PERCUSSION`.
    agreement : dict of str to dict of str to Figure
        By variant and target: share of windows with the label that the unchanged excerpt has there.
    shares : dict of str to float
        How often each genre is said, recordings weighted as in the macro recall.
    entropy, prior_entropy : float
        Of these shares, and of the genres that the model has learnt from; in nats.
    vetoes : tuple of str
        Reasons not to trust the model; empty where there is none.
    """

    way: str
    macro_recall: Figure
    recall: dict[str, Figure]
    vote_macro_recall: float
    constant: tuple[str, float]
    percussion: Figure
    agreement: dict[str, dict[str, Figure]]
    shares: dict[str, float]
    entropy: float
    prior_entropy: float
    vetoes: tuple[str, ...]

    def to_dict(self) -> dict[str, float]:
        """Write it as metrics.

        Returns
        -------
        dict of str to float
            Names begin with ``outside/``, or ``outside joint/`` for the joint answers: MLflow's pages gather
            them under these headings.
        """
        metrics: dict[str, float] = {}

        def add(name: str, figure: Figure) -> None:
            metrics.update({name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high})

        add("macro_recall", self.macro_recall)
        add("percussion_share", self.percussion)
        for genre, figure in self.recall.items():
            add(f"recall_{genre}", figure)
        for variant, by_target in self.agreement.items():
            for target, figure in by_target.items():
                add(f"agreement_{variant}_{target}", figure)
        metrics |= {
            "vote_macro_recall": self.vote_macro_recall,
            "constant_macro_recall": self.constant[1],
            "entropy": self.entropy,
            "prior_entropy": self.prior_entropy,
            "n_windows": float(self.macro_recall.n_windows),
            "n_recordings": float(self.macro_recall.n_recordings),
            "n_vetoes": float(len(self.vetoes)),
        }
        heading = "outside" if self.way == "free" else f"outside {self.way}"
        return {f"{heading}/{name}": value for name, value in metrics.items()}


def judge(
    windows: pd.DataFrame,
    acceptable: Mapping[str, Collection[str]],
    *,
    prior: Mapping[str, float],
    way: str = "free",
    variants: Sequence[str] = COMPARED,
) -> Judgement:
    """Judge the labels of windows of outside music.

    Parameters
    ----------
    windows : pd.DataFrame
        A row a window. ``recording``: the name of the recording, which its variants share; ``variant``:
        ``original``, ``excerpt`` or one of ``variants``; ``window``: its number; ``pitched``: whether
        pitched instruments play; and the columns of `amper_spark.classify.model.Labels.to_frame`.
    acceptable : mapping of str to collection of str
        Genres by recording; recordings that it lacks are left out.
    prior : mapping of str to float
        Share of each genre among what the model has learnt from.
    way : str
        ``free`` or ``joint``.
    variants : sequence of str
        What is compared with the unchanged excerpts.

    Returns
    -------
    Judgement

    Raises
    ------
    ParameterError
        Something cannot be judged, for want of windows.
    """
    known = windows[windows["recording"].isin(list(acceptable))]
    originals = known[known["variant"] == ORIGINAL]
    genre = originals[f"{way}_genre"]
    weights = weigh(acceptable, set(originals["recording"]))
    is_right = np.array(
        [said in acceptable[of] for said, of in zip(genre, originals["recording"], strict=True)], dtype=float
    )
    votes = originals.groupby("recording")[f"{way}_genre"].agg(lambda said: said.mode()[0])
    macro_recall, recall = recalls(weights, originals["recording"].to_numpy(), is_right)
    percussion = _percussion(originals, way)
    agreement = {variant: _agreement(known, variant, way) for variant in variants}
    shares = _label_shares(weights, originals, way)
    entropies = entropy(list(shares.values())), entropy(list(prior.values()))
    return Judgement(
        way=way,
        macro_recall=macro_recall,
        recall=recall,
        vote_macro_recall=weights.macro(
            np.array([float(votes[name] in acceptable[name]) for name in weights.recordings])
        ),
        constant=best_constant(weights, acceptable),
        percussion=percussion,
        agreement=agreement,
        shares=shares,
        entropy=entropies[0],
        prior_entropy=entropies[1],
        vetoes=tuple(_vetoes(percussion, agreement, *entropies)),
    )


def entropy(shares: Sequence[float]) -> float:
    """Measure how much labels vary.

    Parameters
    ----------
    shares : sequence of float >= 0
        They need not add up to 1.

    Returns
    -------
    float
        In nats: -sum p ln p.

    Examples
    --------
    >>> entropy([1.0]), round(entropy([2, 2, 0]), 3)
    (0.0, 0.693)
    """
    present = np.array([share for share in shares if share > 0], dtype=np.float64)
    p = present / present.sum()
    return float(-(p * np.log(p)).sum()) + 0.0  # and not -0.0


def _percussion(originals: pd.DataFrame, way: str) -> Figure:
    pitched = originals[originals["pitched"].to_numpy(dtype=bool)]
    if not len(pitched):
        raise ParameterError("no window of outside music is known to be pitched")
    return mean_figure(_styles(pitched, way) == PERCUSSION, _codes(pitched))


def _agreement(windows: pd.DataFrame, variant: str, way: str) -> dict[str, Figure]:
    on = ["recording", "window"]
    pairs = windows[windows["variant"] == REFERENCE].merge(
        windows[windows["variant"] == variant], on=on, suffixes=("", "_again")
    )
    if not len(pairs):
        raise ParameterError(f"no window of the variant {variant!r} has its like in the unchanged excerpts")
    figures = {}
    for target in TARGETS:
        first, again = (
            _styles(pairs, way, suffix) if target == "subgenre" else pairs[f"{way}_{target}{suffix}"]
            for suffix in ("", "_again")
        )
        figures[target] = mean_figure(np.asarray(first) == np.asarray(again), _codes(pairs))
    return figures


def _styles(windows: pd.DataFrame, way: str, suffix: str = "") -> npt.NDArray[np.object_]:
    """Name a subgenre with its genre: minimal of cinematic is another than that of documentary."""
    styles = (
        windows[f"{way}_genre{suffix}"].astype(str) + "_" + windows[f"{way}_subgenre{suffix}"].astype(str)
    )
    return styles.to_numpy(dtype=object)


def _codes(windows: pd.DataFrame) -> npt.NDArray[np.int64]:
    return np.unique(windows["recording"].to_numpy(dtype=str), return_inverse=True)[1]


def _label_shares(weights: Weights, originals: pd.DataFrame, way: str) -> dict[str, float]:
    weight = dict(zip(weights.recordings, weights.of_recordings, strict=True))
    shares: dict[str, float] = {}
    for name, group in originals.groupby("recording"):
        for genre, share in group[f"{way}_genre"].value_counts(normalize=True).items():
            shares[str(genre)] = shares.get(str(genre), 0.0) + weight.get(str(name), 0.0) * float(share)
    return {genre: float(share) for genre, share in sorted(shares.items())}


def _vetoes(
    percussion: Figure, agreement: Mapping[str, Mapping[str, Figure]], said: float, prior: float
) -> list[str]:
    vetoes = []
    if percussion.value > MAX_PERCUSSION_SHARE:
        vetoes.append(
            f"{PERCUSSION} is said of {percussion.value:.1%} of pitched windows, "
            f"more than {MAX_PERCUSSION_SHARE:.0%}"
        )
    vetoes += [
        f"variant {variant}: {figures['genre'].value:.3f} of windows keep their genre, "
        f"fewer than {MIN_AGREEMENT}"
        for variant, figures in agreement.items()
        if figures["genre"].value < MIN_AGREEMENT
    ]
    if said < MIN_ENTROPY_SHARE * prior:
        vetoes.append(
            f"the entropy of genre labels is {said:.2f} nats, less than {MIN_ENTROPY_SHARE:g} of the prior's "
            f"{prior:.2f}"
        )
    return vetoes

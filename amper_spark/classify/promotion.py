"""Whether a challenger becomes champion: only if better by recording and on outside music, without a veto.

Accuracy by recording is measured on renders, which are not what people bring: in the study the model that won
there lost on real music. So neither of both figures decides alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.classify.intervals import Figure

ACCURACY_TAG = "accuracy_by_recording"
RECALL_TAG = "outside_macro_recall"
VETOES_TAG = "outside_vetoes"
NO_VETO = "none"
DATA_TAG = "data_key"
"""Tells apart what was learnt from and asked about, see `amper_spark.classify.training.Material.data_key`."""
DECIDING_TAGS = (
    "kind",
    ACCURACY_TAG,
    RECALL_TAG,
    VETOES_TAG,
    "promoted_at",
    "promoted_because",
    "replaces",
)
"""What a version says of itself that has to do with promotion."""
OUTSIDE_COMMAND = "amper-spark outside score"

_COMPARABLE = {"catalogue": "catalogues"}
_SAME_DATA = {DATA_TAG: "data", "analysis_version": "analysis versions", "composer": "composers"}


@dataclass(frozen=True)
class Standing:
    """What is known of a version that decides.

    Parameters
    ----------
    version : str
    kind : str
        ``knn``, ``mlp``.
    accuracy : float or None
        Unweighted mean over the six targets of the share of windows told right, in the split by recording,
        parents predicted too.
    interval : tuple of float or None
        Its 95 % interval, by bootstrap over recordings.
    n_recordings : int or None
        That it was measured on.
    outside : float or None
        Macro recall of the genre of outside music.
    vetoes : tuple of str
    tags : mapping of str to str
    """

    version: str
    kind: str
    accuracy: float | None
    interval: tuple[float, float] | None
    n_recordings: int | None
    outside: float | None
    vetoes: tuple[str, ...]
    tags: Mapping[str, str]

    @classmethod
    def of_tags(cls, version: str, tags: Mapping[str, str]) -> Standing:
        """Read it from the tags of a version."""
        low, high = _number(tags, f"{ACCURACY_TAG}_low"), _number(tags, f"{ACCURACY_TAG}_high")
        n_recordings = _number(tags, "n_recordings")
        said = tags.get(VETOES_TAG, "")
        return cls(
            version=version,
            kind=tags.get("kind", "?"),
            accuracy=_number(tags, ACCURACY_TAG),
            interval=None if low is None or high is None else (low, high),
            n_recordings=None if n_recordings is None else int(n_recordings),
            outside=_number(tags, RECALL_TAG),
            vetoes=() if said in ("", NO_VETO) else tuple(part.strip() for part in said.split(";")),
            tags=tags,
        )


@dataclass(frozen=True)
class Verdict:
    """What becomes of a challenger.

    Parameters
    ----------
    is_better : bool
    reasons : tuple of str
        Why not; a sentence each.
    remarks : tuple of str
        What makes the comparison less than exact.
    """

    is_better: bool
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]


def standing_tags(accuracy: Figure) -> dict[str, str]:
    """Write the accuracy that decides as tags of a version.

    Parameters
    ----------
    accuracy : Figure
        Mean over the six targets: `mean_figure` of the share of targets that are right in each window.

    Returns
    -------
    dict of str to str
    """
    return {
        ACCURACY_TAG: f"{accuracy.value:.6f}",
        f"{ACCURACY_TAG}_low": f"{accuracy.low:.6f}",
        f"{ACCURACY_TAG}_high": f"{accuracy.high:.6f}",
        "n_recordings": str(accuracy.n_recordings),
        "n_windows": str(accuracy.n_windows),
    }


def outside_tags(macro_recall: float, vetoes: Sequence[str]) -> dict[str, str]:
    """Write a score on outside music as tags of a version.

    Parameters
    ----------
    macro_recall : float
        0 to 1.
    vetoes : sequence of str
        What bars the model, in words; none is best.

    Raises
    ------
    ParameterError
        The recall is no share.

    Examples
    --------
    >>> outside_tags(0.41, ["cinematic_percussion in 4 % of pitched windows"])
    {'outside_macro_recall': '0.410000', 'outside_vetoes': 'cinematic_percussion in 4 % of pitched windows'}
    """
    if not (np.isfinite(macro_recall) and 0 <= macro_recall <= 1):
        raise ParameterError(f"macro_recall must lie between 0 and 1, got {macro_recall}")
    said = "; ".join(veto.replace(";", ",") for veto in vetoes)
    return {RECALL_TAG: f"{macro_recall:.6f}", VETOES_TAG: said or NO_VETO}


def judge(champion: Standing, challenger: Standing) -> Verdict:
    """Decide whether a challenger is better.

    Parameters
    ----------
    champion, challenger : Standing

    Returns
    -------
    Verdict

    Examples
    --------
    >>> old = {"accuracy_by_recording": "0.82", "outside_macro_recall": "0.35", "outside_vetoes": "none"}
    >>> new = {"accuracy_by_recording": "0.85", "outside_macro_recall": "0.31", "outside_vetoes": "none"}
    >>> verdict = judge(Standing.of_tags("1", old), Standing.of_tags("2", new))
    >>> verdict.is_better, verdict.reasons
    (False, ('On outside music it is not better: macro recall 0.310, version 1 has 0.350.',))
    """
    reasons = [
        *_worse_by_recording(champion, challenger),
        *_worse_outside(champion, challenger),
        *(
            f"The {what} differ, so the accuracies cannot be compared."
            for tag, what in _COMPARABLE.items()
            if champion.tags.get(tag) != challenger.tags.get(tag)
        ),
    ]
    differing = [
        what for tag, what in _SAME_DATA.items() if champion.tags.get(tag) != challenger.tags.get(tag)
    ]
    remarks = [f"They were trained and measured on different {' and '.join(differing)}."] if differing else []
    if not reasons and _overlaps(champion, challenger):
        remarks.append("The intervals of the accuracies overlap: the difference may be chance.")
    return Verdict(not reasons, tuple(reasons), tuple(remarks))


def _worse_by_recording(champion: Standing, challenger: Standing) -> list[str]:
    if champion.accuracy is None or challenger.accuracy is None:
        missing = [one.version for one in (champion, challenger) if one.accuracy is None]
        return [f"Version {' and '.join(missing)} has no accuracy by recording: train again."]
    if challenger.accuracy > champion.accuracy:
        return []
    return [
        f"By recording it is not better: accuracy {challenger.accuracy:.3f}, "
        f"version {champion.version} has {champion.accuracy:.3f}."
    ]


def _worse_outside(champion: Standing, challenger: Standing) -> list[str]:
    reasons = [f"Vetoed on outside music: {veto}." for veto in challenger.vetoes]
    if champion.outside is None or challenger.outside is None:
        missing = [one for one in (champion, challenger) if one.outside is None]
        commands = " and ".join(f"{OUTSIDE_COMMAND} --model {one.version}" for one in missing)
        named = " and ".join(one.version for one in missing)
        return [*reasons, f"Version {named} has no score on outside music: {commands} makes it."]
    if challenger.outside <= champion.outside:
        reasons.append(
            f"On outside music it is not better: macro recall {challenger.outside:.3f}, "
            f"version {champion.version} has {champion.outside:.3f}."
        )
    return reasons


def _overlaps(champion: Standing, challenger: Standing) -> bool:
    return bool(champion.interval and challenger.interval and challenger.interval[0] <= champion.interval[1])


def _number(tags: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(tags[name])
    except (KeyError, ValueError):
        return None
    return value if np.isfinite(value) else None

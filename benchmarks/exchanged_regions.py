"""Where a region of a timeline is heard: what changes in its render when the region is given another style.

The seed is the same, so nothing else changes but the gain of the limiter, which is taken out. The first
sample that differs is the first one of the region. Where two neighbours are alike, no change of the sound is
found without knowing where to look; this still tells where one ends and the other begins.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.playing import mix_passages
from amper_spark.render.engine.rendering import master
from amper_spark.timeline.parsing import parse_timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy.typing as npt

    from amper_spark.render.engine.fonts import Font

_RATE = 44_100
_AUDIBLE = 0.01  # of the region's peak: 40 dB below
_NEAR_S = 5.0
_STYLES = ("cinematic_percussion_primal_pulsing", "folk_acoustic_uplifting")


def heard_late_s(document: Mapping[str, Any], font: Font) -> list[float]:
    """Measure how much later than it should each region of a timeline begins to be heard.

    Parameters
    ----------
    document : mapping
        A timeline of several regions, each added in the first span, as `multi_region` writes it.
    font : Font

    Returns
    -------
    list of float
        In s, a number a region; below 0 is too early, infinite where nothing is heard.
    """
    first = _mastered(document, font)
    late_s = []
    for number, action in enumerate(document["spans"][0]["actions"]):
        second = _mastered(_exchanged(document, number), font)
        start = round(action["time"] * _RATE)
        near = slice(start, start + round(_NEAR_S * _RATE))
        difference = np.abs(first - second).max(axis=0)
        (differs,) = np.nonzero(difference > _AUDIBLE * np.abs(first[:, near]).max())
        late_s.append(float(differs[0] - start) / _RATE if len(differs) else float("inf"))
    return late_s


def _mastered(document: Mapping[str, Any], font: Font) -> npt.NDArray[np.float32]:
    """Render a timeline, and undo what the limiter did to all of it for what is loud somewhere."""
    score = compose(parse_timeline(document)).score
    mixes: Iterator[npt.NDArray[np.float32]] = mix_passages(score, font, channels=2)
    audio, treatment = master(mixes, score, channels=2, rate=_RATE)
    audible: npt.NDArray[np.float32] = np.maximum(treatment.gain, np.finfo(np.float32).tiny)
    return audio / audible


def _exchanged(document: Mapping[str, Any], number: int) -> dict[str, Any]:
    other = copy.deepcopy(dict(document))
    action = other["spans"][0]["actions"][number]
    region = action["add_region"]
    region["descriptor"] = next(style for style in _STYLES if style != region["descriptor"])
    del action["set_instruments"]
    return other

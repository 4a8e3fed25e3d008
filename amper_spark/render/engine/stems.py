"""The master, taken apart into its instruments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.render.engine.hits import play_hits
from amper_spark.render.engine.playing import mix_passage, mix_passages, play_parts
from amper_spark.render.engine.rendering import master, treat
from amper_spark.render.score import HIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from amper_spark.render.engine.fonts import Font
    from amper_spark.render.score import Passage, Score


def stem_names(score: Score) -> list[str]:
    """Name the stems of a score.

    Parameters
    ----------
    score : Score

    Returns
    -------
    list of str
        ``role-instrument``, in the order in which they first play; an instrument that plays in several
        passages has one stem. Then ``hit-name``, one for all hits of a name.
    """
    instruments = [(part.role, part.instrument) for passage in score.passages for part in passage.parts]
    hits = [(HIT, hit.name) for hit in score.hits]
    return [_stem_name(role, name) for role, name in dict.fromkeys([*instruments, *hits])]


def render_stems(
    score: Score, font: Font, *, channels: int = 2, rate: int = 44_100
) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Render each instrument of a score for itself, and hits by their names, as it is heard in the master.

    It has its room, and is equalised, compressed and limited as the whole is. The music is played twice,
    first for the whole. In memory there is one stem at a time.

    Parameters
    ----------
    score : Score
    font : Font
    channels, rate : int
        As in `rendering.render`.

    Yields
    ------
    name : str
        See `stem_names`.
    audio : np.ndarray [shape=(channels, sample)], float32
        As long as the master. All stems add up to the master within 1e-5 of full scale.

    Raises
    ------
    FontError
        The font lacks a sound.
    ParameterError
        The rate is not positive, or there are neither one nor two channels.
    """
    mixes = mix_passages(score, font, channels=channels)
    hits = play_hits(score.hits, font, channels=channels, rate=rate)
    _, treatment = master(mixes, score, hits=hits, channels=channels, rate=rate)
    for name in stem_names(score):
        alone = (_mix_alone(name, passage, font, channels) for passage in score.passages)
        of_name = [hit for hit in score.hits if _stem_name(HIT, hit.name) == name]
        struck = play_hits(of_name, font, channels=channels, rate=rate)
        yield name, treat(alone, treatment, score, hits=struck, channels=channels, rate=rate)


def _mix_alone(name: str, passage: Passage, font: Font, channels: int) -> npt.NDArray[np.float32] | None:
    parts = [part for part in passage.parts if _stem_name(part.role, part.instrument) == name]
    if not parts:
        return None
    return mix_passage(play_parts(parts, passage, font), parts, passage, channels=channels)


def _stem_name(role: str, name: str) -> str:
    return f"{role}-{name}"

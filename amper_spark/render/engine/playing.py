"""Play the parts of a passage, and mix them: what is mastered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.render.engine.mastering import resample
from amper_spark.render.engine.mixer import mix
from amper_spark.render.engine.synthesiser import play

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from amper_spark.render.engine.fonts import Font
    from amper_spark.render.score import Part, Passage, Score

SYNTHESIS_RATE = 39_690
"""Above 39,900 Hz the synthesiser filters each voice at 20 kHz, for a third more time and nothing to hear."""
_TAIL_S = 3.0  # after a cut the room rings on for so long, under what follows


def mix_passages(score: Score, font: Font, *, channels: int) -> Iterator[npt.NDArray[np.float32]]:
    """Play and mix one passage after the other.

    Parameters
    ----------
    score : Score
    font : Font
    channels : int
        1 or 2.

    Yields
    ------
    np.ndarray [shape=(channels, sample)], float32
        See `mix_passage`.
    """
    for passage in score.passages:
        yield mix_passage(play_parts(passage.parts, passage, font), passage.parts, passage, channels=channels)


def play_parts(parts: Sequence[Part], passage: Passage, font: Font) -> Iterator[npt.NDArray[np.float32]]:
    """Play parts of a passage, one after the other.

    Parameters
    ----------
    parts : sequence of Part
    passage : Passage
    font : Font

    Yields
    ------
    np.ndarray [shape=(sample,)], float32
        One for each part, at `SYNTHESIS_RATE`.

    Raises
    ------
    FontError
        The font lacks a sound.
    """
    for part in parts:
        yield play(
            font,
            part,
            n_samples=round(passage.duration_s * SYNTHESIS_RATE),
            rate=SYNTHESIS_RATE,
            tuning_cents=passage.production.tuning_cents,
        )


def mix_passage(
    played: Iterable[npt.NDArray[np.float32]], parts: Sequence[Part], passage: Passage, *, channels: int
) -> npt.NDArray[np.float32]:
    """Mix parts of a passage; one that is cut has a tail, in which only its room is heard.

    Parameters
    ----------
    played : iterable of np.ndarray [shape=(sample,)], float32
        From `play_parts`.
    parts : sequence of Part
    passage : Passage
    channels : int
        1 or 2.

    Returns
    -------
    np.ndarray [shape=(channels, sample)], float32
        At `SYNTHESIS_RATE`.

    Raises
    ------
    ParameterError
        There are neither one nor two channels.
    """
    tail_s = _TAIL_S if passage.is_cut else 0.0
    return mix(
        played,
        parts,
        passage.production,
        n_samples=round(passage.duration_s * SYNTHESIS_RATE) + round(tail_s * SYNTHESIS_RATE),
        rate=SYNTHESIS_RATE,
        channels=channels,
        cut_s=passage.duration_s if passage.is_cut else None,
    )


def at_rate(mixed: npt.NDArray[np.float32], *, rate: int) -> npt.NDArray[np.float32]:
    """Bring a mix to the rate of the audio.

    Parameters
    ----------
    mixed : np.ndarray [shape=(channels, sample)], float32
        At `SYNTHESIS_RATE`.
    rate : int
        In Hz.

    Returns
    -------
    np.ndarray [shape=(channels, sample)], float32
    """
    return mixed if rate == SYNTHESIS_RATE else resample(mixed, rate=SYNTHESIS_RATE, to_rate=rate)

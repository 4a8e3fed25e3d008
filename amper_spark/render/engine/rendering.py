"""From a score to mastered audio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import ParameterError
from amper_spark.render.engine.mastering import end, finish, resample, shape
from amper_spark.render.engine.mixer import mix
from amper_spark.render.engine.synthesiser import play

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from amper_spark.render.engine.fonts import Font
    from amper_spark.render.score import Passage, Score

SYNTHESIS_RATE = 39_690
"""Above 39,900 Hz the synthesiser filters each voice at 20 kHz, for a third more time and nothing to hear."""
_TAIL_S = 3.0  # after a cut the room rings on for so long, under what follows


def render(score: Score, font: Font, *, channels: int = 2, rate: int = 44_100) -> npt.NDArray[np.float32]:
    """Play, mix and master a score.

    Parameters
    ----------
    score : Score
    font : Font
    channels : int
        2: left and right. 1: the mean of what left and right are before the dynamics.
    rate : int
        Of the audio, in Hz.

    Returns
    -------
    np.ndarray [shape=(channels, sample)], float32
        ``score.duration_s`` long to the sample; true peaks at most -1 dB.

    Raises
    ------
    FontError
        The font lacks a sound.
    ParameterError
        The rate is not positive, or there are neither one nor two channels.
    """
    mixes = (
        mix_passage(play_passage(passage, font), passage, channels=channels) for passage in score.passages
    )
    return master(mixes, score, channels=channels, rate=rate)


def play_passage(passage: Passage, font: Font) -> list[npt.NDArray[np.float32]]:
    """Play the parts of a passage.

    Parameters
    ----------
    passage : Passage
    font : Font

    Returns
    -------
    list of np.ndarray [shape=(sample,)], float32
        One for each part, at `SYNTHESIS_RATE`.

    Raises
    ------
    FontError
        The font lacks a sound.
    """
    return [
        play(
            font,
            part,
            n_samples=round(passage.duration_s * SYNTHESIS_RATE),
            rate=SYNTHESIS_RATE,
            tuning_cents=passage.production.tuning_cents,
        )
        for part in passage.parts
    ]


def mix_passage(
    stems: Sequence[npt.NDArray[np.float32]], passage: Passage, *, channels: int
) -> npt.NDArray[np.float32]:
    """Mix the parts of a passage; one that is cut has a tail, in which only its room is heard.

    Parameters
    ----------
    stems : sequence of np.ndarray [shape=(sample,)], float32
        From `play_passage`.
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
        stems,
        passage.parts,
        passage.production,
        n_samples=round(passage.duration_s * SYNTHESIS_RATE) + round(tail_s * SYNTHESIS_RATE),
        rate=SYNTHESIS_RATE,
        channels=channels,
        cut_s=passage.duration_s if passage.is_cut else None,
    )


def master(
    mixes: Iterable[npt.NDArray[np.float32]], score: Score, *, channels: int, rate: int
) -> npt.NDArray[np.float32]:
    """Shape the mixes of all passages, put them together, and finish the whole.

    Parameters
    ----------
    mixes : iterable of np.ndarray [shape=(channels, sample)], float32
        One for each passage of the score, at `SYNTHESIS_RATE`; taken one at a time.
    score : Score
    channels, rate : int
        Of the audio.

    Returns
    -------
    np.ndarray [shape=(channels, sample)], float32

    Raises
    ------
    ParameterError
        The rate is not positive.
    """
    if rate < 1:
        raise ParameterError(f"rate must be positive, got {rate}")
    total = np.zeros((channels, round(score.duration_s * rate)), dtype=np.float32)
    for passage, mixed in zip(score.passages, mixes, strict=True):
        _add(total, _shaped(mixed, passage, rate=rate), at=round(passage.start_s * rate))
    end(total, is_cut=True, rate=rate)
    return finish(total, rate=rate)[0]


def _shaped(mixed: npt.NDArray[np.float32], passage: Passage, *, rate: int) -> npt.NDArray[np.float32]:
    if rate != SYNTHESIS_RATE:
        mixed = resample(mixed, rate=SYNTHESIS_RATE, to_rate=rate)
    shaped, _ = shape(mixed, passage.production, rate=rate)
    if not passage.is_cut:
        end(shaped, is_cut=False, rate=rate)
    return shaped


def _add(total: npt.NDArray[np.float32], audio: npt.NDArray[np.float32], *, at: int) -> None:
    """Add a passage where it starts; what is beyond the end of the whole is left out."""
    n_samples = min(audio.shape[1], total.shape[1] - at)
    total[:, at : at + n_samples] += audio[:, :n_samples]

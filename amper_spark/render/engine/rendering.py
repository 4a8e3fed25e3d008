"""From a score to mastered audio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import ParameterError
from amper_spark.render.engine.mastering import Shaping, end, finish, resample, shape
from amper_spark.render.engine.mixer import mix
from amper_spark.render.engine.synthesiser import play

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from amper_spark.render.engine.fonts import Font
    from amper_spark.render.score import Part, Passage, Score

SYNTHESIS_RATE = 39_690
"""Above 39,900 Hz the synthesiser filters each voice at 20 kHz, for a third more time and nothing to hear."""
_TAIL_S = 3.0  # after a cut the room rings on for so long, under what follows


@dataclass(frozen=True, eq=False)
class Treatment:
    """What mastering did to the mixes of a score.

    Parameters
    ----------
    shapings : tuple of Shaping
        Of each passage.
    gain : np.ndarray [shape=(sample,)], float32
        Of the whole.
    """

    shapings: tuple[Shaping, ...]
    gain: npt.NDArray[np.float32]


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
    return master(mix_passages(score, font, channels=channels), score, channels=channels, rate=rate)[0]


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


def master(
    mixes: Iterable[npt.NDArray[np.float32]], score: Score, *, channels: int, rate: int
) -> tuple[npt.NDArray[np.float32], Treatment]:
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
    audio : np.ndarray [shape=(channels, sample)], float32
    treatment : Treatment
        For whatever is to be treated the same way: see `treat`.

    Raises
    ------
    ParameterError
        The rate is not positive.
    """
    if rate < 1:
        raise ParameterError(f"rate must be positive, got {rate}")
    total = _silence(score, channels=channels, rate=rate)
    shapings = []
    # By map, which keeps no mix while the next step is at work: they are large.
    for passage, mixed in zip(score.passages, map(partial(_resampled, rate), mixes), strict=True):
        shaped, shaping = shape(mixed, passage.production, rate=rate)
        _add(total, shaped, passage, rate=rate)
        shapings.append(shaping)
        del mixed, shaped
    end(total, is_cut=True, rate=rate)
    audio, gain = finish(total, rate=rate)
    return audio, Treatment(tuple(shapings), gain)


def treat(
    mixes: Iterable[npt.NDArray[np.float32] | None],
    treatment: Treatment,
    score: Score,
    *,
    channels: int,
    rate: int,
) -> npt.NDArray[np.float32]:
    """Treat some of the parts of each passage as mastering treated all of them.

    Parameters
    ----------
    mixes : iterable of (np.ndarray [shape=(channels, sample)], float32) or None
        From `mix_passage`, one for each passage of the score; None where none of the parts plays.
    treatment : Treatment
        From `master`.
    score : Score
    channels, rate : int
        As they were mastered.

    Returns
    -------
    np.ndarray [shape=(channels, sample)], float32
        What the parts add to the master.
    """
    total = _silence(score, channels=channels, rate=rate)
    for passage, mixed, shaping in zip(score.passages, mixes, treatment.shapings, strict=True):
        if mixed is not None:
            _add(total, shaping.apply(_resampled(rate, mixed)), passage, rate=rate)
    end(total, is_cut=True, rate=rate)
    total *= treatment.gain
    return total


def _silence(score: Score, *, channels: int, rate: int) -> npt.NDArray[np.float32]:
    return np.zeros((channels, round(score.duration_s * rate)), dtype=np.float32)


def _resampled(rate: int, mixed: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return mixed if rate == SYNTHESIS_RATE else resample(mixed, rate=SYNTHESIS_RATE, to_rate=rate)


def _add(
    total: npt.NDArray[np.float32], audio: npt.NDArray[np.float32], passage: Passage, *, rate: int
) -> None:
    """Add a passage where it starts, faded if it rings out; what is beyond the whole is left out."""
    if not passage.is_cut:
        end(audio, is_cut=False, rate=rate)
    at = round(passage.start_s * rate)
    n_samples = min(audio.shape[1], total.shape[1] - at)
    total[:, at : at + n_samples] += audio[:, :n_samples]

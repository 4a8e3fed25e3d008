"""From a score to mastered audio."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import ParameterError
from amper_spark.render.engine.hits import PlayedHit, play_hits
from amper_spark.render.engine.mastering import Shaping, end, finish, shape
from amper_spark.render.engine.playing import at_rate, mix_passages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt

    from amper_spark.render.engine.fonts import Font
    from amper_spark.render.score import Passage, Score


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


def render(
    score: Score,
    font: Font,
    *,
    channels: int = 2,
    rate: int = 44_100,
    progress: Callable[[float], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Play, mix and master a score.

    Parameters
    ----------
    score : Score
    font : Font
    channels : int
        2: left and right. 1: the mean of what left and right are before the dynamics.
    rate : int
        Of the audio, in Hz.
    progress : callable, optional
        Called after each passage with the share of all that is mixed by then, up to 1; mastering comes after
        it, about a fifth of the work. What it raises ends the rendering.

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
    mixes: Iterator[npt.NDArray[np.float32]] = mix_passages(score, font, channels=channels)
    if progress is not None:
        mixes = _counted(mixes, score, progress)
    hits = play_hits(score.hits, font, channels=channels, rate=rate)
    return master(mixes, score, hits=hits, channels=channels, rate=rate)[0]


def master(
    mixes: Iterable[npt.NDArray[np.float32]],
    score: Score,
    *,
    hits: Iterable[PlayedHit] = (),
    channels: int,
    rate: int,
) -> tuple[npt.NDArray[np.float32], Treatment]:
    """Shape the mixes of all passages, put them and the hits together, and finish the whole.

    Parameters
    ----------
    mixes : iterable of np.ndarray [shape=(channels, sample)], float32
        One for each passage of the score, from `playing.mix_passages`; taken one at a time.
    score : Score
    hits : iterable of PlayedHit
        From `hits.play_hits`; taken one at a time.
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
    for passage, mixed in zip(score.passages, map(partial(at_rate, rate=rate), mixes), strict=True):
        shaped, shaping = shape(mixed, passage.production, rate=rate)
        _add(total, shaped, passage, rate=rate)
        shapings.append(shaping)
        del mixed, shaped
    _add_hits(total, hits)
    end(total, is_cut=True, rate=rate)
    audio, gain = finish(total, rate=rate)
    return audio, Treatment(tuple(shapings), gain)


def treat(
    mixes: Iterable[npt.NDArray[np.float32] | None],
    treatment: Treatment,
    score: Score,
    *,
    hits: Iterable[PlayedHit] = (),
    channels: int,
    rate: int,
) -> npt.NDArray[np.float32]:
    """Treat some of the parts of each passage, and some of the hits, as mastering treated all of them.

    Parameters
    ----------
    mixes : iterable of (np.ndarray [shape=(channels, sample)], float32) or None
        From `playing.mix_passage`, one for each passage of the score; None where none of the parts plays.
    treatment : Treatment
        From `master`.
    score : Score
    hits : iterable of PlayedHit
        From `hits.play_hits`.
    channels, rate : int
        As they were mastered.

    Returns
    -------
    np.ndarray [shape=(channels, sample)], float32
        What they add to the master.
    """
    total = _silence(score, channels=channels, rate=rate)
    for passage, mixed, shaping in zip(score.passages, mixes, treatment.shapings, strict=True):
        if mixed is not None:
            _add(total, shaping.apply(at_rate(mixed, rate=rate)), passage, rate=rate)
    _add_hits(total, hits)
    end(total, is_cut=True, rate=rate)
    total *= treatment.gain
    return total


def _counted(
    mixes: Iterator[npt.NDArray[np.float32]], score: Score, progress: Callable[[float], None]
) -> Iterator[npt.NDArray[np.float32]]:
    ends = iter(np.cumsum([passage.duration_s for passage in score.passages]))
    whole_s = sum(passage.duration_s for passage in score.passages)

    def count(mixed: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        progress(next(ends) / whole_s)
        return mixed

    return map(count, mixes)  # map, again, keeps no mix


def _silence(score: Score, *, channels: int, rate: int) -> npt.NDArray[np.float32]:
    return np.zeros((channels, round(score.duration_s * rate)), dtype=np.float32)


def _add(
    total: npt.NDArray[np.float32], audio: npt.NDArray[np.float32], passage: Passage, *, rate: int
) -> None:
    """Add a passage where it starts, faded if it rings out; what is beyond the whole is left out."""
    if not passage.is_cut:
        end(audio, is_cut=False, rate=rate)
    at = round(passage.start_s * rate)
    n_samples = min(audio.shape[1], total.shape[1] - at)
    total[:, at : at + n_samples] += audio[:, :n_samples]


def _add_hits(total: npt.NDArray[np.float32], hits: Iterable[PlayedHit]) -> None:
    """Add hits where they begin; what is before the whole or beyond it is left out."""
    for hit in hits:
        first, last = max(hit.at, 0), min(hit.at + hit.audio.shape[1], total.shape[1])
        if first < last:
            total[:, first:last] += hit.audio[:, first - hit.at : last - hit.at] * np.float32(hit.gain)

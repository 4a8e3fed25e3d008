"""Which tempo most windows have: a circular histogram, in which a tempo and its double are one.

Tempi are folded into one octave, from 64 to 128 BPM, and counted in bins of 2 %, a new one every 1 %: so
there is always a bin that no edge of which parts what belongs together. What a bin stands for is the median
of the tempi in it. Whether that is meant, or its double, or its half, the whole recording decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError
from amper_spark.rhythm import TEMPO_MAX_BPM, TEMPO_MIN_BPM

BASE_BPM = 64.0
"""Where the octave begins that tempi are folded into."""
STEPS = 70
"""Steps of an octave: 1 % each; a bin is two of them."""
OCTAVES = (-2, -1, 0, 1, 2)
"""How far tempi from 30 to 300 BPM are from the octave that they are folded into."""
TEMPO_VOTES, ALTERNATIVE_VOTES = 2, 1
"""What a window's tempo counts in the whole recording, and what its alternative."""

MOST_TEMPI = 12
"""So many tempi of a recording are ranked: the others have next to no votes."""

_MILLIONTHS = 1e6
_NEAR = (-1, 0, 1, 2)  # the steps of a bin, and one more to either side: 4 %

Tempi = npt.NDArray[Any]


@dataclass(frozen=True)
class TempoClass:
    """A tempo, whatever its octave, and the windows that have it.

    Parameters
    ----------
    step : int
        The first of the two steps of its bin, 0 to 69.
    tempo_bpm : float
        Median of the windows' tempi, folded into the octave that begins with the bin: 64 to 130.
    votes : int
        How many windows.
    """

    step: int
    tempo_bpm: float
    votes: int

    @property
    def folded_bpm(self) -> float:
        """The tempo in the octave from 64 to 128 BPM."""
        return self.tempo_bpm / 2 if self.tempo_bpm >= 2 * BASE_BPM else self.tempo_bpm


def fold(tempo_bpm: Tempi) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Fold tempi into one octave.

    Parameters
    ----------
    tempo_bpm : np.ndarray [shape=(window,), 30 to 300]

    Returns
    -------
    folded_bpm : np.ndarray [shape=(window,), 64 <= folded_bpm < 128]
        Exact: nothing is rounded where a number is doubled or halved.
    octave : np.ndarray [shape=(window,), dtype=int]
        ``tempo_bpm = folded_bpm 2^octave``.

    Raises
    ------
    ParameterError
        A tempo out of its range.

    Examples
    --------
    >>> folded_bpm, octave = fold(np.array([30.0, 63.0, 64.0, 140.0, 300.0]))
    >>> folded_bpm.tolist(), octave.tolist()
    ([120.0, 126.0, 64.0, 70.0, 75.0], [-2, -1, 0, 1, 2])
    """
    tempo = np.asarray(tempo_bpm, np.float64)
    if not ((tempo >= TEMPO_MIN_BPM) & (tempo <= TEMPO_MAX_BPM)).all():
        raise ParameterError(
            f"tempo_bpm must be {TEMPO_MIN_BPM:g} to {TEMPO_MAX_BPM:g}, "
            f"lowest {tempo.min()}, highest {tempo.max()}"
        )
    octave = np.searchsorted(BASE_BPM * 2.0 ** np.array(OCTAVES), tempo, side="right") - 1 + OCTAVES[0]
    return tempo / 2.0**octave, octave


def step_of(folded_bpm: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Say in which of the 70 steps of their octave tempi are.

    Examples
    --------
    >>> step_of(np.array([64.0, 64.7, 127.9])).tolist()
    [0, 1, 69]
    """
    return np.floor(np.log2(folded_bpm / BASE_BPM) * STEPS).astype(np.int64)


def rank_tempo_classes(*, tempo_bpm: Tempi, pulse_clarity: Tempi) -> list[TempoClass]:
    """Rank the tempi of some windows, octaves folded.

    Parameters
    ----------
    tempo_bpm : np.ndarray [shape=(window,), 30 to 300]
    pulse_clarity : np.ndarray [shape=(window,), 0 to 1]
        Windows without a pulse have no vote, unless none has one.

    Returns
    -------
    list of TempoClass
        Those with most votes first; of equals those with the clearer pulses, then the slower ones. Bins that
        overlap with a better one of the list are left out.

    Examples
    --------
    >>> tempo = np.array([120.1, 119.9, 60.0, 90.0])
    >>> ranked = rank_tempo_classes(tempo_bpm=tempo, pulse_clarity=np.full(4, 0.5))
    >>> [(one.tempo_bpm, one.votes) for one in ranked]
    [(120.0, 3), (90.0, 1)]
    """
    has_vote = pulse_clarity > 0 if (pulse_clarity > 0).any() else np.ones(len(pulse_clarity), bool)
    folded_bpm, _ = fold(np.asarray(tempo_bpm)[has_vote])
    step = step_of(folded_bpm)
    clarity = _millionths(pulse_clarity[has_vote])
    votes = _pairs(np.bincount(step, minlength=STEPS))
    clear = _pairs(np.bincount(step, clarity, minlength=STEPS).astype(np.int64))
    merit = [(int(votes[at]), int(clear[at]), -at) for at in range(STEPS)]
    ranked = sorted(np.flatnonzero(votes).tolist(), key=lambda at: merit[at], reverse=True)
    kept = _without_overlaps(ranked, apart=(1, STEPS - 1))
    return [TempoClass(at, _median(folded_bpm, step, at), int(votes[at])) for at in kept]


@dataclass(frozen=True)
class RecordingTempi:
    """The tempi of a whole recording, each in its own octave.

    Parameters
    ----------
    votes : np.ndarray [shape=(350,), dtype=int]
        For each step from 16 to 512 BPM: the clarity of the pulses of its windows, in millionths, twice for
        their tempi, once for their alternatives.
    tempo_bpm : np.ndarray [shape=(2 * window,)]
        Tempi and alternatives.
    step : np.ndarray [shape=(2 * window,), dtype=int]
        Where each is in `votes`.
    """

    votes: npt.NDArray[np.int64]
    tempo_bpm: npt.NDArray[np.float64]
    step: npt.NDArray[np.int64]

    @classmethod
    def of(cls, *, tempo_bpm: Tempi, alternative_bpm: Tempi, pulse_clarity: Tempi) -> RecordingTempi:
        """Count the votes of all windows of a recording.

        Parameters
        ----------
        tempo_bpm, alternative_bpm : np.ndarray [shape=(window,), 30 to 300]
        pulse_clarity : np.ndarray [shape=(window,), 0 to 1]
            A window without a pulse has next to no say, unless none has one.
        """
        both_bpm = np.concatenate([tempo_bpm, alternative_bpm]).astype(np.float64)
        folded_bpm, octave = fold(both_bpm)
        step = STEPS * (octave - OCTAVES[0]) + step_of(folded_bpm)
        clarity = np.maximum(1, _millionths(np.asarray(pulse_clarity)))
        weight = np.concatenate([TEMPO_VOTES * clarity, ALTERNATIVE_VOTES * clarity])
        votes = np.zeros(STEPS * len(OCTAVES), np.int64)
        np.add.at(votes, step, weight)
        return cls(votes, both_bpm, step)

    def ranked(self) -> list[tuple[float, int]]:
        """Rank the first `MOST_TEMPI`: BPM and votes, those with most votes first, then the slower."""
        votes = self.votes + np.append(self.votes[1:], 0)
        ranked = sorted(np.flatnonzero(votes).tolist(), key=lambda at: (-votes[at], at))
        return [
            (float(np.median(self.tempo_bpm[(self.step == at) | (self.step == at + 1)])), int(votes[at]))
            for at in _without_overlaps(ranked, apart=(1,))[:MOST_TEMPI]
        ]

    def in_its_octave(self, tempo: TempoClass) -> float:
        """Choose the octave of a tempo: the one that the recording has most votes for, of equals the slowest.

        Returns
        -------
        float
            In BPM, 30 to 300.
        """
        best_bpm, most = 0.0, -1
        for octave in OCTAVES:
            candidate_bpm = tempo.tempo_bpm * 2.0**octave
            first = STEPS * (octave - OCTAVES[0]) + tempo.step
            near = [first + offset for offset in _NEAR if 0 <= first + offset < len(self.votes)]
            count = int(self.votes[near].sum())
            if TEMPO_MIN_BPM <= candidate_bpm <= TEMPO_MAX_BPM and count > most:
                best_bpm, most = candidate_bpm, count
        return best_bpm


def _millionths(values: Tempi) -> npt.NDArray[np.int64]:
    """Turn shares into whole numbers, whose sums do not depend on the order in which they are added."""
    return np.floor(np.asarray(values, np.float64) * _MILLIONTHS).astype(np.int64)


def _without_overlaps(ranked: list[int], *, apart: tuple[int, ...]) -> list[int]:
    """Leave out bins that overlap with a better one that stays: no window is in two that are left."""
    kept: list[int] = []
    for at in ranked:
        if not any(abs(at - other) in apart for other in kept):
            kept.append(at)
    return kept


def _pairs(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Add to each step the next one, the first after the last."""
    return counts + np.roll(counts, -1)


def _median(folded_bpm: npt.NDArray[np.float64], step: npt.NDArray[np.int64], at: int) -> float:
    following = (at + 1) % STEPS
    wrapped_bpm = folded_bpm * (2.0 if following == 0 else 1.0)
    return float(np.median(np.concatenate([folded_bpm[step == at], wrapped_bpm[step == following]])))

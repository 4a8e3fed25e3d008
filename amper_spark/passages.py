"""Cut a stream of samples into passages: long enough to work on at once, short enough for any memory.

A passage begins every 32 s, and goes on for as long as the frames reach that begin in it: 1,600 frames, 80
constant-Q frames, 16 strides of the windows. What belongs to a frame has the same bits in a passage as in the
whole recording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.grid import FRAME_LENGTH, HOP_LENGTH, frame_count
from amper_spark.spectra import CONSTANT_Q_FRAME_LENGTH, CONSTANT_Q_HOP_LENGTH, check_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PASSAGE_FRAMES = 1_600
_HOP = PASSAGE_FRAMES * HOP_LENGTH
_CONSTANT_Q_FRAMES = _HOP // CONSTANT_Q_HOP_LENGTH
_LENGTH = (_CONSTANT_Q_FRAMES - 1) * CONSTANT_Q_HOP_LENGTH + CONSTANT_Q_FRAME_LENGTH


class Passage(NamedTuple):
    """A part of a recording, and the frames that begin in it.

    Parameters
    ----------
    start : int >= 0
        Where it begins in the recording, in samples.
    samples : np.ndarray [shape=(n,)], float32
        Only valid until the next passage is asked for.
    n_frames, n_constant_q_frames : int >= 0
        How many frames are its own: all that fit within the samples in the last passage, those that begin
        within 32 s in others.
    is_last : bool
    """

    start: int
    samples: npt.NDArray[np.float32]
    n_frames: int
    n_constant_q_frames: int
    is_last: bool

    @property
    def framed(self) -> npt.NDArray[np.float32]:
        """The samples of its frames, which may be fewer than those of its constant-Q frames."""
        return self.samples[: (self.n_frames - 1) * HOP_LENGTH + FRAME_LENGTH]


def passages(*, blocks: Iterable[npt.NDArray[np.float32]]) -> Iterator[Passage]:
    """Join blocks of samples, and cut them into passages.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,)], float32
        Consecutive samples of a recording, mono at 22,050 Hz; each of any length.

    Yields
    ------
    Passage
        All are equally long but the last, which may be shorter, and which has all frames that are left.
        Nothing, if there are no samples.

    Raises
    ------
    ParameterError
        If a block is not a vector of float32.

    Examples
    --------
    >>> second = np.zeros(22_050, np.float32)
    >>> [(p.start, p.samples.size, p.n_frames, p.is_last) for p in passages(blocks=[second] * 40)]
    [(0, 713164, 1600, False), (705600, 176400, 396, True)]
    """
    buffer = np.empty(_LENGTH, dtype=np.float32)
    start = filled = 0
    for block in blocks:
        if block.size:  # a resampler may hold everything back for a while
            check_samples(block)
        taken = 0
        while taken < block.size:
            if filled == _LENGTH:  # only now is it known that this passage is not the last
                yield Passage(start, buffer, PASSAGE_FRAMES, _CONSTANT_Q_FRAMES, is_last=False)
                buffer[: _LENGTH - _HOP] = buffer[_HOP:]
                start, filled = start + _HOP, _LENGTH - _HOP
            more = min(block.size - taken, _LENGTH - filled)
            buffer[filled : filled + more] = block[taken : taken + more]
            taken, filled = taken + more, filled + more
    if filled:
        yield _last(start, buffer[:filled])


def _last(start: int, samples: npt.NDArray[np.float32]) -> Passage:
    n_constant_q_frames = frame_count(
        samples.size, frame_length=CONSTANT_Q_FRAME_LENGTH, hop_length=CONSTANT_Q_HOP_LENGTH
    )
    if start and samples.size < CONSTANT_Q_FRAME_LENGTH:
        n_constant_q_frames = 0  # a whole recording that is too short is filled up, its end is not
    return Passage(start, samples, frame_count(samples.size), n_constant_q_frames, is_last=True)

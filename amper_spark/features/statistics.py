"""Window statistics from block sums that do not depend on where the recording was cut.

A window is 496 frames and the next begins 100 frames later, so a window is four whole blocks of 100
frames and the first 96 frames of a fifth. Blocks are summed once, in float64, and added in a fixed order:
whole recording, single window and stream give the same bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.grid import STRIDE_FRAMES, WINDOW_FRAMES, check_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHOLE_BLOCKS, _HEAD_FRAMES = divmod(WINDOW_FRAMES, STRIDE_FRAMES)


class BlockSums(NamedTuple):
    """Sums over blocks of 100 frames: what windows need of a quantity, in a hundredth of the memory.

    Parameters
    ----------
    heads : np.ndarray [shape=(..., block)], float64
        Of the first 96 frames of each block.
    wholes : np.ndarray [shape=(..., block)], float64
        Of all frames of each block.
    n_frames : int > 0
        How many frames there are.
    """

    heads: npt.NDArray[np.float64]
    wholes: npt.NDArray[np.float64]
    n_frames: int


def block_sums(*, values: npt.NDArray[np.floating]) -> BlockSums:
    """Sum frames over blocks of 100; what is missing of the last block counts nothing.

    Parameters
    ----------
    values : np.ndarray [shape=(..., frame)]
        Beginning at a multiple of 100 frames.

    Returns
    -------
    BlockSums

    Examples
    --------
    >>> sums = block_sums(values=np.ones(198))
    >>> sums.heads, sums.wholes, sums.n_frames
    (array([96., 96.]), array([100.,  98.]), 198)
    """
    n_frames = values.shape[-1]
    blocks = -(-n_frames // STRIDE_FRAMES)
    padded = np.zeros((*values.shape[:-1], blocks * STRIDE_FRAMES))
    padded[..., :n_frames] = values
    framed = padded.reshape(*values.shape[:-1], blocks, STRIDE_FRAMES)
    heads = framed[..., :_HEAD_FRAMES].sum(axis=-1)
    return BlockSums(heads, heads + framed[..., _HEAD_FRAMES:].sum(axis=-1), n_frames)


def joined(parts: Sequence[BlockSums]) -> BlockSums:
    """Put the block sums of consecutive parts together; all but the last are of whole blocks."""
    return BlockSums(
        heads=np.concatenate([part.heads for part in parts], axis=-1),
        wholes=np.concatenate([part.wholes for part in parts], axis=-1),
        n_frames=sum(part.n_frames for part in parts),
    )


def mean_of_blocks(*, sums: BlockSums, n_windows: int) -> npt.NDArray[np.float64]:
    """Mean over the frames of each window, given the sums over blocks.

    Parameters
    ----------
    sums : BlockSums
        Of the whole recording.
    n_windows : int > 0
        Of the recording, see `amper_spark.grid.window_count`.

    Returns
    -------
    np.ndarray [shape=(..., window)], float64

    Raises
    ------
    ParameterError
        If there are no frames for so many windows.

    Examples
    --------
    >>> mean_of_blocks(sums=block_sums(values=np.arange(100.0)), n_windows=1)
    array([49.5])
    """
    return _add_blocks(sums, n_windows) / min(sums.n_frames, WINDOW_FRAMES)


def window_sums(*, values: npt.NDArray[np.floating], n_windows: int) -> npt.NDArray[np.float64]:
    """Sum frames over each window.

    Parameters
    ----------
    values : np.ndarray [shape=(..., frame)]
    n_windows : int > 0
        Of the recording, see `amper_spark.grid.window_count`.

    Returns
    -------
    np.ndarray [shape=(..., window)], float64

    Examples
    --------
    >>> window_sums(values=np.ones(596), n_windows=2)
    array([496., 496.])
    """
    return _add_blocks(block_sums(values=values), n_windows)


def window_means(*, values: npt.NDArray[np.floating], n_windows: int) -> npt.NDArray[np.float64]:
    """Mean over the frames of each window.

    Parameters
    ----------
    values : np.ndarray [shape=(..., frame)]
    n_windows : int > 0
        Of the recording, see `amper_spark.grid.window_count`.

    Returns
    -------
    np.ndarray [shape=(..., window)], float64

    Examples
    --------
    >>> window_means(values=np.arange(100.0), n_windows=1)
    array([49.5])
    """
    return mean_of_blocks(sums=block_sums(values=values), n_windows=n_windows)


def window_standard_deviations(
    *, values: npt.NDArray[np.floating], n_windows: int
) -> npt.NDArray[np.float64]:
    """Take the standard deviation (ddof 0) over the frames of each window.

    Parameters
    ----------
    values : np.ndarray [shape=(..., frame)]
    n_windows : int > 0
        Of the recording, see `amper_spark.grid.window_count`.

    Returns
    -------
    np.ndarray [shape=(..., window)], float64

    Examples
    --------
    >>> window_standard_deviations(values=np.tile([1.0, 3.0], 50), n_windows=1)
    array([1.])
    """
    exact = values.astype(np.float64)
    variance = (
        window_means(values=exact**2, n_windows=n_windows)
        - window_means(values=exact, n_windows=n_windows) ** 2
    )
    return np.sqrt(np.maximum(variance, 0.0))


def _add_blocks(sums: BlockSums, n_windows: int) -> npt.NDArray[np.float64]:
    check_windows(n_windows=n_windows, n_frames=sums.n_frames)
    missing = max(0, n_windows + _WHOLE_BLOCKS - sums.wholes.shape[-1])  # of a recording below 10 s
    padding = [(0, 0)] * (sums.wholes.ndim - 1) + [(0, missing)]
    heads, wholes = np.pad(sums.heads, padding), np.pad(sums.wholes, padding)
    total = wholes[..., :n_windows].copy()
    for offset in range(1, _WHOLE_BLOCKS):
        total += wholes[..., offset : offset + n_windows]
    return total + heads[..., _WHOLE_BLOCKS : _WHOLE_BLOCKS + n_windows]

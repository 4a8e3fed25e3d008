"""Half the sampling rate and back, for signals that need only its lower half."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.compiled import compiled

if TYPE_CHECKING:
    import numpy.typing as npt

_REACH = 8
_BLOCK = 4_096  # samples at a time, which stay in the fastest cache


def halved(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Take every second sample of a signal whose upper half of the spectrum is removed.

    Parameters
    ----------
    signal : np.ndarray [shape=(sample,)], float32
        Silent before and after.

    Returns
    -------
    np.ndarray [shape=((sample + 1) // 2,)], float32
        Flat within 0.1 dB to 0.19 of the rate of the signal; more than 40 dB down from 0.31.

    Examples
    --------
    >>> halved(np.ones(100, dtype=np.float32))[20:23].round(6)
    array([1., 1., 1.], dtype=float32)
    """
    odd = np.zeros(-(-signal.size // 2) + 2 * _REACH, dtype=np.float32)
    odd[_REACH : _REACH + signal.size // 2] = signal[1::2]
    result = _between(odd, _TAPS)
    result += np.float32(0.5) * signal[::2]
    return result


def doubled(signal: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Put a sample between each two, so that the spectrum gets an empty upper half.

    Parameters
    ----------
    signal : np.ndarray [shape=(sample,)], float32
        Silent before and after.

    Returns
    -------
    np.ndarray [shape=(2 * sample,)], float32
        The samples, each followed by one in between.

    Examples
    --------
    >>> doubled(np.ones(50, dtype=np.float32))[40:44].round(6)
    array([1., 1., 1., 1.], dtype=float32)
    """
    padded = np.zeros(signal.size + 2 * _REACH, dtype=np.float32)
    padded[_REACH - 1 : _REACH - 1 + signal.size] = signal
    result = np.empty(2 * signal.size, dtype=np.float32)
    result[::2] = signal
    np.multiply(_between(padded, _TAPS), np.float32(2), out=result[1::2])
    return result


def _taps() -> npt.NDArray[np.float32]:
    """``sin(pi k / 2) / (pi k)`` for odd k, under a Hann window; they add up to 1/4."""
    odd = range(1, 2 * _REACH, 2)
    taps = [
        math.sin(math.pi * k / 2) / (math.pi * k) * (1 + math.cos(math.pi * k / (2 * _REACH))) / 2
        for k in odd
    ]
    return np.array([round(tap / (4 * sum(taps)), 9) for tap in taps], dtype=np.float32)


_TAPS = _taps()


@compiled("float32[::1](float32[::1], float32[::1])")
def _between(padded: npt.NDArray[np.float32], taps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """``y[m] = sum_k h_k (x[m - k - 1] + x[m + k])``, x beginning `_REACH` samples into the padded signal."""
    totals = np.zeros(padded.size - 2 * _REACH, dtype=np.float32)
    for first in range(0, totals.size, _BLOCK):
        block = totals[first : first + _BLOCK]
        for k in range(_REACH):
            tap = taps[k]
            before, after = padded[first + _REACH - k - 1 :], padded[first + _REACH + k :]
            for m in range(block.size):
                block[m] += tap * (before[m] + after[m])
    return totals

"""A look-ahead limiter: no true peak passes the ceiling.

The gain that each peak needs is held for the time that the limiter looks ahead, lets go slowly, and is then
smoothed over that same time, so it has come down, without a corner, when the peak arrives.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.render.engine.true_peak import peaks_above

if TYPE_CHECKING:
    import numpy.typing as npt

LOOK_AHEAD_S = 0.005
RELEASE_S = 0.05

_STEP, _STEP_RATE = 8, 22_050  # samples between two gains, at that rate: 0.36 ms


def limiter_curve(
    audio: npt.NDArray[np.float32], *, ceiling: float, rate: int
) -> npt.NDArray[np.float32] | None:
    """Gain that keeps all peaks below a ceiling, for all channels alike.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
    ceiling : float > 0
        Linear.
    rate : int > 0
        In Hz.

    Returns
    -------
    np.ndarray [shape=(sample,)], float32, or None
        Above 0, at most 1; None where nothing is too high.

    Raises
    ------
    ParameterError
        The ceiling is not above 0.

    Examples
    --------
    >>> audio = np.full((1, 2_205), 0.1, dtype=np.float32)
    >>> audio[0, 1_000] = 2.0
    >>> curve = limiter_curve(audio, ceiling=1.0, rate=22_050)
    >>> bool(curve[1_000] <= 0.5), float(curve[800])
    (True, 1.0)
    """
    if not 0 < ceiling < math.inf:
        raise ParameterError(f"ceiling must be above 0, got {ceiling}")
    peaks = peaks_above(audio, floor=ceiling)
    if not peaks.size or peaks.max() <= ceiling:
        return None
    step = max(1, rate * _STEP // _STEP_RATE)
    half = max(1, round(LOOK_AHEAD_S * rate / (2 * step)))
    held = _held(_needed(peaks, ceiling, step), 2 * half, round(math.exp(-step / (RELEASE_S * rate)), 12))
    return _lines(_averaged(_averaged(held, half), half), step, peaks.size)


@compiled("float64[::1](float32[::1], float64, int64)")
def _needed(peaks: npt.NDArray[np.float32], ceiling: float, step: int) -> npt.NDArray[np.float64]:
    """Gain of nodes that stand at every ``step`` samples: what the samples on both sides need."""
    gains = np.ones(-(-peaks.size // step) + 1)
    for node in range(gains.size - 1):
        highest = np.float32(0.0)
        for n in range(node * step, min((node + 1) * step, peaks.size)):
            highest = max(highest, peaks[n])
        if highest > ceiling:
            gains[node] = min(gains[node], ceiling / highest)
            gains[node + 1] = ceiling / highest
    return gains


@compiled("float64[::1](float64[::1], int64, float64)")
def _held(needed: npt.NDArray[np.float64], n_ahead: int, release: float) -> npt.NDArray[np.float64]:
    """Least gain of this and the next nodes, `n_ahead` in all; released exponentially."""
    held = np.empty(needed.size)
    gain = 1.0
    for node in range(needed.size):
        gain = 1.0 + (gain - 1.0) * release
        for ahead in range(node, min(node + n_ahead, needed.size)):
            gain = min(gain, needed[ahead])
        held[node] = gain
    return held


@compiled("float64[::1](float64[::1], int64)")
def _averaged(gains: npt.NDArray[np.float64], n_nodes: int) -> npt.NDArray[np.float64]:
    """Mean of this and the nodes before, `n_nodes` in all; what lies before the first is like it.

    A mean of gains none of which is above what this node needs is not above it either.
    """
    averaged = np.empty(gains.size)
    for node in range(gains.size):
        total = 0.0
        for before in range(node - n_nodes + 1, node + 1):
            total += gains[max(before, 0)]
        averaged[node] = total / n_nodes
    return averaged


@compiled("float32[::1](float64[::1], int64, int64)")
def _lines(gains: npt.NDArray[np.float64], step: int, n_samples: int) -> npt.NDArray[np.float32]:
    """Straight lines between the nodes."""
    curve = np.empty(n_samples, dtype=np.float32)
    for node in range(gains.size - 1):
        slope = (gains[node + 1] - gains[node]) / step
        for n in range(node * step, min((node + 1) * step, n_samples)):
            curve[n] = min(gains[node] + slope * (n - node * step), 1.0)
    return curve

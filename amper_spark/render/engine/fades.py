"""Ends without clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

CUT_S = 0.02
"""Fade of what stops dead."""
RING_OUT_S = 0.8
"""Fade of what has rung out when the audio ends."""


def fade_out(audio: npt.NDArray[np.float32], *, duration_s: float, rate: int) -> None:
    """Fade the end, in place, by the S of half a cosine.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
    duration_s : float >= 0
        Of the fade, which ends in silence with the last sample; shorter where the audio is.
    rate : int > 0
        In Hz.

    Notes
    -----
    ``1 - t^2 (3 - 2 t)``, which follows ``(1 + cos(pi t)) / 2`` within 0.01 and needs no cosine, whose last
    bits differ between machines.

    Examples
    --------
    >>> audio = np.ones((1, 6), dtype=np.float32)
    >>> fade_out(audio, duration_s=0.4, rate=10)
    >>> audio.round(3)
    array([[1.   , 1.   , 0.844, 0.5  , 0.156, 0.   ]], dtype=float32)
    """
    n_fade = min(round(duration_s * rate), audio.shape[-1])
    if n_fade:
        t = np.arange(1, n_fade + 1) / n_fade
        audio[..., audio.shape[-1] - n_fade :] *= (1 - t * t * (3 - 2 * t)).astype(np.float32)

"""The overview waveform that comes with each master: what a player draws before it has the audio.

The contract names such a file, but not what is in it; this layout is ours. It is that of the program
audiowaveform (version 2, JSON), which players such as Peaks.js read::

    {"version": 2, "channels": 1, "sample_rate": 44100, "samples_per_pixel": 1050, "bits": 8,
     "length": 1260, "data": [-3, 4, -120, 97, ...]}

``data`` has two integers from -128 to 127 for each of ``length`` points: the lowest and the highest sample,
left or right, of the time that the point stands for. There are 42 points a second.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    import numpy.typing as npt

POINTS_PER_SECOND = 42
CONTENT_TYPE = "application/vnd.amper.waveform+json"

_HALF_RANGE = 128  # 8 bits
_BITS = 8
_VERSION = 2


def overview(audio: npt.NDArray[np.float32], *, rate: int) -> npt.NDArray[np.int8]:
    """Reduce audio to its lowest and highest samples, `POINTS_PER_SECOND` times a second.

    Parameters
    ----------
    audio : np.ndarray [shape=(channel, sample)], float32
        Full scale is -1 to 1.
    rate : int
        In Hz, a multiple of `POINTS_PER_SECOND`.

    Returns
    -------
    np.ndarray [shape=(point, 2)], int8
        ``floor(128 * sample)`` of the lowest and the highest sample, clipped to -128 ... 127. The last point
        stands for what is left, which may be less time than the others do.

    Raises
    ------
    ParameterError
        Another shape, or a rate that does not divide.

    Examples
    --------
    >>> audio = np.array([[-1, 0.25, 0.5, 0.125]], np.float32).repeat(50, axis=1)
    >>> overview(audio, rate=4_200).tolist()
    [[-128, 32], [16, 64]]
    """
    if audio.ndim != 2 or not audio.size:
        raise ParameterError(f"audio must have the shape (channels, samples), got {audio.shape}")
    if rate < 1 or rate % POINTS_PER_SECOND:
        raise ParameterError(f"rate must be a multiple of {POINTS_PER_SECOND}, got {rate}")
    starts = np.arange(0, audio.shape[1], rate // POINTS_PER_SECOND)
    lowest = np.minimum.reduceat(audio, starts, axis=1).min(axis=0)
    highest = np.maximum.reduceat(audio, starts, axis=1).max(axis=0)
    scaled = np.floor(np.stack([lowest, highest], axis=1) * np.float32(_HALF_RANGE))
    return scaled.clip(-_HALF_RANGE, _HALF_RANGE - 1).astype(np.int8)


def waveform_json(audio: npt.NDArray[np.float32], *, rate: int) -> bytes:
    """Write the overview waveform of audio, in the layout that this module describes.

    Parameters
    ----------
    audio, rate
        See `overview`.

    Returns
    -------
    bytes

    Raises
    ------
    ParameterError
        See `overview`.
    """
    points = overview(audio, rate=rate)
    document = {
        "version": _VERSION,
        "channels": 1,
        "sample_rate": rate,
        "samples_per_pixel": rate // POINTS_PER_SECOND,
        "bits": _BITS,
        "length": len(points),
        "data": points.ravel().tolist(),
    }
    return json.dumps(document, separators=(",", ":")).encode()

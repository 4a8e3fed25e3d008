"""How much of a window is percussion: harmonic/percussive separation on the mel spectrum."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import librosa
import numpy as np
import numpy.typing as npt

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.grid import SAMPLE_RATE
from amper_spark.spectra import MEL_BANDS

MEDIAN_LENGTH = 17
"""Frames of the harmonic and bands of the percussive running median."""

BLOCK_FRAMES = 240
"""Frames that are filtered together: with those that their medians see, 256, a quarter of a MB an array."""

MEDIAN_REACH = MEDIAN_LENGTH // 2
"""Frames to either side that a median sees."""

_LANES = 64
"""Columns whose medians are taken together: their windows stay in the fastest cache."""


class PercussiveEnergy(NamedTuple):
    """Energy under the percussive mask, and all energy; both (frame,), float64."""

    percussive: npt.NDArray[np.float64]
    total: npt.NDArray[np.float64]


def percussive_energy(
    *, mel_power: npt.NDArray[np.floating], block_frames: int = BLOCK_FRAMES
) -> PercussiveEnergy:
    """Energy of each frame under the percussive soft mask.

    Sustained tones are ridges along time, drum hits ridges along frequency. With H and P the running
    medians of the magnitudes X along frames and along bands, the mask is ``P^2 / (H^2 + P^2)`` and the
    percussive energy the sum over bands of ``(mask X)^2``.

    Parameters
    ----------
    mel_power : np.ndarray [shape=(128, frame)]
        Of the whole recording: the medians see 8 frames beyond a window.
    block_frames : int > 0
        Frames that are filtered at a time, which bounds the memory. The energies do not depend on it.

    Returns
    -------
    PercussiveEnergy
        The ratio of sums over a window is its percussive ratio.

    Raises
    ------
    ParameterError
        If the mel power is not (128, frame), or there are no frames to a block.

    See Also
    --------
    librosa.decompose.hpss

    References
    ----------
    .. [1] Fitzgerald, D. "Harmonic/percussive separation using median filtering." DAFx 2010.

    Examples
    --------
    >>> click = np.zeros((128, 50))
    >>> click[:, 25] = 1.0
    >>> energy = percussive_energy(mel_power=click)
    >>> float((energy.percussive.sum() / energy.total.sum()).round(3))
    1.0
    """
    if mel_power.ndim != 2 or mel_power.shape[0] != MEL_BANDS:
        raise ParameterError(f"expected mel power of shape ({MEL_BANDS}, frame), got {mel_power.shape}")
    if block_frames < 1:
        raise ParameterError(f"block_frames must be at least 1, got {block_frames}")
    n_frames = mel_power.shape[1]
    result = np.empty((2, n_frames))
    # All blocks are equally long, the last one begins earlier: memory is taken once, since taking it anew for
    # every block would cost more than the medians.
    width = min(n_frames, block_frames + 2 * MEDIAN_REACH)
    energy, magnitude, harmonic, percussive = np.empty((4, MEL_BANDS, width))
    sums = np.empty((2, width))
    for start in range(0, n_frames, block_frames):
        stop = min(start + block_frames, n_frames)
        first = max(0, min(start - MEDIAN_REACH, n_frames - width))
        np.divide(mel_power[:, first : first + width], _areas()[:, np.newaxis], out=energy)
        np.sqrt(energy, out=magnitude)
        _running_medians(magnitude.T, harmonic.T)
        _running_medians(magnitude, percussive)
        _add_bands(energy, harmonic, percussive, sums)
        result[:, start:stop] = sums[:, start - first : stop - first]
    return PercussiveEnergy(*result)


@compiled("void(float64[:, :], float64[:, :])")
def _running_medians(values: npt.NDArray[np.float64], medians: npt.NDArray[np.float64]) -> None:
    """Filter every column: ``medians[r] = median(values[r - 8], ..., values[r + 8])``.

    Beyond the ends the rows are mirrored, the outermost first, as by ``scipy.ndimage.median_filter``. Of
    every column, 17 values are kept in order. A step closes the gap that the leaving value makes and lets the
    entering value sink to its rank: the same comparisons for all columns, whatever the values.
    """
    n_rows, n_columns = values.shape
    entering_row = np.zeros(_LANES)
    recent = np.empty((MEDIAN_LENGTH, _LANES))
    ordered = np.empty((MEDIAN_LENGTH, _LANES))
    for first in range(0, n_columns, _LANES):
        width = min(_LANES, n_columns - first)
        recent[:] = np.inf
        ordered[:] = np.inf
        for step in range(n_rows + 2 * MEDIAN_REACH):
            row = (step - MEDIAN_REACH) % (2 * n_rows)
            row = min(row, 2 * n_rows - 1 - row)
            for lane in range(width):
                entering_row[lane] = values[row, first + lane]
            leaving_row = recent[step % MEDIAN_LENGTH]
            for lane in range(_LANES):
                entering, leaving = entering_row[lane], leaving_row[lane]
                leaving_row[lane] = entering
                for rank in range(MEDIAN_LENGTH - 1):
                    stays = ordered[rank, lane] < leaving
                    held = ordered[rank, lane] if stays else ordered[rank + 1, lane]
                    ordered[rank, lane] = min(held, entering)
                    entering = max(held, entering)
                ordered[MEDIAN_LENGTH - 1, lane] = entering
            if step >= 2 * MEDIAN_REACH:
                for lane in range(width):
                    medians[step - 2 * MEDIAN_REACH, first + lane] = ordered[MEDIAN_REACH, lane]


@compiled("void(float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1])")
def _add_bands(
    energy: npt.NDArray[np.float64],
    harmonic: npt.NDArray[np.float64],
    percussive: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:
    """Add up ``(P^2 / (H^2 + P^2))^2 X^2``, and the energy ``X^2`` itself, over the bands of every frame."""
    sums[:] = 0.0
    for band in range(energy.shape[0]):
        for frame in range(energy.shape[1]):
            h2, p2 = harmonic[band, frame] ** 2, percussive[band, frame] ** 2
            mask = p2 / (h2 + p2 if h2 + p2 > 0 else 1.0)
            sums[0, frame] += mask**2 * energy[band, frame]
            sums[1, frame] += energy[band, frame]


@cache
def _areas() -> npt.NDArray[np.float64]:
    # Undo Slaney's area normalisation: with equal peaks a drum hit is equally high in all bands.
    edges_hz = librosa.mel_frequencies(n_mels=MEL_BANDS + 2, fmin=0.0, fmax=SAMPLE_RATE / 2)
    return 2.0 / (edges_hz[2:] - edges_hz[:-2])

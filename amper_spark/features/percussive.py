"""How much of a window is percussion: harmonic/percussive separation on the mel spectrum."""

from __future__ import annotations

from typing import NamedTuple

import librosa
import numpy as np
import numpy.typing as npt
import scipy.ndimage

from amper_spark.errors import ParameterError
from amper_spark.grid import SAMPLE_RATE
from amper_spark.spectra import MEL_BANDS

MEDIAN_LENGTH = 17
"""Frames of the harmonic and bands of the percussive running median."""

BLOCK_FRAMES = 1_024
"""Frames that are filtered together: about 1 MB each of the eight arrays that this takes."""

_REACH = MEDIAN_LENGTH // 2
"""Frames to either side that a median sees."""


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
    energy = PercussiveEnergy(percussive=np.empty(n_frames), total=np.empty(n_frames))
    for start in range(0, n_frames, block_frames):
        stop = min(start + block_frames, n_frames)
        before = min(start, _REACH)
        block = _block_energy(mel_power[:, start - before : stop + _REACH])
        energy.percussive[start:stop], energy.total[start:stop] = (
            frames[before : before + stop - start] for frames in block
        )
    return energy


def _block_energy(mel_power: npt.NDArray[np.floating]) -> PercussiveEnergy:
    energy = mel_power / _areas()[:, np.newaxis]
    magnitude = np.sqrt(energy)
    harmonic = scipy.ndimage.median_filter(magnitude, size=(1, MEDIAN_LENGTH)) ** 2
    percussive = scipy.ndimage.median_filter(magnitude, size=(MEDIAN_LENGTH, 1)) ** 2
    either = harmonic + percussive
    mask = percussive / np.where(either > 0, either, 1.0)
    return PercussiveEnergy(percussive=(mask**2 * energy).sum(axis=0), total=energy.sum(axis=0))


def _areas() -> npt.NDArray[np.float64]:
    # Undo Slaney's area normalisation: with equal peaks a drum hit is equally high in all bands.
    edges_hz = librosa.mel_frequencies(n_mels=MEL_BANDS + 2, fmin=0.0, fmax=SAMPLE_RATE / 2)
    return 2.0 / (edges_hz[2:] - edges_hz[:-2])

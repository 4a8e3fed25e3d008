"""Split a recording at 44,100 Hz into vocals and accompaniment, one chunk of 11.89 s at a time.

A network looks at the magnitudes below 11,025 Hz of a stereo recording and tells which share of each is
accompaniment; the rest is vocals. Above 11,025 Hz it sees nothing, and Spleeter has two ways to go on there:

``zeros``
    Nothing is kept, in neither part. This is Spleeter's own setting for two stems: both parts end at
    11,025 Hz, and do not add up to the recording above.
``average``
    The mean of the shares below, frame by frame and channel by channel. The parts add up to the recording;
    sibilants are left in the accompaniment, and cymbals in the vocals, by as much as the mean is wrong.

The analysis runs at 22,050 Hz and hears only what is below 11,025 Hz: there both are the same, except in the
last two bins, over which a frame's window smears the edge, and which the analysis' own resampler removes. At
22,050 Hz they agree to 134 dB on music and to 75 dB on white noise; features differ by their rounding, and
spectral contrast, which compares the peaks with the deepest valleys, by 0.07 dB in the mean. So the analysis
uses ``zeros``: it is Spleeter's own setting, and the cheaper one.

Channels other than two are one to the network: it looks at their mean, twice, and the mean of its two answers
goes for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, get_args

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError
from amper_spark.separation.spectrogram import (
    CHUNK_FRAMES,
    NETWORK_BINS,
    Filter,
    Floats,
    Resynthesis,
    magnitude,
    spectrum_chunks,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MaskExtension = Literal["zeros", "average"]

_NETWORK_CHANNELS = 2
_NETWORK_SHAPE = (_NETWORK_CHANNELS, CHUNK_FRAMES, NETWORK_BINS)


class MaskEstimator(Protocol):
    """What `amper_spark.separation.network.Network` is to this module."""

    def accompaniment_mask(self, magnitude: Floats) -> Floats:
        """Tell the share of the accompaniment, 0 to 1, of each magnitude, (2, 512, 1024)."""


class Stems(NamedTuple):
    """The parts of a recording.

    Parameters
    ----------
    accompaniment : np.ndarray [shape=(n, channel)], float32
    vocals : np.ndarray [shape=(n, channel)], float32, or None
        If asked for.
    """

    accompaniment: Floats
    vocals: Floats | None


def separate_blocks(
    *,
    blocks: Iterable[Floats],
    network: MaskEstimator,
    mask_extension: MaskExtension = "zeros",
    with_vocals: bool = False,
) -> Iterator[Stems]:
    """Split a recording into accompaniment and vocals.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n, channel)], float32
        Consecutive samples at 44,100 Hz, full scale 1: the network is not indifferent to level. Each block of
        any length; 1 to 16 channels.
    network : MaskEstimator
        Asked once for every chunk, in order.
    mask_extension : {"zeros", "average"}
        What becomes of the frequencies above 11,025 Hz: see this module.
    with_vocals : bool
        They cost another inverse transform.

    Yields
    ------
    Stems
        A chunk at a time, as soon as it is complete. Concatenated, both parts have exactly the recording's
        length, and the same bits however it was cut. Nothing, if there are no samples.

    Raises
    ------
    ParameterError
        If the blocks are not of float32, 1 to 16 channels and all alike, the extension is unknown, or the
        network's mask has another shape or type than the magnitudes.

    Examples
    --------
    >>> class Half:
    ...     def accompaniment_mask(self, magnitude):
    ...         return np.full_like(magnitude, 0.5)
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(88_200) / 44_100).astype(np.float32)[:, np.newaxis]
    >>> (stems,) = separate_blocks(blocks=[tone], network=Half(), mask_extension="average", with_vocals=True)
    >>> stems.vocals.shape, bool(np.allclose(stems.accompaniment, 0.5 * tone, atol=1e-6))
    ((88200, 1), True)
    """
    _check_extension(mask_extension)
    accompaniment = vocals = None
    for chunk in spectrum_chunks(blocks=blocks):
        if accompaniment is None or vocals is None:
            accompaniment, vocals = (Resynthesis(len(chunk.spectrum)) for _ in range(2))
        masks = _accompaniment_masks(chunk.spectrum, network)
        yield Stems(
            accompaniment.add(chunk=chunk, filters=[_filter(mask, mask_extension) for mask in masks]),
            vocals.add(chunk=chunk, filters=[_filter(np.float32(1) - mask, mask_extension) for mask in masks])
            if with_vocals
            else None,
        )


def _accompaniment_masks(spectrum: npt.NDArray[np.complex64], network: MaskEstimator) -> list[Floats]:
    """Ask the network for a mask of each channel, (512, 1024)."""
    n_channels = len(spectrum)
    if n_channels == _NETWORK_CHANNELS:
        return list(_ask(network, magnitude(spectrum=spectrum)))
    mean = spectrum[..., :NETWORK_BINS].mean(axis=0, keepdims=True)
    masks = _ask(network, magnitude(spectrum=mean).repeat(_NETWORK_CHANNELS, axis=0))
    return [masks.mean(axis=0)] * n_channels


def _ask(network: MaskEstimator, magnitudes: Floats) -> Floats:
    mask = network.accompaniment_mask(magnitudes)
    if mask.shape != _NETWORK_SHAPE or mask.dtype != np.float32:
        raise ParameterError(
            f"the network's mask must be float32 of shape {_NETWORK_SHAPE}, got {mask.dtype} of {mask.shape}"
        )
    return np.ascontiguousarray(mask)


def _filter(mask: Floats, mask_extension: MaskExtension) -> Filter:
    if mask_extension == "average":
        return Filter(mask, mask.mean(axis=-1))
    return Filter(mask, np.zeros(len(mask), dtype=np.float32))


def _check_extension(mask_extension: MaskExtension) -> None:
    if mask_extension not in get_args(MaskExtension):
        raise ParameterError(f"mask_extension must be 'zeros' or 'average', got {mask_extension!r}")

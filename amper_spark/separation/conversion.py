"""Split recordings of any sampling rate: to 44,100 Hz, where the network works, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soxr

from amper_spark.errors import ParameterError
from amper_spark.separation.separator import (
    MaskEstimator,
    MaskExtension,
    Stems,
    separate_blocks,
)
from amper_spark.separation.spectrogram import SAMPLE_RATE, check_block

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from amper_spark.separation.spectrogram import Floats

_BLOCK_FRAMES = 65_536


@dataclass
class _Given:
    """What has been taken of a recording so far."""

    n_samples: int = 0
    n_channels: int = 1

    def counted(self, blocks: Iterable[Floats]) -> Iterator[Floats]:
        for block in blocks:
            check_block(block)
            self.n_samples += len(block)
            self.n_channels = block.shape[1]
            yield block


def separate_recording(
    *,
    blocks: Iterable[Floats],
    rate: int,
    network: MaskEstimator,
    mask_extension: MaskExtension = "zeros",
    with_vocals: bool = False,
) -> Iterator[Stems]:
    """Split a recording of any sampling rate into parts of its own rate, channels and length.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n, channel)], float32
        Its consecutive samples, full scale 1; each block of any length; 1 to 16 channels.
    rate : int > 0
        Its sampling rate, in Hz. Any but 44,100 is resampled twice, which fades out what is above 20.5 kHz.
    network, mask_extension, with_vocals
        See `amper_spark.separation.separator.separate_blocks`.

    Yields
    ------
    Stems
        Concatenated, both parts have as many samples as the recording.

    Raises
    ------
    ParameterError
        If the rate is not positive, and what `separate_blocks` raises.

    Examples
    --------
    >>> class All:
    ...     def accompaniment_mask(self, magnitude):
    ...         return np.ones_like(magnitude)
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 8_000).astype(np.float32)[:, np.newaxis]
    >>> parts = list(separate_recording(blocks=[tone], rate=8_000, network=All()))
    >>> accompaniment = np.concatenate([part.accompaniment for part in parts])
    >>> accompaniment.shape, bool(np.abs(accompaniment - tone)[100:-100].max() < 1e-4)
    ((16000, 1), True)
    """
    given = _Given()
    parts = separate_blocks(
        blocks=resampled(blocks=given.counted(blocks), from_hz=rate, to_hz=SAMPLE_RATE),
        network=network,
        mask_extension=mask_extension,
        with_vocals=with_vocals,
    )
    # Side by side both parts go through one resampler, and have the same length at every moment.
    together = (np.concatenate([part for part in stems if part is not None], axis=1) for stems in parts)
    for block in _fitted(
        resampled(blocks=together, from_hz=SAMPLE_RATE, to_hz=rate),
        lambda: (given.n_samples, given.n_channels * (2 if with_vocals else 1)),
    ):
        accompaniment = block[:, : given.n_channels]
        yield Stems(accompaniment, block[:, given.n_channels :] if with_vocals else None)


def resampled(*, blocks: Iterable[Floats], from_hz: int, to_hz: int) -> Iterator[Floats]:
    """Resample a stream with soxr HQ.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n, channel) or (n,)], float32
        Each of any length.
    from_hz, to_hz : int > 0
        Sampling rates.

    Yields
    ------
    np.ndarray [shape=(m, channel) or (m,)], float32
        Concatenated, they do not depend on how the stream was cut. At equal rates the blocks themselves.

    Raises
    ------
    ParameterError
        If a rate is not positive.

    Examples
    --------
    >>> blocks = [np.zeros((8_000, 1), np.float32)] * 3
    >>> sum(len(block) for block in resampled(blocks=blocks, from_hz=8_000, to_hz=44_100))
    132300
    """
    for rate in (from_hz, to_hz):
        if rate < 1:
            raise ParameterError(f"a sampling rate must be positive, got {rate}")
    if from_hz == to_hz:
        yield from blocks
        return
    stream = None
    # Of a low rate each sample becomes many.
    n_piece = max(1, min(_BLOCK_FRAMES, _BLOCK_FRAMES * from_hz // to_hz))
    for block in blocks:
        if stream is None:
            n_channels = 1 if block.ndim == 1 else block.shape[1]
            stream = soxr.ResampleStream(from_hz, to_hz, n_channels, dtype="float32", quality="HQ")
            end = block[:0]
        for first in range(0, len(block), n_piece):
            yield stream.resample_chunk(block[first : first + n_piece])
    if stream is not None:
        yield stream.resample_chunk(end, last=True)


def _fitted(blocks: Iterable[Floats], wanted: Callable[[], tuple[int, ...]]) -> Iterator[Floats]:
    """Cut off or fill up the few samples by which resampling twice misses the length.

    The shape that is wanted is only final after the last block, and before that longer than what there is.
    """
    n_given = 0
    for block in blocks:
        fitting = block[: wanted()[0] - n_given]
        n_given += len(fitting)
        yield fitting
    n_wanted, *shape = wanted()
    if n_given < n_wanted:
        yield np.zeros((n_wanted - n_given, *shape), dtype=np.float32)

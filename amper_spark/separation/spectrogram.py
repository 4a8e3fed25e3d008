"""Spleeter's short-time Fourier transform and its inverse, chunk by chunk, in constant memory.

A recording at 44,100 Hz is preceded by 4,096 zeros and cut into frames of 4,096 samples, one every 1,024;
the last frame is the last that begins within it, filled up with zeros. The window is a periodic Hann window,
and windows again what comes back. The network sees 512 frames at a time, a chunk of 11.89 s: so do these
functions. Chunks begin at fixed frames, and frames are transformed in groups that begin at fixed frames: the
result does not depend, bit for bit, on how the recording was cut.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Floats = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]

SAMPLE_RATE = 44_100
"""Rate that the network was trained at, in Hz."""
FRAME_LENGTH = 4_096
"""Samples in a frame."""
HOP_LENGTH = 1_024
"""Samples from one frame to the next."""
FREQUENCY_BINS = FRAME_LENGTH // 2 + 1
"""Bins of a spectrum, 10.77 Hz apart."""
NETWORK_BINS = 1_024
"""Bins that the network sees: those below 11,025 Hz."""
MAX_CHANNELS = 16
"""Each takes some 20 MB."""
CHUNK_FRAMES = 512
"""Frames that the network sees at a time."""

_CHUNK_LENGTH = CHUNK_FRAMES * HOP_LENGTH
_OVERLAP = FRAME_LENGTH - HOP_LENGTH
_SPAN = _CHUNK_LENGTH + _OVERLAP
_GROUP_FRAMES = 32
# Four squared Hann windows, each a quarter further, add up to 3 / 2 everywhere.
_WINDOW_COMPENSATION = 2.0 / 3.0


class SpectrumChunk(NamedTuple):
    """512 consecutive frames of a spectrogram.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(channel, 512, 2049)], complex64
        Frame by frame. Only valid until the next chunk is asked for.
    n_frames : int > 0
        How many frames are the recording's: 512, fewer in the last chunk. The rest are zero.
    n_samples : int >= 0
        How many more samples of the recording are covered by all their frames with this chunk.
    """

    spectrum: Spectrum
    n_frames: int
    n_samples: int


class _Span(NamedTuple):
    """The samples of a chunk's frames, (channel, sample)."""

    samples: Floats
    n_frames: int
    n_samples: int


def spectrum_chunks(*, blocks: Iterable[Floats]) -> Iterator[SpectrumChunk]:
    """Short-time Fourier transform of a recording, chunk by chunk.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n, channel)], float32
        Consecutive samples at 44,100 Hz; each block of any length.

    Yields
    ------
    SpectrumChunk
        ``spectrum[c, t, k] = sum_n hann[n] x[1024 t + n - 4096, c] exp(-2 pi i k n / 4096)``, with x zero
        outside of the recording. Together, the chunks have ``ceil(n / 1024) + 4`` frames. Nothing, if there
        are no samples.

    Raises
    ------
    ParameterError
        If a block is not a matrix of float32, has no channels or more than 16, or not those of the first.

    References
    ----------
    .. [1] Hennequin, R. et al. "Spleeter: a fast and efficient music source separation tool with pre-trained
           models." Journal of Open Source Software 5 (2020).

    Examples
    --------
    >>> second = np.zeros((44_100, 2), np.float32)
    >>> [(c.spectrum.shape, c.n_frames, c.n_samples) for c in spectrum_chunks(blocks=[second] * 12)]
    [((2, 512, 2049), 512, 520192), ((2, 512, 2049), 9, 9008)]
    """
    windowed = np.empty((_GROUP_FRAMES, FRAME_LENGTH), dtype=np.float32)
    spectrum = np.empty((0, CHUNK_FRAMES, FREQUENCY_BINS), dtype=np.complex64)
    for span in _spans(blocks):
        if not spectrum.size:
            spectrum = np.empty((len(span.samples), *spectrum.shape[1:]), dtype=np.complex64)
        for samples, of_channel in zip(span.samples, spectrum, strict=True):
            frames = _frames(samples)
            for first in range(0, span.n_frames, _GROUP_FRAMES):
                group = slice(first, first + _GROUP_FRAMES)
                np.multiply(frames[group], _hann(), out=windowed)
                of_channel[group] = scipy.fft.rfft(windowed, axis=-1, overwrite_x=True)
            of_channel[span.n_frames :] = 0.0
        yield SpectrumChunk(spectrum, span.n_frames, span.n_samples)


def check_block(block: Floats) -> None:
    """Refuse what is not a block of samples in single precision.

    Raises
    ------
    ParameterError
        With the offending shape or type.
    """
    if block.ndim != 2 or not block.shape[1]:
        raise ParameterError(f"a block must have the shape (n, channel), got {block.shape}")
    if block.dtype != np.float32:
        raise ParameterError(f"a block must be float32, got {block.dtype}")


def magnitude(*, spectrum: Spectrum) -> Floats:
    """Magnitudes of the bins that the network sees.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(channel, frame, bin)], complex64
        At least 1,024 bins.

    Returns
    -------
    np.ndarray [shape=(channel, frame, 1024)], float32
        ``|spectrum|``. Below 1e-19 of full scale it is zero.

    Examples
    --------
    >>> float(magnitude(spectrum=np.full((1, 1, 2_049), 3 + 4j, np.complex64))[0, 0, 0])
    5.0
    """
    seen = spectrum[..., :NETWORK_BINS]
    # A third of what np.abs takes, which guards against overflow.
    power = np.square(seen.real)
    power += np.square(seen.imag)
    return np.sqrt(power, out=power)


class Filter(NamedTuple):
    """What every bin of a spectrogram is multiplied by.

    Parameters
    ----------
    mask : np.ndarray [shape=(frame, 1024)], float32
        For the bins that the network sees.
    beyond : np.ndarray [shape=(frame,)], float32
        For all bins above them.
    """

    mask: Floats
    beyond: Floats


class Resynthesis:
    """Filters a spectrogram and turns it back into samples, chunk by chunk.

    Parameters
    ----------
    n_channels : int > 0

    Examples
    --------
    What is not filtered comes back:

    >>> noise = np.random.default_rng(0).normal(0, 0.1, (700_000, 1)).astype(np.float32)
    >>> all_pass = Filter(np.ones((512, 1_024), np.float32), np.ones(512, np.float32))
    >>> resynthesis = Resynthesis(1)
    >>> chunks = spectrum_chunks(blocks=[noise])
    >>> back = np.concatenate([resynthesis.add(chunk=chunk, filters=[all_pass]) for chunk in chunks])
    >>> back.shape, bool(np.abs(back - noise).max() < 1e-6)
    ((700000, 1), True)
    """

    def __init__(self, n_channels: int) -> None:
        self._sums = np.zeros((n_channels, _SPAN), dtype=np.float32)
        self._lead = FRAME_LENGTH
        self._filtered = np.empty((_GROUP_FRAMES, FREQUENCY_BINS), dtype=np.complex64)

    def add(self, *, chunk: SpectrumChunk, filters: Sequence[Filter]) -> Floats:
        """Add the next chunk.

        Parameters
        ----------
        chunk : SpectrumChunk
        filters : sequence of Filter
            One for each channel of the spectrum.

        Returns
        -------
        np.ndarray [shape=(n_samples, channel)], float32
            The samples that are complete. They belong to the caller.

        Raises
        ------
        ParameterError
            If the channels of spectrum, filters and samples do not go together.
        """
        n_channels, n_given = len(self._sums), len(chunk.spectrum)
        if not n_given == len(filters) == n_channels:
            raise ParameterError(
                f"{len(filters)} filters for {n_given} channels do not go with n_channels={n_channels}"
            )
        for sums, spectrum, (mask, beyond) in zip(self._sums, chunk.spectrum, filters, strict=True):
            self._overlap_and_add(sums, spectrum, mask, beyond, chunk.n_frames)
        complete = self._sums[:, self._lead : self._lead + chunk.n_samples].T.copy()
        self._sums[:, :_OVERLAP] = self._sums[:, _CHUNK_LENGTH:]
        self._sums[:, _OVERLAP:] = 0.0
        self._lead = 0
        return complete

    def _overlap_and_add(
        self, sums: Floats, spectrum: Spectrum, mask: Floats, beyond: Floats, n_frames: int
    ) -> None:
        """Add up the filtered frames of one channel."""
        window = _hann() * np.float32(_WINDOW_COMPENSATION)
        places = _frames(sums)
        within, above = self._filtered[:, :NETWORK_BINS], self._filtered[:, NETWORK_BINS:]
        for first in range(0, n_frames, _GROUP_FRAMES):
            group = slice(first, first + _GROUP_FRAMES)
            np.multiply(spectrum[group, :NETWORK_BINS], mask[group], out=within)
            np.multiply(spectrum[group, NETWORK_BINS:], beyond[group, np.newaxis], out=above)
            frames = scipy.fft.irfft(self._filtered, axis=-1, overwrite_x=True) * window
            for t, frame in enumerate(frames[: n_frames - first], first):
                places[t] += frame


def _spans(blocks: Iterable[Floats]) -> Iterator[_Span]:
    """Join blocks, and cut them into the samples of chunks; valid until the next one is asked for."""
    samples = np.empty((0, _SPAN), dtype=np.float32)
    lead = filled = FRAME_LENGTH
    for block in blocks:
        check_block(block)
        if not len(samples):
            if block.shape[1] > MAX_CHANNELS:
                raise ParameterError(f"there may be up to {MAX_CHANNELS} channels, got {block.shape[1]}")
            samples = np.zeros((block.shape[1], _SPAN), dtype=np.float32)
        if block.shape[1] != len(samples):
            raise ParameterError(
                f"a block has {block.shape[1]} channels, those before it have {len(samples)}"
            )
        taken = 0
        while taken < len(block):
            more = min(len(block) - taken, _SPAN - filled)
            samples[:, filled : filled + more] = block[taken : taken + more].T
            taken, filled = taken + more, filled + more
            if filled == _SPAN:
                yield _Span(samples, CHUNK_FRAMES, _CHUNK_LENGTH - lead)
                samples[:, :_OVERLAP] = samples[:, _CHUNK_LENGTH:]
                lead, filled = 0, _OVERLAP
    while filled > lead:  # the last frames may reach into another chunk
        samples[:, filled:] = 0.0
        n_frames = min(math.ceil(filled / HOP_LENGTH), CHUNK_FRAMES)
        yield _Span(samples, n_frames, min(filled, _CHUNK_LENGTH) - lead)
        samples[:, :_OVERLAP] = samples[:, _CHUNK_LENGTH:]
        lead, filled = 0, filled - _CHUNK_LENGTH


def _frames(samples: Floats) -> Floats:
    """View the samples of a chunk as its frames, (512, 4096), each of which overlaps with the next three."""
    return sliding_window_view(samples, FRAME_LENGTH, writeable=True)[::HOP_LENGTH]


@cache
def _hann() -> Floats:
    # Not librosa's or scipy's: they would load 60 MB of other things.
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_LENGTH) / FRAME_LENGTH)).astype(np.float32)

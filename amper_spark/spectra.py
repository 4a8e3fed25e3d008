"""The one spectral pass: STFT power and constant-Q energies, from which all else is derived.

Everything here is computed in blocks of a fixed number of frames with the frames in the last axis, the
last block filled up with silence. A sum over bins then runs through the bins in the same order for every
frame, whatever stands in the neighbouring frames and however the recording was cut: a window that is cut
out and analysed alone has the same bits as the slice of the whole. A BLAS product would not do: its
results change with the shape of the batch and with the CPU.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import librosa
import numpy as np
import numpy.typing as npt
import scipy.fft
import scipy.sparse

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError
from amper_spark.grid import FRAME_LENGTH, HOP_LENGTH, SAMPLE_RATE, frame_count

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats = npt.NDArray[np.float32]

BLOCK_FRAMES = 64
"""Frames that are transformed together; 64 frames of 1,025 bins stay in the cache."""

DECIBEL_FLOOR = 1e-10
"""Power below which everything is silence: -100 dB re 1."""

MEL_BANDS = 128
"""Bands of the mel spectrum behind MFCC, onset strength and the percussive ratio."""

CONSTANT_Q_BINS_PER_OCTAVE = 36
CONSTANT_Q_OCTAVES = 7
CONSTANT_Q_LOWEST_HZ = 440.0 * 2.0 ** (-45 / 12)
"""C1, 32.70 Hz. The lowest octave must be in: without it the tonic of a third of all windows is lost."""
CONSTANT_Q_FRAME_LENGTH = 16_384
CONSTANT_Q_HOP_LENGTH = 8_820
"""2.5 frames a second, 5 a window stride."""
CONSTANT_Q_FRAME_RATE = SAMPLE_RATE / CONSTANT_Q_HOP_LENGTH

_CONSTANT_Q_BLOCK_FRAMES = 8
_TILE_BINS = 8
_CHUNK = 256
_FLOOR_BITS = np.float32(DECIBEL_FLOOR).view(np.int32)
_ROOT_HALF_BITS = np.float32(math.sqrt(0.5)).view(np.int32)
_DB_PER_OCTAVE = 10.0 * math.log10(2.0)
_DB_PER_NEPER = 20.0 / math.log(10.0)


class PowerBlock(NamedTuple):
    """Consecutive frames of a power spectrogram.

    Parameters
    ----------
    frames : slice
        Where these frames stand in the recording.
    samples : np.ndarray [shape=(29831,)], float32
        The samples that the frames cover; silence beyond the end of the recording.
    power : np.ndarray [shape=(1025, 64)], float32
        Power of each frame.
    """

    frames: slice
    samples: npt.NDArray[np.float32]
    power: npt.NDArray[np.float32]


def power_blocks(*, samples: npt.NDArray[np.float32]) -> Iterator[PowerBlock]:
    """Power of the short-time Fourier transform, block by block.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)], float32
        Mono signal at 22,050 Hz.

    Yields
    ------
    PowerBlock
        ``power[k, t] = |sum_n hann[n] x[441 t + n] exp(-2 pi i k n / 2048)|^2``. Only
        ``frames.stop - frames.start`` frames of a block are the recording's.

    Raises
    ------
    ParameterError
        If `samples` is not a non-empty vector of float32.

    See Also
    --------
    librosa.stft : the same with ``n_fft=2048, hop_length=441, center=False``

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22_050) / 22_050).astype(np.float32)
    >>> block = next(power_blocks(samples=tone))
    >>> block.frames, block.power.shape, int(block.power[:, 0].argmax())
    (slice(0, 46, None), (1025, 64), 93)
    """
    check_samples(samples)
    yield from _power_blocks(
        samples,
        frame_length=FRAME_LENGTH,
        hop_length=HOP_LENGTH,
        block_frames=BLOCK_FRAMES,
        bins=FRAME_LENGTH // 2 + 1,
    )


def check_samples(samples: npt.NDArray[np.float32]) -> None:
    """Refuse what is not a mono signal in single precision.

    Raises
    ------
    ParameterError
        With the offending shape or type.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise ParameterError(f"samples must be a non-empty vector, got shape {samples.shape}")
    if samples.dtype != np.float32:
        raise ParameterError(f"samples must be float32, got {samples.dtype}")


def decibels(power: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn power into dB re 1, with a fixed floor of -100 dB.

    A floor relative to the loudest frame (librosa's ``top_db``) would make a window's values depend on the
    rest of the recording, and the logarithms of libraries differ in the last bit from processor to processor.

    Parameters
    ----------
    power : np.ndarray, float32
        Any shape, >= 0.

    Returns
    -------
    np.ndarray, float32
        ``10 log10(max(power, 1e-10))``, same shape.

    Examples
    --------
    >>> decibels(np.array([1.0, 0.01, 0.0], dtype=np.float32))
    array([   0.,  -20., -100.], dtype=float32)
    """
    level = np.array(power, dtype=np.float32, order="C")  # one copy of a whole recording is enough
    _to_decibels(level.reshape(-1))
    return level


def constant_q_power(*, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Constant-Q energies from few long transforms, 2.5 frames a second.

    A bin is a triangle over log frequency, half a bin spacing beyond its neighbours' centres, at least
    three quarters of a Fourier bin wide, and weighted by 1 / f: what a constant-Q transform with
    unit-energy atoms leaves of power. Tuning is 440 Hz, always: an estimate per recording would make
    a window depend on the rest.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,)], float32
        Mono signal at 22,050 Hz.

    Returns
    -------
    np.ndarray [shape=(252, frame)], float32
        36 bins an octave from C1 over 7 octaves. Frame j covers the samples
        [8820 j, 8820 j + 16384); a signal shorter than that is padded to one frame.

    See Also
    --------
    librosa.cqt : the exact transform, many times as expensive

    References
    ----------
    .. [1] Brown, J. C. and Puckette, M. S. "An efficient algorithm for the calculation of a constant Q
           transform." JASA 92 (1992).

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(44_100) / 22_050).astype(np.float32)
    >>> energies = constant_q_power(samples=tone)
    >>> energies.shape, int(energies[:, 0].argmax()) / 36
    ((252, 4), 3.75)
    """
    check_samples(samples)
    frames = frame_count(samples.size, frame_length=CONSTANT_Q_FRAME_LENGTH, hop_length=CONSTANT_Q_HOP_LENGTH)
    energies = np.empty((CONSTANT_Q_BINS_PER_OCTAVE * CONSTANT_Q_OCTAVES, frames), dtype=np.float32)
    kernel = _constant_q_kernel()
    for block in _power_blocks(
        samples,
        frame_length=CONSTANT_Q_FRAME_LENGTH,
        hop_length=CONSTANT_Q_HOP_LENGTH,
        block_frames=_CONSTANT_Q_BLOCK_FRAMES,
        bins=kernel.shape[1],
    ):
        count = block.frames.stop - block.frames.start
        energies[:, block.frames] = (kernel @ block.power)[:, :count]
    return energies


def constant_q_frame_times_s(n_frames: int) -> npt.NDArray[np.float64]:
    """Centres of the constant-Q frames, in s.

    Examples
    --------
    >>> constant_q_frame_times_s(2).round(3)
    array([0.372, 0.772])
    """
    centre = CONSTANT_Q_FRAME_LENGTH / 2
    return (CONSTANT_Q_HOP_LENGTH * np.arange(n_frames) + centre) / SAMPLE_RATE


def _power_blocks(
    samples: Floats, *, frame_length: int, hop_length: int, block_frames: int, bins: int
) -> Iterator[PowerBlock]:
    hann = _hann(frame_length)
    n_frames = frame_count(samples.size, frame_length=frame_length, hop_length=hop_length)
    span = (block_frames - 1) * hop_length + frame_length
    windowed = np.empty((block_frames, frame_length), dtype=np.float32)
    for first in range(0, n_frames, block_frames):
        piece = np.require(samples[first * hop_length : first * hop_length + span], requirements=["C", "W"])
        if piece.size < span:
            piece = np.pad(piece, (0, span - piece.size))
        _window(piece, hop_length, hann, windowed)
        power = _power(scipy.fft.rfft(windowed, axis=-1, overwrite_x=True), bins)
        yield PowerBlock(slice(first, min(first + block_frames, n_frames)), piece, power)


@cache
def _hann(length: int) -> Floats:
    return librosa.filters.get_window("hann", length).astype(np.float32)


@compiled("void(float32[::1], int64, float32[::1], float32[:, ::1])")
def _window(samples: Floats, hop_length: int, window: Floats, windowed: Floats) -> None:
    """Cut the samples into frames and multiply each by the window."""
    for t in range(windowed.shape[0]):
        frame = samples[t * hop_length : t * hop_length + window.size]
        for n in range(window.size):
            windowed[t, n] = window[n] * frame[n]


@compiled("float32[:, ::1](complex64[:, ::1], int64)")
def _power(spectrum: npt.NDArray[np.complex64], bins: int) -> Floats:
    """Square the magnitudes of the first bins, and turn (frame, bin) into (bin, frame)."""
    frames = spectrum.shape[0]
    power = np.empty((bins, frames), dtype=np.float32)
    tiled = bins - bins % _TILE_BINS
    for first in range(0, tiled, _TILE_BINS):
        for t in range(frames):
            for k in range(_TILE_BINS):  # a fixed number of bins, which the compiler unrolls
                power[first + k, t] = spectrum[t, first + k].real ** 2 + spectrum[t, first + k].imag ** 2
    for k in range(tiled, bins):
        for t in range(frames):
            power[k, t] = spectrum[t, k].real ** 2 + spectrum[t, k].imag ** 2
    return power


@compiled("void(float32[::1])")
def _to_decibels(level: Floats) -> None:
    """Replace power by dB.

    A float is ``m 2^e`` with m from 1/2^(1/2) to 2^(1/2), as its bits tell. Then ``log2 x = e + log2 m``, and
    ``ln m = 2 artanh r = 2 (r + r^3 / 3 + r^5 / 5 ...)`` with ``r = (m - 1) / (m + 1)``. |r| is below 0.172:
    what is left off after r^9 is below 1e-8 dB.
    """
    bits = level.view(np.int32)
    exponents = np.empty(_CHUNK, dtype=np.int32)
    mantissa_bits = np.empty(_CHUNK, dtype=np.int32)
    mantissas = mantissa_bits.view(np.float32)
    for first in range(0, level.size, _CHUNK):
        count = min(_CHUNK, level.size - first)
        for n in range(count):
            floored = max(bits[first + n], _FLOOR_BITS)  # bits rise with the (positive) number
            exponents[n] = (floored - _ROOT_HALF_BITS) >> 23
            mantissa_bits[n] = floored - (exponents[n] << 23)
        for n in range(count):
            mantissa = np.float64(mantissas[n])
            r = (mantissa - 1.0) / (mantissa + 1.0)
            r2 = r * r
            series = r * (1.0 + r2 * (1 / 3 + r2 * (1 / 5 + r2 * (1 / 7 + r2 / 9))))
            level[first + n] = _DB_PER_OCTAVE * exponents[n] + _DB_PER_NEPER * series


@cache
def _constant_q_kernel() -> scipy.sparse.csr_array:
    fourier_hz = np.fft.rfftfreq(CONSTANT_Q_FRAME_LENGTH, 1 / SAMPLE_RATE)
    bins = np.arange(CONSTANT_Q_BINS_PER_OCTAVE * CONSTANT_Q_OCTAVES)
    centre_hz = CONSTANT_Q_LOWEST_HZ * 2.0 ** (bins / CONSTANT_Q_BINS_PER_OCTAVE)
    spacing = 2.0 ** (1 / CONSTANT_Q_BINS_PER_OCTAVE) - 1
    half_width_hz = np.maximum(spacing * centre_hz, 0.75 * fourier_hz[1])
    triangles = np.empty((bins.size, fourier_hz.size), dtype=np.float32)
    # Row by row: whole matrices of doubles would take 50 MB, which the process then keeps.
    for row, centre, half_width in zip(triangles, centre_hz, half_width_hz, strict=True):
        row[:] = np.clip(1.0 - np.abs(fourier_hz - centre) / half_width, 0.0, None) / centre
    used = np.flatnonzero(triangles.any(axis=0)).max() + 1
    return scipy.sparse.csr_array(triangles[:, :used])

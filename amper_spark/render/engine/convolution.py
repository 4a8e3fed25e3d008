"""Long filters, by fast Fourier transforms of overlapping blocks (overlap-save).

Transforms are in single precision: their factors are computed in double precision and rounded, so that they
are the same on all machines. NumPy multiplies complex arrays by fused operations where a machine has them;
the products here are taken in real numbers instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from amper_spark.compiled import compiled
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    import numpy.typing as npt


_LANES = 4
"""Blocks that are transformed at once: vectors of the least of x86-64 machines hold so many numbers."""

_TOGETHER = 262_144  # samples that are transformed before the next ones: they stay in the cache
_LONGEST_BITS = 16  # of a transform, unless the response needs more


def best_n_fft(*, n_samples: int, n_taps: int) -> int:
    """Length of the transform that filters a signal at the least cost.

    Parameters
    ----------
    n_samples, n_taps : int > 0
        Of the signal and of the response.

    Returns
    -------
    int
        A power of 2, of which blocks make out at least a third.

    Examples
    --------
    >>> best_n_fft(n_samples=661_500, n_taps=31_000)
    65536
    """
    shortest = (3 * n_taps // 2).bit_length()
    longest = max(shortest, min((n_samples + n_taps).bit_length(), _LONGEST_BITS))

    def cost(bits: int) -> int:
        return _n_blocks(n_samples, (1 << bits) - n_taps + 1) * bits << bits

    return 1 << min(range(shortest, longest + 1), key=cost)


def _n_blocks(n_samples: int, step: int) -> int:
    return -(-n_samples // (_LANES * step)) * _LANES


def transfer(response: npt.NDArray[np.float32], *, n_fft: int) -> npt.NDArray[np.complex64]:
    """Spectra of impulse responses, as `convolve` takes them.

    Parameters
    ----------
    response : np.ndarray [shape=(channel, tap)], float32
    n_fft : int
        Length of the transform, at least the number of taps.

    Returns
    -------
    np.ndarray [shape=(channel, n_fft // 2 + 1)], complex64

    Raises
    ------
    ParameterError
        The response does not fit.
    """
    if response.shape[-1] > n_fft:
        raise ParameterError(f"n_fft must be at least {response.shape[-1]}, got {n_fft}")
    return scipy.fft.rfft(response, n_fft, axis=-1)


def convolve(
    signal: npt.NDArray[np.float32], spectra: npt.NDArray[np.complex64], *, n_taps: int, n_ahead: int = 0
) -> npt.NDArray[np.float32]:
    """Filter one signal by one or more responses; what rings on after its end is left out.

    Parameters
    ----------
    signal : np.ndarray [shape=(sample,)], float32
    spectra : np.ndarray [shape=(channel, bin)], complex64
        Of the responses, see `transfer`; of ``2 (bin - 1)`` points, more than `n_taps`.
    n_taps : int > 0
        Length of the responses.
    n_ahead : int >= 0
        Of the taps, how many look ahead: they stand at the end of the transformed block.

    Returns
    -------
    np.ndarray [shape=(channel, sample)], float32
        ``sum_k h[k] x[n - k]`` for k from ``-n_ahead`` to ``n_taps - n_ahead - 1``.

    Raises
    ------
    ParameterError
        The responses are too long for the transform.

    Examples
    --------
    >>> echo = np.array([[1.0, 0.0, 0.5]], dtype=np.float32)
    >>> signal = np.array([1.0, 2.0, 3.0, 4.0], dtype=np.float32)
    >>> convolve(signal, transfer(echo, n_fft=8), n_taps=3).round(4)
    array([[1. , 2. , 3.5, 5. ]], dtype=float32)
    """
    n_fft = 2 * (spectra.shape[-1] - 1)
    step = n_fft - n_taps + 1
    if step < 1:
        raise ParameterError(f"a transform of {n_fft} points holds fewer than {n_taps} taps and a sample")
    n_blocks = _n_blocks(signal.size, step)
    first = n_taps - 1 - n_ahead
    padded = np.zeros((n_blocks - 1) * step + n_fft if n_blocks else 0, dtype=np.float32)
    padded[first : first + signal.size] = signal
    filtered = np.empty((spectra.shape[0], n_blocks, step), dtype=np.float32)
    n_together = max(_LANES, _TOGETHER // n_fft // _LANES * _LANES)
    for start in range(0, n_blocks, n_together):
        together = slice(start, start + n_together)
        blocks = scipy.fft.rfft(sliding_window_view(padded, n_fft)[::step][together], axis=-1)
        for channel, spectrum in enumerate(spectra):
            products = np.empty_like(blocks)
            _multiply(blocks.view(np.float32), spectrum.view(np.float32), products.view(np.float32))
            results = scipy.fft.irfft(products, n_fft, axis=-1, overwrite_x=True)
            filtered[channel, together] = results[:, first : first + step]
    return filtered.reshape(spectra.shape[0], -1)[:, : signal.size]


@compiled("void(float32[:, ::1], float32[::1], float32[:, ::1])")
def _multiply(
    blocks: npt.NDArray[np.float32], spectrum: npt.NDArray[np.float32], products: npt.NDArray[np.float32]
) -> None:
    """Multiply complex numbers, real and imaginary parts alternating."""
    for block in range(blocks.shape[0]):
        for k in range(0, blocks.shape[1], 2):
            real, imaginary = blocks[block, k], blocks[block, k + 1]
            products[block, k] = real * spectrum[k] - imaginary * spectrum[k + 1]
            products[block, k + 1] = real * spectrum[k + 1] + imaginary * spectrum[k]

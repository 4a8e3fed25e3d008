"""The accompaniment of a recording: what is analysed, and kept, where vocals are to be removed.

It is rounded to 24 bits before it is analysed, so that a file of it that was kept gives the same analysis as
the recording itself, bit for bit.

Where a voice was, masks leave holes: deeper than the music that it had covered, and a feature that averages
decibels, such as an MFCC, hears the holes rather than the music. So the analysis does not hear the
accompaniment alone, but with the recording behind it, 20 dB below: a limit of the attenuation, as it is known
from the suppression of noise. docs/accuracy.md has what that is worth.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.audio import STEREO, Samples, analysed_blocks
from amper_spark.errors import AmperSparkError, BadRecordError, Reason
from amper_spark.grid import SAMPLE_RATE
from amper_spark.separation.graph import GRAPH_REVISION

if TYPE_CHECKING:
    from pathlib import Path

    from amper_spark.config import Limits, Separation

Remove = Callable[[Iterable[Samples]], Iterator[Samples]]
"""Makes the accompaniment, (sample, 2) at 44,100 Hz, of a recording in that form, block by block."""

SEPARATION_REVISION = 1
"""Raised whenever the same configuration gives another accompaniment than before."""

_FULL_SCALE = 2**23
_VERSION_DIGITS = 12


def separation_version(settings: Separation) -> str:
    """Name all that decides what an accompaniment is like: a part of the names of the files that are kept.

    Examples
    --------
    >>> from amper_spark.config import Separation
    >>> separation_version(Separation()) == separation_version(Separation(weights="/models"))
    True
    >>> separation_version(Separation()) == separation_version(Separation(mask_extension="average"))
    False
    """
    parts = [SEPARATION_REVISION, GRAPH_REVISION, provider_name(settings), settings.mask_extension]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_VERSION_DIGITS]


def removal_version(settings: Separation) -> str:
    """Name all that decides what is analysed instead of a recording: a part of the analysis version.

    Examples
    --------
    >>> from amper_spark.config import Separation
    >>> removal_version(Separation()) == removal_version(Separation(attenuation_limit_db=None))
    False
    """
    return f"{separation_version(settings)} {settings.attenuation_limit_db}"


def provider_name(settings: Separation) -> str:
    """Say what removes the vocals, for the column ``provider``.

    Examples
    --------
    >>> from amper_spark.config import Separation
    >>> provider_name(Separation()), provider_name(Separation(provider="cuda"))
    ('spleeter-cpu-fp32', 'spleeter-cuda-fp32')
    """
    if settings.engine == "official":
        return "official-tensorflow"
    return f"spleeter-{settings.provider}{'' if settings.provider.endswith('bf16') else '-fp32'}"


def vocal_removal(settings: Separation, *, model: Path | None) -> Remove:
    """Make ready to remove vocals; for as many recordings as there are, one after the other.

    Parameters
    ----------
    settings : amper_spark.config.Separation
    model : Path or None
        The graph, see `amper_spark.separation.weights.fetch_weights`; the official engine needs none.

    Returns
    -------
    callable

    Raises
    ------
    AmperSparkError
        If the model, or what it runs on, is missing.
    """
    if settings.engine == "official":
        from amper_spark.separation.official import official_accompaniment

        return partial(
            official_accompaniment,
            python=str(settings.official_python),
            mask_extension=settings.mask_extension,
        )
    from amper_spark.separation.network import Network
    from amper_spark.separation.separator import separate_blocks

    if model is None:
        raise AmperSparkError("there is no network that removes vocals: run amper-spark separation fetch")
    network = Network(model, settings.provider)

    def remove(blocks: Iterable[Samples]) -> Iterator[Samples]:
        for stems in separate_blocks(blocks=blocks, network=network, mask_extension=settings.mask_extension):
            yield stems.accompaniment

    return remove


def rounded(blocks: Iterable[Samples]) -> Iterator[npt.NDArray[np.int32]]:
    """Round samples to 24 bits; what is beyond full scale is clipped, as in any file.

    Examples
    --------
    >>> (block,) = rounded([np.array([[0.5, -2.0]], dtype=np.float32)])
    >>> block.tolist()
    [[4194304, -8388608]]
    """
    for block in blocks:
        scaled = np.rint(block * np.float32(_FULL_SCALE))
        yield np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int32)


def analysed_accompaniment(
    blocks: Iterable[npt.NDArray[np.int32]],
    *,
    limits: Limits,
    recording: Iterable[Samples] = (),
    attenuation_limit_db: float | None = None,
) -> Iterator[Samples]:
    """Turn a rounded accompaniment into what is analysed.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(sample, 2)], int32
        See `rounded`, at 44,100 Hz.
    limits : amper_spark.config.Limits
        Below its ``silence_dbfs`` the accompaniment is refused.
    recording : iterable of np.ndarray [shape=(sample, 2)], float32
        What it is the accompaniment of, at 44,100 Hz; each block of any length.
    attenuation_limit_db : float > 0, optional
        How far below the recording is heard with it; by default not at all.

    Yields
    ------
    np.ndarray [shape=(sample,)], float32
        Mono at 22,050 Hz.

    Raises
    ------
    BadRecordError
        ``silent`` after the last block: nothing but vocals.
    """
    peak = 0.0

    def noted(block: Samples) -> Samples:
        nonlocal peak
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        return block

    floats = (block.astype(np.float32) / np.float32(_FULL_SCALE) for block in blocks)  # exact
    accompaniment = map(noted, analysed_blocks(floats, sample_rate=STEREO.sample_rate))
    if attenuation_limit_db is None:
        yield from accompaniment
    else:
        share = 10 ** (-attenuation_limit_db / 20)
        behind = analysed_blocks(recording, sample_rate=STEREO.sample_rate)
        yield from _mixed(accompaniment, behind, share=share)
    if peak < 10 ** (limits.silence_dbfs / 20):
        raise BadRecordError(
            Reason.SILENT,
            f"without vocals the peak is below {limits.silence_dbfs:g} dBFS, up to {SAMPLE_RATE // 2} Hz",
        )


def _mixed(blocks: Iterable[Samples], behind: Iterator[Samples], *, share: float) -> Iterator[Samples]:
    """Give another stream a share of the sum, silence after its end; it is read to its end in any case."""
    ahead = np.empty(0, dtype=np.float32)
    for block in blocks:
        while len(ahead) < len(block):
            more = next(behind, np.zeros(len(block), dtype=np.float32))
            ahead = np.concatenate([ahead, more])
        yield block + np.float32(share) * (ahead[: len(block)] - block)
        ahead = ahead[len(block) :]
    deque(behind, maxlen=0)

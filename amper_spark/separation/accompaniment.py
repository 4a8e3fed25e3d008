"""The accompaniment of a recording: what is analysed, and kept, where vocals are to be removed.

It is rounded to 24 bits before it is analysed, so that a file of it that was kept gives the same analysis as
the recording itself, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.audio import STEREO, Samples, analysed_blocks
from amper_spark.config import content_hash
from amper_spark.errors import BadRecordError, Reason
from amper_spark.grid import SAMPLE_RATE

if TYPE_CHECKING:
    from pathlib import Path

    from amper_spark.config import Limits, Separation

Remove = Callable[[Iterable[Samples]], Iterator[Samples]]
"""Makes the accompaniment, (sample, 2) at 44,100 Hz, of a recording in that form, block by block."""

SEPARATION_REVISION = 1
"""Raised whenever the same configuration gives another accompaniment than before."""

_FULL_SCALE = 2**23


def separation_version(settings: Separation) -> str:
    """Name all that decides what an accompaniment is like: a part of the analysis version, and of file names.

    Examples
    --------
    >>> from amper_spark.config import Separation
    >>> separation_version(Separation()) == separation_version(Separation(weights="/models"))
    True
    >>> separation_version(Separation()) == separation_version(Separation(mask_extension="average"))
    False
    """
    decisive = settings.model_copy(update={"weights": None, "official_python": None})
    return content_hash(decisive, salt=f"separation {SEPARATION_REVISION}")


def provider_name(settings: Separation) -> str:
    """Say what computes the masks, for the column ``provider``.

    Examples
    --------
    >>> from amper_spark.config import Separation
    >>> provider_name(Separation()), provider_name(Separation(provider="cuda"))
    ('cpu-fp32', 'cuda-fp32')
    """
    if settings.engine == "official":
        return "official-tensorflow"
    return settings.provider if settings.provider.endswith("bf16") else f"{settings.provider}-fp32"


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
    if settings.engine == "official" or model is None:
        from amper_spark.separation.official import official_accompaniment

        return partial(
            official_accompaniment,
            python=str(settings.official_python),
            mask_extension=settings.mask_extension,
        )
    from amper_spark.separation.network import Network
    from amper_spark.separation.separator import separate_blocks

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


def analysed_accompaniment(blocks: Iterable[npt.NDArray[np.int32]], *, limits: Limits) -> Iterator[Samples]:
    """Turn a rounded accompaniment into what is analysed.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(sample, 2)], int32
        See `rounded`, at 44,100 Hz.
    limits : amper_spark.config.Limits
        Below its ``silence_dbfs`` the accompaniment is refused.

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
    floats = (block.astype(np.float32) / np.float32(_FULL_SCALE) for block in blocks)  # exact
    for block in analysed_blocks(floats, sample_rate=STEREO.sample_rate):
        if block.size:
            peak = max(peak, float(np.abs(block).max()))
            yield block
    if peak < 10 ** (limits.silence_dbfs / 20):
        raise BadRecordError(
            Reason.SILENT,
            f"without vocals the peak is below {limits.silence_dbfs:g} dBFS, up to {SAMPLE_RATE // 2} Hz",
        )

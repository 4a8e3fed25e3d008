"""Memory for audio that comes and goes."""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_LARGEST_KEPT = 32 * 2**20  # more the GNU C library does not take
_KEPT_FREE = 256 * 2**20


def keep_freed_memory() -> None:
    """Let this process keep memory that it frees, for what it needs next, instead of giving it back.

    A render takes and frees hundreds of pieces of some MB. By default the GNU C library gives such memory
    back to the system, which has to clear it again for each of them: a sixth of all the time. Up to 256 MB
    are kept. Other C libraries have ways of their own, and are left alone.
    """
    with contextlib.suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_FREE)

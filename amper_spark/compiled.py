"""Loops that are compiled: once for a machine, and by one process at a time.

Kernels have fixed types and are compiled where they are defined, or loaded from the cache of an earlier
process. No arithmetic is reordered or fused (no ``fastmath``): a kernel gives the same bits on every x86-64
machine, however wide its vectors are. Two processes that write numba's cache at once have been seen to ruin
it; hence the lock.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Function = TypeVar("Function", bound="Callable[..., Any]")


def compiled(signature: str) -> Callable[[Function], Function]:
    """Compile a function for arrays of given types.

    Parameters
    ----------
    signature : str
        In numba's notation, such as ``"float32[:](float32[:, ::1])"``.

    Returns
    -------
    callable
        A decorator.

    Examples
    --------
    >>> import numpy as np
    >>> @compiled("float64(float64[::1])")
    ... def total(values):
    ...     result = 0.0
    ...     for value in values:
    ...         result += value
    ...     return result
    >>> total(np.arange(4.0))
    6.0
    """

    def decorate(function: Function) -> Function:
        with _alone():
            try:
                return _compile(function, signature)
            except RuntimeError:
                # Neither the package's folder nor the user's can be written: executors have little.
                numba.config.CACHE_DIR = str(_folder())  # type: ignore[attr-defined]  # set at run time
                return _compile(function, signature)

    return decorate


def _compile(function: Any, signature: str) -> Any:
    # A function without a file, as in an example, has no place in the cache.
    return numba.njit(signature, cache=Path(function.__code__.co_filename).is_file(), error_model="numpy")(
        function
    )


def _folder() -> Path:
    folder = Path(tempfile.gettempdir(), f"amper_spark-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def _alone() -> Iterator[None]:
    with (_folder() / "compiling.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

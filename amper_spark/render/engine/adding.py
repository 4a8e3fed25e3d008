"""Add sounds to sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.compiled import compiled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@compiled("void(float32[::1], float32[::1], float32)")
def add_scaled(total: npt.NDArray[np.float32], sound: npt.NDArray[np.float32], gain: float) -> None:
    """Add ``gain sound`` to the total, in place, without memory for the product.

    Parameters
    ----------
    total, sound : np.ndarray [shape=(sample,)], float32
        What is longer of the two is left as it is at its end.
    gain : float

    Examples
    --------
    >>> import numpy as np
    >>> total = np.ones(3, dtype=np.float32)
    >>> add_scaled(total, np.ones(2, dtype=np.float32), 0.5)
    >>> total
    array([1.5, 1.5, 1. ], dtype=float32)
    """
    for n in range(min(total.size, sound.size)):
        total[n] += gain * sound[n]

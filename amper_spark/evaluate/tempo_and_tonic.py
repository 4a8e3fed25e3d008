"""Whether a tempo or a tonic that was heard is the one that it should be, by the rules of MIREX.

References
----------
.. [1] Gouyon, F. et al. "An experimental comparison of audio tempo induction algorithms." IEEE Transactions
       on Audio, Speech, and Language Processing 14(5), 2006. Accuracy 1 and accuracy 2.
.. [2] MIREX 2005, audio key finding: 1 for the key, 0.5 for the one a perfect fifth above it. The points for
       relative and parallel keys need a mode, which a tonic has not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError

TEMPO_TOLERANCE = 0.04
"""Of the tempo that it should be, either way [1]_."""
OCTAVES = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)
"""What people who tap along with the same music differ by, as factors [1]_."""

_FIFTH = 7
_FIFTH_POINTS = 0.5


def same_tempo(
    *,
    reference_bpm: npt.ArrayLike,
    heard_bpm: npt.ArrayLike,
    tolerance: float = TEMPO_TOLERANCE,
    octaves: bool = False,
) -> npt.NDArray[np.bool_]:
    """Tell whether tempi are the same.

    Parameters
    ----------
    reference_bpm, heard_bpm : array-like of float > 0 [shape=(n,)]
    tolerance : float >= 0
    octaves : bool
        Whether half, double, a third and three times as fast are the same, too.

    Returns
    -------
    np.ndarray [shape=(n,)], bool

    Raises
    ------
    ParameterError
        A tempo is not positive.

    Examples
    --------
    >>> same_tempo(reference_bpm=[100, 100, 100], heard_bpm=[104, 105, 50]).tolist()
    [True, False, False]
    >>> same_tempo(reference_bpm=[100, 100, 100], heard_bpm=[104, 105, 50], octaves=True).tolist()
    [True, False, True]
    """
    reference = np.atleast_1d(np.asarray(reference_bpm, dtype=np.float64))
    heard = np.atleast_1d(np.asarray(heard_bpm, dtype=np.float64))
    for tempi in (reference, heard):
        if not (tempi > 0).all():
            raise ParameterError(f"tempi must be positive, got {tempi[~(tempi > 0)][0]}")
    factors = np.array(OCTAVES if octaves else (1.0,))
    wanted = reference[:, None] * factors
    near: npt.NDArray[np.bool_] = (np.abs(heard[:, None] - wanted) <= tolerance * wanted * (1 + 1e-12)).any(
        axis=1
    )
    return near


def tonic_points(*, reference: npt.ArrayLike, heard: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Give points for tonics [2]_.

    Parameters
    ----------
    reference, heard : array-like of int [shape=(n,)]
        Pitch classes, C = 0.

    Returns
    -------
    np.ndarray [shape=(n,)], float64
        1, 0.5 or 0.

    Raises
    ------
    ParameterError
        Not a pitch class.

    Examples
    --------
    >>> tonic_points(reference=[0, 0, 0], heard=[0, 7, 5]).tolist()
    [1.0, 0.5, 0.0]
    """
    wanted, told = np.atleast_1d(np.asarray(reference)), np.atleast_1d(np.asarray(heard))
    for tonics in (wanted, told):
        if not np.isin(tonics, np.arange(12)).all():
            raise ParameterError(
                f"pitch classes are 0 to 11, got {tonics[~np.isin(tonics, np.arange(12))][0]}"
            )
    steps = (told - wanted) % 12
    return np.select([steps == 0, steps == _FIFTH], [1.0, _FIFTH_POINTS], 0.0)

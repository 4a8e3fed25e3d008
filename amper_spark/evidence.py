"""Whether a recording has sections at all: what is asked of a form before it is believed.

Of all numbers of sections one is always the best, and need not be good. A recording has sections only if all
of this holds:

- *Something changes*: harmony deviates from its mean by `LEAST_CHANGE_DB`, or timbre by as much. A chord that
  sounds on deviates by up to 1.4 dB, since frames and beats meet differently, and by up to 2.5 dB where its
  notes beat; music by 10 dB and more.
- *Something recurs in sequence.* Among the links between units that sound alike, the running medians along
  the diagonals leave at least `LEAST_RECURRENCE` times as many as of as many links at random. In noise they
  leave just those: the random walk follows time alone, and any cut into equal parts is as good as any other.
- *Not everything recurs everywhere.* The slowest mode of the random walk lives at least as long as the
  diffusion map takes: lambda_2^t >= 1 / e for its t steps. In a drone, a steady pulse or a bar repeated
  throughout, a walk may soon be anywhere, and what the map still shows is chance, whatever its silhouette.
- *Sections are apart*: the silhouette reaches `REASONABLE_SILHOUETTE` or, where `CLEAR_RECURRENCE` leaves no
  doubt that there is order, `LEAST_SILHOUETTE`. Loops of some bars fail here: their beats recur in sequence,
  but run through each other.

==============================  ==========  ===========  ===============
25 to 260 s of                  recurrence  lambda_2^t   best silhouette
==============================  ==========  ===========  ===============
white and pink noise            0.4 - 2.3   0.70 - 1.00  0.24 - 0.52
chord under noise               0.6 - 1.9   0.93 - 1.00  0.06 - 0.47
chord                           3.5 - 33    0.01 - 0.90  0.00 - 0.89
click every beat                2.6 - 22    0.03 - 0.88  0.01 - 0.60
one bar repeated                2.6 - 92    0.00 - 0.23  0.00 - 0.61
four bars repeated              1.2 - 93    0.12 - 0.72  0.00 - 0.18
silence, then a loop            2.5 - 48    0.90 - 1.00  0.59 - 0.95
silence, then noise             3.2 - 8.1   0.98 - 1.00  0.34 - 0.90
form AB of 24 to 38 s           2.9 - 3.9   0.78 - 0.98  0.80 - 0.94
longer forms, such as ABACA     6.7 - 76    0.79 - 1.00  0.75 - 0.96
four recordings of rock         58 - 98     0.94 - 1.00  0.56 - 0.79
==============================  ==========  ===========  ===============

Ten recordings each of the first eight kinds. Of the sixty without sections, two of clicks were given some; of
the twenty with silence first, eighteen were given theirs, all but two with noise.

References
----------
.. [1] Kaufman, L. and Rousseeuw, P. J. "Finding groups in data." Wiley 1990, chapter 2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from amper_spark.laplacian import deviation

LEAST_CHANGE_DB = 1.5
MFCC_PER_DB = 3.0
"""Where all mel bands change alike, MFCC 0 to 12 do sqrt(128 / 13) times as much (root mean square)."""
REASONABLE_SILHOUETTE, LEAST_SILHOUETTE = 0.5, 0.4
"""The one is Kaufman and Rousseeuw's [1]_, who call less weak and perhaps artificial; for the other, and what
follows, see the table above."""
CLEAR_RECURRENCE, LEAST_RECURRENCE = 10.0, 2.0
LEAST_MEMORY = float(np.exp(-1))


def changes(*, harmony: npt.NDArray[np.floating], timbre: npt.NDArray[np.floating]) -> bool:
    """Tell whether something changes.

    Parameters
    ----------
    harmony : np.ndarray [shape=(bin, unit)]
        Constant-Q energies in dB.
    timbre : np.ndarray [shape=(coefficient, unit)]
        MFCC.

    Examples
    --------
    >>> changes(harmony=np.zeros((84, 9)), timbre=np.tile([-5.0, 5.0, 0.0], (13, 3)))
    False
    >>> changes(harmony=np.zeros((84, 9)), timbre=np.tile([-9.0, 9.0, 0.0], (13, 3)))
    True
    """
    return max(deviation(harmony), deviation(timbre) / MFCC_PER_DB) >= LEAST_CHANGE_DB


def recurs(*, recurrence: float, memory: float) -> bool:
    """Tell whether something recurs in sequence, and not everything everywhere.

    Parameters
    ----------
    recurrence, memory : float >= 0
        See `amper_spark.laplacian.Embedding`.

    Examples
    --------
    >>> recurs(recurrence=30.0, memory=0.9), recurs(recurrence=1.0, memory=0.9)
    (True, False)
    """
    return recurrence >= LEAST_RECURRENCE and memory >= LEAST_MEMORY


def least_silhouette(*, recurrence: float) -> float:
    """Give the mean silhouette that sections need to count as apart.

    Examples
    --------
    >>> least_silhouette(recurrence=3.0), least_silhouette(recurrence=30.0)
    (0.5, 0.4)
    """
    return LEAST_SILHOUETTE if recurrence >= CLEAR_RECURRENCE else REASONABLE_SILHOUETTE

"""Which styles a window may be of at all, by how much of it has a pitch.

A classifier knows only what it has learnt to tell apart. Of a window that is like none of that it has to say
something, too; and the study's classifiers then said ``cinematic_percussion``, a style without pitched
instruments, of music that has a pitch throughout. So each style is remembered by how tonal its windows are,
and is improbable for windows that are more so, or less, than nearly all of these.

References
----------
.. [1] Scheirer, W. J. et al. "Toward open set recognition." IEEE Transactions on Pattern Analysis and Machine
       Intelligence 35 (2013): what is far from all that was learnt from must not be claimed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from amper_spark.classify.hierarchy import Hierarchy

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]


def tonalness_limits(*, tonalness: Floats, style: Codes, share: float) -> npt.NDArray[np.float32]:
    """Find between which values nearly all windows of each style are.

    Parameters
    ----------
    tonalness : np.ndarray [shape=(n,)]
        See `amper_spark.tonalness`.
    style : np.ndarray [shape=(n,)]
        The style of each window, counted from 0; of each there is one window or more.
    share : float
        At least 0, below 0.5: of a style's windows, so many at most are below its limits, and as many above.

    Returns
    -------
    np.ndarray [shape=(style, 2), dtype=float32]
        Lower and upper limits.

    Raises
    ------
    ParameterError
        The share is out of range; lengths differ.

    Examples
    --------
    >>> tonalness = np.linspace(0, 1, 101, dtype=np.float32)
    >>> tonalness_limits(tonalness=tonalness, style=np.zeros(101, dtype=int), share=0.05).round(2).tolist()
    [[0.05000000074505806, 0.949999988079071]]
    """
    if len(tonalness) != len(style):
        raise ParameterError(f"tonalness is of {len(tonalness)} windows, style of {len(style)}")
    if not 0 <= share < 0.5:
        raise ParameterError(f"share must be at least 0 and below 0.5, got {share}")
    order = np.argsort(style, kind="stable")
    starts = np.searchsorted(style[order], np.arange(1, style.max() + 1))
    of_styles = np.split(tonalness[order], starts)
    lower = [np.quantile(values, share, method="lower") for values in of_styles]
    upper = [np.quantile(values, 1 - share, method="higher") for values in of_styles]
    return np.column_stack([lower, upper]).astype(np.float32)


def plausible_styles(
    hierarchy: Hierarchy, probabilities: Floats, *, tonalness: Floats, limits: Floats, share: float
) -> Floats:
    """Make styles improbable whose limits a window is beyond.

    Parameters
    ----------
    hierarchy : Hierarchy
    probabilities : np.ndarray [shape=(n, style), dtype=float32]
        Of the nodes of ``subgenre``, given their genre.
    tonalness : np.ndarray [shape=(n,)]
    limits : np.ndarray [shape=(style, 2)]
        See `tonalness_limits`.
    share : float
        What probabilities beyond the limits are multiplied by: a window there is as rare.

    Returns
    -------
    np.ndarray [shape=(n, style), dtype=float32]
        Those of one genre add up to 1 again; where all of them are implausible, they stay as they are.
    """
    lower, upper = limits.T
    is_beyond = (tonalness[:, np.newaxis] < lower) | (tonalness[:, np.newaxis] > upper)
    plausible = np.where(is_beyond, np.float32(share) * probabilities, probabilities)
    for genre in range(len(hierarchy.nodes["genre"])):
        siblings = plausible[:, hierarchy.children("subgenre", genre)]
        total = siblings.sum(axis=1, keepdims=True)
        siblings /= np.where(total > 0, total, 1.0)
    return plausible

"""Windows to measure models on: those of a lake, or such as a full corpus would have, made up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from amper_spark.classify.windows import MATRIX_COLUMNS, STORED_COLUMNS, Recordings, Windows
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.features.registry import FEATURES
from amper_spark.spark.lake import Lake
from amper_spark.spark.training_material import read_material

# Variances of the 21 standardised features along their common principal components: between descriptors,
# between recordings of a descriptor, and between windows of a recording; measured on 408 renders of 20 s.
_DESCRIPTORS = (7.9, 1.7, 1.4, 0.76, 0.5, 0.31, 0.18, 0.12, 0.09, 0.07, 0.08)
_RECORDINGS = (1.46, 1.13, 0.86, 0.59, 0.48, 0.38, 0.34, 0.31, 0.24, 0.22, 0.15, 0.14, 0.08, 0.07, 0.07, 0.04)
_WINDOWS = (0.34, 0.27, 0.15, 0.08, 0.08, 0.06, 0.06, 0.04, 0.03, 0.03, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01)
_KEPT = 0.7
"""Correlation of a window's noise with that of the window before, which starts 2 s earlier."""
_WITHIN_STYLE = 0.3
"""Share of the descriptors' variance that lies between those of one style."""
_WINDOWS_OF_RENDERS = (1, 11, 26)
"""Of renders of 10, 30 and 60 s."""


def read_windows(lake: str) -> Windows:
    """Read what `train` would learn from in a lake: the windows of renders with the usual font."""
    return read_material(Lake(lake), catalogue=load_catalogue()).windows


def made_up_windows(*, renders_per_duration: int = 33, seed: int = 0) -> Windows:
    """Make windows that are spread as those of renders are, of all descriptors.

    Parameters
    ----------
    renders_per_duration : int
        Recordings of each descriptor with 1, with 11 and with 26 windows; 33 are the full corpus's.
    seed : int

    Returns
    -------
    Windows
        Descriptors lie about the mean of their style, recordings about that of their descriptor, and windows
        about that of their recording, each like the one before. Clouds of one shape overlap more than real
        sounds do: what costs depend on is like a corpus's, accuracy is not.

    Examples
    --------
    >>> len(made_up_windows(renders_per_duration=1))
    7752
    """
    rng = np.random.default_rng(seed)
    catalogue = list(load_catalogue())
    styles = sorted({one.path[:2] for one in catalogue})
    style = [styles.index(one.path[:2]) for one in catalogue]
    descriptors = np.sqrt(1 - _WITHIN_STYLE) * _spread(_DESCRIPTORS, len(styles), rng)[style]
    descriptors += np.sqrt(_WITHIN_STYLE) * _spread(_DESCRIPTORS, len(catalogue), rng)
    n_windows = np.tile(_WINDOWS_OF_RENDERS, len(catalogue) * renders_per_duration)
    descriptor = np.repeat(np.arange(len(catalogue)), len(_WINDOWS_OF_RENDERS) * renders_per_duration)
    means = descriptors[descriptor] + _spread(_RECORDINGS, len(descriptor), rng)
    recording = np.repeat(np.arange(len(n_windows)), n_windows)
    noise = _spread(_WINDOWS, len(recording), rng)
    for window in np.flatnonzero(recording[1:] == recording[:-1]) + 1:
        noise[window] = _KEPT * noise[window - 1] + np.sqrt(1 - _KEPT**2) * noise[window]
    axes = np.linalg.qr(rng.normal(size=(len(FEATURES), len(FEATURES))))[0]
    features = (means[recording] + noise) @ axes
    stored = np.array([feature.stored for feature in FEATURES])
    bands = np.linalg.qr(rng.normal(size=(len(MATRIX_COLUMNS) - len(STORED_COLUMNS), sum(~stored))))[0]
    logmel = features[:, ~stored] @ bands.T
    matrix = np.column_stack([features[:, stored], logmel]).astype(np.float32)
    unknown = np.full(len(descriptor), "", dtype=object)
    return Windows(
        matrix,
        recording,
        number=np.arange(len(recording)) - np.searchsorted(recording, recording),
        recordings=Recordings(
            ids=np.arange(len(descriptor)).astype(str).astype(object),
            descriptors=np.array([catalogue[place].name for place in descriptor], dtype=object),
            halves=unknown,
            fonts=unknown,
        ),
    )


def _spread(variances: tuple[float, ...], n: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    drawn = np.zeros((n, len(FEATURES)))
    drawn[:, : len(variances)] = rng.normal(size=(n, len(variances))) * np.sqrt(variances)
    return drawn

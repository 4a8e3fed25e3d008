"""How alike windows of one recording are: why data to learn from are split by recording."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.distance import pdist
from sklearn.neighbors import NearestNeighbors

from amper_spark.errors import ParameterError
from amper_spark.grid import WINDOW_DURATION_S, WINDOW_STRIDE_S

Features = npt.NDArray[np.float32]

KINDS_OF_PAIRS = (
    "same recording, 2 s later",
    "same recording, no sound shared",
    "same descriptor, another recording",
    "another descriptor",
)
"""How two windows may be related, from near to far."""

_N_PAIRED = 3_000
_N_ASKED = 1_000


def window_distances(windows: pd.DataFrame, features: Features) -> pd.DataFrame:
    """Measure how far apart windows are, pair by pair.

    Parameters
    ----------
    windows : pd.DataFrame
        With ``track_id``, ``recording_id``, ``descriptor`` and ``start_s``.
    features : np.ndarray [shape=(n, 21)]
        Standardised, a row a window.

    Returns
    -------
    pd.DataFrame
        Pairs of windows: ``kind``, one of `KINDS_OF_PAIRS`, and ``distance``, Euclidean. They are all pairs
        of these kinds among 3,000 windows or fewer, of whole recordings drawn at random.

    Raises
    ------
    ParameterError
        There is not a row of features for each window.
    """
    _check_aligned(windows, features)
    chosen = _whole_recordings(windows, most=_N_PAIRED)
    sample = windows.iloc[chosen]
    apart_s = pdist(sample[["start_s"]].to_numpy())
    is_same = {name: _is_same(sample[name]) for name in ("track_id", "recording_id", "descriptor")}
    conditions = [
        is_same["track_id"] & (apart_s == WINDOW_STRIDE_S),
        is_same["track_id"] & (apart_s >= WINDOW_DURATION_S),
        is_same["descriptor"] & ~is_same["recording_id"],
        ~is_same["descriptor"] & ~is_same["recording_id"],
    ]
    distances = pdist(features[chosen]).astype(np.float32)
    of_kind = [
        pd.DataFrame({"kind": kind, "distance": distances[condition]})
        for kind, condition in zip(KINDS_OF_PAIRS, conditions, strict=True)
    ]
    return pd.concat(of_kind, ignore_index=True).astype({"kind": "category"})


def nearest_windows(windows: pd.DataFrame, features: Features) -> pd.DataFrame:
    """Tell where the window most like a window is found.

    Parameters
    ----------
    windows : pd.DataFrame
        With ``recording_id`` and ``descriptor``.
    features : np.ndarray [shape=(n, 21)]
        Standardised, a row a window.

    Returns
    -------
    pd.DataFrame
        One row. ``windows`` that were asked: 1,000 or fewer, drawn from the recordings that have several.
        ``same_recording``: the share of them whose nearest neighbour is of their own recording;
        ``by_chance``: what that were with neighbours drawn at random; ``same_descriptor``: the share whose
        nearest neighbour *among the other recordings* has their descriptor. NaN where there is none to ask,
        or no other recording.

    Raises
    ------
    ParameterError
        There is not a row of features for each window.
    """
    _check_aligned(windows, features)
    recording = pd.factorize(windows["recording_id"])[0]
    n_beside = np.bincount(recording)[recording] - 1
    candidates = np.flatnonzero(n_beside)
    rng = np.random.default_rng(0)
    asked = np.sort(rng.choice(candidates, min(_N_ASKED, len(candidates)), replace=False))
    columns = ["windows", "same_recording", "by_chance", "same_descriptor"]
    if not len(asked) or recording.max() == 0:
        return pd.DataFrame([[0, np.nan, np.nan, np.nan]], columns=columns)
    # Two more than a window has beside it: itself is found too, and one of them has to be of elsewhere.
    search = NearestNeighbors(n_neighbors=n_beside.max() + 2, algorithm="brute").fit(features)
    found = search.kneighbors(features[asked], return_distance=False)
    nearest = _first(found, found != asked[:, None])
    elsewhere = _first(found, recording[found] != recording[asked][:, None])
    descriptor = windows["descriptor"].to_numpy()
    shares = [
        (recording[nearest] == recording[asked]).mean(),
        (n_beside[asked] / (len(windows) - 1)).mean(),
        (descriptor[elsewhere] == descriptor[asked]).mean(),
    ]
    return pd.DataFrame([[len(asked), *np.round(shares, 3)]], columns=columns)


def _is_same(names: pd.Series[str]) -> npt.NDArray[np.bool_]:
    codes = pd.factorize(names)[0]
    return pdist(codes[:, None].astype(np.float64)) == 0


def _first(found: npt.NDArray[np.intp], is_wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    return found[np.arange(len(found)), is_wanted.argmax(axis=1)]


def _whole_recordings(windows: pd.DataFrame, *, most: int) -> npt.NDArray[np.intp]:
    codes = pd.factorize(windows["recording_id"])[0]
    lengths = np.bincount(codes)
    order = np.random.default_rng(0).permutation(len(lengths))
    is_chosen = np.zeros(len(lengths), dtype=np.bool_)
    is_chosen[order] = np.cumsum(lengths[order]) <= most
    return np.flatnonzero(is_chosen[codes])


def _check_aligned(windows: pd.DataFrame, features: Features) -> None:
    if len(features) != len(windows):
        raise ParameterError(f"features must have a row a window, {len(windows)}, got {len(features)}")

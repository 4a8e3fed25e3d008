"""What a training learns from: the labelled windows of a lake, checked, those of other fonts set apart."""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.classify.checks import (
    FEWEST_RECORDINGS,
    require_finite,
    require_known_descriptors,
    require_no_copies,
    require_trainable,
)
from amper_spark.classify.provenance import GENRE_SHARES
from amper_spark.classify.splits import nested_subsets
from amper_spark.classify.training import Material
from amper_spark.errors import AmperSparkError
from amper_spark.spark.labelled_windows import read_labelled_windows
from amper_spark.terminal import counted

if TYPE_CHECKING:
    import numpy.typing as npt

    from amper_spark.classify.windows import Recordings, Windows
    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.spark.lake import Lake

    Mask = npt.NDArray[np.bool_]

_LOG = logging.getLogger(__name__)

_SHARE_DIGITS = 4


def read_material(
    lake: Lake, *, catalogue: Catalogue, corpus: str | None = None, limit: int | None = None
) -> Material:
    """Read and check what there is to learn from.

    Parameters
    ----------
    lake : Lake
    catalogue : Catalogue
        Knows the descriptors.
    corpus : str, optional
        None takes all labelled recordings.
    limit : int, optional
        At most so many recordings to learn from, as evenly over the descriptors as can be; at least three of
        each.

    Returns
    -------
    Material
        The font of most renders is learnt from; renders with other fonts are set apart.

    Raises
    ------
    AmperSparkError
        Something that no model can honestly be trained on, see `amper_spark.classify.checks`.
    """
    found = read_labelled_windows(lake, catalogue=catalogue, corpus=corpus)
    require_known_descriptors(found.windows.recordings.descriptors.tolist(), catalogue)
    require_no_copies(found.windows)
    windows, others = _apart(found.windows)
    require_trainable(windows, catalogue=catalogue)
    if others is not None:
        require_finite(others)
    if limit is not None and limit < len(windows.recordings):
        windows = windows.take_recordings(_evenly(windows.recordings, limit))
    made_with = {
        **{name.removesuffix("_version"): value for name, value in found.made_with.items()},
        "analysis_version": found.analysis_version,
        "catalogue": catalogue.version,  # not that of renders: the model's trees are made from this one
        GENRE_SHARES: _genre_shares(windows, catalogue),
    }
    tags = {f"{table}_delta_version": str(version) for table, version in found.snapshot.items()}
    return Material(windows, others, made_with, tags | {"corpus_name": corpus or "all"})


def _genre_shares(windows: Windows, catalogue: Catalogue) -> str:
    counts = Counter(catalogue[name].genre for name in windows.descriptors.tolist())
    shares = {genre: round(count / len(windows), _SHARE_DIGITS) for genre, count in sorted(counts.items())}
    return json.dumps(shares)


def _evenly(recordings: Recordings, limit: int) -> Mask:
    """Choose so many recordings: of each descriptor the same number or one more, or all that it has."""
    counts = np.unique(recordings.descriptors.astype(str), return_counts=True)[1]
    sizes = [int(np.minimum(counts, each).sum()) for each in range(counts.max() + 1)]
    each = max(number for number, size in enumerate(sizes) if size <= limit)
    if each < FEWEST_RECORDINGS:
        raise AmperSparkError(
            f"--limit must be at least {sizes[FEWEST_RECORDINGS]:,}, {FEWEST_RECORDINGS} recordings a "
            f"descriptor, got {limit}"
        )
    (chosen,) = nested_subsets(recordings, [sizes[each]], fewest=each)
    (larger,) = nested_subsets(recordings, [sizes[each + 1]], fewest=each + 1)
    chosen[np.flatnonzero(larger & ~chosen)[: limit - sizes[each]]] = True
    return chosen


def _apart(windows: Windows) -> tuple[Windows, Windows | None]:
    """Set recordings apart that were played with another font than most renders.

    Of them only those are kept that can be asked about: of descriptors that are learnt.
    """
    recordings = windows.recordings
    counts = Counter(font for font in recordings.fonts.tolist() if font)
    if len(counts) < 2:
        return windows, None
    (font, _), *_ = counts.most_common()
    is_other = (recordings.fonts != font) & (recordings.fonts != "")
    named = recordings.descriptors.astype(str)
    asked = is_other & np.isin(named, named[~is_other])
    learnt_from = windows.take_recordings(~is_other)
    if n_more := int(is_other.sum() - asked.sum()):
        _LOG.warning(
            "%s with other fonts than %s are left out: none of their descriptors is learnt",
            counted(n_more, "render"),
            font,
        )
    return learnt_from, windows.take_recordings(asked) if asked.any() else None

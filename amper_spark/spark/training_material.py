"""What a training learns from: the labelled windows of a lake, checked, those of other fonts set apart."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.classify.checks import require_trainable
from amper_spark.classify.splits import nested_subsets
from amper_spark.classify.training import Material
from amper_spark.errors import AmperSparkError
from amper_spark.spark.labelled_windows import read_labelled_windows

if TYPE_CHECKING:
    from amper_spark.classify.windows import Windows
    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)


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
        At most so many recordings to learn from, as evenly over the descriptors as can be.

    Returns
    -------
    Material
        The font of most renders is learnt from; renders with other fonts are set apart.

    Raises
    ------
    AmperSparkError
        Something that no model can honestly be trained on, see `amper_spark.classify.checks`.
    """
    found = read_labelled_windows(lake, corpus=corpus)
    windows = _with_current_names(found.windows, catalogue)
    windows, others = _apart(windows)
    if limit is not None and limit < len(windows.recordings):
        n_descriptors = len(np.unique(windows.recordings.descriptors.astype(str)))
        if limit < n_descriptors:
            raise AmperSparkError(f"--limit must be at least one a descriptor, {n_descriptors}, got {limit}")
        windows = windows.take_recordings(nested_subsets(windows.recordings, [limit])[0])
    require_trainable(windows, catalogue=catalogue, analysis_versions=[found.analysis_version])
    made_with = {
        "analysis_version": found.analysis_version,
        "catalogue": catalogue.version,
        **{name.removesuffix("_version"): value for name, value in found.made_with.items()},
    }
    tags = {f"{table}_delta_version": str(version) for table, version in found.snapshot.items()}
    return Material(windows, others, made_with, tags | {"corpus": corpus or "all"})


def _with_current_names(windows: Windows, catalogue: Catalogue) -> Windows:
    """Call descriptors what the catalogue calls them now."""
    named = windows.recordings.descriptors.tolist()
    return windows.with_descriptors([catalogue[name].name if name in catalogue else name for name in named])


def _apart(windows: Windows) -> tuple[Windows, Windows | None]:
    """Set recordings apart that were played with another font than most renders."""
    fonts = windows.recordings.fonts
    counts = Counter(font for font in fonts.tolist() if font)
    if len(counts) < 2:
        return windows, None
    (font, _), *_ = counts.most_common()
    is_other = (fonts != font) & (fonts != "")
    _LOG.info(
        "%s renders with other fonts than %s are for the test of an unseen font", f"{is_other.sum():,}", font
    )
    return windows.take_recordings(~is_other), windows.take_recordings(is_other)

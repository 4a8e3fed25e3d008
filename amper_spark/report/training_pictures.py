"""Pictures of a corpus to learn from, and of the catalogue that it was rendered from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from amper_spark.descriptors.moods import N_MOMENTUM, SENTIMENTS
from amper_spark.features.registry import FEATURES
from amper_spark.report.near_windows import KINDS_OF_PAIRS
from amper_spark.report.pictures import new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SENTIMENT_COLOURS = {"negative": "#d55e00", "neutral": "#999999", "positive": "#0072b2"}
"""Okabe and Ito's vermilion, grey and blue: told apart with any kind of colour vision."""

_BOX_COLOUR = "#56b4e9"
_DPI = 90  # notebooks stay small
_TEMPO_AXIS = "tempo of the window (BPM)"


def moods_picture(descriptors: pd.DataFrame) -> Figure:
    """Draw which moods each style has, and how many.

    Parameters
    ----------
    descriptors : pd.DataFrame
        See `amper_spark.report.training_data.describe_descriptors`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    styles = sorted(descriptors["style"].unique(), reverse=True)
    moods = [
        mood
        for sentiment in SENTIMENTS
        for mood in sorted(descriptors.loc[descriptors["sentiment"] == sentiment, "mood"].unique())
    ]
    moods = list(dict.fromkeys(moods))
    figure = new_figure(12, 5.2, dpi=_DPI)
    grid, bars = figure.subplots(1, 2, sharey=True, width_ratios=[4, 1])
    start = np.zeros(len(styles))
    for sentiment in SENTIMENTS:
        some = descriptors[descriptors["sentiment"] == sentiment]
        colour = SENTIMENT_COLOURS[sentiment]
        grid.scatter(
            [moods.index(mood) for mood in some["mood"]],
            [styles.index(style) for style in some["style"]],
            color=colour,
            marker="s",
            s=40,
        )
        counts = some["style"].value_counts().reindex(styles, fill_value=0).to_numpy()
        bars.barh(styles, counts, left=start, color=colour, label=f"{sentiment} ({len(some)})")
        start += counts
    grid.set_xticks(range(len(moods)), moods, rotation=90)
    grid.set_xlim(-0.7, len(moods) - 0.3)
    grid.grid(color="black", alpha=0.1, linewidth=0.6)
    grid.set_axisbelow(True)
    grid.set_ylabel("genre_subgenre")
    bars.bar_label(bars.containers[-1], labels=[f"{count:.0f}" for count in start], padding=2)
    bars.set_xlim(0, 1.15 * start.max())
    bars.set_xlabel("moods")
    figure.legend(loc="outside upper right", ncols=3, title="sentiment (descriptors)", fontsize=9)
    _title(figure, f"Moods by genre and subgenre   n = {len(descriptors)} descriptors, {len(moods)} moods")
    return figure


def affect_picture(descriptors: pd.DataFrame) -> Figure:
    """Draw how many descriptors have each sentiment, valence and momentum, before and after the merge.

    Parameters
    ----------
    descriptors : pd.DataFrame
        See `amper_spark.report.training_data.describe_descriptors`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib import colormaps

    figure = new_figure(12, 5.5, dpi=_DPI)
    axes = figure.subplots(2, len(SENTIMENTS), sharey=True)
    colours = colormaps["viridis"](np.linspace(0.95, 0.05, N_MOMENTUM))
    levels = {"valence_of_four": ("as given", 4), "valence": ("levels 0 and 1 merged", 3)}
    for row, (column, (words, n_levels)) in zip(axes, levels.items(), strict=True):
        for place, sentiment in zip(row, SENTIMENTS, strict=True):
            some = descriptors[descriptors["sentiment"] == sentiment]
            for momentum in range(N_MOMENTUM):
                counts = some.loc[some["momentum"] == momentum, column].value_counts()
                x = np.arange(n_levels) + 0.16 * (momentum - (N_MOMENTUM - 1) / 2)
                y = counts.reindex(range(n_levels), fill_value=0)
                label = str(momentum) if place is axes[0, 0] else None
                place.bar(x, y, width=0.16, color=colours[momentum], label=label)
            place.set_xticks(range(n_levels))
            place.set_xlabel(f"valence, {words}")
            place.grid(axis="y", color="black", alpha=0.12, linewidth=0.6)
            place.set_axisbelow(True)
            if column == "valence_of_four":
                place.set_title(f"{sentiment}   n = {len(some)}", fontsize=10)
        row[0].set_ylabel("descriptors")
    figure.legend(loc="outside upper right", ncols=N_MOMENTUM, title="momentum", fontsize=9)
    _title(figure, f"Sentiment, valence and momentum   n = {len(descriptors)} descriptors")
    return figure


def tempo_by_style_picture(windows: pd.DataFrame) -> Figure:
    """Draw the tempi of windows by genre and subgenre, a panel a sentiment.

    Parameters
    ----------
    windows : pd.DataFrame
        See `amper_spark.report.training_data.describe_windows`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    styles = sorted(windows["style"].unique(), reverse=True)
    figure = new_figure(12, 1.6 + 0.3 * len(styles), dpi=_DPI)
    panels = figure.subplots(1, len(SENTIMENTS), sharex=True, sharey=True, squeeze=False)[0]
    for panel, sentiment in zip(panels, SENTIMENTS, strict=True):
        some = windows[windows["sentiment"] == sentiment]
        tempi = [some.loc[some["style"] == style, "tempo"] for style in styles]
        _boxes(panel, tempi, colour=SENTIMENT_COLOURS[sentiment], orientation="horizontal")
        panel.axvline(windows["tempo"].median(), color="black", linestyle=":", linewidth=0.8)
        panel.set_title(f"{sentiment}   n = {len(some):,}", fontsize=10)
        panel.set_xlabel(_TEMPO_AXIS)
    panels[0].set_yticks(range(1, len(styles) + 1), styles)
    panels[0].set_ylabel("genre_subgenre")
    _title(figure, f"Tempo by style and sentiment   {_n(windows)}   dotted: median of all")
    return figure


def tempo_by_affect_picture(windows: pd.DataFrame) -> Figure:
    """Draw the tempi of windows by valence and by momentum.

    Parameters
    ----------
    windows : pd.DataFrame
        See `amper_spark.report.training_data.describe_windows`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(12, 4.2, dpi=_DPI)
    panels = figure.subplots(1, 2, sharey=True, width_ratios=[3, N_MOMENTUM])
    for panel, target in zip(panels, ("valence", "momentum"), strict=True):
        levels = sorted(windows[target].unique())
        tempi = [windows.loc[windows[target] == level, "tempo"] for level in levels]
        _boxes(panel, tempi, colour=_BOX_COLOUR, orientation="vertical")
        labels = [f"{level}\nn = {len(tempo):,}" for level, tempo in zip(levels, tempi, strict=True)]
        panel.set_xticks(range(1, len(labels) + 1), labels)
        panel.set_xlabel(f"{target} (level)")
        panel.axhline(windows["tempo"].median(), color="black", linestyle=":", linewidth=0.8)
    panels[0].set_ylabel(_TEMPO_AXIS)
    _title(figure, f"Tempo by valence and momentum   {_n(windows)}   dotted: median of all")
    return figure


def features_picture(windows: pd.DataFrame, features: npt.NDArray[np.float32]) -> Figure:
    """Draw how the 21 features are spread in each genre.

    Parameters
    ----------
    windows : pd.DataFrame
        See `amper_spark.report.training_data.describe_windows`.
    features : np.ndarray [shape=(n, 21)]
        Standardised, a row a window, as `amper_spark.classify.features.WindowFeatures` gives them.

    Returns
    -------
    matplotlib.figure.Figure
    """
    genres = sorted(windows["genre"].unique(), reverse=True)
    rows = [np.flatnonzero(windows["genre"] == genre) for genre in genres]
    figure = new_figure(12, 6, dpi=_DPI)
    panels = figure.subplots(3, 7, sharex=True, sharey=True)
    for panel, feature, values in zip(panels.flat, FEATURES, features.T, strict=True):
        spread = [values[row] for row in rows]
        _boxes(panel, spread, colour=_BOX_COLOUR, orientation="horizontal", whiskers=(5, 95))
        panel.axvline(0, color="black", linestyle=":", linewidth=0.8)
        panel.set_title(feature.name, fontsize=8.5)
    panels[0, 0].set_yticks(range(1, len(genres) + 1), genres)
    panels[0, 0].set_xlim(-3.2, 3.2)
    figure.supxlabel("standard deviations from the mean of all windows", fontsize=10)
    _title(figure, f"The 21 features by genre   {_n(windows)}   whiskers: 5 to 95 %")
    return figure


def distances_picture(distances: pd.DataFrame) -> Figure:
    """Draw how far apart windows of the same recording are, and others.

    Parameters
    ----------
    distances : pd.DataFrame
        See `amper_spark.report.near_windows.window_distances`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    kinds = KINDS_OF_PAIRS[::-1]
    by_kind = [distances.loc[distances["kind"] == kind, "distance"].to_numpy() for kind in kinds]
    figure = new_figure(12, 2.8, dpi=_DPI)
    panel = figure.subplots()
    _boxes(panel, by_kind, colour=_BOX_COLOUR, orientation="horizontal", whiskers=(5, 95))
    labels = [f"{kind}\nn = {len(values):,}" for kind, values in zip(kinds, by_kind, strict=True)]
    panel.set_yticks(range(1, len(kinds) + 1), labels)
    panel.set_xlim(left=0)
    panel.set_xlabel("distance (standard deviations, 21 features)")
    _title(figure, f"How far apart two windows are   n = {len(distances):,} pairs   whiskers: 5 to 95 %")
    return figure


def _title(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.01, ha="left", fontweight="bold", parse_math=False)


def _n(windows: pd.DataFrame) -> str:
    return f"n = {len(windows):,} windows of {windows['recording_id'].nunique():,} recordings"


def _boxes(
    panel: Axes,
    values: Sequence[Any],
    *,
    colour: str,
    orientation: Literal["horizontal", "vertical"],
    whiskers: float | tuple[float, float] = 1.5,
) -> None:
    """Draw boxes; outliers where whiskers are a multiple of the interquartile range, none for percentiles."""
    panel.boxplot(
        values,
        orientation=orientation,
        widths=0.7,
        whis=whiskers,
        showfliers=not isinstance(whiskers, tuple),
        patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.75, "linewidth": 0.7},
        medianprops={"color": "black", "linewidth": 1.4},
        whiskerprops={"linewidth": 0.7},
        capprops={"linewidth": 0.7},
        flierprops={"marker": ".", "markersize": 3.5, "markeredgecolor": colour, "alpha": 0.6},
    )
    panel.grid(axis="x" if orientation == "horizontal" else "y", color="black", alpha=0.12, linewidth=0.6)

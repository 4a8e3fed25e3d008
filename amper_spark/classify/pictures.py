"""Pictures of a training: what is taken for what, what more data would bring, which features matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from amper_spark.errors import MissingExtraError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure as Picture

    from amper_spark.classify.intervals import Figure

_MOST_NAMED = 40  # more classes than this have no room for their names
_MOST_NUMBERED = 12


def draw_confusion(matrix: npt.NDArray[np.int64], classes: Sequence[object], *, title: str) -> Picture:
    """Draw a confusion matrix; each row's colours are shares of that class.

    Parameters
    ----------
    matrix : np.ndarray [shape=(classes, classes)]
        Windows; rows are true.
    classes : sequence
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(classes)
    if matrix.shape != (n, n):
        raise ParameterError(f"matrix must have shape ({n}, {n}), got {matrix.shape}")
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    side_in = float(np.clip(3 + 0.32 * n, 5, 14))
    picture = _picture(side_in + 1, side_in)
    axes = picture.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    picture.colorbar(image, ax=axes, label="share of the class", shrink=0.7)
    axes.set(title=title, xlabel="said", ylabel="true", xticks=[], yticks=[])
    if n <= _MOST_NAMED:
        names = [str(one) for one in classes]
        axes.set_xticks(range(n), names, rotation=90, fontsize=8)
        axes.set_yticks(range(n), names, fontsize=8)
    if n <= _MOST_NUMBERED:
        for (row, column), share in np.ndenumerate(shares):
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, f"{share:.2f}", ha="center", va="center", color=colour, fontsize=8)
    return picture


def draw_learning_curve(curves: Mapping[str, Mapping[int, Figure]], *, xlabel: str, title: str) -> Picture:
    """Draw accuracy over the amount of data, with intervals.

    Parameters
    ----------
    curves : mapping of str to mapping of int to Figure
        By target or model, then by amount.
    xlabel, title : str
    """
    picture = _picture(7, 4.5)
    axes = picture.subplots()
    for name, points in curves.items():
        amounts = sorted(points)
        axes.plot(amounts, [points[amount].value for amount in amounts], marker="o", label=name)
        low, high = ([getattr(points[amount], end) for amount in amounts] for end in ("low", "high"))
        axes.fill_between(amounts, low, high, alpha=0.15)
    axes.set(title=title, xlabel=xlabel, ylabel="accuracy by recording", xscale="log", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return picture


def draw_importance(importance: Mapping[str, float], *, title: str) -> Picture:
    """Draw how much accuracy is lost when a feature's values are shuffled, the most first.

    Parameters
    ----------
    importance : mapping of str to float
        By feature.
    title : str
    """
    names = sorted(importance, key=lambda name: importance[name])
    picture = _picture(7, 1.2 + 0.25 * len(names))
    axes = picture.subplots()
    axes.barh(names, [importance[name] for name in names])
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set(title=title, xlabel="accuracy lost when shuffled")
    return picture


def _picture(width_in: float, height_in: float) -> Picture:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("drawing pictures", "figures") from error
    return Figure(figsize=(width_in, height_in), dpi=110, layout="constrained")

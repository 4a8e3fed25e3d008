"""Figures with their intervals, for the terminal and for the documentation."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

LOG_WIDTH = 120
_RESAMPLES = 2_000


@dataclass(frozen=True)
class Figure:
    """A mean over recordings, and what it rests on.

    Parameters
    ----------
    value, low, high : float
        Mean, and the 95 % interval of the mean by bootstrap over recordings.
    recordings, items : int
        How many recordings, and how many windows or pieces of them were judged.
    """

    value: float
    low: float
    high: float
    recordings: int
    items: int

    def __str__(self) -> str:
        """Say it in short: 0.979 (0.96-0.99)."""
        return f"{self.value:.3f} ({self.low:.2f}-{self.high:.2f})"


def mean_figure(judged: Sequence[npt.NDArray[np.floating | np.bool_]]) -> Figure:
    """Average over all items, and find how far chance in the choice of recordings could move it.

    Parameters
    ----------
    judged : sequence of np.ndarray [shape=(item,)]
        What each item of a recording scores, a recording at a time.

    Examples
    --------
    >>> figure = mean_figure([np.array([1.0, 0.0]), np.array([1.0, 1.0])])
    >>> figure.value, figure.recordings, figure.items
    (0.75, 2, 4)
    """
    sums = np.array([part.sum() for part in judged], dtype=float)
    counts = np.array([part.size for part in judged], dtype=float)
    draws = np.random.default_rng(0).integers(len(judged), size=(_RESAMPLES, len(judged)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Figure(
        value=float(sums.sum() / counts.sum()),
        low=float(low),
        high=float(high),
        recordings=len(judged),
        items=int(counts.sum()),
    )


def report_console() -> Console:
    """Print as wide as the terminal, or, where there is none, wide enough for the tables."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else LOG_WIDTH)


def figures_table(title: str, rows: dict[str, dict[str, Figure]], *, counted: Collection[str] = ()) -> Table:
    """Lay out figures: a row an estimator, a column a measure; `counted` columns also say of how many."""
    columns = list(dict.fromkeys(name for figures in rows.values() for name in figures))
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("", min_width=max(len(word) for name in rows for word in name.split()))
    for column in columns:
        table.add_column(column)
    for name, figures in rows.items():
        table.add_row(name, *(_cell(figures.get(column), says_n=column in counted) for column in columns))
    return table


def _cell(figure: Figure | None, *, says_n: bool) -> str:
    if figure is None:
        return ""
    return f"{figure}\nn = {figure.items}" if says_n else str(figure)

"""Bands for timelines that say who plays: drawn like those of timelines that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.descriptors.catalogue import Catalogue, load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.render.composer.drawing import Draws, half_of
from amper_spark.render.composer.style import load_styles

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def drawn_band(catalogue: Catalogue | None = None) -> Callable[[str, int], Sequence[str]]:
    """Make what draws a band from the pools of a descriptor.

    Parameters
    ----------
    catalogue : Catalogue, optional
        By default the one that comes with this package.

    Returns
    -------
    callable
        Takes the name of a descriptor and a seed, whose parity says from which half of the pools; gives names
        of instruments, always the same.

    Examples
    --------
    >>> band = drawn_band()
    >>> band("cinematic_percussion_primal_pulsing", 4) == band("cinematic_percussion_primal_pulsing", 4)
    True
    """
    known = catalogue or load_catalogue()
    instruments, styles = load_instruments(), load_styles()

    def band(descriptor: str, seed: int) -> Sequence[str]:
        return Draws(seed, half_of(seed), known, instruments, styles).instruments(descriptor)

    return band

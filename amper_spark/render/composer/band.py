"""Who plays: instruments drawn from the pools of a style."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from amper_spark.descriptors.catalogue import Descriptor
    from amper_spark.descriptors.instruments import Instrument, Instruments
    from amper_spark.render.composer.style import Style

_FIT = 2.0
_MANY = 4


def draw_band(
    descriptor: Descriptor,
    style: Style,
    *,
    instruments: Instruments,
    half: str,
    n_layers: int,
    rng: np.random.Generator,
) -> tuple[Instrument, ...]:
    """Draw an instrument for each role that plays; a style of few roles has two for each.

    Parameters
    ----------
    descriptor : Descriptor
        Its mood prefers instruments that are as bright as it is.
    style : Style
    instruments : Instruments
    half : str
        Of the pools.
    n_layers : int
        How many roles play.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of Instrument
        In the order in which they enter, none twice.
    """
    band: list[Instrument] = []
    each = 1 if len(style.layers) >= _MANY else 2
    for role in style.layers[:n_layers]:
        pool = [one for one in instruments.pool(style.name, role).halves[half] if one not in band]
        for _ in range(min(each, len(pool))):
            chosen = _draw(pool, descriptor.mood.brightness, rng)
            pool.remove(chosen)
            band.append(chosen)
    return tuple(band)


def _draw(pool: Sequence[Instrument], brightness: int, rng: np.random.Generator) -> Instrument:
    """Draw with weights: twice as likely for each step nearer to the brightness that is wanted."""
    weights = [_FIT ** (one.brightness * brightness / 2.0) for one in pool]
    point = rng.random() * sum(weights)
    for one, weight in zip(pool, weights, strict=True):
        point -= weight
        if point < 0:
            return one
    return pool[-1]

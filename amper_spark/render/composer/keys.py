"""The key of a region: what is asked for, as far as its descriptor can do it, and the rest drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.render.composer.harmony import SCALES, family
from amper_spark.timeline.document import Key
from amper_spark.timeline.keys import pitch_class, spelled_tonic

if TYPE_CHECKING:
    import numpy as np

    from amper_spark.descriptors.catalogue import Descriptor

_SAME_AS = {
    "ionian": "major",
    "aeolian": "natural_minor",
    "melodic_minor": "harmonic_minor",
    "locrian": "phrygian",
}


def settle_key(
    key: Key | None, descriptor: Descriptor, rng: np.random.Generator
) -> tuple[int, str, Key, str | None]:
    """Settle the key of a region.

    Parameters
    ----------
    key : Key or None
        What is asked for.
    descriptor : Descriptor
    rng : numpy.random.Generator

    Returns
    -------
    tonic : int
        Pitch class.
    quality : str
        The scale that is played.
    key : Key
        As it is written into the timeline.
    warning : str or None
        Where the descriptor cannot do what is asked for.
    """
    tonic = int(rng.integers(12))
    drawn = descriptor.scale_qualities[int(rng.integers(len(descriptor.scale_qualities)))]
    if key is not None and key.tonic is not None:
        tonic = pitch_class(key.tonic)
    if key is None or key.quality is None:
        return tonic, drawn, Key(tonic=spelled_tonic(tonic, drawn), quality=drawn), None
    asked = _SAME_AS.get(key.quality, key.quality)
    spelled = key.tonic or spelled_tonic(tonic, key.quality)
    if asked in descriptor.scale_qualities:
        return tonic, asked, Key(tonic=spelled, quality=key.quality), None
    alike = (
        [one for one in descriptor.scale_qualities if family(one) == family(asked)] if asked in SCALES else []
    )
    instead = alike[0] if alike else drawn
    warning = f"WARNING: {descriptor.name} has no {key.quality}: {instead} is taken"
    return tonic, instead, Key(tonic=spelled, quality=instead), warning

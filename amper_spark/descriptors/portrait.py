"""One descriptor in full, for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from amper_spark.descriptors.moods import CHARACTER
from amper_spark.terminal import whole

if TYPE_CHECKING:
    from amper_spark.descriptors.bands import Bands
    from amper_spark.descriptors.catalogue import Descriptor
    from amper_spark.descriptors.instruments import Instruments


def portrait(one: Descriptor, *, instruments: Instruments, bands: Bands) -> Group:
    """Lay out all that is known of a descriptor.

    Parameters
    ----------
    one : Descriptor
    instruments : Instruments
    bands : Bands

    Returns
    -------
    rich.console.Group
        What it is, who plays what, and its bands, as far as there are any.
    """
    parts = [_facts(one)]
    if one.style in instruments.styles:
        parts.append(_pools(one.style, instruments))
    if bands.bands_of(one.name):
        parts.append(_bands(one.name, bands))
    return Group(*parts)


def _facts(one: Descriptor) -> Group:
    mood = one.mood
    facts = {
        "id": str(one.id),
        "path": " > ".join(one.path),
        "former name": one.former_name,
        "sentiment": one.sentiment,
        "valence": f"{mood.valence} of 0 to 2 ({mood.valence_of_four} of 0 to 3)",
        "momentum": f"{mood.momentum} of 0 to 4",
        **{name: f"{value:+d}" if (value := getattr(mood, name)) else "0" for name in CHARACTER},
        "tempo": f"{one.min_tempo_bpm:g} to {one.max_tempo_bpm:g} BPM",
        "scales": ", ".join(quality.replace("_", " ") for quality in one.scale_qualities),
    }
    table = Table(show_header=False, box=SIMPLE_HEAD)
    for name, value in facts.items():
        if value is not None:
            table.add_row(name, value)
    return whole(table, title=one.name)


def _pools(style: str, instruments: Instruments) -> Group:
    table = Table("role", "half", "instruments", box=SIMPLE_HEAD)
    for role in instruments.roles(style):
        for half, members in instruments.pool(style, role).halves.items():
            table.add_row(role, half, "\n".join(one.id for one in members))
    return whole(table, title=f"instruments of {style}")


def _bands(descriptor: str, bands: Bands) -> Group:
    table = Table("id and instruments", "size", "half", box=SIMPLE_HEAD)
    for band in bands.bands_of(descriptor):
        table.add_row("\n  ".join([band.id, *(one.id for one in band.instruments)]), band.size, band.half)
    return whole(table, title="bands")

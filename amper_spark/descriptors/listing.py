"""Descriptors for people to read, and for programs."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from rich.table import Table

from amper_spark.errors import ParameterError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.descriptors.catalogue import Catalogue, Descriptor

COLUMNS = (
    "name",
    "id",
    "genre",
    "subgenre",
    "mood",
    "sentiment",
    "valence",
    "momentum",
    "tempo_bpm",
    "scale_qualities",
)


def select(
    catalogue: Catalogue,
    *,
    genre: str | None = None,
    subgenre: str | None = None,
    mood: str | None = None,
    sentiment: str | None = None,
) -> list[Descriptor]:
    """Choose descriptors by what they are.

    Parameters
    ----------
    catalogue : Catalogue
    genre, subgenre, mood, sentiment : str, optional
        Each narrows the choice.

    Returns
    -------
    list of Descriptor
        By id.

    Raises
    ------
    ParameterError
        The catalogue has no such word.

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> [one.name for one in select(load_catalogue(), genre="hiphop", mood="majestic")]
    ['hiphop_orchestral_crown']
    """
    wanted = {"genre": genre, "subgenre": subgenre, "mood": mood, "sentiment": sentiment}
    found = list(catalogue)
    for what, word in wanted.items():
        if word is not None:
            known = {_cells(one)[what] for one in catalogue}
            if word not in known:
                raise ParameterError(f"no descriptor has the {what} {word!r}{did_you_mean(word, known)}")
            found = [one for one in found if _cells(one)[what] == word]
    return found


def listing_table(descriptors: Sequence[Descriptor]) -> Table:
    """Lay descriptors out for the terminal."""
    table = Table(title=f"{len(descriptors)} descriptors", title_justify="left")
    for column in COLUMNS:
        table.add_column(column.replace("_", " "), no_wrap=column == "name")
    for one in descriptors:
        table.add_row(*_cells(one).values())
    return table


def listing_csv(descriptors: Sequence[Descriptor]) -> str:
    """Lay descriptors out for programs."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_cells(one) for one in descriptors)
    return text.getvalue()


def _cells(one: Descriptor) -> dict[str, str]:
    return {
        "name": one.name,
        "id": str(one.id),
        "genre": one.genre,
        "subgenre": one.subgenre,
        "mood": one.mood.name,
        "sentiment": one.mood.sentiment,
        "valence": str(one.mood.valence),
        "momentum": str(one.mood.momentum),
        "tempo_bpm": f"{one.min_tempo_bpm:g}-{one.max_tempo_bpm:g}",
        "scale_qualities": " ".join(one.scale_qualities),
    }

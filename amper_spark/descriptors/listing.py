"""Descriptors and instruments for people to read, and for programs."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from amper_spark.errors import ParameterError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from amper_spark.descriptors.catalogue import Catalogue, Descriptor
    from amper_spark.descriptors.instruments import Instrument, Instruments

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
_TERMINAL = {
    "name": "name",
    "id": "id",
    "mood": "mood",
    "sentiment": "sentiment",
    "valence": "val.",
    "momentum": "mom.",
    "tempo_bpm": "BPM",
}
"""Headings of what has room in 80 characters; names begin with genre and subgenre."""
INSTRUMENT_COLUMNS = ("id", "name", "category", "type", "roles", "n_styles", "styles")
_INSTRUMENT_TERMINAL = {
    "id": "id",
    "name": "name",
    "category": "category",
    "roles": "roles",
    "n_styles": "styles",
}


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


def select_instruments(instruments: Instruments, *, style: str | None = None) -> list[Instrument]:
    """Choose the instruments that play in a style.

    Parameters
    ----------
    instruments : Instruments
    style : str, optional
        ``genre_subgenre``; by default all are chosen.

    Returns
    -------
    list of Instrument

    Raises
    ------
    ParameterError
        There is no such style.
    """
    if style is None:
        return list(instruments)
    if style not in instruments.styles:
        raise ParameterError(f"no style {style!r}{did_you_mean(style, instruments.styles)}")
    return [one for one in instruments if instruments.roles_of(one.id, style)]


def listing_table(descriptors: Sequence[Descriptor]) -> Table:
    """Lay descriptors out for the terminal."""
    return _table(_TERMINAL, map(_cells, descriptors), title=f"{len(descriptors)} descriptors")


def listing_csv(descriptors: Sequence[Descriptor]) -> str:
    """Lay descriptors out for programs."""
    return _csv(COLUMNS, map(_cells, descriptors))


def instruments_table(
    chosen: Sequence[Instrument], instruments: Instruments, *, style: str | None = None
) -> Table:
    """Lay instruments out for the terminal, with their roles in one style or in all."""
    rows = (_instrument_cells(one, instruments, style) for one in chosen)
    return _table(_INSTRUMENT_TERMINAL, rows, title=f"{len(chosen)} instruments")


def instruments_csv(
    chosen: Sequence[Instrument], instruments: Instruments, *, style: str | None = None
) -> str:
    """Lay instruments out for programs, with their roles in one style or in all."""
    return _csv(INSTRUMENT_COLUMNS, (_instrument_cells(one, instruments, style) for one in chosen))


def _table(headings: Mapping[str, str], rows: Iterable[Mapping[str, str]], *, title: str) -> Table:
    """Lay out the columns that have a heading; what has no room goes on in the next line."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, pad_edge=False)
    for heading in headings.values():
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(row[column] for column in headings))
    return table


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _instrument_cells(one: Instrument, instruments: Instruments, style: str | None) -> dict[str, str]:
    styles = instruments.styles_with(one.id)
    return {
        "id": one.id,
        "name": one.name,
        "category": one.category,
        "type": one.type,
        "roles": " ".join(instruments.roles_of(one.id, style)),
        "n_styles": str(len(styles)),
        "styles": " ".join(styles),
    }


def _cells(one: Descriptor) -> dict[str, str]:
    return {
        "name": one.name,
        "id": str(one.id),
        "genre": one.genre,
        "subgenre": one.subgenre,
        "mood": one.mood.name,
        "sentiment": one.sentiment,
        "valence": str(one.mood.valence),
        "momentum": str(one.mood.momentum),
        "tempo_bpm": f"{one.min_tempo_bpm:g}-{one.max_tempo_bpm:g}",
        "scale_qualities": " ".join(one.scale_qualities),
    }

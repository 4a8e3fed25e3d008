"""Descriptors and instruments for people to read, and for programs."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

from amper_spark.errors import ParameterError
from amper_spark.suggestions import did_you_mean
from amper_spark.terminal import counted, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Group

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
"""Headings of what has room in 80 characters or so; names begin with genre and subgenre."""
INSTRUMENT_COLUMNS = ("id", "name", "category", "type", "roles", "n_styles", "styles")
_INSTRUMENT_TERMINAL = {
    "id": "id",
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
                other = elsewhere(word, catalogue)
                advice = f"; {other}" if other else did_you_mean(word, known) or _there_are(known)
                raise ParameterError(f"no descriptor has the {what} {word!r}{advice}")
            found = [one for one in found if _cells(one)[what] == word]
    return found


def elsewhere(word: str, catalogue: Catalogue) -> str | None:
    """Say how what a word stands for is listed, if it is a genre, a subgenre or a mood.

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> elsewhere("rock_indie", load_catalogue())
    'rock_indie is a subgenre: amper-spark descriptors list --genre rock --subgenre indie'
    """
    meanings: dict[str, dict[str, str]] = {"genre": {}, "subgenre": {}, "mood": {}}
    for one in catalogue:
        meanings["genre"][one.genre] = f"--genre {one.genre}"
        meanings["subgenre"][one.style] = f"--genre {one.genre} --subgenre {one.subgenre}"
        meanings["subgenre"][one.subgenre] = f"--subgenre {one.subgenre}"
        meanings["mood"][one.mood.name] = f"--mood {one.mood.name}"
    for what, options in meanings.items():
        if word in options:
            return f"{word} is a {what}: amper-spark descriptors list {options[word]}"
    return None


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
        near = [one for one in instruments.styles if style in one.split("_")]
        advice = _there_are(near) if near else did_you_mean(style, instruments.styles)
        raise ParameterError(f"no style {style!r}{advice or _there_are(instruments.styles)}")
    return [one for one in instruments if instruments.roles_of(one.id, style)]


def listing_table(descriptors: Sequence[Descriptor]) -> Group:
    """Lay descriptors out for the terminal."""
    return _table(_TERMINAL, map(_cells, descriptors), title=counted(len(descriptors), "descriptor"))


def listing_csv(descriptors: Sequence[Descriptor]) -> str:
    """Lay descriptors out for programs."""
    return _csv(COLUMNS, map(_cells, descriptors))


def instruments_table(
    chosen: Sequence[Instrument], instruments: Instruments, *, style: str | None = None
) -> Group:
    """Lay instruments out for the terminal, with their roles in one style or in all."""
    rows = (_instrument_cells(one, instruments, style) for one in chosen)
    return _table(_INSTRUMENT_TERMINAL, rows, title=counted(len(chosen), "instrument"))


def instruments_csv(
    chosen: Sequence[Instrument], instruments: Instruments, *, style: str | None = None
) -> str:
    """Lay instruments out for programs, with their roles in one style or in all."""
    return _csv(INSTRUMENT_COLUMNS, (_instrument_cells(one, instruments, style) for one in chosen))


def _table(headings: Mapping[str, str], rows: Iterable[Mapping[str, str]], *, title: str) -> Group:
    """Lay out the columns that have a heading."""
    table = Table(*headings.values(), box=SIMPLE_HEAD, padding=0, show_edge=False, pad_edge=False)
    for row in rows:
        table.add_row(*(row[column] for column in headings))
    return whole(table, title=title)


def _there_are(words: Iterable[str]) -> str:
    return f"; there are {', '.join(sorted(words))}"


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

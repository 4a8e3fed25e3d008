"""Import of a dictionary of descriptors: a folder that `load_catalogue` reads."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.appearing import named_in_errors
from amper_spark.cache import scratch_folder
from amper_spark.descriptors.adoption import adopt
from amper_spark.descriptors.catalogue import DESCRIPTORS_FILE, load_catalogue
from amper_spark.descriptors.dictionary import read_dictionary
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.descriptors.moods import CHARACTER, MOODS_FILE
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from amper_spark.descriptors.catalogue import Catalogue, Descriptor
    from amper_spark.descriptors.moods import Mood


@dataclass(frozen=True)
class Import:
    """What has been imported, and what is left to do.

    Parameters
    ----------
    catalogue : Catalogue
    unrated : tuple of str
        Lines of ``moods.csv``, as ``file:line: mood``, whose valence and momentum a person should rate.
    unplayed : tuple of str
        Subgenres, as ``genre_subgenre``, that no instruments play: their descriptors cannot be rendered.
    """

    catalogue: Catalogue
    unrated: tuple[str, ...]
    unplayed: tuple[str, ...]


def import_dictionary(file: Path, folder: Path, *, replace: bool = False) -> Import:
    """Make a catalogue of a dictionary of descriptors.

    Parameters
    ----------
    file : Path
        As for `amper_spark.descriptors.dictionary.read_dictionary`.
    folder : Path
        Gets ``descriptors.csv`` and ``moods.csv``; made if it is not there.
    replace : bool
        Whether these may be there already.

    Returns
    -------
    Import

    Raises
    ------
    ConfigError
        All that is wrong with the dictionary.
    ParameterError
        The folder has a catalogue, and it is not to be replaced.
    WritingError
        No permission, no room: then the folder is as it was.
    """
    there = [name for name in (DESCRIPTORS_FILE, MOODS_FILE) if (folder / name).exists()]
    if there and not replace:
        raise ParameterError(f"{folder} has {' and '.join(there)} already: name another folder, or --replace")
    adoption = adopt(read_dictionary(file), known=load_catalogue())
    moods = sorted({one.mood for one in adoption.catalogue}, key=lambda mood: mood.name)
    with named_in_errors(folder), scratch_folder(folder) as scratch:
        _write(scratch / MOODS_FILE, [_mood_row(mood) for mood in moods])
        _write(scratch / DESCRIPTORS_FILE, [_descriptor_row(one) for one in adoption.catalogue])
        for name in (MOODS_FILE, DESCRIPTORS_FILE):
            (scratch / name).replace(folder / name)
    played = load_instruments().styles
    return Import(
        adoption.catalogue,
        tuple(
            f"{folder / MOODS_FILE}:{line}: {mood.name}"
            for line, mood in enumerate(moods, 2)
            if mood.name in adoption.unrated
        ),
        tuple(dict.fromkeys(one.style for one in adoption.catalogue if one.style not in played)),
    )


def _write(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _mood_row(mood: Mood) -> dict[str, object]:
    return {
        "mood": mood.name,
        "sentiment": mood.sentiment,
        "valence_of_four": mood.valence_of_four,
        "momentum": mood.momentum,
        **{name: getattr(mood, name) for name in CHARACTER},
    }


def _descriptor_row(one: Descriptor) -> dict[str, object]:
    return {
        "name": one.name,
        "id": one.id,
        "genre": one.genre,
        "subgenre": one.subgenre,
        "mood": one.mood.name,
        "sentiment": one.own_sentiment or "",
        "min_tempo_bpm": f"{one.min_tempo_bpm:.10g}",
        "max_tempo_bpm": f"{one.max_tempo_bpm:.10g}",
        "scale_qualities": " ".join(one.scale_qualities),
        "former_name": one.former_name or "",
    }

"""Dictionaries of descriptors, as a user brings them: ``{name: [mood, sentiment, id, genre, subgenre]}``.

In JSON, or as Python writes it. All that is wrong with one is told at once, by the name of the entry.
"""

from __future__ import annotations

import ast
import json
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amper_spark.descriptors.moods import check_sentiment
from amper_spark.descriptors.tables import check_word
from amper_spark.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator
    from pathlib import Path

_FIELDS = ("mood", "sentiment", "id", "genre", "subgenre")
_TOO_DEEP = (RecursionError, MemoryError)  # what the two parsers say of brackets within brackets
_SHORT = reprlib.Repr()
_SHORT.maxstring = 80  # longer than any name


@dataclass(frozen=True)
class Entry:
    """One descriptor of a dictionary.

    Parameters
    ----------
    name, mood, sentiment : str
    id : int > 0
    genre, subgenre : str
    """

    name: str
    mood: str
    sentiment: str
    id: int
    genre: str
    subgenre: str

    @property
    def path(self) -> tuple[str, str, str]:
        """Genre, subgenre and mood."""
        return self.genre, self.subgenre, self.mood


class _Pairs(list[tuple[object, object]]):
    """A dictionary as it is written: it may have a key twice."""


def read_dictionary(file: Path) -> tuple[Entry, ...]:
    """Read a dictionary of descriptors.

    Parameters
    ----------
    file : Path
        JSON or a Python dictionary, in UTF-8.

    Returns
    -------
    tuple of Entry
        In the order of the file.

    Raises
    ------
    ConfigError
        All that is wrong with it.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file}: not UTF-8"]) from error
    try:
        pairs = _parsed(text)
    except ValueError as error:
        raise ConfigError([f"{file.name}: {error}"]) from error
    names = [_SHORT.repr(name) for name, _ in pairs]
    read = [_fields(name, fields) for name, fields in pairs]
    faults = [f"{name}: {fault}" for name, (_, own) in zip(names, read, strict=True) for fault in own]
    faults += _repeated(zip(names, (values for values, _ in read), strict=True))
    if faults:
        raise ConfigError([f"{file.name}: {fault}" for fault in faults])
    return tuple(Entry(**values) for values, _ in read)


def _parsed(text: str) -> _Pairs:
    try:
        found: object = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, *_TOO_DEEP) as error:
        try:
            found = _python_pairs(text)
        except (ValueError, SyntaxError, TypeError, *_TOO_DEEP):
            raise ValueError(f"neither JSON nor a Python dictionary: {error}") from error
    if not isinstance(found, _Pairs) or not found:
        raise ValueError("must be a dictionary with at least one descriptor")
    return found


def _python_pairs(text: str) -> _Pairs:
    """Read what a Python program prints or assigns; nothing is run."""
    (statement,) = ast.parse(text).body
    if not isinstance(statement, ast.Expr | ast.Assign) or not isinstance(statement.value, ast.Dict):
        raise TypeError("no dictionary")
    keys, values = statement.value.keys, statement.value.values
    if None in keys:
        raise TypeError("** in a dictionary")
    return _Pairs(
        (ast.literal_eval(key), ast.literal_eval(value))
        for key, value in zip(keys, values, strict=True)
        if key is not None
    )


def _fields(name: object, fields: object) -> tuple[dict[str, Any], list[str]]:
    """Read what can be read of an entry, and say what is wrong with the rest."""
    written = dict(fields) if isinstance(fields, _Pairs) else fields
    named: list[tuple[str, object]] = [("name", name)]
    faults = []
    if isinstance(written, list | tuple) and len(written) == len(_FIELDS):
        named += zip(_FIELDS, written, strict=True)
    else:
        faults.append(f"must be [{', '.join(_FIELDS)}], got {_SHORT.repr(written)}")
    values: dict[str, Any] = {}
    for what, value in named:
        try:
            values[what] = _number(value) if what == "id" else _word(what, value)
        except ValueError as error:
            faults.append(str(error))
    return values, faults


def _number(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        raise ValueError(f"id must be a positive whole number, got {_SHORT.repr(number)}")
    return number


def _word(what: str, word: object) -> str:
    checked = check_word(what, word if isinstance(word, str) else _SHORT.repr(word))
    return check_sentiment(checked) if what == "sentiment" else checked


def _repeated(entries: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[str]:
    """Say what several entries have, as far as each could be read; of entries of one name only the first."""
    owners: dict[tuple[str, Hashable], str] = {}
    seen: set[str] = set()
    for name, values in entries:
        if values.get("name") in seen:
            yield f"{name}: more than once"
            continue
        seen |= {values["name"]} if "name" in values else set()
        for what, value in _marks(values):
            if owner := owners.get((what, value)):
                yield f"{name}: {what} {value} is that of {owner} too"
            owners.setdefault((what, value), name)


def _marks(values: dict[str, Any]) -> Iterator[tuple[str, Hashable]]:
    """Give what no two entries may have."""
    if "id" in values:
        yield "id", values["id"]
    if {"genre", "subgenre", "mood"} <= values.keys():
        yield "path", f"{values['genre']} > {values['subgenre']} > {values['mood']}"

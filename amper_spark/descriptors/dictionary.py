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
    from collections.abc import Hashable, Iterator
    from pathlib import Path

_FIELDS = ("mood", "sentiment", "id", "genre", "subgenre")
_TOO_DEEP = (RecursionError, MemoryError)  # what the two parsers say of brackets within brackets


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
    problems: list[str] = []
    entries = []
    for name, fields in pairs:
        try:
            entries.append(_entry(name, fields))
        except ValueError as error:
            problems.append(f"{file.name}: {reprlib.repr(name)}: {error}")
    problems += [f"{file.name}: {problem}" for problem in _repeated(entries)]
    if problems:
        raise ConfigError(problems)
    return tuple(entries)


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


def _entry(name: object, fields: Any) -> Entry:
    written = dict(fields) if isinstance(fields, _Pairs) else fields
    if not isinstance(written, list | tuple) or len(written) != len(_FIELDS):
        raise ValueError(f"must be [{', '.join(_FIELDS)}], got {reprlib.repr(written)}")
    mood, sentiment, number, genre, subgenre = written
    if not isinstance(number, int) or isinstance(number, bool) or number <= 0:
        raise ValueError(f"id must be a positive whole number, got {reprlib.repr(number)}")
    return Entry(
        name=_word("name", name),
        mood=_word("mood", mood),
        sentiment=check_sentiment(_word("sentiment", sentiment)),
        id=number,
        genre=_word("genre", genre),
        subgenre=_word("subgenre", subgenre),
    )


def _word(what: str, word: object) -> str:
    return check_word(what, word if isinstance(word, str) else reprlib.repr(word))


def _repeated(entries: list[Entry]) -> Iterator[str]:
    first: dict[tuple[str, Hashable], str] = {}
    names: set[str] = set()
    for entry in entries:
        if entry.name in names:
            yield f"{entry.name!r}: more than once"
            continue
        names.add(entry.name)
        marks: list[tuple[str, Hashable]] = [("id", entry.id), ("path", " > ".join(entry.path))]
        for what, value in marks:
            owner = first.setdefault((what, value), entry.name)
            if owner != entry.name:
                yield f"{entry.name!r}: {what} {value} is that of {owner!r} too"

"""What the owner of a corpus knows about its files: a CSV or JSON-lines file with a line a file."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from amper_spark.errors import ConfigError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0", ""})
_COLUMNS = ("key", "descriptor", "recording_id", "separate", "parent_id")
_SHOWN = 50


@dataclass(frozen=True)
class ManifestEntry:
    """What is known about one file.

    Parameters
    ----------
    descriptor : str or None
        Such as that of a render.
    recording_id : str or None
        Shared by files that were made from the same recording.
    separate : bool
        Whether vocals are to be removed before the analysis.
    parent_id : str or None
        track_id of the track that this was made from.
    tags : mapping of str to str
        Everything else.
    """

    descriptor: str | None = None
    recording_id: str | None = None
    separate: bool = False
    parent_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def read_manifest(file: Path) -> dict[str, ManifestEntry]:
    """Read a manifest.

    Parameters
    ----------
    file : Path
        ``.csv`` with a header, or ``.jsonl`` with an object a line. ``key`` is the path of a file below the
        root of the corpus; ``descriptor``, ``recording_id``, ``separate`` and ``parent_id`` are optional, and
        what is left empty is unknown. Any other column becomes a tag, but not ``separate`` misspelt.

    Returns
    -------
    dict of str to ManifestEntry
        By key.

    Raises
    ------
    ConfigError
        All that is wrong with it, with line numbers.
    """
    entries: dict[str, ManifestEntry] = {}
    first_lines: dict[str, int] = {}
    problems: list[str] = []
    for line, record in _records(file, problems):
        try:
            key, entry = _entry(record)
        except ValueError as error:
            problems.append(f"{file.name}:{line}: {error}")
            continue
        if key in entries:
            problems.append(f"{file.name}:{line}: key {key!r} again, first in line {first_lines[key]}")
        entries[key], first_lines[key] = entry, line
    refuse(problems)
    return entries


def refuse(problems: list[str]) -> None:
    """Raise `ConfigError` if there are problems, with the first of them in full and the rest as a number."""
    if len(problems) > _SHOWN:
        raise ConfigError([*problems[:_SHOWN], f"and {len(problems) - _SHOWN} more"])
    if problems:
        raise ConfigError(problems)


def _records(file: Path, problems: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    readers = {".csv": _csv_records, ".jsonl": _json_records, ".ndjson": _json_records}
    if file.suffix.lower() not in readers:
        raise ConfigError([f"{file}: a manifest is a .csv or a .jsonl file"])
    try:
        yield from readers[file.suffix.lower()](file, problems)
    except OSError as error:
        raise ConfigError([f"{file}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file}: not UTF-8: {error.reason} at byte {error.start}"]) from error
    except csv.Error as error:
        raise ConfigError([f"{file}: not CSV: {error}"]) from error


def _csv_records(file: Path, problems: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.reader(stream)
        header = [name.strip() for name in next(rows, [])]
        if "key" not in header or len(set(header)) < len(header) or not all(header):
            raise ConfigError(
                [f"{file.name}:1: expected a header of distinct names with key among them, got {header}"]
            )
        # As a tag it would leave the vocals in, without a word.
        problems += [
            f"{file.name}:1: a column {name!r}{suggestion}"
            for name in header
            if name not in _COLUMNS and (suggestion := did_you_mean(name, ["separate"]))
        ]
        for row in rows:
            if len(row) > len(header):
                problems.append(f"{file.name}:{rows.line_num}: {len(row)} values for {len(header)} columns")
            elif row:
                yield rows.line_num, dict(zip(header, row, strict=False))


def _json_records(file: Path, problems: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with file.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                problems.append(f"{file.name}:{number}: not JSON: {error.msg}")
                continue
            if isinstance(record, dict):
                yield number, record
            else:
                problems.append(f"{file.name}:{number}: expected an object, got {type(record).__name__}")


def _entry(record: Mapping[str, Any]) -> tuple[str, ManifestEntry]:
    key = record.get("key")
    if not isinstance(key, str) or not key:
        raise ValueError(f"key: expected the path of a file, got {key!r}")
    texts = {name: _text(name, value) for name, value in record.items()}
    entry = ManifestEntry(
        descriptor=texts.get("descriptor"),
        recording_id=texts.get("recording_id"),
        separate=_boolean(texts.get("separate")),
        parent_id=texts.get("parent_id"),
        tags={
            name: text for name, text in sorted(texts.items()) if name not in _COLUMNS and text is not None
        },
    )
    return key, entry


def _text(name: str, value: object) -> str | None:
    if value is None or value == "":
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    try:
        (name + text).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: half a surrogate pair is no text: {text!r}") from None
    return text


def _boolean(text: str | None) -> bool:
    value = (text or "").strip().lower()
    if value not in _TRUE | _FALSE:
        raise ValueError(f"separate: expected true or false, got {text!r}")
    return value in _TRUE

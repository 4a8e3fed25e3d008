"""Lakes that are made up: rows of tracks and analyses without recordings, with numbers of a test's own.

Columns that a test does not care about are filled in by their types, so also those that tables will get.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

from amper_spark.classify.packaging import frame_of
from amper_spark.grid import WINDOW_DURATION_S, WINDOW_STRIDE_S
from amper_spark.spark.schemas import ANALYSES, DONE, QUARANTINED, TABLES, TRACKS

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
WINDOWS = ANALYSES.schema.field("windows").type.value_type


def track_row(track_id, **told):
    """A recording as it is catalogued, of which nothing is known unless told by the names of columns."""
    usual = {
        "track_id": track_id,
        "corpus": "demo",
        "uri": f"file:///music/{track_id}.flac",
        "key": f"{track_id}.flac",
        "size_bytes": 1,
        "etag": "new",
        "recording_id": track_id,
    }
    return _row(TRACKS.schema, usual, told)


def analysis_row(track_id, windows=(), *, reason=None, **told):
    """What is heard in a recording, or why it is refused; the windows are `window_rows`."""
    usual = {
        "track_id": track_id,
        "etag": "new",
        "outcome": QUARANTINED if reason else DONE,
        "reason": reason,
        "duration_s": windows[-1]["end_s"] if windows else 0.0,
        "windows": list(windows),
    }
    return _row(ANALYSES.schema, usual, told)


def window_rows(matrix, **told):
    """The windows of a recording: a matrix with the `MATRIX_COLUMNS` says what models learn from, above C."""
    return [
        _row(WINDOWS, {"window": number, **_times(number), **heard}, told)
        for number, heard in enumerate(frame_of(matrix).to_dict("records"))
    ]


def commit_rows(lake, table, rows):
    """Add rows to a table of a lake, in one file."""
    batch = pa.Table.from_pylist(rows, schema=TABLES[table].schema)
    lake.commit(table, [lake.write_file(table, [batch], stem="test")], stage="test", batch_id="made up")


def _times(number):
    start_s = float(WINDOW_STRIDE_S * number)
    return {"start_s": start_s, "end_s": start_s + WINDOW_DURATION_S}


def filled(fields, told):
    """A row, or a struct, of which nothing is known unless told by the names of its fields."""
    return _row(fields, {}, told)


def _row(fields, usual, told):
    given = usual | told
    unknown = given.keys() - {field.name for field in fields}
    assert not unknown, f"no columns {unknown}"
    return {field.name: given[field.name] if field.name in given else _filler(field) for field in fields}


def _filler(field):
    """Nothing, as far as the column allows; vectors have the length that the schema says."""
    kind = field.type
    if field.nullable:
        return None
    if pa.types.is_struct(kind):
        return {child.name: _filler(child) for child in kind}
    if pa.types.is_list(kind):
        return [_filler(kind.value_field)] * int((field.metadata or {}).get(b"length", 0))
    if pa.types.is_map(kind):
        return {}
    if pa.types.is_timestamp(kind):
        return AT
    return "" if pa.types.is_string(kind) else pa.scalar(0).cast(kind).as_py()

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.descriptors import bands as module
from amper_spark.descriptors.bands import load_bands
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.hits import load_hits
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.errors import ConfigError

TABLES = {
    "descriptors.csv": load_catalogue,
    "moods.csv": load_catalogue,
    "instruments.csv": load_instruments,
    "pools.csv": load_instruments,
    "bands.csv": load_bands,
    "hits.csv": load_hits,
}
KEPT_BANDS = 20
CELLS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "-1", "0", "1e999", "nan", "9" * 5000, "0:0:0", ":", "major", "A", '"', "a,b", "\x00"]
    ),
)


@st.composite
def broken(draw, name):
    """Break a table: cells, lines or bytes."""
    lines = (module._FOLDER / name).read_text().splitlines()
    lines = lines[: KEPT_BANDS + 1] if name == "bands.csv" else lines
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        cells = lines[at].split(",")
        cell = draw(st.integers(0, len(cells) - 1))
        kind = draw(st.sampled_from(["cell", "no cell", "more cells", "no line", "line twice"]))
        if kind == "cell":
            cells[cell] = draw(CELLS)
        elif kind == "no cell":
            del cells[cell]
        elif kind == "more cells":
            cells.insert(cell, draw(CELLS))
        new = {"no line": [], "line twice": [lines[at]] * 2}.get(kind, [",".join(cells)])
        lines[at : at + 1] = new
        if not lines:
            break
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    cut = draw(st.one_of(st.none(), st.integers(0, len(text))))
    return text if cut is None else text[:cut] + draw(st.binary(max_size=3))


@pytest.mark.parametrize("name", TABLES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_broken_table_is_told_with_file_and_line(name, data):
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for table in TABLES:
            lines = (module._FOLDER / table).read_bytes().splitlines(keepends=True)
            (folder / table).write_bytes(b"".join(lines[: KEPT_BANDS + 1] if table == "bands.csv" else lines))
        (folder / name).write_bytes(data.draw(broken(name)))
        for problem in problems_of(TABLES[name], folder):
            # What cannot be read has no lines; nor has what is wrong with several of them together.
            place = (
                r"\S+\.csv(: not UTF-8|: field larger|: \w+ plays in fewer than|: \w+ has )|\w+\.csv:\d+: "
            )
            assert re.match(place, problem), problem


def problems_of(load, folder):
    try:
        load(folder)
    except ConfigError as error:
        return error.problems or ["none is told"]
    return []

from __future__ import annotations

import shutil

import pytest

from amper_spark.descriptors import bands as module

TABLES = ("descriptors.csv", "moods.csv", "instruments.csv", "pools.csv", "bands.csv", "hits.csv")


@pytest.fixture
def changed(tmp_path):
    """Give a folder with all tables, some text of one replaced."""

    def change(file, *replaced):
        for name in TABLES:
            shutil.copy(module._FOLDER / name, tmp_path)
        text = (tmp_path / file).read_text()
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / file).write_text(text)
        return tmp_path

    return change

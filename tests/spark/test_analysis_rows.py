from __future__ import annotations

import numpy as np
import pytest

from amper_spark.config import Analysis
from amper_spark.decoder import Decoder
from amper_spark.errors import ParameterError
from amper_spark.spark import analysis_rows
from amper_spark.spark.analysis_rows import analysis_row
from amper_spark.spark.schemas import ANALYSES


@pytest.fixture
def decoder():
    with Decoder() as process:
        yield process


def row_of(file, decoder, **options):
    return analysis_row(file.as_uri(), etag=None, decoder=decoder, settings=Analysis(), **options)


def test_a_row_has_what_the_recording_says_of_itself(make_file, decoder):
    row = row_of(make_file("wav"), decoder)
    assert row["outcome"] == "done"
    assert set(row) < set(ANALYSES.schema.names)
    assert [window["window"] for window in row["windows"]] == [0]


def test_a_retried_recording_gives_the_same_row(make_file, decoder):
    file = make_file("wav")
    assert row_of(file, decoder, attempt=1) == row_of(file, decoder) | {"attempt": 1}


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, ZeroDivisionError, ParameterError])
def test_an_unforeseen_error_is_retried_and_then_the_recordings(make_file, decoder, monkeypatch, error):
    file = make_file("wav")
    row_of(file, decoder, attempt=1)  # warm

    def fail(blocks, settings):
        raise error("it does not converge")

    monkeypatch.setattr(analysis_rows, "analyse_blocks", fail)
    with pytest.raises(error):
        row_of(file, decoder)
    row = row_of(file, decoder, attempt=1)
    assert (row["outcome"], row["reason"]) == ("quarantined", "analysis_crashed")
    assert "it does not converge" in row["detail"]


def test_trouble_that_is_not_the_recordings_is_raised(make_file, decoder, monkeypatch):
    file = make_file("wav")

    def fail(blocks, settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(analysis_rows, "_warm_up", lambda settings: None)
    monkeypatch.setattr(analysis_rows, "analyse_blocks", fail)
    with pytest.raises(OSError, match="No space"):
        row_of(file, decoder, attempt=2)

from __future__ import annotations

import re

import numpy as np
import pytest

from amper_spark.classify.checks import (
    require_enough_recordings,
    require_known_descriptors,
    require_model_fits,
    require_one_analysis_version,
    require_recording_ids,
    require_trainable,
)
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import AmperSparkError

CATALOGUE = load_catalogue()


def refusal(windows, versions=("1f0c",)):
    with pytest.raises(AmperSparkError) as refused:
        require_trainable(windows, catalogue=CATALOGUE, analysis_versions=versions)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_good_windows_pass(make_windows):
    require_trainable(make_windows(), catalogue=CATALOGUE, analysis_versions=["1f0c", "1f0c"])


def test_an_empty_table(make_windows):
    windows = make_windows()
    assert "there are no windows" in refusal(windows.take(np.zeros(len(windows), dtype=bool)), versions=())


def test_mixed_analysis_versions(make_windows):
    assert "1f0c, 9a2e" in refusal(make_windows(), versions=("9a2e", "1f0c", "9a2e"))
    require_one_analysis_version(["1f0c"])


@pytest.mark.parametrize("nothing", [None, "", "  ", float("nan")])
def test_a_recording_without_id(make_windows, nothing):
    windows = make_windows()
    ids = windows.recordings.ids.copy()
    ids[[3, 5]] = nothing
    windows.recordings.ids[:] = ids
    assert refusal(windows) == "no recording_id: recording 3 (2 of 48 recordings)"


def test_recordings_of_the_same_id(make_windows):
    windows = make_windows()
    windows.recordings.ids[4] = windows.recordings.ids[7]
    assert "'recording-00007' is there twice" in refusal(windows)
    with pytest.raises(AmperSparkError, match=r"b\.flac"):
        require_recording_ids(["r1", ""], names=["a.flac", "b.flac"])


def test_labels_that_the_catalogue_does_not_know(make_windows):
    windows = make_windows()
    windows.recordings.descriptors[:2] = "rock_indie_hapy", "zydeco"
    assert re.search(r"'rock_indie_hapy' \(and 1 more\).*did you mean 'rock_indie_happy'", refusal(windows))


def test_former_names_are_known():
    former = [one.former_name for one in CATALOGUE if one.former_name]
    assert former
    require_known_descriptors(former, CATALOGUE)


def test_a_descriptor_of_two_recordings(make_windows):
    windows = make_windows()
    rare = windows.recordings.descriptors[0]
    fewer = windows.take_recordings(np.arange(len(windows.recordings)) >= 2)
    assert refusal(fewer) == f"descriptor {rare!r} has 2 recordings, fewer than 3"
    fewer = windows.take_recordings(np.arange(len(windows.recordings)) >= 3)
    assert "has 1 recording, fewer than 3" in refusal(fewer)
    assert "so have 11 more descriptors" in refusal(make_windows(recordings_per_descriptor=1))


def test_a_recording_without_windows_does_not_count(make_windows):
    windows = make_windows(recordings_per_descriptor=3)
    silent = type(windows)(
        windows.matrix[windows.recording != 0],
        windows.recording[windows.recording != 0],
        windows.number[windows.recording != 0],
        windows.recordings,
    )
    with pytest.raises(AmperSparkError, match="2 recordings"):
        require_enough_recordings(silent)


def test_one_class_only(make_windows):
    windows = make_windows(n_descriptors=1)
    assert repr(str(windows.recordings.descriptors[0])) in refusal(windows)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number(make_windows, value):
    windows = make_windows()
    windows.matrix[17, MATRIX_COLUMNS.index("tempo")] = value
    assert refusal(windows) == f"a window of recording 'recording-00003' has tempo = {value}"


def test_large_numbers_are_numbers(make_windows):
    windows = make_windows()
    windows.matrix[:] = np.finfo(np.float32).max
    require_trainable(windows, catalogue=CATALOGUE, analysis_versions=["1f0c"])


@pytest.mark.parametrize(
    ("columns", "version", "offender"),
    [
        (MATRIX_COLUMNS, "9a2e", "analysis version 9a2e, the windows are of 1f0c"),
        (MATRIX_COLUMNS, None, "analysis version unknown"),
        (("loudness", *MATRIX_COLUMNS[1:]), "1f0c", f"column 0 is loudness, not {MATRIX_COLUMNS[0]}"),
        (MATRIX_COLUMNS[:-1], "1f0c", f"{len(MATRIX_COLUMNS) - 1} columns, not {len(MATRIX_COLUMNS)}"),
        ((*MATRIX_COLUMNS, "more"), "1f0c", f"{len(MATRIX_COLUMNS) + 1} columns, not {len(MATRIX_COLUMNS)}"),
    ],
)
def test_a_model_of_other_windows(columns, version, offender):
    with pytest.raises(AmperSparkError, match=re.escape(offender)) as refused:
        require_model_fits(
            model="amper-descriptors 3",
            model_columns=columns,
            model_version=version,
            analysis_version="1f0c",
        )
    assert "amper-descriptors 3" in str(refused.value)


def test_a_model_of_these_windows():
    require_model_fits(model="m", model_columns=MATRIX_COLUMNS, model_version="1f0c", analysis_version="1f0c")

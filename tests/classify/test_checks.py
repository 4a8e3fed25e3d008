from __future__ import annotations

import re

import numpy as np
import pytest

from amper_spark.classify.checks import (
    require_enough_recordings,
    require_known_descriptors,
    require_no_copies,
    require_trainable,
)
from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import AmperSparkError

CATALOGUE = load_catalogue()


def refusal(windows):
    with pytest.raises(AmperSparkError) as refused:
        require_trainable(windows, catalogue=CATALOGUE)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_good_windows_pass(make_windows):
    require_trainable(make_windows(), catalogue=CATALOGUE)


def test_an_empty_table(make_windows):
    windows = make_windows()
    assert "there are no windows" in refusal(windows.take(np.zeros(len(windows), dtype=bool)))


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
    require_trainable(windows, catalogue=CATALOGUE)


def test_copies_are_found_wherever_their_windows_lie(make_windows):
    windows = make_windows()
    require_no_copies(windows)
    for copy in (40, 7):
        windows.matrix[windows.recording == copy] = windows.matrix[windows.recording == 3]
    mixed = np.argsort(windows.number, kind="stable")  # the first window of each recording, then the second
    scattered = type(windows)(
        windows.matrix[mixed], windows.recording[mixed], windows.number[mixed], windows.recordings
    )
    for one in (windows, scattered):
        with pytest.raises(AmperSparkError, match="copies among 48 recordings: 2, such as 'recording-00007'"):
            require_no_copies(one)


def test_nothing_is_a_copy_of_nothing(make_windows):
    windows = make_windows()
    require_no_copies(windows.take(np.zeros(len(windows), dtype=bool)))
    is_silent = np.isin(windows.recording, [3, 4])
    require_no_copies(
        type(windows)(
            windows.matrix[~is_silent],
            windows.recording[~is_silent],
            windows.number[~is_silent],
            windows.recordings,
        )
    )

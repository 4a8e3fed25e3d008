from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from amper_spark.errors import ParameterError
from amper_spark.render.server.waveform import overview, waveform_json

RATE = 4_200


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 2), st.integers(1, 350)),
        elements=st.floats(-1.5, 1.5, width=32),
    )
)
def test_points_are_the_lowest_and_highest_samples_of_their_time(audio):
    points = overview(audio, rate=RATE)
    assert points.shape == (-(-audio.shape[1] // 100), 2)
    for number, (lowest, highest) in enumerate(points.tolist()):
        samples = np.floor(128 * audio[:, 100 * number : 100 * number + 100].astype(np.float64))
        assert (lowest, highest) == (max(samples.min(), -128), min(samples.max(), 127)) or abs(
            samples
        ).max() > 127
        assert -128 <= lowest <= highest <= 127


def test_the_file_says_how_it_is_to_be_read():
    audio = np.zeros((2, 44_100), np.float32)
    audio[1, 1_049], audio[0, 1_050] = 0.5, -0.25
    document = json.loads(waveform_json(audio, rate=44_100))
    assert {name: value for name, value in document.items() if name != "data"} == {
        "version": 2,
        "channels": 1,
        "sample_rate": 44_100,
        "samples_per_pixel": 1_050,
        "bits": 8,
        "length": 42,
    }
    assert document["data"] == [0, 64, -32, 0, *[0] * 80]


@pytest.mark.parametrize(
    ("audio", "rate", "message"),
    [
        (np.zeros(9, np.float32), 4_200, r"got \(9,\)"),
        (np.zeros((2, 0), np.float32), 4_200, r"got \(2, 0\)"),
        (np.zeros((2, 9), np.float32), 48_001, "multiple of 42, got 48001"),
        (np.zeros((2, 9), np.float32), 0, "multiple of 42, got 0"),
    ],
)
def test_audio_that_has_no_overview_is_told(audio, rate, message):
    with pytest.raises(ParameterError, match=message):
        overview(audio, rate=rate)

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from amper_spark.classify.control import compare_with_chance, require_chance, run_control
from amper_spark.classify.hierarchy import TARGETS, Hierarchy
from amper_spark.classify.splits import by_recording, by_window
from amper_spark.classify.windows import MATRIX_COLUMNS, Windows
from amper_spark.errors import AmperSparkError, ParameterError
from tests.classify.nearest_window import NearestWindow


@pytest.fixture(scope="module")
def noise(make_windows):
    """Make recordings whose windows are alike, as neighbours are, and tell nothing of their descriptors."""
    made = make_windows(n_descriptors=8, recordings_per_descriptor=25, windows_per_recording=20)
    rng = np.random.default_rng(0)
    drift = lfilter([1], [1, -0.95], rng.normal(size=(len(made.recordings), 20, len(MATRIX_COLUMNS))), axis=1)
    return Windows(
        drift.reshape(len(made), -1).astype(np.float32),
        made.recording,
        made.number,
        made.recordings,
    )


def genre_told(windows, split):
    sides = split(windows)
    fitted = NearestWindow().fit(windows.matrix[sides.train], windows.descriptors[sides.train])
    said = fitted.predict_free(windows.matrix[sides.test]).nodes[:, 0]
    hierarchy = fitted.hierarchy
    return np.mean(said == hierarchy.codes[hierarchy.encode(windows.descriptors[sides.test]), 0])


def test_by_window_even_noise_is_told_and_by_recording_it_is_not(noise):
    assert genre_told(noise, by_window) > 0.95
    assert genre_told(noise, by_recording) < 0.6


def test_a_split_by_recording_passes_the_control(noise):
    control = run_control(NearestWindow(), noise)
    require_chance(control)
    assert tuple(control) == TARGETS
    for test in control.values():
        assert test.is_conclusive
        assert not test.above_chance
        assert test.accuracy.value == pytest.approx(test.chance, abs=0.2)


def test_a_split_by_window_fails_the_control(noise):
    control = run_control(NearestWindow(), noise, split=by_window)
    assert all(test.above_chance and test.accuracy.value > 0.9 for test in control.values())
    with pytest.raises(
        AmperSparkError, match=r"genre 0\.9.* where chance is 0\.5.*, momentum 0\.9"
    ) as refused:
        require_chance(control)
    assert "\n" not in str(refused.value)


def test_what_can_be_learnt_is_not_learnt_from_shuffled_labels(make_windows):
    windows = make_windows(n_descriptors=6, recordings_per_descriptor=12, noise=0.1)
    assert genre_told(windows, by_recording) > 0.95
    require_chance(run_control(NearestWindow(), windows))


def test_a_few_leaked_recordings_are_found(noise):
    """Of one in two recordings asked about, the other windows were learnt from."""

    def leaky(windows, *, seed):
        whole, parted = by_recording(windows, seed=seed), by_window(windows, seed=seed)
        leaks = np.isin(windows.recording, np.unique(windows.recording[whole.test])[::2])
        return type(whole)(
            "leaky",
            np.where(leaks, parted.train, whole.train),
            np.where(leaks, parted.test, whole.test),
            "recording",
        )

    control = run_control(NearestWindow(features="study"), noise, split=leaky)
    with pytest.raises(AmperSparkError, match="leaks"):
        require_chance(control)


def test_a_part_of_the_recordings_will_do(noise):
    control = run_control(NearestWindow(), noise, n_recordings=60)
    assert control["genre"].accuracy.n_recordings < 0.4 * 60
    require_chance(control)
    few = run_control(NearestWindow(), noise, n_recordings=1)
    assert few["genre"].accuracy.n_recordings == 8  # one of the three of each descriptor


def test_the_control_is_reproducible_and_leaves_the_classifier_alone(noise):
    classifier = NearestWindow()
    first = run_control(classifier, noise, n_recordings=60, n_permutations=99, seed=3)
    assert first == run_control(classifier, noise, n_recordings=60, n_permutations=99, seed=3)
    assert not hasattr(classifier, "classes_")


@pytest.fixture(scope="module")
def uneven():
    """Give one style most recordings."""
    return Hierarchy(
        {
            name: (name, "plain", mood, sentiment, valence, valence)
            for valence, (name, mood, sentiment) in enumerate(
                [("folk", "calm", "neutral"), ("hiphop", "happy", "positive"), ("rock", "angry", "negative")]
            )
        }
    )


def test_the_most_frequent_class_for_all_is_chance(uneven):
    descriptors = np.repeat([0, 1, 2], [80, 15, 5])
    said = uneven.codes[np.zeros(500, dtype=int)]
    tests = compare_with_chance(
        uneven, descriptors=descriptors, nodes=said, recording=np.repeat(np.arange(100), 5)
    )
    assert tests["genre"].accuracy.value == pytest.approx(0.8)
    assert tests["genre"].chance == pytest.approx(0.8)
    assert tests["genre"].p_value == 1
    require_chance(tests)


def test_right_answers_are_above_chance(uneven):
    descriptors = np.repeat([0, 1, 2], [80, 15, 5])
    tests = compare_with_chance(
        uneven, descriptors=descriptors, nodes=uneven.codes[descriptors], recording=np.arange(100)
    )
    assert all(test.above_chance and test.is_conclusive for test in tests.values())
    assert tests["genre"].chance == pytest.approx(0.8**2 + 0.15**2 + 0.05**2)


def test_with_few_recordings_nothing_can_be_concluded(uneven):
    descriptors = np.array([0, 0, 1, 1, 2])
    tests = compare_with_chance(
        uneven, descriptors=descriptors, nodes=uneven.codes[descriptors], recording=np.arange(5)
    )
    assert not any(test.is_conclusive or test.above_chance for test in tests.values())
    assert tests["genre"].p_value == pytest.approx(
        1 / 30, rel=0.2
    )  # of 5! / (2! 2! 1!) ways to hand them out


def test_bad_luck_is_as_frequent_as_it_says(uneven):
    """Answers know nothing, are alike within recordings of 1 to 26 windows, and classes differ in size."""
    rng = np.random.default_rng(1)
    p_values = []
    for trial in range(300):
        lengths = rng.choice([1, 11, 26], size=60)
        recording = np.repeat(np.arange(60), lengths)
        favourite = rng.choice(3, size=60, p=[0.7, 0.2, 0.1])[recording]
        said = np.where(rng.random(len(recording)) < 0.9, favourite, rng.integers(3, size=len(recording)))
        tests = compare_with_chance(
            uneven,
            descriptors=rng.permutation(np.repeat([0, 1, 2], [40, 14, 6])),
            nodes=uneven.codes[said],
            recording=recording,
            n_permutations=99,
            seed=trial,
        )
        p_values.append(tests["genre"].p_value)
    for level in (0.05, 0.2, 0.5):
        share = np.mean(np.array(p_values) <= level)
        assert share == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 300))


def test_what_cannot_be_tested_is_refused(uneven):
    with pytest.raises(ParameterError, match="got 0, 9"):
        compare_with_chance(
            uneven,
            descriptors=np.array([], dtype=int),
            nodes=np.zeros((0, 6), dtype=int),
            recording=np.array([], dtype=int),
            n_permutations=9,
        )

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.classify.splits import (
    Split,
    by_recording,
    by_window,
    folds,
    nested_subsets,
    unseen_patterns,
)
from amper_spark.classify.windows import MATRIX_COLUMNS, Recordings, Windows
from amper_spark.errors import ParameterError


def corpus(counts, *, n_windows=3, halves=("A", "B"), order=None):
    """Give each descriptor so many recordings, of so many windows each."""
    descriptors = np.repeat(np.array([f"style_{i}" for i in range(len(counts))], dtype=object), counts)
    n = len(descriptors)
    turn = np.arange(n)
    order = turn if order is None else order
    windows_of = np.broadcast_to(n_windows, n)
    recording = np.repeat(turn, windows_of[order])
    return Windows(
        matrix=np.zeros((len(recording), len(MATRIX_COLUMNS)), dtype=np.float32),
        recording=recording,
        number=np.concatenate([np.arange(length) for length in windows_of[order]]),
        recordings=Recordings(
            ids=np.array([f"r{i:04d}" for i in turn], dtype=object)[order],
            descriptors=descriptors[order],
            halves=np.array(halves, dtype=object)[turn % len(halves)][order],
            fonts=np.full(n, "", dtype=object),
        ),
    )


def recordings_of(windows, mask):
    return set(windows.recordings.ids[windows.recording[mask]].tolist())


def n_by_descriptor(windows, mask):
    heard = np.unique(windows.recording[mask])
    names, counts = np.unique(windows.recordings.descriptors[heard].astype(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


corpora = st.builds(
    lambda counts, seed: corpus(
        counts, n_windows=np.random.default_rng(seed).integers(1, 5, size=sum(counts))
    ),
    st.lists(st.integers(2, 12), min_size=2, max_size=6),
    st.integers(0, 1000),
)


@settings(deadline=None, max_examples=60)
@given(windows=corpora, share=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_no_recording_is_on_both_sides(windows, share, seed):
    splits = [by_recording(windows, test_share=share, seed=seed), *folds(windows, n_folds=3, seed=seed)]
    if (patterns := unseen_patterns(windows)) is not None:
        splits.append(patterns)
    for split in splits:
        assert split.unit == "recording"
        assert recordings_of(windows, split.train).isdisjoint(recordings_of(windows, split.test))


@settings(deadline=None, max_examples=60)
@given(windows=corpora, share=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_by_recording_all_windows_are_used_and_every_descriptor_is_on_both_sides(windows, share, seed):
    split = by_recording(windows, test_share=share, seed=seed)
    assert np.all(split.train ^ split.test)
    names = set(windows.recordings.descriptors)
    assert set(n_by_descriptor(windows, split.train)) == set(n_by_descriptor(windows, split.test)) == names


def test_seventy_thirty():
    windows = corpus([99, 10, 3, 2])
    split = by_recording(windows, seed=5)
    assert n_by_descriptor(windows, split.test) == {"style_0": 30, "style_1": 3, "style_2": 1, "style_3": 1}


def test_the_split_follows_from_ids_and_seed_not_from_order_or_other_descriptors():
    windows = corpus([10, 20])
    tested = recordings_of(windows, by_recording(windows, seed=1).test)
    mixed = corpus([10, 20], order=np.random.default_rng(0).permutation(30))
    assert recordings_of(mixed, by_recording(mixed, seed=1).test) == tested
    fewer = windows.take_recordings(windows.recordings.descriptors == "style_1")
    assert recordings_of(fewer, by_recording(fewer, seed=1).test) < tested
    assert recordings_of(windows, by_recording(windows, seed=2).test) != tested


def test_by_window_recordings_are_on_both_sides_and_descriptors_have_their_share():
    windows = corpus([10, 20], n_windows=10)
    split = by_window(windows)
    assert split.unit == "window"
    assert np.all(split.train ^ split.test)
    assert recordings_of(windows, split.train) & recordings_of(windows, split.test)
    shares = [split.test[windows.descriptors == name].mean() for name in ("style_0", "style_1")]
    assert shares == pytest.approx([0.3, 0.3])


@settings(deadline=None, max_examples=60)
@given(windows=corpora, n_folds=st.integers(2, 5), seed=st.integers(0, 2**32))
def test_folds_test_each_window_once_and_are_even(windows, n_folds, seed):
    if n_folds > len(windows.recordings):
        return
    splits = folds(windows, n_folds=n_folds, seed=seed)
    assert np.all(np.sum([split.test for split in splits], axis=0) == 1)
    assert all(np.all(split.train ^ split.test) for split in splits)
    sizes = [len(recordings_of(windows, split.test)) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    for name in set(windows.recordings.descriptors):
        counts = [n_by_descriptor(windows, split.test).get(name, 0) for split in splits]
        assert max(counts) - min(counts) <= 1


def test_patterns_of_half_b_are_not_heard_before():
    windows = corpus([8, 8])
    split = unseen_patterns(windows)
    halves = windows.recordings.halves[windows.recording]
    assert set(halves[split.train]) == {"A"}
    assert np.array_equal(split.test, halves == "B")


@pytest.mark.parametrize("halves", [("A",), ("B",), ("",)])
def test_without_two_halves_there_is_no_test_of_patterns(halves):
    assert unseen_patterns(corpus([8, 8], halves=halves)) is None


def test_what_was_not_learnt_is_not_asked():
    windows = corpus([8, 8, 8])
    windows.recordings.halves[windows.recordings.descriptors == "style_1"] = "B"
    split = unseen_patterns(windows)
    assert n_by_descriptor(windows, split.test) == {"style_0": 4, "style_2": 4}
    windows.recordings.halves[windows.recordings.descriptors == "style_2"] = "B"
    assert unseen_patterns(windows) is None


@settings(deadline=None, max_examples=60)
@given(windows=corpora, seed=st.integers(0, 2**32), data=st.data())
def test_subsets_are_nested_and_hold_every_descriptor(windows, seed, data):
    n, least = len(windows.recordings), len(set(windows.recordings.descriptors))
    sizes = sorted(data.draw(st.lists(st.integers(least, n), min_size=1, max_size=4)))
    subsets = nested_subsets(windows.recordings, sizes, seed=seed)
    assert [subset.sum() for subset in subsets] == sizes
    for smaller, larger in pairwise(subsets):
        assert not np.any(smaller & ~larger)
    for subset in subsets:
        assert set(windows.recordings.descriptors[subset]) == set(windows.recordings.descriptors)


def test_subsets_are_stratified():
    windows = corpus([40, 20, 4])
    (half,) = nested_subsets(windows.recordings, [32])
    assert n_by_descriptor(windows, half[windows.recording]) == {"style_0": 20, "style_1": 10, "style_2": 2}
    (three,) = nested_subsets(windows.recordings, [9], fewest=3)
    assert n_by_descriptor(windows, three[windows.recording]) == {"style_0": 3, "style_1": 3, "style_2": 3}


@pytest.mark.parametrize(
    ("broken", "offender"),
    [
        (lambda: by_recording(corpus([3, 1])), "style_1"),
        (lambda: folds(corpus([3, 1])), "n_folds.*4.*got 5"),
        (lambda: folds(corpus([5, 1])), "style_1"),
        (lambda: by_window(corpus([3, 1], n_windows=1)), "style_1"),
        (lambda: by_recording(corpus([3, 3]), test_share=1.0), "1.0"),
        (lambda: by_window(corpus([3, 3]), test_share=0.0), "0.0"),
        (lambda: nested_subsets(corpus([3, 3]).recordings, [1]), "got 1"),
        (lambda: nested_subsets(corpus([3, 3]).recordings, [7]), "got 7"),
        (lambda: Split("mine", np.array([True, True]), np.array([False, True]), "window"), "mine.*window 1"),
        (lambda: Split("mine", np.array([True, True]), np.array([False, False]), "window"), "mine"),
    ],
)
def test_what_cannot_be_split_is_named(broken, offender):
    with pytest.raises(ParameterError, match=offender):
        broken()

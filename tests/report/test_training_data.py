from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ParameterError
from amper_spark.features.registry import FEATURES
from amper_spark.report.near_windows import KINDS_OF_PAIRS, nearest_windows, window_distances
from amper_spark.report.training_data import (
    affect_dependence,
    corpus_contents,
    corpus_durations,
    describe_descriptors,
    describe_windows,
    tempo_errors,
    tempo_summary,
)
from amper_spark.report.training_pictures import (
    affect_picture,
    distances_picture,
    features_picture,
    moods_picture,
    tempo_by_affect_picture,
    tempo_by_style_picture,
)

CATALOGUE = load_catalogue()
DESCRIPTORS = ("rock_indie_happy", "rock_classic_driving", "cinematic_percussion_primal_pulsing")
N_WINDOWS = 11


def recording(descriptor, number, *, n_windows=N_WINDOWS, played_bpm=100.0, heard_bpm=100.0):
    name = f"{descriptor}/{number}"
    start_s = 2.0 * np.arange(n_windows)
    return pd.DataFrame(
        {
            "track_id": name,
            "recording_id": name,
            "descriptor": descriptor,
            "start_s": start_s,
            "end_s": start_s + 10,
            "tempo": heard_bpm,
            "played_bpm": played_bpm,
        }
    )


@pytest.fixture(scope="module")
def descriptors():
    return describe_descriptors(CATALOGUE)


@pytest.fixture(scope="module")
def windows():
    """Three descriptors, four recordings of each; those of one recording are close, others are not."""
    some = [recording(name, number) for name in DESCRIPTORS for number in range(4)]
    return describe_windows(pd.concat(some, ignore_index=True), CATALOGUE)


@pytest.fixture(scope="module")
def features(windows):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(12, len(FEATURES)))
    drift = 0.01 * rng.normal(size=(len(windows), len(FEATURES)))
    return (centres[np.arange(len(windows)) // N_WINDOWS] + drift).astype(np.float32)


def texts_of(figure):
    figure.canvas.draw()
    words = [figure.get_suptitle()]
    for panel in figure.axes:
        labels = [*panel.get_xticklabels(), *panel.get_yticklabels()]
        words += [
            panel.get_xlabel(),
            panel.get_ylabel(),
            panel.get_title(),
            *(one.get_text() for one in labels),
        ]
    return words


def test_descriptors_are_written_out_as_the_catalogue_says(descriptors):
    assert len(descriptors) == len(CATALOGUE)
    assert list(descriptors["sentiment"].cat.categories) == ["negative", "neutral", "positive"]
    one = CATALOGUE["rock_indie_happy"]
    row = descriptors.loc[one.name]
    assert (row["genre"], row["style"], row["mood"]) == ("rock", "rock_indie", one.mood.name)
    assert (row["valence_of_four"], row["valence"]) == (one.mood.valence_of_four, one.mood.valence)


def test_windows_without_a_descriptor_are_left_out():
    some = pd.concat([recording("rock_indie_happy", 0), recording(None, 1)], ignore_index=True)
    assert len(describe_windows(some, CATALOGUE)) == N_WINDOWS
    assert describe_windows(recording(None, 0), CATALOGUE).empty


def test_a_former_name_stands_for_what_it_is_now():
    one = next(one for one in CATALOGUE if one.former_name)
    some = describe_windows(recording(one.former_name, 0), CATALOGUE)
    assert set(some["descriptor"]) == {one.name}
    assert set(some["style"]) == {one.style}


def test_a_descriptor_that_the_catalogue_does_not_know_is_named():
    with pytest.raises(ParameterError, match=r"rock_indie_hapy.*rock_indie_happy"):
        describe_windows(recording("rock_indie_hapy", 0), CATALOGUE)


def test_a_corpus_is_counted_genre_by_genre(windows):
    contents = corpus_contents(windows)
    assert contents.index.to_list() == ["cinematic", "rock", "all"]
    assert contents.loc["rock"].to_list() == [2, 2, 8, 88, round(8 * 30 / 3600, 2)]
    assert contents.loc["all"].to_list() == [3, 3, 12, 132, round(12 * 30 / 3600, 2)]


def test_a_corpus_is_counted_by_duration():
    some = pd.concat([recording("rock_indie_happy", n, n_windows=w) for n, w in enumerate((1, 1, 26))])
    durations = corpus_durations(some)
    assert durations.index.to_list() == [10, 60]
    assert durations["recordings"].to_list() == [2, 1]
    assert durations["windows"].to_list() == [2, 26]
    assert durations["share_of_windows"].sum() == pytest.approx(1, abs=1e-3)


def test_the_dependence_of_what_is_one_and_of_what_is_apart():
    levels = np.tile([0, 1, 2], 20)
    table = pd.DataFrame(
        {
            "mood": [f"mood {index}" for index in range(60)],
            "sentiment": pd.Categorical.from_codes(levels, ["negative", "neutral", "positive"], ordered=True),
            "valence": levels,
            "momentum": np.repeat([0, 1, 2, 3], 15),
        }
    )
    found = affect_dependence(pd.concat([table, table]))
    assert found["moods"].to_list() == [60, 60, 60]
    same, *apart = found[["correlation", "low", "high"]].to_numpy().tolist()
    assert same == [1, 1, 1]
    for _, low, high in apart:
        assert low < 0 < high
    assert found["over descriptors"].iloc[0] == 1


def test_what_the_notebook_says_of_the_catalogue_is_so(descriptors):
    found = affect_dependence(descriptors)
    assert 0.4 < found.loc["sentiment, valence", "low"] < found.loc["sentiment, valence", "high"] < 0.9
    assert found.loc["sentiment, momentum", "low"] < 0 < found.loc["sentiment, momentum", "high"]
    assert found.loc["valence, momentum", "low"] > 0
    assert descriptors["style"].value_counts().idxmax() == "cinematic_ambient"
    assert (descriptors["sentiment"] == "positive").mean() == pytest.approx(0.5, abs=0.05)


def test_tempi_are_put_beside_the_studys():
    some = pd.concat([recording("rock_indie_happy", n, heard_bpm=bpm) for n, bpm in enumerate((80, 90, 130))])
    summary = tempo_summary(some)
    assert summary.loc["the study, heard"].to_list() == [49, 118, 120, 234]
    assert summary.loc["heard"].to_list() == [80, 90, 100, 130]
    assert summary.loc["played"].to_list() == [100] * 4


def test_tempi_are_right_or_an_octave_off_or_wrong():
    heard_bpm = (103.9, 96.1, 51, 195, 133, 104.1)
    some = [recording("rock_indie_happy", n, n_windows=1, heard_bpm=bpm) for n, bpm in enumerate(heard_bpm)]
    unknown = recording("rock_indie_happy", 9, played_bpm=np.nan)
    errors = tempo_errors(describe_windows(pd.concat([*some, unknown]), CATALOGUE))
    assert errors.index.to_list() == ["rock", "all"]
    assert errors.loc["all"].to_list() == [6, 0.333, 0.167, 0.167, 0.333]


@pytest.mark.filterwarnings("error")
def test_no_tempo_need_be_known():
    some = describe_windows(recording("rock_indie_happy", 0, played_bpm=np.nan), CATALOGUE)
    assert tempo_errors(some).empty
    assert tempo_summary(some).loc["played"].isna().all()


def test_windows_of_a_recording_are_nearer_than_others(windows, features):
    distances = window_distances(windows, features)
    means = distances.groupby("kind", observed=True)["distance"].mean()
    assert set(means.index) == set(KINDS_OF_PAIRS)
    assert means[list(KINDS_OF_PAIRS[:2])].max() < 0.1 < means[list(KINDS_OF_PAIRS[2:])].min()


def test_pairs_are_of_the_kind_that_they_are_said_to_be(windows, features):
    counts = window_distances(windows, features)["kind"].value_counts()
    steps = [one - other for one in range(N_WINDOWS) for other in range(one)]
    assert counts[KINDS_OF_PAIRS[0]] == 12 * steps.count(1)
    assert counts[KINDS_OF_PAIRS[1]] == 12 * sum(apart >= 5 for apart in steps)
    assert counts[KINDS_OF_PAIRS[2]] == 3 * 6 * N_WINDOWS**2
    assert counts[KINDS_OF_PAIRS[3]] == 3 * 16 * N_WINDOWS**2


def test_distances_are_euclidean():
    some = pd.concat([recording("rock_indie_happy", number, n_windows=1) for number in range(2)])
    (distance,) = window_distances(some, np.array([[0, 0], [3, 4]], np.float32))["distance"]
    assert distance == 5


def test_the_nearest_window_is_of_the_same_recording(windows, features):
    (nearest,) = nearest_windows(windows, features).to_dict("records")
    assert nearest["windows"] == len(windows)
    assert nearest["same_recording"] == 1
    assert nearest["by_chance"] == pytest.approx(10 / 131, abs=1e-3)


def test_the_nearest_window_is_anywhere_where_nothing_is_alike(windows):
    noise = np.random.default_rng(0).normal(size=(len(windows), 21)).astype(np.float32)
    (nearest,) = nearest_windows(windows, noise).to_dict("records")
    assert nearest["same_recording"] < 0.25
    assert nearest["same_descriptor"] == pytest.approx(1 / 3, abs=0.15)


def test_among_the_other_recordings_those_of_the_descriptor_are_found(windows):
    codes = pd.factorize(windows["descriptor"])[0]
    features = np.repeat(codes[:, None], 21, axis=1).astype(np.float32)
    assert nearest_windows(windows, features)["same_descriptor"].item() == 1


@pytest.mark.parametrize("n_windows", [(5,), (1, 1)])
def test_where_no_neighbour_can_be_asked_for_there_is_no_share(n_windows):
    some = pd.concat([recording("rock_indie_happy", n, n_windows=w) for n, w in enumerate(n_windows)])
    nearest = nearest_windows(some, np.zeros((len(some), 21), np.float32))
    assert nearest["same_recording"].isna().all()


@pytest.mark.parametrize("measure", [window_distances, nearest_windows])
def test_features_of_other_windows_are_refused(windows, features, measure):
    with pytest.raises(ParameterError, match="a row a window, 132, got 131"):
        measure(windows, features[1:])


def test_the_picture_of_moods_has_every_descriptor(descriptors):
    figure = moods_picture(descriptors)
    grid, bars = figure.axes
    squares = np.concatenate([dots.get_offsets() for dots in grid.collections])
    assert len(np.unique(squares, axis=0)) == len(CATALOGUE)
    assert sum(bar.get_width() for bar in bars.patches) == len(CATALOGUE)
    assert "n = 204 descriptors, 42 moods" in figure.get_suptitle()


def test_the_picture_of_affect_counts_every_descriptor_before_and_after(descriptors):
    figure = affect_picture(descriptors)
    before, after = (
        sum(bar.get_height() for panel in row for bar in panel.patches)
        for row in (figure.axes[:3], figure.axes[3:])
    )
    assert before == after == len(CATALOGUE)
    assert [len(panel.get_xticks()) for panel in figure.axes] == [4, 4, 4, 3, 3, 3]


def test_pictures_of_tempo_show_outliers_units_and_how_many(windows):
    stray = windows.assign(tempo=windows["tempo"].where(windows.index != 0, 234))
    for draw in (tempo_by_style_picture, tempo_by_affect_picture):
        words = texts_of(draw(stray))
        assert any("n = 132 windows of 12 recordings" in text for text in words)
        assert "tempo of the window (BPM)" in words
        drawn = [line.get_xydata() for panel in draw(stray).axes for line in panel.get_lines()]
        assert 234 in np.concatenate(drawn)
    assert {"rock_indie", "rock_classic", "cinematic_percussion"} <= set(
        texts_of(tempo_by_style_picture(stray))
    )


def test_the_picture_of_features_has_them_all(windows, features):
    figure = features_picture(windows, features)
    assert [panel.get_title() for panel in figure.axes] == [feature.name for feature in FEATURES]


def test_the_picture_of_distances_says_how_many_pairs(windows, features):
    distances = window_distances(windows, features)
    words = texts_of(distances_picture(distances))
    assert any(f"n = {len(distances):,} pairs" in text for text in words)
    assert {text.split("\n")[0] for text in words if "\nn = " in text} == set(KINDS_OF_PAIRS)


@pytest.mark.filterwarnings("error")
def test_pictures_of_one_recording_of_one_window_can_be_drawn():
    some = describe_windows(recording("rock_indie_happy", 0, n_windows=1), CATALOGUE)
    features = np.zeros((1, 21), np.float32)
    for figure in (
        tempo_by_style_picture(some),
        tempo_by_affect_picture(some),
        features_picture(some, features),
        distances_picture(window_distances(some, features)),
    ):
        figure.savefig(io.BytesIO())

"""Windows to learn from are read from lakes that are made up: which, in what order, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import AmperSparkError
from amper_spark.spark.labelled_windows import read_labelled_windows
from amper_spark.spark.lake import Lake
from tests.lake_rows import AT, analysis_row, commit_rows, track_row, window_rows

CATALOGUE = load_catalogue()
ROCK, FOLK = "rock_indie_happy", "folk_acoustic_uplifting"
RENDER = {
    "catalogue_version": "c1",
    "instruments_version": "i1",
    "composer_version": "1-c",
    "engine_version": "1-e",
    "libraries_version": "numpy 2",
    "corpus_version": "1",
}


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def sound(track_id, count=2):
    """Numbers that no other track has, and no other window."""
    rng = np.random.default_rng(list(track_id.encode()))
    return rng.normal(size=(count, len(MATRIX_COLUMNS))).astype(np.float32)


def analysis(track_id, *, count=2, version="1f0c", **told):
    found = [] if "reason" in told else window_rows(sound(track_id, count))
    return analysis_row(track_id, found, analysis_version=version, **told)


def add(lake, track_id, *, count=2, version="1f0c", **told):
    """Commit one track and its analysis, each in a file of its own."""
    commit_rows(lake, "tracks", [track_row(track_id, **told)])
    commit_rows(lake, "analyses", [analysis(track_id, count=count, version=version)])


def read(lake, **selected):
    return read_labelled_windows(lake, catalogue=CATALOGUE, **selected)


def refusal(lake, **selected):
    with pytest.raises(AmperSparkError) as refused:
        read(lake, **selected)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_windows_come_with_what_is_known_of_their_recordings(lake):
    add(lake, "b", count=3, descriptor=ROCK, tags={"half": "B", "font": "musescore"})
    add(lake, "a", descriptor=FOLK)
    found = read(lake)
    windows = found.windows
    np.testing.assert_array_equal(windows.matrix, np.concatenate([sound("a"), sound("b", 3)]))
    assert windows.recordings.ids[windows.recording].tolist() == ["a", "a", "b", "b", "b"]
    assert windows.descriptors.tolist() == [FOLK, FOLK, ROCK, ROCK, ROCK]
    assert windows.recordings.halves.tolist() == ["", "B"]
    assert windows.recordings.fonts.tolist() == ["", "musescore"]
    assert found.analysis_version == "1f0c"
    assert found.snapshot == {"tracks": lake.version("tracks"), "analyses": lake.version("analyses")}


def test_what_cannot_be_learnt_from_is_left_out(lake):
    labelled = {"descriptor": ROCK}
    commit_rows(
        lake,
        "tracks",
        [
            track_row("good", **labelled),
            track_row("quarantined", **labelled),
            track_row("deleted", deleted_at=AT, **labelled),
            track_row("changed", **labelled),
            track_row("waiting", **labelled),
            track_row("unlabelled"),
        ],
    )
    heard = [analysis(track_id) for track_id in ("good", "deleted", "unlabelled", "never listed")]
    bad = analysis("quarantined", reason="silent", version="9a2e")
    commit_rows(lake, "analyses", [*heard, bad, analysis("changed", etag="old", version="9a2e")])
    found = read(lake)
    assert found.windows.recordings.ids.tolist() == ["good"]
    np.testing.assert_array_equal(found.windows.matrix, sound("good"))


def test_one_corpus(lake):
    add(lake, "a", corpus="renders", descriptor=ROCK, tags=RENDER)
    add(lake, "b", corpus="home", descriptor=FOLK, version="9a2e")
    found = read(lake, corpus="home")
    assert found.windows.recordings.ids.tolist() == ["b"]
    assert (found.analysis_version, found.made_with) == ("9a2e", {})


def test_tracks_that_share_a_recording_become_one(lake):
    add(lake, "pitched up", recording_id="song", descriptor=ROCK)
    add(lake, "other", descriptor=ROCK)
    add(lake, "original", recording_id="song", descriptor=ROCK, count=3)
    windows = read(lake).windows
    assert windows.recordings.ids.tolist() == ["other", "song"]
    song = windows.matrix[windows.recording == 1]
    np.testing.assert_array_equal(song, np.concatenate([sound("original", 3), sound("pitched up")]))


def test_the_order_is_not_that_of_the_files(tmp_path):
    recordings = {"c": "c", "a2": "a", "b": "b", "a1": "a"}
    told = {
        track_id: {"recording_id": recording, "descriptor": ROCK, "tags": {"half": track_id}}
        for track_id, recording in recordings.items()
    }
    first, *others = (
        _read_in_order(tmp_path / str(number), told, order)
        for number, order in enumerate(itertools.permutations(told))
        if number % 5 == 0
    )
    assert first.recordings.halves.tolist() == ["a1", "b", "c"]
    for other in others:
        np.testing.assert_array_equal(other.matrix, first.matrix)
        np.testing.assert_array_equal(other.recording, first.recording)
        assert other.recordings.ids.tolist() == first.recordings.ids.tolist()
        assert other.recordings.halves.tolist() == first.recordings.halves.tolist()


def _read_in_order(folder, told, order):
    lake = Lake(folder)
    for track_id in order:
        add(lake, track_id, **told[track_id])
    return read(lake).windows


def test_descriptors_are_called_what_the_catalogue_calls_them_now(lake):
    renamed = next(one for one in CATALOGUE if one.former_name)
    add(lake, "a", recording_id="song", descriptor=renamed.former_name)
    add(lake, "b", recording_id="song", descriptor=renamed.name)
    add(lake, "c", descriptor="zydeco")
    assert read(lake).windows.recordings.descriptors.tolist() == ["zydeco", renamed.name]


def test_a_recording_of_two_descriptors_is_refused(lake):
    add(lake, "a", recording_id="song", descriptor=ROCK)
    add(lake, "b", recording_id="song", descriptor=FOLK)
    add(lake, "c", descriptor=FOLK)
    assert f"recording 'song' has several descriptors, {FOLK}, {ROCK}" in refusal(lake)


def test_mixed_analysis_versions_are_refused(lake):
    add(lake, "a", descriptor=ROCK)
    add(lake, "b", descriptor=ROCK)
    add(lake, "c", corpus="home", descriptor=ROCK, version="9a2e")
    add(lake, "d", corpus="elsewhere", version="77aa")
    said = refusal(lake)
    assert "several analysis versions, 1f0c (2 recordings), 9a2e (1 recording):" in said
    assert f"`amper-spark analyze --force --lake {lake.uri}`" in said
    assert read(lake, corpus="home").analysis_version == "9a2e"


def test_the_last_analysis_counts(lake):
    add(lake, "a", descriptor=ROCK)
    again = analysis("a", count=5, version="9a2e", at=AT.replace(hour=13))
    commit_rows(lake, "analyses", [again])
    assert read(lake).analysis_version == "9a2e"
    assert len(read(lake).windows) == 5


def test_where_there_is_nothing_to_learn_from_it_says_what_to_run(lake):
    commands = [f"`amper-spark {job} --lake {lake.uri}`" for job in ("generate", "analyze")]
    assert f"no analysed recording in {lake.uri} has a descriptor: run {' and '.join(commands)}" in refusal(
        lake
    )
    assert f"no analysed recording of corpus 'renders' in {lake.uri}" in refusal(lake, corpus="renders")
    commit_rows(lake, "tracks", [track_row("a", corpus="renders", descriptor=ROCK)])
    assert "--manifest" in refusal(lake)
    add(lake, "b", corpus="home")
    assert "no analysed recording of corpus 'home' in" in refusal(lake, corpus="home")
    assert refusal(lake, corpus="hom").endswith("known: home, renders")


def test_what_renders_were_made_with_is_told_where_all_agree(lake):
    add(lake, "a", descriptor=ROCK, tags=RENDER | {"font": "musescore", "font_version": "f1"})
    add(lake, "b", descriptor=ROCK, tags=RENDER | {"composer_version": "2-c", "font": "fluid"})
    add(lake, "mine", descriptor=ROCK)
    add(lake, "unlabelled", tags=RENDER | {"engine_version": "2-e"})
    agreed = {name: version for name, version in RENDER.items() if name != "composer_version"}
    assert read(lake).made_with == agreed

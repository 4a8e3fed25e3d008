"""What a training learns from: other fonts set apart, as few recordings as asked for, all of it checked."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from amper_spark.classify.windows import MATRIX_COLUMNS
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import AmperSparkError
from amper_spark.spark.lake import Lake
from amper_spark.spark.training_material import read_material
from tests.lake_rows import analysis_row, commit_rows, track_row, window_rows

CATALOGUE = load_catalogue()
ROCK, FOLK, POP = "rock_indie_happy", "folk_acoustic_uplifting", "cinematic_ambient_dreamy"


def sound_of(name):
    """Two windows that no recording of another name has."""
    return np.random.default_rng(list(name.encode())).random((2, len(MATRIX_COLUMNS)), np.float32)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def add(lake, counts, *, named="", sound=sound_of, **told):
    """Commit so many recordings of each descriptor."""
    numbered = [
        (f"{descriptor}{named} {n}", descriptor) for descriptor in counts for n in range(counts[descriptor])
    ]
    commit_rows(lake, "tracks", [track_row(one, descriptor=name, **told) for one, name in numbered])
    heard = [analysis_row(one, window_rows(sound(one)), analysis_version="1f0c") for one, _ in numbered]
    commit_rows(lake, "analyses", heard)


def add_copies(lake, counts, *, of="", named, **told):
    """Commit what `add` has committed under other names, as a second `generate` with the same seed does."""
    add(lake, counts, named=named, sound=lambda name: sound_of(name.replace(f"{named} ", f"{of} ")), **told)


def read(lake, **selected):
    return read_material(lake, catalogue=CATALOGUE, **selected)


def counts_of(windows):
    return dict(Counter(windows.recordings.descriptors.tolist()))


def refusal(lake, **selected):
    with pytest.raises(AmperSparkError) as refused:
        read(lake, **selected)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_all_that_is_labelled_is_learnt_from(lake):
    add(lake, {ROCK: 3, FOLK: 4}, corpus="home")
    material = read(lake)
    assert counts_of(material.windows) == {ROCK: 3, FOLK: 4}
    assert material.others is None
    versions = {f"{table}_delta_version": str(lake.version(table)) for table in ("tracks", "analyses")}
    assert material.tags == versions | {"corpus_name": "all"}
    assert read(lake, corpus="home").tags["corpus_name"] == "home"


def test_other_fonts_are_set_apart(lake):
    add(lake, {ROCK: 3, FOLK: 4}, tags={"font": "musescore"})
    add(lake, {ROCK: 2}, named=" fluid", tags={"font": "fluid"})
    add(lake, {ROCK: 1, FOLK: 2}, named=" own", tags={"font": "own"})
    add(lake, {FOLK: 9}, named=" real")
    material = read(lake)
    assert counts_of(material.windows) == {ROCK: 3, FOLK: 13}
    assert counts_of(material.others) == {ROCK: 3, FOLK: 2}
    assert set(material.others.recordings.fonts) == {"fluid", "own"}


def test_of_other_fonts_only_what_is_learnt_can_be_asked_about(lake):
    add(lake, {ROCK: 3, FOLK: 3}, tags={"font": "musescore"})
    add(lake, {POP: 4}, tags={"font": "fluid"})
    assert read(lake).others is None
    add(lake, {ROCK: 1}, named=" fluid", tags={"font": "fluid"})
    assert counts_of(read(lake).others) == {ROCK: 1}


@pytest.mark.parametrize(
    ("limit", "expected"), [(9, (3, 3, 3)), (11, (3, 4, 4)), (12, (3, 4, 5)), (20, (3, 5, 12))]
)
def test_a_limit_spreads_evenly(lake, limit, expected):
    add(lake, {ROCK: 3, FOLK: 5, POP: 30})
    assert tuple(sorted(counts_of(read(lake, limit=limit).windows).values())) == expected


def test_a_limit_beyond_what_is_there_takes_all(lake):
    add(lake, {ROCK: 3, FOLK: 4})
    assert len(read(lake, limit=7).windows) == len(read(lake, limit=100).windows) == 14


@pytest.mark.parametrize("limit", [2, 5])
def test_a_limit_that_leaves_too_few_of_a_descriptor_is_refused(lake, limit):
    add(lake, {ROCK: 8, FOLK: 8})
    said = f"--limit must be at least 6, 3 recordings a descriptor, got {limit}"
    assert refusal(lake, limit=limit) == said


def test_a_limit_is_not_to_blame_for_rare_descriptors(lake):
    add(lake, {ROCK: 8, FOLK: 2})
    assert refusal(lake, limit=5) == f"descriptor {FOLK!r} has 2 recordings, fewer than 3"


def test_former_names_are_as_good_as_those_of_now(lake):
    renamed = next(one for one in CATALOGUE if one.former_name)
    add(lake, {renamed.former_name: 2, renamed.name: 1, ROCK: 3})
    assert counts_of(read(lake).windows) == {renamed.name: 3, ROCK: 3}


def test_a_model_knows_what_it_was_made_with(lake):
    """Of the catalogue it is the one that its trees are of, not the one that renders were ordered from."""
    tags = {"composer_version": "1-c", "catalogue_version": "long ago"}
    add(lake, {ROCK: 3}, tags=tags | {"engine_version": "1-e"})
    add(lake, {FOLK: 3}, tags=tags | {"engine_version": "2-e"})
    shares = '{"folk": 0.5, "rock": 0.5}'
    known = {"analysis_version": "1f0c", "catalogue": CATALOGUE.version, "composer": "1-c"}
    assert read(lake).made_with == known | {"genre_shares": shares}


def test_a_model_knows_how_much_of_each_genre_it_has_heard(lake):
    """By windows, of what is learnt from: neither of other fonts nor beyond the limit."""
    add(lake, {ROCK: 6, FOLK: 3}, tags={"font": "musescore"})
    add(lake, {POP: 3}, sound=lambda name: np.tile(sound_of(name), (3, 1)), tags={"font": "musescore"})
    add(lake, {ROCK: 2}, named=" fluid", tags={"font": "fluid"})
    shares = json.loads(read(lake).made_with["genre_shares"])
    assert shares == {"cinematic": 0.5, "folk": 0.1667, "rock": 0.3333}
    fewer = json.loads(read(lake, limit=9).made_with["genre_shares"])
    assert fewer == {"cinematic": 0.6, "folk": 0.2, "rock": 0.2}


@pytest.mark.parametrize("font", ["musescore", "fluid"])
def test_what_no_model_can_learn_is_refused_whatever_plays_it(lake, font):
    add(lake, {ROCK: 3, FOLK: 3}, tags={"font": "musescore"})
    silence = sound_of("silence")
    silence[1, MATRIX_COLUMNS.index("tempo")] = np.nan
    add(lake, {ROCK: 1}, named=" bad", sound=lambda _: silence, tags={"font": font})
    assert refusal(lake) == f"a window of recording '{ROCK} bad 0' has tempo = nan"


@pytest.mark.parametrize("font", ["musescore", "fluid"])
def test_what_the_catalogue_does_not_know_is_refused_whatever_plays_it(lake, font):
    add(lake, {ROCK: 3, FOLK: 3}, tags={"font": "musescore"})
    add(lake, {"rock_indie_hapy": 1}, tags={"font": font})
    assert "no descriptor 'rock_indie_hapy'; did you mean 'rock_indie_happy'" in refusal(lake)


@pytest.mark.parametrize("font", ["musescore", "fluid"])
def test_copies_under_other_ids_are_refused_whatever_plays_them(lake, font):
    """They would be on both sides of every split, and shuffled labels would not find them."""
    add(lake, {ROCK: 4, FOLK: 3}, corpus="renders", tags={"font": "musescore"})
    add_copies(lake, {ROCK: 3, FOLK: 3}, named=" again", corpus="again", tags={"font": font})
    assert refusal(lake) == (
        f"copies among 13 recordings: 6, such as '{FOLK} again 0', all of whose windows are those of "
        f"'{FOLK} 0': name one corpus with --corpus, or give copies one recording_id in the manifest"
    )
    assert counts_of(read(lake, corpus="renders").windows) == {ROCK: 4, FOLK: 3}


def test_copies_that_share_a_recording_are_no_fault(lake):
    add(lake, {ROCK: 3, FOLK: 3})
    add(lake, {ROCK: 1}, named=" twice", recording_id="one")
    add_copies(lake, {ROCK: 1}, of=" twice", named=" thrice", recording_id="one")
    assert counts_of(read(lake).windows) == {ROCK: 4, FOLK: 3}


def test_recordings_that_share_some_windows_are_not_the_same(lake):
    add(lake, {ROCK: 3, FOLK: 3})
    first = f"{ROCK} 0"
    add(lake, {ROCK: 1}, named=" longer", sound=lambda name: np.vstack([sound_of(first), sound_of(name)]))
    add(lake, {ROCK: 1}, named=" shorter", sound=lambda _: sound_of(first)[:1])
    add(lake, {ROCK: 1}, named=" turned", sound=lambda _: sound_of(first)[::-1])
    assert counts_of(read(lake).windows) == {ROCK: 6, FOLK: 3}

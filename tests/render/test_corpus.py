"""The plan of a corpus, and its renders: determined by their orders, as long and as loud as asked for."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.descriptors.catalogue import Catalogue, load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.errors import ConfigError, ParameterError
from amper_spark.render import corpus
from amper_spark.render.composer.composing import compose
from amper_spark.render.corpus import RenderError, made_with, make_render
from amper_spark.render.corpus_options import CorpusRequest, read_request
from amper_spark.render.corpus_plan import RenderOrder, is_render_key, plan_corpus
from amper_spark.render.engine.fonts import load_font
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from tests.render.whole_fonts import whole_font

NAMES = ["rock_indie_happy", "cinematic_ambient_sad", "electronica_edm_exciting"]

MAKE = """
import sys
from pathlib import Path
from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.render.corpus import make_render
from amper_spark.render.corpus_plan import plan_corpus
from amper_spark.render.engine.fonts import load_font
order = plan_corpus(["rock_indie_happy"], durations_s=[3], renders_per_duration=1)[0]
print(make_render(order, font=load_font(Path(sys.argv[1])), catalogue=load_catalogue()).tags()["sha256"])
"""


@pytest.fixture(scope="module")
def font(tmp_path_factory):
    file = tmp_path_factory.mktemp("font") / "whole.sf2"
    file.write_bytes(whole_font())
    return load_font(file)


@pytest.fixture(scope="module")
def renders(font):
    """Renders by their orders: three styles, both halves, two durations."""
    orders = plan_corpus(NAMES, durations_s=[3, 7.777], renders_per_duration=2)
    return {order: make_render(order, font=font, catalogue=load_catalogue()) for order in orders}


def audio_of(render):
    return soundfile.read(io.BytesIO(render.content), dtype="float32")


def test_a_plan_has_every_render_once():
    orders = plan_corpus(NAMES, durations_s=[10, 30.5], renders_per_duration=5, seed=3)
    assert len({order.key for order in orders}) == len({order.seed for order in orders}) == len(orders) == 30
    assert Counter(order.half for order in orders) == {"A": 18, "B": 12}
    assert {order.descriptor for order in orders[: len(NAMES)]} == set(NAMES)


@given(
    st.lists(st.sampled_from(NAMES), unique=True, min_size=1),
    st.lists(st.sampled_from([3.0, 10.0, 30.0, 60.0]), unique=True, min_size=1),
    st.integers(1, 6),
    st.sampled_from([("A", "B"), ("A",), ("B",)]),
)
def test_a_smaller_plan_is_a_part_of_the_larger_one(names, durations_s, count, halves):
    whole = set(plan_corpus(NAMES, durations_s=[3, 10, 30, 60], renders_per_duration=6))
    part = plan_corpus(names, durations_s=durations_s, renders_per_duration=count, halves=halves)
    assert set(part) <= whole
    assert {order.half for order in part} <= set(halves)


def test_another_seed_shares_no_render():
    first, second = (plan_corpus(NAMES, durations_s=[10], renders_per_duration=9, seed=n) for n in (0, 1))
    assert not {order.key for order in first} & {order.key for order in second}
    assert not {order.seed for order in first} & {order.seed for order in second}


@given(
    st.from_regex(r"[a-z]{1,9}(_[a-z0-9]{1,9}){0,3}", fullmatch=True),
    st.integers(3_000, 3_600_000).map(lambda duration_ms: duration_ms / 1_000),
    st.integers(1, 3),
    st.integers(0, 2**40),
)
def test_keys_tell_whose_renders_they_are(name, duration_s, count, seed):
    for order in plan_corpus([name], durations_s=[duration_s], renders_per_duration=count, seed=seed):
        assert is_render_key(order.key, corpus_seed=seed)
        assert not is_render_key(order.key, corpus_seed=seed + 1)


@pytest.mark.parametrize(
    "key",
    [
        "song.wav",
        "",
        "rock_indie_happy/10s/000-1aeacac9d47317.flac",
        "rock_indie_happy/10s/001-1aeacac9d47316.flac",
        "rock_indie_sad/10s/000-1aeacac9d47316.flac",
        "rock_indie_happy/11s/000-1aeacac9d47316.flac",
        "rock_indie_happy/10.0s/000-1aeacac9d47316.flac",
        "rock_indie_happy/1e1s/000-1aeacac9d47316.flac",
        "rock_indie_happy/1.0.0s/000-1aeacac9d47316.flac",
        "rock_indie_happy/10s/0000-1aeacac9d47316.flac",
        "rock_indie_happy/10s/000-1AEACAC9D47316.flac",
        "rock_indie_happy/10s/000-1aeacac9d47316.flac\n",
        "rock_indie_happy/10s/000-1aeacac9d47316.wav",
        "more/rock_indie_happy/10s/000-1aeacac9d47316.flac",
        f"rock_indie_happy/{'9' * 400}s/{'9' * 400}-1aeacac9d47316.flac",
    ],
)
def test_keys_of_other_recordings_are_told_from_those_of_renders(key):
    assert is_render_key("rock_indie_happy/10s/000-1aeacac9d47316.flac", corpus_seed=0)
    assert not is_render_key(key, corpus_seed=0)


def test_seeds_can_be_seeds():
    assert all(
        0 <= order.seed < 2**53 for order in plan_corpus(NAMES, durations_s=[3], renders_per_duration=99)
    )


def test_length_and_format(renders):
    for order, render in renders.items():
        info = soundfile.info(io.BytesIO(render.content))
        assert (info.format, info.subtype, info.channels) == ("FLAC", "PCM_16", 1)
        assert (info.samplerate, info.frames) == (22_050, round(order.duration_s * 22_050))


def test_same_order_same_render_whatever_came_before(renders, font):
    order, render = list(renders.items())[-1]
    assert make_render(order, font=font, catalogue=load_catalogue()) == render


def test_another_process_makes_the_same_bytes(renders, font):
    first = next(iter(renders.values()))
    said = subprocess.run(
        [sys.executable, "-c", MAKE, font.path], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == sha256(first.content).hexdigest() == first.tags()["sha256"]


def test_level_varies_and_peaks_stay_below(renders):
    levels_db = [render.level_db for render in renders.values()]
    assert len(set(levels_db)) == len(levels_db)
    assert all(-6 <= level_db <= 6 for level_db in levels_db)
    for render in renders.values():
        assert abs(render.loudness_lufs - render.target_lufs) < 1
        samples, _ = audio_of(render)
        peak_db = 20 * np.log10(np.abs(samples).max())
        assert peak_db - 0.01 <= render.true_peak_dbtp <= -1


def test_what_is_recorded_is_what_is_played(renders):
    catalogue, instruments = load_catalogue(), load_instruments()
    for order, render in renders.items():
        one = catalogue[order.descriptor]
        assert one.min_tempo_bpm * 0.98 <= render.tempo_bpm <= one.max_tempo_bpm * 1.02
        assert render.quality in one.scale_qualities
        assert set(render.instruments) <= instruments.players(one.style, order.half)
        assert render.n_notes > 0
        tags = render.tags()
        assert all(isinstance(value, str) and value for value in tags.values())
        again = compose(parse_timeline(json.loads(tags["timeline"])))
        assert dump_timeline(again.timeline) == json.loads(tags["timeline"])
        (passage,) = again.score.passages
        assert sum(len(part.notes) for part in passage.parts) == render.n_notes


def test_versions_tell_catalogues_and_fonts_apart(font, tmp_path):
    (tmp_path / "other.sf2").write_bytes(whole_font() + b"\0")
    catalogue = load_catalogue()
    versions = made_with(catalogue=catalogue, font=font)
    assert {"composer_version", "engine_version", "instruments_version", "corpus_version"} < set(versions)
    other = made_with(catalogue=catalogue, font=load_font(tmp_path / "other.sf2"))
    assert {name for name in versions if versions[name] != other[name]} == {"font_version"}
    smaller = made_with(catalogue=Catalogue(catalogue.descriptors[:-1]), font=font)
    assert {name for name in versions if versions[name] != smaller[name]} == {"catalogue_version"}


def test_an_unknown_descriptor_is_not_replaced(font):
    with pytest.raises(ParameterError, match="'rock_indie_hapy'; did you mean"):
        make_render(RenderOrder("rock_indie_hapy", 3.0, 0, 1), font=font, catalogue=load_catalogue())


def test_silence_is_no_render(font, monkeypatch):
    monkeypatch.setattr(corpus, "render", lambda *_, **__: np.zeros((1, 66_150), np.float32))
    order = RenderOrder("rock_indie_happy", 3.0, 0, 1)
    with pytest.raises(RenderError, match=r"rock_indie_happy/3s/000-\w+\.flac is silent"):
        make_render(order, font=font, catalogue=load_catalogue())
    order = RenderOrder("rock_indie_happy", 4.0, 0, 1)
    with pytest.raises(RenderError, match="66,150 samples instead of 88,200"):
        make_render(order, font=font, catalogue=load_catalogue())


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("all", 204),
        ("rock", 25),
        ("rock_indie", 14),
        ("minimal", 26),
        ("rock,rock_indie,rock_indie_happy", 25),
    ],
)
def test_descriptors_by_name_genre_and_subgenre(words, count):
    request = CorpusRequest("renders", words, durations="3", renders_per_duration=1)
    orders = read_request(request, catalogue=load_catalogue())
    assert len(orders) == len({order.descriptor for order in orders}) == count


def test_all_mistakes_are_named_at_once():
    request = CorpusRequest("a/b", "rokc,rock_idnie_happy", "2,ten,nan,1e9,", 0, "C", -1)
    with pytest.raises(ConfigError) as error:
        read_request(request, catalogue=load_catalogue())
    said = "\n".join(error.value.problems)
    for words in (
        "'a/b'",
        "'rokc'; did you mean 'rock'",
        "did you mean 'rock_indie_happy'",
        "got 2",
        "'ten'",
        "got nan",
        "got 1e9",
        "--renders-per-duration",
        "--half",
        "--seed",
    ):
        assert words in said


@pytest.mark.parametrize("empty", [{"descriptors": " , "}, {"durations": ""}])
def test_nothing_is_a_mistake_too(empty):
    with pytest.raises(ConfigError, match="name at least one"):
        read_request(CorpusRequest("renders", **empty), catalogue=load_catalogue())


def test_a_half_without_renders_is_told():
    with pytest.raises(ConfigError, match="--half B"):
        read_request(CorpusRequest("renders", renders_per_duration=1, half="B"), catalogue=load_catalogue())


def test_a_style_that_nobody_plays_is_refused():
    odd = replace(load_catalogue()["rock_indie_happy"], subgenre="polka", name="rock_polka_happy")
    with pytest.raises(ConfigError, match="no instruments play rock_polka, the style of rock_polka_happy"):
        read_request(CorpusRequest("renders"), catalogue=Catalogue([odd]))

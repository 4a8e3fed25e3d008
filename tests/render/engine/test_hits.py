from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from amper_spark.descriptors.hits import load_hits
from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.hits import play_hits
from amper_spark.render.engine.known_fonts import FONTS, cached_font
from amper_spark.render.engine.loudness import OFFSET_DB, weighted_powers
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.stems import render_stems, stem_names
from amper_spark.render.engine.true_peak import true_peak
from amper_spark.render.score import Score
from amper_spark.timeline.parsing import parse_timeline

RATE = 22_050
TIME_S = 3.0
SWELLS = {"cymbal_swell_500ms": 0.5, "cymbal_swell_1s": 1.0, "cymbal_swell_2s": 2.0}
RISING = {"suck_to_hit": 1.15, "swirl_rise_and_hit": 1.37, "swish_to_hit": 0.95}
STRUCK = sorted({hit.id for hit in load_hits()} - {*SWELLS, *RISING})


@pytest.fixture(scope="module", params=FONTS)
def font(request):
    path = cached_font(request.param)
    if path is None:
        pytest.fail(f"the font {request.param} is not in the cache: run amper-spark fonts fetch")
    return load_font(path)


@pytest.fixture(scope="module")
def fluid():
    return load_font(cached_font("fluid"))


def score_of(*hits, end_s=8.0, music_s=8.0, seed=1, descriptor="rock_indie_happy"):
    """Compose music that lasts for a while, with hits: names and times."""
    data = {
        "spans": [
            {
                "type": "metered",
                "time": 0,
                "tempo": 120,
                "regions": [
                    {"region": "music", "descriptor": descriptor, "beat": 0},
                    {"region": "silence", "beat": music_s * 2},
                ],
            },
            {"type": "unmetered", "time": end_s},
        ],
        "unmetered_hits": [{"hit": name, "time": time_s} for name, time_s in hits],
    }
    if music_s >= end_s:
        del data["spans"][0]["regions"][1]
    return compose(parse_timeline(data), seed=seed).score


def alone(*hits, end_s=8.0):
    """Leave out the music."""
    return replace(score_of(*hits, end_s=end_s), passages=())


def rms(audio, start_s, end_s, rate=RATE):
    return np.sqrt(np.mean(audio[:, round(start_s * rate) : round(end_s * rate)].astype(np.float64) ** 2))


@pytest.mark.parametrize("name", STRUCK)
def test_a_hit_strikes_at_its_time(font, name):
    audio = render(alone((name, TIME_S)), font, channels=1, rate=44_100)
    envelope = np.abs(audio[0])
    at = round(TIME_S * 44_100)
    window = envelope[at - 2_205 : at + 6_615]  # 50 ms before to 150 ms after
    first_s = (np.flatnonzero(window > 0.4 * window.max())[0] - 2_205) / 44_100
    assert abs(first_s) <= 0.005
    assert rms(audio, TIME_S, TIME_S + 0.02, 44_100) > 3 * rms(audio, TIME_S - 0.025, TIME_S - 0.005, 44_100)


@pytest.mark.parametrize("name", RISING)
def test_what_rises_to_a_hit_grows_and_is_hit_at_its_time(font, name):
    audio = render(alone((name, TIME_S)), font, channels=1, rate=RATE)
    start_s = TIME_S - RISING[name]
    assert not audio[:, : round((start_s - 0.01) * RATE)].any()
    early, late = rms(audio, start_s, start_s + 0.4), rms(audio, TIME_S - 0.4, TIME_S - 0.05)
    assert 0 < 2 * early < late
    assert rms(audio, TIME_S, TIME_S + 0.02) > 1.8 * rms(audio, TIME_S - 0.025, TIME_S - 0.005)
    assert abs(np.abs(audio).argmax() / RATE - TIME_S) < 0.1


@pytest.mark.parametrize("name", SWELLS)
def test_a_swell_grows_for_as_long_as_its_name_says_and_peaks_at_its_time(font, name):
    duration_s = SWELLS[name]
    audio = render(alone((name, TIME_S)), font, channels=1, rate=RATE)
    assert not audio[:, : round((TIME_S - duration_s - 0.01) * RATE)].any()
    thirds = [
        rms(audio, TIME_S - duration_s * (3 - i) / 3, TIME_S - duration_s * (2 - i) / 3) for i in range(3)
    ]
    assert 0 < thirds[0] < thirds[1] < thirds[2]
    power = np.convolve(audio[0].astype(np.float64) ** 2, np.ones(RATE // 20), mode="same")
    assert abs(power.argmax() / RATE - TIME_S) < 0.05
    assert rms(audio, TIME_S + 1.0, TIME_S + 1.5) < 0.2 * rms(audio, TIME_S - 0.1, TIME_S + 0.1)


def test_a_hit_is_a_strong_accent_wherever_it_is(font):
    for descriptor in ("rock_indie_happy", "cinematic_ambient_calm"):
        score = score_of(*((hit.id, 2.0) for hit in load_hits()), descriptor=descriptor)
        music_lufs = score.passages[0].production.loudness_lufs
        for hit, played in zip(score.hits, play_hits(score.hits, font, channels=2, rate=44_100), strict=True):
            audio = played.audio * np.float32(played.gain)
            loudest = OFFSET_DB + 10 * np.log10(weighted_powers(audio, rate=44_100).max())
            peak = 20 * np.log10(np.abs(audio).max())
            assert loudest <= music_lufs + 4.1, hit.name
            assert peak <= music_lufs + 15, hit.name
            assert loudest > music_lufs + 3.9 or peak > music_lufs + 14, hit.name


def test_hits_are_heard_above_the_music_and_no_peak_passes_the_ceiling(fluid):
    hits = [("deep_dry_hit", 2.0), ("cymbal_crash", 4.0), ("punch_distortion", 4.0), ("tock_hit", 6.0)]
    loud, plain = (render(score_of(*each), fluid, channels=2, rate=44_100) for each in (hits, []))
    assert loud.shape == plain.shape
    assert 20 * np.log10(true_peak(loud)) <= -1.0
    for time_s in (2.0, 4.0):
        assert rms(loud, time_s, time_s + 0.3, 44_100) > 1.2 * rms(plain, time_s, time_s + 0.3, 44_100)
    assert rms(loud, 0.0, 1.5, 44_100) == pytest.approx(rms(plain, 0.0, 1.5, 44_100), rel=0.2)


def test_hits_in_silence_are_the_only_sound(fluid):
    audio = render(score_of(("punch_tom", 10.0), end_s=14.0, music_s=6.0), fluid, channels=1, rate=RATE)
    assert not audio[:, round(9.2 * RATE) : round(9.98 * RATE)].any()
    assert rms(audio, 10.0, 10.1) > 0.1
    music = score_of(end_s=6.0)
    assert 20 * np.log10(np.abs(audio[:, 9 * RATE :]).max()) > music.passages[0].production.loudness_lufs + 8


def test_the_end_and_the_beginning_cut_hits(fluid):
    long = alone(("cymbal_crash", 6.0), ("cymbal_swell_2s", 12.0), end_s=6.0)
    whole = render(
        alone(("cymbal_crash", 6.0), ("cymbal_swell_2s", 12.0), end_s=16.0), fluid, channels=1, rate=RATE
    )
    audio = render(long, fluid, channels=1, rate=RATE)
    assert audio.shape == (1, 12 * RATE)
    np.testing.assert_array_equal(audio[:, : round(11.97 * RATE)], whole[:, : round(11.97 * RATE)])
    assert abs(audio[0, -1]) < 1e-4
    assert rms(audio, 11.8, 11.98) > 0.05

    begun = render(alone(("cymbal_swell_2s", 0.5)), fluid, channels=1, rate=RATE)
    later = render(alone(("cymbal_swell_2s", 3.5)), fluid, channels=1, rate=RATE)
    np.testing.assert_array_equal(begun[:, : 3 * RATE], later[:, 3 * RATE : 6 * RATE])
    assert begun[:, : RATE // 10].any()


@pytest.mark.parametrize(("channels", "rate"), [(1, RATE), (2, 44_100)])
def test_stems_of_hits_and_music_add_up_to_the_master(fluid, channels, rate):
    score = score_of(
        ("cymbal_swell_1s", 0.4), ("cymbal_crash", 4.0), ("deep_dry_hit", 4.0), ("cymbal_crash", 7.5)
    )
    master = render(score, fluid, channels=channels, rate=rate)
    stems = dict(render_stems(score, fluid, channels=channels, rate=rate))
    assert list(stems) == stem_names(score)
    assert list(stems)[-3:] == ["hit-cymbal_swell_1s", "hit-cymbal_crash", "hit-deep_dry_hit"]
    np.testing.assert_allclose(sum(stems.values()), master, atol=1e-5)
    crash = stems["hit-cymbal_crash"]
    assert not crash[:, : round(3.99 * rate)].any()
    assert rms(crash, 4.0, 4.2, rate) > 0.02
    assert rms(crash, 7.5, 7.7, rate) > 0.02


def test_one_name_sounds_alike_each_time_and_mono_is_as_loud_as_stereo(fluid):
    score = alone(("double_hammer", 1.0), ("double_hammer", 9.0), end_s=20.0)
    mono, stereo = (render(score, fluid, channels=channels, rate=RATE) for channels in (1, 2))
    np.testing.assert_array_equal(mono[:, RATE : 5 * RATE], mono[:, 9 * RATE : 13 * RATE])
    np.testing.assert_allclose(np.abs(stereo).max(), np.abs(mono).max(), rtol=0.2)


def test_the_same_hits_give_the_same_bytes(fluid):
    hits = [(hit.id, 0.4 * index) for index, hit in enumerate(load_hits())]
    digests = {
        hashlib.sha256(render(score_of(*hits), fluid, channels=2, rate=44_100).tobytes()).hexdigest()
        for _ in range(2)
    }
    assert len(digests) == 1


def test_without_hits_nothing_is_played_for_them(fluid):
    assert list(play_hits((), fluid, channels=2, rate=RATE)) == []
    assert Score(1.0, ()).hits == ()

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from amper_spark.errors import ParameterError
from amper_spark.render.engine.fonts import FontError, load_font
from amper_spark.render.engine.known_fonts import FONTS, cached_font
from amper_spark.render.engine.synthesiser import REFERENCE_RMS, play, preset_level
from amper_spark.render.score import NOTE, Part, Preset
from tests.render.engine.small_fonts import RATE, small_font

STEP, SINE, LAYERS, KIT, EFFECTS = Preset(0, 0), Preset(0, 1), Preset(0, 2), Preset(128, 0), Preset(128, 1)
SETTLED = 30  # samples, after which the synthesiser's filter at 20 kHz has settled
SHORTEST = 2 ** (-1 / 8)  # of what a note asks for
RELEASED = 512  # samples, after which a sound without a release of its own is gone

PLAY = """
import hashlib, sys
from pathlib import Path
from amper_spark.render.engine.fonts import load_font
from tests.render.engine.test_synthesiser import arrangement
print(hashlib.sha256(arrangement(load_font(Path(sys.argv[1])))).hexdigest())
"""


@pytest.fixture(scope="module")
def font(tmp_path_factory):
    path = tmp_path_factory.mktemp("fonts") / "small.sf2"
    path.write_bytes(small_font())
    return load_font(path)


def path_of(name):
    path = cached_font(name)
    if path is None:
        pytest.fail(f"the font {name} is not in the cache: run amper-spark fonts fetch")
    return path


@pytest.fixture(scope="session")
def fluid():
    return load_font(path_of("fluid"))


def part(preset, *notes):
    return Part(
        instrument="any",
        role="chords",
        preset=preset,
        notes=np.array(sorted(notes), NOTE),
        gain=1.0,
        pan=0.5,
        send=0.2,
        low_cut_hz=90,
    )


def arrangement(font):
    """Play eight bars of five instruments, as bytes."""
    random = np.random.default_rng(1)
    parts = [
        part(
            Preset(bank, program),
            *((i / 8, 0.3, int(key), int(random.integers(40, 127))) for i, key in enumerate(keys)),
        )
        for bank, program, keys in (
            (0, 0, random.integers(40, 80, 64)),
            (0, 33, random.integers(28, 45, 32)),
            (0, 48, random.integers(50, 80, 32)),
            (0, 25, random.integers(40, 70, 64)),
            (128, 0, random.choice([36, 38, 42, 46, 49], 64)),
        )
    ]
    stems = [play(font, each, n_samples=9 * RATE, tuning_cents=-7.3) for each in parts]
    assert all(np.isfinite(stem).all() and 0.01 < np.abs(stem).max() < 4 for stem in stems)
    return np.array(stems).tobytes()


@pytest.mark.parametrize("start_s", [0.0, 0.1, 1 / 3, 0.5001])
def test_a_note_starts_at_its_sample_and_ends_after_its_length(font, start_s):
    audio = play(font, part(STEP, (start_s, 0.25, 60, 90)), n_samples=RATE)
    sounding = np.flatnonzero(audio)
    assert (audio.dtype, audio.shape) == (np.float32, (RATE,))
    assert sounding[0] == round(start_s * RATE)
    length = sounding[-1] - round(start_s * RATE)
    assert round(0.25 * SHORTEST * RATE) < length < round(0.25 * RATE) + RELEASED


def test_a_note_rings_until_the_audio_ends(font):
    audio = play(font, part(STEP, (0.5, 10.0, 60, 90)), n_samples=RATE)
    assert audio[-1] == pytest.approx(audio[RATE // 2 + SETTLED], rel=1e-3)


def test_what_has_rung_out_ends_without_a_step(fluid):
    audio = np.abs(play(fluid, part(Preset(0, 0), (0.5, 0.3, 60, 100)), n_samples=10 * RATE))
    end = np.flatnonzero(audio)[-1]
    assert RATE < end < 9 * RATE
    assert audio.max() > 0.05
    assert audio[end - 2_000 :].max() < 6e-5  # 60 dB below what all sounds come out at
    assert audio[end - 10 :].max() < 1e-6


def test_without_notes_there_is_silence(font):
    for notes in ([], [(1.0, 1.0, 60, 90)], [(0.9999999, 1.0, 60, 90)]):
        audio = play(font, part(STEP, *notes), n_samples=RATE)
        assert audio.shape == (RATE,)
        assert not audio.any()
    assert play(font, part(STEP, (0, 1, 60, 90)), n_samples=0).shape == (0,)


def test_gain_is_the_square_of_velocity(font):
    notes = [(velocity * 0.02, 0.01, 60, velocity) for velocity in range(1, 128)]
    audio = play(font, part(STEP, *notes), n_samples=3 * RATE)
    settled = np.array([audio[round(start * RATE) + 200] for start, *_ in notes])
    law = (np.arange(1, 128) / 127) ** 2
    np.testing.assert_allclose(settled / settled[-1], law, rtol=1e-3)


def test_the_recording_is_the_one_for_the_velocity_or_one_near_it(font):
    notes = [(velocity * 0.02, 0.01, 60, velocity) for velocity in range(1, 128)]
    both, hard = (play(font, part(preset, *notes), n_samples=3 * RATE) for preset in (LAYERS, STEP))
    places = np.array([round(start * RATE) + 200 for start, *_ in notes])
    ratios = both[places] / hard[places]
    np.testing.assert_allclose(ratios[71:], 1, rtol=1e-3)
    np.testing.assert_allclose(ratios[:55], 0.5, rtol=1e-3)


def test_a_key_that_is_struck_again_is_released_first(font):
    once = play(font, part(STEP, (0.1, 0.8, 60, 90)), n_samples=RATE)
    twice = play(font, part(STEP, (0.1, 0.8, 60, 90), (0.3, 0.3, 60, 90)), n_samples=RATE)
    level = once[RATE // 5]
    assert not twice[int(0.3 * RATE) - RELEASED : int(0.3 * RATE)].max() > level * 1.001
    assert twice[int(0.3 * RATE) + RELEASED : int(0.57 * RATE)] == pytest.approx(level, rel=1e-3)
    assert not twice[int(0.6 * RATE) + RELEASED :].any()  # the longer note has ended before


def test_of_notes_that_strike_a_key_at_once_the_loudest_is_played(font):
    one = play(font, part(STEP, (0.1, 0.3, 60, 100)), n_samples=RATE)
    three = part(STEP, (0.1, 0.5, 60, 50), (0.1, 0.3, 60, 100), (0.1, 0.2, 60, 10))
    assert play(font, three, n_samples=RATE).tobytes() == one.tobytes()


def test_a_note_of_no_length_is_still_struck_and_released(font):
    audio = play(font, part(STEP, (0.1, 0.0, 60, 90)), n_samples=RATE)
    assert 0 < np.flatnonzero(audio)[-1] - 4410 < RELEASED


def test_each_key_of_a_kit_is_a_drum(font):
    drums = play(font, part(KIT, (0, 0.1, 36, 90), (0.2, 0.1, 38, 90), (0.4, 0.1, 40, 90)), n_samples=RATE)
    kick, snare, nothing = (drums[int(start * RATE) + 1000] for start in (0, 0.2, 0.4))
    assert kick == pytest.approx(4 * snare, rel=1e-3)
    assert nothing == 0


def test_held_notes_are_never_dropped(font):
    n_notes = 100
    notes = [(0.001 * key, 1.0, key, 90) for key in range(n_notes)]
    audio = play(font, part(STEP, *notes), n_samples=RATE)
    one = play(font, part(STEP, notes[0]), n_samples=RATE)
    assert audio[RATE // 2] == pytest.approx(n_notes * one[RATE // 2], rel=1e-3)


@pytest.mark.parametrize("tuning_cents", [0.0, 100.0, -15.0])
def test_tuning_moves_the_pitch(font, tuning_cents):
    audio = play(font, part(SINE, (0, 8.0, 69, 100)), n_samples=8 * RATE, tuning_cents=tuning_cents)
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    frequency = power.argmax() / 8
    assert frequency == pytest.approx(441 * 2 ** (tuning_cents / 1200), abs=0.2)


@pytest.mark.parametrize("rate", [22_050, 48_000])
def test_pitch_and_times_do_not_depend_on_the_rate(font, rate):
    audio = play(font, part(SINE, (0.5, 2.0, 69, 100)), n_samples=3 * rate, rate=rate)
    sounding = np.flatnonzero(audio)
    assert abs(sounding[0] - rate // 2) <= 1  # a sine begins at 0
    assert 0.5 + 2.0 * SHORTEST - 0.02 < sounding[-1] / rate < 2.5 + 0.02
    assert np.abs(np.fft.rfft(audio)).argmax() / 3 == pytest.approx(441, abs=1)


@pytest.mark.parametrize(("preset", "keys"), [(STEP, (48, 60)), (SINE, (48, 60)), (KIT, (36, 38))])
def test_all_sounds_come_out_at_one_level(font, preset, keys):
    each = [play(font, part(preset, (0, 1.0, key, 100)), n_samples=RATE) for key in keys]
    rms = np.sqrt(np.mean([np.mean(audio[:17_640] ** 2.0) for audio in each]))
    assert rms == pytest.approx(REFERENCE_RMS, rel=0.01)


def test_a_kit_of_other_keys_has_a_level_too(font):
    audio = play(font, part(EFFECTS, (0, 1.0, 90, 100)), n_samples=RATE)
    assert np.sqrt(np.mean(audio[: round(SHORTEST * RATE)] ** 2.0)) == pytest.approx(REFERENCE_RMS, rel=0.01)
    assert preset_level(font, EFFECTS) == preset_level(font, EFFECTS)


def test_a_sound_that_the_font_lacks_is_refused(font):
    with pytest.raises(FontError, match=r"small\.sf2 lacks sounds that are needed \(bank:program\): 128:26"):
        play(font, part(Preset(128, 26), (0, 1, 36, 90)), n_samples=RATE)


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ((-0.1, 1, 60, 90), "start_s of a note is out of range: -0.1"),
        ((float("nan"), 1, 60, 90), "start_s of a note is out of range: nan"),
        ((0, float("inf"), 60, 90), "duration_s of a note is out of range: inf"),
        ((0, 1, 128, 90), "key of a note is out of range: 128"),
        ((0, 1, 60, 0), "velocity of a note is out of range: 0"),
    ],
)
def test_notes_that_cannot_be_played_are_refused(font, note, message):
    with pytest.raises(ParameterError, match=message):
        play(font, part(STEP, note), n_samples=RATE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": -1}, "n_samples must be at least 0, got -1"),
        ({"n_samples": 1, "rate": 0}, "rate must be at least 1, got 0"),
        ({"n_samples": 1, "tuning_cents": float("nan")}, "tuning_cents must be finite, got nan"),
    ],
)
def test_senseless_options_are_refused(font, options, message):
    with pytest.raises(ParameterError, match=message):
        play(font, part(STEP), **options)


def test_threads_and_processes_play_the_same_whatever_instructions_they_use(fluid):
    first = arrangement(fluid)
    with ThreadPoolExecutor(2) as threads:
        assert all(again == first for again in threads.map(arrangement, [fluid, fluid]))
    digest = hashlib.sha256(first).hexdigest()
    plain = {
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX",
    }
    child = subprocess.run(
        [sys.executable, "-c", PLAY, str(fluid.path)],
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
    )
    assert child.stdout.strip() == digest, child.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", FONTS)
def test_every_sound_of_the_known_fonts_can_be_played_at_one_level(name):
    font = load_font(path_of(name))
    for bank in (0, 128):
        for program in range(128):
            if font.synthesiser.get_preset_index(bank, program) < 0:
                continue
            notes = [(i * 0.1, 0.3, key, 100) for i, key in enumerate(range(24, 100, 3))]
            audio = play(font, part(Preset(bank, program), *notes), n_samples=3 * RATE)
            assert np.isfinite(audio).all()
            assert 0.001 < np.sqrt(np.mean(audio**2.0)) < 1.5, (bank, program)
            assert np.abs(audio).max() < 12, (bank, program)

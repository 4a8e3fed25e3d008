from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from amper_spark.errors import ParameterError
from amper_spark.render.engine.mixer import mix, pan_gains
from amper_spark.render.score import NOTE, Part, Preset, Production

RATE = 44_100
PRODUCTION = Production(
    tuning_cents=0.0,
    room=7,
    room_s=0.8,
    wet=0.3,
    spectrum_db=(-5.0, -4.5, -6.5, -9.0, -13.0),
    loudness_lufs=-16.0,
    compression=3.0,
)
DRY = dataclasses.replace(PRODUCTION, wet=0.0)


def part(*, gain=1.0, pan=0.5, send=0.3, low_cut_hz=90):
    return Part("piano", "chords", Preset(0, 0), np.zeros(0, NOTE), gain, pan, send, low_cut_hz)


def sine(hz, seconds=1.0):
    return np.sin(2 * np.pi * hz / RATE * np.arange(round(seconds * RATE))).astype(np.float32)


def noise(seed, seconds=1.0):
    return (np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 0.1).astype(np.float32)


def level(samples):
    return math.sqrt(2 * float((samples[RATE // 2 :].astype(np.float64) ** 2).mean()))


@pytest.mark.parametrize("pan", [0.0, 0.1, 0.36, 0.5, 0.64, 1.0])
def test_panning_keeps_the_power(pan):
    left, right = pan_gains(pan)
    assert left**2 + right**2 == pytest.approx(1, abs=1e-8)
    mixed = mix([sine(1_000)], [part(pan=pan)], DRY, n_samples=RATE, rate=RATE, channels=2)
    assert [level(channel) for channel in mixed] == pytest.approx([left, right], abs=0.01)


def test_the_centre_is_3_db_down_and_the_sides_are_sides():
    assert 20 * math.log10(pan_gains(0.5)[0]) == pytest.approx(-3.01, abs=0.01)
    assert pan_gains(0.0) == (1, 0)
    assert pan_gains(1.0) == (0, 1)


@pytest.mark.parametrize("cut_s", [None, 0.8])
def test_mono_is_the_mean_of_left_and_right(cut_s):
    stems = [noise(1), noise(2), noise(3)[:30_000], sine(60)]
    parts = [
        part(pan=0.2, gain=0.7),
        part(pan=0.9, send=0.6),
        part(pan=0.5, low_cut_hz=35),
        part(pan=0.45, gain=1.3, low_cut_hz=35, send=0.0),
    ]
    mono, stereo = (
        mix(stems, parts, PRODUCTION, n_samples=2 * RATE, rate=RATE, channels=channels, cut_s=cut_s)
        for channels in (1, 2)
    )
    assert mono.dtype == stereo.dtype == np.float32
    assert mono.shape == (1, 2 * RATE)
    np.testing.assert_allclose(mono[0], stereo.mean(axis=0), atol=2e-6)


def test_the_mix_of_parts_is_the_sum_of_their_mixes():
    stems = [noise(1), noise(2)]
    parts = [part(pan=0.2), part(pan=0.7, low_cut_hz=35, gain=0.5)]
    whole = mix(stems, parts, PRODUCTION, n_samples=RATE, rate=RATE, channels=2)
    alone = [
        mix([stem], [one], PRODUCTION, n_samples=RATE, rate=RATE, channels=2)
        for stem, one in zip(stems, parts, strict=True)
    ]
    np.testing.assert_allclose(alone[0] + alone[1], whole, atol=2e-6)


@pytest.mark.parametrize("low_cut_hz", [35, 90])
def test_what_lies_below_a_part_is_cut(low_cut_hz):
    def gain_db(hz):
        mixed = mix(
            [sine(hz)], [part(pan=0.0, low_cut_hz=low_cut_hz)], DRY, n_samples=RATE, rate=RATE, channels=2
        )
        return 20 * math.log10(level(mixed[0]))

    assert gain_db(low_cut_hz) == pytest.approx(-3, abs=0.1)
    assert gain_db(low_cut_hz / 2) == pytest.approx(-12.3, abs=0.3)
    assert gain_db(low_cut_hz * 4) == pytest.approx(0, abs=0.1)


def test_no_offset_remains():
    stem = np.full(2 * RATE, 0.5, dtype=np.float32)
    mixed = mix([stem], [part()], PRODUCTION, n_samples=2 * RATE, rate=RATE, channels=1)
    assert abs(float(mixed[0, RATE:].mean())) < 1e-4


def test_a_cut_stops_the_instruments_and_lets_the_room_ring():
    stems, parts = [noise(1, 2.0)], [part(low_cut_hz=35)]
    dry, wet = (
        mix(stems, parts, production, n_samples=2 * RATE, rate=RATE, channels=1, cut_s=1.0)[0]
        for production in (DRY, PRODUCTION)
    )
    uncut = mix(stems, parts, DRY, n_samples=2 * RATE, rate=RATE, channels=1)[0]
    np.testing.assert_array_equal(dry[: RATE - 882], uncut[: RATE - 882])
    assert not dry[RATE - 1 :].any()
    assert np.abs(wet[RATE + RATE // 10 :][:1_000]).max() > 1e-3


def test_a_room_answers_what_is_sent():
    sent, kept = (
        mix([noise(1)], [part(send=send)], PRODUCTION, n_samples=RATE, rate=RATE, channels=2)
        for send in (0.5, 0.0)
    )
    dry = mix([noise(1)], [part(send=0.0)], DRY, n_samples=RATE, rate=RATE, channels=2)
    np.testing.assert_array_equal(kept, dry)
    assert np.abs(sent - kept).max() > 0.01


@pytest.mark.parametrize("channels", [1, 2])
def test_nothing_gives_silence(channels):
    mixed = mix([], [], PRODUCTION, n_samples=1_000, rate=RATE, channels=channels)
    np.testing.assert_array_equal(mixed, np.zeros((channels, 1_000), dtype=np.float32))


@pytest.mark.parametrize("pan", [-0.1, 1.1, float("nan")])
def test_refuses_what_is_beyond_a_side(pan):
    with pytest.raises(ParameterError, match="pan"):
        pan_gains(pan)


def test_refuses_what_does_not_fit():
    for parts in ([part()], [part(), part(), part()]):
        with pytest.raises(ValueError, match="zip"):
            mix([noise(1), noise(2)], parts, PRODUCTION, n_samples=RATE, rate=RATE, channels=1)
    with pytest.raises(ParameterError, match="piano"):
        mix([noise(1)], [part()], PRODUCTION, n_samples=RATE - 1, rate=RATE, channels=1)
    with pytest.raises(ParameterError, match="channels"):
        mix([noise(1)], [part()], PRODUCTION, n_samples=RATE, rate=RATE, channels=3)

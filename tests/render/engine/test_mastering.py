from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy._core import _multiarray_umath
from scipy.signal import resample_poly

from amper_spark.errors import ParameterError
from amper_spark.render.engine.balance import band_powers
from amper_spark.render.engine.loudness import integrated_loudness
from amper_spark.render.engine.mastering import end, finish, resample, shape
from amper_spark.render.engine.mixer import mix
from amper_spark.render.score import NOTE, Part, Preset, Production

RATE = 44_100
BALANCE_DB = (-6.0, -5.0, -6.0, -9.0, -14.0)


def production(*, loudness_lufs=-16.0, compression=3.0, spectrum_db=BALANCE_DB):
    return Production(
        tuning_cents=0.0,
        room=11,
        room_s=0.9,
        wet=0.25,
        spectrum_db=spectrum_db,
        loudness_lufs=loudness_lufs,
        compression=compression,
    )


def instruments(seconds=6.0):
    """A band that needs no font: drums of noise, a bass, chords and a melody, from sums and products."""
    n = round(seconds * RATE)
    rng = np.random.Generator(np.random.PCG64(5))

    def struck(times_s, decay_s, wave):
        stem = np.zeros(n)
        level = np.cumprod(np.full(round(6 * decay_s * RATE), 1 - 1 / (decay_s * RATE)))
        for time_s in times_s:
            first = round(time_s * RATE)
            length = min(level.size, n - first)
            stem[first : first + length] += level[:length] * wave(time_s, length)
        return stem

    def noise(length):
        white = 2 * rng.random(length + 3) - 1
        return (white[3:] + white[2:-1] + white[1:-2] + white[:-3]) / 2

    def saw(hz):
        return lambda _, length: 2 * np.fmod(np.arange(length) * hz / RATE, 1.0) - 1

    def triangle(hz):
        return lambda _, length: 1 - 4 * np.abs(np.fmod(np.arange(length) * hz / RATE, 1.0) - 0.5)

    beats = np.arange(0.0, seconds, 0.5)
    stems = [
        0.9 * struck(beats[::2], 0.08, triangle(55)),
        0.6 * struck(beats[1::2], 0.06, lambda _, length: noise(length)),
        0.2 * struck(beats / 2, 0.02, lambda _, length: np.diff(noise(length + 1))),
        0.3 * struck(beats, 0.3, saw(82.5)),
        0.1 * (struck(beats[::4], 1.0, saw(330)) + struck(beats[::4], 1.0, saw(412.5))),
        0.1 * struck(beats + 0.25, 0.2, triangle(990)),
    ]
    parts = [
        part("drums", gain=1.0, pan=0.5, send=0.3, low_cut_hz=35),
        part("drums", gain=1.0, pan=0.45, send=0.5, low_cut_hz=90),
        part("drums", gain=0.8, pan=0.6, send=0.3, low_cut_hz=90),
        part("bass", gain=0.9, pan=0.5, send=0.1, low_cut_hz=35),
        part("chords", gain=0.7, pan=0.3, send=0.5, low_cut_hz=90),
        part("arpeggio", gain=0.5, pan=0.7, send=0.6, low_cut_hz=90),
    ]
    return [stem.astype(np.float32) for stem in stems], parts


def part(role, *, gain, pan, send, low_cut_hz):
    return Part(role, role, Preset(0, 0), np.zeros(0, NOTE), gain, pan, send, low_cut_hz)


def mixed(channels, *, seconds=6.0):
    stems, parts = instruments(seconds)
    return mix(stems, parts, production(), n_samples=stems[0].size, rate=RATE, channels=channels)


def mastered(mix, wanted, *, is_cut, to_rate):
    """Master a mix that is all there is."""
    shaped, _ = shape(resample(mix, rate=RATE, to_rate=to_rate), wanted, rate=to_rate)
    end(shaped, is_cut=is_cut, rate=to_rate)
    return finish(shaped, rate=to_rate)[0]


@pytest.fixture(scope="module", params=[1, 2])
def band(request):
    return mixed(request.param)


def oversampled_peak_db(audio):
    return 20 * math.log10(np.abs(resample_poly(audio.astype(np.float64), 8, 1, axis=-1)).max())


def shares_db(audio, rate):
    powers = band_powers(audio, rate=rate)
    return 10 * np.log10(powers / powers.sum())


@pytest.mark.parametrize("loudness_lufs", [-24.0, -20.0, -16.0, -14.0])
@pytest.mark.parametrize("to_rate", [22_050, 44_100])
def test_a_master_is_as_loud_as_wanted_and_its_true_peak_below_the_ceiling(band, loudness_lufs, to_rate):
    master = mastered(band, production(loudness_lufs=loudness_lufs), is_cut=True, to_rate=to_rate)
    assert master.shape == (band.shape[0], band.shape[1] * to_rate // RATE)
    told_lufs = integrated_loudness(master, rate=to_rate) + (3.01 if master.shape[0] == 1 else 0.0)
    assert told_lufs == pytest.approx(loudness_lufs, abs=0.5)
    assert oversampled_peak_db(master) <= -1
    assert oversampled_peak_db(np.round(master * 32_767) / 32_767) <= -1


def test_a_loudness_that_the_peaks_do_not_allow_is_given_up(band):
    master = mastered(band, production(loudness_lufs=-4.0), is_cut=True, to_rate=22_050)
    assert oversampled_peak_db(master) <= -1
    assert -14 < integrated_loudness(master, rate=22_050) < -4


@pytest.mark.parametrize("to_rate", [22_050, 44_100])
def test_a_passage_has_the_wanted_balance(band, to_rate):
    shaped, _ = shape(
        resample(band, rate=RATE, to_rate=to_rate), production(loudness_lufs=-20.0), rate=to_rate
    )
    shares = 10 ** (np.array(BALANCE_DB) / 10)
    np.testing.assert_allclose(shares_db(shaped, to_rate), 10 * np.log10(shares / shares.sum()), atol=1.0)


@pytest.mark.parametrize("peak_db", [-3.0, -1.2, -1.05, -1.0, -0.9, 0.0, 3.0])
def test_no_true_peak_passes_however_it_hides_between_samples(peak_db):
    noise = np.random.default_rng(4).standard_normal((2, 30_000)) * np.hanning(30_000)
    noise *= 10 ** ((peak_db - oversampled_peak_db(noise)) / 20)
    master, gain = finish(noise.astype(np.float32), rate=22_050)
    assert oversampled_peak_db(master) <= -1
    np.testing.assert_array_equal(master, noise.astype(np.float32) * gain)


def test_both_rates_come_out_alike():
    mono = mixed(1)
    coarse = mastered(mono, production(), is_cut=False, to_rate=22_050)
    fine = mastered(mono, production(), is_cut=False, to_rate=RATE)
    fine = resample(fine, rate=RATE, to_rate=22_050)
    np.testing.assert_allclose(shares_db(coarse, 22_050), shares_db(fine, 22_050), atol=0.5)
    # What is above 11 kHz counts for the loudness of one of them only.
    assert 10 * np.log10((coarse**2.0).mean() / (fine**2.0).mean()) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("loudness_lufs", [-20.0, -12.0])
def test_parts_that_are_treated_like_the_mix_add_up_to_the_master(channels, loudness_lufs):
    stems, parts = instruments()
    wanted = production(loudness_lufs=loudness_lufs)
    mixes = [
        mix([stem], [one], wanted, n_samples=stem.size, rate=RATE, channels=channels)
        for stem, one in zip(stems, parts, strict=True)
    ]
    whole = mix(stems, parts, wanted, n_samples=stems[0].size, rate=RATE, channels=channels)
    shaped, shaping = shape(whole, wanted, rate=RATE)
    np.testing.assert_allclose(shaping.apply(whole), shaped, atol=1e-6)
    master, gain = finish(shaped, rate=RATE)
    total = sum(shaping.apply(one).astype(np.float64) * gain for one in mixes)
    np.testing.assert_allclose(total, master, atol=1e-5)


def test_onsets_stay_where_they_are():
    click = np.zeros((1, 3 * RATE), dtype=np.float32)
    at = [20_000, 60_000, 100_000]
    click[0, at] = 0.5
    click += (np.random.default_rng(0).standard_normal(click.shape) * 1e-3).astype(np.float32)
    master = mastered(click, production(), is_cut=False, to_rate=RATE)[0]
    assert [int(np.abs(master[first - 900 : first + 900]).argmax()) - 900 for first in at] == [0, 0, 0]
    coarse = mastered(click, production(), is_cut=False, to_rate=22_050)[0]
    starts = [first // 2 for first in at]
    assert [int(np.abs(coarse[first - 450 : first + 450]).argmax()) - 450 for first in starts] == [0, 0, 0]


def test_nothing_clicks_and_no_offset_comes_in(band):
    master, gain = finish(shape(band, production(loudness_lufs=-14.0), rate=RATE)[0], rate=RATE)
    assert abs(float(master.mean())) < 3e-4
    assert (np.abs(np.diff(gain)) / gain[1:]).max() < 0.015


@pytest.mark.parametrize(("is_cut", "fade_s"), [(True, 0.02), (False, 0.8)])
def test_the_end_is_faded(is_cut, fade_s):
    audio = np.ones((2, 2 * RATE), dtype=np.float32)
    end(audio, is_cut=is_cut, rate=RATE)
    n_fade = round(fade_s * RATE)
    assert (audio[:, :-n_fade] == 1).all()
    assert (audio[:, -1] == 0).all()
    assert (np.diff(audio, axis=1) <= 0).all()
    half_cosine = (1 + np.cos(np.pi * np.arange(1, n_fade + 1) / n_fade)) / 2
    np.testing.assert_allclose(audio[0, -n_fade:], half_cosine, atol=0.011)


@pytest.mark.parametrize("n_samples", [0, 1, 2, 441, 10_001, 44_100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("to_rate", [22_050, 44_100])
def test_any_length_stays(n_samples, channels, to_rate):
    audio = (np.random.default_rng(0).standard_normal((channels, n_samples)) * 0.1).astype(np.float32)
    master = mastered(audio, production(), is_cut=True, to_rate=to_rate)
    assert master.shape == (channels, -(-n_samples * to_rate // RATE))
    assert np.isfinite(master).all()


def test_silence_stays_silence():
    audio = np.zeros((2, 50_000), dtype=np.float32)
    assert not mastered(audio, production(), is_cut=False, to_rate=22_050).any()


@pytest.mark.parametrize("audio_shape", [(100,), (3, 100)])
def test_refuses_what_is_neither_mono_nor_stereo(audio_shape):
    audio = np.zeros(audio_shape, dtype=np.float32)
    for refuse in (
        lambda: shape(audio, production(), rate=RATE),
        lambda: finish(audio, rate=RATE),
    ):
        with pytest.raises(ParameterError, match="audio must have shape"):
            refuse()


def digest():
    """Of masters of the band, through all that there is from the mixer on."""
    sha256 = hashlib.sha256()
    for channels, seconds, to_rate in ((1, 3.0, 22_050), (1, 20.0, 22_050), (2, 6.0, 44_100)):
        audio = mixed(channels, seconds=seconds)
        wanted = production(loudness_lufs=-13.0)
        master = mastered(audio, wanted, is_cut=False, to_rate=to_rate)
        sha256.update(master.tobytes())
    return sha256.hexdigest()


@pytest.mark.slow  # compiles all kernels anew
def test_a_machine_without_vector_extensions_gives_the_same_bytes(tmp_path):
    environment = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": " ".join(_multiarray_umath.__cpu_dispatch__),
        "OPENBLAS_CORETYPE": "Nehalem",
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX512F",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    process = subprocess.run(
        [sys.executable, "-c", "import test_mastering; print(test_mastering.digest())"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip() == digest()

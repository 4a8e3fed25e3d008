from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr

from amper_spark.audio import decode
from amper_spark.errors import ParameterError
from amper_spark.outside.variants import (
    EXCERPT_S,
    VARIANTS,
    excerpt_bounds,
    quieter,
    read_passage,
    write_variants,
)

if TYPE_CHECKING:
    from pathlib import Path

RATE = 44_100
DURATION_S = 47


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Chords with some noise, in stereo, that never repeat."""
    rng = np.random.default_rng(0)
    t = np.arange(DURATION_S * RATE) / RATE
    tones = sum(0.1 * np.sin(2 * np.pi * (f + 3 * t) * t) for f in (110.0, 277.2, 659.3, 1_480.0))
    samples = np.stack([tones, 0.7 * tones], axis=1) + rng.normal(0, 0.003, (len(t), 2))
    file = tmp_path_factory.mktemp("recording") / "chords.flac"
    soundfile.write(file, samples, RATE, subtype="PCM_16")
    return file


@pytest.fixture(scope="module")
def variants(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("variants")
    files = {name: folder / f"{name}{suffix}" for name, suffix in VARIANTS.items()}
    write_variants(read_passage(recording), files)
    return files


def read(file: Path) -> np.ndarray:
    return soundfile.read(file, dtype="int16", always_2d=True)[0]


def snr_db(wanted: np.ndarray, got: np.ndarray) -> float:
    wanted, got = wanted.astype(float), got.astype(float)
    return 10 * np.log10((wanted**2).sum() / ((wanted - got) ** 2).sum())


def test_the_excerpt_is_the_middle_of_the_recording_bit_for_bit(recording: Path, variants: dict[str, Path]):
    excerpt = read(variants["excerpt"])
    first, _ = excerpt_bounds(DURATION_S * RATE, RATE)

    assert len(excerpt) == EXCERPT_S * RATE
    assert first / RATE == 8
    np.testing.assert_array_equal(excerpt, read(recording)[first : first + len(excerpt)])


def test_the_shifted_excerpt_begins_half_a_second_later(variants: dict[str, Path]):
    excerpt, shifted = read(variants["excerpt"]), read(variants["shifted"])

    assert len(shifted) == len(excerpt)
    np.testing.assert_array_equal(shifted[: -RATE // 2], excerpt[RATE // 2 :])


def test_the_quieter_excerpt_is_6_db_below(variants: dict[str, Path]):
    excerpt, softer = (read(variants[name]).astype(float) for name in ("excerpt", "quieter"))

    assert 20 * np.log10(softer.std() / excerpt.std()) == pytest.approx(-6, abs=0.001)
    assert snr_db(excerpt * 10 ** (-6 / 20), softer) > 60


def test_quieter_rounds_to_the_nearest_sample():
    assert np.abs(quieter(np.arange(-32_768, 32_768, dtype=np.int16)[:, np.newaxis])).max() == 16_423


def test_the_mp3_has_128_kbit_s_and_begins_and_ends_where_the_excerpt_does(variants: dict[str, Path]):
    mp3 = variants["mp3"]
    info = soundfile.info(mp3)

    assert mp3.stat().st_size * 8 / EXCERPT_S == pytest.approx(128_000, rel=0.005)
    assert (info.frames, info.samplerate, info.channels) == (EXCERPT_S * RATE, RATE, 2)
    assert snr_db(read(variants["excerpt"]), read(mp3)) > 15
    assert not np.array_equal(read(variants["excerpt"]), read(mp3))


def test_the_resampled_excerpt_is_the_excerpt_below_its_new_limit(variants: dict[str, Path]):
    low = variants["resampled"]
    back = soxr.resample(read(low).astype(np.float32), 32_000, RATE)

    assert soundfile.info(low).samplerate == 32_000
    assert soundfile.info(low).duration == EXCERPT_S
    inner = slice(RATE, -RATE)
    assert snr_db(read(variants["excerpt"])[inner], back[: EXCERPT_S * RATE][inner]) > 25


def test_all_variants_decode_for_the_analysis(variants: dict[str, Path]):
    durations = {name: decode(file).duration_s for name, file in variants.items()}

    assert durations == dict.fromkeys(VARIANTS, pytest.approx(EXCERPT_S, abs=0.001))


def test_short_recordings_have_short_excerpts():
    first, end = excerpt_bounds(27 * RATE, RATE)

    assert (first, end) == (0, 27 * RATE)


def test_a_recording_shorter_than_a_window_and_the_shift_is_refused():
    with pytest.raises(ParameterError, match=r"10\.20 s are too short: 10\.5 s are needed"):
        excerpt_bounds(round(10.2 * RATE), RATE)

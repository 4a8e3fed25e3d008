from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark.errors import ParameterError
from amper_spark.separation.network import Network
from amper_spark.separation.separator import separate_blocks
from amper_spark.separation.weights import cached_weights

DATA = Path(__file__).parents[1] / "data" / "separation"
FIRST_CHUNK = 508 * 1_024


def separated(blocks, network, **options):
    parts = list(separate_blocks(blocks=blocks, network=network, with_vocals=True, **options))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def below(samples, hz):
    """Take away all that is above a frequency."""
    spectrum = np.fft.rfft(samples.astype(np.float64), axis=0)
    spectrum[np.fft.rfftfreq(len(samples), 1 / 44_100) > hz] = 0
    return np.fft.irfft(spectrum, n=len(samples), axis=0)


def above(samples, hz):
    return samples - below(samples, hz)


@pytest.fixture(scope="module")
def golden():
    """The excerpt and what the official package makes of it."""
    return {
        name: soundfile.read(DATA / f"{name}.flac", dtype="float32")[0]
        for name in ("mixture", "accompaniment", "vocals")
    }


@pytest.fixture(scope="module")
def faded(noise):
    """Noise that begins and ends in silence, so that its bands can be told apart."""
    return noise * np.hanning(len(noise))[:, np.newaxis].astype(np.float32)


@pytest.mark.parametrize(
    "n_samples", [1, 100, 1_024, 44_100, FIRST_CHUNK - 1, FIRST_CHUNK, FIRST_CHUNK + 1, 14 * 44_100]
)
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_parts_have_the_shape_of_the_recording(constant, noise, n_samples, n_channels):
    samples = noise[:n_samples].repeat(3, axis=1)[:, :n_channels]
    accompaniment, vocals = separated([samples], constant(0.5))
    assert accompaniment.shape == vocals.shape == samples.shape
    assert accompaniment.dtype == vocals.dtype == np.float32


def test_all_is_accompaniment(constant, noise, agreement_db):
    accompaniment, vocals = separated([noise], constant(1), mask_extension="average")
    assert agreement_db(noise, accompaniment) > 135
    assert not vocals.any()


def test_all_is_vocals(constant, noise, agreement_db):
    accompaniment, vocals = separated([noise], constant(0), mask_extension="average")
    assert agreement_db(noise, vocals) > 135
    assert not accompaniment.any()


def test_zeros_keep_what_is_below_11_khz_and_nothing_above(constant, faded, agreement_db):
    accompaniment, vocals = separated([faded], constant(1), mask_extension="zeros")
    assert agreement_db(below(faded, 10_900), below(accompaniment, 10_900)) > 110
    assert agreement_db(above(faded, 11_100), above(faded - accompaniment, 11_100)) > 80
    assert not vocals.any()


def test_average_takes_the_mean_of_the_mask_above_11_khz(faded, agreement_db):
    class UpperHalf:
        def accompaniment_mask(self, magnitude):
            mask = np.zeros_like(magnitude)
            mask[..., 512:] = 1
            return mask

    accompaniment, vocals = separated([faded], UpperHalf(), mask_extension="average")
    assert agreement_db(above(0.5 * faded, 11_100), above(accompaniment, 11_100)) > 70
    assert agreement_db(above(0.5 * faded, 11_100), above(vocals, 11_100)) > 70
    assert agreement_db(below(faded, 5_450), below(vocals, 5_450)) > 70


def test_parts_add_up_to_the_recording(curious, noise, agreement_db):
    accompaniment, vocals = separated([noise], curious(), mask_extension="average")
    assert agreement_db(noise, accompaniment + vocals) > 130
    assert agreement_db(noise, accompaniment) < 10


def test_vocals_are_not_made_unasked(constant, noise):
    (stems,) = separate_blocks(blocks=[noise[:1_000]], network=constant(0.5))
    assert stems.vocals is None


@settings(max_examples=15)
@given(
    n_samples=st.integers(1, 14 * 44_100) | st.integers(FIRST_CHUNK - 2, FIRST_CHUNK + 2),
    lengths=st.lists(st.integers(2_000, 300_000), min_size=1, max_size=3),
    mask_extension=st.sampled_from(["zeros", "average"]),
)
def test_bits_do_not_depend_on_the_cut(noise, curious, cut, n_samples, lengths, mask_extension):
    samples = noise[:n_samples]
    whole = separated([samples], curious(), mask_extension=mask_extension)
    in_blocks = separated(cut(samples, lengths), curious(), mask_extension=mask_extension)
    np.testing.assert_array_equal(in_blocks, whole)


@pytest.mark.parametrize(("n_samples", "n_chunks"), [(100, 1), (FIRST_CHUNK, 1), (FIRST_CHUNK + 1, 2)])
def test_network_sees_the_magnitudes_of_whole_chunks(curious, noise, n_samples, n_chunks):
    network = curious()
    separated([noise[:n_samples]], network)
    n_frames = math.ceil(n_samples / 1_024) + 4
    seen = np.concatenate(network.seen, axis=1)
    assert seen.shape == (2, 512 * n_chunks, 1_024)
    assert seen.dtype == np.float32
    assert not seen[:, n_frames:].any()
    padded = np.zeros((n_frames * 1_024 + 3_072, 2))
    padded[4_096 : 4_096 + n_samples] = noise[:n_samples]
    hann = np.hanning(4_097)[:-1]
    for frame in {0, 4, n_frames - 1}:
        samples = padded[1_024 * frame : 1_024 * frame + 4_096].T * hann
        np.testing.assert_allclose(seen[:, frame], np.abs(np.fft.rfft(samples))[:, :1_024], atol=2e-5)


def test_blocks_come_as_soon_as_they_are_complete(constant, noise):
    n_read = 0

    def blocks():
        nonlocal n_read
        while True:
            n_read += 1_024
            yield noise[:1_024]

    stems = separate_blocks(blocks=blocks(), network=constant(0.5))
    assert len(next(stems).accompaniment) == FIRST_CHUNK
    assert n_read == FIRST_CHUNK + 3_072
    assert len(next(stems).accompaniment) == 512 * 1_024
    assert n_read == FIRST_CHUNK + 512 * 1_024 + 3_072


def test_silence_stays_silence(curious):
    accompaniment, vocals = separated([np.zeros((88_200, 2), np.float32)], curious())
    assert not accompaniment.any()
    assert not vocals.any()


def test_half_silence_stays_half_silence(curious, noise):
    samples = noise[:400_000].copy()
    samples[200_000:] = 0
    accompaniment, vocals = separated([samples], curious())
    assert accompaniment[:200_000].any()
    assert not accompaniment[200_000 + 4_096 :].any()
    assert not vocals[200_000 + 4_096 :].any()


@pytest.mark.parametrize("level", [1e-4, 4.0])
def test_very_quiet_and_clipped_recordings(curious, noise, agreement_db, level):
    samples = np.clip(noise[:200_000] * np.float32(level * 10), -level, level)
    accompaniment, vocals = separated([samples], curious(), mask_extension="average")
    assert np.isfinite(accompaniment).all()
    assert agreement_db(samples, accompaniment + vocals) > 130


def test_one_channel_gets_the_mean_of_both_masks(curious, noise, agreement_db):
    left = noise[:100_000, :1]
    stereo, _ = separated([left.repeat(2, axis=1)], curious())
    mono, _ = separated([left], curious())
    assert agreement_db(stereo[:, 0], stereo[:, 1]) < 20
    assert agreement_db(stereo.mean(axis=1, keepdims=True), mono) > 120


def test_many_channels_get_the_mask_of_their_mean(curious, noise, agreement_db):
    six = noise[:300_000].reshape(100_000, 6)
    accompaniment, vocals = separated([six], curious(), mask_extension="average")
    of_mean, _ = separated([six.mean(axis=1, keepdims=True)], curious(), mask_extension="average")
    assert agreement_db(of_mean, accompaniment.mean(axis=1, keepdims=True)) > 120
    assert agreement_db(six, accompaniment + vocals) > 130


def test_no_samples_have_no_parts(constant):
    assert list(separate_blocks(blocks=[], network=constant(1))) == []


def test_unknown_extension_is_refused(constant):
    with pytest.raises(ParameterError, match="'zeros' or 'average', got 'ones'"):
        next(separate_blocks(blocks=[], network=constant(1), mask_extension="ones"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.ones((2, 512, 1_024)), "got float64"),
        (np.ones((1, 512, 1_024), np.float32), r"of \(1, 512, 1024\)"),
    ],
)
def test_network_with_another_answer_is_refused(noise, answer, message):
    network = SimpleNamespace(accompaniment_mask=lambda magnitude: answer)
    with pytest.raises(ParameterError, match=message):
        next(separate_blocks(blocks=[noise[:100]], network=network))


def test_a_long_recording_takes_no_more_memory(constant, noise):
    def peak_mb(n_seconds):
        second = noise[:44_100]
        tracemalloc.start()
        try:
            for _ in separate_blocks(blocks=(second for _ in range(n_seconds)), network=constant(0.5)):
                pass
            return tracemalloc.get_traced_memory()[1] / 1e6
        finally:
            tracemalloc.stop()

    assert peak_mb(72) - peak_mb(24) < 0.1


def test_parts_of_the_official_package_add_up_to_what_comes_through(constant, golden, agreement_db):
    # Its masks add up to one: this holds the transforms against it, without any weights.
    accompaniment, _ = separated([golden["mixture"]], constant(1))
    assert agreement_db(golden["accompaniment"] + golden["vocals"], accompaniment) > 100


@pytest.mark.parametrize(("half", "error_db"), [(True, -75), (False, -95)])
def test_parts_are_those_of_the_official_package(golden, half, error_db):
    model = cached_weights(half=half)
    if model is None:
        pytest.skip(f"not in the cache: amper_spark.separation.weights.fetch_weights(half={half}) gets it")
    for part, found in zip(
        ("accompaniment", "vocals"), separated([golden["mixture"]], Network(model)), strict=True
    ):
        error = np.linalg.norm(found - golden[part]) / np.linalg.norm(golden["mixture"])
        assert 20 * np.log10(error) <= error_db, part

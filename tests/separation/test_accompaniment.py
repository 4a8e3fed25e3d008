from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amper_spark.config import Limits, Separation
from amper_spark.errors import AmperSparkError, BadRecordError, ConfigError, Reason
from amper_spark.recording import describe_recording
from amper_spark.separation.accompaniment import (
    analysed_accompaniment,
    provider_name,
    removal_version,
    rounded,
    separation_version,
    vocal_removal,
)
from amper_spark.separation.separator import separate_blocks


@given(level=st.floats(0, 1), seed=st.integers(0, 99))
def test_rounding_is_that_of_24_bits(level, seed):
    block = (level * np.random.default_rng(seed).uniform(-1, 1, (50, 2))).astype(np.float32)
    (integers,) = rounded([block])
    assert np.abs(integers / 2**23 - block).max() <= 2**-24
    (again,) = rounded([(integers / 2**23).astype(np.float32)])
    np.testing.assert_array_equal(again, integers)


def test_what_is_beyond_full_scale_is_clipped():
    (integers,) = rounded([np.array([[1.5, -1.5]], dtype=np.float32)])
    assert integers.tolist() == [[2**23 - 1, -(2**23)]]


def analysed(blocks, **options):
    return np.concatenate(list(analysed_accompaniment(blocks, limits=Limits(silence_dbfs=-200), **options)))


def test_channels_are_averaged():
    stereo = np.stack([np.full(44_100, 2**22), np.zeros(44_100)], axis=1).astype(np.int32)
    mono = np.concatenate(list(analysed_accompaniment([stereo], limits=Limits())))
    assert mono.shape == (22_050,)
    assert mono.dtype == np.float32
    np.testing.assert_allclose(mono[1_000:-1_000], 0.25, atol=1e-4)


def test_the_analysis_does_not_hear_how_masks_are_extended(curious, noise, agreement_db):
    white = noise * np.hanning(len(noise))[:, np.newaxis].astype(np.float32)  # more than music has up there

    def heard(extension):
        parts = separate_blocks(blocks=[white], network=curious(), mask_extension=extension)
        return analysed(rounded(stems.accompaniment for stems in parts))

    zeros, average = heard("zeros"), heard("average")
    assert agreement_db(average, zeros) > 70
    described = [describe_recording(blocks=[samples]) for samples in (zeros, average)]
    for name in ("spectral_centroid", "spectral_rolloff", "spectral_flatness", "mfcc"):
        by_zeros, by_average = (getattr(one, name)[..., 50:-50] for one in described)
        np.testing.assert_allclose(by_zeros, by_average, rtol=1e-3, atol=0.02, err_msg=name)


def test_nothing_but_vocals_is_silent():
    nearly_nothing = np.full((44_100, 2), 300, dtype=np.int32)  # -89 dBFS
    with pytest.raises(BadRecordError, match="without vocals the peak is below -80 dBFS") as caught:
        list(analysed_accompaniment([nearly_nothing], limits=Limits()))
    assert caught.value.reason == Reason.SILENT


@given(lengths=st.lists(st.integers(1, 70_000), min_size=1, max_size=5), n_samples=st.integers(1, 200_000))
def test_the_recording_is_heard_behind_its_accompaniment(noise, cut, lengths, n_samples):
    accompaniment, recording = noise[:n_samples], 0.5 * noise[::-1][:n_samples]
    apart = [analysed(rounded([samples])) for samples in (accompaniment, recording)]
    together = analysed(
        rounded([accompaniment]), recording=cut(recording, lengths), attenuation_limit_db=20 * np.log10(4)
    )
    np.testing.assert_allclose(together, 0.75 * apart[0] + 0.25 * apart[1], atol=1e-6)


def test_a_recording_that_ends_early_leaves_its_accompaniment(noise):
    accompaniment = noise[: 4 * 22_050]
    alone = analysed(rounded([accompaniment]))
    together = analysed(rounded([accompaniment]), recording=[accompaniment[:44_100]], attenuation_limit_db=20)
    np.testing.assert_allclose(together[:21_000], alone[:21_000], atol=1e-6)
    np.testing.assert_allclose(together[23_000:], 0.9 * alone[23_000:], atol=1e-6)


def test_what_changes_the_accompaniment_changes_its_version():
    versions = {
        separation_version(settings)
        for settings in (
            Separation(),
            Separation(mask_extension="average"),
            Separation(provider="openvino-bf16"),
            Separation(engine="official", official_python="/opt/spleeter/bin/python"),
        )
    }
    assert len(versions) == 4
    assert separation_version(Separation(weights="/elsewhere")) == separation_version(Separation())


def test_one_accompaniment_is_heard_in_several_ways():
    limits = (None, 10.0, 20.0)
    settings = [Separation(attenuation_limit_db=limit_db) for limit_db in limits]
    assert len({separation_version(one) for one in settings}) == 1
    assert len({removal_version(one) for one in settings}) == 3


def test_the_provider_has_its_precision():
    assert provider_name(Separation(provider="openvino-bf16")) == "spleeter-openvino-bf16"
    official = Separation(engine="official", official_python="python")
    assert provider_name(official) == "official-tensorflow"


def test_without_its_network_it_is_said_how_to_get_it():
    with pytest.raises(AmperSparkError, match="amper-spark separation fetch"):
        vocal_removal(Separation(), model=None)


def test_the_official_engine_needs_an_interpreter():
    from amper_spark.config import load_config

    with pytest.raises(ConfigError, match="official_python"):
        load_config(overrides=["separation.engine=official"])

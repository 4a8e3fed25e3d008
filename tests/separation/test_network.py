from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from scipy import fft, signal

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.separation.graph import build_graph
from amper_spark.separation.network import Network
from amper_spark.separation.weights import cached_weights
from tests.separation.checkpoints import small_tensors

MUSIC = Path(__file__).parents[1] / "data" / "separation"
FRAME, HOP = 4096, 1024
SMALL = (2, 64, 128)

MEMORY = """
import sys
from pathlib import Path

import numpy as np
import psutil

from amper_spark.separation.network import Network

network = Network(Path(sys.argv[1]))
magnitude = np.random.default_rng(0).gamma(0.5, 4, network.shape)
for chunks in (2, 6):
    for _ in range(chunks):
        network.accompaniment_mask(magnitude)
    print(psutil.Process().memory_info().rss / 1e6)
"""


LOAD = """
import sys
from pathlib import Path
from amper_spark.separation.network import Network

Network(Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    model = tmp_path_factory.mktemp("network") / "small.onnx"
    graph = build_graph(small_tensors(), n_frames=SMALL[1], n_bins=SMALL[2])
    model.write_bytes(graph.SerializeToString())
    return model


@pytest.fixture(scope="module")
def small_network(small_model):
    return Network(small_model)


@pytest.fixture(scope="module")
def magnitude():
    return np.random.default_rng(1).gamma(0.5, 4, SMALL).astype(np.float32)


def stft(samples):
    """(channel, frame, bin) of samples (frame, channel), as Spleeter has it: after 4,096 zeros."""
    n_frames = -(-(len(samples) + FRAME) // HOP)
    samples = np.pad(samples, ((FRAME, n_frames * HOP - len(samples)), (0, 0)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME, axis=0)[: n_frames * HOP : HOP]
    return fft.rfft(frames.transpose(1, 0, 2) * signal.get_window("hann", FRAME))


def inverse_stft(spectrum, n_samples):
    frames = fft.irfft(spectrum) * signal.get_window("hann", FRAME) * 2 / 3
    samples = np.zeros((FRAME + frames.shape[1] * HOP, len(spectrum)))
    for start, frame in enumerate(frames.transpose(1, 2, 0)):
        samples[start * HOP : start * HOP + FRAME] += frame
    return samples[FRAME : FRAME + n_samples]


def mask_of(network, spectrum):
    """Of bins up to 11,025 Hz, in chunks, the last filled up with zeros; 0 above."""
    _, n_frames, n_bins = network.shape
    mask = np.zeros(spectrum.shape)
    for start in range(0, spectrum.shape[1], n_frames):
        magnitude = np.abs(spectrum[:, start : start + n_frames, :n_bins]).astype(np.float32)
        filled = np.pad(magnitude, ((0, 0), (0, n_frames - magnitude.shape[1]), (0, 0)))
        mask[:, start : start + n_frames, :n_bins] = network.accompaniment_mask(filled)[
            :, : magnitude.shape[1]
        ]
    return mask


@pytest.mark.parametrize(("half", "error_db"), [(True, -75), (False, -95)])
def test_the_official_package_is_agreed_with(half, error_db):
    model = cached_weights(half=half)
    if model is None:
        pytest.skip(f"not in the cache: amper_spark.separation.weights.fetch_weights(half={half}) gets it")
    network = Network(model)
    mixture, expected_accompaniment, expected_vocals = (
        soundfile.read(MUSIC / f"{name}.flac")[0] for name in ("mixture", "accompaniment", "vocals")
    )
    spectrum = stft(mixture)
    mask = mask_of(network, spectrum)
    vocals_mask = 1 - mask
    vocals_mask[:, :, network.shape[2] :] = 0
    for share, expected in ((mask, expected_accompaniment), (vocals_mask, expected_vocals)):
        error = inverse_stft(spectrum * share, len(mixture)) - expected
        assert 20 * np.log10(np.linalg.norm(error) / np.linalg.norm(mixture)) <= error_db


def test_memory_does_not_grow_with_the_number_of_chunks(separation_model):
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(separation_model)], capture_output=True, text=True, check=True
    )
    after_2, after_8 = map(float, run.stdout.split())
    assert after_8 < 1.02 * after_2
    assert after_8 < 500


def test_the_same_input_gives_the_same_bits(small_model, small_network, magnitude):
    mask = small_network.accompaniment_mask(magnitude)
    small_network.accompaniment_mask(magnitude[:, ::-1])
    np.testing.assert_array_equal(small_network.accompaniment_mask(magnitude), mask)
    np.testing.assert_array_equal(Network(small_model).accompaniment_mask(magnitude), mask)


def test_any_float_and_any_layout_in_memory_will_do(small_network, magnitude):
    expected = small_network.accompaniment_mask(magnitude)
    assert expected.dtype == np.float32
    assert expected.shape == SMALL
    for other in (magnitude.astype(np.float64), np.asfortranarray(magnitude)):
        np.testing.assert_array_equal(small_network.accompaniment_mask(other), expected)


def test_it_runs_on_the_thread_that_calls(small_model, magnitude):
    before = psutil.Process().num_threads()
    Network(small_model).accompaniment_mask(magnitude)
    assert psutil.Process().num_threads() == before


def test_the_networks_sizes_are_spleeters(tmp_path):
    model = tmp_path / "network.onnx"
    model.write_bytes(build_graph(small_tensors()).SerializeToString())
    assert Network(model).shape == (2, 512, 1024)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 64, 64)), r"\(2, 64, 128\), got \(2, 64, 64\)"),
        (np.zeros((1, *SMALL)), r"got \(1, 2, 64, 128\)"),
        (np.full(SMALL, -1.0), r"got -1.0"),
        (np.full(SMALL, np.nan), "got nan"),
        (np.full(SMALL, np.inf), "got inf"),
    ],
)
def test_what_is_no_magnitude_is_refused(small_network, wrong, message):
    with pytest.raises(ParameterError, match=message):
        small_network.accompaniment_mask(wrong)


def test_a_missing_or_damaged_graph_is_named(tmp_path, small_model):
    with pytest.raises(AmperSparkError, match=r"gone.onnx is not there: run amper-spark separation fetch"):
        Network(tmp_path / "gone.onnx")
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(small_model.read_bytes()[:-1000])
    with pytest.raises(AmperSparkError, match=r"cannot load the network .*cut.onnx: "):
        Network(cut)


def test_unknown_providers_are_refused(small_model):
    with pytest.raises(ParameterError, match="cpu, openvino-bf16, cuda, got 'tpu'"):
        Network(small_model, "tpu")


def test_what_a_provider_needs_is_named(small_model):
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(AmperSparkError, match="pip install 'onnxruntime-gpu"):
            Network(small_model, "cuda")
    if importlib.util.find_spec("openvino") is None:
        with pytest.raises(AmperSparkError, match="pip install openvino"):
            Network(small_model, "openvino-bf16")


def test_nothing_is_collected_about_whoever_separates(small_model, tmp_path):
    """ONNX Runtime 1.31 would keep an id of this device, and events for its makers, from its import on."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(
        [sys.executable, "-c", LOAD, str(small_model)],
        env={**environment, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")},
        check=True,
        timeout=120,
    )
    assert [file for file in home.rglob("*") if file.is_file()] == []

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.separation.graph import build_graph
from tests.separation.checkpoints import small_tensors

SHAPE = (2, 64, 128)


def padded(x, kernel_size, stride, dilation):
    """TensorFlow's padding "same": what is odd goes to the end."""
    pads = []
    for size in x.shape[:2]:
        total = max((-(-size // stride) - 1) * stride + (kernel_size - 1) * dilation + 1 - size, 0)
        pads.append((total // 2, total - total // 2))
    return np.pad(x, [*pads, (0, 0)])


def convolution(x, kernel, bias, stride=1, dilation=1):
    """By definition, (height, width, channel) as in TensorFlow."""
    height, width = (-(-size // stride) for size in x.shape[:2])
    x = padded(x, len(kernel), stride, dilation)
    result = np.zeros((height, width, kernel.shape[3])) + bias
    for row, column in np.ndindex(*kernel.shape[:2]):
        seen = x[row * dilation :: stride, column * dilation :: stride][:height, :width]
        result += np.einsum("hwi,io->hwo", seen, kernel[row, column])
    return result


def transposed_convolution(x, kernel, bias):
    """The gradient of a convolution of stride 2: each input is spread over the outputs it was seen by."""
    height, width, _ = x.shape
    spread = np.zeros((2 * height + 3, 2 * width + 3, kernel.shape[2]))
    for row, column in np.ndindex(*kernel.shape[:2]):
        share = np.einsum("hwi,oi->hwo", x, kernel[row, column])
        spread[row : row + 2 * height : 2, column : column + 2 * width : 2] += share
    return spread[1:-2, 1:-2] + bias


class Reference:
    """Spleeter's model, line by line: spleeter/model/functions/unet.py of https://github.com/deezer/spleeter."""

    def __init__(self, tensors):
        self.tensors = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        self.layers = {}

    def following(self, kind, *parts):
        """Keras counts the layers of a kind in the order of their making."""
        number = self.layers.get(kind, 0)
        self.layers[kind] = number + 1
        return [self.tensors[f"{kind}_{number}/{part}" if number else f"{kind}/{part}"] for part in parts]

    def conv(self, x, **options):
        return convolution(x, *self.following("conv2d", "kernel", "bias"), **options)

    def up(self, x):
        kernel, bias = self.following("conv2d_transpose", "kernel", "bias")
        return self.normalized(np.maximum(transposed_convolution(x, kernel, bias), 0))

    def normalized(self, x):
        gamma, beta, mean, variance = self.following(
            "batch_normalization", "gamma", "beta", "moving_mean", "moving_variance"
        )
        return gamma * (x - mean) / np.sqrt(variance + 0.001) + beta

    def activated(self, x):
        x = self.normalized(x)
        return np.where(x > 0, x, 0.2 * x)

    def unet(self, x):
        conv1 = self.conv(x, stride=2)
        conv2 = self.conv(self.activated(conv1), stride=2)
        conv3 = self.conv(self.activated(conv2), stride=2)
        conv4 = self.conv(self.activated(conv3), stride=2)
        conv5 = self.conv(self.activated(conv4), stride=2)
        conv6 = self.conv(self.activated(conv5), stride=2)
        self.activated(conv6)  # made, and not used
        merge = np.concatenate([conv5, self.up(conv6)], axis=2)
        merge = np.concatenate([conv4, self.up(merge)], axis=2)
        merge = np.concatenate([conv3, self.up(merge)], axis=2)
        merge = np.concatenate([conv2, self.up(merge)], axis=2)
        merge = np.concatenate([conv1, self.up(merge)], axis=2)
        return x / (1 + np.exp(-self.conv(self.up(merge), dilation=2)))

    def accompaniment_mask(self, magnitude):
        x = magnitude.transpose(1, 2, 0).astype(np.float64)
        vocals, accompaniment = self.unet(x), self.unet(x)
        mask = (accompaniment**2 + 1e-10 / 2) / (vocals**2 + accompaniment**2 + 1e-10)
        return mask.transpose(2, 0, 1)


def run(tensors, magnitude, **options):
    model = build_graph(tensors, n_frames=SHAPE[1], n_bins=SHAPE[2], **options)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["accompaniment_mask"], {"magnitude": magnitude[np.newaxis]})[0][0]


@pytest.fixture(scope="module")
def magnitude():
    magnitude = np.random.default_rng(1).gamma(0.5, 4, SHAPE).astype(np.float32)
    magnitude[:, 40:50] = 0
    return magnitude


@pytest.mark.parametrize("seed", range(3))
def test_the_graph_computes_spleeters_model(magnitude, seed):
    tensors = small_tensors(seed)
    expected = Reference(tensors).accompaniment_mask(magnitude)
    assert expected.std() > 0.1  # it is not a constant that is compared
    np.testing.assert_allclose(run(tensors, magnitude, half=False), expected, rtol=0, atol=2e-5)


def test_half_rounds_the_kernels_and_nothing_else(magnitude):
    tensors = small_tensors()
    rounded = {
        name: tensor.astype(np.float16) if name.endswith("kernel") else tensor
        for name, tensor in tensors.items()
    }
    expected = Reference(rounded).accompaniment_mask(magnitude)
    np.testing.assert_allclose(run(tensors, magnitude), expected, rtol=0, atol=2e-5)


def test_silence_is_shared_evenly():
    mask = run(small_tensors(), np.zeros(SHAPE, dtype=np.float32))
    np.testing.assert_array_equal(mask, 0.5)


def test_loud_input_stays_within_0_and_1():
    loud = np.full(SHAPE, 4096, dtype=np.float32)
    mask = run(small_tensors(), loud)
    assert np.isfinite(mask).all()
    assert mask.min() >= 0
    assert mask.max() <= 1


def test_half_takes_half_the_room():
    tensors = small_tensors()
    whole, half = (build_graph(tensors, half=half).ByteSize() for half in (False, True))
    assert half < 0.7 * whole  # of a small network, names and biases are a part


def test_the_same_tensors_give_the_same_bytes():
    one, other = (build_graph(small_tensors()).SerializeToString(deterministic=True) for _ in range(2))
    assert one == other


@pytest.mark.parametrize(
    "missing", ["conv2d_13/kernel", "conv2d_transpose_4/bias", "batch_normalization_23/gamma"]
)
def test_a_missing_tensor_is_named(missing):
    tensors = small_tensors()
    del tensors[missing]
    with pytest.raises(AmperSparkError, match=missing):
        build_graph(tensors)


@pytest.mark.parametrize("sizes", [{"n_frames": 500}, {"n_bins": 1025}, {"n_frames": 0}])
def test_sizes_that_cannot_be_halved_six_times_are_refused(sizes):
    with pytest.raises(ParameterError, match=f"{next(iter(sizes.values()))}"):
        build_graph(small_tensors(), **sizes)

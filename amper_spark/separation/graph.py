"""Spleeter's network of two stems as one ONNX graph, from magnitudes to the mask of the accompaniment.

Two U-Nets of the same form estimate the magnitudes of vocals and accompaniment; the mask is the share of the
accompaniment in the power of both. What differs from Spleeter's own graph is exact, and for speed: a
transposed convolution of stride 2 is computed as four convolutions, one for each phase of its output
(Shi et al. 2016), so that no zeros are multiplied; and the mask is part of the graph.

References
----------
- Hennequin et al.: Spleeter: a fast and efficient music source separation tool with pre-trained models.
  Journal of Open Source Software 5(50), 2154, 2020.
- Jansson et al.: Singing voice separation with deep U-Net convolutional networks. ISMIR 2017.
- Shi et al.: Real-time single image and video super-resolution using an efficient sub-pixel convolutional
  neural network. CVPR 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from amper_spark.errors import AmperSparkError, MissingExtraError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import onnx

GRAPH_REVISION = 1
"""Raised with every change of what `build_graph` makes, so that cached graphs are made anew."""

N_FRAMES = 512
N_BINS = 1024
INPUT = "magnitude"
OUTPUT = "accompaniment_mask"

_DEPTH = 6  # convolutions down, and as many up
_EPSILON_BATCH_NORMALIZATION = 1e-3  # Keras's default
_SLOPE = 0.2  # of the leaky ReLU
_EPSILON_MASK = 1e-10
_OPSET = 17
_IR_VERSION = 8

# One dimension of a transposed convolution, kernel 5, stride 2, output cropped by 1 before and 2 after:
# y[2m] = w[3] x[m-1] + w[1] x[m] and y[2m+1] = w[4] x[m-1] + w[2] x[m] + w[0] x[m+1].
_PHASE_TAPS = ([3, 1], [4, 2, 0])
_PHASE_PADS = ((1, 0), (1, 1))
_PHASES = ((0, 0), (0, 1), (1, 0), (1, 1))  # of rows and columns, in the order of DepthToSpace


def build_graph(
    tensors: Mapping[str, np.ndarray],
    *,
    half: bool = True,
    n_frames: int = N_FRAMES,
    n_bins: int = N_BINS,
) -> onnx.ModelProto:
    r"""Build the network from the tensors of Spleeter's checkpoint.

    Parameters
    ----------
    tensors : mapping of str to np.ndarray
        As `amper_spark.separation.checkpoint.read_checkpoint` returns them. Their shapes decide on the
        numbers of channels.
    half : bool
        Store the kernels as 16-bit floats, which halves the file. Arithmetic is in 32 bits all the same.
    n_frames, n_bins : int > 0
        Frames and frequency bins of a chunk, multiples of 64. The weights were trained with the defaults.

    Returns
    -------
    onnx.ModelProto
        Input ``magnitude``, float32 (1, channel, n_frames, n_bins), at least 0: magnitudes of an STFT
        with a Hann window that is not normalised, of a signal within -1 ... 1. Output
        ``accompaniment_mask`` of the same shape, 0 ... 1:

        .. math:: m = (a^2 + \epsilon / 2) / (v^2 + a^2 + \epsilon), \quad \epsilon = 10^{-10}

        with the estimated magnitudes *a* of the accompaniment and *v* of the vocals. The mask of the
        vocals is 1 - m.

    Raises
    ------
    ParameterError
        Sizes that are no multiples of 64.
    AmperSparkError
        A tensor is missing.
    MissingExtraError
        The package onnx is not installed.
    """
    if n_frames % 64 or n_bins % 64 or min(n_frames, n_bins) <= 0:
        raise ParameterError(f"frames and bins have to be multiples of 64, got {n_frames} and {n_bins}")
    nets = [_Net(tensors, number) for number in range(2)]
    graph = _Graph(half=half)
    # Spleeter builds its nets in this order, and Keras counts layers on from net to net.
    vocals, accompaniment = (_unet(graph, net) for net in nets)
    _mask(graph, vocals, accompaniment)
    return graph.model((1, nets[0].n_channels, n_frames, n_bins))


class _Net:
    """The tensors of one of the nets, under names that do not depend on which one it is."""

    def __init__(self, tensors: Mapping[str, np.ndarray], net: int) -> None:
        self._tensors = tensors
        self._net = net

    @property
    def n_channels(self) -> int:
        """Of the input."""
        return self.convolution(0)[0].shape[1]

    def convolution(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel (out, in, height, width) and bias (out,)."""
        name = self._name("conv2d", layer, _DEPTH + 1)
        return self._get(f"{name}/kernel").transpose(3, 2, 0, 1), self._get(f"{name}/bias")

    def transposed_convolution(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Return kernel (out, in, height, width) and bias (out,)."""
        name = self._name("conv2d_transpose", layer, _DEPTH)
        return self._get(f"{name}/kernel").transpose(2, 3, 0, 1), self._get(f"{name}/bias")

    def batch_normalization(self, layer: int) -> list[np.ndarray]:
        """Return scale, shift, mean and variance, each (channel,)."""
        name = self._name("batch_normalization", layer, 2 * _DEPTH)
        return [self._get(f"{name}/{part}") for part in ("gamma", "beta", "moving_mean", "moving_variance")]

    def _name(self, kind: str, layer: int, layers_of_a_net: int) -> str:
        number = self._net * layers_of_a_net + layer
        return f"{kind}_{number}" if number else kind

    def _get(self, name: str) -> np.ndarray:
        if name not in self._tensors:
            raise AmperSparkError(
                f"the checkpoint has no tensor {name}: it is not one of Spleeter's models of two stems"
            )
        return self._tensors[name]


def _unet(graph: _Graph, net: _Net) -> str:
    """Estimate the magnitudes of a stem: those of the input times a mask of its own."""
    hidden = INPUT
    skips: list[str] = []
    for layer in range(_DEPTH):
        if layer > 0:
            normalized = _batch_normalization(graph, skips[-1], net.batch_normalization(layer - 1))
            hidden = graph.node("LeakyRelu", normalized, alpha=_SLOPE)
        # The other side is given the bare convolutions, and goes on from the last of them.
        skips.append(_convolution(graph, hidden, *net.convolution(layer), strides=[2, 2], pads=[1, 1, 2, 2]))
    hidden = skips.pop()
    for layer in range(_DEPTH):
        rectified = _transposed_convolution(graph, hidden, *net.transposed_convolution(layer))
        hidden = _batch_normalization(graph, rectified, net.batch_normalization(_DEPTH + layer))
        if skips:
            hidden = graph.node("Concat", skips.pop(), hidden, axis=1)
    kernel, bias = net.convolution(_DEPTH)
    last = _convolution(graph, hidden, kernel, bias, dilations=[2, 2], pads=[3, 3, 3, 3])
    return graph.node("Mul", graph.node("Sigmoid", last), INPUT)


def _mask(graph: _Graph, vocals: str, accompaniment: str) -> None:
    power = graph.node("Mul", accompaniment, accompaniment)
    total = graph.node("Add", graph.node("Mul", vocals, vocals), power)
    epsilon, half_of_it = (graph.constant(np.float32(_EPSILON_MASK / part)) for part in (1, 2))
    share = graph.node("Add", power, half_of_it), graph.node("Add", total, epsilon)
    graph.node("Div", *share, output=OUTPUT)


def _convolution(graph: _Graph, inputs: str, kernel: np.ndarray, bias: np.ndarray, **attributes: Any) -> str:
    return graph.node("Conv", inputs, graph.kernel(kernel), graph.constant(bias), **attributes)


def _batch_normalization(graph: _Graph, inputs: str, tensors: list[np.ndarray]) -> str:
    constants = [graph.constant(tensor) for tensor in tensors]
    return graph.node("BatchNormalization", inputs, *constants, epsilon=_EPSILON_BATCH_NORMALIZATION)


def _transposed_convolution(graph: _Graph, inputs: str, kernel: np.ndarray, bias: np.ndarray) -> str:
    """Make twice as many frames and bins, rectified: the phases of the output, then each in its place."""
    if len(bias) == 1:
        phases = _phases_at_once(graph, inputs, kernel, bias)
    else:
        phases = graph.node("Concat", *_phases(graph, inputs, kernel, bias), axis=1)
    return graph.node("DepthToSpace", phases, blocksize=2, mode="DCR")


def _phases(graph: _Graph, inputs: str, kernel: np.ndarray, bias: np.ndarray) -> Iterator[str]:
    for row, column in _PHASES:
        (top, bottom), (left, right) = _PHASE_PADS[row], _PHASE_PADS[column]
        pads = [top, left, bottom, right]
        yield graph.node("Relu", _convolution(graph, inputs, _taps(kernel, row, column), bias, pads=pads))


def _phases_at_once(graph: _Graph, inputs: str, kernel: np.ndarray, bias: np.ndarray) -> str:
    """Compute all phases in one convolution, with taps that are 0: faster where phases are of one channel."""
    padded = np.zeros((len(_PHASES), kernel.shape[1], 3, 3), dtype=np.float32)
    for phase, (row, column) in enumerate(_PHASES):
        taps = _taps(kernel, row, column)[0]
        padded[phase, :, : taps.shape[1], : taps.shape[2]] = taps
    bias = np.repeat(bias, len(_PHASES))
    return graph.node("Relu", _convolution(graph, inputs, padded, bias, pads=[1, 1, 1, 1]))


def _taps(kernel: np.ndarray, row: int, column: int) -> np.ndarray:
    return kernel[:, :, _PHASE_TAPS[row]][:, :, :, _PHASE_TAPS[column]]


class _Graph:
    """Nodes and constants, collected in the order of their computation."""

    def __init__(self, *, half: bool) -> None:
        try:
            import onnx
        except ImportError as error:
            raise MissingExtraError("building the network for separation", "separation") from error
        self._onnx = onnx
        self._half = half
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add an operation; return the name of what it puts out."""
        output = output or f"{operator}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, values: np.ndarray | np.float32) -> str:
        """Add a constant; return its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def kernel(self, values: np.ndarray) -> str:
        """Add a constant that may be rounded to 16 bits; ONNX Runtime widens it when it loads the graph."""
        if not self._half:
            return self.constant(values)
        return self.node("Cast", self.constant(values.astype(np.float16)), to=self._onnx.TensorProto.FLOAT)

    def model(self, shape: tuple[int, ...]) -> onnx.ModelProto:
        """Make the graph of all that was added, from `INPUT` to `OUTPUT`, both of one shape."""
        helper = self._onnx.helper
        ends = [
            helper.make_tensor_value_info(name, self._onnx.TensorProto.FLOAT, shape)
            for name in (INPUT, OUTPUT)
        ]
        graph = helper.make_graph(self._nodes, "spleeter-2stems", ends[:1], ends[1:], self._constants)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
            producer_name="amper_spark",
        )

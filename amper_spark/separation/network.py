"""Run the network of the separation, one chunk at a time, on one thread of a processor or on a GPU."""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from amper_spark.errors import AmperSparkError, MissingExtraError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# From version 1.31 on, ONNX Runtime collects events for its makers as soon as it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

Provider = Literal["cpu", "openvino-bf16", "cuda"]
"""What computes: ONNX Runtime; OpenVINO in 16-bit floats, which needs a processor that has them; a GPU."""


class Network:
    """From the magnitudes of a mixture to the mask of its accompaniment.

    Loading takes a third of a second, so a process keeps its network. It holds what a chunk needs, about
    0.3 GB, however many chunks it is given. Equal input gives equal bits.

    Parameters
    ----------
    model : Path
        The graph, as `amper_spark.separation.weights.fetch_weights` returns it.
    provider : {"cpu", "openvino-bf16", "cuda"}

    Raises
    ------
    ParameterError
        There is no such provider.
    MissingExtraError
        ONNX Runtime is not installed.
    AmperSparkError
        The graph cannot be loaded, or this machine does not have what the provider needs.
    """

    def __init__(self, model: Path, provider: str = "cpu") -> None:
        if provider not in get_args(Provider):
            raise ParameterError(f"provider must be one of {', '.join(get_args(Provider))}, got {provider!r}")
        if not model.is_file():
            raise AmperSparkError(f"{model} is not there: run amper-spark separation fetch")
        try:
            self._run, self.shape = _LOADERS[provider](model)
        except AmperSparkError:
            raise
        except Exception as error:  # what the runtimes raise has no base class in common
            reason = str(error).strip().splitlines()[0]
            raise AmperSparkError(f"{provider} cannot load the network {model}: {reason}") from error

    def accompaniment_mask(self, magnitude: np.ndarray) -> np.ndarray:
        """Estimate which share of each bin's power is the accompaniment's.

        Parameters
        ----------
        magnitude : np.ndarray [shape=(2, 512, 1024)]
            (channel, frame, bin); at least 0: of an STFT with a Hann window of 4,096 samples that is not
            normalised, hop 1,024, at 44,100 Hz.

        Returns
        -------
        np.ndarray [shape=(2, 512, 1024), dtype=float32]
            0 ... 1. The mask of the vocals is 1 minus this.

        Raises
        ------
        ParameterError
            Another shape, or values below 0 or not finite.
        """
        if magnitude.shape != self.shape:
            raise ParameterError(f"magnitude must have the shape {self.shape}, got {magnitude.shape}")
        low, high = float(magnitude.min()), float(magnitude.max())
        if not 0 <= low <= high < np.inf:
            raise ParameterError(f"magnitude must be finite and at least 0, got {low} ... {high}")
        return self._run(np.ascontiguousarray(magnitude, dtype=np.float32)[np.newaxis])[0]


_Loaded = tuple["Callable[[np.ndarray], np.ndarray]", tuple[int, ...]]


def _load_cpu(model: Path) -> _Loaded:
    return _load_onnx_runtime(model, "CPUExecutionProvider", {})


def _load_cuda(model: Path) -> _Loaded:
    # Rounded to 10 bits, as TF32 does, the accompaniment would be another from GPU to GPU; and another from
    # process to process, if its algorithms were those that happened to win a race.
    options = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}
    return _load_onnx_runtime(model, "CUDAExecutionProvider", options)


def _load_onnx_runtime(model: Path, provider: str, options: dict[str, str]) -> _Loaded:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("separation", "separation") from error
    if provider not in onnxruntime.get_available_providers():
        raise _no_cuda("the package onnxruntime that is installed runs on processors only")
    session = onnxruntime.InferenceSession(
        str(model), _session_options(onnxruntime), providers=[(provider, options)]
    )
    # Where CUDA's libraries are missing, ONNX Runtime only warns and takes the processor.
    if session.get_providers()[0] != provider:
        raise _no_cuda("ONNX Runtime cannot load CUDA's libraries, or there is no GPU")
    _give_back_freed_memory()
    (given,), (result,) = session.get_inputs(), session.get_outputs()

    def run(magnitude: np.ndarray) -> np.ndarray:
        return session.run([result.name], {given.name: magnitude})[0]

    return run, tuple(given.shape[1:])


def _session_options(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # A Spark worker has one core: more threads would take the other workers'.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Planned in advance, the memory of a chunk is half as much again, and no time is won.
    options.enable_mem_pattern = False
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors
    return options


def _give_back_freed_memory() -> None:
    """Return to the system what loading has freed, 100 MB, which glibc would keep; others do it unasked."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _no_cuda(reason: str) -> AmperSparkError:
    return AmperSparkError(
        f"separation on a GPU is not possible: {reason}. It needs an NVIDIA GPU and another package in the "
        "place of onnxruntime: pip uninstall onnxruntime, then pip install 'onnxruntime-gpu[cuda,cudnn]'"
    )


def _load_openvino(model: Path) -> _Loaded:
    try:
        import openvino
    except ImportError as error:
        raise AmperSparkError(
            "separation by OpenVINO needs a package that is not installed: pip install openvino"
        ) from error
    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise AmperSparkError("this processor does not compute in bfloat16: take the provider cpu")
    settings = {
        # Left to itself, OpenVINO decides by the processor, and results would differ silently.
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,  # all workers would sit on the same core
    }
    compiled = core.compile_model(str(model), "CPU", settings)
    request = compiled.create_infer_request()

    def run(magnitude: np.ndarray) -> np.ndarray:
        return np.array(request.infer([magnitude])[compiled.output(0)])

    return run, tuple(compiled.input(0).shape)[1:]


_LOADERS: dict[str, Callable[[Path], _Loaded]] = {
    "cpu": _load_cpu,
    "openvino-bf16": _load_openvino,
    "cuda": _load_cuda,
}

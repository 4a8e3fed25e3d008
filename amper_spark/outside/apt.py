"""Debian packages by name, through apt's own tools and without root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.outside.packages import PackageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_OPTIONS = ("-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=30", "-o", "Acquire::https::Timeout=30")
_OFFER = re.compile(r"^'(?P<uri>[^']*)' (?P<file>\S+) (?P<size>\d+)(?: \S+)?$", re.MULTILINE)
_POLL_S = 0.5
_ADVICE = (
    "on a machine that has it, `apt-get download {name}`, and name the folder of the .deb file with --from"
)


@dataclass(frozen=True)
class Offer:
    """What apt would download.

    Parameters
    ----------
    file : str
    size_bytes : int
    """

    file: str
    size_bytes: int


def find_offer(name: str) -> Offer:
    """Ask apt for a package, without fetching it.

    Parameters
    ----------
    name : str

    Returns
    -------
    Offer

    Raises
    ------
    PackageError
        There is no apt, or it does not know the package.
    """
    if shutil.which("apt-get") is None:
        raise PackageError(f"apt-get is not here to fetch {name}: say, {_ADVICE.format(name=name)}")
    asked = subprocess.run(
        ["apt-get", *_OPTIONS, "download", "--print-uris", name],
        capture_output=True,
        text=True,
        env=_environment(),
        check=False,
    )
    found = _OFFER.search(asked.stdout)
    if asked.returncode or found is None:
        raise PackageError(
            f"apt does not offer {name} ({_first_error(asked.stderr)}): bring its lists up to date with "
            f"`apt-get update`; or say, {_ADVICE.format(name=name)}"
        )
    return Offer(found["file"], int(found["size"]))


def download(name: str, offer: Offer, folder: Path, *, on_bytes: Callable[[int], object]) -> Path:
    """Fetch a package; what was fetched of it before is not fetched again.

    Parameters
    ----------
    name : str
    offer : Offer
    folder : Path
        Where it is put; it is there.
    on_bytes : callable
        Told now and then how much of the file is there.

    Returns
    -------
    Path
        The file, which apt has checked against its lists.

    Raises
    ------
    PackageError
        No network, no room.
    """
    deb = folder / offer.file
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            ["apt-get", *_OPTIONS, "download", name],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env=_environment(),
        ) as process,
    ):
        try:
            while not _has_ended(process):
                on_bytes(deb.stat().st_size if deb.is_file() else 0)
        except BaseException:
            process.terminate()
            raise
        if process.returncode or not deb.is_file():
            complaints.seek(0)
            told = _first_error(complaints.read().decode(errors="replace"))
            raise PackageError(f"apt cannot fetch {name}: {told}")
    return deb


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(_POLL_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _first_error(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    return (errors or lines or ["it does not say why"])[0]


def _environment() -> dict[str, str]:
    return os.environ | {"LC_ALL": "C"}

"""The packages that outside music comes in, and how files are taken out of one.

Nothing of them is part of this project or shipped with it: they are fetched by name, on the user's machine.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from amper_spark.appearing import appearing
from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class PackageError(AmperSparkError):
    """A package that cannot be had, or is not what the list is about."""


@dataclass(frozen=True)
class Package:
    """Where recordings come from.

    Parameters
    ----------
    name : str
        As Debian calls it.
    version : str
        The one that the list is about.
    folder : str
        Where its music lies, below the root of the file system, or of the archive.
    archive : str or None
        A zip file in the package that holds the music.
    is_shipped : bool
        Whether it is no package, but a folder of this project's source.
    """

    name: str
    version: str
    folder: str
    archive: str | None = None
    is_shipped: bool = False


PACKAGES: Mapping[str, Package] = {
    package.name: package
    for package in (
        Package("wesnoth-1.16-music", "1:1.16.9-1", "usr/share/games/wesnoth/1.16/data/core/music"),
        Package("singularity-music", "007-2", "usr/share/games/singularity/music"),
        Package("ufoai-music", "2.5-2", "music", archive="usr/share/games/ufoai/base/0music.pk3"),
        Package("reference-tracks", "1", "data/reference-tracks", is_shipped=True),
    )
}
"""All that outside music is taken from, by name."""

_BLOCK_BYTES = 1 << 20


def find_packages(names: Collection[str]) -> tuple[Package, ...]:
    """Look packages up; all of them where none is named.

    Raises
    ------
    ParameterError
        A name that is not in the list.

    Examples
    --------
    >>> [package.name for package in find_packages(["ufoai-music"])]
    ['ufoai-music']
    """
    for name in names:
        if name not in PACKAGES:
            raise ParameterError(
                f"no package {name!r} in the list{did_you_mean(name, PACKAGES)}: it has {', '.join(PACKAGES)}"
            )
    return tuple(package for name, package in PACKAGES.items() if not names or name in names)


def take_out(deb: Path, package: Package, wanted: Mapping[str, Path]) -> None:
    """Take files out of a Debian package, without unpacking the rest.

    Parameters
    ----------
    deb : Path
    package : Package
    wanted : mapping of str to Path
        Where each file, by its path below the folder of music, is to appear; folders are there already.

    Raises
    ------
    PackageError
        There is no dpkg-deb, or it cannot read the package; a file is not in it.
    """
    if shutil.which("dpkg-deb") is None:
        raise PackageError(
            f"dpkg-deb is not here, so {deb.name} cannot be unpacked: unpack it elsewhere, dpkg-deb -x "
            f"{deb.name} {package.name}, and name the folder around {package.name} with --from"
        )
    if package.archive is None:
        left = _from_deb(deb, {f"{package.folder}/{file}": to for file, to in wanted.items()})
    else:
        with tempfile.TemporaryDirectory(dir=deb.parent) as folder:
            archive = Path(folder) / "archive"
            left = _from_deb(deb, {package.archive: archive})
            if not left:
                left = _from_archive(archive, package, wanted)
    if left:
        raise PackageError(f"{deb}: has no {left[0]}")


def take_from_tree(root: Path, package: Package, wanted: Mapping[str, Path]) -> bool:
    """Take files out of an unpacked or installed package.

    Parameters
    ----------
    root : Path
        Where it was unpacked, or ``/`` where it is installed.
    package : Package
    wanted : mapping of str to Path
        See `take_out`.

    Returns
    -------
    bool
        Whether it is there at all.

    Raises
    ------
    PackageError
        It is there, but a file is not in it.
    """
    if package.archive is not None:
        if not (root / package.archive).is_file():
            return False
        left = _from_archive(root / package.archive, package, wanted)
    else:
        folder = root / package.folder
        if not folder.is_dir():
            return False
        left = [file for file in wanted if not (folder / file).is_file()]
        for file in wanted if not left else ():
            with (folder / file).open("rb") as source:
                _copy(source, wanted[file])
    if left:
        raise PackageError(f"{root}: {package.name} has no {left[0]}")
    return True


def _from_deb(deb: Path, wanted: Mapping[str, Path]) -> list[str]:
    """Say which members it does not have."""
    left = dict(wanted)
    command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=complaints) as process,
    ):
        problem = ""
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.isfile() else None
                    if content and (to := left.pop(member.name.removeprefix("./"), None)):
                        _copy(content, to)
        except tarfile.TarError as error:
            problem = str(error)
        except BaseException:
            process.kill()
            raise
        if process.wait() or problem:
            complaints.seek(0)
            told = complaints.read().decode(errors="replace").strip().splitlines()
            raise PackageError(f"{deb}: {told[0] if told else problem}")
    return list(left)


def _from_archive(archive: Path, package: Package, wanted: Mapping[str, Path]) -> list[str]:
    try:
        with zipfile.ZipFile(archive) as files:
            names = set(files.namelist())
            if left := [file for file in wanted if f"{package.folder}/{file}" not in names]:
                return left
            for file, to in wanted.items():
                with files.open(f"{package.folder}/{file}") as content:
                    _copy(content, to)
    except zipfile.BadZipFile as error:
        raise PackageError(f"{archive}: {error}") from error
    return []


def _copy(content: IO[bytes], to: Path) -> None:
    with appearing(to) as passing, passing.open("wb") as copy:
        shutil.copyfileobj(content, copy, _BLOCK_BYTES)

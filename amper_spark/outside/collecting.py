"""The folder of outside music: originals, their variants, and a manifest of both for the catalogue."""

from __future__ import annotations

import csv
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from amper_spark.appearing import appearing, named_in_errors
from amper_spark.errors import AmperSparkError
from amper_spark.outside.apt import download, find_offer
from amper_spark.outside.packages import Package, PackageError, take_from_tree, take_out
from amper_spark.outside.tracks import ORIGINAL, OutsideTrack
from amper_spark.outside.variants import VARIANTS, read_passage, write_variants
from amper_spark.progress import Progress
from amper_spark.spark.catalog import track_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CORPUS = "outside"
"""The corpus that it is catalogued as."""
MANIFEST = "manifest.csv"
VARIANTS_FOLDER = "variants"
DOWNLOADS_FOLDER = "packages"
"""Where packages lie until all is out of them."""

_COLUMNS = ("key", "recording_id", "parent_id", "variant", "genres", "pitched", "package")
_VARIANTS_BYTES = 25_000_000
"""What the variants of a recording take at most: 30 s of 16-bit stereo, four times as FLAC."""


@dataclass(frozen=True)
class Collected:
    """What is in a folder of outside music.

    Parameters
    ----------
    n_recordings, n_files : int
        Recordings; files, their variants included.
    size_bytes : int
        Of all files.
    """

    n_recordings: int
    n_files: int
    size_bytes: int


def collect(
    folder: Path, tracks: Sequence[OutsideTrack], packages: Sequence[Package], *, source: Path | None = None
) -> Collected:
    """Fetch what is missing, make what is missing of it, and write the manifest.

    Parameters
    ----------
    folder : Path
        It is made. What is in it is kept.
    tracks : sequence of OutsideTrack
        The list; those that no genre covers are left out.
    packages : sequence of Package
        What to fetch now; the manifest tells of what was fetched before, too.
    source : Path, optional
        A folder of .deb files, or of unpacked packages, ``/`` where they are installed; None asks apt.

    Returns
    -------
    Collected

    Raises
    ------
    PackageError
        One cannot be had, or has other files than the list is about; there is no room.
    WritingError
        The folder cannot be written.
    """
    judged = [track for track in tracks if track.is_judged]
    with named_in_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for package in packages:
            _fetch(folder, package, [track for track in judged if track.package == package.name], source)
        there = [track for track in judged if _is_whole(folder, track)]
        _make_variants(folder, there)
        _write_manifest(folder, there)
    files = [folder / key for track in there for key in (track.key, *variant_keys(track).values())]
    return Collected(len(there), len(files), sum(file.stat().st_size for file in files))


def variant_keys(track: OutsideTrack) -> dict[str, str]:
    """Say where the variants of a recording lie.

    Examples
    --------
    >>> variant_keys(OutsideTrack("ufoai-music", "van_theme.ogg", 1, (), True, ""))["mp3"]
    'variants/mp3/ufoai-music/van_theme.mp3'
    """
    return {
        variant: str(PurePosixPath(VARIANTS_FOLDER, variant, f"{track.recording}{suffix}"))
        for variant, suffix in VARIANTS.items()
    }


def manifest_rows(track: OutsideTrack) -> list[dict[str, str]]:
    """Say what the catalogue is to know of a recording and its variants: the rows of the manifest."""
    shared = {
        "recording_id": f"{CORPUS}/{track.recording}",
        "genres": " ".join(track.genres),
        "pitched": "yes" if track.is_pitched else "no",
        "package": track.package,
    }
    parent = {"parent_id": track_id(CORPUS, track.key)}
    return [
        {"key": track.key, "variant": ORIGINAL, **shared},
        *({"key": key, "variant": name, **parent, **shared} for name, key in variant_keys(track).items()),
    ]


def _is_whole(folder: Path, track: OutsideTrack) -> bool:
    file = folder / track.key
    return file.is_file() and file.stat().st_size == track.size_bytes


def _fetch(folder: Path, package: Package, tracks: Sequence[OutsideTrack], source: Path | None) -> None:
    missing = {track.file: folder / track.key for track in tracks if not _is_whole(folder, track)}
    if not missing:
        return
    n_bytes = sum(track.size_bytes for track in tracks if track.file in missing)
    _check_room(folder, n_bytes + _VARIANTS_BYTES * len(missing), package.name)
    for file in missing.values():
        file.parent.mkdir(parents=True, exist_ok=True)
    if package.is_shipped:
        _take_shipped(package, missing)
    elif source is not None:
        _take_from(source, package, missing)
    else:
        _take_by_apt(folder, package, missing)
    for track in tracks:
        _check_size(folder, track, package)


def _take_shipped(package: Package, missing: dict[str, Path]) -> None:
    checkout = Path(__file__).parents[2]
    if not take_from_tree(checkout, package, missing):
        raise PackageError(
            f"{package.name} come with the source of this project, and {checkout / package.folder} is not "
            "here: name the other packages, each with --package"
        )


def _take_from(source: Path, package: Package, missing: dict[str, Path]) -> None:
    debs = sorted(source.glob(f"{package.name}_*.deb"))
    if debs:
        take_out(debs[-1], package, missing)
    elif not any(take_from_tree(root, package, missing) for root in (source / package.name, source)):
        raise PackageError(
            f"{source}: no {package.name}_*.deb, no folder {package.name} with that package unpacked, and no "
            f"{package.archive or package.folder}"
        )


def _take_by_apt(folder: Path, package: Package, missing: dict[str, Path]) -> None:
    downloads = folder / DOWNLOADS_FOLDER
    downloads.mkdir(exist_ok=True)
    offer = find_offer(package.name)
    # The archive in a package is unpacked beside it.
    _check_room(folder, offer.size_bytes * (1 if package.archive is None else 2), package.name)
    with Progress(f"download {package.name}") as progress:
        progress.begin(total=1, total_bytes=offer.size_bytes)
        deb = download(
            package.name,
            offer,
            downloads,
            on_bytes=lambda n_bytes: progress.update(done=0, bad=0, done_bytes=n_bytes),
        )
        progress.update(done=1, bad=0, done_bytes=offer.size_bytes)
    take_out(deb, package, missing)
    deb.unlink()
    if not any(downloads.iterdir()):
        downloads.rmdir()


def _check_room(folder: Path, n_bytes: int, name: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise PackageError(
            f"{folder}: {name} and what is made of it take about {n_bytes / 1e6:,.0f} MB, but "
            f"{free / 1e6:,.0f} MB are free"
        )


def _check_size(folder: Path, track: OutsideTrack, package: Package) -> None:
    if not _is_whole(folder, track):
        file = folder / track.key
        size = file.stat().st_size
        file.unlink()
        raise PackageError(
            f"{package.name}: {track.file} has {size:,} bytes, not the {track.size_bytes:,} of version "
            f"{package.version}, which the list is about"
        )


def _make_variants(folder: Path, tracks: Sequence[OutsideTrack]) -> None:
    to_make = {
        track: missing
        for track in tracks
        if (missing := {name: key for name, key in variant_keys(track).items() if not _is_made(folder, key)})
    }
    with Progress("variants") as progress:
        progress.begin(total=len(to_make))
        for done, (track, missing) in enumerate(to_make.items(), start=1):
            files = {name: folder / key for name, key in missing.items()}
            for file in files.values():
                file.parent.mkdir(parents=True, exist_ok=True)
            with _named(track):
                write_variants(read_passage(folder / track.key), files)
            progress.update(done=done, bad=0)


def _is_made(folder: Path, key: str) -> bool:
    return (folder / key).is_file()


@contextmanager
def _named(track: OutsideTrack) -> Iterator[None]:
    try:
        yield
    except AmperSparkError as error:
        raise PackageError(f"{track.key}: {error}") from error


def _write_manifest(folder: Path, tracks: Sequence[OutsideTrack]) -> None:
    with (
        appearing(folder / MANIFEST) as passing,
        passing.open("w", encoding="utf-8", newline="") as stream,
    ):
        writer = csv.DictWriter(stream, _COLUMNS, lineterminator="\n", restval="")
        writer.writeheader()
        for track in tracks:
            writer.writerows(manifest_rows(track))

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from amper_spark.errors import ParameterError
from amper_spark.outside import collecting
from amper_spark.outside.apt import find_offer
from amper_spark.outside.collecting import CORPUS, MANIFEST, collect, variant_keys
from amper_spark.outside.packages import Package, PackageError, find_packages, take_out
from amper_spark.outside.tracks import OutsideTrack
from amper_spark.spark.catalog import track_id
from amper_spark.spark.manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not here")

PLAIN = Package("tiny-music", "1", "usr/share/tiny")
ZIPPED = Package("zipped-music", "1", "music", archive="usr/share/zipped/0music.pk3")
SAMPLES = np.sin(np.arange(12 * 8_000) / 9) / 3


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two packages, unpacked side by side in folders of their names."""
    root = tmp_path_factory.mktemp("tree")
    plain = root / PLAIN.name / PLAIN.folder
    (plain / "slow").mkdir(parents=True)
    soundfile.write(plain / "slow" / "a tune.ogg", SAMPLES, 8_000)
    soundfile.write(plain / "jingle.ogg", SAMPLES[:8_000], 8_000)
    archive = root / ZIPPED.name / ZIPPED.archive
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w") as files:
        files.write(plain / "slow" / "a tune.ogg", "music/zipped.ogg")
    return root


@pytest.fixture(scope="module")
def tracks(tree: Path) -> list[OutsideTrack]:
    plain = tree / PLAIN.name / PLAIN.folder
    size = (plain / "slow" / "a tune.ogg").stat().st_size
    return [
        OutsideTrack(PLAIN.name, "slow/a tune.ogg", size, ("cinematic", "folk"), True, "soft"),
        OutsideTrack(PLAIN.name, "jingle.ogg", (plain / "jingle.ogg").stat().st_size, (), True, "a jingle"),
        OutsideTrack(ZIPPED.name, "zipped.ogg", size, ("rock",), False, "loud"),
    ]


@pytest.fixture(scope="module")
def debs(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as .deb files."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not here")
    folder = tmp_path_factory.mktemp("debs")
    for package in (PLAIN, ZIPPED):
        root = folder / package.name
        shutil.copytree(tree / package.name, root)
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN" / "control").write_text(
            f"Package: {package.name}\nVersion: 1\nArchitecture: all\n"
            "Maintainer: A. Nybody <a@example.org>\nDescription: music\n",
            encoding="ascii",
        )
        subprocess.run(["dpkg-deb", "--build", root, folder / f"{package.name}_1_all.deb"], check=True)
        shutil.rmtree(root)
    return folder


@pytest.mark.parametrize("source", ["tree", "debs"])
def test_a_folder_has_originals_variants_and_a_manifest(
    source: str, tracks: list[OutsideTrack], tmp_path: Path, request: pytest.FixtureRequest
):
    found = collect(tmp_path, tracks, [PLAIN, ZIPPED], source=request.getfixturevalue(source))

    assert (found.n_recordings, found.n_files) == (2, 12)
    entries = read_manifest(tmp_path / MANIFEST)
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*") if file.suffix != ".csv"}
    assert set(entries) == files
    original = entries["original/tiny-music/slow/a tune.ogg"]
    assert original.tags == {
        "variant": "original",
        "genres": "cinematic folk",
        "pitched": "yes",
        "package": "tiny-music",
    }
    assert original.parent_id is None
    mp3 = entries["variants/mp3/zipped-music/zipped.mp3"]
    assert (mp3.tags["variant"], mp3.tags["pitched"], mp3.descriptor) == ("mp3", "no", None)
    assert mp3.parent_id == track_id(CORPUS, "original/zipped-music/zipped.ogg")
    assert mp3.recording_id == entries["original/zipped-music/zipped.ogg"].recording_id


def test_what_is_there_is_not_made_again_and_what_is_gone_is(
    tracks: list[OutsideTrack], tree: Path, tmp_path: Path
):
    collect(tmp_path, tracks, [PLAIN], source=tree)
    keys = variant_keys(tracks[0])
    (tmp_path / keys["mp3"]).unlink()
    before = (tmp_path / keys["shifted"]).stat().st_mtime_ns

    collect(tmp_path, tracks, [PLAIN], source=tmp_path / "nothing is read from here")

    assert (tmp_path / keys["mp3"]).is_file()
    assert (tmp_path / keys["shifted"]).stat().st_mtime_ns == before


def test_the_manifest_keeps_packages_that_were_fetched_before(
    tracks: list[OutsideTrack], tree: Path, tmp_path: Path
):
    collect(tmp_path, tracks, [PLAIN], source=tree)
    found = collect(tmp_path, tracks, [ZIPPED], source=tree)

    assert found.n_recordings == 2
    assert len(read_manifest(tmp_path / MANIFEST)) == 12


def test_an_installed_package_is_found_below_the_root(tracks: list[OutsideTrack], tree: Path, tmp_path: Path):
    assert collect(tmp_path, tracks, [PLAIN], source=tree / PLAIN.name).n_recordings == 1


def test_another_version_of_a_recording_is_refused(tracks: list[OutsideTrack], tree: Path, tmp_path: Path):
    other = replace(tracks[0], size_bytes=tracks[0].size_bytes + 1)

    with pytest.raises(
        PackageError, match=r"^tiny-music: slow/a tune.ogg has [\d,]+ bytes, not the [\d,]+ of"
    ):
        collect(tmp_path, [other], [PLAIN], source=tree)

    assert not (tmp_path / other.key).exists()


def test_a_file_that_is_not_in_the_package_is_named(tree: Path, tmp_path: Path):
    lost = [OutsideTrack(ZIPPED.name, "lost.ogg", 9, ("rock",), True, "?")]

    with pytest.raises(PackageError, match=r"zipped-music has no lost\.ogg"):
        collect(tmp_path, lost, [ZIPPED], source=tree)


def test_a_folder_without_the_package_says_what_was_looked_for(tracks: list[OutsideTrack], tmp_path: Path):
    (tmp_path / "empty").mkdir()

    with pytest.raises(
        PackageError, match=r"no tiny-music_\*\.deb, no folder tiny-music .* no usr/share/tiny$"
    ):
        collect(tmp_path / "to", tracks, [PLAIN], source=tmp_path / "empty")


def test_too_little_room_is_told_before_anything_is_fetched(
    tracks: list[OutsideTrack], tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil._ntuple_diskusage(10**9, 10**9 - 10**7, 10**7)
    monkeypatch.setattr(collecting.shutil, "disk_usage", lambda _: usage)

    with pytest.raises(PackageError, match="take about 25 MB, but 10 MB are free"):
        collect(tmp_path, tracks, [PLAIN], source=tree)

    assert not (tmp_path / "original").exists()


@needs_dpkg
def test_half_a_package_is_refused_in_one_line(debs: Path, tmp_path: Path):
    whole = (debs / "tiny-music_1_all.deb").read_bytes()
    half = tmp_path / "tiny-music_1_all.deb"
    half.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(PackageError, match=r"tiny-music_1_all\.deb: ") as refused:
        take_out(half, PLAIN, {"slow/a tune.ogg": tmp_path / "a tune.ogg"})

    assert "\n" not in str(refused.value)
    assert not (tmp_path / "a tune.ogg").exists()


def test_without_apt_or_dpkg_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PackageError, match=r"apt-get is not here to fetch ufoai-music: .* --from"):
        find_offer("ufoai-music")
    with pytest.raises(PackageError, match=r"dpkg-deb is not here, so a\.deb cannot be unpacked: .* --from"):
        take_out(tmp_path / "a.deb", PLAIN, {})


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not here")
def test_a_package_that_apt_does_not_know_is_named():
    with pytest.raises(PackageError, match=r"^apt does not offer no-such-music-9 \(.*\): bring its lists up"):
        find_offer("no-such-music-9")


def test_a_misspelt_package_is_refused():
    with pytest.raises(
        ParameterError, match="no package 'ufo-music' in the list; did you mean 'ufoai-music'"
    ):
        find_packages(["ufo-music"])


def test_the_command_fetches_the_reference_tracks_and_errors_are_one_line(tmp_path: Path):
    program = "from amper_spark.outside.commands import outside; outside(prog_name='outside')"
    refused = subprocess.run(
        [sys.executable, "-c", program, "fetch", "--to", tmp_path / "to", "--package", "wesnoth"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert refused.returncode == 2
    assert refused.stderr.startswith("Error: no package 'wesnoth' in the list")
    assert refused.stderr.count("\n") == 1

"""Vocals are removed in the stage, with the real network where it has been fetched."""

from __future__ import annotations

import os
import sys
from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow.fs
import pytest
import soundfile

from amper_spark.config import Analysis, Limits, Separation
from amper_spark.decoder import Decoder
from amper_spark.errors import AmperSparkError, BadRecordError
from amper_spark.spark.analysis_rows import analysis_row
from amper_spark.spark.stems import StemStore, read_stem
from amper_spark.spark.vocals import Vocals

HALVING = """
class Separator:
    def __init__(self, name, multiprocess):
        self._params = {}

    def separate(self, samples):
        return {"accompaniment": samples / 2}
"""
GOLDEN = Path(__file__).parents[1] / "data" / "separation"


@pytest.fixture
def vocals(separation_model, tmp_path):
    return Vocals(
        settings=Separation(),
        limits=Limits(),
        model=str(separation_model),
        stems=StemStore(str(tmp_path / "lake"), "0123456789ab"),
    )


def removed(vocals, file, name="track-etag"):
    with Decoder() as decoder:
        return np.concatenate(list(vocals.removed(file, decoder=decoder, name=name)))


def row_of(file, **options):
    with Decoder() as decoder:
        return analysis_row(file.as_uri(), etag=None, decoder=decoder, settings=Analysis(), **options)


@pytest.mark.parametrize(("attenuation_limit_db", "share"), [(None, 0.0), (20.0, 0.1)])
def test_what_is_analysed_is_the_official_accompaniment(vocals, attenuation_limit_db, share):
    settings = Separation(attenuation_limit_db=attenuation_limit_db)
    sound = removed(replace(vocals, settings=settings), GOLDEN / "mixture.flac")
    with Decoder() as decoder:
        mixture = decoder.decode(GOLDEN / "mixture.flac").samples
        official = decoder.decode(GOLDEN / "accompaniment.flac").samples
    assert sound.shape == official.shape
    expected = (1 - share) * official + share * mixture
    error_db = 10 * np.log10(((sound - expected) ** 2).sum() / (mixture**2).sum())
    assert error_db <= -75


def test_a_kept_stem_gives_the_same_bits_and_is_used(vocals):
    fresh = removed(replace(vocals, keep=True), GOLDEN / "mixture.flac")
    stem = Path(vocals.stems.uri("track-etag"))
    assert soundfile.info(stem).subtype == "PCM_24"
    np.testing.assert_array_equal(removed(vocals, GOLDEN / "mixture.flac"), fresh)
    soundfile.write(stem, np.zeros((44_100, 2)) + 0.25, 44_100, subtype="PCM_24")
    assert removed(vocals, GOLDEN / "mixture.flac").shape == (22_050,)
    assert removed(vocals, GOLDEN / "mixture.flac", name="another").shape == fresh.shape


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_stem_is_made_again(vocals, share):
    fresh = removed(replace(vocals, keep=True), GOLDEN / "mixture.flac")
    stem = Path(vocals.stems.uri("track-etag"))
    content = stem.read_bytes()
    stem.write_bytes(content[: int(share * len(content))])
    np.testing.assert_array_equal(removed(replace(vocals, keep=True), GOLDEN / "mixture.flac"), fresh)
    assert stem.read_bytes() == content


@pytest.mark.parametrize("attenuation_limit_db", [None, 20.0])
def test_the_official_engine_is_heard_as_well(tmp_path, monkeypatch, attenuation_limit_db):
    (tmp_path / "spleeter").mkdir()
    (tmp_path / "spleeter" / "separator.py").write_text(HALVING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    settings = Separation(
        engine="official", official_python=sys.executable, attenuation_limit_db=attenuation_limit_db
    )
    sound = removed(Vocals(settings=settings, limits=Limits(), model=None), GOLDEN / "mixture.flac")
    with Decoder() as decoder:
        mixture = decoder.decode(GOLDEN / "mixture.flac").samples
    share = 0.5 if attenuation_limit_db is None else 0.9 * 0.5 + 0.1
    np.testing.assert_allclose(sound, share * mixture, atol=1e-5)


def test_what_killed_workers_left_is_removed(tmp_path):
    store = StemStore(str(tmp_path), "0123456789ab")
    folder = tmp_path / "stems" / "0123456789ab"
    folder.mkdir(parents=True)
    for name in ("old.flac.1.partial", "new.flac.2.partial", "whole.flac"):
        (folder / name).touch()
    for name in ("old.flac.1.partial", "whole.flac"):
        os.utime(folder / name, (0, 0))
    store.remove_leftovers()
    assert sorted(file.name for file in folder.iterdir()) == ["new.flac.2.partial", "whole.flac"]


def test_stems_may_lie_elsewhere(monkeypatch, tmp_path):
    elsewhere = pyarrow.fs.SubTreeFileSystem(str(tmp_path), pyarrow.fs.LocalFileSystem())
    monkeypatch.setattr("amper_spark.spark.stems.open_filesystem", lambda uri, options: (elsewhere, "stems"))
    elsewhere.create_dir("stems")
    store = StemStore("s3://bucket/lake", "0123456789ab")
    samples = np.arange(200_000, dtype=np.int32).reshape(-1, 2)
    with store.found("a") as found:
        assert found is None
    deque(store.kept("a", iter(np.array_split(samples, 7))), maxlen=0)
    with store.found("a") as found:
        np.testing.assert_array_equal(np.concatenate(list(read_stem(found))), samples)
        copy = found
    assert not copy.exists()


def test_the_decoding_process_goes_on_after_a_stem(vocals):
    removed(replace(vocals, keep=True), GOLDEN / "mixture.flac")
    others = set(psutil.Process().children())
    with Decoder() as decoder:
        started = []
        for _ in range(2):
            deque(vocals.removed(GOLDEN / "mixture.flac", decoder=decoder, name="track-etag"), maxlen=0)
            started.append(set(psutil.Process().children()) - others)
    assert len(started[0]) == 1
    assert started[0] == started[1]


def test_without_being_asked_no_stem_is_kept(vocals):
    removed(vocals, GOLDEN / "mixture.flac")
    assert not Path(vocals.stems.uri("track-etag")).exists()


@pytest.mark.parametrize("attenuation_limit_db", [None, 20.0])
def test_a_kept_stem_gets_a_recording_past_no_limit(vocals, attenuation_limit_db):
    settings = Separation(attenuation_limit_db=attenuation_limit_db)
    removed(replace(vocals, settings=settings, keep=True), GOLDEN / "mixture.flac")
    short = replace(vocals, settings=settings)
    with (
        Decoder(limits=Limits(max_duration_s=5)) as decoder,
        pytest.raises(BadRecordError, match="more than 5 s decode"),
    ):
        deque(short.removed(GOLDEN / "mixture.flac", decoder=decoder, name="track-etag"), maxlen=0)


def test_a_full_disk_is_not_the_recordings_fault(tmp_path, disk_with_room_for):
    store = StemStore(str(tmp_path / "lake"), "0123456789ab")
    noise = np.random.default_rng(0).integers(-(2**23), 2**23, (200_000, 2), dtype=np.int32)
    with disk_with_room_for(1_000_000), pytest.raises(OSError, match="cannot be written"):
        deque(store.kept("a", iter([noise] * 9)), maxlen=0)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_does_not_come_to_its_end_is_not_kept(tmp_path):
    store = StemStore(str(tmp_path), "0123456789ab")
    blocks = store.kept("a", iter([np.zeros((9, 2), dtype=np.int32)] * 3))
    next(blocks)
    blocks.close()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["a/../b", "ä b", "x" * 100])
def test_any_name_has_a_file_of_its_own_folder(name, tmp_path):
    store = StemStore(str(tmp_path), "0123456789ab")
    assert list(store.kept(name, iter([np.full((9, 2), 7, dtype=np.int32)])))
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.parent == tmp_path / "stems" / "0123456789ab"
    with store.found(name) as found:
        assert found == file
    assert soundfile.read(file, dtype="int32")[0].tolist() == [[7 << 8] * 2] * 9


def test_a_row_says_what_removed_the_vocals_and_differs(vocals):
    file = GOLDEN / "mixture.flac"
    with_vocals, without = row_of(file), row_of(file, vocals=vocals, stem="track-etag")
    assert (with_vocals["provider"], without["provider"]) == ("cpu-fp32", "spleeter-cpu-fp32")
    assert without["outcome"] == "done"
    assert without["duration_s"] == with_vocals["duration_s"]
    assert without["windows"] != with_vocals["windows"]
    retried = row_of(file, vocals=vocals, stem="track-etag", attempt=1)
    assert retried == without | {"attempt": 1}


def test_a_model_that_is_not_there_is_no_recordings_fault(vocals):
    lost = replace(vocals, model="/nowhere/model.onnx")
    with pytest.raises(AmperSparkError, match="separation fetch"):
        removed(lost, GOLDEN / "mixture.flac")

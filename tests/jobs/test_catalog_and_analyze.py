"""The two jobs on a corpus as corpora are: mostly good, partly broken, growing and shrinking."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest
import soundfile
from deltalake import DeltaTable

from amper_spark.config import Config
from amper_spark.spark.analyses import analysis_units


@pytest.fixture
def run(command, lake, corpus):
    """Catalogue and analyse the corpus."""

    def both(*, status=0, **settings):
        command("catalog", corpus, "--lake", lake.uri)
        options = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        return command("analyze", "--lake", lake.uri, *options, status=status)

    return both


def outcomes(lake):
    """Outcome or reason of every recording, by key."""
    tracks = {row["track_id"]: row["key"] for row in lake.read("tracks").to_pylist()}
    return {
        tracks[row["track_id"]]: row["reason"] or row["outcome"] for row in lake.read("analyses").to_pylist()
    }


def test_good_recordings(run, lake, corpus, write_music):
    for number in range(5):
        write_music(corpus / f"{number}.flac", number=number, duration_s=12)
    output = run()
    assert "5 done" in output
    rows = lake.read("analyses").to_pylist()
    assert [row["outcome"] for row in rows] == ["done"] * 5
    assert all(len(row["windows"]) == 2 and row["duration_s"] == 12 for row in rows)
    assert all(row["segments"][-1]["end_s"] == 12 for row in rows)


def test_a_second_run_does_nothing(run, lake, corpus, write_music):
    write_music(corpus / "one.wav")
    run()
    version = lake.version("analyses")
    assert "nothing new; 1 done before" in run()
    assert lake.version("analyses") == version


def test_new_changed_and_removed_recordings(run, lake, corpus, write_music):
    for name in ("stays", "changes", "goes"):
        write_music(corpus / f"{name}.wav")
    run()
    write_music(corpus / "changes.wav", number=5, duration_s=3)
    write_music(corpus / "comes.wav", number=7)
    (corpus / "goes.wav").unlink()
    assert "2 done" in run()
    rows = lake.read("analyses").to_pylist()
    assert len(rows) == 5  # three at first, then the changed one again and the new one
    deleted = lake.read("tracks").filter(pc.field("deleted_at").is_valid())
    assert deleted["key"].to_pylist() == ["goes.wav"]


def test_another_configuration_is_another_analysis(run, lake, corpus, write_music):
    write_music(corpus / "one.wav")
    run()
    assert "1 done" in run(**{"analysis.tempo.prior_bpm": 100})
    versions = lake.read("analyses")["analysis_version"].to_pylist()
    assert len(set(versions)) == 2


def test_force_replaces_the_rows(command, run, lake, corpus, write_music, comparable):
    for number in range(3):
        write_music(corpus / f"{number}.wav", number=number)
    run()
    before = comparable(lake)
    command("analyze", "--lake", lake.uri, "--force")
    again = comparable(lake)
    assert len(again) == 3
    assert [row | {"batch_id": ""} for row in again] == [row | {"batch_id": ""} for row in before]


def test_limit_and_dry_run(command, lake, corpus, write_music):
    for number in range(4):
        write_music(corpus / f"{number}.wav", number=number)
    assert "4 new" in command("catalog", corpus, "--lake", lake.uri, "--dry-run")
    assert not lake.exists("tracks")
    command("catalog", corpus, "--lake", lake.uri)
    assert "4 to do" in command("analyze", "--lake", lake.uri, "--dry-run")
    assert not lake.exists("analyses")
    assert "1 done" in command("analyze", "--lake", lake.uri, "--limit", 1)
    assert "3 done" in command("analyze", "--lake", lake.uri)


def test_every_good_format(run, lake, corpus, make_file, good_kinds):
    kinds = {}
    for kind in good_kinds:
        file = make_file(kind)
        kinds[shutil.move(file, corpus / f"{kind}{file.suffix or '.wav'}").name] = "done"
    run()
    assert {"8_bit_8_khz_mono.wav", "24_bit_96_khz_6_channels.wav"} <= set(kinds)
    assert outcomes(lake) == kinds


def test_limits_of_duration_are_the_configurations(run, lake, corpus, write_music):
    for duration_s in (2, 3, 5):
        write_music(corpus / f"{duration_s}.wav", duration_s=duration_s)
    run(status=3, **{"analysis.limits.min_duration_s": 2.5, "analysis.limits.max_duration_s": 4})
    assert outcomes(lake) == {"2.wav": "too_short", "3.wav": "done", "5.wav": "too_long"}


def test_every_kind_of_bad_file(run, lake, corpus, write_music, make_file, refused_reasons):
    write_music(corpus / "good.wav")
    for kind in refused_reasons:
        bad = make_file(kind)
        if bad.suffix.lower() in {".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aiff"} and bad.exists():
            shutil.move(bad, corpus / f"{kind}{bad.suffix}")
    run(status=3)
    found = outcomes(lake)
    assert found.pop("good.wav") == "done"
    assert len(found) >= 10
    assert found == {key: refused_reasons[key.rpartition(".")[0]] for key in found}


def test_damaged_files_are_analysed_as_far_as_they_decode(run, lake, corpus, damaged_files):
    for kind, file in damaged_files.items():
        shutil.copy(file, corpus / f"{kind}{file.suffix}")
    run()
    assert set(outcomes(lake).values()) == {"done"}


def test_the_status_tells_of_too_many_bad_records(run, corpus, write_music):
    write_music(corpus / "good.wav")
    (corpus / "empty.mp3").touch()
    run(status=3)
    assert run(**{"stage.max_bad_share": 0.5, "analysis.structure.seed": 1})


def test_files_that_vanish_or_change_between_listing_and_analysis(command, lake, corpus, write_music):
    for name in ("good", "vanishes", "changes"):
        write_music(corpus / f"{name}.wav")
    command("catalog", corpus, "--lake", lake.uri)
    (corpus / "vanishes.wav").unlink()
    write_music(corpus / "changes.wav", duration_s=4)
    command("analyze", "--lake", lake.uri, status=3)
    expected = {"good.wav": "done", "vanishes.wav": "vanished", "changes.wav": "vanished"}
    assert outcomes(lake) == expected
    write_music(corpus / "vanishes.wav")
    command("catalog", corpus, "--lake", lake.uri)
    command("analyze", "--lake", lake.uri)
    rows = lake.read("analyses")["reason"].to_pylist()
    assert sorted(rows, key=str) == [None] * 3 + ["vanished"] * 2, "of etags that are no longer current"


def test_what_was_quarantined_is_tried_again_on_request(command, lake, corpus, write_music):
    write_music(corpus / "long.flac", duration_s=60)
    command("catalog", corpus, "--lake", lake.uri)
    output = command("analyze", "--lake", lake.uri, "--set", "decoder.timeout_s=1e-4", status=3)
    assert "export quarantine" in output
    assert "nothing new" in command("analyze", "--lake", lake.uri)
    assert outcomes(lake) == {"long.flac": "timed_out"}
    assert "1 done" in command("analyze", "--lake", lake.uri, "--retry")
    assert outcomes(lake) == {"long.flac": "done"}


ODD_NAMES = [
    "with spaces.wav",
    "quotes ' and \".wav",
    "percent %41 #?&;.wav",
    "Sigur Rós – ágætis byrjun 音楽 🎵.wav",
    "new\nline.wav",
    "back\\slash.wav",
    "x" * 246 + ".wav",
    "-n.wav",
    "$(touch pwned) `id`.wav",
]


def test_odd_file_names(run, lake, corpus, write_music):
    plain = write_music(corpus / "plain.wav")
    for name in ODD_NAMES:
        shutil.copy(plain, corpus / name)
    shutil.copy(plain, os.fsencode(corpus) + b"/not utf-8 \xff\xfe.wav")
    run()
    found = outcomes(lake)
    assert set(found.values()) == {"done"}
    assert len(found) == len(ODD_NAMES) + 2
    assert set(ODD_NAMES) < set(found)


def test_the_columns_are_the_designs(run, lake, corpus, write_music):
    write_music(corpus / "one.wav")
    run()
    frame = DeltaTable(f"{lake.uri}/tables/analyses").to_pandas()
    assert list(frame.columns) == [
        "track_id",
        "etag",
        "analysis_version",
        "outcome",
        "reason",
        "detail",
        "attempt",
        "duration_s",
        "provider",
        "batch_id",
        "at",
        "windows",
        "segments",
        "beats",
    ]
    assert len(frame) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["analyze"], 1, "amper-spark catalog"),
        (["analyze", "--set", "stage.batch_records=0", "--set", "tempo=1"], 2, "stage.batch_records"),
        (["analyze", "--set", "stage.batch_records=0", "--set", "tempo=1"], 2, "tempo: no such key"),
        (["analyze", "--limit", "0"], 2, "--limit"),
        (["catalog", "/no/such/folder"], 1, "/no/such/folder"),
        (["catalog"], 2, "ROOT"),
        (["show"], 1, "amper-spark analyze"),
        (["export", "windows", "--to", "windows.xlsx"], 2, "xlsx"),
        (["analyse"], 2, "did you mean 'analyze'?"),
    ],
)
def test_mistakes_are_explained(command, lake, arguments, status, message):
    assert message in command(*arguments, "--lake", lake.uri, status=status)


def test_an_unknown_corpus_is_named(command, lake, corpus, write_music):
    write_music(corpus / "one.wav")
    command("catalog", corpus, "--lake", lake.uri, "--corpus", "home")
    output = command("analyze", "--lake", lake.uri, "--corpus", "hmoe", status=1)
    assert "'hmoe'" in output
    assert "home" in output
    command("analyze", "--lake", lake.uri)
    output = command(
        "export", "windows", "--to", corpus / "w.csv", "--lake", lake.uri, "--corpus", "hmoe", status=1
    )
    assert "'hmoe'" in output
    assert "known: home" in output
    command("export", "windows", "--to", corpus / "w.csv", "--lake", lake.uri, "--corpus", "home")
    assert len((corpus / "w.csv").read_text().splitlines()) == 2


def test_a_second_folder_of_the_same_name_is_refused(command, lake, corpus, write_music, tmp_path):
    write_music(corpus / "one.wav")
    command("catalog", corpus, "--lake", lake.uri)
    second = tmp_path / "second" / corpus.name
    second.mkdir(parents=True)
    write_music(second / "two.wav")
    output = command("catalog", second, "--lake", lake.uri, status=1)
    assert str(second) in output
    assert "--corpus NAME" in output
    assert "--force" in output
    assert "1 new" in command("catalog", second, "--lake", lake.uri, "--corpus", "second")
    assert "1 new, 1 deleted" in command("catalog", second, "--lake", lake.uri, "--force")


@pytest.mark.usefixtures("separation_model")
def test_vocals_are_removed_where_they_are_to_be(caplog, command, lake, corpus, write_music):
    for name in ("song", "render"):
        write_music(corpus / f"{name}.wav")
    manifest = corpus.parent / "manifest.csv"
    manifest.write_text("key,separate\nsong.wav,true\nrender.wav,false\n")
    command("catalog", corpus, "--lake", lake.uri, "--manifest", manifest)
    units, _ = analysis_units(lake, config=Config())
    with_vocals, without = units.sort_by("separate").to_pylist()
    assert without["size_bytes"] == with_vocals["size_bytes"]
    assert without["work_bytes"] > 5 * with_vocals["work_bytes"]
    assert "2 done" in command("analyze", "--lake", lake.uri, "--keep-stems")
    assert "nothing new" in command("analyze", "--lake", lake.uri)
    (stem,) = (Path(lake.uri) / "stems").rglob("*.flac")
    assert soundfile.info(stem).samplerate == 44_100
    assert "1 done" in command("analyze", "--lake", lake.uri, "--separate")
    rows = lake.read("analyses", ["analysis_version", "outcome"]).to_pylist()
    assert len({row["analysis_version"] for row in rows}) == 2
    assert [row["outcome"] for row in rows] == ["done"] * 3
    assert "1 done" in command("analyze", "--lake", lake.uri, "--no-separate")
    caplog.clear()
    assert "nothing new; 2 done before" in command("analyze", "--lake", lake.uri, "--separate")
    assert "1 of those done before: analysed in another way since" in caplog.text
    command("analyze", "--lake", lake.uri, "--separate", "--force")
    caplog.clear()
    command("analyze", "--lake", lake.uri, "--separate")
    assert "another way" not in caplog.text


def test_one_file_is_separated_by_the_network_alone(command, tmp_path, write_music):
    write_music(tmp_path / "song.wav")
    official = ("--set", "separation.engine=official", "--set", "separation.official_python=python")
    said = command("separate", tmp_path / "song.wav", tmp_path / "backing.wav", *official, status=2)
    assert "separation.engine=official is for the analysis alone" in said


def test_help_teaches(command):
    overview = command("--help")
    assert "catalog ~/Music" in overview
    for name in ("catalog", "analyze", "show", "export"):
        assert name in overview
        assert "\n  Examples:\n    amper-spark " in command(name, "--help")
    assert "\n    amper-spark analyze " in overview


def test_a_job_says_what_its_options_do(command, lake, corpus, write_music):
    assert "ROOT that has moved" in command("catalog", "--help")
    assert "Do again" in command("analyze", "--help")
    for name in ("one", "two"):
        write_music(corpus / f"{name}.wav")
    said = command("catalog", corpus, "--lake", lake.uri, "--limit", 1)
    assert said == "catalog: 1 track: 1 new; files beyond --limit 1 were not looked at\n"

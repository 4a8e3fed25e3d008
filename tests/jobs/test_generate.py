"""The job that makes a corpus of renders: whole, resumable, never mixed; and what comes after it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
import soundfile

from amper_spark.descriptors.importing import import_dictionary
from amper_spark.spark.lake import Lake
from tests.render.whole_fonts import whole_font

SMALL = ("--descriptors", "hiphop", "--durations", "3", "--renders-per-duration", "1")
N_SMALL = 7
SUBMIT = Path(sys.executable).with_name("spark-submit")


@pytest.fixture(scope="module")
def fonts(tmp_path_factory):
    """Fonts that have all sounds, lack one, or are no fonts."""
    folder = tmp_path_factory.mktemp("fonts")
    whole = whole_font()
    contents = {
        "whole": whole,
        "other": whole + b"\0",
        "poor": whole_font(without=[(0, 0)]),
        "cut": whole[:999],
    }
    for name, content in contents.items():
        (folder / f"{name}.sf2").write_bytes(content)
    return {name: folder / f"{name}.sf2" for name in contents}


@pytest.fixture
def generate(command, lake, fonts):
    """Generate a small corpus."""

    def call(*options, font="whole", status=0, asked=SMALL):
        return command(
            "generate", "--lake", lake.uri, "--font", fonts.get(font, font), *asked, *options, status=status
        )

    return call


def rows_of(lake):
    rows = lake.read("tracks").sort_by("key").to_pylist()
    return [row | {"tags": dict(row["tags"])} for row in rows]


def files_of(lake):
    return sorted(path for path in Path(lake.uri, "renders").rglob("*") if path.is_file())


def test_a_corpus(generate, command, lake):
    assert f"{N_SMALL} done" in generate()
    rows = rows_of(lake)
    assert len(rows) == N_SMALL == len({row["recording_id"] for row in rows})
    for row in rows:
        file = Path(lake.uri, "renders", "renders", row["key"])
        assert row["key"].startswith(f"{row['descriptor']}/3s/000-")
        assert soundfile.info(file).frames == 66_150
        assert row["tags"]["sha256"] == sha256(file.read_bytes()).hexdigest()
        assert row["size_bytes"] == file.stat().st_size
        assert (row["separate"], row["parent_id"], row["deleted_at"]) == (False, None, None)
        assert row["tags"]["font"] == "whole"
        assert {"tempo_bpm", "tonic", "quality", "half", "level_db", "composer_version"} < set(row["tags"])
    (commit, _) = lake.history("tracks")
    assert (commit.stage, commit.metadata["audio_s"]) == ("generate", "21.000")
    assert f"nothing new; {N_SMALL} done before" in generate()
    found = command("catalog", f"{lake.uri}/renders/renders", "--lake", lake.uri)
    assert found == f"catalog: {N_SMALL} tracks: {N_SMALL} unchanged\n"
    assert f"{N_SMALL} done" in command("analyze", "--lake", lake.uri, "--corpus", "renders")
    assert set(lake.read("analyses")["provider"].to_pylist()) == {"cpu-fp32"}


def test_what_was_lost_or_damaged_is_made_again_as_it_was(generate, command, lake):
    generate()
    before = rows_of(lake)
    files = files_of(lake)
    contents = [file.read_bytes() for file in files]
    files[0].unlink()
    files[1].write_bytes(b"damaged")
    files[2].unlink()
    command("catalog", f"{lake.uri}/renders/renders", "--lake", lake.uri)
    files[2].write_bytes(contents[2])
    assert "3 done, 0 quarantined in" in generate()
    assert [file.read_bytes() for file in files_of(lake)] == contents
    after = rows_of(lake)
    changing = {"etag": "", "modified_at": ""}
    assert [row | changing for row in after] == [row | changing for row in before]
    assert [row["etag"] for row in after[3:]] == [row["etag"] for row in before[3:]]


def test_files_without_rows_are_taken_as_they_are(generate, command, lake):
    """As a killed run leaves them; and then somebody lists the folder."""
    generate()
    before = rows_of(lake)
    shutil.rmtree(lake.table_uri("tracks"))
    command("catalog", f"{lake.uri}/renders/renders", "--lake", lake.uri)
    assert not any(row["tags"] for row in rows_of(lake))
    assert f"{N_SMALL} done" in generate()
    assert rows_of(lake) == before


def test_files_without_rows_need_not_be_asked_for(generate, command, lake, write_music):
    crown = ("--descriptors", "hiphop_orchestral_crown", "--renders-per-duration", "1")
    generate("--durations", "3,4", asked=crown)
    shutil.rmtree(lake.table_uri("tracks"))
    folder = Path(lake.uri, "renders", "renders")
    command("catalog", folder, "--lake", lake.uri)
    assert "not by --seed 1" in generate("--durations", "3", "--seed", 1, status=1, asked=crown)
    assert "1 done" in generate("--durations", "3", asked=crown)
    assert [bool(row["tags"]) for row in rows_of(lake)] == [True, False]
    write_music(folder / "hiphop_orchestral_crown/3s/000-00000000c0ffee.flac")
    command("catalog", folder, "--lake", lake.uri)
    assert "such as hiphop_orchestral_crown/3s/000-00000000c0ffee" in generate(status=1, asked=crown)


def test_copies_elsewhere_keep_what_is_known_of_them(generate, command, lake, tmp_path):
    """As when the renders are made in an object store and brought back."""
    there, copies = tmp_path / "there", tmp_path / "copies"
    generate("--out", there)
    before = rows_of(lake)
    shutil.copytree(there, copies, copy_function=shutil.copy)
    command("catalog", copies, "--corpus", "renders", "--force", "--lake", lake.uri)
    kept = ("track_id", "key", "descriptor", "recording_id", "separate", "tags", "deleted_at")
    assert [[row[name] for name in kept] for row in rows_of(lake)] == [
        [row[name] for name in kept] for row in before
    ]
    assert f"{N_SMALL} done" in command("analyze", "--lake", lake.uri, "--corpus", "renders")
    assert f"nothing new; {N_SMALL} done before" in generate("--out", copies)


def test_a_corpus_grows(generate, lake):
    asked = ("--descriptors", "hiphop_orchestral_crown", "--durations", "3")
    assert "1 done" in generate("--renders-per-duration", 3, "--half", "B", asked=asked)
    assert "1 done" in generate("--renders-per-duration", 3, "--limit", 1, asked=asked)
    assert "1 done" in generate("--renders-per-duration", 3, asked=asked)
    assert sorted(row["tags"]["half"] for row in rows_of(lake)) == ["A", "A", "B"]


def test_a_corpus_is_never_mixed(generate, lake, caplog):
    generate()
    said = generate(font="other", status=1)
    assert f"{N_SMALL} of the {N_SMALL} renders of corpus 'renders' were made with another font" in said
    assert "--corpus NAME" in said
    assert "--seed 0" in generate("--seed", 1, status=1)
    generate("--force", "--limit", 2, font="other")
    assert f"another font: 2 are made again, {N_SMALL - 2} stay as they are" in caplog.text
    assert sorted(row["tags"]["font"] for row in rows_of(lake)) == ["other"] * 2 + ["whole"] * 5
    generate("--force", font="other")
    assert {row["tags"]["font"] for row in rows_of(lake)} == {"other"}
    assert "nothing new" in generate("--force", font="other")
    assert "1 done" in generate("--corpus", "second", "--seed", 1, "--limit", 1)
    assert len(rows_of(lake)) == N_SMALL + 1


def test_a_forced_run_that_failed_goes_on_with_what_differs(generate, lake, tmp_path):
    out = ("--out", tmp_path / "renders", "--set", "stage.batch_records=4")
    generate(*out)
    last = Path(rows_of(lake)[-1]["uri"].removeprefix("file://"))
    shutil.rmtree(last.parent)
    last.parent.touch()
    said = generate(*out, "--force", font="other", status=1)
    assert said.rstrip().endswith("What is committed stays; run the same command again to go on.")
    n_made = sum(row["tags"]["font"] == "other" for row in rows_of(lake))
    last.parent.unlink()
    assert f"{N_SMALL - n_made} done" in generate(*out, "--force", font="other")
    assert {row["tags"]["font"] for row in rows_of(lake)} == {"other"}


def test_somebody_elses_corpus_is_left_alone(generate, command, lake, corpus, write_music):
    write_music(corpus / "song.wav")
    command("catalog", corpus, "--lake", lake.uri, "--corpus", "home")
    assert "lies elsewhere" in generate("--corpus", "home", status=1)
    said = generate("--corpus", "home", "--out", corpus, status=1)
    assert "were not generated, or not by --seed 0, such as song.wav" in said
    assert [file.name for file in corpus.iterdir()] == ["song.wav"]


def test_a_dry_run_writes_nothing(generate, lake):
    said = generate("--dry-run")
    assert f"generate: 0 done before; {N_SMALL} to do, about" in said
    assert "0.0 h of audio, about" in said
    assert "are free" in said
    assert not Path(lake.uri).exists()


def test_another_folder(generate, lake, tmp_path):
    generate("--out", tmp_path / "elsewhere", "--limit", 1)
    (row,) = rows_of(lake)
    assert row["uri"] == f"file://{tmp_path}/elsewhere/{row['key']}"
    assert not Path(lake.uri, "renders").exists()


@pytest.mark.parametrize(
    ("options", "status", "messages"),
    [
        (
            ("--durations", "1,x", "--descriptors", "polka", "--renders-per-duration", 0, "--out", "ftp://x"),
            2,
            ("got 1", "'x'", "'polka'", "--renders-per-duration", "--out: a folder of renders is"),
        ),
        (("--font", "fluidd"), 2, ("--font: one of musescore, fluid",)),
        (("--font", "/no/such.sf2"), 1, ("there is no font /no/such.sf2",)),
        (("--set", "render.fonts=fluid"), 2, ("did you mean 'font'",)),
        (("--set", "render.catalogue=/nowhere"), 2, ("/nowhere",)),
        (("--catalogue", "/nowhere"), 2, ("/nowhere",)),
        (("--half", "C"), 2, ("--half",)),
        (("--out", "/dev/null/renders"), 1, ("/dev/null",)),
    ],
)
def test_mistakes_are_explained(generate, lake, options, status, messages):
    said = generate(*options, status=status)
    assert all(message in said for message in messages), said
    assert not lake.exists("tracks")


@pytest.mark.parametrize(
    ("font", "message"), [("poor", "lacks sounds that are needed (bank:program): 0:0"), ("cut", "cut short")]
)
def test_a_font_that_will_not_do_is_told_before_the_start(generate, lake, font, message):
    assert message in generate(font=font, status=1)
    assert not Path(lake.uri).exists()


def test_ones_own_catalogue(generate, lake, tmp_path):
    file = tmp_path / "own.json"
    file.write_text(
        '{"my_fury": ["angry", "negative", 1, "rock", "indie"], '
        '"my_polka": ["happy", "positive", 2, "folk", "polka"]}'
    )
    import_dictionary(file, tmp_path / "own")
    small = ("--durations", "3", "--renders-per-duration", "1")
    said = generate("--set", f"render.catalogue={tmp_path / 'own'}", asked=small, status=2)
    assert "no instruments play folk_polka, the style of my_polka" in said
    own = ("--catalogue", tmp_path / "own", *small)
    assert generate(asked=own, status=2) == said
    assert "1 done" in generate("--descriptors", "my_fury", asked=own)
    (row,) = rows_of(lake)
    assert row["descriptor"] == "my_fury"


@pytest.mark.slow
def test_no_room_is_told_in_a_line(program, lake, fonts):
    """A limit on the size of files stands for a disk that is full."""
    limited = 'ulimit -f 24; exec "$@"'
    job = program(
        *("-c", limited, "job", sys.executable, "jobs/generate.py", "--lake", lake.uri),
        *("--font", fonts["whole"], "--descriptors", "rock_indie_happy", "--durations", "10"),
        *("--renders-per-duration", 1),
        by="bash",
    )
    output, _ = job.communicate()
    assert job.returncode == 1, output
    (said,) = (line for line in output.splitlines() if line.startswith("Error:"))
    assert "OSError: [Errno 27] File too large" in said
    assert ".flac" in said
    assert files_of(lake) == []
    assert not lake.exists("tracks")


@pytest.mark.slow
def test_spark_submit(program, lake, fonts):
    job = program(
        *("--master", "local[1]", "jobs/generate.py", "--lake", lake.uri, "--font", fonts["whole"]),
        *("--descriptors", "rock_indie_happy", "--durations", 3, "--renders-per-duration", 1),
        by=SUBMIT,
    )
    output, _ = job.communicate()
    assert job.returncode == 0, output
    assert "1 done" in output


@pytest.mark.slow
def test_a_killed_run_goes_on_after_its_last_batch(program, generate, fonts, tmp_path, lake):
    asked = ("--descriptors", "rock", "--durations", "3,4", "--renders-per-duration", "1")
    options = (*asked, "--set", "stage.batch_records=10", "--set", "spark.master=local[2]")
    job = program("jobs/generate.py", "--lake", lake.uri, "--font", fonts["whole"], *options)
    while len(files_of(lake)) < 15 and job.poll() is None:
        try:
            job.wait(timeout=0.02)
        except subprocess.TimeoutExpired:
            continue
    family = psutil.Process(job.pid).children(recursive=True)
    job.kill()
    job.communicate()
    psutil.wait_procs(family, timeout=60)
    n_done = len(rows_of(lake))
    assert 10 <= n_done < 50
    assert n_done % 10 == 0
    assert f"{50 - n_done} done" in generate(asked=options[:8])
    undisturbed = Lake(tmp_path / "undisturbed")
    generate(asked=(*options[:8], "--lake", undisturbed.uri))
    here, there = rows_of(lake), rows_of(undisturbed)
    assert len(here) == 50
    assert [row["tags"] for row in here] == [row["tags"] for row in there]
    assert [file.suffix for file in files_of(lake)] == [".flac"] * 50


def test_help_teaches(command):
    said = command("generate", "--help")
    assert "amper-spark generate --dry-run" in said
    assert "never mixed" in said
    assert "From 3 to 600 s." in said

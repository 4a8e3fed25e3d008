from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import mido
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from amper_spark.descriptors.catalogue import Catalogue, load_catalogue
from amper_spark.descriptors.importing import import_dictionary
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.errors import ParameterError
from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.fonts import load_font
from amper_spark.report.listening.blind import LEVELS, N_MOODS, decoded, encoded
from amper_spark.report.listening.commands import listen
from amper_spark.report.listening.drawings import piano_roll
from amper_spark.report.listening.folder import write_folder
from amper_spark.report.listening.form import form_of
from amper_spark.report.listening.pages import SCRIPTS_AND_STYLES
from amper_spark.report.listening.selection import MAX_FAMILIES, mood_family, select_descriptors
from amper_spark.timeline.parsing import dump_timeline, parse_timeline
from tests.render.engine.small_fonts import Zone, sine, soundfont

NAMES = ("rock_indie_stage_dive", "cinematic_percussion_dark_thunder")
DURATION_S = 4.0
KINDS = ("mp3", "mid", "json", "wave.svg", "roll.svg")
VOID = {"meta", "link", "img", "input", "br"}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def font(tmp_path_factory):
    """A font in which all that instruments ask for is the same sine."""
    presets = {
        (preset.bank, preset.program): [Zone(0)] for one in load_instruments() for preset in one.presets
    }
    path = tmp_path_factory.mktemp("fonts") / "sines.sf2"
    path.write_bytes(soundfont([sine(0.5)], presets))
    return load_font(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory, font):
    folder = tmp_path_factory.mktemp("listening") / "listen"
    told = []
    pieces = write_folder(
        folder,
        font=font,
        seed=3,
        duration_s=DURATION_S,
        names=NAMES,
        on_progress=lambda *what: told.append(what),
    )
    return folder, pieces, told


class Page(HTMLParser):
    """Tags with their attributes; an error where they are not closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.words = [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page(folder, name):
    return Page((folder / name).read_text(encoding="utf-8"))


def test_the_choice_has_moods_far_apart_of_every_subgenre():
    catalogue = load_catalogue()
    chosen = select_descriptors(catalogue, seed=5)
    for style in {descriptor.style for descriptor in catalogue}:
        own = [mood_family(one) for one in chosen if one.style == style]
        all_families = {mood_family(one) for one in catalogue if one.style == style}
        assert len(own) == len(set(own)) == min(MAX_FAMILIES, len(all_families))
        for part in (0, 1):
            assert {family[part] for family in own} == {family[part] for family in all_families}, style
    assert chosen == select_descriptors(catalogue, seed=5) != select_descriptors(catalogue, seed=6)


def test_a_descriptor_that_does_not_exist_is_refused_with_advice():
    with pytest.raises(ParameterError, match="rock_indie_driving"):
        select_descriptors(load_catalogue(), seed=0, names=["rock_indie_drivin"])


def test_only_what_somebody_plays_is_chosen():
    happy = load_catalogue()["rock_indie_happy"]
    jazz = replace(happy, genre="jazz", subgenre="swing", name="jazz_swing_happy")
    catalogue = Catalogue([jazz, load_catalogue()["folk_acoustic_uplifting"]])
    assert [one.genre for one in select_descriptors(catalogue, seed=0)] == ["folk"]
    with pytest.raises(ParameterError, match="nobody plays jazz_swing, the style of jazz_swing_happy"):
        select_descriptors(catalogue, seed=0, names=[jazz.name])


def test_the_folder_holds_the_pages_and_all_files_of_each_piece_and_nothing_else(made):
    folder, pieces, told = made
    expected = {"index.html", "blind.html", *SCRIPTS_AND_STYLES}
    expected |= {piece.file(kind) for piece in pieces for kind in KINDS}
    found = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert found == expected
    assert [file.name for file in folder.parent.iterdir()] == ["listen"]
    assert told == [(1, 2, NAMES[1]), (2, 2, NAMES[0])]


def test_the_same_seed_gives_the_same_folder(made, font, tmp_path):
    folder, _, _ = made
    write_folder(tmp_path / "again", font=font, seed=3, duration_s=DURATION_S, names=NAMES)
    for file in folder.rglob("*"):
        if file.is_file():
            assert (tmp_path / "again" / file.relative_to(folder)).read_bytes() == file.read_bytes(), file


def test_every_piece_can_be_played_and_is_as_long_as_it_was_to_be(made):
    folder, pieces, _ = made
    for piece in pieces:
        audio, rate = soundfile.read(folder / piece.file("mp3"))
        assert (rate, audio.shape[1]) == (44_100, 2)
        assert len(audio) / rate == pytest.approx(DURATION_S, abs=0.06)  # an MP3 is whole frames of 26 ms
        assert 0.01 < np.sqrt(np.mean(audio**2)) < 1
        assert np.abs(audio).max() <= 1


def test_notes_of_the_midi_file_lie_on_its_grid(made):
    folder, pieces, _ = made
    for piece in pieces:
        file = mido.MidiFile(file=io.BytesIO((folder / piece.file("mid")).read_bytes()))
        (tempo,) = [message.tempo for message in file.tracks[0] if message.type == "set_tempo"]
        assert 60e6 / tempo == pytest.approx(piece.tempo_bpm, rel=1e-5)
        assert piece.form.beats_s[1] * 1e6 == pytest.approx(tempo, rel=1e-5)
        tick, off_grid = 0, []
        track = next(one for one in file.tracks if "(drums)" in one.name)
        for message in track:
            tick += message.time
            if message.type == "note_on":
                sixteenth = file.ticks_per_beat / 4
                off_grid.append(abs(tick / sixteenth - round(tick / sixteenth)) * tempo / 4e6)
        assert off_grid
        assert np.median(off_grid) < 0.01  # seconds: nobody plays like a machine


def test_the_timeline_that_is_shown_gives_the_same_piece_again(made):
    folder, pieces, _ = made
    text = "".join(page(folder, "index.html").words)
    assert "One piece of each descriptor that was asked for, composed" in text
    for piece in pieces:
        document = json.loads((folder / piece.file("json")).read_text())
        assert dump_timeline(compose(parse_timeline(document)).timeline) == document
        assert json.dumps(document, indent=2) in text


@pytest.mark.parametrize("name", ["index.html", "blind.html"])
def test_pages_are_well_formed_and_their_links_lead_somewhere_without_a_network(made, name):
    folder, _, _ = made
    parsed = page(folder, name)
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [
        attributes[where] for _, attributes in parsed.tags for where in ("href", "src") if where in attributes
    ]
    assert links
    for link in links:
        parts = urlsplit(link)
        assert not parts.scheme
        assert not parts.netloc
        if parts.path:
            assert (folder / unquote(parts.path)).is_file(), link
        else:
            assert parts.fragment in ids, link
    named = [
        attributes["aria-labelledby"] for _, attributes in parsed.tags if "aria-labelledby" in attributes
    ]
    assert set(named) <= set(ids)


def test_the_list_says_what_each_piece_is_and_works_without_scripts(made):
    folder, pieces, _ = made
    parsed = page(folder, "index.html")
    text = "".join(parsed.words)
    assert [audio["preload"] for audio in parsed.all("audio")] == ["none"] * len(pieces)
    assert all("controls" in audio and audio["aria-label"] for audio in parsed.all("audio"))
    for piece in pieces:
        for told in (
            piece.descriptor.name,
            piece.title,
            piece.affect,
            piece.form_text,
            *dict(piece.band).values(),
        ):
            assert told in text
        article = next(one for one in parsed.all("article") if one["id"] == piece.descriptor.name)
        assert article["data-sentiment"] == piece.descriptor.sentiment
        assert article["data-mood"] == piece.descriptor.mood.name
    (form,) = parsed.all("form")
    assert "hidden" in form  # until a script can filter


def test_pictures_say_in_words_what_they_show(made):
    folder, pieces, _ = made
    pictures = page(folder, "index.html").all("img")
    assert len(pictures) == 2 * len(pieces)
    for picture in pictures:
        root = ElementTree.fromstring((folder / picture["src"]).read_text())  # noqa: S314 - written by this test
        assert picture["alt"] == root.find(f"{SVG}title").text
        assert len(picture["alt"]) > 40
        assert (root.get("width"), root.get("height")) == (picture["width"], picture["height"])
        assert picture["loading"] == "lazy"


def test_a_piano_roll_has_every_note_at_its_time_and_pitch():
    document = {
        "spans": [
            {
                "type": "metered",
                "time": 0,
                "tempo": 120,
                "regions": [{"region": "music", "descriptor": "folk_acoustic_uplifting", "beat": 0}],
            },
            {"type": "unmetered", "time": 20},
        ]
    }
    composition = compose(parse_timeline(document), seed=1)
    (passage,) = composition.score.passages
    form = form_of(composition.timeline)
    text = piano_roll(passage, form, title="Roll").text
    left, right = 78, 1032
    for part in passage.parts:
        path = re.search(rf'<path class="{part.role}" d="([^"]+)"', text)
        marks = re.findall(r"M([\d.]+) ([\d.]+)h", path.group(1))
        if part.role in ("drums", "percussion"):
            continue
        drawn_s = sorted((float(x) - left) / (right - left) * 20 for x, _ in marks)
        assert drawn_s == pytest.approx(sorted(part.notes["start_s"]), abs=0.002)
        heights = [float(y) for _, y in marks]
        order = np.argsort(part.notes["key"])
        assert max(heights) - min(heights) == pytest.approx(7 * np.ptp(part.notes["key"][order]), abs=0.1)
    for bar in range(1, form.n_bars + 1):
        assert f">{bar}</text>" in text
    assert ">C4</text>" in text


def test_the_blind_test_asks_for_what_the_pieces_are_and_does_not_tell(made):
    folder, pieces, _ = made
    text = (folder / "blind.html").read_text()
    hidden = json.loads(re.search(r'id="test">(.*?)</script>', text).group(1))
    data = decoded(hidden)
    assert data["questions"] == len(pieces)
    for asked in data["pieces"]:
        piece = next(one for one in pieces if one.key == asked["key"])
        assert asked["file"] == piece.file("mp3")
        truths = dict(zip(LEVELS, piece.descriptor.path, strict=True))
        for level in asked["levels"]:
            assert level["truth"] == truths[level["level"]]
            assert level["truth"] in level["choices"]
            assert len(set(level["choices"])) == len(level["choices"]) > 1
        assert len(asked["levels"][-1]["choices"]) == N_MOODS
        for word in (*piece.descriptor.path, piece.descriptor.name):
            assert word not in text.replace("classical", "")


@pytest.mark.parametrize("name", ["browse.js", "blind.js"])
def test_scripts_are_javascript(made, name):
    folder, _, _ = made
    checked = subprocess.run([node(), "--check", folder / name], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_the_page_reads_draws_and_counts_as_it_should(made, tmp_path):
    folder, _, _ = made
    answers = [
        {"piece": "a", "descriptor": "b", "level": "genre", "choices": ["rock", "folk"], "answer": "rock",
         "truth": truth} for truth in ("rock", "folk")
    ]  # fmt: skip
    session = {"listener": 'An"na', "session": "s", "folder": "f", "answers": answers}
    program = """
        const blind = require(process.argv[1]);
        const given = JSON.parse(process.argv[2]);
        let state = 7;
        const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
        console.log(JSON.stringify([
            blind.decoded(given.text), blind.drawn([1, 2, 3, 4, 5], 4, random), blind.drawn([1], 4, random),
            blind.score(given.session.answers, "genre"), blind.score(given.session.answers, "mood"),
            blind.asCsv(given.session),
        ]));
    """
    given = json.dumps({"text": encoded({"mood": "süß"}), "session": session})
    ran = subprocess.run(
        [node(), "-e", program, folder / "blind.js", given], capture_output=True, text=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stderr
    data, drawn, few, counted, none, table = json.loads(ran.stdout)
    assert data == {"mood": "süß"}
    assert len(set(drawn)) == 4
    assert few == [1]
    assert counted == {"n": 2, "hits": 1, "chance": 1}
    assert none == {"n": 0, "hits": 0, "chance": 0}
    assert table.splitlines()[1].startswith('"An""na","s","f"')
    assert [line[-3:] for line in table.splitlines()[1:]] == ['"1"', '"0"']


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_name_is_a_formula_to_a_spreadsheet(made, begins):
    folder, _, _ = made
    name = f'{begins}HYPERLINK("http://example.org")'
    answer = {"piece": "a", "descriptor": "b", "level": "genre", "choices": ["rock"], "answer": "rock",
              "truth": "rock"}  # fmt: skip
    session = {"listener": name, "session": "s", "folder": "f", "answers": [answer]}
    program = "console.log(JSON.stringify(require(process.argv[1]).asCsv(JSON.parse(process.argv[2]))))"
    ran = subprocess.run(
        [node(), "-e", program, folder / "blind.js", json.dumps(session)],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert ran.returncode == 0, ran.stderr
    (_, row) = csv.reader(io.StringIO(json.loads(ran.stdout), newline=""))
    assert row == [f"'{name}", "s", "f", "a", "b", "genre", "1", "rock", "rock", "1"]


def node():
    found = shutil.which("node")
    if found is None:
        pytest.skip("there is no Node.js to read scripts with")
    return found


def test_a_folder_with_something_else_in_it_is_left_alone(font, tmp_path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(ParameterError, match="something else is there"):
        write_folder(tmp_path, font=font, duration_s=DURATION_S, names=NAMES[:1])
    assert [file.name for file in tmp_path.iterdir()] == ["diary.txt"]


def test_the_folder_that_one_stands_in_can_be_filled_and_filled_again(font, tmp_path):
    program = Path(sys.executable).with_name("amper-spark")
    asked = f"--font {font.path} --duration 4 --descriptors {NAMES[1]}"
    for seed in (1, 2):
        ran = subprocess.run(
            ["sh", "-c", f"{program} listen --to . {asked} --seed {seed} && ls pieces index.html"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.startswith("1 piece: open index.html in a browser")
        assert ran.stdout.count(".mp3") == 1
        assert ran.stderr == ""
    assert {file.name for file in tmp_path.iterdir()} == {
        "pieces", "index.html", "blind.html", *SCRIPTS_AND_STYLES
    }  # fmt: skip


def test_a_genre_can_be_asked_for(font, tmp_path):
    file = tmp_path / "dictionary.json"
    file.write_text('{"my_fury": ["angry", "negative", 1, "rock", "indie"]}')
    import_dictionary(file, tmp_path / "own")
    folders = f"--catalogue {tmp_path / 'own'} --to {tmp_path / 'to'}"
    options = f"--font {font.path} --duration 4 {folders} --descriptors".split()
    result = CliRunner().invoke(listen, [*options, "rock"])
    assert result.exit_code == 0, result.output
    assert "1 piece:" in result.output
    result = CliRunner().invoke(listen, [*options, "rokc,my_furry"])
    assert result.exit_code == 2
    assert "nothing is called 'rokc'; did you mean 'rock'?" in result.output
    assert "did you mean 'my_fury'?" in result.output


def test_a_link_to_a_folder_stays_one(font, tmp_path):
    target, link = tmp_path / "disk" / "listen", tmp_path / "listen"
    link.symlink_to(target)
    for seed in (1, 2):
        write_folder(link, font=font, seed=seed, duration_s=DURATION_S, names=NAMES[1:])
        assert link.readlink() == target
        assert len([*(target / "pieces").iterdir()]) == len(KINDS)
    assert [file.name for file in target.parent.iterdir()] == ["listen"]


def test_a_link_to_itself_is_refused_before_any_work(font, tmp_path):
    link = tmp_path / "listen"
    link.symlink_to(link)
    told = []
    with pytest.raises(ParameterError, match="something else is there"):
        write_folder(
            link,
            font=font,
            duration_s=DURATION_S,
            names=NAMES[1:],
            on_progress=lambda *what: told.append(what),
        )
    assert told == []


def test_what_fails_half_way_leaves_nothing_behind_and_what_was_there_in_place(made, font):
    folder, _, _ = made
    before = sorted(file.name for file in folder.rglob("*"))

    def stop(done, total, name):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(folder, font=font, seed=4, duration_s=DURATION_S, names=NAMES, on_progress=stop)
    assert sorted(file.name for file in folder.rglob("*")) == before
    assert [file.name for file in folder.parent.iterdir()] == ["listen"]


def test_a_duration_out_of_range_is_refused(font, tmp_path):
    with pytest.raises(ParameterError, match="4 to 120 s, got 1"):
        write_folder(tmp_path / "listen", font=font, duration_s=1)

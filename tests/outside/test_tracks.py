from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.errors import ConfigError
from amper_spark.outside.packages import PACKAGES
from amper_spark.outside.tracks import load_tracks

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "package,file,size_bytes,genres,pitched,note\n"


def test_the_list_names_known_packages_and_genres_only():
    tracks = load_tracks()
    genres = {descriptor.genre for descriptor in load_catalogue()}

    assert {track.package for track in tracks} == set(PACKAGES)
    assert all(set(track.genres) <= genres and track.note for track in tracks)


def test_nearly_all_recordings_are_judged_and_the_others_say_why_not():
    tracks = load_tracks()
    left_out = [track for track in tracks if not track.is_judged]

    assert len(tracks) - len(left_out) >= 100
    assert {word for track in left_out for word in ("jingle", "silence", "fragment") if word in track.note}


def test_no_recording_has_more_than_two_genres_since_that_would_say_nothing():
    assert max(len(track.genres) for track in load_tracks()) == 2


def test_three_genres_are_the_only_answer_of_recordings():
    sole = [track.genres[0] for track in load_tracks() if len(track.genres) == 1]

    assert {genre for genre in sole if sole.count(genre) >= 3} == {"cinematic", "electronica", "rock"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a,b.ogg,10,jazz,yes,horns", "no genre 'jazz'"),
        ("a,b.ogg,10,rock,yes,", "a note is missing"),
        ("a,../b.ogg,10,rock,yes,loud", "file must be a path below"),
        ("a,/b.ogg,10,rock,yes,loud", "file must be a path below"),
        ("a,b.ogg,0,rock,yes,loud", "size_bytes must be positive, got 0"),
        ("a,b.ogg,10,rock,maybe,loud", "pitched must be yes or no, got 'maybe'"),
        ("a,b.ogg,10,rock,yes,loud\na,b.flac,10,rock,yes,loud", "recording a/b more than once"),
    ],
)
def test_a_list_with_mistakes_is_refused_with_the_line(tmp_path: Path, line: str, said: str):
    file = tmp_path / "tracks.csv"
    file.write_text(f"{HEADER}{line}\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"tracks\.csv:\d: ") as refused:
        load_tracks(file)

    assert said in str(refused.value)

"""The pages, out of templates: a list of the pieces, and the blind test."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files
from itertools import groupby
from string import Template
from typing import TYPE_CHECKING

from amper_spark.report.listening.blind import blind_data, encoded
from amper_spark.report.listening.selection import ACTIVITIES, mood_family
from amper_spark.report.listening.svg import role_inks
from amper_spark.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.report.listening.pieces import Piece

SCRIPTS_AND_STYLES = ("style.css", "browse.js", "blind.js")
"""What the pages need beside them, as it is."""

_MINUTES_A_QUESTION = 0.7
_SENTIMENTS = ("positive", "neutral", "negative")


def index_page(
    pieces: Sequence[Piece], *, seed: int, versions: Mapping[str, str], is_selected: bool = False
) -> str:
    """Write the page that lists all pieces.

    Parameters
    ----------
    pieces : sequence of Piece
        By genre and subgenre.
    seed : int
        What they were drawn by.
    versions : mapping of str to str
        Of what they were made with.
    is_selected : bool
        Somebody has named the descriptors: there is not one of each subgenre and family of moods.

    Returns
    -------
    str
    """
    genres = [(genre, list(group)) for genre, group in groupby(pieces, key=lambda one: one.descriptor.genre)]
    families = [mood_family(piece.descriptor) for piece in pieces]
    return _filled(
        "index.html",
        raw={
            "genres": "".join(
                f'<li><a href="#{_id(genre)}">{_spoken(genre)}</a></li>' for genre, _ in genres
            ),
            "sections": "\n".join(_genre(genre, own) for genre, own in genres),
            "sentiments": _options(one for one in _SENTIMENTS if one in {family[0] for family in families}),
            "activities": _options(one for one in ACTIVITIES if one in {family[1] for family in families}),
            "moods": _options(sorted({piece.descriptor.mood.name for piece in pieces})),
        },
        n_pieces=counted(len(pieces), "piece"),
        n_subgenres=counted(len({piece.descriptor.style for piece in pieces}), "style"),
        selection="One piece of each descriptor that was asked for"
        if is_selected
        else "One piece for each subgenre and family of moods",
        seed=seed,
        versions=", ".join(f"{what} {version}" for what, version in versions.items()),
    )


def blind_page(pieces: Sequence[Piece], catalogue: Catalogue) -> str:
    """Write the page of the blind test.

    Parameters
    ----------
    pieces : sequence of Piece
    catalogue : Catalogue
        What there is to choose from.

    Returns
    -------
    str
    """
    data = blind_data(pieces, catalogue)
    n_questions = data["questions"]
    return _filled(
        "blind.html",
        data=encoded(data),
        questions=n_questions,
        minutes=max(round(n_questions * _MINUTES_A_QUESTION), 1),
    )


def beside(name: str) -> str:
    """Read one of `SCRIPTS_AND_STYLES`."""
    return (files("amper_spark.report.listening") / "templates" / name).read_text(encoding="utf-8")


def _genre(genre: str, pieces: Iterable[Piece]) -> str:
    subgenres = groupby(pieces, key=lambda piece: piece.descriptor.subgenre)
    return _filled(
        "section.html",
        raw={"subgenres": "\n".join(_subgenre(genre, name, own) for name, own in subgenres)},
        genre_id=_id(genre),
        genre=_spoken(genre),
    )


def _subgenre(genre: str, subgenre: str, pieces: Iterable[Piece]) -> str:
    return _filled(
        "subgenre.html",
        raw={"pieces": "\n".join(map(_piece, pieces))},
        subgenre_id=_id(f"{genre}-{subgenre}"),
        subgenre=_spoken(subgenre),
    )


def _piece(piece: Piece) -> str:
    sentiment, activity = mood_family(piece.descriptor)
    return _filled(
        "piece.html",
        raw={"colours": "".join(map(_colour, piece.roles))},
        descriptor=piece.descriptor.name,
        title=piece.title,
        path=" › ".join(map(_spoken, piece.descriptor.path)),
        sentiment=sentiment,
        activity=activity,
        mood=piece.descriptor.mood.name,
        affect=piece.affect,
        tempo=f"{piece.tempo_bpm:.1f}",
        key=piece.key_name or "none: nothing has a pitch",
        form=piece.form_text,
        band=", ".join(f"{name} ({role})" for role, name in piece.band),
        timeline=piece.timeline,
        mp3=piece.file("mp3"),
        midi=piece.file("mid"),
        json=piece.file("json"),
        wave=piece.file("wave.svg"),
        wave_text=piece.waveform_text,
        wave_width=piece.sizes["wave.svg"][0],
        wave_height=piece.sizes["wave.svg"][1],
        roll=piece.file("roll.svg"),
        roll_text=piece.roll_text,
        roll_width=piece.sizes["roll.svg"][0],
        roll_height=piece.sizes["roll.svg"][1],
    )


def _colour(role: str) -> str:
    light, dark = role_inks(role)
    return f'<li style="--light: {light}; --dark: {dark}">{role}</li>'


def _options(words: Iterable[str]) -> str:
    return "".join(f'<option value="{escape(word)}">{escape(_spoken(word))}</option>' for word in words)


def _spoken(word: str) -> str:
    return word.replace("_", " ")


def _id(name: str) -> str:
    """Name a place on the page; descriptors are places too."""
    return f"genre-{name}"


@cache
def _template(name: str) -> Template:
    return Template(beside(name))


def _filled(template: str, *, raw: Mapping[str, str] | None = None, **values: object) -> str:
    """Fill a template: values are escaped, what is raw is HTML already."""
    escaped = {name: escape(str(value)) for name, value in values.items()}
    return _template(template).substitute(escaped, **(raw or {})).rstrip("\n")

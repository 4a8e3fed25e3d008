"""Pieces to listen to: composed, played, and written as audio, notes, timeline and pictures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.descriptors.instruments import load_instruments
from amper_spark.render.composer.composing import compose
from amper_spark.render.delivery import tempi_of, timeline_text
from amper_spark.render.engine.midi import midi_file
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.writing import write_audio
from amper_spark.report.listening.drawings import piano_roll, roles_of, waveform_picture
from amper_spark.report.listening.form import Form, form_of
from amper_spark.report.listening.selection import mood_family
from amper_spark.report.tables import clock
from amper_spark.timeline.keys import canonical_tonic
from amper_spark.timeline.parsing import parse_timeline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from amper_spark.descriptors.catalogue import Catalogue, Descriptor
    from amper_spark.render.composer.composing import Composition
    from amper_spark.render.engine.fonts import Font

SAMPLE_RATE = 44_100
FOLDER = "pieces"
"""Where the files of the pieces are, below the pages."""

_KEY_DIGITS = 16
_SEEDS_A_SEED = 10_000
_SIGNS = {"": "", "is": "♯", "isis": "𝄪", "es": "♭", "eses": "𝄫"}


@dataclass(frozen=True)
class Piece:
    """What the pages say about a piece.

    Parameters
    ----------
    key : str
        Names its files: a hash of its audio, which tells nothing of what it is.
    descriptor : Descriptor
    seed : int
    duration_s, tempo_bpm : float
    key_name : str
        Tonic and scale; empty where nothing has a pitch.
    form : Form
    band : tuple of (str, str)
        Role and name of each instrument that has notes.
    roles : tuple of str
        That have notes.
    notes_text : str
        Lowest and highest note; empty where nothing has a pitch.
    timeline : str
        The completed one, in JSON.
    sizes : mapping of str to (int, int)
        Width and height of its pictures, ``wave.svg`` and ``roll.svg``.
    """

    key: str
    descriptor: Descriptor
    seed: int
    duration_s: float
    tempo_bpm: float
    key_name: str
    form: Form
    band: tuple[tuple[str, str], ...]
    roles: tuple[str, ...]
    notes_text: str
    timeline: str
    sizes: Mapping[str, tuple[int, int]]

    @property
    def title(self) -> str:
        """Its descriptor, without the subgenre, as a word for people."""
        return self.descriptor.name.removeprefix(f"{self.descriptor.style}_").replace("_", " ").capitalize()

    @property
    def affect(self) -> str:
        """Sentiment and activity in words, valence and momentum in numbers."""
        mood = self.descriptor.mood
        sentiment, activity = mood_family(self.descriptor)
        return f"{sentiment}, {activity} (valence {mood.valence} of 2, momentum {mood.momentum} of 4)"

    @property
    def form_text(self) -> str:
        """Its sections and where they begin."""
        return ", ".join(f"{name} {clock(start_s)}" for name, start_s, _ in self.form.sections)

    @property
    def waveform_text(self) -> str:
        """What the picture of the waveform shows, for those who do not see it."""
        return f"Waveform of {self.title}, {self.duration_s:g} s. Sections: {self.form_text}."

    @property
    def roll_text(self) -> str:
        """What the piano roll shows, for those who do not see it."""
        parts = ", ".join(self.roles)
        pitches = f" Notes from {self.notes_text}, in {self.key_name}." if self.notes_text else ""
        bars = f"{self.form.n_bars} bars at {self.tempo_bpm:.0f} beats a minute"
        return f"Piano roll of {self.title}: {bars}, played by {parts}.{pitches}"

    def file(self, kind: str) -> str:
        """Path of a file of it, from the pages: ``mp3``, ``mid``, ``json``, ``wave.svg``, ``roll.svg``."""
        return f"{FOLDER}/{self.key}.{kind}"


def write_piece(
    descriptor: Descriptor,
    folder: Path,
    *,
    seed: int,
    duration_s: float,
    font: Font,
    catalogue: Catalogue | None = None,
) -> Piece:
    """Compose and play a piece of a descriptor, and write its files.

    Parameters
    ----------
    descriptor : Descriptor
    folder : Path
        Of the pages; the files go into the folder `FOLDER` in it, which is there.
    seed : int
        Of the whole collection.
    duration_s : float
    font : Font
    catalogue : Catalogue, optional
        That the descriptor is of.

    Returns
    -------
    Piece
    """
    own_seed = seed * _SEEDS_A_SEED + descriptor.id
    asked = {"add_region": {"descriptor": descriptor.name, "random_tempo": True, "random_instruments": True}}
    timeline = parse_timeline({
        "spans": [
            {"type": "metered", "time": 0, "actions": [{"time": 0, **asked}]},
            {"type": "unmetered", "time": duration_s},
        ]
    })  # fmt: skip
    composition = compose(timeline, seed=own_seed, catalogue=catalogue)
    audio = render(composition.score, font, channels=2, rate=SAMPLE_RATE)
    piece = _described(descriptor, composition, audio, seed=own_seed)
    pictures = {
        "wave.svg": waveform_picture(audio, piece.form, duration_s=duration_s, title=piece.waveform_text),
        "roll.svg": piano_roll(composition.score.passages[0], piece.form, title=piece.roll_text),
    }
    write_audio(folder / piece.file("mp3"), audio, SAMPLE_RATE)
    notes = midi_file(composition.score, tempi=tempi_of(composition.timeline))
    (folder / piece.file("mid")).write_bytes(notes)
    (folder / piece.file("json")).write_text(piece.timeline, encoding="utf-8")
    for kind, picture in pictures.items():
        (folder / piece.file(kind)).write_text(picture.text, encoding="utf-8")
    return replace(piece, sizes={kind: (picture.width, picture.height) for kind, picture in pictures.items()})


def _described(
    descriptor: Descriptor, composition: Composition, audio: NDArray[np.float32], *, seed: int
) -> Piece:
    passage = composition.score.passages[0]
    form = form_of(composition.timeline)
    instruments = load_instruments()
    pitched = [part.notes["key"] for part in passage.parts if part.role not in ("drums", "percussion")]
    keys = np.concatenate(pitched) if pitched else np.empty(0, np.int16)
    key = composition.timeline.spans[0].regions[0].key
    return Piece(
        key=hashlib.sha256(audio.tobytes()).hexdigest()[:_KEY_DIGITS],
        descriptor=descriptor,
        seed=seed,
        duration_s=composition.score.duration_s,
        tempo_bpm=form.tempo_bpm,
        key_name=key_name(key.tonic or "c", key.quality or "") if key is not None and keys.size else "",
        form=form,
        band=tuple((part.role, instruments[part.instrument].name) for part in passage.parts),
        roles=roles_of(passage),
        notes_text=f"{_note_name(int(keys.min()))} to {_note_name(int(keys.max()))}" if keys.size else "",
        timeline=timeline_text(composition.timeline),
        sizes={},
    )


def key_name(tonic: str, quality: str) -> str:
    """Write a key for people.

    Parameters
    ----------
    tonic : str
        As timelines spell it: ``c``, ``fis``, ``bes``.
    quality : str
        Scale.

    Examples
    --------
    >>> key_name("bes", "natural_minor"), key_name("fis", "dorian"), key_name("es", "major")
    ('B♭ natural minor', 'F♯ dorian', 'E♭ major')
    """
    name = canonical_tonic(tonic)
    return f"{name[0].upper()}{_SIGNS[name[1:]]} {quality.replace('_', ' ')}"


def _note_name(key: int) -> str:
    names = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
    return f"{names[key % len(names)]}{key // len(names) - 1}"

"""Compose one region: from what is asked for to the notes of all its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from amper_spark.render.composer.arrangement import Arrangement
from amper_spark.render.composer.expression import Expression, express
from amper_spark.render.composer.form import BEATS_PER_BAR, section_at
from amper_spark.render.composer.harmonizing import Harmony, harmonize
from amper_spark.render.composer.humanising import performed
from amper_spark.render.composer.notation import STEPS_PER_BAR
from amper_spark.render.composer.parts import Bar, Note, Player
from amper_spark.render.composer.production import draw_preset, draw_production, part_mix
from amper_spark.render.composer.tones import Tones
from amper_spark.render.score import Part, Passage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amper_spark.render.composer.brief import Brief, Seat

_TONIC_ACCENT, _OTHER_ACCENT = 1.13, 0.87
_FOUNDATIONS = ("pad", "chords", "arpeggio")
_COLOURED = ("chords", "arpeggio")
_TENSE = 2
_FEW_LAYERS = 2
_LIVELY_MOMENTUM = 3


def compose_region(brief: Brief) -> Passage:
    """Compose a region.

    Parameters
    ----------
    brief : Brief

    Returns
    -------
    Passage
    """
    expression = express(brief.descriptor.mood, brief.style)
    arrangement = Arrangement(brief, expression)
    harmony = harmonize(brief, arrangement.sections, tension=expression.tension)
    writing = _Writing(brief, expression, arrangement, harmony)
    return Passage(
        brief.start_s,
        brief.end_s,
        not brief.rings,
        tuple(part for seat in brief.band if (part := writing.part(seat)) is not None),
        draw_production(brief.style, expression, brief.generator("production")),
    )


class _Writing:
    """Writes part after part."""

    def __init__(
        self, brief: Brief, expression: Expression, arrangement: Arrangement, harmony: Harmony
    ) -> None:
        self.brief, self.expression = brief, expression
        self.arrangement, self.harmony = arrangement, harmony
        self.foundation = _foundation(brief)
        self.is_small = len(arrangement.layers) <= _FEW_LAYERS
        # Where two parts have the colour, one's ninth lies a semitone below the other's minor third.
        coloured = [
            role for role in arrangement.layers if role in _COLOURED or (role == "pad" and self.is_small)
        ]
        self.may_rub = expression.tension >= _TENSE or len(coloured) < 2
        self.is_lively = brief.descriptor.mood.momentum >= _LIVELY_MOMENTUM

    def part(self, seat: Seat) -> Part | None:
        """Write a part, unless it has nothing to play."""
        preset = draw_preset(seat.instrument, self.brief.generator("production", seat.instrument.id))
        tones = Tones(
            seat.instrument,
            seat.role,
            self.brief.tonic,
            self.brief.quality,
            self._colour(seat),
            self.expression.register,
            is_foundation=seat == self.foundation,
            has_chords="chords" in self.arrangement.layers,
            has_ninths=self.harmony.colour == "sus2" or (self.harmony.colour == "add9" and self.may_rub),
            may_rub=self.may_rub,
            is_dark=self.brief.style.is_dark,
        )
        player = Player(seat.instrument, preset, seat.role, tones, self.expression.length)
        written = list(self._written(seat, player))
        if not written:
            return None
        notes = performed(
            [note for note, _ in written],
            role=seat.role,
            velocities=self.expression.velocity * np.array([level for _, level in written]),
            seconds=self.brief.meter.seconds,
            end_s=self.brief.duration_s,
            rng=self.brief.generator("performance", seat.instrument.id),
        )
        if not len(notes):  # what was written lies beyond the end
            return None
        mix = part_mix(
            seat, self.brief.style, self.expression, self.brief.generator("mix", seat.instrument.id)
        )
        return Part(seat.instrument.id, seat.role, preset, notes, *mix)

    def _written(self, seat: Seat, player: Player) -> Iterator[tuple[Note, float]]:
        """Give each note with its level: that of its section, and of its harmony."""
        n_bars = self.brief.meter.n_bars
        for bar in range(n_bars):
            if self.arrangement.plays(seat, bar):
                level = section_at(bar, self.arrangement.sections).level * self._accent(seat, bar)
                for note in player.play(self._bar(bar), self.arrangement.strokes(seat, bar)):
                    yield note, level
                if seat.role == "drums" and self.is_lively and self.arrangement.starts_climax(bar):
                    yield player.crash(self._bar(bar), BEATS_PER_BAR), level
        if self.brief.rings and self.arrangement.plays(seat, n_bars):
            level = self.arrangement.sections[-1].level
            for note in player.ring(self._ring_bar(), self._ring_beats(), with_crash=self.is_lively):
                yield note, level

    def _colour(self, seat: Seat) -> str:
        """Leave the fifth out of the pads where others have it: it makes keys ambiguous."""
        if seat.role != "pad" or self.is_small:
            return self.harmony.colour
        return "shell" if "chords" in self.arrangement.layers else "doubled"

    def _accent(self, seat: Seat, bar: int) -> float:
        """Lean on the tonic."""
        if not seat.instrument.is_pitched:
            return 1.0
        return _TONIC_ACCENT if self.harmony.by_bar[bar][0].degree == 0 else _OTHER_ACCENT

    def _bar(self, bar: int) -> Bar:
        chords = self.harmony.by_bar
        following = chords[bar + 1] if bar + 1 < len(chords) else (self.harmony.last,)
        meter = self.brief.meter
        is_climax = section_at(bar, self.arrangement.sections).kind == "climax"
        moves = self.is_lively and is_climax and self.brief.quality != "lydian"
        return Bar(
            float(meter.bar_starts[bar]),
            meter.n_steps(bar),
            chords[bar],
            following[0],
            has_pedal=self.harmony.has_pedal and not moves,
            is_full=is_climax and not self.arrangement.climax_is_joined,
        )

    def _ring_bar(self) -> Bar:
        start = float(self.brief.meter.bar_starts[-1])
        return Bar(start, STEPS_PER_BAR, (self.harmony.last,), self.harmony.last)

    def _ring_beats(self) -> float:
        start_s = float(self.brief.meter.seconds(self.brief.meter.bar_starts[-1:])[0])
        return (self.brief.duration_s - start_s) * self.brief.tempo_bpm / 60.0


def _foundation(brief: Brief) -> Seat | None:
    """Find who plays the roots where there is no bass: the first who can."""
    if any(seat.role == "bass" for seat in brief.band):
        return None
    able = [seat for seat in brief.band if seat.role in _FOUNDATIONS]
    return min(able, key=lambda seat: _FOUNDATIONS.index(seat.role), default=None)

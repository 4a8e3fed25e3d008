"""The arrangement of a region: who plays in which bar, and which strokes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.render.composer.form import PHRASE_BARS, section_at, sections
from amper_spark.render.composer.notation import onset_steps
from amper_spark.render.composer.strokes import Repertoire, adapted, draw, fitted, pushed, varied

if TYPE_CHECKING:
    from amper_spark.render.composer.brief import Brief, Seat
    from amper_spark.render.composer.expression import Expression
    from amper_spark.render.composer.notation import Stroke

_SECTION_LAYERS = {"intro": 0.5, "verse": 0.8, "climax": 1.0, "outro": 0.6}
_SECTION_DENSITY = {"intro": 0.75, "verse": 0.9, "climax": 1.0, "outro": 0.7}
_MIN_LAYERS = 2
_MIN_DENSITY, _MAX_DENSITY = 0.2, 2.5
_MIN_FILLED_DENSITY = 0.6
_FILL_PROBABILITY = 0.6
_PERIOD_BARS = 8
"""After so many bars a part repeats itself: what is varied becomes familiar."""


class Arrangement:
    """Who plays what.

    Parameters
    ----------
    brief : Brief
    expression : Expression

    Attributes
    ----------
    sections : tuple of Section
    layers : tuple of str
        Roles that the band has, by the order in which they enter.
    density : float
        Onsets wanted, relative to those that all parts together have as they are written.
    """

    def __init__(self, brief: Brief, expression: Expression) -> None:
        self._brief, self._expression = brief, expression
        self.sections = sections(n_bars=brief.meter.n_bars, begins=brief.begins, ends=brief.ends)
        self.layers = tuple(dict.fromkeys((*_in_order(brief), *(seat.role for seat in brief.band))))
        self._repertoires = {role: self._repertoire(role) for role in self.layers}
        self.density = self._wanted_density()
        self._played: dict[tuple[str, int, str], tuple[Stroke, ...]] = {}

    def plays(self, seat: Seat, bar: int) -> bool:
        """Whether an instrument plays in a bar: it must be active, and among those of the section.

        Parameters
        ----------
        seat : Seat
        bar : int
            `n_bars` of the meter for what rings after the last bar.
        """
        beat = float(self._brief.meter.bar_starts[bar])
        if not seat.plays_at(beat):
            return False
        active = {one.role for one in self._brief.band if one.plays_at(beat)}
        layers = [role for role in self.layers if role in active]
        section = section_at(bar, self.sections)
        count = max(round(_SECTION_LAYERS[section.kind] * len(layers)), _MIN_LAYERS)
        return seat.role in layers[:count]

    def strokes(self, role: str, bar: int) -> tuple[Stroke, ...]:
        """Say what a role strikes in a bar.

        Parameters
        ----------
        role : str
        bar : int

        Returns
        -------
        tuple of Stroke
            From the start of the bar, fitted into it.
        """
        n_steps = self._brief.meter.n_steps(bar)
        if role == "drums" and self._has_fill(bar):
            fills = self._brief.material.fills
            chosen = int(self._brief.generator("rhythm", "fill", str(bar)).integers(len(fills)))
            return fitted(fills[chosen].bar(0), n_steps)
        played = (role, bar % _PERIOD_BARS, section_at(bar, self.sections).kind)
        if played not in self._played:
            self._played[played] = self._as_played(*played)
        return fitted(self._played[played], n_steps)

    def _repertoire(self, role: str) -> Repertoire | None:
        patterns = self._brief.material.patterns.get(role)
        return draw(patterns, self._brief.generator("rhythm", role)) if patterns else None

    def _wanted_density(self) -> float:
        playing = [one.verse for one in self._repertoires.values() if one is not None]
        if not playing:
            return 1.0
        places = [len(set().union(*(onset_steps(one.bar(bar)) for one in playing))) for bar in (0, 1)]
        wanted = self._expression.onsets_per_bar(self._brief.tempo_bpm)
        return min(max(2.0 * wanted / sum(places), _MIN_DENSITY), _MAX_DENSITY)

    def _as_played(self, role: str, bar: int, kind: str) -> tuple[Stroke, ...]:
        repertoire = self._repertoires[role]
        if repertoire is None:
            return ()
        rng = self._brief.generator("rhythm", role, str(bar))
        density = self.density * _SECTION_DENSITY[kind]
        strokes = adapted(repertoire.bar(bar, kind), role=role, density=density, rng=rng)
        if role == "pad":
            return strokes
        if bar % 2 == 1 and rng.random() < self._expression.varied:
            strokes = varied(strokes, rng)
        if role in ("drums", "bass"):
            return strokes
        return pushed(strokes, share=self._expression.pushed, rng=rng)

    def _has_fill(self, bar: int) -> bool:
        """Fill before each section, before a cut, and at the end of most phrases, where much goes on."""
        if self.density < _MIN_FILLED_DENSITY or not self._brief.material.fills:
            return False
        is_last = bar == self._brief.meter.n_bars - 1
        if any(bar == one.first_bar + one.n_bars - 1 for one in self.sections):
            return True
        if is_last or bar % PHRASE_BARS < PHRASE_BARS - 1:
            return is_last
        return bool(self._brief.generator("rhythm", "filled", str(bar)).random() < _FILL_PROBABILITY)


def _in_order(brief: Brief) -> list[str]:
    return [role for role in brief.style.layers if any(seat.role == role for seat in brief.band)]

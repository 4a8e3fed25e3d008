"""What a timeline leaves open, drawn by seed: each thing from a generator of its own."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from amper_spark.render.composer.band import draw_band
from amper_spark.render.composer.expression import express
from amper_spark.render.composer.form import MAX_TEMPO_CHANGE
from amper_spark.render.composer.repair import nearest_descriptor, playable_descriptors
from amper_spark.render.composer.style import HALVES
from amper_spark.timeline.document import Action, AddRegion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.descriptors.instruments import Instruments
    from amper_spark.render.composer.style import Style


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Make the generator of one decision: what is drawn for one thing does not change another."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, names)).encode())])


def half_of(seed: int) -> str:
    """Say which half of all styles a seed plays: even ones A, odd ones B."""
    return HALVES[seed % len(HALVES)]


@dataclass
class Draws:
    """Answers what a timeline leaves open: `amper_spark.timeline.choices.Choices`.

    Parameters
    ----------
    seed : int
    half : str
        Of the instruments.
    catalogue : Catalogue
    instruments_known : Instruments
    styles : mapping of str to Style
    """

    seed: int
    half: str
    catalogue: Catalogue
    instruments_known: Instruments
    styles: Mapping[str, Style]
    _asked: dict[str, int] = field(default_factory=dict)

    def tempo_bpm(self, descriptor: str) -> float:
        """Draw a tempo, a whole number that stays in the descriptor's range when bars are fitted."""
        one = self.catalogue[descriptor]
        low_bpm = math.ceil(one.min_tempo_bpm * (1.0 + MAX_TEMPO_CHANGE))
        high_bpm = math.floor(one.max_tempo_bpm * (1.0 - MAX_TEMPO_CHANGE))
        return float(self._generator("tempo").integers(low_bpm, max(high_bpm, low_bpm) + 1))

    def instruments(self, descriptor: str) -> Sequence[str]:
        """Draw a band from the pools of the descriptor's style."""
        one = self.catalogue[descriptor]
        style = self.styles[one.style]
        band = draw_band(
            one,
            style,
            instruments=self.instruments_known,
            half=self.half,
            n_layers=express(one.mood, style).n_layers,
            rng=self._generator("band"),
        )
        return tuple(instrument.id for instrument in band)

    def instruments_among(
        self, instruments: Sequence[str], count: int, descriptor: str | None
    ) -> Sequence[str]:
        """Pick those first that the descriptor's style knows."""
        own = self.instruments_known.styles_with
        style = self.catalogue[descriptor].style if descriptor else ""
        return sorted(instruments, key=lambda name: style not in own(name))[:count]

    def action(self, text: str) -> Action:
        """Take the descriptor that has most words in common with the text."""
        descriptor = nearest_descriptor(text, playable_descriptors(self.catalogue, self.styles)).name
        return Action(add_region=AddRegion(descriptor=descriptor, random_tempo=True, random_instruments=True))

    def _generator(self, what: str) -> np.random.Generator:
        """Make a generator that depends on how often the same has been asked for."""
        self._asked[what] = self._asked.get(what, -1) + 1
        return generator(self.seed, what, self._asked[what])

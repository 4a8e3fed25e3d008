"""What a timeline leaves to whoever composes, and has to be known before its beats can be told in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.timeline.document import Action


class Choices(Protocol):
    """Answers what a timeline leaves open: asked once for each thing, in order of spans and of time."""

    def tempo_bpm(self, descriptor: str) -> float:
        """Draw a tempo that fits a descriptor, within `MIN_TEMPO_BPM` to `MAX_TEMPO_BPM`."""
        ...

    def instruments(self, descriptor: str) -> Sequence[str]:
        """Draw a band: instruments that fit a descriptor, at least one."""
        ...

    def instruments_among(
        self, instruments: Sequence[str], count: int, descriptor: str | None
    ) -> Sequence[str]:
        """Pick so many of these instruments: those that fit best; the descriptor is None in silence."""
        ...

    def action(self, text: str) -> Action:
        """Write the action that somebody who used these words would have written: it adds a region of music.

        It may also set the tempo and the instruments; its time is not looked at.
        """
        ...

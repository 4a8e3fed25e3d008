"""Loops of chords over a bass that plays their roots: the bass alone tells the tonic from its relative."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tests.synthesis.instruments import Hit, Note, Timbre, render

if TYPE_CHECKING:
    from collections.abc import Sequence

RINGING_BASS = Timbre(slope_db=-6, odd=0.0, attack_s=0.005, decay_s=2.0)


def loop(
    roots_and_thirds: Sequence[tuple[int, int]],
    chord_s: float,
    drum_hits: Sequence[Hit] = (),
    duration_s: float = 10.0,
) -> npt.NDArray[np.float32]:
    """Triads that come round: the pitch class of the root, and 3 for a minor or 4 for a major third."""
    notes = []
    for number, start_s in enumerate(np.arange(0, duration_s, chord_s)):
        root, third = roots_and_thirds[number % len(roots_and_thirds)]
        notes.append(Note(start_s, chord_s, 36 + root, 0.6, RINGING_BASS))
        notes += [
            Note(start_s, chord_s, 60 + (root + tone) % 12, 0.2, RINGING_BASS) for tone in (0, third, 7)
        ]
    return (0.1 * render([*notes, *drum_hits], duration_s=duration_s)).astype(np.float32)

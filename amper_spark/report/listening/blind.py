"""The blind test's data: what is asked about which piece, hidden from a glance at the page's source."""

from __future__ import annotations

import base64
import hashlib
import json
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from amper_spark.report.listening.selection import mood_family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amper_spark.descriptors.catalogue import Catalogue, Descriptor
    from amper_spark.report.listening.pieces import Piece

LEVELS = ("genre", "subgenre", "mood")
N_QUESTIONS = 20
"""Pieces of one test."""
N_MOODS = 4
"""Moods to choose from, the right one included."""

_VERSION_DIGITS = 12


def blind_data(pieces: Sequence[Piece], catalogue: Catalogue) -> dict[str, Any]:
    """Say what the test asks: for each piece, at each level, the choices and the right one.

    Genres are all of the catalogue; subgenres are those of the piece's genre, which the listener has been
    told by then; moods are `N_MOODS` of its subgenre, of other families than its own as far as there are.

    Parameters
    ----------
    pieces : sequence of Piece
    catalogue : Catalogue

    Returns
    -------
    dict
        Can be written as JSON. A level without a choice is left out.
    """
    keys = "".join(sorted(piece.key for piece in pieces))
    return {
        "folder": hashlib.sha256(keys.encode()).hexdigest()[:_VERSION_DIGITS],
        "questions": min(N_QUESTIONS, len(pieces)),
        "pieces": [
            {
                "key": piece.key,
                "file": piece.file("mp3"),
                "descriptor": piece.descriptor.name,
                "levels": _levels(piece.descriptor, catalogue, seed=piece.seed),
            }
            for piece in sorted(pieces, key=lambda piece: piece.key)
        ],
    }


def encoded(data: dict[str, Any]) -> str:
    """Hide data from a glance: XOR with a pad that stands before it, in base 64.

    Examples
    --------
    >>> decoded(encoded({"genre": "rock"}))
    {'genre': 'rock'}
    """
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    pad = hashlib.sha256(content).digest()
    return base64.b64encode(pad + _masked(content, pad)).decode()


def decoded(text: str) -> dict[str, Any]:
    """Read what `encoded` has written, as ``blind.js`` does."""
    content = base64.b64decode(text)
    n_pad = hashlib.sha256().digest_size
    data: dict[str, Any] = json.loads(_masked(content[n_pad:], content[:n_pad]))
    return data


def _masked(content: bytes, pad: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(content, cycle(pad), strict=False))


def _levels(descriptor: Descriptor, catalogue: Catalogue, *, seed: int) -> list[dict[str, Any]]:
    subgenres = catalogue.hierarchy[descriptor.genre]
    choices = (
        list(catalogue.hierarchy),
        list(subgenres),
        _moods(descriptor, list(subgenres[descriptor.subgenre].values()), seed=seed),
    )
    return [
        {"level": level, "choices": offered, "truth": truth}
        for level, offered, truth in zip(LEVELS, choices, descriptor.path, strict=True)
        if len(offered) > 1
    ]


def _moods(descriptor: Descriptor, others: Sequence[Descriptor], *, seed: int) -> list[str]:
    """Draw moods that can be told from the right one: other families first."""
    rng = np.random.default_rng(seed)
    drawn = [others[index] for index in rng.permutation(len(others)) if others[index] is not descriptor]
    drawn.sort(key=lambda other: mood_family(other) == mood_family(descriptor))
    return sorted([descriptor.mood.name, *(other.mood.name for other in drawn[: N_MOODS - 1])])

"""What tracks are called in headings and pictures: as short as tells them apart."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST_FILE_NAME = 60
"""Characters; four bytes each still leave room for the id within the 255 that file systems allow."""


def titles(tracks: Sequence[tuple[str, str]]) -> list[str]:
    """Name each of some tracks by its key without the suffix, where that tells it from the others.

    Parameters
    ----------
    tracks : sequence of (str, str)
        Corpus and key of each.

    Returns
    -------
    list of str
        The key with its suffix where two keys differ in nothing else, the corpus before it where two
        corpora have the same key.

    Examples
    --------
    >>> titles([("home", "a/song.ogg"), ("home", "b/song.ogg"), ("home", "good.flac"), ("home", "good.mp3")])
    ['a/song', 'b/song', 'good.flac', 'good.mp3']
    >>> titles([("home", "song.ogg"), ("work", "song.ogg")])
    ['home: song.ogg', 'work: song.ogg']
    """
    keys = Counter(key for _, key in tracks)
    short = Counter(_without_suffix(key) for _, key in tracks)
    names = []
    for corpus, key in tracks:
        name = _without_suffix(key)
        if short[name] > 1 or name in keys:
            name = key
        names.append(name if keys[key] == 1 else f"{corpus}: {key}")
    return names


def file_names(names: Sequence[tuple[str, str]]) -> list[str]:
    """Make a file name, without suffix, of each track's title.

    Parameters
    ----------
    names : sequence of (str, str)
        Title and id of each track.

    Returns
    -------
    list of str
        Titles without what file systems and terminals dislike, cut to their ends; the beginning of the id
        follows where two would be the same, also on a file system that knows no upper case.

    Examples
    --------
    >>> file_names([("a/song 1", "0123456789abcdef"), ("b?", "123456789abcdef0"), ("B!", "23456789abcdef01")])
    ['a_song_1', 'b_-12345678', 'B_-23456789']
    """
    readable = [re.sub(r"[^\w.-]+", "_", title)[-_LONGEST_FILE_NAME:].lstrip("._-") for title, _ in names]
    uses = Counter(name.casefold() for name in readable)
    return [
        name if name and uses[name.casefold()] == 1 else f"{name}-{identifier[:8]}".lstrip("-")
        for name, (_, identifier) in zip(readable, names, strict=True)
    ]


def _without_suffix(key: str) -> str:
    folder, slash, name = key.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    return f"{folder}{slash}{stem}" if dot and stem else key

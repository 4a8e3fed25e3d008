"""Names that there are not: replaced by what comes nearest, and told."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from amper_spark.errors import ParameterError
from amper_spark.suggestions import did_you_mean
from amper_spark.timeline.names import names_in, renamed

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from amper_spark.descriptors.catalogue import Catalogue, Descriptor
    from amper_spark.descriptors.hits import Hits
    from amper_spark.descriptors.instruments import Instruments
    from amper_spark.timeline.document import Timeline

_LETTERS = 100
_MOST_ADVICE = 100
_WORD = re.compile(r"[^\W_]+")


def with_known_names(
    timeline: Timeline,
    *,
    catalogue: Catalogue,
    instruments: Instruments,
    hits: Hits,
    styles: Container[str],
) -> tuple[Timeline, tuple[str, ...]]:
    """Replace descriptors that are unknown or that nobody can play; leave out unknown instruments and hits.

    Parameters
    ----------
    timeline : Timeline
    catalogue : Catalogue
    instruments : Instruments
    hits : Hits
    styles : container of str
        That can be played.

    Returns
    -------
    timeline : Timeline
    warnings : tuple of str

    Raises
    ------
    ParameterError
        None of the catalogue's styles can be played.
    """
    names = names_in(timeline)
    playable = playable_descriptors(catalogue, styles)
    instead: dict[str, str] = {}
    warnings: list[str] = []
    for name in names.descriptors:
        if name not in catalogue:
            instead[name] = nearest_descriptor(name, playable).name
            warnings.append(f"WARNING: there is no descriptor {name!r}: {instead[name]} is taken")
        elif (known := catalogue[name]).style not in styles:
            instead[name] = nearest_descriptor(known.name, playable).name
            warnings.append(
                f"WARNING: nobody plays {known.style}, the style of {name}: {instead[name]} is taken"
            )
        elif known.name != name:
            instead[name] = known.name
            warnings.append(f"WARNING: descriptor {name} is called {known.name} now")
    unknown = [name for name in names.instruments if name not in instruments]
    unknown_hits = [name for name in names.hits if name not in hits]
    warnings += _left_out("instrument", unknown, [one.id for one in instruments])
    warnings += _left_out("hit", unknown_hits, [one.id for one in hits])
    left = renamed(
        timeline,
        descriptors=instead,
        instruments=dict.fromkeys(unknown),
        hits=dict.fromkeys(unknown_hits),
    )
    return left, tuple(warnings)


def _left_out(what: str, names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    """Tell what is left out, and of the first few what may have been meant, which takes a while to find."""
    for number, name in enumerate(names):
        advice = did_you_mean(name, known) if number < _MOST_ADVICE else ""
        yield f"WARNING: there is no {what} {name!r}{f'{advice} It' if advice else ': it'} is left out"


def playable_descriptors(catalogue: Catalogue, styles: Container[str]) -> tuple[Descriptor, ...]:
    """Return the descriptors whose styles can be played.

    Parameters
    ----------
    catalogue : Catalogue
    styles : container of str

    Raises
    ------
    ParameterError
        There are none.
    """
    playable = tuple(one for one in catalogue if one.style in styles)
    if not playable:
        styles_asked = ", ".join(dict.fromkeys(one.style for one in catalogue))
        raise ParameterError(f"nobody plays any style of this catalogue: {styles_asked}")
    return playable


def nearest_descriptor(text: str, descriptors: Iterable[Descriptor]) -> Descriptor:
    """Find the descriptor that has most words in common with a name or a phrase, then the most letters.

    Parameters
    ----------
    text : str
        ``happy_indie_rock``, or ``something dark with drums``; its first 100 letters count.
    descriptors : iterable of Descriptor
        To choose from.

    Returns
    -------
    Descriptor

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> nearest_descriptor("a happy indie rock song", load_catalogue()).name
    'rock_indie_happy'
    """
    text = text[:_LETTERS].lower()
    words = _WORD.findall(text)
    matcher = SequenceMatcher(b="_".join(words), autojunk=False)

    def n_common(one: Descriptor) -> int:
        return len({*words} & {*one.name.split("_"), one.genre, one.subgenre, one.mood.name})

    common = {one: n_common(one) for one in descriptors}
    most = max(common.values())
    candidates = [one for one, n_words in common.items() if n_words == most]
    nearest, likest = candidates[0], (-1.0, 0)
    for one in candidates:
        matcher.set_seq1(one.name)
        # How alike two are takes long to find out, and how alike they can be at most does not.
        if matcher.quick_ratio() >= likest[0] and (likeness := (matcher.ratio(), -one.id)) > likest:
            nearest, likest = one, likeness
    return nearest

"""What can be asked of a corpus, read from what a user typed: all mistakes at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.descriptors.instruments import load_instruments
from amper_spark.errors import ConfigError
from amper_spark.render.composer.style import HALVES
from amper_spark.render.corpus_plan import MAX_DURATION_S, MIN_DURATION_S, RenderOrder, plan_corpus
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from amper_spark.descriptors.catalogue import Catalogue, Descriptor

BOTH = "both"
_MAX_RENDERS = 100_000
_DECIMALS = 3
_CORPUS_NAME = re.compile(r"[^\W_][\w.+ -]*")


@dataclass(frozen=True)
class CorpusRequest:
    """What was typed.

    Parameters
    ----------
    corpus : str
        Its name, which is also that of a folder.
    descriptors : str
        Names, genres, subgenres (``indie`` or ``rock_indie``) with commas between, or ``all``.
    durations : str
        In s, with commas between.
    renders_per_duration : int
        Of each descriptor.
    half : str
        ``A``, ``B`` or ``both``.
    seed : int
    """

    corpus: str
    descriptors: str = "all"
    durations: str = "10,30,60"
    renders_per_duration: int = 33
    half: str = BOTH
    seed: int = 0


def read_request(request: CorpusRequest, *, catalogue: Catalogue) -> list[RenderOrder]:
    """Find out which renders are asked for.

    Parameters
    ----------
    request : CorpusRequest
    catalogue : Catalogue

    Returns
    -------
    list of RenderOrder

    Raises
    ------
    ConfigError
        All that cannot be asked for.

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> len(read_request(CorpusRequest("renders"), catalogue=load_catalogue()))
    20196
    >>> read_request(CorpusRequest("renders", "rokc", "1,ten"), catalogue=load_catalogue())
    Traceback (most recent call last):
        ...
    amper_spark.errors.ConfigError: --descriptors: nothing is called 'rokc'; did you mean 'rock'?
    --durations: from 3 to 600 s, got 1
    --durations: expected seconds with commas between, got 'ten'
    """
    problems: list[str] = []
    if not _CORPUS_NAME.fullmatch(request.corpus):
        problems.append(
            "--corpus: it is the name of a folder too: letters, digits, spaces and ._+- after a letter or "
            f"digit, got {request.corpus!r}"
        )
    if not 1 <= request.renders_per_duration <= _MAX_RENDERS:
        problems.append(
            f"--renders-per-duration: from 1 to {_MAX_RENDERS:,}, got {request.renders_per_duration}"
        )
    if request.half not in (*HALVES, BOTH):
        problems.append(f"--half: one of {', '.join(HALVES)}, {BOTH}, got {request.half!r}")
    if request.seed < 0:
        problems.append(f"--seed: not negative, got {request.seed}")
    descriptors: list[Descriptor] = []
    try:
        descriptors = read_descriptors(request.descriptors, catalogue=catalogue)
    except ConfigError as error:
        problems += error.problems
    durations_s = _durations_s(request.durations, problems)
    if problems:
        raise ConfigError(problems)
    orders = plan_corpus(
        [one.name for one in descriptors],
        durations_s=durations_s,
        renders_per_duration=request.renders_per_duration,
        seed=request.seed,
        halves=HALVES if request.half == BOTH else (request.half,),
    )
    if not orders:
        raise ConfigError([f"--half {request.half}: of 1 render a duration none is in it, the first is in A"])
    return orders


def read_descriptors(text: str, *, catalogue: Catalogue) -> list[Descriptor]:
    """Choose descriptors by name, genre or subgenre.

    Parameters
    ----------
    text : str
        As `CorpusRequest.descriptors`.
    catalogue : Catalogue

    Returns
    -------
    list of Descriptor
        Each once and in the order of the catalogue.

    Raises
    ------
    ConfigError
        All words that name none, and all styles that nobody plays.

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> len(read_descriptors("rock,folk_acoustic", catalogue=load_catalogue()))
    35
    """
    problems: list[str] = []
    chosen: set[str] = set()
    for word in _words(text):
        found = [one for one in catalogue if _answers(one, word)]
        if not found:
            known = {word for one in catalogue for word in (one.name, one.style, one.genre, one.subgenre)}
            problems.append(f"--descriptors: nothing is called {word!r}{did_you_mean(word, known)}")
        chosen |= {one.name for one in found}
    descriptors = [one for one in catalogue if one.name in chosen]
    played = load_instruments().styles
    for style in dict.fromkeys(one.style for one in descriptors if one.style not in played):
        names = [one.name for one in descriptors if one.style == style]
        problems.append(f"--descriptors: no instruments play {style}, the style of {', '.join(names)}")
    if not _words(text):
        problems.append("--descriptors: name at least one")
    if problems:
        raise ConfigError(problems)
    return descriptors


def _answers(one: Descriptor, word: str) -> bool:
    return word == "all" or word in (one.name, one.former_name, one.style, one.genre, one.subgenre)


def _durations_s(text: str, problems: list[str]) -> list[float]:
    durations_s: list[float] = []
    for word in _words(text):
        try:
            duration_s = float(word)
        except ValueError:
            problems.append(f"--durations: expected seconds with commas between, got {word!r}")
            continue
        if not MIN_DURATION_S <= duration_s <= MAX_DURATION_S:
            problems.append(f"--durations: from {MIN_DURATION_S:g} to {MAX_DURATION_S:,g} s, got {word}")
        durations_s.append(round(duration_s, _DECIMALS))
    if not _words(text):
        problems.append("--durations: name at least one")
    return list(dict.fromkeys(durations_s))


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]

"""The plan of a corpus to learn from: which renders there are, by name and by seed.

A seed depends on nothing but the seed of the corpus and the render's own place in it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amper_spark.grid import SAMPLE_RATE
from amper_spark.render.composer.drawing import half_of
from amper_spark.render.composer.style import HALVES
from amper_spark.timeline.single import single_timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from amper_spark.timeline.document import Timeline

MIN_DURATION_S, MAX_DURATION_S = 3.0, 600.0

_SEED_BITS = 53
_KEY = re.compile(r"([^/]+)/(\d+(?:\.\d+)?)s/(\d+)-[0-9a-f]+\.flac")


@dataclass(frozen=True)
class RenderOrder:
    """A render that is to be made.

    Parameters
    ----------
    descriptor : str
    duration_s : float
    number : int >= 0
        Among the renders of this descriptor and duration.
    seed : int
        0 to 2^53 - 1.
    """

    descriptor: str
    duration_s: float
    number: int
    seed: int

    @property
    def key(self) -> str:
        """Path of its file in the corpus.

        Examples
        --------
        >>> RenderOrder("rock_indie_happy", 10.0, 3, 0xC0FFEE).key
        'rock_indie_happy/10s/003-00000000c0ffee.flac'
        """
        return f"{self.descriptor}/{self.duration_s:.10g}s/{self.number:03d}-{self.seed:014x}.flac"

    @property
    def half(self) -> str:
        """Which half of the style is played, ``A`` or ``B``."""
        return half_of(self.seed)

    @property
    def n_samples(self) -> int:
        """Length of its audio."""
        return round(self.duration_s * SAMPLE_RATE)


def plan_corpus(
    descriptors: Iterable[str],
    *,
    durations_s: Sequence[float],
    renders_per_duration: int,
    seed: int = 0,
    halves: Sequence[str] = HALVES,
) -> list[RenderOrder]:
    """Plan a corpus.

    Parameters
    ----------
    descriptors : iterable of str
    durations_s : sequence of float
    renders_per_duration : int
        Of each descriptor.
    seed : int
        Of the corpus: another one gives a corpus without a common render.
    halves : sequence of str
        Numbers alternate between the halves of a style; only those in these halves are planned.

    Returns
    -------
    list of RenderOrder
        By number first, so that the beginning of the list has something of everything.

    Examples
    --------
    >>> for order in plan_corpus(["rock_indie_happy"], durations_s=[10], renders_per_duration=2):
    ...     print(order.key, order.half)
    rock_indie_happy/10s/000-1aeacac9d47316.flac A
    rock_indie_happy/10s/001-07de73c20f12a7.flac B
    """
    names = list(descriptors)
    return [
        _order(seed, name, float(duration_s), number)
        for number in range(renders_per_duration)
        if _half(number) in halves
        for duration_s in durations_s
        for name in names
    ]


def is_render_key(key: str, *, corpus_seed: int) -> bool:
    """Tell whether a file is called as a render of a corpus is.

    Its seed, which follows from all the rest, is what a recording of another origin has not in its name.

    Parameters
    ----------
    key : str
        Path of the file in its corpus.
    corpus_seed : int

    Returns
    -------
    bool

    Examples
    --------
    >>> is_render_key("rock_indie_happy/10s/000-1aeacac9d47316.flac", corpus_seed=0)
    True
    >>> is_render_key("rock_indie_happy/10s/000-1aeacac9d47316.flac", corpus_seed=1)
    False
    >>> is_render_key("rock_indie_happy/10s/live.flac", corpus_seed=0)
    False
    """
    named = _KEY.fullmatch(key)
    if named is None:
        return False
    descriptor, duration_s, number = named.groups()
    return _order(corpus_seed, descriptor, float(duration_s), int(number)).key == key


def timeline_of(order: RenderOrder) -> Timeline:
    """Write the timeline that is composed for a render: one region, all else open."""
    return single_timeline(order.descriptor, duration_s=order.duration_s, seed=order.seed)


def order_tags(order: RenderOrder, *, corpus_seed: int) -> dict[str, str]:
    """Say which render it is.

    Parameters
    ----------
    order : RenderOrder
    corpus_seed : int

    Returns
    -------
    dict of str to str
    """
    return {
        "duration_s": f"{order.duration_s:.10g}",
        "number": str(order.number),
        "seed": str(order.seed),
        "half": order.half,
        "corpus_seed": str(corpus_seed),
    }


def _order(corpus_seed: int, descriptor: str, duration_s: float, number: int) -> RenderOrder:
    return RenderOrder(descriptor, duration_s, number, _seed(corpus_seed, descriptor, duration_s, number))


def _half(number: int) -> str:
    return HALVES[number % len(HALVES)]


def _seed(corpus_seed: int, descriptor: str, duration_s: float, number: int) -> int:
    """Draw a seed that plays the half of a number: even seeds play A, odd ones B."""
    named = f"{corpus_seed}\0{descriptor}\0{duration_s:.10g}\0{number}".encode()
    drawn = int.from_bytes(hashlib.blake2b(named, digest_size=8).digest(), "big") >> (64 - _SEED_BITS)
    return drawn - drawn % len(HALVES) + number % len(HALVES)

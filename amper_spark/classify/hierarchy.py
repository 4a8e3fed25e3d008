"""The two trees that classifiers walk down, as arrays.

Style is genre > subgenre > mood. Affect is sentiment > valence and sentiment > momentum. A descriptor is a
leaf of the first, and fixes all six targets. A child is known by its parent too: the subgenre ``minimal`` of
``cinematic`` is another than that of ``documentary``.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - what types are made of is needed at run time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from amper_spark.errors import ParameterError
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from amper_spark.descriptors.catalogue import Catalogue

Codes = npt.NDArray[np.int64]

TARGETS = ("genre", "subgenre", "mood", "sentiment", "valence", "momentum")
"""What is predicted, parents first."""
AFFECT = ("sentiment", "valence", "momentum")
"""The targets that say how music feels."""
PARENTS: Mapping[str, str | None] = {
    "genre": None,
    "subgenre": "genre",
    "mood": "subgenre",
    "sentiment": None,
    "valence": "sentiment",
    "momentum": "sentiment",
}
"""What each target is conditioned on."""

Value = str | int

_AFFECT = [TARGETS.index(target) for target in AFFECT]


@dataclass(frozen=True)
class Node:
    """A class of a target, below its parent.

    Parameters
    ----------
    value : str or int
        As the catalogue says it: ``minimal``, 2.
    parent : int
        Its parent's place among the nodes of the parent target; 0 at the top, where all have one parent.
    """

    value: Value
    parent: int


class Hierarchy:
    """The nodes of each target, and which of them each descriptor passes.

    Parameters
    ----------
    paths : mapping of str to sequence
        What each descriptor, by name, says of the six `TARGETS`.

    Raises
    ------
    ParameterError
        There are none.

    Examples
    --------
    >>> from amper_spark.descriptors.catalogue import load_catalogue
    >>> hierarchy = Hierarchy.of_catalogue(load_catalogue(), ["rock_indie_happy", "rock_classic_driving"])
    >>> hierarchy.names
    ('rock_classic_driving', 'rock_indie_happy')
    >>> hierarchy.nodes["subgenre"]
    (Node(value='classic', parent=0), Node(value='indie', parent=0))
    >>> hierarchy.codes[:, TARGETS.index("subgenre")]
    array([0, 1])
    """

    def __init__(self, paths: Mapping[str, Sequence[Value]]) -> None:
        if not paths:
            raise ParameterError("there are no descriptors to tell apart")
        self.paths: Mapping[str, tuple[Value, ...]] = {name: tuple(paths[name]) for name in sorted(paths)}
        self.names = tuple(self.paths)
        self.nodes: dict[str, tuple[Node, ...]] = {}
        columns: dict[str, list[int]] = {}
        for target, values in zip(TARGETS, zip(*self.paths.values(), strict=True), strict=True):
            parent = PARENTS[target]
            parents = columns[parent] if parent else [0] * len(self.names)
            passed = list(zip(parents, values, strict=True))
            ordered = sorted(set(passed))
            self.nodes[target] = tuple(Node(value, above) for above, value in ordered)
            place = {node: index for index, node in enumerate(ordered)}
            columns[target] = [place[node] for node in passed]
        self.codes: Codes = np.array([columns[target] for target in TARGETS], dtype=np.int64).T

    @classmethod
    def of_catalogue(cls, catalogue: Catalogue, names: Iterable[str] | None = None) -> Self:
        """Take the paths from a catalogue.

        Parameters
        ----------
        catalogue : Catalogue
        names : iterable of str, optional
            Of descriptors; by default all. Former names stand for what they are now.

        Raises
        ------
        ParameterError
            The catalogue does not know one of them.
        """
        described = list(catalogue) if names is None else [catalogue[name] for name in set(names)]
        return cls(
            {one.name: (*one.path, one.sentiment, one.mood.valence, one.mood.momentum) for one in described}
        )

    @cached_property
    def parents(self) -> Mapping[str, Codes]:
        """The parent of each node, by target; see `Node`."""
        return {target: np.array([node.parent for node in self.nodes[target]]) for target in TARGETS}

    @cached_property
    def affects(self) -> Codes:
        """Which nodes of sentiment, valence and momentum go together, a row each, in ascending order."""
        return np.unique(self.codes[:, _AFFECT], axis=0)

    @cached_property
    def affect_of_descriptor(self) -> Codes:
        """The row of `affects` that each descriptor has."""
        return np.unique(self.codes[:, _AFFECT], axis=0, return_inverse=True)[1].ravel()

    @cached_property
    def passed(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """1 where a descriptor (row) passes a node (column), by target."""
        return {
            target: np.eye(len(self.nodes[target]), dtype=np.float32)[self.codes[:, column]]
            for column, target in enumerate(TARGETS)
        }

    def children(self, target: str, parent: int) -> slice:
        """Say which nodes lie below a parent: they are neighbours.

        Parameters
        ----------
        target : str
            Of the children.
        parent : int

        Returns
        -------
        slice
        """
        first, last = np.searchsorted(self.parents[target], [parent, parent + 1])
        return slice(int(first), int(last))

    def encode(self, names: Iterable[str]) -> Codes:
        """Find the place of descriptors among `names`.

        Raises
        ------
        ParameterError
            One is not in this hierarchy.
        """
        place = {name: index for index, name in enumerate(self.names)}
        asked = list(names)
        if missing := next((name for name in asked if name not in place), None):
            raise ParameterError(f"no descriptor {missing!r} here{did_you_mean(missing, self.names)}")
        return np.array([place[name] for name in asked], dtype=np.int64)

    @cached_property
    def classes(self) -> Mapping[str, tuple[Value, ...]]:
        """What answers are compared by: styles such as ``cinematic_minimal`` for subgenres, else values."""
        return {target: tuple(sorted(set(self._said(target)))) for target in TARGETS}

    @cached_property
    def class_of_node(self) -> Mapping[str, Codes]:
        """The place of each node's class among `classes`, by target: a mood word is one class everywhere."""
        return {
            target: np.array([self.classes[target].index(said) for said in self._said(target)])
            for target in TARGETS
        }

    def _said(self, target: str) -> list[Value]:
        if target != "subgenre":
            return [node.value for node in self.nodes[target]]
        genres = self.nodes["genre"]
        return [f"{genres[node.parent].value}_{node.value}" for node in self.nodes[target]]

    def values(self, target: str, codes: Codes) -> npt.NDArray[np.object_]:
        """Say nodes as the catalogue does: words, or levels for valence and momentum.

        Parameters
        ----------
        target : str
        codes : np.ndarray [shape=(n,)]

        Returns
        -------
        np.ndarray [shape=(n,), dtype=object]
        """
        said = np.array([node.value for node in self.nodes[target]], dtype=object)
        return said[codes]

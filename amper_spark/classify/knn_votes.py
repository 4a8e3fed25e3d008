"""Votes of the nearest windows, below every node that anyone votes for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from amper_spark.classify.hierarchy import PARENTS, TARGETS
from amper_spark.classify.neighbours import Neighbours
from amper_spark.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amper_spark.classify.hierarchy import Hierarchy

Matrix = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Votes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

_N_FOUND = 32
"""Neighbours that are found among all windows; what they leave open is asked of a parent's own members."""
_CHUNK = 4096
"""Windows at a time: keeps small what lies between the steps."""
_BELOW: Mapping[str | None, tuple[str, ...]] = {
    above: tuple(target for target in TARGETS if PARENTS[target] == above)
    for above in (None, "genre", "subgenre", "sentiment")
}


class Asking(NamedTuple):
    """How windows are asked.

    Parameters
    ----------
    n_votes : int > 0
        How many vote, of a parent's members; all of them where there are fewer.
    stretch : float >= 0
        See `Neighbours.nearest`.
    """

    n_votes: int
    stretch: float


class _Members(NamedTuple):
    """The windows that pass a node.

    Parameters
    ----------
    windows : np.ndarray [shape=(n,)]
    search : Neighbours
        Finds places among `windows`.
    """

    windows: Codes
    search: Neighbours


class Voters:
    """Windows whose nodes are known, and who vote on those that are near them.

    Parameters
    ----------
    points : np.ndarray [shape=(n, d), dtype=float32]
    nodes : np.ndarray [shape=(n, 6), dtype=int16]
        Of all `TARGETS`.
    hierarchy : Hierarchy
    """

    def __init__(self, points: Matrix, nodes: npt.NDArray[np.int16], hierarchy: Hierarchy) -> None:
        self._points, self._hierarchy = points, hierarchy
        self._search = Neighbours(points)
        self._nodes = {target: np.ascontiguousarray(nodes[:, place]) for place, target in enumerate(TARGETS)}
        self._members: dict[tuple[str, int], _Members] = {}

    def node_probabilities(
        self, points: Matrix, way: Asking, parents: Codes | None = None
    ) -> dict[str, Floats]:
        """Say how probable each node is, given its parent: (v + 1/m) / (k + 1), v of k votes, m siblings.

        Parameters
        ----------
        points : np.ndarray [shape=(n, d), dtype=float32]
        way : Asking
        parents : np.ndarray [shape=(n, 6)], optional
            Nodes, of all targets, whose members are asked; by default those that any vote is for.

        Returns
        -------
        dict of str to np.ndarray [shape=(n, nodes), dtype=float32]
            By target. Below a parent whose members were not asked, all children are equally probable.
        """
        probabilities = {
            target: np.empty((len(points), len(self._hierarchy.nodes[target])), dtype=np.float32)
            for target in TARGETS
        }
        for start in range(0, len(points), _CHUNK):
            rows = slice(start, start + _CHUNK)
            votes = self._all_votes(points[rows], way, None if parents is None else parents[rows])
            for target, counted in votes.items():
                probabilities[target][rows] = _smoothed(self._hierarchy.parents[target], counted)
        return probabilities

    def _all_votes(self, points: Matrix, way: Asking, parents: Codes | None) -> dict[str, Votes]:
        nearest = self._search.nearest(points, k=max(_N_FOUND, way.n_votes), stretch=way.stretch)
        votes = self._votes_below(None, nearest, np.ones((len(points), 1), dtype=np.bool_), way)[0]
        for above in _BELOW:
            if above is None:
                continue
            if parents is None:
                asked = votes[above] > 0
            else:
                asked = np.zeros(votes[above].shape, dtype=np.bool_)
                asked[np.arange(len(points)), parents[:, TARGETS.index(above)]] = True
            counted, lacking = self._votes_below(above, nearest, asked, way)
            self._ask_members(above, points, lacking, way, counted)
            votes |= counted
        return votes

    def _votes_below(
        self, above: str | None, nearest: npt.NDArray[np.int32], asked: Mask, way: Asking
    ) -> tuple[dict[str, Votes], Mask]:
        """Count the votes below the nodes that are asked; say where too few members are near."""
        passed = np.zeros(len(self._points), dtype=np.int16) if above is None else self._nodes[above]
        votes = {}
        for target in _BELOW[above]:
            votes[target] = np.zeros((len(nearest), len(self._hierarchy.nodes[target])), dtype=np.int32)
            seen = np.zeros(asked.shape, dtype=np.int32)
            _count(nearest, passed, self._nodes[target], way.n_votes, votes[target], seen)
            votes[target] *= asked[:, self._hierarchy.parents[target]]
        members = np.bincount(passed, minlength=asked.shape[1])
        return votes, asked & (seen < np.minimum(members, way.n_votes)) & self._is_open(above)

    def _ask_members(
        self, above: str, points: Matrix, lacking: Mask, way: Asking, votes: dict[str, Votes]
    ) -> None:
        """Count again below the nodes that are lacking, by a search among all of their members."""
        for node in np.flatnonzero(lacking.any(axis=0)).tolist():
            rows = np.flatnonzero(lacking[:, node])
            own = self._members_of(above, node)
            found = own.windows[own.search.nearest(points[rows], k=way.n_votes, stretch=way.stretch)]
            for target, counted in votes.items():
                counted[rows, self._hierarchy.children(target, node)] = 0
                np.add.at(counted, (rows[:, None], self._nodes[target][found]), 1)

    def _is_open(self, above: str | None) -> npt.NDArray[np.bool_]:
        """Tell which nodes have several children of a target: of an only one, votes say nothing."""
        return np.any([np.bincount(self._hierarchy.parents[target]) > 1 for target in _BELOW[above]], axis=0)

    def _members_of(self, above: str, node: int) -> _Members:
        if (above, node) not in self._members:
            windows = np.flatnonzero(self._nodes[above] == node)
            self._members[above, node] = _Members(windows, Neighbours(self._points[windows]))
        return self._members[above, node]


def _smoothed(parents: Codes, votes: Votes) -> Floats:
    first = np.flatnonzero(np.diff(parents, prepend=-1))
    given = np.add.reduceat(votes, first, axis=1)[:, parents].astype(np.float32)
    share = (1 / np.bincount(parents)[parents]).astype(np.float32)
    probabilities: Floats = (votes.astype(np.float32) + share) / (given + np.float32(1))
    return probabilities


@compiled("void(int32[:, ::1], int16[::1], int16[::1], int64, int32[:, ::1], int32[:, ::1])")
def _count(
    nearest: npt.NDArray[np.int32],
    parents: npt.NDArray[np.int16],
    children: npt.NDArray[np.int16],
    n_votes: int,
    votes: Votes,
    seen: Votes,
) -> None:
    """Let the first members of each parent vote for their child; count them."""
    for row in range(nearest.shape[0]):
        for place in range(nearest.shape[1]):
            window = nearest[row, place]
            parent = parents[window]
            if seen[row, parent] < n_votes:
                seen[row, parent] += 1
                votes[row, children[window]] += 1

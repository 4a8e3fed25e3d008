"""Questions to lists of entities: the parameters of a query, checked, and the entities that they ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from amper_spark.errors import AmperSparkError
from amper_spark.render.server.entity_filters import MAX_TEXT, filters_of, shortened
from amper_spark.render.server.entity_paging import MAX_LIMIT, MAX_OFFSET, PageRequest
from amper_spark.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from amper_spark.render.server.entity_index import Entity, EntityKind

_INTEGER = re.compile(r"[0-9]{1,9}", re.ASCII)
_MAX_PARAMETERS = 50  # each costs time with each entity, and each mistake with each name
_RANGES = {"limit": (1, MAX_LIMIT), "offset": (0, MAX_OFFSET)}


class ParameterProblem(NamedTuple):
    """What is wrong with a parameter of a query.

    Parameters
    ----------
    parameter, message : str
    """

    parameter: str
    message: str


class QueryError(AmperSparkError):
    """All that is wrong with a query.

    Parameters
    ----------
    problems : sequence of ParameterProblem
    """

    def __init__(self, problems: Sequence[ParameterProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{problem.parameter}: {problem.message}" for problem in problems))


@dataclass(frozen=True)
class ListRequest:
    """What is wanted of a list.

    Parameters
    ----------
    filters : tuple of (str, str)
        As they were asked for.
    tests : tuple of callable
        Each says whether an entity is so.
    page : PageRequest
    """

    filters: tuple[tuple[str, str], ...]
    tests: tuple[Callable[[Entity], bool], ...]
    page: PageRequest

    def select(self, entities: Iterable[Entity]) -> list[Entity]:
        """Return the entities of which all filters hold."""
        return [one for one in entities if all(test(one) for test in self.tests)]


def list_request(kind: EntityKind, query: Iterable[tuple[str, str]]) -> ListRequest:
    """Read the query of a list.

    Parameters
    ----------
    kind : EntityKind
    query : iterable of (str, str)
        Its parameters; filters may be there more than once.

    Returns
    -------
    ListRequest

    Raises
    ------
    QueryError
        All that is wrong with it.

    Examples
    --------
    >>> from amper_spark.render.server.entity_index import EntityKind
    >>> list_request(EntityKind.HIT, [("name", "swell"), ("limit", "3")]).page
    PageRequest(limit=3, offset=0, cursor=None)
    >>> list_request(EntityKind.HIT, [("nmae", "swell")])
    Traceback (most recent call last):
    amper_spark.render.server.entity_queries.QueryError: nmae: no such parameter; did you mean 'name'?; known
    here: cursor, id, limit, name, offset
    """
    query = tuple(query)
    if len(query) > _MAX_PARAMETERS:
        name = query[_MAX_PARAMETERS][0][:MAX_TEXT]
        raise QueryError(
            [ParameterProblem(name, f"at most {_MAX_PARAMETERS} parameters may be there, got {len(query)}")]
        )
    filters = filters_of(kind)
    asked: list[tuple[str, str]] = []
    tests: list[Callable[[Entity], bool]] = []
    paging: dict[str, Any] = {}
    problems: list[ParameterProblem] = []
    for name, text in query:
        try:
            if name in filters:
                tests.append(filters[name].test(text))
                asked.append((name, text))
            elif name in paging:
                raise ValueError("must be there only once")
            else:
                paging[name] = _paging_value(name, text, filters)
        except ValueError as error:
            problems.append(ParameterProblem(name[:MAX_TEXT], str(error)))
    if problems:
        raise QueryError(problems)
    return ListRequest(tuple(asked), tuple(tests), PageRequest(**paging))


def _paging_value(name: str, text: str, filters: Iterable[str]) -> str | int:
    if name == "cursor":
        return text
    if name not in _RANGES:
        known = sorted([*filters, "cursor", *_RANGES])
        raise ValueError(
            f"no such parameter{did_you_mean(name[:MAX_TEXT], known)}; known here: {', '.join(known)}"
        )
    low, high = _RANGES[name]
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        raise ValueError(f"must be an integer from {low} to {high}, got {shortened(text)}")
    return int(text)

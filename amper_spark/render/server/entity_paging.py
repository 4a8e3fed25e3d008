"""Pages of a list: by number of records, or by the id of the first one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_LIMIT, MAX_LIMIT = 10, 100
MAX_OFFSET = 100_000


class Record(Protocol):
    """What can be listed."""

    @property
    def id(self) -> str:
        """No two records of a list have the same."""


R = TypeVar("R", bound=Record)


class CursorError(LookupError):
    """A cursor at which no record is."""


@dataclass(frozen=True)
class PageRequest:
    """Which part of a list is wanted.

    Parameters
    ----------
    limit : int
        How many records, 1 to `MAX_LIMIT`.
    offset : int
        How many records to pass over, 0 to `MAX_OFFSET`; from the cursor, if there is one.
    cursor : str or None
        Id of the first record.
    """

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: str | None = None


@dataclass(frozen=True)
class Page(Generic[R]):
    """Part of a list.

    Parameters
    ----------
    records : sequence of records
    next_offset : int or None
        Where the next page starts, if pages are counted by offset; None if there is none.
    next_cursor : str or None
        Where it starts, if they are told by cursor. The first page tells both.
    """

    records: Sequence[R]
    next_offset: int | None = None
    next_cursor: str | None = None


def page_of(records: Sequence[R], wanted: PageRequest) -> Page[R]:
    """Cut a page out of a list.

    Parameters
    ----------
    records : sequence of records
    wanted : PageRequest

    Returns
    -------
    Page

    Raises
    ------
    CursorError
        No record has this id.

    Examples
    --------
    >>> from amper_spark.render.server.entity_index import Entity
    >>> letters = [Entity(letter, letter.upper()) for letter in "abcde"]
    >>> page = page_of(letters, PageRequest(limit=2, cursor="b"))
    >>> [one.id for one in page.records], page.next_cursor, page.next_offset
    (['b', 'c'], 'd', None)
    >>> page_of(letters, PageRequest(limit=2)).next_offset
    2
    """
    start = wanted.offset
    if wanted.cursor is not None:
        places = (place for place, record in enumerate(records) if record.id == wanted.cursor)
        place = next(places, None)
        if place is None:
            raise CursorError(wanted.cursor)
        start += place
    end = start + wanted.limit
    has_more, is_first = end < len(records), start == 0
    by_cursor = wanted.cursor is not None
    return Page(
        records=records[start:end],
        next_offset=end if has_more and (is_first or not by_cursor) else None,
        next_cursor=records[end].id if has_more and (is_first or by_cursor) else None,
    )


def page_links(
    page: Page[R], wanted: PageRequest, *, url: str, filters: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """Link to other pages of the same list, with the same filters and the same limit.

    Parameters
    ----------
    page : Page
    wanted : PageRequest
    url : str
        Of the list, without a query.
    filters : sequence of (str, str)

    Returns
    -------
    dict of str to str
        ``first``; ``next`` and ``next_cursor`` where there are more records.

    Examples
    --------
    >>> page_links(Page((), next_offset=2), PageRequest(limit=2), url="/hit", filters=[("name", "dry hit")])
    {'first': '/hit?name=dry+hit&limit=2&offset=0', 'next': '/hit?name=dry+hit&limit=2&offset=2'}
    """
    places = {
        "first": ("offset", 0),
        "next": ("offset", page.next_offset),
        "next_cursor": ("cursor", page.next_cursor),
    }
    return {
        name: f"{url}?{urlencode([*filters, ('limit', wanted.limit), (parameter, value)])}"
        for name, (parameter, value) in places.items()
        if value is not None
    }

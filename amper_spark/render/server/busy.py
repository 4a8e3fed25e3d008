"""The refusal while the database cannot be used, of the API and of pages."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from amper_spark.render.server.envelopes import RefusalError

if TYPE_CHECKING:
    import sqlite3

_LOG = logging.getLogger(__name__)

_RETRY_S = 5


def busy(error: sqlite3.OperationalError) -> RefusalError:
    """Refuse a request for which the database cannot be used, and log why.

    Parameters
    ----------
    error : sqlite3.OperationalError
        Its own words, which no client gets.

    Returns
    -------
    RefusalError
        503: it may be locked, or full.
    """
    _LOG.error("the database cannot be used: %s", error)
    return RefusalError(
        503,
        "NOT_NOW",
        "the server's database cannot be used just now: try again later",
        headers={"Retry-After": str(_RETRY_S)},
    )

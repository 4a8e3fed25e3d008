from __future__ import annotations

from tests.classify.models.making import (  # noqa: F401 - fixtures
    empty_database,
    make_store,
    model,
    no_server,
    store,
    train,
    unwell,
    windows,
)

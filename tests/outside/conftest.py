from __future__ import annotations

from tests.classify.models.making import (  # noqa: F401 - fixtures
    empty_database,
    make_store,
    model,
    store,
    train,
    unwell,
    windows,
)

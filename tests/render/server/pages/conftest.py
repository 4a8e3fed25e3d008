from __future__ import annotations

import pytest

from tests.render.server.pages import visiting
from tests.render.server.pages.editing import (  # noqa: F401 - fixtures
    chromium,
    composing,
    opened,
    plaintext,
    server,
    sign_in,
)


@pytest.fixture
def visit(app, service, calling):
    """Make somebody who is signed in, with a token of their own."""

    def make(*scopes, app=app, **options):
        token, secret = app.state.service.tokens.create(scopes=scopes or ("render", "read"), **options)
        client = calling(app)
        visiting.sign_in(client, secret)
        client.token = token
        return client

    return make


@pytest.fixture
def vera(visit):
    """Somebody who is signed in and may see all pages."""
    return visit()

from __future__ import annotations

import pytest

from tests.render.server.pages.visiting import sign_in


@pytest.fixture
def visit(app, service, calling):
    """Make somebody who is signed in, with a token of their own."""

    def make(*scopes, app=app, **options):
        token, plaintext = app.state.service.tokens.create(scopes=scopes or ("render", "read"), **options)
        client = calling(app)
        sign_in(client, plaintext)
        client.token = token
        return client

    return make


@pytest.fixture
def vera(visit):
    """Somebody who is signed in and may see all pages."""
    return visit()

from __future__ import annotations

import asyncio
import threading

import httpx
import pytest

from amper_spark.render.server.app import create_app
from amper_spark.render.server.offer import load_offer
from amper_spark.render.server.serving import listen, server_of, url_of
from amper_spark.render.server.settings import ServerSettings
from amper_spark.render.server.storage import Storage

BASE = "http://music.example"


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path / "data")


@pytest.fixture(scope="session")
def offer():
    """What all applications offer: it never changes, and takes a while to load."""
    return load_offer()


@pytest.fixture
def make_app(storage, offer):
    """Make an application; of all that has a limit there is plenty."""
    made = []

    def make(**options):
        settings = {name: options.pop(name) for name in list(options) if name in ServerSettings.model_fields}
        plenty = {"requests_per_minute": 1_000_000, **settings}
        made.append(create_app(storage, ServerSettings(**plenty), offer=offer, **options))
        return made[-1]

    yield make
    for app in made:  # FastAPI remembers applications, and with them the files that are open
        app.state.service.database.close_all()


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def service(app):
    return app.state.service


class InProcess(httpx.BaseTransport):
    """Calls an application without a network between."""

    def __init__(self, app, runner):
        self._transport, self._runner = httpx.ASGITransport(app), runner

    def handle_request(self, request):
        return self._runner.run(self._answer(request))

    async def _answer(self, request):
        response = await self._transport.handle_async_request(request)
        return httpx.Response(response.status_code, headers=response.headers, content=await response.aread())


@pytest.fixture
def calling():
    """Make clients of an application."""
    with asyncio.Runner() as runner:
        yield lambda app, headers=None: httpx.Client(
            transport=InProcess(app, runner), base_url=BASE, headers=headers
        )


@pytest.fixture
def client(app, calling):
    """Nobody: has no token."""
    return calling(app)


@pytest.fixture
def bearer(service):
    """Make headers with a new token."""

    def make(*scopes, **options):
        _, plaintext = service.tokens.create(scopes=scopes or ("render", "read", "tokens"), **options)
        return {"Authorization": f"Bearer {plaintext}"}

    return make


@pytest.fixture
def anna(app, calling, bearer):
    """Somebody who may do everything."""
    return calling(app, bearer())


@pytest.fixture
def live():
    """Serve an application on a port of its own; return its URL."""
    running = []

    def start(app):
        listening = listen("127.0.0.1", 0)
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        running.append((server, thread, listening))
        return url_of(listening)

    yield start
    for server, thread, listening in running:
        server.should_exit = True
        thread.join()
        listening.close()

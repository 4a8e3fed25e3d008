"""A server to check rules against: its application, and a worker that does its jobs at once."""

from __future__ import annotations

import base64
from functools import cached_property

from starlette.testclient import TestClient

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.server.app import create_app
from amper_spark.render.server.offer import load_offer
from amper_spark.render.server.settings import ServerSettings
from amper_spark.render.server.storage import Storage
from amper_spark.render.server.work import Means
from amper_spark.render.server.worker import Worker
from tests.render.whole_fonts import whole_font

MEDIA_TYPE = "application/vnd.api+json"
BASE = "https://music.example"
ORIGIN = "https://page.example"


def music(duration_s=4.0, *, descriptor="rock_indie_happy", **span):
    """Write a timeline of one region."""
    region = {"id": 10, "region": "music", "descriptor": descriptor, "beat": 0}
    return {
        "spans": [
            {"id": 1, "type": "metered", "time": 0, "regions": [region], **span},
            {"id": 2, "type": "unmetered", "time": duration_s},
        ]
    }


class Studio:
    """A server, and a client of it that has a token for everything."""

    def __init__(self, folder):
        settings = ServerSettings(requests_per_minute=1_000_000, allowed_origins=(ORIGIN,))
        storage = Storage(folder / "data")
        app = create_app(storage, settings, offer=load_offer())
        self.app, self.settings, self.service = app, settings, app.state.service
        self.token, self.plaintext = self.service.tokens.create("contract")
        self.client = TestClient(app, base_url=BASE, headers={"Accept": MEDIA_TYPE})
        font = folder / "whole.sf2"
        font.write_bytes(whole_font())
        means = Means(load_font(font), load_catalogue(), settings.limits)
        self.worker = Worker("worker", storage, means, job_timeout_s=60)

    def ask(self, method, path, *, token=None, **options):
        """Make a request as somebody who has a token."""
        headers = {"Authorization": f"Bearer {token or self.plaintext}", **options.pop("headers", {})}
        if "json" in options:
            headers.setdefault("Content-Type", MEDIA_TYPE)
        return self.client.request(method, path, headers=headers, **options)

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def data(self, path, **options):
        """Read what is at a path."""
        answer = self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def post(self, kind, **attributes):
        """Ask for something to be made."""
        body = {"data": {"type": kind, "attributes": attributes}}
        return self.ask("POST", f"/v1/{kind}", json=body)

    def made(self, kind, **attributes):
        """Have something made, and return its resource once it has ended."""
        answer = self.post(kind, **attributes)
        assert answer.status_code == 201, answer.text
        job_id = answer.json()["data"]["id"]
        while True:
            resource = self.data(f"/v1/{kind}/{job_id}")
            if resource["attributes"]["status"] in ("CREATED", "FAILED_CREATE"):
                return resource
            assert self.worker.work()

    def rendered(self, timeline=None, *, preset="MASTER_WAV", **more):
        """Have a render made."""
        return self.made("simple_renders", timeline=timeline or music(), preset=preset, **more)

    def composed(self, timeline):
        """Have a composition made."""
        return self.made("simple_compositions", timeline=timeline)

    def refused_timeline(self, timeline):
        """Ask for a render that is not usable, and return where its problems are."""
        answer = self.post("simple_renders", timeline=timeline, preset="MASTER_WAV")
        assert answer.status_code == 422, answer.text
        errors = answer.json()["errors"]
        return {error["source"]["pointer"].removeprefix("/data/attributes/timeline") for error in errors}

    @cached_property
    def masters(self):
        """A render of each preset."""
        presets = ("MASTER_MP3", "MASTER_WAV", "STEMS_WAV")
        return {preset: self.rendered(preset=preset) for preset in presets}


def basic(user):
    """Write a header of Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()}

"""Scripts, styles and pictures of the pages: read once, at URLs that change whenever they do."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_VERSION_DIGITS = 16


@cache
def assets() -> Mapping[str, bytes]:
    """Return all files by their names."""
    folder = files("amper_spark.render.server.pages") / "static"
    return {
        entry.name: entry.read_bytes()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if _ending(entry.name) in _TYPES
    }


@cache
def version() -> str:
    """Name what is in the files. One name for all of them: scripts name one another."""
    digest = hashlib.sha256()
    for name, content in assets().items():
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()[:_VERSION_DIGITS]


def asset_url(name: str) -> str:
    """Return the URL of a file.

    Raises
    ------
    LookupError
        There is none of this name.
    """
    if name not in assets():
        raise LookupError(f"there is no file {name} among the pages' own")
    return f"/static/{version()}/{name}"


def asset_type(name: str) -> str:
    """Return the media type of a file."""
    return _TYPES[_ending(name)]


def _ending(name: str) -> str:
    return name[name.rfind(".") :]

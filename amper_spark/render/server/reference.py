"""The description of the API as a page for people: no script, nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from amper_spark.render.server.headers import BARE_POLICY

if TYPE_CHECKING:
    from collections.abc import Iterator

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h2{margin-top:2.5rem}code,pre{font:14px/1.5 ui-monospace,monospace}"
    "pre{background:#f4f4f4;padding:1rem;overflow:auto}"
    "th,td{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}"
)
POLICY = f"default-src 'none'; style-src 'unsafe-inline'; {BARE_POLICY}"


def reference_page(document: dict[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    document : dict
        OpenAPI.

    Returns
    -------
    str
        HTML.
    """
    info = document["info"]
    title = f"{info['title']} {info['version']}"
    return "".join(
        [
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
            f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>',
            f"<h1>{escape(title)}</h1><p>{escape(info['description'])}</p>",
            '<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>',
            *_operations(document),
            "<h1>Objects</h1>",
            *_schemas(document),
            "</html>",
        ]
    )


def _operations(document: dict[str, Any]) -> Iterator[str]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p>{escape(operation.get('description', ''))}</p>"
            if "security" in operation:
                yield "<p>Needs an access token.</p>"
            yield from _parameters(operation.get("parameters", []))
            yield from _body(operation)
            yield from _table(
                (code, response.get("description", "")) for code, response in operation["responses"].items()
            )


def _parameters(parameters: list[dict[str, Any]]) -> Iterator[str]:
    rows = [(f"{one['name']} ({one['in']})", one.get("description", "")) for one in parameters]
    if rows:
        yield from _table(iter(rows))


def _body(operation: dict[str, Any]) -> Iterator[str]:
    for content in list(operation.get("requestBody", {}).get("content", {}).values())[:1]:
        name = content["schema"]["$ref"].rpartition("/")[2]
        yield f'<p>Body: <a href="#{escape(name)}">{escape(name)}</a></p>'


def _schemas(document: dict[str, Any]) -> Iterator[str]:
    for name, schema in sorted(document["components"]["schemas"].items()):
        text = escape(json.dumps(schema, indent=2, ensure_ascii=False))
        yield f'<h2 id="{escape(name)}">{escape(name)}</h2><pre>{text}</pre>'


def _table(rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
    yield f"<table>{cells}</table>"

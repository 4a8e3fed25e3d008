"""What the description shows beside schemas: an example of each body, and what follows an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMELINE = {
    "spans": [
        {
            "type": "metered",
            "time": 0,
            "regions": [{"region": "music", "descriptor": "folk_acoustic_uplifting", "beat": 0}],
        },
        {"type": "unmetered", "time": 20},
    ]
}

BODIES: Mapping[str, Any] = {
    "RenderRequest": {
        "data": {
            "type": "simple_renders",
            "attributes": {"preset": "MASTER_MP3", "make_timeline": True, "timeline": _TIMELINE},
        }
    },
    "CompositionRequest": {"data": {"type": "simple_compositions", "attributes": {"timeline": _TIMELINE}}},
    "AccessTokenRequest": {"data": {"type": "access_tokens", "attributes": {"scopes": ["render"]}}},
}
"""An example of each body, by its model."""

_ID, _ETAG = "$response.body#/data/id", "$response.header.ETag"


class Link(NamedTuple):
    """What can be asked next, with what an answer tells.

    Parameters
    ----------
    operation, status : str
        Which answer.
    name : str
        Of the link.
    follows : str
        The operation that can be asked.
    parameters : mapping of str to str
        What to ask it, as OpenAPI's runtime expressions.
    """

    operation: str
    status: str
    name: str
    follows: str
    parameters: Mapping[str, str]


LINKS = (
    Link("create_render", "201", "progress", "read_render", {"job_id": _ID}),
    Link("create_composition", "201", "progress", "read_composition", {"job_id": _ID}),
    Link("create_token", "201", "token", "read_token", {"token_id": _ID}),
    Link("create_token", "201", "revoke", "revoke_token", {"token_id": _ID, "header.If-Match": _ETAG}),
    Link("read_token", "200", "revoke", "revoke_token", {"token_id": _ID, "header.If-Match": _ETAG}),
    Link("get_descriptor", "200", "preview", "preview", {"descriptor": _ID}),
)
"""Operations are named by their ids."""

"""What all endpoints share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotations

if TYPE_CHECKING:
    from amper_spark.render.server.database import Database
    from amper_spark.render.server.doors import Doors
    from amper_spark.render.server.jobs import Jobs
    from amper_spark.render.server.links import Signer
    from amper_spark.render.server.metrics import Metrics
    from amper_spark.render.server.settings import ServerSettings
    from amper_spark.render.server.storage import Storage
    from amper_spark.render.server.tokens import Tokens


class Working(Protocol):
    """Whoever works jobs off."""

    def health(self) -> dict[str, Any]:
        """Tell how it is: ``ok``, a boolean, and whatever else people should see."""


@dataclass(frozen=True)
class Service:
    """A server's parts.

    Parameters
    ----------
    settings : ServerSettings
    database : Database
    storage : Storage
    jobs : Jobs
    tokens : Tokens
    doors : Doors
    signer : Signer
    metrics : Metrics
    descriptors : tuple of str
        The names of those that can be asked for.
    working : Working or None
        None: somebody else works the jobs off.
    """

    settings: ServerSettings
    database: Database
    storage: Storage
    jobs: Jobs
    tokens: Tokens
    doors: Doors
    signer: Signer
    metrics: Metrics
    descriptors: tuple[str, ...]
    working: Working | None


async def _service(request: Request) -> Service:  # async: not worth a thread
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]
"""An endpoint's parameter of this type is the server that it belongs to."""

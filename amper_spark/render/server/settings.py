"""How a server is set up: the section ``server`` of the configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from amper_spark.timeline.limits import Limits

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class ServerSettings(BaseModel):
    """Everything about a server that is not told on its command line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: Annotated[int, Field(ge=1, le=64)] | None = None
    """Processes that compose and play; None: one for each core."""
    max_waiting: Count = 1_000
    """Jobs that may wait; beyond them, clients are asked to come back later."""
    max_waiting_per_token: Count = 200
    """Jobs of one token that may wait, so that no token keeps all others from being taken."""
    max_kept_mb_per_token: Positive = 20_000.0
    """What the jobs of one token may keep, files included, until they expire."""
    max_file_mb: Positive = 4_000.0
    """Of a file that is made: a ZIP of stems has 10 MB for each minute of each instrument."""
    keep_hours: Positive = 48.0
    """How long finished jobs and their files can be had."""
    max_duration_s: Annotated[float, Field(gt=0, le=1_800)] = 900.0
    """Of a timeline."""
    max_regions: Count = 500
    """Of a timeline."""
    max_body_kb: Count = 1_024
    """Of a request."""
    requests_per_minute: Count = 600
    """Of one token, over a minute; a tenth of them at once."""
    job_timeout_s: Positive = 60.0
    """Processor time of a job, beside twice the duration of its music; by the clock five times as long."""
    link_lasts_s: Positive = 3_600.0
    """How long a signed link to a file works."""
    make_previews: bool = True
    """Whether workers that have nothing else to do make previews of descriptors."""
    allowed_origins: tuple[str, ...] = ()
    """Web pages of other origins that may use the server from a browser."""

    @property
    def limits(self) -> Limits:
        """How large a timeline the server takes."""
        return Limits(max_duration_s=self.max_duration_s, max_regions=self.max_regions)

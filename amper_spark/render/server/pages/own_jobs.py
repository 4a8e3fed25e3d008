"""Jobs of whoever looks; to whom those of others are as those that there are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amper_spark.render.server.envelopes import RefusalError

if TYPE_CHECKING:
    from amper_spark.render.server.job import Job, JobSummary
    from amper_spark.render.server.service import Service
    from amper_spark.render.server.tokens import Token

VIEW_BYTES = 65_536
"""As with bodies, what takes longer to show counts as more requests: one for each so many bytes."""


def own_job(job_id: str, client: Token, service: Service) -> Job:
    """Find a job with its timelines, and count it as as many requests as these are large.

    Parameters
    ----------
    job_id : str
    client : Token
        Whoever looks.
    service : Service

    Returns
    -------
    Job

    Raises
    ------
    RefusalError
        404: there is none, or it is somebody else's.
    """
    job = service.jobs.find(job_id, client_id=client.id)
    if job is None:
        raise none_such(service)
    service.doors.count_more(client.id, job.n_timeline_bytes // VIEW_BYTES)
    return job


def own_summary(job_id: str, client: Token, service: Service) -> JobSummary:
    """Find a job without its timelines, as `own_job` finds it with them."""
    job = service.jobs.find_summary(job_id, client_id=client.id)
    if job is None:
        raise none_such(service)
    return job


def none_such(service: Service) -> RefusalError:
    """Refuse what is not there, or is somebody else's."""
    detail = f"There is no such music of yours. Music is kept for {service.settings.keep_hours:g} hours."
    return RefusalError(404, "NOT_FOUND", detail)

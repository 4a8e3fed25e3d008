"""The steps of a job from one status to the next, as SQL.

Each is one statement, which either finds the job where it should be, and its worker with it, or changes
nothing: whatever is killed in between, and whoever comes late.
"""

TAKE = """
UPDATE jobs
SET owner = :owner, lease_until = :lease_until, date_update = :now, attempts = attempts + 1,
    progress_percent = 0,
    status = CASE status WHEN 'WAITING_COMPOSE' THEN 'RUNNING_COMPOSE' ELSE 'RUNNING_RENDER' END
WHERE number = (
    SELECT number FROM jobs WHERE status IN ('WAITING_COMPOSE', 'WAITING_RENDER') ORDER BY number LIMIT 1
)
RETURNING *
"""
"""To the worker that asks: what has waited longest."""

RENEW = """
UPDATE jobs
SET lease_until = :lease_until, date_update = :now, progress_percent = coalesce(:progress, progress_percent)
WHERE id = :id AND owner = :owner AND status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')
"""
"""Still in work: the lease begins anew."""

KEEP = """
UPDATE jobs
SET status = 'RUNNING_RENDER', progress_percent = 0, timeline = :timeline, lease_until = :lease_until,
    date_update = :now
WHERE id = :id AND owner = :owner AND status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')
"""
"""From composing to rendering, by the same worker."""

END = """
UPDATE jobs
SET status = :status, timeline = coalesce(:timeline, timeline), files = :files, problem = :problem,
    progress_percent = NULL, owner = NULL, lease_until = NULL, date_update = :now, date_finish = :now,
    kept_bytes = kept_bytes + length(coalesce(:timeline, timeline, '')) + :made_bytes
WHERE id = :id AND owner = :owner AND status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')
"""
"""Ended well, or failed."""

GIVE_UP = """
UPDATE jobs
SET status = 'FAILED_CREATE', progress_percent = NULL, owner = NULL, lease_until = NULL,
    problem = 'it was begun ' || attempts || ' times, and its worker was lost each time',
    deaths = deaths + :deaths, date_update = :now, date_finish = :now
WHERE status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')
    AND (deaths + :deaths >= :max_deaths OR attempts >= :max_attempts)
    AND (owner = :owner OR (:owner IS NULL AND lease_until < :now))
"""
"""From a worker that is lost, begun too often or the death of too many: failed."""

WAIT_AGAIN = """
UPDATE jobs
SET status = CASE status WHEN 'RUNNING_COMPOSE' THEN 'WAITING_COMPOSE' ELSE 'WAITING_RENDER' END,
    progress_percent = NULL, owner = NULL, lease_until = NULL, deaths = deaths + :deaths, date_update = :now
WHERE status IN ('RUNNING_COMPOSE', 'RUNNING_RENDER')
    AND (owner = :owner OR (:owner IS NULL AND lease_until < :now))
"""
"""From a worker that is lost: waits where it was."""

"""Whether a worker lives: it holds a lock on a file, which the kernel takes from it however it ends.

So its jobs need not wait until their leases run out, also where nobody has seen the worker die: its whole
server may have been killed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from amper_spark.render.server.jobs import Jobs
    from amper_spark.render.server.storage import Storage

_NAME_BYTES = 8


def new_owner() -> str:
    """Name a worker as no other one is named."""
    return f"{os.getpid()}-{secrets.token_hex(_NAME_BYTES)}"


def be_present(storage: Storage, owner: str) -> int:
    """Be a worker for as long as this process lives.

    Parameters
    ----------
    storage : Storage
    owner : str
        From `new_owner`.

    Returns
    -------
    int
        Descriptor of the locked file: to close it is to be gone.
    """
    descriptor = os.open(_file(storage, owner), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def is_present(storage: Storage, owner: str) -> bool:
    """Whether a worker lives, in whatever process of this machine."""
    try:
        descriptor = os.open(_file(storage, owner), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def release_jobs_of(storage: Storage, jobs: Jobs, owner: str, *, is_blameless: bool) -> int:
    """Let the jobs of a worker that has died wait again.

    Parameters
    ----------
    storage : Storage
    jobs : Jobs
    owner : str
    is_blameless : bool
        Whether it cannot be the job that it has died of.

    Returns
    -------
    int
        How many were lost.
    """
    _file(storage, owner).unlink(missing_ok=True)
    return jobs.release_lost(owner=owner, is_blameless=is_blameless)


def release_jobs_of_dead(storage: Storage, jobs: Jobs) -> int:
    """Let the jobs of all workers wait again that have died unseen.

    Returns
    -------
    int
        How many were lost.
    """
    dead = [owner for owner in jobs.owners() if not is_present(storage, owner)]
    return sum(release_jobs_of(storage, jobs, owner, is_blameless=True) for owner in dead)


def _file(storage: Storage, owner: str) -> Path:
    return storage.workers / owner

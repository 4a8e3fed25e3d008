"""Orphans: processes whose parent has died, and that the system gives to its first process.

In a container the server may be that process. Nobody else takes leave of them then: each that ends would
stay in the system's table.
"""

from __future__ import annotations

import os
from contextlib import suppress

_FIRST = 1
_LOOKING = os.WEXITED | os.WNOHANG | os.WNOWAIT


def is_first_process() -> bool:
    """Whether orphans come to this process."""
    return os.getpid() == _FIRST


def reap_orphans(*, but: int) -> int:
    """Reap all children that have ended, but for one that somebody else waits for.

    Parameters
    ----------
    but : int
        Its process id.

    Returns
    -------
    int
        How many.
    """
    n_reaped = 0
    with suppress(ChildProcessError):  # there are no children
        while (ended := os.waitid(os.P_ALL, 0, _LOOKING)) is not None and ended.si_pid != but:
            os.waitpid(ended.si_pid, 0)
            n_reaped += 1
    return n_reaped

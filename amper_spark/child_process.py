"""What a child process needs: to die with its parent, to have bounded memory, and a word for how it died.

Imports little, since the decoding process may have to start often.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel end this process, even inside a native call, as soon as its parent has ended.

    Parameters
    ----------
    parent_pid : int
        The parent; where it has ended already, this process ends at once.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)


def limit_memory(memory_mb: int) -> None:
    """Limit the address space, which macOS does not do, and write no core dumps.

    Parameters
    ----------
    memory_mb : int > 0
        In MiB. What the process holds already counts.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        limit, hard = memory_mb << 20, resource.getrlimit(resource.RLIMIT_AS)[1]
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def address_space_mb() -> int:
    """Return the size of this process's address space, in MiB; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize() >> 20


def signal_name(number: int) -> str:
    """Name a signal; real-time ones have none.

    Examples
    --------
    >>> signal_name(9), signal_name(40)
    ('SIGKILL', 'signal 40')
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

"""Tell whether a process that wrote down who it is has died: by proof only, never by guess."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def this_process() -> dict[str, str]:
    """Say who this process is, such that no later one can be taken for it.

    Returns
    -------
    dict of str to str
        ``host``; ``machine`` and ``boot``, which say when that host has started anew; ``namespace``, in which
        numbers of processes are told apart (containers have their own); ``pid``; ``started``.

    Examples
    --------
    >>> is_dead(this_process())
    False
    """
    return {
        "host": socket.gethostname(),
        "machine": _first_line("/etc/machine-id"),
        "boot": _boot(),
        "namespace": _namespace(),
        "pid": str(os.getpid()),
        "started": _started(os.getpid()) or "",
    }


def is_dead(told: Mapping[str, str]) -> bool:
    """Tell whether a process has provably died.

    Parameters
    ----------
    told : mapping of str to str
        What `this_process` said in it.

    Returns
    -------
    bool
        False also where nobody can know from here, as of processes of other machines.
    """
    here = this_process()
    if any(not told.get(name) for name in ("host", "boot", "pid", "started")):
        return False
    if told["boot"] != here["boot"]:
        # The same machine has been started again, and that ended everything.
        same = ("host", "machine")
        return bool(here["machine"]) and all(told.get(name) == here[name] for name in same)
    if told["host"] != here["host"] or told.get("namespace") != here["namespace"]:
        return False
    return _started(int(told["pid"])) != told["started"]


def _started(pid: int) -> str | None:
    if platform.system() == "Linux":
        stat = _first_line(f"/proc/{pid}/stat")
        # The name in brackets may hold anything; the 20th field after it is the start, in ticks since boot.
        fields = stat.rpartition(")")[2].split()
        return fields[19] if fields and fields[0] not in ("Z", "X") else None
    return _said("ps", "-o", "lstart=", "-p", str(pid)) or None


def _boot() -> str:
    if platform.system() == "Linux":
        return _first_line("/proc/sys/kernel/random/boot_id")
    return _said("sysctl", "-n", "kern.bootsessionuuid")


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _first_line(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _said(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""

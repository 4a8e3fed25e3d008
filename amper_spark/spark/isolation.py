"""Work on one record in a process of its own, so that native code which dies takes only that record along.

The first attempt of a Spark task runs records in the Python worker itself: that is fast, and almost always
right. When the worker dies, Spark tries the whole task again; on that attempt each record gets its own
child, and the one that kills its child is quarantined.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import traceback
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast

from amper_spark.child_process import address_space_mb, die_with_parent, limit_memory, signal_name
from amper_spark.errors import BadRecordError, ParameterError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkProcess

    from amper_spark import config

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_GRACE_S = 5.0
# In s a second of audio: what an idle machine needs, many times over.
_SLOWEST_ANALYSIS = 0.1
_SLOWEST_SEPARATION = 0.3


def run_isolated(
    function: Callable[[*Ts], T], *args: *Ts, timeout_s: float, memory_mb: int | None = None
) -> T:
    """Call a function in a forked child and hand back its result.

    The child, and whatever it started in its process group, is gone when this returns.

    Parameters
    ----------
    function : callable
        Needs not be picklable; what it returns must be.
    *args
        Its arguments.
    timeout_s : float > 0
        In s.
    memory_mb : int, optional
        How much memory the child may take beside what this process has already, in MiB.

    Returns
    -------
    object
        What the function returned.

    Raises
    ------
    BadRecordError
        `analysis_crashed` when the child died by a signal or left without a result, `out_of_memory` when it
        ran into MemoryError or was killed as the kernel does when memory runs out, `timed_out`.
    Exception
        What the function raised, with the child's traceback as a note.

    Examples
    --------
    >>> run_isolated(divmod, 7, 3, timeout_s=60)
    (2, 1)
    """
    if not timeout_s > 0:
        raise ParameterError(f"a time limit must be positive, timeout_s={timeout_s}")
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with receiver:
        with sender:
            process = context.Process(
                target=_child, args=(receiver, sender, os.getpid(), timeout_s, memory_mb, function, args)
            )
            process.start()
        try:
            ready = wait([receiver, process.sentinel], timeout_s)
            message = _received(receiver) if ready else None
        finally:
            exit_code = _end(process)
    if message is None:
        raise _post_mortem(exit_code, None if ready else timeout_s)
    result, error, trace = pickle.loads(message)  # noqa: S301 - written by our own child # nosec B301
    if error is not None:
        error.add_note(f"in the isolating process:\n{trace}")
        raise error
    return cast("T", result)


def analysis_limit_s(settings: config.Isolation, duration_s: float, *, without_vocals: bool) -> float:
    """Give how long a recording may be analysed in a process of its own.

    Parameters
    ----------
    settings : amper_spark.config.Isolation
    duration_s : float
        Of the recording.
    without_vocals : bool
        Whether they have to be removed.

    Returns
    -------
    float
        In s.
    """
    slowest = _SLOWEST_ANALYSIS + (_SLOWEST_SEPARATION if without_vocals else 0.0)
    return settings.timeout_s + slowest * duration_s


def record_limit_s(settings: config.Config) -> float:
    """Give the longest that one recording may keep a worker: decoded thrice, analysed without its vocals.

    A decoder that dies is asked twice, and then again where the recording is analysed by itself.

    A Python worker that gives no output for longer is killed.

    Parameters
    ----------
    settings : amper_spark.config.Config

    Returns
    -------
    float
        In s.
    """
    longest_s = settings.analysis.limits.max_duration_s
    analysis_s = analysis_limit_s(settings.isolation, longest_s, without_vocals=True)
    return 3 * settings.decoder.timeout_s + analysis_s


def _child(
    receiver: Connection,
    sender: Connection,
    parent: int,
    timeout_s: float,
    memory_mb: int | None,
    function: Any,
    args: Any,
) -> None:
    receiver.close()
    # Leave no orphan: a worker that Spark kills cannot end its child.
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, timeout_s + _GRACE_S)
    die_with_parent(parent)
    if memory_mb is not None:
        limit_memory(address_space_mb() + memory_mb)
    try:
        message = pickle.dumps((function(*args), None, ""))
    except MemoryError as error:
        detail = f"memory ran out: {error}" if str(error) else "memory ran out"
        message = pickle.dumps((None, BadRecordError(Reason.OUT_OF_MEMORY, detail), ""))
    except Exception as error:  # noqa: BLE001 - it is raised again on the other side
        message = pickle.dumps((None, _portable(error), traceback.format_exc()))
    sender.send_bytes(message)


def _portable(error: Exception) -> Exception:
    """Return the error if it survives pickling, else a RuntimeError with its words."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes # nosec B301
    except Exception:  # noqa: BLE001 - pickling runs the error's own code, which may raise anything
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _received(receiver: Connection) -> bytes | None:
    try:
        return receiver.recv_bytes() if receiver.poll() else None
    except (EOFError, OSError):
        return None


def _end(process: ForkProcess) -> int:
    """End the child and its group, reap it and return its exit code: its own, if it was dead already."""
    assert process.pid is not None  # noqa: S101 - it was started
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # Before it is reaped: until then nobody else can bear its number.
        os.killpg(process.pid, signal.SIGKILL)
    # The child makes itself a group; until it has come to that, there is only the child to kill.
    process.kill()
    process.join()
    exit_code = process.exitcode
    process.close()
    assert exit_code is not None  # noqa: S101 - it was joined
    return exit_code


def _post_mortem(exit_code: int, timeout_s: float | None) -> BadRecordError:
    """Say why there is no result; `timeout_s` is given when the time was up."""
    if exit_code == -signal.SIGALRM or (exit_code == -signal.SIGKILL and timeout_s is not None):
        detail = "the analysis took too long" + (f": more than {timeout_s:g} s" if timeout_s else "")
        return BadRecordError(Reason.TIMED_OUT, detail)
    if exit_code == -signal.SIGKILL:
        detail = "the analysis was killed (SIGKILL), as the kernel does when memory runs out"
        return BadRecordError(Reason.OUT_OF_MEMORY, detail)
    if exit_code < 0:
        return BadRecordError(Reason.ANALYSIS_CRASHED, f"the analysis died by {signal_name(-exit_code)}")
    return BadRecordError(
        Reason.ANALYSIS_CRASHED, f"the analysis left its process with status {exit_code} and no result"
    )

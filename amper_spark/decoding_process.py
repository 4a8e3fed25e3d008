"""The parent's end of the decoding process: start it, ask it, wait for it, say how it died."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import select
import signal
import site
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

import amper_spark
from amper_spark.child_process import signal_name
from amper_spark.errors import Reason

if TYPE_CHECKING:
    from amper_spark.audio import Samples

_KILL_TIMEOUT_S = 10.0
_PIPE_BYTES = 1 << 19  # a block and more, so that the process decodes the next one meanwhile
_MESSAGE_BYTES = 500
_MAX_POLL_MS = 2**31 - 1  # 24 days


class DiedError(Exception):
    """The process has closed its end."""


class EndedError(Exception):
    """The process has been ended by this one."""


class SilentError(Exception):
    """The process has not answered in time."""


class DecodingProcess:
    """One process of `amper_spark.decoder_child`.

    Parameters
    ----------
    memory_mb : int > 0
        Limit of its address space, in MiB.

    Attributes
    ----------
    parent_pid : int
        The process that has started it; in a fork of that, it is another's.
    patience_s : float
        How long answers may yet be waited for, all in all. The time between them does not count.
    is_busy : bool
        Whether an answer to the last request is still to come.
    """

    def __init__(self, memory_mb: int) -> None:
        self.parent_pid = os.getpid()
        self.patience_s = math.inf
        self.is_busy = False
        self._messages = _memory_file()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "amper_spark.decoder_child", str(memory_mb), str(self.parent_pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            env=_environment(),
        )
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._received = b""
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # there is a limit for all pipes of a user
                fcntl.fcntl(self._answers, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def send(self, request: dict[str, Any]) -> None:
        """Send a request."""
        self._messages.seek(0)  # both ends share the position
        self._messages.truncate()
        self.is_busy = True
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.flush()
        except BrokenPipeError:
            raise DiedError from None

    def receive(self) -> dict[str, Any]:
        """Wait for an answer, asleep; none comes once this is stopped, not even one that has arrived."""
        if self._answers.closed:
            raise EndedError
        while b"\n" not in self._received:
            self._wait()
            content = os.read(self._answers.fileno(), _PIPE_BYTES)
            if not content:
                raise DiedError
            self._received += content
        line, _, self._received = self._received.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def receive_samples(self, shape: tuple[int, ...]) -> Samples:
        """Wait for the samples that an answer has announced."""
        samples = np.empty(shape, dtype=np.float32)
        content = samples.data.cast("B")
        filled = min(len(self._received), len(content))
        content[:filled] = self._received[:filled]
        self._received = self._received[filled:]
        while filled < len(content):
            self._wait()
            n_bytes = os.readv(self._answers.fileno(), [content[filled:]])
            if not n_bytes:
                raise DiedError
            filled += n_bytes
        return samples

    def _wait(self) -> None:
        if self._answers.closed:
            raise EndedError
        start_s = time.monotonic()
        ready = self._poll.poll(min(math.ceil(1000 * max(self.patience_s, 0)), _MAX_POLL_MS))
        self.patience_s -= time.monotonic() - start_s
        if not ready:
            raise SilentError

    def stop(self) -> None:
        """Kill the process; one that the kernel holds on to is left to it."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_TIMEOUT_S)
        self._close_files()

    def forget(self) -> None:
        """Let go of another process's child, without touching it."""
        self._process.returncode = 0  # it cannot be waited for here, nor is it to be complained about
        self._close_files()

    def obituary(self) -> str:
        """Say how the process died, and what it said last; its remains are cleared away."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_TIMEOUT_S)
        status, message = self._process.returncode, self._last_message()
        self.stop()
        sentence = f"the decoding process {_cause_of_death(status)}"
        return f"{sentence}: {message}" if message else sentence

    def reason(self) -> Reason:
        """Tell a death for want of memory, of which the kernel's is SIGKILL, from all others."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_TIMEOUT_S)
        was_killed = self._process.returncode == -signal.SIGKILL
        return Reason.OUT_OF_MEMORY if was_killed else Reason.DECODER_CRASHED

    def _last_message(self) -> str:
        """Return the last line that the process, or a C library in it, has printed."""
        size = self._messages.seek(0, os.SEEK_END)
        self._messages.seek(max(0, size - _MESSAGE_BYTES))
        lines = self._messages.read().decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _close_files(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # a request that nobody has taken
            self._requests.close()
        self._answers.close()
        self._messages.close()


def _cause_of_death(status: int | None) -> str:
    if status is None:
        return "hung up"
    if status >= 0:
        return f"ended with status {status}"
    return f"died by {signal_name(-status)}"


def _memory_file() -> IO[bytes]:
    """Create a file without a name: in memory where the system can, else on disk."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("messages"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _environment() -> dict[str, str]:
    """Let the process find this package, and do with one thread: memory counts by the address space."""
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}
    root = os.fspath(Path(amper_spark.__file__).parents[1])
    if root not in site.getsitepackages():  # a checkout, or an archive that Spark has put on sys.path
        given = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{given}{os.pathsep}{root}" if given else root
    return environment

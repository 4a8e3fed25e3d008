"""Decode recordings in a process of their own: a crash, a hang or greed costs its record, nothing else.

The process (`amper_spark.decoder_child`) is kept between recordings and started again when it has died.
Samples arrive through a file in memory that both processes hold open. They are copied out of it from the
end, and the file shrinks as they are, so that a recording is never in memory twice: 1.3 GB for 4 hours.
"""

from __future__ import annotations

import contextlib
import errno
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
from amper_spark import config
from amper_spark.audio import Samples, Signal
from amper_spark.child_process import signal_name
from amper_spark.errors import AmperSparkError, BadRecordError, Reason

if TYPE_CHECKING:
    from types import TracebackType

_START_TIMEOUT_S = 120.0
_KILL_TIMEOUT_S = 10.0
_COPY_BYTES = 64 << 20
_MESSAGE_BYTES = 500
_OF_THE_PROCESS = (Reason.DECODER_CRASHED, Reason.OUT_OF_MEMORY)
_MAX_POLL_MS = 2**31 - 1  # 24 days


class _DiedError(Exception):
    """The process has closed its end."""


class _SilentError(Exception):
    """The process has not answered in time."""


class Decoder:
    """Decodes recordings in a child process.

    The process is started by the first recording, and again after it died. It ends with this object and
    with this process, however that ends. After a fork each process has its own. One object serves one
    thread at a time, and the process does not outlive the thread that started it.

    Parameters
    ----------
    settings : amper_spark.config.Decoder, optional
        Limits of the process: time for a recording, memory.
    limits : amper_spark.config.Limits, optional
        Which recordings are accepted.

    Examples
    --------
    >>> import soundfile
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file, Decoder() as decoder:
    ...     soundfile.write(file.name, np.full(66_150, 0.5), 44_100)
    ...     decoder.decode(file.name).duration_s
    1.5
    """

    def __init__(self, settings: config.Decoder | None = None, limits: config.Limits | None = None) -> None:
        self._settings = settings or config.Decoder()
        self._limits = limits or config.Limits()
        self._child: _Child | None = None

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if there is one; a later `decode` starts another."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.parent_pid == os.getpid():
            child.stop()
        else:
            child.forget()

    def decode(self, path: str | bytes | os.PathLike[str]) -> Signal:
        """Decode a recording, see `amper_spark.audio.decode`.

        Parameters
        ----------
        path : str, bytes or path-like
            A file. On Linux an open descriptor ``fd`` of this process, such as a file in memory, has the
            path ``f"/proc/{os.getpid()}/fd/{fd}"``.

        Returns
        -------
        Signal
            Its samples belong to the caller.

        Raises
        ------
        BadRecordError
            What `amper_spark.audio.decode` raises, and ``decoder_crashed``, ``timed_out``, ``out_of_memory``.
        OSError
            Trouble that is not the recording's fault: no permission, an input/output error, no room for the
            samples.
        AmperSparkError
            The process cannot be started.
        """
        try:
            return self._decode(path)
        except BadRecordError as error:
            if error.reason not in _OF_THE_PROCESS:
                raise
        # Perhaps the recordings before it have left the process in ruins: another one decides.
        return self._decode(path)

    def _decode(self, path: str | bytes | os.PathLike[str]) -> Signal:
        name = os.fsencode(Path(os.fsdecode(path)).absolute()).hex()
        child = self._hand_over({"path": name, "limits": self._limits.model_dump()})
        try:
            answer = child.receive(self._settings.timeout_s)
            if answer["is"] == "signal":
                samples = child.take_samples(answer["n_samples"])
                return Signal(samples, answer["source_rate"], answer["source_channels"])
        except _SilentError:
            self.close()
            detail = f"not decoded within {self._settings.timeout_s:g} s"
            raise BadRecordError(Reason.TIMED_OUT, detail) from None
        except _DiedError:
            self._child = None
            raise BadRecordError(child.reason(), child.obituary()) from None
        except BaseException:
            self.close()  # an answer that still comes must not be taken for the next recording's
            raise
        child.clear()  # what a recording that proved too long leaves behind is big
        if answer["is"] == "bad":
            raise BadRecordError(Reason(answer["reason"]), answer["detail"])
        raise OSError(answer["errno"], answer["message"], os.fsdecode(path))

    def _hand_over(self, request: dict[str, Any]) -> _Child:
        """Give a request to the process, to another one if it died before it began with it."""
        obituary = ""
        for _ in range(2):
            child = self._own_child()
            try:
                child.send(request)
                child.receive(_START_TIMEOUT_S)
            except _DiedError:
                self._child = None
                obituary = child.obituary()
            except _SilentError:
                self.close()
                obituary = f"no sign of life within {_START_TIMEOUT_S:g} s"
            except BaseException:
                self.close()
                raise
            else:
                return child
        raise AmperSparkError(f"the decoding process does not start: {obituary}")

    def _own_child(self) -> _Child:
        if self._child is not None and self._child.parent_pid != os.getpid():
            self.close()
        if self._child is None:
            self._child = _Child(self._settings.memory_mb)
        return self._child


class _Child:
    """One decoding process and the files shared with it."""

    def __init__(self, memory_mb: int) -> None:
        self.parent_pid = os.getpid()
        self._samples = _memory_file("samples")
        self._messages = _memory_file("messages")
        arguments = (self._samples.fileno(), memory_mb, self.parent_pid)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "amper_spark.decoder_child", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            env=_environment(),
            pass_fds=[self._samples.fileno()],
        )
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._received = b""

    def send(self, request: dict[str, Any]) -> None:
        """Send a request."""
        self.clear()
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            self._requests.flush()
        except BrokenPipeError:
            raise _DiedError from None

    def clear(self) -> None:
        """Drop the samples and messages of the last recording; both ends share the position, too."""
        for file in (self._samples, self._messages):
            file.seek(0)
            file.truncate()

    def receive(self, timeout_s: float) -> dict[str, Any]:
        """Wait for an answer, asleep."""
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._received:
            left_s = deadline - time.monotonic()
            left_ms = min(math.ceil(1000 * left_s), _MAX_POLL_MS)
            if left_s <= 0 or not self._poll.poll(left_ms):
                raise _SilentError
            content = os.read(self._answers.fileno(), 1 << 16)
            if not content:
                raise _DiedError
            self._received += content
        line, _, self._received = self._received.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def take_samples(self, n_samples: int) -> Samples:
        """Copy the samples from the end, and let go of what has been copied."""
        try:
            samples = np.empty(n_samples, dtype=np.float32)
        except MemoryError:
            detail = f"this process has no room for the {n_samples} samples"
            raise BadRecordError(Reason.OUT_OF_MEMORY, detail) from None
        content = samples.data.cast("B")
        for start in reversed(range(0, len(content), _COPY_BYTES)):
            part = content[start : start + _COPY_BYTES]
            if os.preadv(self._samples.fileno(), [part], start) != len(part):
                raise OSError(errno.EIO, "the decoding process has left fewer samples than it says")
            self._samples.truncate(start)
        return samples

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
        for file in (self._answers, self._samples, self._messages):
            file.close()


def _cause_of_death(status: int | None) -> str:
    if status is None:
        return "hung up"
    if status >= 0:
        return f"ended with status {status}"
    return f"died by {signal_name(-status)}"


def _memory_file(name: str) -> IO[bytes]:
    """Create a file without a name: in memory where the system can, else on disk."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create(name), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _environment() -> dict[str, str]:
    """Let the process find this package, and do with one thread: memory counts by the address space."""
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}
    root = os.fspath(Path(amper_spark.__file__).parents[1])
    if root not in site.getsitepackages():  # a checkout, or an archive that Spark has put on sys.path
        given = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{given}{os.pathsep}{root}" if given else root
    return environment

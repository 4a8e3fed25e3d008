"""Decode recordings in a process of their own: a crash, a hang or greed costs its record, nothing else.

The process (`amper_spark.decoder_child`) is kept between recordings and started again when it has died.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from amper_spark import config
from amper_spark.audio import MONO, Layout, Samples, Signal
from amper_spark.decoding_process import DecodingProcess, DiedError, EndedError, SilentError
from amper_spark.errors import AmperSparkError, BadRecordError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_START_TIMEOUT_S = 120.0
_OF_THE_PROCESS = (Reason.DECODER_CRASHED, Reason.OUT_OF_MEMORY)


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
    >>> import tempfile, soundfile
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file, Decoder() as decoder:
    ...     soundfile.write(file.name, np.full(66_150, 0.5), 44_100)
    ...     decoder.decode(file.name).duration_s
    1.5
    """

    def __init__(self, settings: config.Decoder | None = None, limits: config.Limits | None = None) -> None:
        self._settings = settings or config.Decoder()
        self._limits = limits or config.Limits()
        self._process: DecodingProcess | None = None

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def timeout_s(self) -> float:
        """How long a recording may be waited for, in s."""
        return self._settings.timeout_s

    def close(self) -> None:
        """End the process, if there is one; a later `decode` starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.parent_pid == os.getpid():
            process.stop()
        else:
            process.forget()

    def decode(self, path: str | bytes | os.PathLike[str]) -> Signal:
        """Decode a whole recording, see `amper_spark.audio.decode`.

        Parameters
        ----------
        path : str, bytes or path-like
            See `stream`.

        Returns
        -------
        Signal
            Its samples belong to the caller.

        Raises
        ------
        BadRecordError, OSError, AmperSparkError
            See `stream`.
        """
        samples = bytearray()  # grows in place, where a list of blocks would be held twice
        for block in self.stream(path):
            samples += block.data
        return Signal(np.frombuffer(samples, dtype=np.float32))

    def stream(self, path: str | bytes | os.PathLike[str], *, layout: Layout = MONO) -> Iterator[Samples]:
        """Decode a recording while its samples are being used, in bounded memory.

        Parameters
        ----------
        path : str, bytes or path-like
            A file. On Linux an open descriptor ``fd`` of this process, such as a file in memory, has the
            path ``f"/proc/{os.getpid()}/fd/{fd}"``.
        layout : amper_spark.audio.Layout

        Yields
        ------
        np.ndarray [shape=(sample,) or (sample, 2), dtype=float32]
            See `amper_spark.audio.decode_blocks`. One recording at a time: to ask for another one before
            the last block ends this one.

        Raises
        ------
        BadRecordError
            What `amper_spark.audio.decode` raises, and ``decoder_crashed``, ``timed_out``, ``out_of_memory``;
            some of it not before the last block.
        OSError
            Trouble that is not the recording's fault: no permission, an input/output error.
        AmperSparkError
            The process cannot be started, or the recording was let go of: by another call before the last
            block, or by `close`.
        """
        n_given = 0
        try:
            for block in self._blocks(path, layout):
                n_given += len(block)
                yield block
        except BadRecordError as error:
            if error.reason not in _OF_THE_PROCESS:
                raise
        else:
            return
        # Perhaps the recordings before it have left the process in ruins: another one decides, and goes on
        # where this one has died. What it decodes on the way there is the same.
        for block in self._blocks(path, layout):
            n_skipped = min(n_given, len(block))
            n_given -= n_skipped
            if n_skipped < len(block):
                yield block[n_skipped:]

    def _blocks(self, path: str | bytes | os.PathLike[str], layout: Layout) -> Iterator[Samples]:
        name = os.fsencode(Path(os.fsdecode(path)).absolute()).hex()
        request = {"path": name, "limits": self._limits.model_dump(), "layout": layout}
        process = self._hand_over(request)
        try:
            process.patience_s = self._settings.timeout_s
            while (answer := process.receive())["is"] == "samples":
                yield process.receive_samples(answer["shape"])
        except SilentError:
            self._give_up(process)
            detail = f"not decoded within {self._settings.timeout_s:g} s"
            raise BadRecordError(Reason.TIMED_OUT, detail) from None
        except DiedError:
            reason, detail = process.reason(), process.obituary()
            self._give_up(process)
            raise BadRecordError(reason, detail) from None
        except EndedError:
            raise AmperSparkError(
                f"{os.fsdecode(path)} was let go of half-way: "
                "the decoder was closed, or asked for another recording"
            ) from None
        except BaseException:
            self._give_up(process)  # answers that still come must not be taken for the next recording's
            raise
        process.is_busy = False
        if answer["is"] == "bad":
            raise BadRecordError(Reason(answer["reason"]), answer["detail"])
        if answer["is"] == "os_error":
            raise OSError(answer["errno"], answer["message"], os.fsdecode(path))

    def _hand_over(self, request: dict[str, Any]) -> DecodingProcess:
        """Give a request to the process, to another one if it died before it began with it."""
        obituary = ""
        for _ in range(2):
            process = self._own_process()
            try:
                process.patience_s = _START_TIMEOUT_S
                process.send(request)
                process.receive()
            except DiedError:
                obituary = process.obituary()
                self._give_up(process)
            except SilentError:
                self._give_up(process)
                obituary = f"no sign of life within {_START_TIMEOUT_S:g} s"
            except BaseException:
                self._give_up(process)
                raise
            else:
                return process
        raise AmperSparkError(f"the decoding process does not start: {obituary}")

    def _own_process(self) -> DecodingProcess:
        process = self._process
        if process is not None and (process.parent_pid != os.getpid() or process.is_busy):
            self.close()
        if self._process is None:
            self._process = DecodingProcess(self._settings.memory_mb)
        return self._process

    def _give_up(self, process: DecodingProcess) -> None:
        """End a process, unless that has been done: a recording may be let go of after the next has begun."""
        if process is self._process:
            self.close()

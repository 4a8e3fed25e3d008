"""The decoding process of `amper_spark.decoder`: a request a line in, answers and samples out.

``python -m amper_spark.decoder_child MEMORY_MB PARENT_PID``

Requests come on standard input and answers go to standard output, both as JSON, a line each. The process
lives until its input ends or its parent does. It imports little, since it may have to start often.

======== ===========================================================================================
request  ``path`` (hexadecimal, so that any bytes survive), ``limits`` (see `amper_spark.audio.decode`),
         ``layout`` (rate and channels, see `amper_spark.audio.Layout`)
answers  ``{"is": "started"}``: from here on, a death is the recording's fault; then any number of
         ``samples`` with ``shape``, each followed by so many 32-bit floats; at last ``end``;
         or ``bad`` with ``reason``, ``detail``; or ``os_error`` with ``errno``, ``message``
======== ===========================================================================================

It waits while nobody takes its samples, so that neither end ever holds more than a block of them.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, Any

from amper_spark.audio import Layout, decode_blocks
from amper_spark.audio_file import open_audio
from amper_spark.child_process import die_with_parent, limit_memory
from amper_spark.errors import BadRecordError, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

Answer = dict[str, Any]


def main(memory_mb: int, parent_pid: int) -> None:
    """Answer requests until there are no more.

    Parameters
    ----------
    memory_mb : int > 0
        Limit of the address space, in MiB.
    parent_pid : int
        The process whose end is also the end of this one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to act on
    die_with_parent(parent_pid)
    limit_memory(memory_mb)
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what C libraries print is no answer
    for line in sys.stdin.buffer:
        _say(answers, {"is": "started"})
        answer = _answer(json.loads(line), answers)
        _say(answers, answer)
        if answer.get("reason") == Reason.OUT_OF_MEMORY:
            return  # C libraries seldom clean up when they run out of it: better start afresh


def _answer(request: Mapping[str, Any], answers: int) -> Answer:
    try:
        return _decode(request, answers)
    except BadRecordError as error:
        return {"is": "bad", "reason": error.reason, "detail": error.detail}
    except MemoryError:
        limit_mb = resource.getrlimit(resource.RLIMIT_AS)[0] >> 20
        detail = f"decoding needs more than the {limit_mb} MiB that the decoder may have"
        return {"is": "bad", "reason": Reason.OUT_OF_MEMORY, "detail": detail}
    except OSError as error:
        return {"is": "os_error", "errno": error.errno, "message": error.strerror or str(error)}


def _decode(request: Mapping[str, Any], answers: int) -> Answer:
    limits = request["limits"]
    with open_audio(bytes.fromhex(request["path"])) as file:
        for block in decode_blocks(
            file,
            min_duration_s=limits["min_duration_s"],
            max_duration_s=limits["max_duration_s"],
            silence_dbfs=limits["silence_dbfs"],
            layout=Layout(*request["layout"]),
        ):
            if block.size:
                _say(answers, {"is": "samples", "shape": block.shape})
                _write(answers, block.data.cast("B"))
    return {"is": "end"}


def _write(fd: int, content: memoryview) -> None:
    written = 0
    while written < len(content):
        written += os.write(fd, content[written:])


def _say(answers: int, answer: Answer) -> None:
    _write(answers, memoryview(json.dumps(answer).encode() + b"\n"))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

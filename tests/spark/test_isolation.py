from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from amper_spark.errors import BadRecordError, ParameterError, Reason
from amper_spark.spark.isolation import run_isolated

if TYPE_CHECKING:
    from pathlib import Path

LONG_S = 60.0


def _die_by(number: int) -> None:
    # The kernel's default action, without the report of pytest's fault handler.
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.pause()


def test_the_result_comes_back():
    assert run_isolated(bytes, 3_000_000, timeout_s=LONG_S) == bytes(3_000_000)


def test_it_is_another_process():
    assert run_isolated(os.getpid, timeout_s=LONG_S) != os.getpid()


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGABRT, "SIGABRT"), (40, "signal 40")]
)
def test_death_by_a_signal_is_named(number, name):
    with pytest.raises(BadRecordError, match=name) as caught:
        run_isolated(_die_by, number, timeout_s=LONG_S)

    assert caught.value.reason is Reason.ANALYSIS_CRASHED


def test_the_out_of_memory_killer_means_out_of_memory():
    with pytest.raises(BadRecordError, match="memory") as caught:
        run_isolated(lambda: os.kill(os.getpid(), signal.SIGKILL), timeout_s=LONG_S)

    assert caught.value.reason is Reason.OUT_OF_MEMORY


def test_memory_error_means_out_of_memory():
    with pytest.raises(BadRecordError) as caught:
        run_isolated(lambda: bytearray(1 << 60), timeout_s=LONG_S)

    assert caught.value.reason is Reason.OUT_OF_MEMORY


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit address spaces")
def test_memory_is_limited_beside_what_the_process_has():
    assert run_isolated(len, bytes(100 << 20), timeout_s=LONG_S, memory_mb=64) == 100 << 20
    with pytest.raises(BadRecordError) as caught:
        run_isolated(bytearray, 256 << 20, timeout_s=LONG_S, memory_mb=64)

    assert caught.value.reason is Reason.OUT_OF_MEMORY


def test_leaving_without_a_result_is_a_crash():
    with pytest.raises(BadRecordError, match="status 7") as caught:
        run_isolated(os._exit, 7, timeout_s=LONG_S)

    assert caught.value.reason is Reason.ANALYSIS_CRASHED


def test_a_hang_is_ended():
    with pytest.raises(BadRecordError, match=r"0\.2 s") as caught:
        run_isolated(signal.pause, timeout_s=0.2)

    assert caught.value.reason is Reason.TIMED_OUT


def test_a_bad_record_stays_one():
    def refuse() -> None:
        raise BadRecordError(Reason.SILENT, "peak -91 dBFS")

    with pytest.raises(BadRecordError) as caught:
        run_isolated(refuse, timeout_s=LONG_S)

    assert (caught.value.reason, caught.value.detail) == (Reason.SILENT, "peak -91 dBFS")


def test_exceptions_pass_with_their_traceback():
    def fail_here() -> None:
        raise FileNotFoundError(2, "No such file or directory", "song.ogg")

    with pytest.raises(FileNotFoundError) as caught:
        run_isolated(fail_here, timeout_s=LONG_S)

    assert caught.value.filename == "song.ogg"
    assert "fail_here" in "".join(caught.value.__notes__)


def test_an_exception_that_cannot_travel_keeps_its_words():
    class LocalError(Exception):
        pass

    def fail() -> None:
        raise LocalError("the words")

    with pytest.raises(RuntimeError, match="LocalError: the words"):
        run_isolated(fail, timeout_s=LONG_S)


def test_a_result_that_cannot_travel_is_an_error():
    with pytest.raises(Exception, match="pickle"):
        run_isolated(lambda: lambda: None, timeout_s=LONG_S)


def test_nothing_is_left_behind():
    me = psutil.Process()
    run_isolated(int, timeout_s=LONG_S)
    descriptors = me.num_fds()
    children = me.children()

    for number in range(20):
        if number % 2:
            run_isolated(int, timeout_s=LONG_S)
        else:
            with pytest.raises(BadRecordError):
                run_isolated(os._exit, 1, timeout_s=LONG_S)

    assert me.num_fds() == descriptors
    assert me.children() == children


def test_what_the_child_started_ends_with_it():
    def start_and_leave() -> int:
        return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]).pid

    pid = run_isolated(start_and_leave, timeout_s=LONG_S)

    # It is nobody's child here, so its end is seen, not waited for; a zombie has ended.
    psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], timeout=30)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the child ends with its time limit only")
def test_the_child_dies_with_its_parent(tmp_path: Path):
    script = """
import os, signal, sys
from amper_spark.spark.isolation import run_isolated

def tell_and_wait():
    print(os.getpid(), flush=True)
    signal.pause()

run_isolated(tell_and_wait, timeout_s=600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        psutil.wait_procs([child], timeout=30)

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_limit_must_be_positive():
    with pytest.raises(ParameterError, match="timeout_s=0"):
        run_isolated(int, timeout_s=0)

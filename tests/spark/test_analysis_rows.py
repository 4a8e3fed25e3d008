from __future__ import annotations

import ctypes
import os
import signal
import sys

import numpy as np
import psutil
import pytest

from amper_spark import config
from amper_spark.analysis import analyse_blocks
from amper_spark.config import Analysis, Isolation
from amper_spark.decoder import Decoder
from amper_spark.errors import AmperSparkError, BadRecordError, ParameterError
from amper_spark.spark import analysis_rows
from amper_spark.spark.analysis_rows import analysis_row
from amper_spark.spark.schemas import ANALYSES


@pytest.fixture
def decoder():
    with Decoder() as process:
        yield process


def row_of(file, decoder, **options):
    return analysis_row(file.as_uri(), etag=None, decoder=decoder, settings=Analysis(), **options)


def test_a_row_has_what_the_recording_says_of_itself(make_file, decoder):
    row = row_of(make_file("wav"), decoder)
    assert row["outcome"] == "done"
    assert set(row) < set(ANALYSES.schema.names)
    assert [window["window"] for window in row["windows"]] == [0]


def test_a_retried_recording_gives_the_same_row(make_file, decoder):
    file = make_file("wav")
    assert row_of(file, decoder, attempt=1) == row_of(file, decoder) | {"attempt": 1}


@pytest.mark.parametrize("error", [np.linalg.LinAlgError, ZeroDivisionError, ParameterError])
def test_an_unforeseen_error_is_retried_and_then_the_recordings(make_file, decoder, monkeypatch, error):
    file = make_file("wav")
    row_of(file, decoder, attempt=1)  # warm

    def fail(blocks, settings):
        raise error("it does not converge")

    monkeypatch.setattr(analysis_rows, "analyse_blocks", fail)
    with pytest.raises(error):
        row_of(file, decoder)
    row = row_of(file, decoder, attempt=1)
    assert (row["outcome"], row["reason"]) == ("quarantined", "analysis_crashed")
    assert "it does not converge" in row["detail"]


def test_trouble_that_is_not_the_recordings_is_raised(make_file, decoder, monkeypatch):
    file = make_file("wav")

    def fail(blocks, settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(analysis_rows, "_warm_up", lambda settings: None)
    monkeypatch.setattr(analysis_rows, "analyse_blocks", fail)
    with pytest.raises(OSError, match="No space"):
        row_of(file, decoder, attempt=2)


def die(blocks):
    # The kernel's default action, without the report of pytest's fault handler.
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(blocks):
    signal.sigtimedwait([], 30.0)  # not for ever, so that whoever sets no limit is found out


def be_greedy(blocks):
    bytearray(1 << 30)  # never touched: where it is allowed, it costs nothing


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="macOS does not limit address spaces")


@pytest.mark.parametrize(
    ("misbehave", "isolation", "reason", "detail"),
    [
        (die, Isolation(), "analysis_crashed", "SIGSEGV"),
        (hang, Isolation(timeout_s=0.5), "timed_out", "1.8 s"),
        pytest.param(
            be_greedy, Isolation(memory_mb=256), "out_of_memory", "memory ran out", marks=linux_only
        ),
    ],
)
def test_a_retried_recording_takes_only_itself_along(
    make_file, monkeypatch, misbehave, isolation, reason, detail
):
    file, this, worker = make_file("wav"), psutil.Process(), os.getpid()

    def misbehave_half_way(blocks, settings):
        if os.getpid() == worker:
            pytest.fail("analysed in the worker itself")
        next(iter(blocks))  # its own decoding process is at work by now
        misbehave(blocks)
        return analyse_blocks(blocks, settings)

    with Decoder(config.Decoder(timeout_s=1.0)) as decoder:
        expected = row_of(file, decoder, attempt=1)
        before = this.num_fds(), this.children()
        with monkeypatch.context() as patch:
            patch.setattr(analysis_rows, "analyse_blocks", misbehave_half_way)
            row = row_of(file, decoder, attempt=1, isolation=isolation)
        assert (row["outcome"], row["reason"]) == ("quarantined", reason)
        assert detail in row["detail"]
        assert (this.num_fds(), this.children()) == before
        assert row_of(file, decoder) == expected | {"attempt": 0}
        assert this.children() == before[1]


@pytest.fixture
def adopted():
    """Make this process the parent of its orphaned descendants, and return a function that lists them."""
    before = psutil.Process().children()
    subreaper = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
    libc = ctypes.CDLL(None)
    libc.prctl(subreaper, 1)

    def orphans():
        return [child for child in psutil.Process().children() if child not in before]

    yield orphans
    libc.prctl(subreaper, 0)
    for orphan in orphans():
        orphan.kill()
        os.waitpid(orphan.pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="processes adopt orphans on Linux only")
def test_a_retried_recording_clears_its_decoding_process_away(make_file, decoder, adopted):
    file = make_file("wav")
    assert row_of(file, decoder)["outcome"] == "done"
    (own,) = adopted()
    assert row_of(file, decoder, attempt=1)["outcome"] == "done"
    assert adopted() == [own]
    decoder.close()
    assert adopted() == []


@pytest.mark.parametrize("worker_has_one", [True, False])
def test_a_decoder_that_cannot_be_started_is_no_recordings_fault(
    make_file, decoder, tmp_path, monkeypatch, worker_has_one
):
    file = make_file("wav")
    row_of(file, decoder, attempt=1)
    if not worker_has_one:
        decoder.close()
    (tmp_path / "soundfile.py").write_text("raise ImportError('no libsndfile here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(AmperSparkError, match="no libsndfile") as caught:
        row_of(file, decoder, attempt=1)
    assert not isinstance(caught.value, BadRecordError)

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from amper_spark import audio, config
from amper_spark.audio_file import open_audio
from amper_spark.decoder import Decoder
from amper_spark.errors import AmperSparkError, BadRecordError, Reason

LIMITS = config.Limits().model_dump()


def decoding_processes(pid=None):
    """Find the decoding processes of a process, this one by default."""
    children = psutil.Process(pid).children()
    return {child for child in children if "amper_spark.decoder_child" in child.cmdline()}


def wait_until_gone(process):
    _, alive = psutil.wait_procs([process], timeout=30)
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


@pytest.fixture(scope="module")
def decoder(decoder_faults):
    with Decoder() as decoder:
        yield decoder


@pytest.fixture
def child(decoder, make_file):
    """The decoding process of the decoder, at work."""
    decoder.decode(make_file("8_bit_8_khz_mono"))
    (child,) = decoding_processes()
    return child


@pytest.fixture
def named(make_file):
    """A good file under another name."""

    def rename(name):
        path = make_file("wav")
        return path.rename(path.with_name(name))

    return rename


def test_good_files_decode_as_in_this_process(good_kind, make_file, decoder):
    path = make_file(good_kind)
    here, there = audio.decode(path), decoder.decode(path)
    np.testing.assert_array_equal(there.samples, here.samples)
    assert there.samples.dtype == np.float32
    assert there.samples.flags.writeable


def test_damaged_files_decode_as_in_this_process(damaged_kind, damaged_files, decoder):
    path = damaged_files[damaged_kind]
    np.testing.assert_array_equal(decoder.decode(path).samples, audio.decode(path).samples)


def test_refused_files_are_refused_alike(refused_kind, make_file, decoder):
    path = make_file(refused_kind)
    with pytest.raises(BadRecordError) as here:
        audio.decode(path, **LIMITS)
    with pytest.raises(BadRecordError) as there:
        decoder.decode(path)
    assert (there.value.reason, there.value.detail) == (here.value.reason, here.value.detail)


def test_one_process_serves_all(child, make_file, decoder):
    for kind in ("nan", "m4a", "zero_bytes", "missing", "quiet"):
        with pytest.raises(BadRecordError):
            decoder.decode(make_file(kind))
    decoder.decode(make_file("wav"))
    assert decoding_processes() == {child}


def test_samples_stay_when_the_next_recording_comes(make_file, decoder):
    first = decoder.decode(make_file("flac"))
    copy = first.samples.copy()
    decoder.decode(make_file("8_bit_8_khz_mono"))
    np.testing.assert_array_equal(first.samples, copy)


def test_blocks_are_the_recording(make_file, decoder):
    path = make_file("flac")
    blocks = list(decoder.stream(path))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), audio.decode(path).samples)


def test_blocks_may_be_stereo(good_kind, make_file, decoder):
    path = make_file(good_kind)
    with open_audio(path) as file:
        here = np.concatenate(list(audio.decode_blocks(file, layout=audio.STEREO)))
    np.testing.assert_array_equal(np.concatenate(list(decoder.stream(path, layout=audio.STEREO))), here)


def test_a_recording_that_is_let_go_of_does_not_spoil_the_next(make_file, decoder):
    path = make_file("flac")
    stream = decoder.stream(path)
    next(stream)
    whole = decoder.decode(path).samples
    later = decoder.stream(path)
    first = next(later)
    stream.close()
    np.testing.assert_array_equal(np.concatenate([first, *later]), whole)


@pytest.mark.parametrize("interruption", ["decode", "stream", "close"])
def test_a_recording_that_was_let_go_of_does_not_go_on(make_file, decoder, interruption):
    path = make_file("flac")
    stream = decoder.stream(path)
    next(stream)
    if interruption == "close":
        decoder.close()
    else:
        next(iter(decoder.stream(path))) if interruption == "stream" else decoder.decode(path)
    with pytest.raises(AmperSparkError, match=f"{path.name} was let go of half-way") as caught:
        list(stream)
    assert not isinstance(caught.value, BadRecordError)
    assert decoder.decode(path).duration_s == 3


@pytest.fixture
def long_file(tmp_path):
    """Half a minute: far more than waits in the pipe while nobody reads."""
    path = tmp_path / "long.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 30 * 44_100), 44_100)
    return path


def test_a_death_half_way_leaves_no_gap(child, long_file, decoder):
    stream = decoder.stream(long_file)
    first = next(stream)
    child.kill()
    wait_until_gone(child)
    np.testing.assert_array_equal(np.concatenate([first, *stream]), audio.decode(long_file).samples)


def test_the_time_between_blocks_does_not_count(long_file, monkeypatch):
    clock = SimpleNamespace(now_s=0.0)
    with Decoder(config.Decoder(timeout_s=60)) as decoder:
        decoder.decode(long_file)
        monkeypatch.setattr(
            "amper_spark.decoding_process.time", SimpleNamespace(monotonic=lambda: clock.now_s)
        )
        n_samples = 0
        for block in decoder.stream(long_file):
            n_samples += block.size
            clock.now_s += 1000.0
    assert n_samples == 30 * 22_050


def test_all_waiting_for_a_recording_counts(decoder_faults, long_file):
    path = long_file.rename(long_file.with_name("trickle.wav"))
    with (
        Decoder(config.Decoder(timeout_s=2)) as impatient,
        pytest.raises(BadRecordError, match="not decoded within 2 s") as caught,
    ):
        impatient.decode(path)
    assert caught.value.reason == Reason.TIMED_OUT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("names")


@given(name=st.binary(min_size=1, max_size=200).filter(lambda name: not set(name) & {0, ord("/")}))
@settings(max_examples=30, deadline=None)
def test_names_may_hold_any_bytes(name, folder, decoder):
    path = os.fsencode(folder) + b"/x" + name
    with open(path, "wb"):  # noqa: PTH123 - pathlib takes no bytes
        pass
    with pytest.raises(BadRecordError, match="zero bytes"):
        decoder.decode(path)


def test_paths_are_relative_to_the_current_folder_of_this_process(make_file, decoder, monkeypatch):
    path = make_file("wav")
    decoder.decode(path)
    monkeypatch.chdir(path.parent)
    assert decoder.decode(path.name).duration_s == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_a_file_in_memory(make_file, decoder):
    content = make_file("mp3").read_bytes()
    with os.fdopen(os.memfd_create("song"), "w+b") as file:
        file.write(content)
        file.flush()
        assert decoder.decode(f"/proc/{os.getpid()}/fd/{file.fileno()}").duration_s == 3


def test_patience_may_be_endless(make_file):
    with Decoder(config.Decoder(timeout_s=1e12)) as decoder:
        assert decoder.decode(make_file("wav")).duration_s == 3


def test_limits_are_the_callers(make_file, decoder):
    path = make_file("wav")
    before = decoding_processes()
    with Decoder(config.Decoder(memory_mb=300), config.Limits(max_duration_s=2)) as limited:
        with pytest.raises(BadRecordError, match="more than 2 s") as caught:
            limited.decode(path)
        assert caught.value.reason == Reason.TOO_LONG
        (child,) = decoding_processes() - before
        if sys.platform == "linux":
            assert child.rlimit(psutil.RLIMIT_AS) == (300 << 20, 300 << 20)
            assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)


def test_warnings_of_c_libraries_do_not_reach_the_terminal(damaged_files, decoder, capfd):
    decoder.decode(damaged_files["mp3_first_half"])
    assert capfd.readouterr() == ("", "")
    audio.decode(damaged_files["mp3_first_half"])
    assert "Warning" in capfd.readouterr().err


def test_a_hang_costs_its_record_only(decoder_faults, named):
    path = named("hang.wav")
    before = decoding_processes()
    with Decoder(config.Decoder(timeout_s=1.5)) as impatient:
        with pytest.raises(BadRecordError, match=r"not decoded within 1\.5 s") as caught:
            impatient.decode(path)
        assert caught.value.reason == Reason.TIMED_OUT
        assert decoding_processes() == before
        assert impatient.decode(path.rename(path.with_name("good.wav"))).duration_s == 3


@pytest.mark.parametrize(
    ("name", "reason", "detail"),
    [
        ("segfault.wav", "decoder_crashed", r"died by SIGSEGV$"),
        ("abort.wav", "decoder_crashed", r"died by SIGABRT: codec\.c:7: assertion failed$"),
        ("oom_killed.wav", "out_of_memory", r"died by SIGKILL$"),
        ("exit.wav", "decoder_crashed", r"ended with status 3$"),
    ],
)
def test_a_crash_costs_its_record_only(name, reason, detail, decoder, named, capfd):
    path = named(name)
    with pytest.raises(BadRecordError, match=detail) as caught:
        decoder.decode(path)
    assert caught.value.reason == reason
    assert decoder.decode(path.rename(path.with_name("good.wav"))).duration_s == 3
    assert capfd.readouterr() == ("", "")


def test_a_recording_is_not_blamed_for_a_process_that_others_have_ruined(decoder, named):
    path = named("ruined.wav")
    assert decoder.decode(path).duration_s == 3
    assert path.with_name("ruined.wav.seen").exists()


def test_greed_costs_its_record_only(decoder, named):
    path = named("greedy.wav")
    with pytest.raises(BadRecordError, match="more than the 2048 MiB") as caught:
        decoder.decode(path)
    assert caught.value.reason == Reason.OUT_OF_MEMORY
    assert decoder.decode(path.rename(path.with_name("good.wav"))).duration_s == 3


@pytest.mark.parametrize("waited_for", [True, False])
def test_a_process_that_died_between_recordings_is_replaced(waited_for, child, make_file, decoder):
    child.kill()
    if waited_for:
        wait_until_gone(child)
    assert decoder.decode(make_file("wav")).duration_s == 3
    assert decoding_processes() - {child}


def test_an_interrupted_recording_does_not_answer_for_the_next(decoder, named, make_file):
    class Interruption(Exception):  # noqa: N818 - it stands for KeyboardInterrupt
        pass

    def interrupt(*_):
        raise Interruption

    path = named("hang.wav")
    handler = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.7)
    try:
        with pytest.raises(Interruption):
            decoder.decode(path)
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert decoder.decode(make_file("22050_hz")).duration_s == 3


def test_a_process_that_cannot_start_is_no_records_fault(make_file, tmp_path, monkeypatch):
    (tmp_path / "soundfile.py").write_text("raise ImportError('no libsndfile here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = make_file("wav")
    with (
        Decoder() as decoder,
        pytest.raises(AmperSparkError, match=r"does not start: .* no libsndfile") as caught,
    ):
        decoder.decode(path)
    assert not isinstance(caught.value, BadRecordError)


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process: Linux only")


@linux_only
def test_a_real_shortage_of_memory(child, make_file, decoder):
    path = make_file("64_channels")
    enough_to_start = (child.memory_info().vms >> 20) + 2
    with Decoder(config.Decoder.model_construct(timeout_s=60.0, memory_mb=enough_to_start)) as poor:
        with pytest.raises(BadRecordError) as caught:
            poor.decode(path)
        assert caught.value.reason == Reason.OUT_OF_MEMORY
    assert decoder.decode(path).duration_s == 3


@linux_only
def test_a_recording_is_not_blamed_for_memory_that_others_have_taken(child, make_file, decoder):
    path = make_file("64_channels")
    child.rlimit(psutil.RLIMIT_AS, (child.memory_info().vms + (1 << 20),) * 2)
    assert decoder.decode(path).duration_s == 3


@linux_only
def test_trouble_that_is_not_the_records_fault_is_an_os_error(child, make_file, decoder):
    path = make_file("wav")
    child.rlimit(psutil.RLIMIT_NOFILE, (3, 3))  # open files
    with pytest.raises(OSError, match=os.strerror(errno.EMFILE)) as caught:
        decoder.decode(path)
    assert caught.value.errno == errno.EMFILE
    assert caught.value.filename == str(path)
    decoder.close()


SHORT_OF_MEMORY = """
import sys
import psutil
from amper_spark.decoder import Decoder

small, long = sys.argv[1:]
decoder = Decoder()
decoder.decode(small)
this = psutil.Process()
limits = this.rlimit(psutil.RLIMIT_AS)
this.rlimit(psutil.RLIMIT_AS, (this.memory_info().vms + (8 << 20), limits[1]))
try:
    decoder.decode(long)
except MemoryError:
    print("short of memory")
this.rlimit(psutil.RLIMIT_AS, limits)
print(decoder.decode(long).duration_s)
"""


@linux_only
def test_a_shortage_of_memory_in_the_process_that_asks(tmp_path, make_file):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.full(680 * 8_000, 0.5), 8_000, subtype="PCM_U8")
    # A process of its own: this one may have memory to spare that it has asked for before.
    command = [sys.executable, "-c", SHORT_OF_MEMORY, make_file("wav"), path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    refusal, duration_s = done.stdout.splitlines()
    assert refusal == "short of memory"
    assert duration_s == "680.0"


def test_the_process_ends_with_the_decoder(child, decoder):
    decoder.close()
    assert not child.is_running()


PARENT = """
import sys
from amper_spark.decoder import Decoder

decoder = Decoder()
decoder.decode(sys.argv[1])
print("decoded", flush=True)
if len(sys.argv) > 2:
    decoder.decode(sys.argv[2])
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("busy", [True, False])
def test_the_process_ends_with_a_killed_parent(busy, make_file, named, decoder_faults):
    paths = [make_file("flac"), *([named("hang.wav")] if busy else [])]
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *paths], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout.readline() == b"decoded\n"
        (child,) = decoding_processes(parent.pid)
        parent.kill()
    wait_until_gone(child)


FORK = """
import json, os, sys
import psutil
from amper_spark.decoder import Decoder

def decode():
    duration_s = decoder.decode(sys.argv[1]).duration_s
    (child,) = psutil.Process().children()[:1]
    return duration_s, child.pid

decoder = Decoder()
before = decode()
reader, writer = os.pipe()
if not (pid := os.fork()):
    if sys.argv[2] == "close":
        decoder.close()
    os.write(writer, json.dumps(decode()).encode())
    decoder.close()
    os._exit(0)
os.waitpid(pid, 0)
print(json.dumps([before, json.loads(os.read(reader, 1000)), decode()]))
decoder.close()
"""


@pytest.mark.parametrize("first", [pytest.param("close", marks=pytest.mark.slow), "decode"])
def test_a_fork_has_its_own_process(first, make_file):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK, make_file("wav"), first], capture_output=True, text=True
    )
    assert done.stderr == ""
    before, forked, after = json.loads(done.stdout)
    assert [duration_s for duration_s, _ in (before, forked, after)] == [3.0] * 3
    assert before == after
    assert forked[1] != before[1]


def test_the_process_imports_little():
    listing = "import sys, amper_spark.decoder_child; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert not {"pydantic", "scipy", "librosa", "pandas", "numba", "yaml"} & set(done.stdout.split())

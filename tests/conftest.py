from __future__ import annotations

import importlib
import importlib.util
import json
import os
import resource
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from amper_spark.audio import Signal, decode
from amper_spark.config import Config
from amper_spark.separation.weights import cached_weights
from amper_spark.spark.session import spark_session

# Before any test imports ONNX Runtime, which otherwise collects events for its makers.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

REFERENCE_TRACKS = Path(__file__).parents[1] / "data" / "reference-tracks"

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from types import ModuleType

    from pyspark.sql import SparkSession


def pytest_configure(config: pytest.Config) -> None:
    """Compile librosa's universal functions once, before test processes do it side by side.

    Those that fill numba's cache at the same time can leave pairs of files that do not belong together, and
    whoever calls what is in them is ended by SIGSEGV: https://github.com/numba/numba/issues/10128.
    """
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        for module in ("beat", "core.audio", "core.pitch", "util.utils"):
            importlib.import_module(f"librosa.{module}")


FAULTS = '''
"""Make the decoding process fail at files of certain names; Python imports this module when it starts."""
import sys
from contextlib import contextmanager

if "amper_spark.decoder_child" in sys.orig_argv:
    import ctypes, os, signal
    import soundfile

    open_file, read = soundfile.SoundFile.__init__, soundfile.SoundFile.read

    def read_by_name(self, *arguments, **options):
        if b"trickle" in os.path.basename(os.fsencode(self.name)):
            signal.sigtimedwait([], 0.8)  # less than anybody waits for one block
        return read(self, *arguments, **options)

    def fail_by_name(self, file, *arguments, **options):
        name = os.path.basename(os.fsencode(file))
        while b"hang" in name:
            signal.pause()
        if b"ruined" in name and not os.path.exists(file + b".seen"):
            open(file + b".seen", "x").close()
            os.abort()
        if b"segfault" in name:
            ctypes.string_at(0)
        if b"abort" in name:
            os.write(2, b"codec.c:7: assertion failed\\n")
            os.abort()
        if b"oom_killed" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if b"exit" in name:
            os._exit(3)
        if b"greedy" in name:
            bytearray(1 << 50)
        open_file(self, file, *arguments, **options)

    soundfile.SoundFile.__init__ = fail_by_name
    soundfile.SoundFile.read = read_by_name
'''


def _sibling(name: str) -> ModuleType:
    """Import a module of this folder, which pytest's import mode keeps off sys.path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


broken_files = _sibling("broken_files")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test for every kind of file, where it takes an argument of that name."""
    for argument, kinds in (
        ("good_kind", broken_files.GOOD),
        ("damaged_kind", broken_files.DAMAGED),
        ("refused_kind", broken_files.REFUSED),
    ):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, kinds)


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[[str], Path]:
    """Make an audio file of a kind that `broken_files` names, in a folder of its own."""

    def make(kind: str) -> Path:
        folder = tmp_path / kind
        folder.mkdir()
        path: Path = broken_files.make(kind, folder)
        return path

    return make


@pytest.fixture(scope="module")
def decoder_faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make decoding processes that start from now on fail at files by their names.

    ``hang`` blocks for ever; ``ruined`` dies at the first attempt; ``segfault``, ``abort``, ``oom_killed``
    die by a signal; ``exit`` ends; ``greedy`` asks for more memory than there is.
    """
    folder = tmp_path_factory.mktemp("decoder_faults")
    (folder / "sitecustomize.py").write_text(FAULTS)
    given = os.environ.get("PYTHONPATH")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{given}" if given else str(folder))
        yield


@pytest.fixture(scope="session")
def damaged_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All damaged files, by kind; not to be changed."""
    folder = tmp_path_factory.mktemp("damaged")
    files = {}
    for kind in broken_files.DAMAGED:
        (folder / kind).mkdir()
        files[kind] = broken_files.make(kind, folder / kind)
    return files


@pytest.fixture(scope="session")
def good_kinds() -> list[str]:
    """Kinds of files that every decoder reads."""
    return list(broken_files.GOOD)


@pytest.fixture(scope="session")
def refused_reasons() -> dict[str, str]:
    """Why each kind of refused file is refused."""
    return {kind: reason for kind, (reason, _) in broken_files.REFUSED.items()}


@pytest.fixture(scope="session")
def reference_tempi() -> dict[str, float]:
    """True tempi of the reference recordings, in BPM, by name."""
    tracks = json.loads((REFERENCE_TRACKS / "tracks.json").read_text())
    return {Path(track["file"]).stem: track["tempo_bpm"] for track in tracks}


@pytest.fixture(scope="session")
def reference_signals(reference_tempi: dict[str, float]) -> dict[str, Signal]:
    """The reference recordings, decoded, by name."""
    return {name: decode(REFERENCE_TRACKS / f"{name}.ogg") for name in reference_tempi}


@pytest.fixture
def disk_with_room_for() -> Callable[[int], AbstractContextManager[None]]:
    """Let no file of this process, its report neither, grow beyond so many bytes for a while."""

    @contextmanager
    def full_disk(n_bytes: int) -> Iterator[None]:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(
            signal.SIGXFSZ, signal.SIG_IGN
        )  # an error is wanted, not the end of the process
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)

    return full_disk


@pytest.fixture(scope="session")
def separation_model() -> Path:
    """Spleeter's network, where it has been fetched."""
    model = cached_weights()
    if model is None:
        pytest.skip("Spleeter's network is not in the cache: run amper-spark separation fetch")
    return model


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One Spark session for all tests: starting one takes longer than most tests."""
    folder = tmp_path_factory.mktemp("spark")
    settings = {
        # Two tasks at a time show what goes wrong between tasks; four attempts as everywhere.
        "spark.master": "local[2,4]",
        # Nobody looks at it, and its server takes a second to start.
        "spark.ui.enabled": "false",
        # A shuffle of a few rows needs no 200 tasks.
        "spark.sql.shuffle.partitions": "2",
        # Tests hold a few rows; several of them may run on one machine.
        "spark.driver.memory": "512m",
        # Nothing runs long enough to be worth the optimising compiler.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        # Nothing is left in the folder that the tests run in.
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
    }
    with spark_session(Config(spark=settings), app_name="tests") as session:
        yield session

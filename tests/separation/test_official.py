"""The official package as an engine; what is said where it does not work."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from amper_spark.errors import AmperSparkError, BadRecordError, Reason
from amper_spark.separation.official import official_accompaniment
from benchmarks.official_spleeter import MODELS

GOLDEN = Path(__file__).parents[1] / "data" / "separation"

SPLEETER = """
class Separator:
    def __init__(self, name, multiprocess):
        assert name == "spleeter:2stems" and not multiprocess
        self._params = {}

    def separate(self, samples):
        share = {"zeros": 0.25, "average": 0.75}[self._params["mask_extension"]]
        return {"accompaniment": share * samples, "vocals": (1 - share) * samples}
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Put a package of the official one's name and call where this interpreter finds it."""

    def write(code):
        folder = tmp_path / "spleeter"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "separator.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return write


def separated(blocks, **options):
    settings = {"python": sys.executable, "mask_extension": "zeros"} | options
    return np.concatenate(list(official_accompaniment(blocks, **settings)))


@pytest.mark.parametrize(("mask_extension", "share"), [("zeros", 0.25), ("average", 0.75)])
def test_samples_come_back_from_the_other_interpreter(package, noise, mask_extension, share):
    package(SPLEETER)
    found = separated([noise[:9], noise[9:200_000]], mask_extension=mask_extension)
    np.testing.assert_allclose(found, np.float32(share) * noise[:200_000])
    assert found.dtype == np.float32


@pytest.mark.slow
def test_the_package_itself(official_python, monkeypatch):
    monkeypatch.setenv("MODEL_PATH", str(MODELS))
    mixture, expected = (
        soundfile.read(GOLDEN / f"{name}.flac", dtype="float32")[0] for name in ("mixture", "accompaniment")
    )
    found = separated([mixture], python=str(official_python))
    assert np.linalg.norm(found - expected) <= 10 ** (-100 / 20) * np.linalg.norm(mixture)


def test_an_interpreter_that_is_not_there(noise):
    with pytest.raises(AmperSparkError, match=r"separation.official_python: /no/python: No such file"):
        separated([noise], python="/no/python")


def test_an_interpreter_without_the_package(noise):
    with pytest.raises(AmperSparkError, match="ModuleNotFoundError: No module named 'spleeter'"):
        separated([noise])


def test_a_package_that_is_killed_costs_its_recording(package, noise):
    package("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(BadRecordError, match="died of SIGKILL") as caught:
        separated([noise])
    assert caught.value.reason == Reason.OUT_OF_MEMORY


def test_the_last_words_of_the_package(package, noise):
    package("raise RuntimeError('no weights')")
    with pytest.raises(AmperSparkError, match=r"failed in .*: RuntimeError: no weights"):
        separated([noise])

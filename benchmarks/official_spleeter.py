"""Spleeter's official package in a process of its own, from an environment beside the project's."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.separation.official import THREAD_VARIABLES
from benchmarks.record import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(os.environ.get("SPLEETER_ENVIRONMENT", ROOT / ".venv-spleeter"))
PYTHON = FOLDER / "bin" / "python"
MODELS = FOLDER / "weights" / "spleeter" / "pretrained_models"


class OfficialPackage:
    """A process that loads the package, and separates on request.

    Parameters
    ----------
    process : subprocess.Popen
        Of ``spleeter_peer.py``, with pipes.

    Attributes
    ----------
    version : str
        Of the package, and of its TensorFlow; empty if they could not be loaded.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.version = self._answer()

    def separate(self, source: Path, to: Path | None = None) -> int:
        """Split samples into both stems.

        Parameters
        ----------
        source : Path
            Samples, as `numpy.save` writes them: (sample, 2), float32 at 44,100 Hz.
        to : Path, optional
            Where to write the accompaniment in that form.

        Returns
        -------
        int
            Most memory that the process has held so far, in MB.
        """
        print(source, to or "", sep="\t", file=self._process.stdin, flush=True)
        return int(self._answer())

    def _answer(self) -> str:
        return next(self._process.stdout or iter(()), "").strip()


@contextmanager
def official_package() -> Iterator[OfficialPackage]:
    """Start the process; it ends with this context."""
    if not PYTHON.exists():
        raise SystemExit(f"{PYTHON} is not there: make bench-separation installs Spleeter's official package")
    process = subprocess.Popen(
        [PYTHON, Path(__file__).with_name("spleeter_peer.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ
        | dict.fromkeys(THREAD_VARIABLES, "1")
        | {"MODEL_PATH": str(MODELS), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    with process:
        official = OfficialPackage(process)
        if not official.version:
            raise SystemExit(f"{PYTHON} cannot load Spleeter's official package: see above")
        yield official

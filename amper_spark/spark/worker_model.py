"""A model on the executors: brought there once, loaded once by each Python worker."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from amper_spark.spark.handing_out import hand_out, handed_out
from amper_spark.spark.session import is_local

if TYPE_CHECKING:
    from pyspark import SparkContext

    from amper_spark.classify.model import DescriptorModel


def bring_model(context: SparkContext, folder: Path) -> str:
    """Have every executor find a model.

    Executors on this very machine read the folder itself, which must stay as long as they work.

    Parameters
    ----------
    context : pyspark.SparkContext
    folder : Path
        See `amper_spark.classify.registry.download`.

    Returns
    -------
    str
        For `worker_model`.
    """
    if is_local(context.master or ""):
        return str(folder.absolute())
    # Spark brings single files only.
    return hand_out(context, _zipped(folder.absolute()))


@cache
def worker_model(place: str) -> DescriptorModel:
    """Load what `bring_model` has brought; only once in the life of a worker."""
    from amper_spark.classify.packaging import load_folder

    brought = handed_out(place)
    if brought.is_dir():
        return load_folder(brought)
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(brought) as archive:
            archive.extractall(folder)
        return load_folder(Path(folder))


@cache
def _zipped(folder: Path) -> Path:
    """Put a folder into one file, whose name says what is in it, and which lives as long as this process."""
    home = Path(tempfile.mkdtemp(prefix="amper-spark-model-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    archive = home / "model.zip"
    digest = hashlib.sha256()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = file.relative_to(folder).as_posix()
            digest.update(f"{name}\0".encode())
            digest.update(file.read_bytes())
            target.write(file, name)
    return archive.rename(home / f"model-{digest.hexdigest()[:16]}.zip")

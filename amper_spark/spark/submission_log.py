"""What a run of `submit` has done so far: small files, each made once and never changed, beside the table.

``tables/renders_log/<order>/<number>-<step>-<letters>.json``. A step is written down before and after it is
done, so that whoever is killed knows in the next run what was under way. What is in the table `renders` is
taken out of the log. Names have random letters, so that two writers never write the same file: objects in S3
need no more than that.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow.fs

from amper_spark.errors import AmperSparkError
from amper_spark.render.client.orders import ENDED, SUBMITTING
from amper_spark.spark.placing import passing_file
from amper_spark.spark.staging import explained, open_filesystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from amper_spark.render.client.orders import TimelineOrder
    from amper_spark.spark.lake import Lake

_LOG = logging.getLogger(__name__)

_FOLDER, _SUFFIX, _LOCK = "tables/renders_log", ".json", "lock"
_LETTERS = 8


@dataclass
class LoggedOrder:
    """What the log says of an order.

    Parameters
    ----------
    timeline_id : str
    attempt : int
    place : str
        See `amper_spark.render.client.orders.TimelineOrder`.
    steps : dict
        The last word on each step.
    """

    timeline_id: str
    attempt: int
    place: str
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing left to be done but the commit to the table."""
        return ENDED in self.steps


class SubmissionLog:
    """The log of a lake. Threads may share it.

    Parameters
    ----------
    lake : Lake
    """

    def __init__(self, lake: Lake) -> None:
        self._uri = f"{lake.uri}/{_FOLDER}"
        self._filesystem, self._folder = open_filesystem(self._uri, lake.storage_options)
        self._numbers: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep all other runs off this lake; where a lake is in S3, nobody can.

        Raises
        ------
        AmperSparkError
            There is another run.
        """
        if not isinstance(self._filesystem, pyarrow.fs.LocalFileSystem):
            yield
            return
        file = Path(self._folder) / _LOCK
        with explained(self._uri, "written"):
            file.parent.mkdir(parents=True, exist_ok=True)
            stream = file.open("a+")
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.seek(0)
                raise AmperSparkError(
                    f"another submit is at work on this lake, process {stream.read().strip() or 'unknown'}: "
                    "wait until it has ended, or end it and run this one again"
                ) from None
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            yield

    def add(self, order: TimelineOrder, step: str, told: Mapping[str, Any]) -> None:
        """Write a step down: when this returns, it stays.

        Parameters
        ----------
        order : TimelineOrder
        step : str
        told : mapping
            JSON.
        """
        with self._lock:
            self._numbers[order.name] += 1
            number = self._numbers[order.name]
        name = f"{number:04d}-{step}-{uuid4().hex[:_LETTERS]}{_SUFFIX}"
        content = {
            "timeline_id": order.timeline_id,
            "attempt": order.attempt,
            "place": order.place,
            "step": step,
            "told": dict(told),
        }
        with (
            passing_file(self._filesystem, f"{self._folder}/{order.name}/{name}") as file,
            file.open("w", encoding="utf-8") as stream,
        ):
            json.dump(content, stream, ensure_ascii=False)
            stream.flush()
            os.fsync(stream.fileno())

    def read(self) -> dict[str, LoggedOrder]:
        """Read all of it.

        Returns
        -------
        dict
            What is known of each order that is not in the table yet, by its name.

        Raises
        ------
        AmperSparkError
            It cannot be read.
        """
        orders: dict[str, LoggedOrder] = {}
        with explained(self._uri, "read"):
            for path in self._files():
                name = path.removeprefix(f"{self._folder}/").split("/")[0]
                try:
                    with self._filesystem.open_input_stream(path) as stream:
                        entry = _entry(stream.read())
                except FileNotFoundError:
                    continue  # another run has just committed it
                if entry is None:
                    _LOG.warning("%s is no step of a submission, and is left aside", path)
                    continue
                self._numbers[name] += 1
                known = LoggedOrder(entry["timeline_id"], entry["attempt"], entry["place"])
                steps = orders.setdefault(name, known).steps
                if entry["step"] == SUBMITTING:  # elsewhere than before, or else it is the first
                    steps.clear()
                steps[entry["step"]] = entry["told"]
        return orders

    def remove(self, names: Iterable[str]) -> None:
        """Take orders out of the log: they are in the table.

        That they have ended is forgotten last: whoever is killed meanwhile does not take them for unfinished.
        """
        with explained(self._uri, "written"):
            for name in names:
                folder = f"{self._folder}/{name}"
                selector = pyarrow.fs.FileSelector(folder, allow_not_found=True)
                paths = [info.path for info in self._filesystem.get_file_info(selector)]
                for path in sorted(paths, key=lambda path: f"-{ENDED}-" in path):
                    self._filesystem.delete_file(path)
                if paths:
                    self._filesystem.delete_dir(folder)

    def _files(self) -> list[str]:
        """List the steps, those of an order in turn; what is half-written has another name."""
        selector = pyarrow.fs.FileSelector(self._folder, allow_not_found=True, recursive=True)
        found = self._filesystem.get_file_info(selector)
        return sorted(
            info.path
            for info in found
            if info.type == pyarrow.fs.FileType.File and info.path.endswith(_SUFFIX)
        )


def _entry(content: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(content)
    except ValueError:
        return None
    fields = {"timeline_id", "attempt", "place", "step", "told"}
    return entry if isinstance(entry, dict) and fields <= entry.keys() else None

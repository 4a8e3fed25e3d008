"""Where renders that a service has made are put: in the lake, each corpus in a folder of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from amper_spark.render.client.orders import Placed
from amper_spark.spark.render_folder import RenderFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from amper_spark.spark.lake import Lake


class RenderShelf:
    """The renders of a lake; a place is ``<corpus>/<key>``.

    Parameters
    ----------
    lake : Lake
    """

    def __init__(self, lake: Lake) -> None:
        self._folder = RenderFolder(f"{lake.uri}/renders", lake.storage_options)

    def prepare(self) -> None:
        """Make the folder, and see whether it can be written.

        Raises
        ------
        AmperSparkError
            It cannot.
        """
        self._folder.prepare()

    @contextmanager
    def passing(self, place: str) -> Iterator[Path]:
        """Name a local file to be written, which is put into its place at the end, if that is come to."""
        with self._folder.passing(place) as file:
            yield file

    def discard_passing(self, place: str) -> None:
        """Remove what killed runs have left half-written of a file; nobody may be writing it now."""
        self._folder.discard_passing(place)

    def find(self, place: str) -> Placed | None:
        """Describe the file in a place, if there is one."""
        file = self._folder.find(place)
        if file is None:
            return None
        return Placed(file.uri, file.size_bytes, file.etag, file.modified_at.isoformat())

    def sha256(self, place: str) -> str:
        """Hash the file in a place."""
        return self._folder.sha256(place)

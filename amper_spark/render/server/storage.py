"""Where the server keeps what it has made: no path is ever built from what a client says.

The folder holds ``server.sqlite``, ``secret``, ``previews/``, ``workers/`` with a file for each worker, and
``files/<job>/<attempt>/``. Each attempt at a job has a folder of its own, so that one whose lease is lost
cannot spoil what another one makes. It belongs to the user who runs the server; nobody else can write to it,
or read the secret.
"""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING

from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from amper_spark.render.server.job import Job, JobSummary

PREVIEW_SUFFIX = ".mp3"

_SECRET_BYTES = 32
_READ_BY_OTHERS, _WRITTEN_BY_OTHERS = 0o077, 0o002


DATABASE = "server.sqlite"
"""File of the database, in the folder of a server."""


class StorageError(AmperSparkError):
    """A folder that cannot be used."""


class Storage:
    """The folder of a server.

    Parameters
    ----------
    folder : Path
        Made if it is not there, for its owner alone.

    Raises
    ------
    StorageError
        No permission, no room, or everybody can write to it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.folder.stat().st_mode & _WRITTEN_BY_OTHERS:
                raise StorageError(
                    f"everybody can write to {folder}: name a folder of the server's own, such as "
                    f"{folder / 'amper'}"
                )
            parts = [self.folder / name for name in ("files", "previews", "workers")]
            for part in parts:
                part.mkdir(mode=0o700, exist_ok=True)
            open_to_all = [part for part in parts if part.stat().st_mode & _WRITTEN_BY_OTHERS]
        except OSError as error:
            raise StorageError(f"the folder {folder} cannot be used: {error.strerror}") from error
        if open_to_all:
            raise StorageError(
                f"everybody can write to {open_to_all[0]}: chmod o-w it, and see whether its content is yours"
            )

    @property
    def database(self) -> Path:
        """File of the database."""
        return self.folder / DATABASE

    @property
    def previews(self) -> Path:
        """Folder of the previews."""
        return self.folder / "previews"

    def preview(self, descriptor: str) -> Path:
        """Return where the preview of a descriptor is, once it is made.

        Parameters
        ----------
        descriptor : str
            Its id, as the catalogue has it.
        """
        return self.previews / f"{descriptor}{PREVIEW_SUFFIX}"

    def made_previews(self) -> frozenset[str]:
        """Name the descriptors whose previews are made."""
        return frozenset(file.stem for file in self.previews.glob(f"[!.]*{PREVIEW_SUFFIX}"))

    @property
    def workers(self) -> Path:
        """Folder of the files by which workers are known to live."""
        return self.folder / "workers"

    def secret(self) -> bytes:
        """Return what links are signed with; made once, readable by the owner alone.

        Raises
        ------
        StorageError
            It cannot be read or made, or is too short to keep anybody from guessing it.
        """
        file = self.folder / "secret"
        try:
            if not file.exists():
                passing = file.with_name(f"secret.{secrets.token_hex(8)}")
                try:
                    with os.fdopen(
                        os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
                    ) as stream:
                        stream.write(secrets.token_bytes(_SECRET_BYTES))
                        stream.flush()
                        os.fsync(stream.fileno())  # or it may be empty after a power cut, and known to all
                    os.link(passing, file)  # whoever is first: all processes then read the same
                except FileExistsError:
                    pass
                finally:
                    passing.unlink(missing_ok=True)
            if file.stat().st_mode & _READ_BY_OTHERS:
                file.chmod(0o600)
            content = file.read_bytes()
        except OSError as error:
            raise StorageError(f"{file} cannot be used: {error.strerror}") from error
        if len(content) < _SECRET_BYTES:
            raise StorageError(f"{file} is not whole: remove it, and all links that it has signed end")
        return content

    def begin(self, job: Job) -> Path:
        """Make a folder for an attempt at a job."""
        folder = self.folder / "files" / job.id / f"{job.attempts}-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700, parents=True)
        return folder

    def attempts(self, job_id: str) -> list[Path]:
        """List the folders of all attempts at a job."""
        try:
            return sorted((self.folder / "files" / job_id).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def discard_earlier(self, job: Job) -> None:
        """Remove what attempts before this one have left behind: their leases are lost."""
        for attempt in self.attempts(job.id):
            number, _, _ = attempt.name.partition("-")
            if number.isdecimal() and int(number) < job.attempts:
                self.discard(attempt)

    def discard(self, attempt: Path) -> None:
        """Remove what an attempt has made."""
        shutil.rmtree(attempt, ignore_errors=True)

    def find(self, job: JobSummary, name: str) -> Path | None:
        """Return a file of a job, if the job says that it has one of that name."""
        for file in job.files:
            if file["name"] == name:
                return self.folder / "files" / job.id / file["attempt"] / file["name"]
        return None

    def forget(self, job_ids: Collection[str]) -> None:
        """Remove the files of jobs."""
        for job_id in job_ids:
            shutil.rmtree(self.folder / "files" / job_id, ignore_errors=True)

    def job_ids(self) -> list[str]:
        """Name the jobs that have files, those included that nobody remembers."""
        return sorted(entry.name for entry in (self.folder / "files").iterdir())

"""The list of outside music: recordings by package and file, and which genres a listener would accept.

The list is made by hand, `tracks.csv`, and docs/outside.md says by which rules. A recording that none of the
catalogue's genres covers is in it without genres, and its note says why: it is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.tables import read_table
from amper_spark.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ORIGINAL = "original"
"""The variant that is the recording itself, and the folder of these."""

_FILE = Path(__file__).parent / "tracks.csv"


@dataclass(frozen=True)
class OutsideTrack:
    """A recording.

    Parameters
    ----------
    package : str
        What it comes in.
    file : str
        Its path below the folder of music of its package.
    size_bytes : int > 0
        Of the file that is meant.
    genres : tuple of str
        Those that a listener would accept; empty where it is left out.
    is_pitched : bool
        Whether pitched instruments play throughout: no window should be called percussion.
    note : str
        What it sounds like, or why it is left out.
    """

    package: str
    file: str
    size_bytes: int
    genres: tuple[str, ...]
    is_pitched: bool
    note: str

    @property
    def is_judged(self) -> bool:
        """Whether some genre covers it."""
        return bool(self.genres)

    @property
    def recording(self) -> str:
        """Its name, which its variants share.

        Examples
        --------
        >>> OutsideTrack("singularity-music", "win/Apex Aleph.ogg", 1, ("rock",), True, "").recording
        'singularity-music/win/Apex Aleph'
        """
        return f"{self.package}/{PurePosixPath(self.file).with_suffix('')}"

    @property
    def key(self) -> str:
        """Where it lies in the folder of outside music."""
        return f"{ORIGINAL}/{self.package}/{self.file}"


def load_tracks(file: Path | None = None) -> tuple[OutsideTrack, ...]:
    """Read the list.

    Parameters
    ----------
    file : Path, optional
        By default that of the package.

    Returns
    -------
    tuple of OutsideTrack
        Those that are left out, too.

    Raises
    ------
    ConfigError
        All that is wrong with it, with line numbers.

    Examples
    --------
    >>> minstrels = next(track for track in load_tracks() if "minstrels" in track.file)
    >>> minstrels.recording, minstrels.genres
    ('wesnoth-1.16-music/traveling_minstrels', ('cinematic', 'folk'))
    """
    known = {descriptor.genre for descriptor in load_catalogue()}
    problems: list[str] = []
    tracks = tuple(read_table(file or _FILE, lambda row: _parse(row, known), problems, unique=_unique_fields))
    if problems:
        raise ConfigError(problems)
    return tracks


def _unique_fields(track: OutsideTrack) -> Iterable[tuple[str, str]]:
    return [("recording", track.recording)]


def _parse(row: Mapping[str, str], known: set[str]) -> OutsideTrack:
    genres = tuple(sorted(row["genres"].split()))
    if unknown := [genre for genre in genres if genre not in known]:
        raise ValueError(f"no genre {unknown[0]!r}; there are {', '.join(sorted(known))}")
    if not row["note"]:
        raise ValueError("a note is missing: what it sounds like, or why it is left out")
    path = PurePosixPath(row["file"])
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"file must be a path below the package's folder of music, got {row['file']!r}")
    size_bytes = int(row["size_bytes"])
    if size_bytes <= 0:
        raise ValueError(f"size_bytes must be positive, got {size_bytes}")
    if row["pitched"] not in ("yes", "no"):
        raise ValueError(f"pitched must be yes or no, got {row['pitched']!r}")
    return OutsideTrack(row["package"], row["file"], size_bytes, genres, row["pitched"] == "yes", row["note"])

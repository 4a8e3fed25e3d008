"""The catalogue: the files of a corpus as they are now, told apart from what was known before."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.errors import AmperSparkError, ParameterError
from amper_spark.spark.corpora import check_root
from amper_spark.spark.manifest import ManifestEntry, read_manifest, refuse
from amper_spark.spark.schemas import TRACKS
from amper_spark.spark.sources import AudioFile, list_audio, local_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from amper_spark.spark.lake import Lake

Row = dict[str, Any]


@dataclass(frozen=True)
class CatalogSummary:
    """What a listing found, in tracks.

    Parameters
    ----------
    new : int
        Seen for the first time.
    changed : int
        With another size or time of modification: they will be analysed again.
    unchanged : int
    deleted : int
        Gone since the last listing; their rows stay.
    returned : int
        Back after they were gone.
    relabelled : int
        With the same content, but in another place or with another entry in the manifest.
    """

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    returned: int = 0
    relabelled: int = 0

    @property
    def present(self) -> int:
        """Tracks that are there now."""
        return self.new + self.changed + self.unchanged + self.returned + self.relabelled

    @property
    def differs(self) -> bool:
        """Whether anything is to be written."""
        return self.present + self.deleted > self.unchanged

    def __str__(self) -> str:
        """Say it in a line.

        Examples
        --------
        >>> print(CatalogSummary(new=3, unchanged=1_200, deleted=1))
        1,203 tracks: 3 new, 1,200 unchanged, 1 deleted
        """
        counts = ((count, name) for name, count in asdict(self).items() if count)
        found = ", ".join(f"{count:,} {name}" for count, name in counts)
        plural = "" if self.present == 1 else "s"
        return f"{self.present:,} track{plural}{': ' if found else ''}{found}"


def track_id(corpus: str, key: str) -> str:
    """Name a track: the same on every machine, as long as corpus and key stay.

    Examples
    --------
    >>> track_id("demo", "a/b.mp3")
    'c653a609cdd358ad'
    """
    return hashlib.blake2b(f"{corpus}\0{key}".encode(), digest_size=8).hexdigest()


def catalogue(
    files: Iterable[AudioFile],
    *,
    corpus: str,
    manifest: Mapping[str, ManifestEntry] | None = None,
    previous: pa.Table,
    at: datetime,
    unreadable: Collection[str] = (),
) -> tuple[pa.Table, CatalogSummary]:
    """Bring the rows of a corpus up to date.

    Parameters
    ----------
    files : iterable of AudioFile
        All files of the corpus.
    corpus : str
    manifest : mapping of str to ManifestEntry, optional
        By key. It replaces all that was known about the files that it names; the others keep what they have.
    previous : pyarrow.Table
        The rows of ``tracks`` of this corpus.
    at : datetime
        When the files were listed.
    unreadable : collection of str
        Keys of folders and files that were not looked at, ``""`` for the root: what is below them stays as it
        was.

    Returns
    -------
    rows : pyarrow.Table
        All rows of the corpus, by key. A track whose file is gone keeps its row, with ``deleted_at`` set.
    summary : CatalogSummary

    Raises
    ------
    ConfigError
        The manifest names files that are not there.
    """
    manifest = manifest or {}
    known = {row["key"]: row for row in previous.to_pylist()}
    rows: dict[str, Row] = {}
    counts = dict.fromkeys(CatalogSummary.__dataclass_fields__, 0)
    for file in files:
        row = _row(file, corpus, known.get(file.key), manifest.get(file.key))
        counts[_difference(known.get(file.key), row)] += 1
        rows[file.key] = row
    missing = [key for key in manifest if key not in rows and not _is_below(key, unreadable)]
    refuse([f"manifest: no file {key!r} in corpus {corpus!r}" for key in missing])
    for key in known.keys() - rows.keys():
        gone = known[key]["deleted_at"] is None and not _is_below(key, unreadable)
        rows[key] = known[key] | ({"deleted_at": at} if gone else {})
        counts["deleted"] += gone
        counts["unchanged"] += rows[key]["deleted_at"] is None
    table = pa.Table.from_pylist([rows[key] for key in sorted(rows)], schema=TRACKS.schema)
    return table, CatalogSummary(**counts)


def update_catalog(
    lake: Lake,
    root: str | Path,
    *,
    corpus: str | None = None,
    manifest: Path | None = None,
    limit: int | None = None,
    dry_run: bool = False,
    allow_empty: bool = False,
    allow_moved: bool = False,
) -> CatalogSummary:
    """List a corpus and bring its rows in ``tracks`` up to date, in one commit, if anything differs.

    Parameters
    ----------
    lake : Lake
    root : str or Path
        The folder of the corpus.
    corpus : str, optional
        Its name; rows of other corpora are left alone. None takes the name of the folder.
    manifest : Path, optional
        See `amper_spark.spark.manifest.read_manifest`.
    limit : int, optional
        Look at so many files only, and leave the others as they were.
    dry_run : bool
        Write nothing.
    allow_empty : bool
        Accept that all files of a known corpus are gone.
    allow_moved : bool
        Accept that a known corpus is in another folder than before.

    Returns
    -------
    CatalogSummary

    Raises
    ------
    AmperSparkError
        A root that cannot be listed or holds no audio, a corpus that lies in another folder, a manifest that
        does not fit, a lake that cannot be written.
    """
    corpus = _checked_name(corpus if corpus is not None else _folder_name(root))
    entries = read_manifest(manifest) if manifest is not None else None
    read_version = lake.version(TRACKS.name) or 0
    tracks = lake.read(TRACKS.name)
    previous = tracks.filter(pc.equal(tracks["corpus"], corpus))
    if not allow_moved:
        check_root(root, corpus, previous)
    unreadable: list[str] = []
    files = list(islice(list_audio(root, on_unreadable=unreadable.append), limit))
    if not files and not (allow_empty and previous.num_rows):
        raise AmperSparkError(_nothing_found(root, corpus, previous))
    rows, summary = catalogue(
        files,
        corpus=corpus,
        manifest=entries,
        previous=previous,
        at=datetime.now(UTC),
        unreadable=unreadable if limit is None else [""],
    )
    if summary.differs and not dry_run:
        lake.replace(
            TRACKS.name,
            rows,
            predicate="corpus = '{}'".format(corpus.replace("'", "''")),
            stage="catalog",
            read_version=read_version,
            metadata={"corpus": corpus, "records": str(rows.num_rows)},
        )
    return summary


def _row(file: AudioFile, corpus: str, before: Row | None, entry: ManifestEntry | None) -> Row:
    identifier = track_id(corpus, file.key)
    row = {
        "track_id": identifier,
        "corpus": corpus,
        "uri": file.uri,
        "key": file.key,
        "size_bytes": file.size_bytes,
        "etag": file.etag,
        "modified_at": file.modified_at,
        "deleted_at": None,
    }
    if entry is None and before is not None:
        return before | row
    entry = entry or ManifestEntry()
    return row | {
        "separate": entry.separate,
        "recording_id": entry.recording_id or identifier,
        "descriptor": entry.descriptor,
        "parent_id": entry.parent_id,
        "tags": sorted(entry.tags.items()),
    }


def _difference(before: Row | None, row: Row) -> str:
    if before is None:
        return "new"
    if before["deleted_at"] is not None:
        return "returned"
    if before["etag"] != row["etag"]:
        return "changed"
    return "unchanged" if before == row else "relabelled"


def _is_below(key: str, unreadable: Collection[str]) -> bool:
    return any(
        folder == "" or key == folder or key.startswith((f"{folder}/", f"./{folder}/"))
        for folder in unreadable
    )


def _folder_name(root: str | Path) -> str:
    folder = local_path(root).expanduser().absolute()
    return folder.resolve().name if folder.name == ".." else folder.name


def _checked_name(corpus: str) -> str:
    if not corpus or corpus != corpus.strip() or not corpus.isprintable():
        raise ParameterError(f"the name of a corpus is printable text, got {corpus!r}: choose one (--corpus)")
    return corpus


def _nothing_found(root: str | Path, corpus: str, previous: pa.Table) -> str:
    present = pc.sum(pc.is_null(previous["deleted_at"])).as_py() or 0
    if present:
        return (
            f"{root} holds no audio file, but corpus {corpus!r} has {present:,} tracks: is its disk mounted? "
            "If they are all gone, say so (--force)"
        )
    return f"{root} holds no audio file: name the folder that the recordings are in"

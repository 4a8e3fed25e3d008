"""From the log to the tables: what has become of timelines, committed batch by batch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.render.client.following import outcome_of
from amper_spark.render.client.orders import CREATED, ENDED, FAILED, SUBMITTING
from amper_spark.spark.catalog import track_id
from amper_spark.spark.generated import SIZE_TAG
from amper_spark.spark.loop_schemas import RENDERS, TIMELINES
from amper_spark.spark.merging import row_names
from amper_spark.spark.schemas import TRACKS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amper_spark.render.client.orders import Outcome
    from amper_spark.spark.lake import Lake
    from amper_spark.spark.submission_log import LoggedOrder, SubmissionLog

Row = dict[str, Any]

STAGE = "submit"

_ID_DIGITS = 12
_UNKNOWN = "unknown"  # the step that tells it cannot be read
_SOURCE = ["timeline_id", "track_id", "model_version", "kind", "variant", "seed", "descriptor"]


@dataclass(frozen=True)
class Folding:
    """Commits what has ended.

    Parameters
    ----------
    lake : Lake
    log : SubmissionLog
    """

    lake: Lake
    log: SubmissionLog

    def fold(self, logged: Mapping[str, LoggedOrder]) -> list[Outcome]:
        """Commit orders that have ended, and take them out of the log.

        Tracks come first: whoever is killed in between finds the log as it was, and adds no track twice.

        Parameters
        ----------
        logged : mapping of str to LoggedOrder
            By names of orders; those that have not ended are left alone.

        Returns
        -------
        list of Outcome
            What was committed.
        """
        ended = {name: one for name, one in logged.items() if one.has_ended}
        if not ended:
            return []
        ids = [one.timeline_id for one in ended.values()]
        sources = {row["timeline_id"]: row for row in self._rows(TIMELINES.name, _SOURCE, "timeline_id", ids)}
        before = {row["timeline_id"]: row for row in self._rows(RENDERS.name, None, "timeline_id", ids)}
        batch = uuid4().hex[:_ID_DIGITS]
        at = datetime.now(UTC)
        tracks: list[Row] = []
        renders: list[Row] = []
        outcomes: list[Outcome] = []
        for one in ended.values():
            known = before.get(one.timeline_id)
            outcome = outcome_of(one.steps[ENDED])
            if known is not None and not _is_news(one, outcome, known):
                continue  # somebody was killed between the commit and the log
            outcomes.append(outcome)
            track = _track_row(one, outcome, sources.get(one.timeline_id))
            tracks += [track] if track else []
            row = _render_row(one, outcome, track)
            if known is not None and known["status"] == CREATED and outcome.status == FAILED:
                # There is still the render of before.
                row = known | {name: row[name] for name in ("attempts", "error", "refused")}
            renders.append(row | {"batch_id": batch, "at": at})
        self._commit_tracks(tracks, batch)
        again = [before[row["timeline_id"]] for row in renders if row["timeline_id"] in before]
        self._commit(RENDERS.name, renders, again, batch)
        self.log.remove(ended)
        return outcomes

    def _commit_tracks(self, tracks: list[Row], batch: str) -> None:
        ids = [row["track_id"] for row in tracks]
        before = {row["track_id"]: row for row in self._rows(TRACKS.name, None, "track_id", ids)}
        new = [row for row in tracks if not _is_there(row, before.get(row["track_id"]))]
        self._commit(
            TRACKS.name, new, [before[row["track_id"]] for row in new if row["track_id"] in before], batch
        )

    def _commit(self, table: str, rows: list[Row], replaced: list[Row], batch: str) -> None:
        if not rows:
            return
        kind = TRACKS if table == TRACKS.name else RENDERS
        old = pa.Table.from_pylist(replaced, schema=kind.schema)
        file = self.lake.write_file(table, [pa.Table.from_pylist(rows, schema=kind.schema)], stem=STAGE)
        self.lake.commit(
            table,
            [file] if file else [],
            stage=STAGE,
            batch_id=batch,
            replaced=row_names(old, kind.key, kind.stamp).combine_chunks(),
        )

    def _rows(self, table: str, columns: list[str] | None, key: str, ids: list[str]) -> list[Row]:
        pieces = self.lake.scan(table, columns, where=pc.field(key).isin(pa.array(ids, pa.string())))
        return [row for piece in pieces for row in piece.to_pylist()]


def _render_row(one: LoggedOrder, outcome: Outcome, track: Row | None) -> Row:
    return {
        "timeline_id": one.timeline_id,
        "service": one.steps.get(SUBMITTING, {}).get("service", _UNKNOWN),
        "render_id": outcome.render_id,
        "status": outcome.status,
        "attempts": one.attempt,
        "track_id": track["track_id"] if track else None,
        "uri": outcome.file.uri if outcome.file else None,
        "sha256": outcome.sha256,
        "size_bytes": outcome.file.size_bytes if outcome.file else None,
        "completed": outcome.completed,
        "error": outcome.error,
        "refused": outcome.refused,
        "submitted_at": datetime.fromisoformat(outcome.submitted_at),
        "finished_at": datetime.fromisoformat(outcome.finished_at),
    }


def _track_row(one: LoggedOrder, outcome: Outcome, source: Row | None) -> Row | None:
    """Describe the track that a render becomes; None where there is no file."""
    if outcome.file is None:
        return None
    corpus, _, key = one.place.partition("/")
    identifier = track_id(corpus, key)
    told = source or {}  # the table of timelines may have been moved away since
    tags = {
        "timeline_id": one.timeline_id,
        "render_id": outcome.render_id,
        "sha256": outcome.sha256,
        SIZE_TAG: outcome.file.size_bytes,
        "source_track_id": told.get("track_id"),
        **{name: told.get(name) for name in ("model_version", "kind", "variant", "seed")},
    }
    return {
        "track_id": identifier,
        "corpus": corpus,
        "uri": outcome.file.uri,
        "key": key,
        "size_bytes": outcome.file.size_bytes,
        "etag": outcome.file.etag,
        "modified_at": datetime.fromisoformat(outcome.file.modified_at),
        "deleted_at": None,
        "separate": False,
        "recording_id": identifier,
        "descriptor": told.get("descriptor"),
        "parent_id": one.timeline_id,
        "tags": sorted((name, str(value)) for name, value in tags.items() if value is not None),
    }


def _is_news(one: LoggedOrder, outcome: Outcome, known: Row) -> bool:
    """Whether it ended after what is in the table: a request may be gone on with after it failed."""
    finished_at = datetime.fromisoformat(outcome.finished_at)
    return (one.attempt, finished_at) > (known["attempts"], known["finished_at"])


def _is_there(row: Row, before: Row | None) -> bool:
    return before is not None and before["etag"] == row["etag"] and before["deleted_at"] is None

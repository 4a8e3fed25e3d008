"""Flat views of the lake: what its nested rows hold about the recordings as they are now.

A view is data; `amper_spark.spark.views` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from amper_spark.classify.hierarchy import AFFECT, TARGETS
from amper_spark.errors import ParameterError
from amper_spark.spark.loop_schemas import REDUCTIONS, VOTE_COLUMNS
from amper_spark.spark.schemas import ANALYSES, LABELS, QUARANTINED, TABLES, TRACKS

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACK_COLUMNS = ("track_id", "corpus", "key")
"""The first columns of every view: which recording a row is about."""


@dataclass(frozen=True)
class View:
    """A flat table that is computed from a nested one.

    Parameters
    ----------
    name : str
    description : str
        One sentence.
    table : str
        Where the rows come from.
    columns : tuple of str
        The columns after those of the track: fields of the exploded structs; number and value of the exploded
        numbers; or, where nothing is exploded, columns of the table.
    explode : str, optional
        List column that gives a row an item.
    outcome : str, optional
        Keep the rows with this outcome only.
    labels : tuple of str
        What else of the track it says, after `TRACK_COLUMNS`.
    repeated : tuple of str
        Columns of the table that come before those of the items.
    paths : mapping of str to str
        Where a column is no field of the items, but one of a struct in them: ``"free.genre"``.
    """

    name: str
    description: str
    table: str
    columns: tuple[str, ...]
    explode: str | None = None
    outcome: str | None = None
    labels: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell a row of the table from another."""
        return TABLES[self.table].key

    @property
    def track_columns(self) -> tuple[str, ...]:
        """The first columns, which are those of the track."""
        return (*TRACK_COLUMNS, *self.labels)

    @property
    def explodes_structs(self) -> bool:
        """Whether the items are structs; else they are numbers."""
        return self.explode is not None and pa.types.is_struct(_items(self).type)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the view, with their meanings in the field metadata."""
        source = TABLES[self.table].schema
        fields = [TRACKS.schema.field(name) for name in self.track_columns]
        fields += [source.field(name) for name in self.repeated]
        if self.explode is None:
            fields += [source.field(name) for name in self.columns]
        elif self.explodes_structs:
            fields += [_field(_items(self), self.path(name)).with_name(name) for name in self.columns]
        else:
            number, value = self.columns
            comment = {"comment": f"number of the {number}, from 0"}
            fields += [pa.field(number, pa.int32(), nullable=False, metadata=comment)]
            fields += [_items(self).with_name(value)]
        return pa.schema(fields)

    def path(self, column: str) -> str:
        """Say where a column is in the items."""
        return self.paths.get(column, column)


def _items(view: View) -> pa.Field:
    return TABLES[view.table].schema.field(view.explode).type.value_field


def _field(items: pa.Field, path: str) -> pa.Field:
    for name in path.split("."):
        items = items.type.field(name)
    return items


def _fields(column: str) -> tuple[str, ...]:
    return tuple(one.name for one in ANALYSES.schema.field(column).type.value_type)


def _answers(way: str) -> dict[str, str]:
    """Name the columns of a way to answer, and say where they are."""
    paths = {}
    for target in TARGETS:
        paths[f"{way}_{target}"] = f"{way}.{target}"
        paths[f"{way}_{target}_confidence"] = f"{way}_confidence.{target}"
    return paths


def _vote(path: str, name: str) -> dict[str, str]:
    """Name the columns of how a vote came out, and say where they are."""
    return {f"{name}_{column}": f"{path}.{column}" for column in VOTE_COLUMNS}


def _majorities() -> dict[str, str]:
    """Name the columns of what a segment comes down to, and say where they are."""
    whole = ("segment", "section", "start_s", "end_s", "duration_s", "n_windows", "descriptor", *TARGETS)
    paths = {name: name for name in whole} | _vote("descriptor_vote", "descriptor")
    paths |= {name: name for name in ("genre_support", "subgenre_support")}
    for target in AFFECT:
        paths |= {f"free_{target}": f"free.{target}"} | _vote(f"free_vote.{target}", f"free_{target}")
    paths |= {"tempo_bpm": "tempo_bpm"} | _vote("tempo_vote", "tempo")
    return paths | {"tonic": "tonic"} | _vote("tonic_vote", "tonic")


_LABELS = _answers("free") | {"joint_descriptor": "joint.descriptor"} | _answers("joint")

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        View(
            name="windows",
            description="Features, tempo and tonic of every window, with what models learn and are split by.",
            table="analyses",
            columns=_fields("windows"),
            explode="windows",
            labels=("descriptor", "recording_id"),
        ),
        View(
            name="segments",
            description="The sections of every recording.",
            table="analyses",
            columns=_fields("segments"),
            explode="segments",
        ),
        View(
            name="beats",
            description="The beats of every recording.",
            table="analyses",
            columns=("beat", "beat_s"),
            explode="beats",
        ),
        View(
            name="window_labels",
            description="What the model that scored last made of every window.",
            table=LABELS.name,
            columns=("window", "start_s", "end_s", *_LABELS, "abstained"),
            explode="windows",
            repeated=("model_version",),
            paths=_LABELS,
        ),
        View(
            name="majorities",
            description="What every segment comes down to, by the model and rules that were applied last.",
            table=REDUCTIONS.name,
            columns=tuple(_majorities()),
            explode="segments",
            repeated=("model_version",),
            paths=_majorities(),
        ),
        View(
            name="quarantine",
            description="The recordings that were refused, and why.",
            table="analyses",
            columns=(
                "reason",
                "detail",
                "attempt",
                "duration_s",
                "etag",
                "analysis_version",
                "batch_id",
                "at",
            ),
            outcome=QUARANTINED,
        ),
    )
}
"""All views by name."""


def find_view(name: str) -> View:
    """Look a view up by its name.

    Raises
    ------
    ParameterError
        There is none of this name.
    """
    if name not in VIEWS:
        raise ParameterError(f"no view {name!r}; there are {', '.join(VIEWS)}")
    return VIEWS[name]

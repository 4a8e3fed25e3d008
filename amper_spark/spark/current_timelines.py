"""Which timelines are those of the recordings as they are now, by the rules of a configuration."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from amper_spark.descriptors.catalogue import load_catalogue
from amper_spark.descriptors.instruments import load_instruments
from amper_spark.spark.loop_schemas import REDUCTIONS, TIMELINES
from amper_spark.spark.merging import row_names
from amper_spark.spark.reduction_units import reduction_version
from amper_spark.spark.schemas import LABELS
from amper_spark.timeline.reduced import MULTI, SINGLE

if TYPE_CHECKING:
    from collections.abc import Collection

    from amper_spark import config
    from amper_spark.config import Config
    from amper_spark.descriptors.catalogue import Catalogue
    from amper_spark.spark.lake import Lake

_REVISION = 2
"""Raised whenever the same reduction becomes other timelines."""
_KEY = list(REDUCTIONS.key)
_REDUCED_AT = "reduced_at"


def catalogue_of(config: Config) -> Catalogue:
    """Load the catalogue that a configuration names."""
    folder = config.render.catalogue
    return load_catalogue() if folder is None else load_catalogue(Path(folder).expanduser())


def timeline_versions(settings: config.Timelines, catalogue: Catalogue) -> dict[str, str]:
    """Name how timelines are written, by kind: 12 hexadecimal digits, a hash of all that decides them.

    How many variants there are is not among it: with more of them, those that are there stay.
    """
    rules = {
        "revision": _REVISION,
        "catalogue": catalogue.version,
        "instruments": load_instruments().version,
    }
    said = {SINGLE: rules | {"top": settings.top}, MULTI: rules}
    return {
        kind: hashlib.sha256(json.dumps(one, sort_keys=True).encode()).hexdigest()[:12]
        for kind, one in said.items()
    }


def current_timelines(
    lake: Lake,
    labels: pa.Table,
    config: Config,
    *,
    columns: Collection[str] = (),
    file_column: str | None = None,
) -> pa.Table:
    """Find the timelines of labelled recordings that were written by the rules of a configuration.

    Parameters
    ----------
    lake : Lake
    labels : pyarrow.Table
        Which recordings, and by which model: see `amper_spark.spark.reduction_units.current_labels`.
    config : amper_spark.config.Config
    columns : collection of str
        Of ``timelines``, besides timeline_id, kind and variant.
    file_column : str, optional
        See `Lake.read`.

    Returns
    -------
    pyarrow.Table
        Of each recording those that were written since it was reduced last, as many as are configured.
    """
    read = dict.fromkeys(["timeline_id", "kind", "variant", *_KEY, "timeline_version", "at", *columns])
    rows = lake.read(TIMELINES.name, list(read), file_column=file_column)
    rows = rows.join(_reductions(lake, labels, config), _KEY, join_type="inner")
    return rows.filter(_is_current(config)).drop_columns(_REDUCED_AT)


def missing_timelines(lake: Lake, labels: pa.Table, config: Config) -> tuple[pa.Table, pa.Array]:
    """Find the reductions whose timelines are not all there.

    Parameters
    ----------
    lake, labels, config
        See `current_timelines`.

    Returns
    -------
    reductions : pyarrow.Table
        Key columns of ``reductions``.
    replaced : pyarrow.Array
        `amper_spark.spark.merging.row_names` of their timelines that are out of date.
    """
    reductions = _reductions(lake, labels, config)
    columns = ["timeline_id", "kind", "variant", *_KEY, "timeline_version", "batch_id", "at"]
    written = lake.read(TIMELINES.name, columns).join(reductions, _KEY, join_type="inner")
    current = written.filter(_is_current(config))
    stale = written.filter(~_is_current(config))
    settings = config.timelines
    for kind, count in ((SINGLE, min(settings.top, 1)), (MULTI, settings.variants)):
        there = current.filter(pc.field("kind") == kind).group_by(_KEY).aggregate([("timeline_id", "count")])
        counted = there.rename_columns([*_KEY, kind])
        reductions = reductions.join(counted, _KEY)
        lacks = pc.less(pc.fill_null(reductions[kind], 0), count)
        reductions = reductions.set_column(reductions.schema.get_field_index(kind), kind, lacks)
    left = reductions.filter(pc.field(SINGLE) | pc.field(MULTI)).select(_KEY).sort_by("track_id")
    return left, row_names(stale, TIMELINES.key, TIMELINES.stamp).combine_chunks()


def _reductions(lake: Lake, labels: pa.Table, config: Config) -> pa.Table:
    """Read which reductions there are of labels, by the rules of a configuration, and when they were made."""
    rows = lake.read(REDUCTIONS.name, [*_KEY, "at"])
    rows = rows.filter(pc.field("reduction_version") == reduction_version(config.reduction))
    rows = rows.join(labels.select(list(LABELS.key)), list(LABELS.key), join_type="left semi")
    return rows.rename_columns([*_KEY, _REDUCED_AT])


def _is_current(config: Config) -> pc.Expression:
    settings = config.timelines
    versions = timeline_versions(settings, catalogue_of(config))
    is_of = {
        kind: (pc.field("kind") == kind) & (pc.field("timeline_version") == version)
        for kind, version in versions.items()
    }
    is_wanted = is_of[SINGLE] | (is_of[MULTI] & (pc.field("variant") < settings.variants))
    return is_wanted & (pc.field("at") >= pc.field(_REDUCED_AT))

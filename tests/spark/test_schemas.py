from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import Schema

from amper_spark.features.registry import FEATURES
from amper_spark.spark.documentation import tables_document
from amper_spark.spark.schemas import ANALYSES, LABELS, TABLES
from amper_spark.spark.view_definitions import VIEWS

DOCUMENT = Path(__file__).parents[2] / "docs" / "tables.md"


def nested_fields(fields):
    for field in fields:
        yield field
        if pa.types.is_list(field.type) and pa.types.is_struct(field.type.value_type):
            yield from nested_fields(field.type.value_type)
        elif pa.types.is_struct(field.type):
            yield from nested_fields(field.type)


@pytest.mark.parametrize("source", [*TABLES.values(), *VIEWS.values()], ids=lambda source: source.name)
def test_every_column_says_what_it_means(source):
    for field in nested_fields(source.schema):
        assert field.metadata[b"comment"]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_delta_keeps_types_nullability_and_meanings(table):
    kept = pa.schema(Schema.from_arrow(table.schema).to_arrow())
    for field in table.schema:
        assert kept.field(field.name).nullable == field.nullable
        assert kept.field(field.name).metadata == field.metadata
        assert pa.array([], field.type).cast(kept.field(field.name).type).type == kept.field(field.name).type


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_key_is_never_null(table):
    assert all(not table.schema.field(column).nullable for column in table.key)


def test_a_window_holds_the_stored_features_in_their_order():
    names = [field.name for field in ANALYSES.schema.field("windows").type.value_type]
    stored = [feature.name for feature in FEATURES if not feature.name.startswith("pca_")]
    assert len(stored) == 18
    assert names[: 3 + len(stored)] == ["window", "start_s", "end_s", *stored]


def test_only_what_may_be_unknown_is_nullable():
    nullable = {
        table.name: {field.name for field in nested_fields(table.schema) if field.nullable}
        for table in TABLES.values()
    }
    assert nullable == {
        "tracks": {"deleted_at", "descriptor", "parent_id"},
        "analyses": {"reason", "detail"},
        "labels": set(),
        "reductions": {"runner_up", "tonic"},
        "timelines": {"descriptor", "tempo_bpm", "tonic"},
        "renders": {"render_id", "track_id", "uri", "sha256", "size_bytes", "completed", "error"},
    }


def test_labels_answer_each_target_twice_and_say_how_sure_they_are():
    window = LABELS.schema.field("windows").type.value_type
    for way in ("free", "joint"):
        answers = [field.name for field in window.field(way).type]
        sure = [field.name for field in window.field(f"{way}_confidence").type]
        assert answers == (["descriptor"] if way == "joint" else []) + sure
        assert sure == ["genre", "subgenre", "mood", "sentiment", "valence", "momentum"]
        assert {window.field(way).type.field(name).type for name in ("valence", "momentum")} == {pa.int8()}


def test_the_document_of_the_tables_is_up_to_date():
    assert DOCUMENT.read_text(encoding="utf-8") == tables_document(), (
        "run: python -m amper_spark.spark.documentation docs/tables.md"
    )

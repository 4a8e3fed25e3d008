"""The JSON Schema of timelines: ``python -m amper_spark.timeline.schema docs/timeline.schema.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from amper_spark.timeline.document import Timeline


def json_schema() -> str:
    """Write the schema as JSON: what each object may hold, though not how they fit together."""
    return json.dumps(Timeline.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json_schema(), encoding="utf-8")

"""What a Python worker of Spark takes at most, as the operating system has counted it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from amper_spark.audio import decode
from amper_spark.config import Analysis
from amper_spark.decoder import Decoder
from amper_spark.spark.analysis_rows import analysis_row

REFERENCE_TRACK = Path(__file__).parents[2] / "data" / "reference-tracks" / "metal_madness.ogg"
RATE = 22_050


def write_long(file, duration_s):
    """Play a song over and over, so that the recording has beats and form all along."""
    song = decode(REFERENCE_TRACK).samples
    with soundfile.SoundFile(file, "w", RATE, 1, subtype="PCM_16") as long:
        for _ in range(duration_s * RATE // song.size):
            long.write(song)
        long.write(song[: duration_s * RATE - long.tell()])


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of the peak is another elsewhere")
@pytest.mark.parametrize(
    ("duration_s", "most_mb"),
    [(20 * 60, 500), pytest.param(3 * 3600, 1_000, marks=pytest.mark.slow)],
)
def test_long_recordings_take_bounded_memory(spark, tmp_path, duration_s, most_mb):
    file = tmp_path / "long.wav"
    write_long(file, duration_s)

    def work(batches):
        for batch in batches:
            with Decoder() as decoder:
                rows = [
                    analysis_row(uri, etag=None, decoder=decoder, settings=Analysis()) for uri in batch["uri"]
                ]
            peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            yield pd.DataFrame({"windows": [len(row["windows"]) for row in rows], "peak_mb": peak_kb / 1024})

    recordings = spark.createDataFrame([(file.as_uri(),)], "uri string")
    (row,) = recordings.mapInPandas(work, "windows long, peak_mb double").collect()

    print(f"{duration_s} s: at most {row.peak_mb:.0f} MiB")  # noqa: T201 - `pytest -s` shows it
    assert row.windows == (duration_s - 10) // 2 + 1
    assert row.peak_mb < most_mb

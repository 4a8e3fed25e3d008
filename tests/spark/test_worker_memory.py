"""What a Python worker of Spark and its decoding process take at most, as the operating system counts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import psutil
import pytest
import soundfile

from amper_spark.config import Analysis, Limits, Separation
from amper_spark.decoder import Decoder
from amper_spark.spark.analysis_rows import analysis_row
from amper_spark.spark.vocals import Vocals

REFERENCE_TRACK = Path(__file__).parents[2] / "data" / "reference-tracks" / "metal_madness.ogg"

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the peak so")


def write_long(file, duration_s):
    """Play a song over and over, so that the recording has beats and form all along."""
    song, rate = soundfile.read(REFERENCE_TRACK, dtype="float32")
    assert (rate, song.shape[1]) == (44_100, 2)
    # Eight bits make small files; FLAC of the lowest level is the fastest to write.
    with soundfile.SoundFile(file, "w", rate, 2, subtype="PCM_S8", compression_level=0.0) as long:
        for missing in range(duration_s * rate, 0, -len(song)):
            long.write(song[:missing])


def peak_mb(pid):
    """Most memory that a process has held at once, in MiB, since it became the program that it is."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def measured_row(uri, vocals=None):
    """Analyse a recording as a worker does, and see what that has taken."""
    with Decoder() as decoder:
        row = analysis_row(uri, etag=None, decoder=decoder, settings=Analysis(), vocals=vocals)
        this = psutil.Process()
        (decoding,) = [child for child in this.children() if "amper_spark.decoder_child" in child.cmdline()]
        return {
            "windows": len(row["windows"]),
            "worker_mb": peak_mb(this.pid),
            "decoder_mb": peak_mb(decoding.pid),
        }


def measured_alone(file, *model):
    """Measure in a process of its own: in this one others have left their peak."""
    done = subprocess.run([sys.executable, __file__, file.as_uri(), *model], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@linux_only
def test_memory_hardly_grows_with_a_recording(tmp_path):
    measured = {}
    for duration_s in (5 * 60, 20 * 60):
        file = tmp_path / "long.flac"
        write_long(file, duration_s)
        measured[duration_s] = measured_alone(file)
        assert measured[duration_s]["windows"] == (duration_s - 10) // 2 + 1
        file.unlink()

    print(measured)  # noqa: T201 - `pytest -s` shows it
    short, long = measured.values()
    # The samples of 15 minutes more are 76 MiB as they are analysed, and 303 MiB as they are decoded. What is
    # kept of them instead, and what is found in that, was measured to take 30 to 35 MiB.
    assert long["worker_mb"] - short["worker_mb"] < 60
    assert long["decoder_mb"] - short["decoder_mb"] < 10
    assert long["decoder_mb"] < 100


@linux_only
@pytest.mark.slow
def test_a_recording_of_hours_takes_a_worker_less_than_a_gigabyte(spark, tmp_path):
    file, duration_s = tmp_path / "long.flac", 3 * 3600
    write_long(file, duration_s)

    def work(batches):
        for batch in batches:
            yield pd.DataFrame([measured_row(uri) for uri in batch["uri"]])

    recordings = spark.createDataFrame([(file.as_uri(),)], "uri string")
    schema = "windows long, worker_mb double, decoder_mb double"
    (row,) = recordings.mapInPandas(work, schema).collect()
    file.unlink()

    print(row)  # noqa: T201 - `pytest -s` shows it
    assert row.windows == (duration_s - 10) // 2 + 1
    assert row.worker_mb < 953  # MiB: 1 GB
    assert row.decoder_mb < 100


@linux_only
@pytest.mark.slow
def test_a_worker_that_removes_vocals_takes_half_a_gigabyte_more(separation_model, tmp_path):
    file = tmp_path / "long.flac"
    write_long(file, 10 * 60)
    without, with_network = measured_alone(file), measured_alone(file, str(separation_model))
    print(without, with_network)  # noqa: T201 - `pytest -s` shows it
    assert with_network["worker_mb"] - without["worker_mb"] < 477  # MiB: 0.5 GB


def vocals_by(model):
    return Vocals(settings=Separation(), limits=Limits(), model=model)


if __name__ == "__main__":
    print(json.dumps(measured_row(sys.argv[1], *map(vocals_by, sys.argv[2:]))))  # noqa: T201 - for `measured_alone`

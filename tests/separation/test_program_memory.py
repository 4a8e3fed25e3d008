"""What ``amper-spark separate`` takes at most, as the operating system counts it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

GOLDEN = Path(__file__).parents[1] / "data" / "separation" / "mixture.flac"

# What wait4 tells of a child begins with the memory of its parent; VmHWM, with the program.
PROGRAM = """
from pathlib import Path

from amper_spark.cli import main

main(standalone_mode=False)
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the peak so"),
    pytest.mark.usefixtures("separation_model"),
]


def write_long(file, minutes):
    music, rate = soundfile.read(GOLDEN, dtype="float32")
    # Eight bits make small files; FLAC of the lowest level is the fastest to write.
    with soundfile.SoundFile(file, "w", rate, 2, subtype="PCM_S8", compression_level=0.0) as long:
        for missing in range(minutes * 60 * rate, 0, -len(music)):
            long.write(music[:missing])


def peak_mb(*arguments):
    """Run amper-spark to its end, and say how much memory it has held at once, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1]) * 1024 / 1e6


@pytest.mark.parametrize(
    "minutes", [1, *(pytest.param(long, marks=pytest.mark.slow) for long in (10, 60))], ids=str
)
def test_both_parts_of_a_recording_take_at_most_500_mb(tmp_path, minutes):
    write_long(tmp_path / "long.flac", minutes)
    parts = [tmp_path / "backing.flac", tmp_path / "vocals.flac"]
    peak = peak_mb("separate", tmp_path / "long.flac", parts[0], "--vocals", parts[1])
    print(f"{minutes} min: {peak:.0f} MB")  # noqa: T201 - `pytest -s` shows it
    assert peak < 500
    assert all(soundfile.info(part).frames == minutes * 60 * 44_100 for part in parts)

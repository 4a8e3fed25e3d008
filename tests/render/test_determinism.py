"""The same timeline, seed and font give the same bytes, whatever instructions a processor has."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from amper_spark.render.composer.composing import compose
from amper_spark.render.engine.fonts import load_font
from amper_spark.render.engine.known_fonts import cached_font
from amper_spark.render.engine.rendering import render
from amper_spark.render.engine.writing import encode_flac, write_audio
from amper_spark.timeline.parsing import parse_timeline

FONT = "fluid"  # the smaller one
STYLES = {"rock_indie_happy": 4.0, "cinematic_minimal_tense": 5.0, "folk_acoustic_uplifting": 3.0}

RENDER = """
import sys
from pathlib import Path
from tests.render.test_determinism import digests
print("\\n".join(digests(Path(sys.argv[1]))))
"""

# What a processor of 2008 has, which is the least that numpy runs on; kernels do with less.
PLAIN_LIBRARIES = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F,-AVX512VL,-SSE4_1,-SSE4_2",
    "OPENBLAS_CORETYPE": "Nehalem",
}
PLAIN_KERNELS = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse,+sse2"}


def digests(folder):
    """Render short timelines; say the SHA-256 of each FLAC and WAV."""
    font = load_font(cached_font(FONT))
    found = []
    for seed, (descriptor, duration_s) in enumerate(STYLES.items()):
        region = {"region": "music", "descriptor": descriptor, "beat": 0}
        spans = [
            {"type": "metered", "time": 0, "regions": [region]},
            {"type": "unmetered", "time": duration_s},
        ]
        score = compose(parse_timeline({"spans": spans}), seed=seed).score
        flac = encode_flac(render(score, font, channels=1, rate=22_050), 22_050)
        wav = folder / f"{descriptor}.wav"
        write_audio(wav, render(score, font, channels=2, rate=44_100), 44_100)
        found += [f"{descriptor} {hashlib.sha256(file).hexdigest()}" for file in (flac, wav.read_bytes())]
    return found


def digests_elsewhere(folder, environment):
    """Do the same in a process of its own, whose libraries find another processor."""
    child = subprocess.run(
        [sys.executable, "-c", RENDER, str(folder)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout.splitlines()


def plain_numpy():
    """Name all instructions that numpy would choose here beyond what it was compiled for."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    found = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(found)}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    if cached_font(FONT) is None:
        pytest.fail(f"the font {FONT} is not in the cache: run amper-spark fonts fetch")
    return digests(tmp_path_factory.mktemp("native"))


def test_other_libraries_of_functions_give_the_same_bytes(expected, tmp_path):
    assert digests_elsewhere(tmp_path, PLAIN_LIBRARIES | plain_numpy()) == expected


@pytest.mark.slow
def test_kernels_compiled_for_another_processor_give_the_same_bytes(expected, tmp_path):
    environment = PLAIN_KERNELS | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels"), "TMPDIR": str(tmp_path)}
    found = digests_elsewhere(tmp_path, PLAIN_LIBRARIES | plain_numpy() | environment)
    assert list((tmp_path / "kernels").rglob("*.nbc")), "numba compiled nothing anew"
    assert found == expected

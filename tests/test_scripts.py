"""What the scripts say is plain text where it does not go to a terminal."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def said(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_help_names_each_target_with_what_it_does():
    (targets,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    lines = [line.split(maxsplit=1) for line in said("scripts/help.sh", "Makefile").splitlines()]
    assert sorted(name for name, _ in lines) == sorted(targets.split())
    assert all("\x1b" not in text for line in lines for text in line)


def test_the_set_up_writes_no_escape_codes_to_a_file():
    function = next(line for line in (ROOT / "scripts/setup.sh").open() if line.startswith("say()"))
    assert said("bash", "-c", f"{function}say Ready: .venv") == "Ready: .venv\n"

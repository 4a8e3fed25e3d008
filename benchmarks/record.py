"""What a run of `benchmarks.performance` has measured, and on what: JSON, so that runs can be compared."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.cost import Cost, Costs, over_steps, over_tracks
from benchmarks.stage import StageCost  # noqa: TC001 - pydantic reads the annotations of Record

ROOT = Path(__file__).parents[1]
DOCUMENTS = tuple(
    f"docs/{name}.{suffix}"
    for name in ("performance", "separation", "rendering", "load")
    for suffix in ("md", "json")
)
"""What a run writes is no change that it could have measured."""

PACKAGES = ("amper_spark", "librosa", "numba", "numpy", "pyspark", "scipy", "soundfile", "soxr")


@dataclass(frozen=True)
class Record:
    """One run.

    Parameters
    ----------
    date : str
        Of the end of the run, UTC.
    command : str
    commit : str
        See `commit_name`.
    repeats : int
    machine : dict of str to str
    versions : dict of str to str
        Of Python and of packages.
    costs : dict
        By group, step and track.
    stage : dict of str to StageCost
        By kind of corpus; empty where Spark was skipped.
    """

    date: str
    command: str
    commit: str
    repeats: int
    machine: dict[str, str]
    versions: dict[str, str]
    costs: dict[str, Costs]
    stage: dict[str, StageCost]

    def cost(self, group: str, *steps: str, like: str | None = None) -> Cost:
        """Add up the costs of some steps (all of the group, if none is named) over recordings.

        Parameters
        ----------
        group : str
        *steps : str
        like : str, optional
            Another group: only the recordings that were measured there.
        """
        costs = self.costs[group]
        tracks = self.tracks(like or group)
        return over_steps([over_tracks([costs[step][track] for track in tracks]) for step in steps or costs])

    def tracks(self, group: str) -> list[str]:
        """Name the recordings that a group was measured on."""
        return list(next(iter(self.costs[group].values())))

    def audio_s(self, group: str) -> float:
        """Audio that one step of a group dealt with, in s."""
        return over_tracks(next(iter(self.costs[group].values())).values()).audio_s


_JSON: TypeAdapter[Record] = TypeAdapter(Record)


def new_record(
    *,
    command: str,
    commit: str,
    repeats: int,
    costs: dict[str, Costs],
    stage: dict[str, StageCost],
    other_versions: dict[str, str],
) -> Record:
    """Add to what was measured when, on what and with what."""
    return Record(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        commit=commit,
        repeats=repeats,
        machine=machine(),
        versions={"Python": platform.python_version()}
        | {package: version(package) for package in PACKAGES}
        | other_versions,
        costs=costs,
        stage=stage,
    )


def write_record(record: Record, file: Path) -> None:
    """Write a run as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_JSON.dump_json(rounded(record), indent=1) + b"\n")


def read_record(file: Path) -> Record:
    """Read it back."""
    return _JSON.validate_json(file.read_bytes())


def machine() -> dict[str, str]:
    """Say what a reader must know of this machine to judge the figures."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
    }


def commit_name(root: Path = ROOT) -> str:
    """Name the commit that is checked out, with ``-dirty`` where files differ from it."""
    name = _git(root, "describe", "--always", "--exclude", "*")
    return f"{name}{'-dirty' if changed_files(root) else ''}" if name else "unknown"


def changed_files(root: Path = ROOT) -> list[str]:
    """Name the files under version control that differ from the commit, but for `DOCUMENTS`."""
    others = (f":(exclude){document}" for document in DOCUMENTS)
    return _git(root, "diff", "--name-only", "HEAD", "--", ".", *others).splitlines()


def _git(root: Path, *arguments: str) -> str:
    """Return what git says; nothing where there is no git, or no repository."""
    try:
        said = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()


def _processor() -> str:
    """Name the processor; only Linux needs to be asked by its file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def rounded(record: Record) -> Record:
    """Keep microseconds, not the noise below."""
    costs = {
        group: {
            step: {
                track: Cost(round(cost.audio_s, 3), tuple(round(run_s, 6) for run_s in cost.runs_s))
                for track, cost in tracks.items()
            }
            for step, tracks in steps.items()
        }
        for group, steps in record.costs.items()
    }
    return Record(**(vars(record) | {"costs": costs}))

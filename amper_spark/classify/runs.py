"""MLflow runs that are written to, and what becomes of them when what they are about fails."""

from __future__ import annotations

import csv
import getpass
import io
import json
import logging
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amper_spark.classify.mlflow_settings import impatient
from amper_spark.classify.store import EXPERIMENT
from amper_spark.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.figure import Figure as Picture
    from mlflow import MlflowClient

    from amper_spark.classify.intervals import Figure

log = logging.getLogger(__name__)

_AT_ONCE = 100  # parameters or metrics in one request
_MAX_PARAM = 6_000


class Run:
    """An MLflow run that is written to; it may have ended.

    Parameters
    ----------
    client : mlflow.MlflowClient
    run_id, experiment_id, name : str
    """

    def __init__(self, client: MlflowClient, *, run_id: str, experiment_id: str, name: str) -> None:
        self.client = client
        self.run_id = run_id
        self.experiment_id = experiment_id
        self.name = name

    def log_params(self, params: Mapping[str, object]) -> None:
        """Write what was chosen, such as ``n_neighbors``."""
        from mlflow.entities import Param

        entries = [Param(name, str(value)[:_MAX_PARAM]) for name, value in params.items()]
        for start in range(0, len(entries), _AT_ONCE):
            self.client.log_batch(self.run_id, params=entries[start : start + _AT_ONCE])

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Write what was measured.

        Parameters
        ----------
        metrics : mapping of str to float
        step : int
            Its place on the horizontal axis of a chart.
        """
        from mlflow.entities import Metric

        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        entries = [Metric(name, float(value), now_ms, step) for name, value in metrics.items()]
        for start in range(0, len(entries), _AT_ONCE):
            self.client.log_batch(self.run_id, metrics=entries[start : start + _AT_ONCE])

    def log_figures(self, measure: str, figures: Mapping[str, Figure], *, step: int = 0) -> None:
        """Write figures of several targets; the ends of their intervals go under a heading further down.

        Parameters
        ----------
        measure : str
            Such as `ACCURACY`.
        figures : mapping of str to Figure
            By target.
        step : int
        """
        metrics = {f"{measure}/{target}": figure.value for target, figure in figures.items()}
        for target, figure in figures.items():
            metrics[f"interval of {measure}/{target} low"] = figure.low
            metrics[f"interval of {measure}/{target} high"] = figure.high
        self.log_metrics(metrics, step=step)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Say what it is about, such as ``target``."""
        from mlflow.entities import RunTag

        entries = [RunTag(name, str(value)) for name, value in tags.items()]
        for start in range(0, len(entries), _AT_ONCE):
            self.client.log_batch(self.run_id, tags=entries[start : start + _AT_ONCE])

    def log_text(self, text: str, file: str) -> None:
        """Keep a text, such as a report; ``file`` is its path among the run's artifacts."""
        with tempfile.TemporaryDirectory() as folder:
            self.log_file(_written(Path(folder), file, text.encode()), file)

    def log_json(self, document: object, file: str) -> None:
        """Keep numbers that programs may want."""
        self.log_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", file)

    def log_csv(self, header: Sequence[object], rows: Sequence[Sequence[object]], file: str) -> None:
        """Keep a table."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
        self.log_text(text.getvalue(), file)

    def log_picture(self, picture: Picture, file: str) -> None:
        """Keep a picture; the suffix of ``file`` says its format."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(file).name
            picture.savefig(path)
            self.log_file(path, file)

    def log_file(self, path: Path, file: str) -> None:
        """Keep a file that is there, as ``file``; its name must be that of ``path``."""
        parent = Path(file).parent.as_posix()
        self.client.log_artifact(self.run_id, str(path), None if parent == "." else parent)


class _Parent(Run):
    """A run that has others below it."""

    def __init__(self, client: MlflowClient, *, run_id: str, experiment_id: str, name: str) -> None:
        super().__init__(client, run_id=run_id, experiment_id=experiment_id, name=name)
        self.children: list[Run] = []

    @contextmanager
    def _child(self, kind: type[Any], name: str, tags: Mapping[str, object]) -> Iterator[Any]:
        from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

        made = create_run(self.client, self.experiment_id, name, {MLFLOW_PARENT_RUN_ID: self.run_id, **tags})
        child = kind(self.client, run_id=made, experiment_id=self.experiment_id, name=name)
        self.children.append(child)
        with ending(child):
            yield child

    def descendants(self) -> Iterator[Run]:
        """List all runs below it."""
        for child in self.children:
            yield child
            if isinstance(child, _Parent):
                yield from child.descendants()


class ModelRun(_Parent):
    """The run of one model of a training.

    Attributes
    ----------
    training_id : str
        The run of the training.
    """

    training_id: str

    @contextmanager
    def target(self, name: str, tags: Mapping[str, object] | None = None) -> Iterator[Run]:
        """Open the run of one target: ``genre``, ``subgenre`` and so on."""
        own = {"level": "target", "model": self.name, "target": name}
        with self._child(Run, f"{self.name} {name}", {**own, **(tags or {})}) as child:
            yield child


class TrainingRun(_Parent):
    """The run of a whole training."""

    @contextmanager
    def model(self, kind: str, tags: Mapping[str, object] | None = None) -> Iterator[ModelRun]:
        """Open the run of one model: ``knn``, ``mlp``."""
        with self._child(ModelRun, kind, {"level": "model", "model": kind, **(tags or {})}) as child:
            child.training_id = self.run_id
            yield child


@contextmanager
def ending(run: Run) -> Iterator[None]:
    """End a run with the body: FINISHED, FAILED, or KILLED after Ctrl-C; what is below it fails with it."""
    try:
        yield
    except BaseException as error:  # whatever it was, it is raised again
        status = "KILLED" if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)) else "FAILED"
        _give_up(run, status, error)
        raise
    run.client.set_terminated(run.run_id, "FINISHED")


def _give_up(run: Run, status: str, error: BaseException) -> None:
    below = list(run.descendants()) if isinstance(run, _Parent) else []
    try:
        with impatient():
            for one in (*below, run):
                one.client.set_terminated(one.run_id, status)
            run.client.set_tag(run.run_id, "ended", f"{type(error).__name__}: {error}"[:500])
            if isinstance(run, TrainingRun):
                take_back(run.client, run.run_id)
    except Exception:  # noqa: BLE001 - the store may be what failed, and the first error tells more
        log.warning("the run could not be marked %s", status, extra={"run": run.run_id})


def create_run(client: MlflowClient, experiment_id: str, name: str, tags: Mapping[str, object]) -> str:
    """Start a run, with the tags that the runs' table has columns for; return its id."""
    from mlflow.utils import mlflow_tags

    source = {
        mlflow_tags.MLFLOW_USER: _user(),
        mlflow_tags.MLFLOW_SOURCE_NAME: "amper-spark train",
        mlflow_tags.MLFLOW_SOURCE_TYPE: "LOCAL",
    }
    if commit := tags.get("git_commit"):
        source[mlflow_tags.MLFLOW_GIT_COMMIT] = str(commit)
    texts = {key: str(value) for key, value in {**source, **tags}.items()}
    return str(client.create_run(experiment_id, tags=texts, run_name=name).info.run_id)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


def _written(folder: Path, file: str, content: bytes) -> Path:
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise ParameterError(f"an artifact's file must lie below its run, got {file!r}")
    path = folder / Path(file).name
    path.write_bytes(content)
    return path


def take_back(client: MlflowClient, run_id: str) -> None:
    """Delete the versions that a training has registered."""
    for version in client.search_model_versions(f"name = '{EXPERIMENT}'"):
        if version.tags.get("training_run") == run_id:
            client.delete_model_version(EXPERIMENT, version.version)

"""Where MLflow's pages show what."""

from __future__ import annotations

from urllib.parse import urlencode

from amper_spark.classify.tracking import ACCURACY


def comparison_address(server: str, experiment_id: str, training_id: str | None = None) -> str:
    """Say where models are side by side: a chart for each measure and target, the best model at the top.

    Parameters
    ----------
    server : str
        Such as ``http://127.0.0.1:5000``.
    experiment_id : str
    training_id : str, optional
        The run of a training; by default models of all trainings are there.

    Returns
    -------
    str

    Examples
    --------
    >>> comparison_address("http://127.0.0.1:5000", "1")
    'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=CHART&...'
    """
    searched = "tags.level = 'model'"
    if training_id is not None:
        searched += f" and tags.mlflow.parentRunId = '{training_id}'"
    asked = {
        "workflowType": "machine_learning",
        "compareRunsMode": "CHART",
        "searchFilter": searched,
        # In any order but that of their dates, runs are not hidden below their parents.
        "orderByKey": f"metrics.`{ACCURACY}/genre`",
        "orderByAsc": "false",
        "startTime": "ALL",
    }
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?{urlencode(asked)}"

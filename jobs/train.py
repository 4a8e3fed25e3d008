"""Train hierarchical classifiers, judge them honestly, register the better one. Needs no Spark."""

from pathlib import Path
from typing import Any

import click

from amper_spark.job import JobRun, job


@job(
    corpus="Learn only from the recordings of this corpus (default: all that have a descriptor).",
    dry_run="Say what would be learnt from, what would be tried, and how long that would take.",
    force="Train again what has been trained before, on the same windows in the same way.",
    limit="Learn from at most N recordings, as evenly over the descriptors as can be.",
    interrupted="Nothing is registered; the same command begins anew.",
)
@click.option("--models", metavar="KIND,KIND", default="knn,mlp", show_default=True, help="Of knn, mlp.")
@click.option(
    "--split",
    type=click.Choice(["recording", "window"]),
    default="recording",
    show_default=True,
    help="window: the study's protocol and the control, to compare with; nothing is registered.",
)
@click.option(
    "--results", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures here too."
)
def train(run: JobRun, **asked: Any) -> int:
    r"""Learn descriptors from the analysed renders, and register a model that scores a corpus.

    Each kind of model hears 70 % of the recordings and is asked about the others: no recording is on both
    sides. Beside that stand the study's split by window, folds, renders with patterns and with a SoundFont
    that the model has not heard, fewer recordings, and labels shuffled among recordings: were those learnt,
    the training would fail. All of it goes to MLflow (`amper-spark models ui`); the kind that does best in
    cross-validation is registered as amper-descriptors, the first one as champion, later ones as challengers.

    A training that was interrupted registers nothing; the same command begins it anew.

    \b
    Examples:
      amper-spark train --lake lake --dry-run
      amper-spark train --lake lake --models mlp --set training.abstain_share=0.05
      amper-spark train --lake lake --results results.md
    """
    from amper_spark.spark.training_job import run_training

    return run_training(run, **asked)


if __name__ == "__main__":
    train()

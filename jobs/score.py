"""Label the windows of analysed recordings with a registered model, on Spark."""

import click

from amper_spark.job import JobRun, job


@job(
    corpus="Only the recordings of this corpus.",
    dry_run="Say how much there is to do and how long it would take.",
    force="Do again what is done.",
    limit="At most N recordings.",
)
@click.option(
    "--model",
    metavar="URI",
    help="An MLflow model URI, such as models:/amper-descriptors/2 (default: the champion).",
)
def score(run: JobRun, *, model: str | None) -> int:
    r"""Label every analysed recording that the model has not labelled yet.

    Each analysis becomes one row of the table `labels`: for each of its windows genre, subgenre, mood,
    sentiment, valence and momentum, once by two trees apart and once by the most probable descriptor, with
    how sure the model is. An alias is resolved once, and rows say which model it was. Work is committed
    batch by batch: a job that was stopped, however rudely, goes on where it was.
    Recordings whose analysis the model has not learnt from are left out.

    Exit status: 0 done, 1 failed, 2 wrong usage.

    \b
    Examples:
      amper-spark score --lake lake --dry-run
      amper-spark score --lake lake --corpus home
      amper-spark score --lake lake --model models:/amper-descriptors@challenger
      spark-submit --master spark://host:7077 jobs/score.py --lake s3://bucket/lake
    """
    from amper_spark.classify.store import Store
    from amper_spark.spark.chosen_model import chosen_model
    from amper_spark.spark.scoring import scoring_stage, scoring_units

    store = Store.of_lake(run.lake.uri, run.config.mlflow.tracking_uri)
    with chosen_model(store, model) as chosen:
        units, done_before = scoring_units(
            run.lake, chosen, config=run.config, corpus=run.corpus, force=run.force, limit=run.limit
        )
        stage = scoring_stage(chosen, lake=run.lake, settings=run.config.stage)
        return run.run_stage(stage, units, skipped=done_before)


if __name__ == "__main__":
    score()

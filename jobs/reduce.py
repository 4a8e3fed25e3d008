"""Reduce labelled recordings to majorities by segment, and write timelines for them, on Spark."""

import click

from amper_spark.job import JobRun, job


@job(
    corpus="The recordings of this corpus. Default: all but renders.",
    dry_run="Say how much there is to do and how long it would take.",
    force="Do again what is done.",
    limit="At most N recordings.",
)
@click.option(
    "--model",
    metavar="URI",
    help="Whose labels: an MLflow model URI, such as models:/amper-descriptors/2, or a name as the table "
    "labels has it (default: the champion).",
)
def reduce(run: JobRun, *, model: str | None) -> int:
    r"""Reduce the labels of each recording to majorities, and write timelines that resemble it.

    Each labelled recording becomes a row of the table `reductions`: for each of its segments the descriptor,
    tempo and tonic that most windows have, how many of them do, and who came second; and the most frequent
    ones of the whole recording. `amper-spark export majorities` lists them. From these, the table `timelines`
    gets one region of each of the first descriptors, tempi and tonics (timelines.top), and a region for each
    segment, with different instruments each time (timelines.variants). `amper-spark submit` has them played.

    Exit status: 0 done, 1 failed, 2 wrong usage.

    \b
    Examples:
      amper-spark reduce --lake lake --dry-run
      amper-spark reduce --lake lake --corpus home --set timelines.variants=20
      spark-submit --master spark://host:7077 jobs/reduce.py --lake s3://bucket/lake
    """
    from amper_spark.classify.store import Store
    from amper_spark.spark.chosen_model import chosen_version
    from amper_spark.spark.reduction import reduction_stage
    from amper_spark.spark.reduction_units import current_labels, reduction_units
    from amper_spark.spark.timeline_rows import write_missing_timelines

    version = chosen_version(Store.of_lake(run.lake.uri, run.config.mlflow.tracking_uri), model)
    labels = current_labels(run.lake, version, corpus=run.corpus)
    units, done_before = reduction_units(
        run.lake, labels, settings=run.config.reduction, force=run.force, limit=run.limit
    )
    stage = reduction_stage(run.lake, run.config.reduction)
    status = run.run_stage(stage, units, skipped=done_before)
    if not run.dry_run:
        written = write_missing_timelines(run.lake, labels, run.config, limit=run.limit)
        run.say(f"reduce: {written}")
    return status


if __name__ == "__main__":
    reduce()

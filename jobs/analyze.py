"""Analyse recordings: windows, features, tempo, tonic and form, on Spark."""

import click

from amper_spark.job import JobRun, job


@job(
    corpus="Only the recordings of this corpus.",
    dry_run="Say how much there is to do and how long it would take.",
    force="Do again what is done.",
    limit="At most N recordings, those that take longest first.",
)
@click.option("--retry", is_flag=True, help="Try again what was quarantined.")
@click.option(
    "--separate/--no-separate",
    default=None,
    help="Remove the vocals first (default: where the manifest says so).",
)
@click.option(
    "--keep-stems", is_flag=True, help="Keep what is left without vocals, below stems/ in the lake."
)
def analyze(run: JobRun, *, separate: bool | None, keep_stems: bool, retry: bool) -> int:
    r"""Analyse every catalogued recording that has no analysis yet.

    Each recording becomes one row of the table `analyses`: its windows of 10 s with features, tempo and
    tonic, its beats and its formal segments. A recording that cannot be analysed becomes a row too, with
    the reason. Work is committed batch by batch: a job that was stopped, however rudely, goes on where
    it was.
    A changed file, another analysis configuration and a file that had vanished count as not analysed.

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 done, but more than stage.max_bad_share of the
    recordings of this run were bad.

    \b
    Examples:
      amper-spark analyze --lake lake --dry-run
      amper-spark analyze --lake lake --corpus home --set stage.max_bad_share=0.2
      amper-spark analyze --lake lake --retry --set decoder.timeout_s=900
      amper-spark analyze --lake lake --separate --keep-stems
      spark-submit --master spark://host:7077 jobs/analyze.py --lake /shared/lake
    """
    from amper_spark.spark.analyses import analysis_stage, analysis_units, separation_model

    units, done_before = analysis_units(
        run.lake,
        config=run.config,
        corpus=run.corpus,
        separate=separate,
        force=run.force,
        retry=retry,
        limit=run.limit,
    )
    model = separation_model(run.config.separation, units) if not run.dry_run else None
    stage = analysis_stage(run.config, lake=run.lake, model=model, keep_stems=keep_stems)
    return run.run_stage(stage, units, skipped=done_before, retry=retry)


if __name__ == "__main__":
    analyze()

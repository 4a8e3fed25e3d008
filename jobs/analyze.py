"""Analyse recordings: windows, features, tempo, tonic and form, on Spark."""

import click

from amper_spark.job import JobRun, job


@job(
    corpus="Only the recordings of this corpus.",
    dry_run="Say how much there is to do and how long it would take.",
    force="Do again what is done.",
    limit="At most N recordings, the largest first.",
)
@click.option("--retry", is_flag=True, help="Try again what was quarantined.")
@click.option(
    "--separate/--no-separate",
    default=None,
    help="Remove the vocals first (default: where the manifest says so). This version cannot do it yet: "
    "where a manifest says separate=true, give --no-separate.",
)
def analyze(run: JobRun, *, separate: bool | None, retry: bool) -> int:
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
      spark-submit --master spark://host:7077 jobs/analyze.py --lake /shared/lake
    """
    from amper_spark.spark.analyses import analysis_stage, analysis_units

    units, done_before = analysis_units(
        run.lake,
        settings=run.config.analysis,
        corpus=run.corpus,
        separate=separate,
        force=run.force,
        retry=retry,
        limit=run.limit,
    )
    return run.run_stage(analysis_stage(run.config), units, skipped=done_before, retry=retry)


if __name__ == "__main__":
    analyze()

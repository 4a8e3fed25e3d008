"""Have timelines rendered by a render service, and collect what it makes."""

from pathlib import Path
from typing import Any

import click

from amper_spark.job import DONE, TOO_MANY_BAD, JobRun, job


@job(
    corpus="Only the timelines of recordings of this corpus.",
    dry_run="Print the timelines, a line of JSON each, and how many there are.",
    force="Submit again what is done.",
    limit="At most N timelines.",
)
@click.option("--model", metavar="URI", help="Whose labels they are by, as in reduce; default: the champion.")
@click.option("--kind", type=click.Choice(["single", "multi"]), help="Only timelines of this kind.")
@click.option("--retry", is_flag=True, help="Submit again what has failed.")
@click.option("--into", metavar="NAME", default="timelines", show_default=True, help="Corpus of the renders.")
@click.option("--url", help="Of a render service. Default: submit.url, or else one is started for the job.")
@click.option("--token-file", type=Path, help="Of its token. Default: what AMPER_SPARK_RENDER_TOKEN holds.")
@click.option("--server-data", type=Path, help="Folder of the server that is started. Default: in the lake.")
def submit(run: JobRun, *, model: str | None, into: str, kind: str | None, retry: bool, **where: Any) -> int:
    r"""Have the timelines that `reduce` has written rendered through the render API.

    A render becomes a WAV file in the lake and a row of `tracks`, ready for analyze and score, and its
    timeline a row of `renders`. A timeline that the service refuses becomes a FAILED row with its reasons.
    Each timeline is rendered once: a job that was stopped, however rudely, goes on where it was.

    Exit status: 0 done, 1 failed, 2 wrong usage, 3 more than stage.max_bad_share failed.

    \b
    Examples:
      amper-spark submit --dry-run --limit 3
      amper-spark submit
      AMPER_SPARK_RENDER_TOKEN=... amper-spark submit --url https://music.example
    """
    from amper_spark.classify.store import Store
    from amper_spark.spark.chosen_model import chosen_version
    from amper_spark.spark.submission import Submission
    from amper_spark.spark.submission_choice import Wanted
    from amper_spark.spark.submission_report import documents, preview_in_words

    version = chosen_version(Store.of_lake(run.lake.uri, run.config.mlflow.tracking_uri), model)
    wanted = Wanted(version, run.corpus, kind, into, run.force, retry, run.limit)
    submission = Submission(run.lake, run.config, wanted, **where)
    if run.dry_run:
        choice = submission.preview()
        for line in documents(choice, run.lake):
            click.echo(line, nl=False)
        click.echo(f"submit: {preview_in_words(choice)}", err=True)
        return DONE
    report = submission.run()
    run.say(f"submit: {report}")
    return TOO_MANY_BAD if report.bad_share > run.config.stage.max_bad_share else DONE


if __name__ == "__main__":
    submit()

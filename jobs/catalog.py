"""List a corpus: which recordings there are, and which are new, changed or gone."""

from pathlib import Path

import click

from amper_spark.job import DONE, JobRun, job


@job(
    corpus="Name of the corpus (default: the name of ROOT).",
    dry_run="Say what is new, changed or gone, and write nothing.",
    force="Accept a ROOT that has moved or has become empty.",
    limit="Look at the first N files only, by name; all other tracks stay as they are, gone or not.",
)
@click.argument("root", type=click.Path(path_type=Path))
@click.option(
    "--manifest",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV or JSON lines: a column `key` (path below ROOT) and any of descriptor, recording_id, "
    "parent_id, separate; all other columns become tags.",
)
def catalog(run: JobRun, *, root: Path, manifest: Path | None) -> int:
    r"""List every audio file below ROOT in the table `tracks`.

    Keeps every file with an audio suffix, however broken: the analysis says what is wrong with it, M4A
    and other formats that it does not decode among them (it does MP3, FLAC, Ogg Vorbis, Opus, WAV and
    AIFF). Run it again whenever files may have been added, changed or removed: only what is new or
    changed is analysed later. Two folders of the same name need two names of corpora.

    \b
    Examples:
      amper-spark catalog ~/Music --corpus home --lake lake
      amper-spark catalog renders/ --manifest renders/labels.csv --dry-run
    """
    from amper_spark.spark.catalog import update_catalog

    summary = update_catalog(
        run.lake,
        root,
        corpus=run.corpus,
        manifest=manifest,
        limit=run.limit,
        allow_empty=run.force,
        allow_moved=run.force,
        dry_run=run.dry_run,
    )
    limited = f"; files beyond --limit {run.limit} were not looked at" if run.limit is not None else ""
    run.say(f"catalog: {summary}{limited}")
    return DONE


if __name__ == "__main__":
    catalog()

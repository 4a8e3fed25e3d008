"""Generate a corpus of renders to learn from, on Spark."""

from typing import Any

import click

from amper_spark.job import DONE, JobRun, job


@job(
    corpus="Name of the corpus (default: renders).",
    dry_run="Make a few, and say how many there are to make, how long that takes and how much room.",
    force="Make again what was made with another font, catalogue, composer or engine.",
    limit="At most N renders; the first ones have something of every descriptor.",
)
@click.option("--renders-per-duration", type=int, default=33, show_default=True, help="Of each descriptor.")
@click.option("--durations", metavar="S,S", default="10,30,60", show_default=True, help="From 3 to 600 s.")
@click.option("--descriptors", metavar="NAME,NAME", default="all", help="Or genres, subgenres; default: all.")
@click.option("--half", type=click.Choice(["A", "B", "both"]), default="both", help="Of the patterns.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another corpus.")
@click.option("--font", metavar="FONT", help="musescore, fluid or a file .sf2, .sf3; default: render.font.")
@click.option("--catalogue", metavar="FOLDER", help="Of `descriptors import`; default: render.catalogue.")
@click.option("--out", metavar="URI", help="Folder of the renders; default: renders/CORPUS in the lake.")
def generate(run: JobRun, *, font: str | None, catalogue: str | None, out: str | None, **asked: Any) -> int:
    r"""Compose and play a corpus of short pieces whose styles are known, for models to learn from.

    A render's seed draws tempo, key, instruments, notes, room and level; it follows from --seed, descriptor,
    duration and number. A render becomes a FLAC file, mono at 22,050 Hz, and a row of the table `tracks`,
    whose tags say what was drawn: `analyze --corpus NAME` takes it from there. A job that was stopped goes on
    after the last batch. Numbers alternate between a style's halves A and B, which share no instrument.

    A corpus is never mixed: where it has renders made with another font, catalogue, composer or engine, the
    job refuses, or makes them again (--force). Exit status 3: more than stage.max_bad_share cannot be made.

    \b
    Examples:
      amper-spark generate --dry-run
      amper-spark generate --descriptors rock,cinematic_ambient --durations 10 --renders-per-duration 4
      amper-spark generate --corpus fluid --font fluid --half B
      spark-submit --master spark://host:7077 jobs/generate.py --lake /shared/lake
    """
    from amper_spark.render.corpus_options import CorpusRequest
    from amper_spark.spark.generated import select_orders
    from amper_spark.spark.generation import generation_stage, generation_units, read_generation
    from amper_spark.spark.generation_forecast import forecast, prepare_folder

    plan = CorpusRequest(run.corpus or "renders", **asked)
    generation, orders = read_generation(run.config, run.lake, plan, font=font, catalogue=catalogue, out=out)
    chosen = select_orders(run.lake, generation, orders, replace=run.force, limit=run.limit)
    if run.dry_run:
        expected = forecast(run.lake, generation, chosen.orders)
        run.say(f"generate: {chosen.done_before:,} done before; {expected}")
        return DONE
    prepare_folder(generation, chosen.orders)
    units = generation_units(generation, chosen.orders)
    return run.run_stage(generation_stage(generation), units, skipped=chosen.done_before)


if __name__ == "__main__":
    generate()

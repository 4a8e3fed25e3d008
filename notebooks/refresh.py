"""Run the notebooks from their scripts, and keep what they show, made small: ``make notebooks``.

Times, versions and random identifiers are left out, so that a notebook changes only with what it shows.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import click
import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from PIL import Image

FOLDER = Path(__file__).parent
N_COLOURS = 128


@click.command()
@click.option("--lake", default="demo/lake", show_default=True, help="Folder or URI of the tables.")
@click.option("--corpus", default="renders", show_default=True, help="Whose renders to look at.")
def refresh(lake: str, corpus: str) -> None:
    """Run all notebooks on a lake and write them beside their scripts."""
    os.environ["AMPER_SPARK_LAKE"] = lake if "://" in lake else str(Path(lake).resolve())
    os.environ["AMPER_SPARK_CORPUS"] = corpus
    for script in sorted(FOLDER.glob("[0-9]*.py")):
        try:
            notebook = executed(script, folder=FOLDER)
        except CellExecutionError as error:
            raise click.ClickException(f"{script.name}: {error.evalue}") from error
        nbformat.write(notebook, script.with_suffix(".ipynb"))
        click.echo(f"wrote {script.with_suffix('.ipynb')}")


def executed(script: Path, *, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook in a folder, and tidy up what it shows."""
    notebook = jupytext.read(script)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, kernel_name="python3", record_timing=False, resources=resources).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/png"] = smaller(data["image/png"])
    return notebook


def smaller(picture: str) -> str:
    """Write a PNG, in base64, in few colours: a third of the size, and no eye sees it."""
    written = BytesIO()
    with Image.open(BytesIO(b64decode(picture))) as image:
        colours = Image.Quantize.MAXCOVERAGE
        few = image.convert("RGB").quantize(N_COLOURS, method=colours, dither=Image.Dither.NONE)
        few.save(written, "PNG", optimize=True)
    return b64encode(written.getvalue()).decode("ascii")


if __name__ == "__main__":
    refresh()

"""Take the README's picture of MLflow's pages, in Chromium: models of the latest training side by side."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import click

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.mlflow_pages import comparison_address
from amper_spark.classify.registry import versions
from amper_spark.classify.store import Store
from amper_spark.errors import AmperSparkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

MAIN = "from amper_spark.cli import main; main()"
PATIENCE_S = 240
SIZE = {"width": 1700, "height": 1000}


@contextmanager
def mlflow_pages(lake: Path) -> Iterator[str]:
    """Run ``amper-spark models ui`` on a lake.

    Parameters
    ----------
    lake : Path

    Yields
    ------
    str
        The address of the server.

    Raises
    ------
    AmperSparkError
        It ended, or did not answer in minutes.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", MAIN, "models", "ui", "--lake", str(lake), "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, address)
        yield address
    finally:
        process.terminate()
        process.wait()


def open_comparison(page: Page, address: str, store: Store, training_id: str | None = None) -> None:
    """Open the page that shows models side by side, and close the assistant that lies above it."""
    experiment_id = store.experiment_id()
    if experiment_id is None:
        raise AmperSparkError(f"nobody has trained yet in {store.name}")
    page.goto(comparison_address(address, experiment_id, training_id))
    page.get_by_role("button", name="Close", exact=True).click()
    page.locator(".js-plotly-plot .bars").first.wait_for(state="attached")


@click.command()
@click.argument("lake", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def main(*, lake: Path, file: Path) -> None:
    """Write FILE, a PNG: the models of the training that LAKE's latest version is of."""
    from playwright.sync_api import sync_playwright

    store = Store.of_lake(lake)
    found = versions(store)
    training = found[0].tags.get("training_run") if found else None
    with mlflow_pages(lake) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, locale="en-US")  # type: ignore[arg-type]  # a dict will do
        page.set_default_timeout(PATIENCE_S * 1_000)
        open_comparison(page, address, store, training)
        page.locator(".js-plotly-plot .bars").nth(len(TARGETS) - 1).wait_for(state="attached")
        page.screenshot(path=file)
        browser.close()
    click.echo(f"{file}: {file.stat().st_size:,} bytes")


def chromium() -> str:
    """Find Chromium.

    Raises
    ------
    AmperSparkError
        It is not installed.
    """
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise AmperSparkError("no Chromium is installed: apt install chromium")
    return found


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    opener = build_opener(ProxyHandler({}))
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and process.poll() is None:
        try:
            with opener.open(f"{address}/health", timeout=10):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise AmperSparkError(f"MLflow's server at {address} does not answer")


if __name__ == "__main__":
    main()

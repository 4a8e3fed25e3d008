"""MLflow's pages as people see them: a real training's runs, a real server, a real browser."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from amper_spark.classify.hierarchy import TARGETS
from amper_spark.classify.intervals import Figure
from amper_spark.classify.registration import register
from amper_spark.classify.store import Store
from amper_spark.classify.tracking import ACCURACY, Tracking
from benchmarks.mlflow_picture import PATIENCE_S, SIZE, mlflow_pages, open_comparison
from tests.render.server.pages.editing import chromium  # noqa: F401 - a fixture

pytestmark = pytest.mark.browser

VALUES = {"knn": 0.8125, "mlp": 0.9375}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, model, windows):
    """A lake with a training of both models, its store, and the ids of their runs."""
    lake = tmp_path_factory.mktemp("my lake")
    store = Store.of_lake(lake)
    children = {}
    with Tracking(store).training("48 renders", {"seed": 0}, {"split": "recording"}) as training:
        for kind, value in VALUES.items():
            figures = {target: Figure(value, value - 0.05, value + 0.04, 500, 61) for target in TARGETS}
            with training.model(kind) as child:
                child.log_figures(ACCURACY, figures)
                for target in TARGETS:
                    with child.target(target) as one:
                        one.log_metrics({ACCURACY: value})
            children[kind] = child
        register(store, children["mlp"], model, example=windows[0][:2], tags={}, card="# The card of it\n")
    return lake, store, {kind: child.run_id for kind, child in children.items()}


@pytest.fixture(scope="module")
def address(trained):
    with mlflow_pages(trained[0]) as address:
        yield address


@pytest.fixture
def page(chromium):  # noqa: F811 - the fixture
    context = chromium.new_context(viewport=SIZE, locale="en-US")
    context.set_default_timeout(PATIENCE_S * 1_000)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda response: asked.append("") if response.status >= 500 else None)
    yield page
    context.close()
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:", "blob:"))] == []


def test_the_two_models_are_side_by_side(page, address, trained):
    _, store, _ = trained
    open_comparison(page, address, store)
    page.get_by_text(ACCURACY).first.wait_for()
    for kind in VALUES:
        page.get_by_role("link", name=kind, exact=True).wait_for()
    charts = page.locator(".js-plotly-plot")
    said = charts.first.text_content()
    assert "0.94" in said
    assert "0.81" in said


def test_the_comparison_of_two_runs_tells_all_metrics(page, address, trained):
    _, store, runs = trained
    page.set_viewport_size({"width": 1500, "height": 3_000})
    ids = quote(json.dumps([runs["knn"], runs["mlp"]]))
    experiments = quote(json.dumps([store.experiment_id()]))
    page.goto(f"{address}/#/compare-runs?runs={ids}&experiments={experiments}")
    page.get_by_role("heading", name="Comparing 2 Runs from 1 Experiment").wait_for()
    page.get_by_role("link", name="accuracy by recording/genre", exact=True).wait_for()
    for said in ("knn", "mlp", "0.8125", "0.9375"):  # not all of it is there at once
        page.get_by_text(said).first.wait_for()


def test_the_champion_is_in_the_registry_with_its_card(page, address):
    page.goto(f"{address}/#/models/amper-descriptors/versions/1")
    page.get_by_text("The card of it").first.wait_for()
    page.get_by_text("champion").first.wait_for()

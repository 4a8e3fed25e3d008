"""Every rule that is documented of Amper's API, version 1; the page docs/contract.md says the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from tests.render.server.contract import (  # noqa: E402 - the path above
    actions,
    entities,
    protocol,
    renders,
    timelines,
)
from tests.render.server.contract.rules import SECTIONS, in_order, page  # noqa: E402 - as above
from tests.render.server.contract.studio import Studio  # noqa: E402 - as above

PARTS = (protocol, renders, timelines, actions, entities)
"""Which note their rules."""


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.mark.parametrize("rule", in_order(), ids=lambda rule: f"{rule.section}: {rule.text}")
def test_rule(rule, studio):
    if rule.check is None:
        pytest.skip(f"not kept: {rule.reason}")
    rule.check(studio)


def test_every_part_has_rules():
    assert {rule.section for rule in in_order()} == set(SECTIONS)
    texts = [(rule.section, rule.text) for rule in in_order()]
    assert len(set(texts)) == len(texts)


def test_the_page_says_the_same():
    assert (ROOT / "docs" / "contract.md").read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    sys.stdout.write(page())

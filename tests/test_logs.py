from __future__ import annotations

import json
import logging
import warnings
from typing import TYPE_CHECKING

import pytest

from amper_spark.logs import bound_fields, configure_logging, log_context

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("amper_spark.test")


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    root.handlers[:], _ = before
    root.setLevel(before[1])
    logging.captureWarnings(capture=False)


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_lines_carry_the_context(capsys: pytest.CaptureFixture[str]):
    configure_logging("json")
    with log_context(stage="analyze", batch_id="5f0c"), log_context(track_id="t1"):
        LOG.info("refused: %s", "silent", extra={"reason": "silent"})
    LOG.info("after")

    first, second = _lines(capsys)
    assert first["time"].endswith("+00:00")
    assert {key: value for key, value in first.items() if key != "time"} == {
        "level": "INFO",
        "logger": "amper_spark.test",
        "message": "refused: silent",
        "stage": "analyze",
        "batch_id": "5f0c",
        "track_id": "t1",
        "reason": "silent",
    }
    assert "stage" not in second


def test_an_error_is_one_line_of_json(capsys: pytest.CaptureFixture[str]):
    configure_logging("json")
    try:
        raise OSError("disk full")
    except OSError:
        LOG.exception("cannot write")

    (line,) = _lines(capsys)
    assert line["message"] == "cannot write"
    assert "OSError: disk full" in str(line["exception"])


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]):
    configure_logging("text")
    with log_context(stage="analyze"):
        LOG.warning("slow")

    assert capsys.readouterr().err[8:] == " WARNING slow stage=analyze\n"


def test_configuring_twice_does_not_say_things_twice(capsys: pytest.CaptureFixture[str]):
    configure_logging("json")
    configure_logging("json", level="DEBUG")
    LOG.debug("once")

    assert len(_lines(capsys)) == 1


def test_other_packages_are_heard_from_warnings_on(capsys: pytest.CaptureFixture[str]):
    configure_logging("json", level="DEBUG")
    logging.getLogger("botocore").info("chatter")
    logging.getLogger("botocore").warning("slow down")
    logging.getLogger("py4j.clientserver").error("connection lost")

    assert [line["message"] for line in _lines(capsys)] == ["slow down"]


def test_warnings_become_log_lines(capsys: pytest.CaptureFixture[str]):
    configure_logging("json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old option", FutureWarning, stacklevel=1)

    (line,) = _lines(capsys)
    assert line["logger"] == "py.warnings"
    assert "old option" in str(line["message"])


def test_context_ends_with_its_block():
    with pytest.raises(ValueError, match="x"), log_context(stage="a"):
        raise ValueError("x")

    assert bound_fields() == {}

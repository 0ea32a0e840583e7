"""Every line goes one way out, whoever logs it and whatever is in it."""

import contextlib
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from groundswell.contract.settings import TelemetrySettings
from groundswell.telemetry.escaping import TEXT_CHARACTERS_MAX, escape
from groundswell.telemetry.logging import configure

ATTACK = 'x\r\n{"event":"admin logged in"}\x1b[2J\u202e\u2028\x9b31m'


@contextlib.contextmanager
def logging_to(*, log_format: str = "json", log_level: str = "info") -> Iterator[io.StringIO]:
    """Configure logging for the block, and put back what was there."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    before = structlog.get_config()
    stream = io.StringIO()
    configure(TelemetrySettings(log_format=log_format, log_level=log_level), stream=stream)
    try:
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        structlog.configure(**before)


def test_an_event_is_one_line_of_json() -> None:
    """Level, time, logger and values are fields."""
    with logging_to() as stream:
        structlog.get_logger("groundswell.test").warning("room closed", viewers=3, video="v1")
    event = json.loads(stream.getvalue())
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "room closed",
        "level": "warning",
        "logger": "groundswell.test",
        "viewers": 3,
        "video": "v1",
    }


def test_lines_of_libraries_look_like_ours() -> None:
    """The standard library's logging takes the same way out."""
    with logging_to() as stream:
        logging.getLogger("aiohttp.server").error("bad thing: %s", "x\ny")
    event = json.loads(stream.getvalue())
    assert event["event"] == "bad thing: x\\x0ay"
    assert (event["level"], event["logger"]) == ("error", "aiohttp.server")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_value_cannot_forge_a_line_or_reach_the_terminal(log_format: str) -> None:
    """Line ends, escape sequences and bidi marks are shown, not obeyed; also inside containers."""
    with logging_to(log_format=log_format) as stream:
        logger = structlog.get_logger()
        logger.info(ATTACK, name=ATTACK, nested={ATTACK: [ATTACK]}, error=ValueError(ATTACK))
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()


def test_a_traceback_cannot_forge_a_line_on_the_console() -> None:
    """What an exception quotes is set apart from events."""
    with logging_to(log_format="console") as stream:
        try:
            raise ValueError(f"bad name {ATTACK}")
        except ValueError:
            structlog.get_logger().exception("failed")
    first, *rest = stream.getvalue().rstrip("\n").split("\n")
    assert "failed" in first
    assert "ValueError" in rest[-1] or "ValueError" in rest[-2]
    assert all(line.startswith("  | ") and line.isprintable() for line in rest)


def test_a_traceback_stays_in_the_line_of_json() -> None:
    """One event is one line, with the traceback in it."""
    with logging_to() as stream:
        try:
            raise ValueError("bad")
        except ValueError:
            logging.getLogger("x").exception("failed")
    event = json.loads(stream.getvalue())
    assert "ValueError: bad" in event["exception"]


def test_what_is_below_the_level_is_left_out() -> None:
    """`telemetry.log_level` is the least level; libraries that talk much start at warning."""
    with logging_to(log_level="warning") as stream:
        structlog.get_logger().info("quiet")
        logging.getLogger("x").info("quiet")
    assert stream.getvalue() == ""
    with logging_to(log_level="debug") as stream:
        structlog.get_logger().debug("loud")
        logging.getLogger("aiosqlite").debug("quiet")
    assert json.loads(stream.getvalue())["event"] == "loud"


def test_auto_is_json_where_nobody_watches() -> None:
    """A stream that is no terminal gets JSON."""
    with logging_to(log_format="auto") as stream:
        structlog.get_logger().info("hello")
    assert json.loads(stream.getvalue())["event"] == "hello"


def test_long_values_are_cut() -> None:
    """A name of a megabyte costs a few kilobytes of log."""
    cut = escape("x" * 1_000_000)
    assert len(cut) < TEXT_CHARACTERS_MAX + 100
    assert cut.endswith("(1000000 characters)")


@given(st.text())
def test_escaped_text_is_printable_and_plain_text_is_unchanged(text: str) -> None:
    """Nothing invisible is left; what was harmless stays as it was."""
    assert escape(text).isprintable()
    if text.isprintable():
        assert escape(text) == text

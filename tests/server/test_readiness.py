"""Whether traffic may come, and what is said where something is missing."""

import pytest

from groundswell.server.readiness import Check, Readiness

STORE_TEXT = "comments are accepted and live; older pages cannot be read"


def readiness(
    *, log: bool | str = True, store: bool | str = True, started: bool = True
) -> Readiness:
    """A process that requires its log, and can do without its store."""
    made = Readiness(waiting_for=lambda: "the log: connection refused")
    if started:
        made.started(
            [
                Check(name="log", required=True, works=lambda: log, without="nothing is accepted"),
                Check(name="store", required=False, works=lambda: store, without=STORE_TEXT),
            ]
        )
    return made


@pytest.mark.parametrize(
    ("log", "store", "ready", "status", "missing"),
    [
        (True, True, True, "ready", set()),
        (True, False, True, "degraded", {"store"}),
        (True, "no answer for 3 s", True, "degraded", {"store"}),
        (False, True, False, "not ready", {"log"}),
        ("topics are missing", False, False, "not ready", {"log", "store"}),
    ],
)
def test_only_required_checks_keep_traffic_away(
    *, log: bool | str, store: bool | str, ready: bool, status: str, missing: set[str]
) -> None:
    """What is missing is told either way, with what it means."""
    well, body = readiness(log=log, store=store).report()
    assert (well, body["status"]) == (ready, status)
    assert body["checks"] == {"log": log, "store": store, "not draining": True}
    assert body.get("without", {}).keys() == missing
    if "store" in missing:
        assert body["without"]["store"] == STORE_TEXT


def test_a_process_that_starts_says_what_it_waits_for() -> None:
    """Nobody has to read logs to see why it is not ready."""
    well, body = readiness(started=False).report()
    assert not well
    assert body["reason"] == "starting: waiting for the log: connection refused"


def test_a_process_that_waits_for_nothing_is_just_starting() -> None:
    """The engines are open, the roles are not there yet."""
    well, body = Readiness(waiting_for=lambda: "").report()
    assert (well, body["reason"]) == (False, "starting")


def test_a_draining_process_is_never_ready() -> None:
    """However well its engines are."""
    made = readiness()
    made.drain()
    well, body = made.report()
    assert (well, body["reason"], body["checks"]["not draining"]) == (False, "draining", False)


def test_the_reason_names_the_check_and_what_it_says() -> None:
    """The first thing that an operator reads."""
    assert readiness(log="topics are missing").report()[1]["reason"] == "log: topics are missing"
    assert readiness(log=False).report()[1]["reason"] == "log: down"


def test_engines_are_told_to_the_metrics() -> None:
    """A reason is not up."""
    assert readiness(store="slow").statistics().up_by_engine == {"log": True, "store": False}

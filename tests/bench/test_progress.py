"""What somebody who waits for a run sees, and tables on a terminal and in a file."""

import io

import pytest
from rich.console import Console

from groundswell.bench import progress as module
from groundswell.bench.journal import Journal
from groundswell.bench.progress import Progress
from groundswell.bench.terminal import parts, show
from tests.bench import shapes


class Clock:
    """Stands in for `time.monotonic`."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(module.time, "monotonic", made)
    return made


def text_of(console, what):
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_a_line_a_leg_says_how_far_a_run_is(clock):
    """Where nobody looks: which of how many, how long it took, and what is left of the scenario."""
    written = io.StringIO()
    with Progress("plane", Console(file=written, width=20)) as progress:
        journal = Journal(progress)
        journal.entitle("joins (1 of 6)")
        journal.start(legs=3)
        journal.begin("limit")
        clock.now += 10
        journal.begin("naive [x]")
    assert written.getvalue().splitlines() == [
        "plane: joins (1 of 6) 1/3 limit, 0:00 so far",
        "plane: joins (1 of 6) 2/3 naive [x], 0:10 so far, about 0:20 left",
    ]


def test_what_is_left_is_told_from_the_legs_that_are_done(clock):
    """Nothing before the first is; and never less than nothing."""
    progress = Progress("fanout", Console(file=io.StringIO()))
    progress.started("", 3)
    progress.began("one")
    assert progress.left() is None
    clock.now += 8
    progress.began("two")
    clock.now += 3
    assert progress.left() == 5 + 8
    clock.now += 100
    assert progress.left() == 8


def test_a_terminal_shows_a_bar_and_the_leg(clock):
    """The line is made anew whenever it is drawn."""
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    progress = Progress("fanout", console)
    progress.started("", 4)
    progress.began("limit, 10 comments/s")
    progress.began("naive, 10 comments/s")
    text = text_of(console, progress)
    assert "fanout" in text
    assert "2/4" in text
    assert "naive, 10 comments/s" in text
    assert "left" in text


def test_a_journal_holds_what_the_scenario_at_hand_has():
    """The next one starts with nothing, but does not take away what was handed out."""
    journal = Journal()
    rows, _ = journal.start(legs=1)
    rows.append({"server": "limit"})
    assert journal.rows == [{"server": "limit"}]
    journal.entitle("next")
    assert (journal.rows, rows) == ([], [{"server": "limit"}])


def test_a_table_in_a_file_is_markdown(capsys):
    """It can be copied into a document."""
    show(shapes.fanout_rows(), title="fanout", console=Console(file=io.StringIO()))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fanout"
    assert lines[1].startswith("| server ")
    assert lines[2].startswith("|---")


def test_a_table_that_is_too_wide_for_a_terminal_comes_in_parts():
    """Every part has the columns that tell rows apart, and no figure is lost or cut."""
    rows = shapes.fanout_rows()
    found = parts(rows, 80)
    assert len(found) > 1
    keys = ["server", "comments/s", "viewers"]
    assert all(columns[:3] == keys for columns in found)
    assert [c for columns in found for c in columns[3:]] == [c for c in rows[0] if c not in keys]
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    show(rows, console=console)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "500,000" in text
    assert "RSS KiB/viewer" in text


def test_one_column_wider_than_the_terminal_is_still_shown():
    """It is folded."""
    assert parts([{"server": "x", "processes": "y" * 200}], 40) == [["server", "processes"]]

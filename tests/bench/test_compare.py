"""Two results beside each other: what counts as a difference, and what is not compared at all."""

import pytest
from click.testing import CliRunner

from groundswell.bench.command import bench
from groundswell.bench.compare import NotComparable, compare
from groundswell.bench.results import load_all
from tests.bench import shapes


def sides(tmp_path, first, second, **changed):
    shapes.write(tmp_path / "a", "ingest", first)
    shapes.write(tmp_path / "b", "ingest", second, **changed)
    return load_all([tmp_path / "a"]), load_all([tmp_path / "b"])


def verdicts(compared):
    return {
        figure.column: figure.verdict
        for figure in compared.figures
        if figure.leg.name == "groundswell"
    }


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((100.0, 101.0, 102.0), (120.0, 121.0, 122.0), "faster"),
        ((100.0, 101.0, 102.0), (80.0, 81.0, 82.0), "slower"),
        ((100.0, 101.0, 130.0), (120.0, 121.0, 122.0), "within noise"),  # rounds overlap
        ((100.0, 110.0, 120.0), (121.0, 125.0, 129.0), "within noise"),  # as far as rounds are
        ((100.0, 101.0, 102.0), (103.0, 104.0, 105.0), "within noise"),  # below 5 %
        ((100.0,), (108.0,), "within noise"),  # one round: below 10 %
        ((100.0,), (112.0,), "faster"),
    ],
)
def test_a_difference_counts_when_rounds_are_apart(tmp_path, first, second, verdict):
    """And the medians further from each other than noise."""
    found = compare(*sides(tmp_path, shapes.ingest_rows(*first), shapes.ingest_rows(*second)))
    assert verdicts(found)["posts/s"] == verdict
    assert verdicts(found)["CPU us/post"] == verdict  # less of it is faster


def test_memory_is_less_or_more_and_not_faster(tmp_path):
    """A row says both medians, their ratio, and the spread of rounds."""
    for side, kib in (("a", 2.0), ("b", 4.0)):
        shapes.write(
            tmp_path / side, "fanout", [shapes.fanout_row("x", 1.0, **{"RSS KiB/viewer": kib})]
        )
    found = compare(load_all([tmp_path / "a"]), load_all([tmp_path / "b"]))
    (memory,) = [one for one in found.figures if one.column == "RSS KiB/viewer"]
    assert memory.verdict == "more"
    row = memory.row()
    assert (row["A"], row["B"], row["B / A"], row["rounds"]) == (2.0, 4.0, 2.0, "1, 1")
    assert row["leg"] == "x, comments/s 1, viewers 5,000"
    assert not [one for one in found.figures if one.column == "lost viewers"]  # none on both


def test_several_files_of_a_folder_are_rounds(tmp_path):
    """Of one scenario, commit, machine and settings."""
    for side, rates in (("a", (100.0, 101.0, 102.0)), ("b", (150.0, 151.0, 152.0))):
        for rate in rates:
            shapes.write(tmp_path / side, "ingest", shapes.ingest_rows(rate))
    found = compare(load_all([tmp_path / "a"]), load_all([tmp_path / "b"]))
    figure = next(one for one in found.figures if one.column == "posts/s")
    assert (figure.first.rounds, figure.second.rounds) == (3, 3)
    assert figure.verdict == "faster"


def test_another_machine_is_refused_unless_one_insists(tmp_path):
    """It says in what they differ, and remarks on it when told to go on."""
    machine = shapes.MACHINE | {"cpu": "Other 1"}
    rows = shapes.ingest_rows(100.0)
    a, b = sides(tmp_path, rows, rows, machine=machine)
    with pytest.raises(NotComparable, match=r"cpu 'Example 9000' and 'Other 1'.*--anyway"):
        compare(a, b)
    assert "machines differ in cpu" in compare(a, b, anyway=True).remarks[0]


def test_other_settings_are_refused_but_for_how_often_and_who(tmp_path):
    """More rounds or servers are no other measurement; more seconds are."""
    rows = shapes.ingest_rows(100.0)
    a, b = sides(tmp_path, rows, rows, settings=shapes.SETTINGS | {"rounds": 5})
    assert compare(a, b).figures
    a, b = sides(tmp_path / "who", rows, rows, settings=shapes.SETTINGS | {"servers": ["limit"]})
    assert compare(a, b).figures
    a, b = sides(tmp_path / "other", rows, rows, settings=shapes.SETTINGS | {"seconds": 5.0})
    with pytest.raises(NotComparable, match=r"settings: seconds 10\.0 and 5\.0"):
        compare(a, b, anyway=True)


def test_sides_without_a_shared_scenario_are_refused(tmp_path):
    """One that only one of them has is left out with a remark where another is shared."""
    shapes.write(tmp_path / "a", "fanout", shapes.fanout_rows())
    a, b = sides(tmp_path, shapes.ingest_rows(1.0), shapes.ingest_rows(1.0))
    assert compare(a, b).remarks == ["only in A: fanout"]
    only_fanout = [one for one in a if one.scenario == "fanout"]
    with pytest.raises(NotComparable, match="A has fanout; B has ingest"):
        compare(only_fanout, b)


def test_a_side_of_two_commits_is_refused(tmp_path):
    """Their mean would say nothing of either."""
    rows = shapes.ingest_rows(100.0)
    shapes.write(tmp_path / "a", "ingest", rows, machine=shapes.MACHINE | {"commit": "other"})
    a, b = sides(tmp_path, rows, rows)
    with pytest.raises(NotComparable, match="A has ingest of several commits"):
        compare(a, b)


def test_a_cut_run_is_compared_by_what_it_has_and_named(tmp_path):
    """Figures that only one side has are left out."""
    rows = shapes.ingest_rows(100.0)
    found = compare(*sides(tmp_path, rows, rows[:1], reason="the server ended"))
    assert {one.leg.name for one in found.figures} == {"bare_post"}
    assert found.remarks == ["ingest: B is not complete: the server ended"]


def test_the_command_prints_what_differs_first(tmp_path):
    """A table that can be copied, a sum of verdicts, and an error for what is no result."""
    sides(tmp_path, shapes.ingest_rows(100.0), shapes.ingest_rows(200.0))
    done = CliRunner().invoke(bench, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 0, done.output
    assert "A: commit 94c4f8e00000, 1 files" in done.output
    table = [line for line in done.output.splitlines() if line.startswith("|")]
    assert "faster" in table[2]
    assert done.output.splitlines()[-1].startswith("B: 8 faster")
    (tmp_path / "a" / "no.json").write_text("{")
    done = CliRunner().invoke(bench, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 1
    assert "is not a result of the bench" in done.output

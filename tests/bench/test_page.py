"""The page of results: whole in one file, with every figure beside limit and peers."""

import re
from xml.etree.ElementTree import tostring

import pytest
from click.testing import CliRunner

from groundswell.bench import rounds
from groundswell.bench.command import bench
from groundswell.bench.page import percentiles, svg, words
from groundswell.bench.page.beside import arranged, besides
from groundswell.bench.page.document import document
from groundswell.bench.page.plots import Kinds, plots
from groundswell.bench.results import load_all, pooled
from tests.bench import shapes


def page_of(tmp_path, *scenarios, **changed):
    for scenario, rows in scenarios:
        shapes.write(tmp_path, scenario, rows, **changed)
    return document(load_all([tmp_path]))


def titles(rows):
    drawn = plots(rounds.legs(rows), Kinds())
    return [figure.findtext("figcaption/strong") for figure in drawn]


def test_the_page_needs_nothing_but_itself(tmp_path):
    """No script, no address to load from, and a policy that forbids both."""
    page = page_of(tmp_path, ("fanout", shapes.fanout_rows()), ("ingest", shapes.ingest_rows(9.0)))
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)
    assert not re.findall(r"url\(|@import|https?://", page)
    assert "default-src 'none'" in page
    assert "--accent" in page  # the colours of the product's pages


def test_texts_of_a_result_are_text_on_the_page(tmp_path):
    """A result from elsewhere may say what it wants."""
    page = page_of(
        tmp_path,
        ("fanout", [shapes.fanout_row("<script>x</script>", 1.0)]),
        settings={"a": "</style><b>"},
        reason="<img src=x>",
    )
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;/style&gt;&lt;b&gt;" in page


def test_the_most_important_ratios_come_first(tmp_path):
    """By the limit in large, beside each peer, under the heaviest load."""
    page = page_of(tmp_path, ("fanout", shapes.fanout_rows()), ("plane", shapes.plane_rows()))
    glance = page[page.index('id="headline"') : page.index('id="fanout"')]
    assert "<strong>2.0×</strong> the bare C loop" in glance
    assert "✓ 6.0× less than naive aiohttp" in glance
    assert "✓ 5.6× more than naive aiohttp" in glance  # deliveries: 500,000 by 90,000
    assert "✓ 7.0× less than naive aiohttp" in glance  # memory
    assert "100 comments/s, 5,000 viewers" in glance
    assert "<strong>1 of 2</strong> are met" in glance
    assert "1 not measured" in glance


def test_machine_commit_settings_and_command_stand_below_each_scenario(tmp_path):
    """So that everybody can repeat it."""
    command = "groundswell bench fanout --viewers 5000"
    page = page_of(tmp_path, ("fanout", shapes.fanout_rows()), command=command)
    for text in (command, "94c4f8e00000", "Example 9000, 2 cores", "rates", "aiohttp 3.14.5"):
        assert text in page


def test_a_server_that_was_not_measured_is_named_with_the_reason(tmp_path):
    """Unless another run of the same kind has measured it."""
    rows = shapes.fanout_rows()
    skipped = {"nchan": "it is not installed", "naive": "it was not, then"}
    page = page_of(tmp_path, ("fanout", rows), skipped=skipped)
    assert "nginx nchan was not measured: it is not installed." in page
    assert "it was not, then" not in page


def test_a_cut_run_is_marked_and_stands_behind_a_whole_one(tmp_path):
    """On top, in its section, and on its cards where no whole run has the figure."""
    rows = shapes.fanout_rows()
    page = page_of(tmp_path, ("fanout", rows), reason="the server ended")
    assert "1 of 1 runs are incomplete" in page
    assert "incomplete: the server ended" in page
    assert "▲ incomplete run" in page
    page = page_of(tmp_path, ("fanout", rows), machine=shapes.MACHINE | {"commit": "whole00"})
    assert "▲ incomplete run" not in page
    assert page.index("commit whole00") < page.index("incomplete: the server ended")


def test_a_figure_of_a_full_core_is_marked():
    """In bars and lines; who filled it is told."""
    drawn = plots(rounds.legs(shapes.fanout_rows()), Kinds())
    texts = [tostring(figure, encoding="unicode") for figure in drawn]
    line = next(text for text in texts if "Throughput" in text)
    assert line.count(" bounded") == 1
    assert (
        "naive aiohttp: 90,000 deliveries a second at 100 comments a second, server at a full"
        in line
    )
    bars = next(text for text in texts if "CPU a delivery" in text)
    assert bars.count(" bounded") == 1
    assert "▲ server full" in bars
    assert "2.0× limit · 0.17× naive" in bars


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], ""),
        (["server"], "server at a full core"),
        (["viewers"], "viewers at a full core"),
        (["others on the client core"], "others filled the client's core"),
        (["others on the server core, others on the client core"], "others filled both cores"),
        (["clients together"], "clients together at a full core"),
    ],
)
def test_who_filled_a_core_is_told_in_words(names, told):
    """Several rounds may tell several."""
    assert words.bound(names) == told


def test_a_table_gets_the_plots_that_its_columns_allow():
    """Rates make a line of throughput, sizes one of scaling; neither is drawn twice."""
    assert titles(shapes.fanout_rows()) == [
        "Throughput by rate",
        "Latency",
        "CPU a delivery",
        "Memory a viewer",
    ]
    assert titles(shapes.sweep_rows()) == [
        "CPU a delivery by viewers",
        "Latency",
        "Memory a viewer",
    ]
    assert titles(shapes.ingest_rows(9.0)) == [
        "Latency",
        "CPU a post",
        "Posts a second",
    ]
    assert titles([{"what": "x", "figure": 1}]) == []


def test_a_server_is_compared_with_those_under_the_same_load():
    """The limit first; a peer with itself never, and what keeps nothing not by memory."""
    legs = rounds.legs(shapes.fanout_rows())
    ours = next(leg for leg in legs if leg.name == "groundswell")
    assert [(one.name, one.ratio) for one in besides(ours, legs, "CPU us/delivery")] == [
        ("limit", 2.0),
        ("naive", pytest.approx(1 / 6)),
    ]
    assert [one.name for one in besides(ours, legs, "RSS KiB/viewer")] == ["naive"]
    assert besides(legs[0], legs, "CPU us/delivery") == []
    states = rounds.legs([{"cache": "memory", "p50 ms": 1.0}, {"cache": "redis", "p50 ms": 2.0}])
    assert besides(states[0], states, "p50 ms") == []


def test_a_figure_of_zero_is_compared_with_nobody(tmp_path):
    """So small a run has no CPU that the kernel counts; the page is made all the same."""
    rows = shapes.fanout_rows()
    rows[-1] |= {"CPU us/delivery": 0.0}
    assert "CPU of a delivery, large room" in page_of(tmp_path, ("fanout", rows))


def test_legs_under_the_same_load_stand_together():
    """The limit, the product, peers: whatever the order in which they were measured."""
    legs = arranged(rounds.legs(shapes.fanout_rows()))
    assert [(leg.name, leg.keys["comments/s"]) for leg in legs] == [
        (name, rate) for rate in (10.0, 100.0) for name in ("limit", "groundswell", "naive")
    ]


def test_a_peer_that_nobody_named_yet_has_its_colour_and_ratio():
    """New servers need no word here."""
    rows = [shapes.fanout_row(name, 1.0) for name in ("limit", "groundswell", "newcomer")]
    legs, kinds = rounds.legs(rows), Kinds()
    assert [kinds.of(leg) for leg in legs] == ["limit", "ours0", "peer0"]
    assert len({kinds.shape(leg) for leg in legs}) == 3
    assert besides(legs[1], legs, "p50 ms")[1].name == "newcomer"


def test_percentiles_that_the_table_leaves_out_come_from_the_records(tmp_path):
    """By the record that repeats the row; p90 and the slowest are drawn, the table stays."""
    rows = shapes.fanout_rows()
    latency = {"p50": 20.0, "p90": 31.0, "p99": 50.0, "max": 66.0}
    details = [{**row, "saw": {"latency_ms": latency}} for row in rows]
    details[0]["writers"] = {"latency_ms": None}
    shapes.write(tmp_path, "fanout", rows, details=details)
    shapes.write(
        tmp_path,
        "plane",
        shapes.plane_rows(),
        tables={"fanout": rows[:1]},
        details=[{"scenario": "fanout", **details[0]}],
    )
    pools = {pool.first.scenario: pool for pool in pooled(load_all([tmp_path]))}
    found = percentiles.rows(pools["fanout"])
    assert (found[0]["p90 ms"], found[0]["max ms"]) == (31.0, 66.0)
    slow = next(row for row in found if row["server"] == "naive")
    assert "p90 ms" not in slow  # its median is another one
    page = document(load_all([tmp_path]))
    assert "p50, p90, p99, slowest; ms" in page
    assert "max ms" not in page


def test_several_rounds_show_median_and_spread(tmp_path):
    """Also when they are in several files."""
    for rate in (100.0, 200.0, 120.0):
        shapes.write(tmp_path, "ingest", shapes.ingest_rows(rate))
    page = document(load_all([tmp_path]))
    assert page.count("<section") == 2  # the headline's and one
    assert "<small>100 – 200</small>" in page
    assert "3 runs until" in page


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (4.2, [0, 1, 2, 3, 4, 5]),
        (100.0, [0, 20, 40, 60, 80, 100]),
        (0.9, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_an_axis_has_round_ticks_up_to_the_highest_value(most, ticks):
    """From zero, where values are not far apart."""
    low, high, found = svg._y_axis([most / 2, most], log=False)
    assert found == pytest.approx(ticks)
    assert (low, high) == pytest.approx((0, ticks[-1]))


def test_a_plot_with_one_point_or_equal_values_is_drawn():
    """Without dividing by nothing."""
    point = svg.Line("x", "ours0", 0, [svg.Point(1.0, 0.0)])
    assert svg.lines([point], label="x", x_title="n", unit="us").get("viewBox")
    same = [svg.Range("x", "ours0", 10.0, 10.0, "10 ms")]
    assert svg.ranges(same, label="x", unit="ms").get("viewBox")


def test_the_command_writes_the_page_of_files_and_folders(tmp_path):
    """It refuses what is no result by its name."""
    path = shapes.write(tmp_path / "a", "fanout", shapes.fanout_rows())
    shapes.write(tmp_path / "b", "event", [{"what": "comments lost", "figure": 0}])
    out = tmp_path / "page.html"
    arguments = ["report", str(path), str(tmp_path / "b"), "--out", str(out)]
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == 0, done.output
    assert "2 results are in" in done.output
    assert "comments lost" in out.read_text(encoding="utf-8")
    (tmp_path / "b" / "x.json").write_text("[]")
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == 1
    assert "x.json is not a result" in done.output

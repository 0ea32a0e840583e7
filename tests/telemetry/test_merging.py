"""Expositions of several processes as one."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from groundswell.contract.statistics import Histogram
from groundswell.telemetry.merging import merged
from groundswell.telemetry.metrics import StatisticsCollector, exposition, make_registry

OLD = """\
# HELP things_total Things.
# TYPE things_total counter
things_total{kind="a b\\n"} 3.0
things_total{worker="9"} 4.0
# HELP level How high.
# TYPE level gauge
level 1.5
"""
NEW = """\
# HELP things_total Things that are.
# TYPE things_total counter
things_total{kind="a b\\n"} 5.0
"""


def test_families_come_once_with_the_samples_of_all() -> None:
    """Told apart by the label; a label that is there already stays."""
    text = merged({"0": OLD, "1": NEW}, label="worker").decode()
    assert text.count("# TYPE things_total counter") == 1
    assert text.count("# HELP things_total Things.\n") == 1
    samples = {
        (sample.name, sample.labels.get("kind"), sample.labels["worker"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples == {
        ("things_total", "a b\n", "0"): 3,
        ("things_total", None, "9"): 4,
        ("things_total", "a b\n", "1"): 5,
        ("level", None, "0"): 1.5,
    }


def test_what_we_expose_survives_merging() -> None:
    """Counters, gauges, histograms, the process and its collector: the same numbers and types."""
    histogram = Histogram()
    histogram.observe(0.02)

    class Record:
        seconds: Histogram = histogram

    collector = StatisticsCollector()
    collector.register("x", Record)
    before = exposition(make_registry(collector)).decode()
    after = merged({"0": before}, label="worker").decode()
    expected = list(text_string_to_metric_families(before))
    found = list(text_string_to_metric_families(after))
    assert [(f.name, f.type, f.documentation) for f in found] == [
        (f.name, f.type, f.documentation) for f in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert [(s.name, s.labels, s.value) for s in one.samples] == [
            (s.name, {"worker": "0", **s.labels}, s.value) for s in other.samples
        ]


def test_what_is_no_exposition_is_refused() -> None:
    """It is our own worker that said it."""
    with pytest.raises(ValueError, match="could not convert"):
        merged({"0": "things_total many\n"}, label="worker")

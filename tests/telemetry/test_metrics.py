"""Statistics records as metrics."""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from groundswell.contract.statistics import GROWS, LATENCY_SECONDS, Count, Histogram
from groundswell.telemetry.metrics import StatisticsCollector, exposition, make_registry


@dataclass(frozen=True)
class LogStatistics:
    """A record as parts keep it."""

    appends: Count = 7
    open_readers: int = 2
    writable: bool = True
    epoch: str = "abc"
    lag_seconds: float | None = None
    closes_by_code: Annotated[dict[str, int], GROWS] = field(
        default_factory=lambda: {"slow": 3, "drain": 1}
    )
    viewers_by_plane: dict[str, int] = field(default_factory=lambda: {"asyncio": 5})


class TupleStatistics(NamedTuple):
    """The same as a tuple."""

    appends: Count = 7


class StructStatistics(msgspec.Struct, frozen=True):
    """The same as a struct."""

    appends: Count = 7


def samples(collector: StatisticsCollector) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read our metrics back from what is exposed."""
    text = exposition(make_registry(collector)).decode()
    return {
        (sample.name, tuple(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("groundswell_")
    }


def kinds(collector: StatisticsCollector) -> dict[str, str]:
    """Read the type of each family back."""
    text = exposition(make_registry(collector)).decode()
    return {family.name: family.type for family in text_string_to_metric_families(text)}


def test_fields_become_counters_and_gauges_by_their_names() -> None:
    """What only grows is a counter, the rest a level; texts and None are no metrics."""
    collector = StatisticsCollector()
    collector.register("log", LogStatistics)
    found = samples(collector)
    assert found["groundswell_log_appends_total", ()] == 7
    assert found["groundswell_log_open_readers", ()] == 2
    assert found["groundswell_log_writable", ()] == 1
    assert not any("epoch" in name or "lag" in name for name, _ in found)
    assert kinds(collector)["groundswell_log_appends"] == "counter"
    assert kinds(collector)["groundswell_log_open_readers"] == "gauge"


def test_a_mapping_becomes_a_label() -> None:
    """The label's name is in the field's."""
    collector = StatisticsCollector()
    collector.register("log", LogStatistics)
    found = samples(collector)
    assert found["groundswell_log_closes_total", (("code", "slow"),)] == 3
    assert found["groundswell_log_closes_total", (("code", "drain"),)] == 1
    assert found["groundswell_log_viewers", (("plane", "asyncio"),)] == 5


def test_sources_of_one_prefix_differ_by_their_labels() -> None:
    """Two projections share the families."""
    collector = StatisticsCollector()
    for name in ("comments", "tally"):
        collector.register("projection", LogStatistics, labels={"projection": name})
    found = samples(collector)
    for name in ("comments", "tally"):
        assert found["groundswell_projection_appends_total", (("projection", name),)] == 7
        labels = (("code", "slow"), ("projection", name))
        both = {key[1] for key in found if key[0] == "groundswell_projection_closes_total"}
        assert any(tuple(sorted(found_labels)) == labels for found_labels in both)


@pytest.mark.parametrize("record", [TupleStatistics, StructStatistics])
def test_records_may_be_tuples_or_structs(record: type) -> None:
    """Whatever frozen record a part prefers."""
    collector = StatisticsCollector()
    collector.register("x", record)
    assert samples(collector)["groundswell_x_appends_total", ()] == 7


def test_values_are_read_at_the_time_of_asking() -> None:
    """Nothing is remembered between two reads."""
    numbers = iter((1, 2))
    collector = StatisticsCollector()
    registry = make_registry(collector)
    collector.register("x", lambda: TupleStatistics(next(numbers)))
    assert b"groundswell_x_appends_total 1.0" in exposition(registry)
    assert b"groundswell_x_appends_total 2.0" in exposition(registry)


def test_a_part_that_fails_hides_no_other() -> None:
    """The failure is counted, the rest is there."""

    def broken() -> object:
        raise RuntimeError("no statistics today")

    collector = StatisticsCollector()
    collector.register("bad", broken)
    collector.register("worse", object)
    collector.register("good", TupleStatistics)
    registry = make_registry(collector)
    text = exposition(registry).decode()
    assert "groundswell_good_appends_total 7.0" in text
    assert "groundswell_telemetry_failed_sources_total 2.0" in text


def test_the_process_and_the_version_are_told() -> None:
    """What every program should say of itself."""
    text = exposition(make_registry(StatisticsCollector())).decode()
    assert 'groundswell_info{version="' in text
    assert "process_open_fds" in text


@dataclass(frozen=True)
class AppendStatistics:
    """A record with histograms, alone and by a label."""

    append_seconds: Histogram
    answer_seconds_by_method: dict[str, Histogram]


def test_a_histogram_tells_how_many_were_at_most_each_bound() -> None:
    """A value on a bound is in that bucket, one beyond the last in none but infinity."""
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    collector = StatisticsCollector()
    collector.register("http", lambda: AppendStatistics(histogram, {"GET": histogram}))
    found = samples(collector)
    for name, labels in (
        ("groundswell_http_append_seconds", ()),
        ("groundswell_http_answer_seconds", (("method", "GET"),)),
    ):
        buckets = {
            dict(key[1])["le"]: value for key, value in found.items() if key[0] == f"{name}_bucket"
        }
        assert buckets == {"0.1": 2, "1.0": 3, "+Inf": 4}
        assert found[f"{name}_count", labels] == 4
        assert found[f"{name}_sum", labels] == pytest.approx(7.65)
    assert kinds(collector)["groundswell_http_append_seconds"] == "histogram"


@given(st.lists(st.floats(0, 20)))
@settings(max_examples=50)
def test_a_histogram_counts_every_observation_once(values: list[float]) -> None:
    """Whatever was observed, each bucket has what is at most its bound."""
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    expected = [sum(value <= bound for value in values) for bound in LATENCY_SECONDS]
    assert histogram.cumulated() == [*expected, len(values)]

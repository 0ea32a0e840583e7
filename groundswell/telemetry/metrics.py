"""Metrics out of `statistics()`: what a part counts, it counts in a record of its own.

A field of a record becomes `groundswell_<prefix>_<field>`; one whose type says that it only grows
(`contract/statistics.py`) becomes a counter with `_total` behind. A mapping needs its label's name
in the field's: `closes_by_code: {"slow": 3}` becomes `..._closes{code="slow"}`. A `Histogram`
becomes a histogram. None and texts are left out. Labels come from us (closed tables, partition
numbers), never from users.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, TypeVar, get_origin, get_type_hints

import structlog
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

import groundswell
from groundswell.contract.statistics import GROWS, Histogram

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_TOTAL = "_total"
_BY = "_by_"

logger = structlog.get_logger(__name__)

Labels = tuple[tuple[str, str], ...]
_Family = TypeVar("_Family", bound=CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily)


class StatisticsCollector(Collector):
    """Asks registered sources for their records whenever metrics are read."""

    def __init__(self) -> None:
        self._sources: list[tuple[str, Callable[[], object], Labels]] = []
        self._failed = 0

    def register(
        self,
        prefix: str,
        source: Callable[[], object],
        *,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Read `source` (a `statistics` method) as `groundswell_<prefix>_...` with these labels.

        Sources may share a prefix if their labels differ.
        """
        self._sources.append((prefix, source, tuple((labels or {}).items())))

    def collect(self) -> Iterator[Metric]:
        """Yield a metric family for each field of all sources."""
        families: dict[str, Metric] = {}
        for prefix, source, labels in self._sources:
            try:
                record = source()
                for field, value in _items(record):
                    _add(families, f"groundswell_{prefix}_{field}", value, labels)
            except Exception:  # one broken part must not hide all the others
                self._failed += 1
                logger.exception("statistics failed", part=prefix)
        yield from families.values()
        yield CounterMetricFamily(
            "groundswell_telemetry_failed_sources",
            "How often statistics of a part could not be read",
            value=self._failed,
        )
        yield InfoMetricFamily(
            "groundswell", "The program", value={"version": groundswell.__version__}
        )


def make_registry(collector: StatisticsCollector) -> CollectorRegistry:
    """Return a registry of its own with the collector, this process and its garbage collector."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """Return all metrics in the text format that `CONTENT_TYPE` names."""
    return generate_latest(registry)


def _items(record: object) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a record; those that only grow with the suffix of a counter."""
    for name, grows in _fields(type(record)):  # type: ignore[arg-type]  # mypy: a type is hashable
        yield (f"{name}{_TOTAL}" if grows else name), getattr(record, name)


@cache
def _fields(kind: type) -> tuple[tuple[str, bool], ...]:
    hints = get_type_hints(kind, include_extras=True)
    if not hints:
        raise TypeError(f"{kind.__name__} is no record of statistics")
    return tuple(
        (name, GROWS in getattr(hint, "__metadata__", ()))
        for name, hint in hints.items()
        if get_origin(hint) is not ClassVar
    )


def _add(families: dict[str, Metric], name: str, value: object, labels: Labels) -> None:
    if value is None or isinstance(value, str):
        return
    if not isinstance(value, Mapping):
        _add_sample(families, name, value, labels)
        return
    counter = name.endswith(_TOTAL)
    name, _, label = name.removesuffix(_TOTAL).rpartition(_BY)
    for key, number in value.items():
        _add_sample(
            families, name + _TOTAL if counter else name, number, (*labels, (label, str(key)))
        )


def _add_sample(families: dict[str, Metric], name: str, value: object, labels: Labels) -> None:
    texts = [text for _, text in labels]
    if isinstance(value, Histogram):
        histogram = _family(families, name, HistogramMetricFamily, labels)
        bounds = [*map(floatToGoString, value.bounds), "+Inf"]
        counts = map(float, value.cumulated())
        histogram.add_metric(texts, list(zip(bounds, counts, strict=True)), value.sum)
        return
    number = float(value)  # type: ignore[arg-type]  # what is no number raises, and is counted
    if name.endswith(_TOTAL):
        _family(families, name, CounterMetricFamily, labels).add_metric(texts, number)
    else:
        _family(families, name, GaugeMetricFamily, labels).add_metric(texts, number)


def _family(families: dict[str, Metric], name: str, kind: type[_Family], labels: Labels) -> _Family:
    family = families.get(name)
    if family is None:
        help_text = name.removeprefix("groundswell_").replace("_", " ")
        family = families[name] = kind(name, help_text, labels=[key for key, _ in labels])
    elif not isinstance(family, kind):
        raise TypeError(f"{name} is of two kinds")
    return family

"""Metrics out of `statistics()`: what a part counts, it counts in a record of its own.

A field of a record becomes `groundswell_<prefix>_<field>`; one whose type says that it only grows
(`contract/statistics.py`) becomes a counter with `_total` behind. A mapping needs its label's name
in the field's: `closes_by_code: {"slow": 3}` becomes `..._closes{code="slow"}`. None and texts are
left out. Labels come from us (closed tables, partition numbers), never from users.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, get_origin, get_type_hints

import structlog
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import groundswell
from groundswell.contract.statistics import GROWS

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_TOTAL = "_total"
_BY = "_by_"

logger = structlog.get_logger(__name__)

Labels = tuple[tuple[str, str], ...]


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
        _family(families, name, tuple(key for key, _ in labels)).add_metric(
            [text for _, text in labels],
            float(value),  # type: ignore[arg-type]  # what is no number raises, and is counted
        )
        return
    counter = name.endswith(_TOTAL)
    name, _, label = name.removesuffix(_TOTAL).rpartition(_BY)
    family = _family(
        families, name + _TOTAL if counter else name, (*(key for key, _ in labels), label)
    )
    for key, number in value.items():
        family.add_metric([*(text for _, text in labels), str(key)], float(number))


def _family(
    families: dict[str, Metric], name: str, labels: tuple[str, ...]
) -> CounterMetricFamily | GaugeMetricFamily:
    family = families.get(name)
    if family is None:
        kind = CounterMetricFamily if name.endswith(_TOTAL) else GaugeMetricFamily
        help_text = name.removeprefix("groundswell_").replace("_", " ")
        family = families[name] = kind(name, help_text, labels=labels)
    return family  # type: ignore[return-value]  # only these two kinds are ever put in

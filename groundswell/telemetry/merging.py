"""Metrics of several processes as one exposition, told apart by a label."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector


def merged(expositions: Mapping[str, str], *, label: str) -> bytes:
    """Return expositions in the text format as one: every family once, with all samples.

    Each sample gets the label with its exposition's name, unless it has that label already.
    Raises `ValueError` for what is no exposition.
    """
    families: dict[tuple[str, str], Metric] = {}
    for name, text in expositions.items():
        for family in text_string_to_metric_families(text):
            # Processes of one program agree about the type; two versions of it need not.
            at = (family.name, family.type)
            if at not in families:
                families[at] = Metric(family.name, family.documentation, family.type)
            families[at].samples += [
                sample._replace(labels={label: name, **sample.labels}) for sample in family.samples
            ]
    registry = CollectorRegistry()
    registry.register(_Fixed(families.values()))
    return generate_latest(registry)


class _Fixed(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families

"""Percentiles that the table leaves out: p90 and the highest, from what the clients said."""

from collections.abc import Mapping, Sequence
from typing import Any

from groundswell.bench.report import Row
from groundswell.bench.results import Pool

_MORE = {"p90 ms": "p90", "max ms": "max"}
_PARTS = ("saw", "writers")  # of a record: who measured latency, viewers before writers


def rows(pool: Pool) -> list[Row]:
    """Return the rows of a pool, with `p90 ms` and `max ms` where its details have them."""
    return [{**_more(row, result.details), **row} for result in pool.results for row in result.rows]


def _more(row: Row, details: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    """Return the columns from the record that has the row's median; p50 tells which it is."""
    median = row.get("p50 ms")
    for record in details:
        if median is None or not _is_of(record, row):
            continue
        for part in _PARTS:
            said = record.get(part)
            latency = said.get("latency_ms") if isinstance(said, Mapping) else None
            if isinstance(latency, Mapping) and latency.get("p50") == median:
                return {column: latency.get(name) for column, name in _MORE.items()}
    return {}


def _is_of(record: Mapping[str, Any], row: Row) -> bool:
    """Tell whether a record is behind a row: it repeats the row's columns."""
    return all(record[column] == value for column, value in row.items() if column in record)

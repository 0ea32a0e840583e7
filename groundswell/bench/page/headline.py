"""The figures that matter most, as ratios: what a newcomer should see first."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from groundswell.bench import rounds
from groundswell.bench.page import words
from groundswell.bench.page.beside import Beside, besides, is_ours
from groundswell.bench.page.markup import tag
from groundswell.bench.results import Pool
from groundswell.bench.rounds import Leg

_MOST = 8  # cards
_LEAD = (
    "Groundswell by the least that a server can do: a bare C loop that hands ready bytes to the "
    "kernel, or a bare handler of POSTs. 1× is as cheap as that."
)
_ALIKE = 1.05  # factor, below which two figures are called the same
_WANTED = "server at a full core"  # what a closed loop is for: no reason to doubt its figure


@dataclass(frozen=True, slots=True)
class _Candidate:
    scenario: str
    column: str
    what: str


_CANDIDATES = (
    _Candidate("fanout", "CPU us/delivery", "CPU of a delivery, large room"),
    _Candidate("fanout", "deliveries/s", "deliveries a second, large room"),
    _Candidate("fanout", "p99 ms", "latency of a delivery, p99"),
    _Candidate("fanout", "RSS KiB/viewer", "memory of a viewer"),
    _Candidate("one", "last ms", "a single comment, until the last viewer"),
    _Candidate("joins", "CPU us/join", "CPU of a join"),
    _Candidate("ingest", "CPU us/post", "CPU of an accepted comment"),
    _Candidate("cluster-ingest", "CPU us/post", "CPU of a comment into Kafka"),
    _Candidate("cluster-latency", "p50 ms", "from post to screen, median"),
    _Candidate("cluster-persist", "CPU us/row", "CPU of a stored comment"),
    _Candidate("idle", "RSS KB/viewer", "memory of an idle viewer"),
)


def headline(pools: Sequence[Pool]) -> Element | None:
    """Return the section; None where nothing is in these results that belongs there."""
    cards = [card for one in _CANDIDATES if (card := _card(one, pools)) is not None]
    cards = [*cards[:_MOST], *_targets(pools)]
    if not cards:
        return None
    return tag(
        "section",
        tag("h2", "At a glance"),
        tag("p", _LEAD),
        tag("div", cards, class_="cards"),
        id="headline",
    )


def newest(pools: Sequence[Pool], scenario: str) -> Pool | None:
    """Return the last measured pool of a scenario, a complete one before any that is not."""
    of = [pool for pool in pools if pool.first.scenario == scenario and pool.rows]
    return max(of, key=lambda pool: (not pool.reasons, pool.newest), default=None)


def _card(candidate: _Candidate, pools: Sequence[Pool]) -> Element | None:
    pool = newest(pools, candidate.scenario)
    if pool is None:
        return None
    legs = rounds.legs(pool.rows)
    column = candidate.column
    leg = max(
        (leg for leg in legs if is_ours(leg) and leg.figures.get(column)), key=_load, default=None
    )
    if leg is None:
        return None
    found = besides(leg, legs, column)
    unit = words.title(column)[1]
    own = f"{words.short(leg.figures[column].median)} {unit}".strip()
    limit = next((one for one in found if words.is_limit(one.name)), None)
    peers = [one for one in found if one is not limit]
    if limit is not None:
        big = _big(words.times(limit.ratio), f"the {words.server(limit.name)}")
    else:
        big = _big(own, "")
    full = words.bound(leg.bounds)
    warnings = [full] if full and full != _WANTED else []
    warnings += ["incomplete run"] if pool.reasons else []
    return tag(
        "a",
        tag("span", candidate.what, class_="what"),
        big,
        (_versus(column, one) for one in peers),
        (tag("span", line, class_="own") for line in _figures(own, found, unit)),
        tag("span", _place(leg, full), class_="place"),
        tag("span", "▲ " + ", ".join(warnings), class_="warn") if warnings else None,
        class_="card",
        href=f"#{candidate.scenario}",
    )


def _big(figure: str, what: str) -> Element:
    return tag("span", tag("strong", figure), " ", what, class_="big")


def _load(leg: Leg) -> float:
    """Return how heavy a leg's load is, to compare legs of one table."""
    rate = rounds.as_number(leg.keys.get("comments/s")) or 1.0
    closed = str(leg.keys.get("load", "")).endswith("closed")
    return rate * (rounds.as_number(leg.keys.get("viewers")) or 1.0) * (10.0 if closed else 1.0)


def _versus(column: str, one: Beside) -> Element:
    factor = one.ratio if one.ratio >= 1 else 1 / one.ratio
    name = words.server(one.name)
    if factor < _ALIKE:
        return tag("span", f"= as much as {name}", class_="versus")
    good = (one.ratio < 1) == (rounds.better(column) == "lower")
    text = f"{words.times(factor)} {'less' if one.ratio < 1 else 'more'} than {name}"
    return tag(
        "span", f"{'✓' if good else '✗'} {text}", class_=f"versus {'good' if good else 'bad'}"
    )


def _figures(own: str, found: Sequence[Beside], unit: str) -> list[str]:
    others = [f"{words.server(one.name)} {words.short(one.figure.median)} {unit}" for one in found]
    return [f"Groundswell {own}", *(other.strip() for other in others)]


def _place(leg: Leg, full: str) -> str:
    parts = [
        value if isinstance(value, str) else f"{value:,g} {key}"
        for key, value in leg.place.items()
        if isinstance(value, str | int | float)
    ]
    return ", ".join([*parts, *([full] if full == _WANTED else [])])


def _targets(pools: Sequence[Pool]) -> list[Element]:
    pool = newest(pools, "plane")
    if pool is None:
        return []
    known = [row for row in pool.rows if row.get("met") is not None]
    met = sum(row["met"] == "yes" for row in known)
    missing = len(pool.rows) - len(known)
    return [
        tag(
            "a",
            tag("span", "targets of the live plane", class_="what"),
            _big(f"{met} of {len(known)}", "are met"),
            tag("span", f"▲ {missing} not measured", class_="warn") if missing else None,
            class_="card",
            href="#plane",
        )
    ]

"""Which plots a scenario gets: by the columns of its table, so that a new one gets its own."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from groundswell.bench import rounds
from groundswell.bench.page import svg, words
from groundswell.bench.page.beside import besides, compares_servers, is_ours
from groundswell.bench.page.markup import tag
from groundswell.bench.rounds import Leg

_COSTS = ("delivery", "post", "join", "message", "reaction", "page", "row")
_BARS = (
    *(f"CPU us/{cost}" for cost in _COSTS),
    *("joins/s", "posts/s", "messages/s", "reactions/s", "pages/s", "rows/s"),
    *("CPU %", "RSS KiB/viewer", "RSS KB/viewer"),
)
_RANGES = (  # fast end, slow end, what they are
    ("p50 ms", "p99 ms", "Latency"),
    ("fan-out p50 ms", "fan-out p99 ms", "Latency of comments"),
    ("median ms", "last ms", "Median viewer to last viewer"),
)
_PEER_KINDS = 4  # classes that peers share in turn
_OUR_KINDS = 3


class Kinds:
    """Gives each name a class, which is its colour, and a number, which is its mark.

    Peers keep theirs on the whole page; the product's own legs are told apart in each section.
    """

    def __init__(self) -> None:
        self._peers: list[str] = []
        self._ours: list[str] = []

    def begin_section(self) -> None:
        """Let the product's first leg have the accent again."""
        self._ours.clear()

    def of(self, leg: Leg) -> str:
        """Return the class of a leg."""
        if words.is_limit(leg.name):
            return "limit"
        names = self._ours if is_ours(leg) else self._peers
        if leg.name not in names:
            names.append(leg.name)
        number = names.index(leg.name)
        return f"ours{number % _OUR_KINDS}" if is_ours(leg) else f"peer{number % _PEER_KINDS}"

    def shape(self, leg: Leg) -> int:
        """Return which mark it has."""
        return {"l": 1, "o": 0, "p": 2 + int(self.of(leg)[-1] == "1")}[self.of(leg)[0]]


def plots(legs: Sequence[Leg], kinds: Kinds) -> list[Element]:
    """Return the figures of one table, as they should stand beside each other."""
    found: list[Element] = []
    scaling: list[Element] = []
    if _varies(legs, "viewers") and _varies_at_least(legs, "viewers", 3):
        scaling = _against(
            legs, kinds, "viewers", "CPU us/delivery", "CPU a delivery by viewers", "viewers"
        )
        found += scaling
    elif _varies(legs, "comments/s"):
        found += _against(
            legs,
            kinds,
            "comments/s",
            "deliveries/s",
            "Throughput by rate",
            "comments a second",
        )
    for fast, slow, title in _RANGES:
        found += _latency(legs, kinds, fast, slow, title)
    for column in _BARS:
        if not (scaling and column == "CPU us/delivery"):  # which the line has said
            found += _bars(legs, kinds, column)
    return found


def _varies(legs: Sequence[Leg], key: str) -> bool:
    return _varies_at_least(legs, key, 2)


def _varies_at_least(legs: Sequence[Leg], key: str, count: int) -> bool:
    return len({leg.keys.get(key) for leg in legs} - {None}) >= count


def _against(
    legs: Sequence[Leg], kinds: Kinds, key: str, column: str, title: str, x_title: str
) -> list[Element]:
    series: dict[str, list[svg.Point]] = {}
    first: dict[str, Leg] = {}
    for leg in legs:
        x, figure = rounds.as_number(leg.keys.get(key)), leg.figures.get(column)
        if x is not None and x > 0 and figure is not None:
            point = svg.Point(x, figure.median, words.bound(leg.bounds))
            series.setdefault(leg.name, []).append(point)
            first.setdefault(leg.name, leg)
    if not series or max(map(len, series.values())) < 2:
        return []
    drawn = [
        svg.Line(
            words.server(name),
            kinds.of(first[name]),
            kinds.shape(first[name]),
            sorted(points, key=lambda point: point.x),
        )
        for name, points in series.items()
    ]
    unit = words.title(column)[1]
    on_top = sorted(drawn, key=lambda line: line.kind.startswith("ours"))
    drawing = svg.lines(on_top, label=f"{title}: {', '.join(first)}", x_title=x_title, unit=unit)
    return [_figure(title, unit, words.way(column), drawing, _legend(drawn))]


def _legend(series: Sequence[svg.Line]) -> Element:
    entries = []
    for line in series:
        mark = tag("path", d=svg.mark_path(7, 7, line.shape), class_=line.kind)
        swatch = tag("svg", mark, viewBox="0 0 14 14", width=14, height=14, aria_hidden="true")
        entries.append(tag("li", swatch, line.name))
    return tag("ul", entries, class_="legend")


def _latency(legs: Sequence[Leg], kinds: Kinds, fast: str, slow: str, title: str) -> list[Element]:
    items = []
    has = {name for name in ("p90 ms", "max ms") if fast == "p50 ms"}
    for leg in legs:
        low, high = leg.figures.get(fast), leg.figures.get(slow)
        p90, most = (
            leg.figures[name].median if name in has and name in leg.figures else None
            for name in ("p90 ms", "max ms")
        )
        if low and high and low.median > 0:
            items.append(
                svg.Range(
                    words.server(leg.name),
                    kinds.of(leg),
                    low.median,
                    max(low.median, high.median),
                    f"{words.short(low.median)} – {words.short(high.median)} ms",
                    words.bound_short(leg.bounds),
                    _group(leg, legs),
                    p90,
                    most,
                )
            )
    if not items:
        return []
    drawing = svg.ranges(items, label=title, unit="ms")
    marks = [fast, "p90", slow, "slowest"] if any(item.far for item in items) else [fast, slow]
    about = ", ".join(mark.removesuffix(" ms") for mark in marks)
    return [_figure(title, f"{about}; ms", words.way(slow), drawing)]


def _bars(legs: Sequence[Leg], kinds: Kinds, column: str) -> list[Element]:
    title, unit = words.title(column)
    items = []
    if column.startswith("RSS"):  # does not depend on the rate, and the limit keeps nothing
        if not _varies(legs, "viewers"):
            legs = [leg for leg in legs if _rate(leg) == max(map(_rate, legs))]
        legs = [leg for leg in legs if not words.is_limit(leg.name)]
    for leg in legs:
        if not (figure := leg.figures.get(column)):
            continue
        ratios = [
            f"{words.times(one.ratio)} {'limit' if words.is_limit(one.name) else one.name}"
            for one in besides(leg, legs, column)
        ]
        items.append(
            svg.Bar(
                words.server(leg.name),
                kinds.of(leg),
                figure.median,
                f"{words.short(figure.median)} {unit}".strip(),
                " · ".join(ratios[:2]),
                figure.low,
                figure.high,
                words.bound_short(leg.bounds),
                _group(leg, legs),
            )
        )
    if not any(item.value > 0 for item in items):
        return []
    return [_figure(title, unit, words.way(column), svg.bars(items, label=title))]


def _rate(leg: Leg) -> float:
    return rounds.as_number(leg.keys.get("comments/s")) or 0.0


def _group(leg: Leg, legs: Sequence[Leg]) -> str:
    """Return the load of a leg, of which only what differs between legs is worth telling."""
    parts = [
        value if isinstance(value, str) else f"{value:,g} {key}"
        for key, value in leg.place.items()
        if isinstance(value, str | int | float)
        and len({other.place.get(key) for other in legs}) > 1
    ]
    return ", ".join(parts) if compares_servers(leg) or parts else ""


def _figure(title: str, unit: str, way: str, drawing: Element, *more: Element) -> Element:
    about = ", ".join(filter(None, (unit, way)))
    caption = tag("figcaption", tag("strong", title), tag("span", about) if about else None)
    return tag("figure", caption, drawing, more, class_="plot")

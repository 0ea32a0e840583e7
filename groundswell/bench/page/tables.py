"""A scenario's table: medians with their spread, and each figure by the limit's and by peers'."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from groundswell.bench import rounds
from groundswell.bench.page import words
from groundswell.bench.page.beside import besides
from groundswell.bench.page.markup import tag
from groundswell.bench.report import Row, cell
from groundswell.bench.rounds import Leg

_FIGURES = ("figure", "cost")  # columns of numbers where rows are no legs


def legs_table(legs: Sequence[Leg], rows: Sequence[Row]) -> Element:
    """Return a row for each leg. Columns are those of `rows`, figures after what is measured."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    keys = [column for column in columns if column in rounds.KEYS]
    others = [c for c in columns if c not in keys and c not in ("round", "bounded by")]
    others.sort(key=lambda column: column in ("processes", "beside, %"))  # long ones last
    several = any(leg.rounds > 1 for leg in legs)
    head = [*keys, *(["rounds"] if several else []), *others, "bounded by"]
    texts = {tuple(leg.keys.items()): row for leg, row in _first_rows(legs, rows)}
    body = []
    for leg in legs:
        row = texts[tuple(leg.keys.items())]
        cells = [tag("th" if i == 0 else "td", _key(leg, key)) for i, key in enumerate(keys)]
        cells[0].set("scope", "row")
        if full := words.bound_short(leg.bounds):
            cells[0].append(tag("small", f"▲ {full}", class_="warn"))
        cells += [tag("td", str(leg.rounds), class_="number")] if several else []
        cells += [_figure(leg, legs, column, row) for column in others]
        cells.append(_bounds(leg.bounds))
        body.append(tag("tr", cells))
    numbers = {column for leg in legs for column in leg.figures} | {"rounds"}
    titles = (_head(name, number=name in numbers) for name in head)
    return _scrolling(tag("thead", tag("tr", titles)), tag("tbody", body))


def plain_table(rows: Sequence[Row]) -> Element:
    """Return rows as they are; a target that is met or missed is marked."""
    columns = list(rows[0])
    body = [
        tag(
            "tr", (_plain(column, row.get(column), first=not i) for i, column in enumerate(columns))
        )
        for row in rows
    ]
    titles = (_head(column, number=column in _FIGURES) for column in columns)
    return _scrolling(tag("thead", tag("tr", titles)), tag("tbody", body))


def _scrolling(*parts: Element) -> Element:
    return tag(
        "div",
        tag("table", parts),
        class_="scrolling",
        tabindex=0,
        role="region",
        aria_label="Table",
    )


def _bounds(names: Sequence[str]) -> Element:
    full = words.bound(names)
    return tag("td", tag("span", f"▲ {full}", class_="warn") if full else None)


def _head(name: str, *, number: bool) -> Element:
    return tag("th", name, scope="col", class_="number" if number else None)


def _first_rows(legs: Sequence[Leg], rows: Sequence[Row]) -> list[tuple[Leg, Row]]:
    return [
        (leg, next(row for row in rows if all(row.get(k) == v for k, v in leg.keys.items())))
        for leg in legs
    ]


def _key(leg: Leg, key: str) -> str:
    value = leg.keys.get(key)
    return words.server(value) if isinstance(value, str) else cell(value)


def _figure(leg: Leg, legs: Sequence[Leg], column: str, row: Row) -> Element:
    figure = leg.figures.get(column)
    if figure is None:
        return tag("td", cell(row.get(column)), class_="text")
    more = []
    if figure.rounds > 1 and figure.high > figure.low and rounds.better(column):
        more.append(f"{words.short(figure.low)} – {words.short(figure.high)}")
    if rounds.better(column):
        more += [
            f"{words.times(one.ratio)} {'limit' if words.is_limit(one.name) else one.name}"
            for one in besides(leg, legs, column)
        ]
    return tag("td", cell(figure.median), (tag("small", text) for text in more), class_="number")


def _plain(column: str, value: object, *, first: bool) -> Element:
    if column == "bounded by":
        return _bounds([str(value)] if value else [])
    if value in ("yes", "NO"):
        kind = "good" if value == "yes" else "bad"
        return tag("td", tag("span", "✓ met" if value == "yes" else "✗ missed", class_=kind))
    number = column in _FIGURES and not isinstance(value, str)
    name = "th" if first else "td"
    return tag(name, cell(value), class_="number" if number else "text")

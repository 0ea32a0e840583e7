"""Plots as SVG: bars, lines, and ranges. Colours are classes of `page.css`, so themes change them.

A plot is `WIDTH` units wide and fills its card, which is about as many pixels on a phone and on a
desktop: its text stays readable at both.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from groundswell.bench.page.markup import tag
from groundswell.bench.page.words import short, tick

WIDTH = 360
_ROW, _BAR = 40, 10  # height of an item, and of its bar
_HEAD = 24  # height of a heading between items
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 12, 38  # around the area of lines
_LINES_HEIGHT = 236
_LOG_FROM = 20.0  # highest by lowest from which on an axis is logarithmic


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. `kind` is its class, `bounded` says in two words who filled a core.

    Those of one `group` stand under it."""

    name: str
    kind: str
    value: float
    text: str
    note: str = ""
    low: float | None = None
    high: float | None = None
    bounded: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """From the median of something to its slow end, both above 0.

    `between` and `far` are a percentile on the way, and the slowest of all.
    """

    name: str
    kind: str
    low: float
    high: float
    text: str
    bounded: str = ""
    group: str = ""
    between: float | None = None
    far: float | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a line; `bounded` says who filled a core."""

    x: float
    y: float
    bounded: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """The points of one server, from left to right. `shape` numbers its marks."""

    name: str
    kind: str
    shape: int
    points: Sequence[Point]


def bars(items: Sequence[Bar], *, label: str) -> Element:
    """Return bars from 0, each under its name and figure."""
    most = max((item.high or item.value for item in items), default=0) or 1.0
    drawing, y = _drawing(label), 0.0
    for item, heading in zip(items, _headings([item.group for item in items]), strict=True):
        y = _heading(drawing, heading, y)
        width = max(1.5, WIDTH * item.value / most)
        _title(drawing, y, item.name, item.text, item.note, item.bounded)
        bar = tag("rect", x=0, y=y + 22, width=f"{width:.1f}", height=_BAR, rx=3)
        bar.set("class", f"bar {item.kind}{' bounded' if item.bounded else ''}")
        drawing.append(bar)
        if item.low is not None and item.high is not None and item.high > item.low:
            ends = [WIDTH * end / most for end in (item.low, item.high)]
            drawing.append(_line(ends[0], y + 27, ends[1], y + 27, "whisker"))
        y += _ROW
    return _sized(drawing, y)


def ranges(items: Sequence[Range], *, label: str, unit: str) -> Element:
    """Return lines from the median to the slow end, on one logarithmic axis."""
    low, high = min(item.low for item in items), max(item.far or item.high for item in items)
    low, high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(high) + 1e-9)
    drawing, y = _drawing(label), 0.0
    at = _scale(low, high, 6, WIDTH - 6, log=True)
    grid = tag("g")
    drawing.append(grid)
    for item, heading in zip(items, _headings([item.group for item in items]), strict=True):
        y = _heading(drawing, heading, y)
        _title(drawing, y, item.name, item.text, "", item.bounded)
        drawing.append(_line(at(item.low), y + 27, at(item.high), y + 27, f"range {item.kind}"))
        drawing.append(tag("circle", cx=_n(at(item.low)), cy=y + 27, r=5, class_=item.kind))
        for value, half in ((item.between, 4), (item.high, 6)):
            if value is not None:
                x = at(value)
                drawing.append(_line(x, y + 27 - half, x, y + 27 + half, f"range {item.kind}"))
        if item.far is not None:
            drawing.append(tag("circle", cx=_n(at(item.far)), cy=y + 27, r=2, class_=item.kind))
        y += _ROW
    for value in _decades(low, high):
        grid.append(_line(at(value), 0, at(value), y, "grid"))
        anchor = "start" if value == low else "end" if value == high else "middle"
        text = f"{tick(value)} {unit}" if value == high else tick(value)
        drawing.append(_text(at(value), y + 14, text, "tick", anchor))
    return _sized(drawing, y + 20)


def lines(series: Sequence[Line], *, label: str, x_title: str, unit: str) -> Element:
    """Return lines with a mark at each point; axes are logarithmic where values need it."""
    points = [point for line in series for point in line.points]
    xs = sorted({point.x for point in points})
    ys = [point.y for point in points]
    x_log, y_log = _is_log(xs), _is_log(ys)
    low, high, ticks = _y_axis(ys, log=y_log)
    bottom = _LINES_HEIGHT - _BOTTOM
    at_x = _scale(xs[0] if x_log else 0, xs[-1], _LEFT + 8, WIDTH - _RIGHT, log=x_log)
    at_y = _scale(low, high, bottom, _TOP, log=y_log)
    drawing = _drawing(label)
    for value in ticks:
        drawing.append(_line(_LEFT, at_y(value), WIDTH - _RIGHT + 8, at_y(value), "grid"))
        drawing.append(_text(_LEFT - 6, at_y(value) + 4, tick(value), "tick", "end"))
    for value in xs:
        drawing.append(_text(at_x(value), bottom + 16, tick(value), "tick", "middle"))
    middle = (_LEFT + WIDTH) / 2
    drawing.append(_text(middle, bottom + 33, x_title, "tick", "middle"))
    for line in series:
        path = " ".join(f"{at_x(p.x):.1f},{at_y(p.y):.1f}" for p in line.points)
        drawing.append(tag("polyline", points=path, class_=f"line {line.kind}"))
        for p in line.points:
            mark = tag("path", d=mark_path(at_x(p.x), at_y(p.y), line.shape))
            mark.set("class", f"{line.kind}{' bounded' if p.bounded else ''}")
            full = f", {p.bounded}" if p.bounded else ""
            about = f"{line.name}: {short(p.y)} {unit} at {tick(p.x)} {x_title}{full}"
            mark.append(tag("title", about))
            drawing.append(mark)
    return _sized(drawing, _LINES_HEIGHT)


def mark_path(x: float, y: float, shape: int, size: float = 4.5) -> str:
    """Return the outline of a mark: square, triangle, diamond, or circle for every fourth."""
    corners = {
        1: ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        2: ((0, -1.2), (1.2, 1), (-1.2, 1)),
        3: ((0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)),
    }.get(shape % 4)
    if corners is None:
        half = f"a{size},{size} 0 1 0"
        return f"M{x - size:.1f},{y:.1f}{half} {2 * size},0{half} {-2 * size},0Z"
    spots = [f"{x + size * dx:.1f},{y + size * dy:.1f}" for dx, dy in corners]
    return f"M{'L'.join(spots)}Z"


def _drawing(label: str) -> Element:
    return tag("svg", tag("title", label), role="img", aria_label=label)


def _sized(drawing: Element, height: float) -> Element:
    drawing.set("viewBox", f"0 0 {WIDTH} {_n(height)}")
    return drawing


def _headings(groups: Sequence[str]) -> list[str]:
    """Return the group where it is another one than before, else nothing."""
    return [group if not i or groups[i - 1] != group else "" for i, group in enumerate(groups)]


def _heading(drawing: Element, text: str, y: float) -> float:
    if not text:
        return y
    drawing.append(_text(0, y + 15, text, "group", "start"))
    return y + _HEAD


def _title(drawing: Element, y: float, name: str, text: str, note: str, bounded: str) -> None:
    drawing.append(_text(0, y + 15, name, "name", "start"))
    if bounded:
        drawing[-1].append(tag("tspan", f"  ▲ {bounded}", class_="full"))
    figure = _text(WIDTH, y + 15, "", "figure", "end")
    figure.append(tag("tspan", text, class_="value"))
    if note:
        figure.append(tag("tspan", f"  {note}", class_="note"))
    drawing.append(figure)


def _text(x: float, y: float, text: str, kind: str, anchor: str) -> Element:
    return tag("text", text, x=_n(x), y=_n(y), class_=kind, text_anchor=anchor)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Element:
    return tag("line", x1=_n(x1), y1=_n(y1), x2=_n(x2), y2=_n(y2), class_=kind)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _is_log(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) >= _LOG_FROM


def _scale(
    low: float, high: float, start: float, end: float, *, log: bool
) -> Callable[[float], float]:
    """Return what places a value between two coordinates."""
    turn: Callable[[float], float] = math.log10 if log else float
    first, last = turn(low), turn(high)
    return lambda value: start + (end - start) * (turn(value) - first) / ((last - first) or 1)


def _decades(low: float, high: float) -> list[float]:
    return [10.0**n for n in range(round(math.log10(low)), round(math.log10(high)) + 1)]


def _y_axis(values: Sequence[float], *, log: bool) -> tuple[float, float, list[float]]:
    """Return both ends of an axis and its ticks: decades, or four or five round steps from 0."""
    if log:
        low = 10 ** math.floor(math.log10(min(values)))
        high = 10 ** math.ceil(math.log10(max(values)))
        return low, high, _decades(low, high)
    most = max(*values, 1e-9)
    size = 10 ** math.floor(math.log10(most / 4))
    step = next(size * n for n in (1, 2, 2.5, 5, 10) if size * n * 5 >= most)
    count = math.ceil(most / step - 1e-9)
    return 0, step * count, [step * n for n in range(count + 1)]

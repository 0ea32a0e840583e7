"""A leg's figures by those of the limit and of peers under the same load."""

from collections.abc import Sequence
from dataclasses import dataclass

from groundswell.bench.page import words
from groundswell.bench.rounds import Figure, Leg


@dataclass(frozen=True, slots=True)
class Beside:
    """A figure of another server. `ratio` is ours by theirs."""

    name: str
    figure: Figure
    ratio: float


_OF_SERVERS = ("server", "path", "writer")  # keys whose values are who is measured


def compares_servers(leg: Leg) -> bool:
    """Tell whether its table has a server a row, and not a state of one and the same."""
    return any(key in leg.keys for key in _OF_SERVERS)


def is_ours(leg: Leg) -> bool:
    """Tell whether a leg is one of the product."""
    return not compares_servers(leg) or words.is_ours(leg.name)


def arranged(legs: Sequence[Leg]) -> list[Leg]:
    """Return legs under the same load beside each other: the limit, the product, peers."""
    places: list[dict[str, object]] = []
    for leg in legs:
        if leg.place not in places:
            places.append(leg.place)

    def order(leg: Leg) -> tuple[int, bool, bool]:
        return places.index(leg.place), not words.is_limit(leg.name), not is_ours(leg)

    return sorted(legs, key=order)


def besides(leg: Leg, legs: Sequence[Leg], column: str) -> list[Beside]:
    """Return limit and peers, in this order.

    Nothing for a leg that is not the product's, nor for a figure of 0, which is no ratio.
    """
    ours = leg.figures.get(column)
    if not (ours and ours.median) or not compares_servers(leg) or not is_ours(leg):
        return []
    found = [
        Beside(other.name, theirs, ours.median / theirs.median)
        for other in legs
        if not is_ours(other)
        and other.place == leg.place
        and not (column.startswith("RSS") and words.is_limit(other.name))  # which keeps nothing
        and (theirs := other.figures.get(column))
        and theirs.median > 0
    ]
    return sorted(found, key=lambda one: not words.is_limit(one.name))

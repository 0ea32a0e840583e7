"""Reading the totals of reactions out of Cassandra itself, past our own reads."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson

from groundswell.bench.cluster import Cluster
from groundswell.bench.keyspace import reading

Totals = Counter[tuple[str, int]]  # by comment and code of the reaction
STEADY_TIME = 20.0  # seconds without a change: persist has counted everything


def wait_totals(cluster: Cluster, wanted: Totals, *, within: float) -> Totals:
    """Return Cassandra's totals, as `settled_totals` does."""
    with reading(cluster.env) as session:
        return settled_totals(lambda: _read(session), wanted, within=within)


def settled_totals(read: Callable[[], Totals], wanted: Totals, *, within: float) -> Totals:
    """Return the totals once they are `wanted`, change no more, or the time is over."""
    deadline = time.monotonic() + within
    found, changed = Totals(), time.monotonic()
    while found != wanted and time.monotonic() < min(deadline, changed + STEADY_TIME):
        time.sleep(1)
        now = read()
        if now != found or not now:
            found, changed = now, time.monotonic()
    return found


def verdict(stored: Totals, wanted: Totals, *, unanswered: int) -> str:
    """Say how the totals of the comments in `wanted` compare with what was acknowledged.

    What was sent and not answered may be counted or not.

    >>> a, b = ("a", 1), ("b", 1)
    >>> verdict(Totals({a: 2, b: 5}), Totals({a: 2}), unanswered=0)
    'exact'
    >>> verdict(Totals({a: 3}), Totals({a: 2}), unanswered=1)
    'exact, and 1 unanswered'
    >>> verdict(Totals({a: 1}), Totals({a: 2}), unanswered=9)
    'WRONG: 1 missing, 0 too many'
    """
    comments = {comment for comment, _ in wanted}
    ours = Totals({key: count for key, count in stored.items() if key[0] in comments})
    missing, more = (wanted - ours).total(), (ours - wanted).total()
    if missing or more > unanswered:
        return f"WRONG: {missing} missing, {more} too many"
    return f"exact, and {more} unanswered" if more else "exact"


def _read(session: Any) -> Totals:
    found = Totals()
    for comment, counts in session.execute("SELECT comment_id, counts FROM totals"):
        counted = enumerate(orjson.loads(counts), 1)
        found.update({(comment, code): n for code, n in counted if n})
    return found

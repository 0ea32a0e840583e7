"""Holds what was acknowledged against what is there: the invariants I1 to I5.

Pure functions over plain values; each returns the violations it found, as sentences that begin
with the invariant.

- I1: nothing acknowledged is lost.
- I2: nothing is there twice.
- I3: everybody has one order.
- I4: nobody misses something without being told.
- I5: totals equal a recount.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from tests.acceptance.harness.history import History, Sent
from tests.acceptance.harness.viewers import Segment

Violations = list[str]


def lost_or_doubled(
    sent: Iterable[Sent], found: Sequence[tuple[str, str | None]], *, deleted: Collection[str]
) -> Violations:
    """Check I1 and I2: `found` are (comment id, ref) in the order of the place they came from."""
    ids = Counter(comment_id for comment_id, _ in found)
    refs = Counter(ref for _, ref in found if ref is not None)
    violations = [f"I2 {comment_id} is there {n} times" for comment_id, n in ids.items() if n > 1]
    violations += [f"I2 ref {ref} is there {n} times" for ref, n in refs.items() if n > 1]
    for one in sent:
        if one.comment_id is None:
            continue
        if one.comment_id in deleted:
            if ids[one.comment_id]:
                violations.append(f"{one.comment_id} was deleted and is there")
        elif not ids[one.comment_id]:
            violations.append(f"I1 {one.comment_id} ({one.ref}) was acknowledged and is lost")
    return violations


def unexpected(
    found: Sequence[tuple[str, str | None]], history: History, *, video: str
) -> Violations:
    """Check I2 from the other side: nothing is there that nobody sent."""
    known = {one.ref for one in history.sent.values() if one.video == video}
    return [
        f"I2 {comment_id} ({ref}) was sent by nobody"
        for comment_id, ref in found
        if ref not in known
    ]


def out_of_order(order: Sequence[str], sent: Iterable[Sent]) -> Violations:
    """Check I3: GET's order is that of the positions in the acknowledgements."""
    offsets = {one.comment_id: one.offset for one in sent if one.comment_id}
    last, violations = -1, []
    for comment_id in order:
        offset = offsets.get(comment_id)
        if offset is None:
            continue
        if offset <= last:
            violations.append(f"I3 {comment_id} with position {offset} comes after {last}")
        last = offset
    return violations


def gaps(
    segments: Sequence[Segment], order: Sequence[str], *, deleted: Collection[str]
) -> Violations:
    """Check I2, I3 and I4 of one viewer: every segment is an unbroken piece of the order."""
    place = {comment_id: i for i, comment_id in enumerate(order) if comment_id not in deleted}
    violations = []
    for number, segment in enumerate(segments):
        shown = [comment_id for comment_id in segment.shown if comment_id not in deleted]
        for comment_id, n in Counter(shown).items():
            if n > 1:
                violations.append(f"I2 segment {number}: {comment_id} was shown {n} times")
        foreign = [comment_id for comment_id in shown if comment_id not in place]
        violations += [f"I4 segment {number}: {one} was shown and is not in GET" for one in foreign]
        if foreign or not shown:
            continue
        start = place[shown[0]]
        expected = [one for one in order[start:] if one not in deleted][: len(shown)]
        if shown != expected:
            broken = "I3" if set(shown) == set(expected) else "I4"
            at = next(
                i for i, pair in enumerate(zip(shown, expected, strict=False)) if len({*pair}) > 1
            )
            violations.append(
                f"{broken} segment {number}: at {at} came {shown[at]}, next is {expected[at]}"
            )
    return violations


def incomplete(
    segments: Sequence[Segment], order: Sequence[str], *, deleted: Collection[str]
) -> Violations:
    """Check I4 at the end: the last thing shown is the last comment there is."""
    remaining = [one for one in order if one not in deleted]
    shown = [one for one in segments[-1].shown if one not in deleted] if segments else []
    if remaining and (not shown or shown[-1] != remaining[-1]):
        missing = len(remaining) - (remaining.index(shown[-1]) + 1 if shown else 0)
        return [f"I4 the last {missing} comments were not shown"]
    return []


def wrong_totals(
    expected: Mapping[str, Mapping[str, int]], found: Mapping[str, Mapping[str, int]]
) -> Violations:
    """Check I5: `found` may leave out types and comments whose totals are zero."""
    violations = []
    for comment_id, counts in expected.items():
        got = found.get(comment_id, {})
        for plural, count in counts.items():
            if got.get(plural, 0) != count:
                violations.append(f"I5 {comment_id}: {got.get(plural, 0)} {plural}, not {count}")
    return violations

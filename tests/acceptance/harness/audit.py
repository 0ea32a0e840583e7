"""The whole truth about a video: acknowledgements, GET, store, log and viewers side by side."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence

from tests.acceptance.harness import checker
from tests.acceptance.harness.checker import Violations
from tests.acceptance.harness.client import Client, Comment
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.history import History
from tests.acceptance.harness.stores import Stores
from tests.acceptance.harness.viewers import Viewer
from tests.acceptance.harness.waiting import NeverHappened, wait_for_result

CONVERGES_WITHIN_S = 15.0  # reactions and stores are eventually right; everything else at once


def audit_reads(comments: Sequence[Comment], history: History, video: str) -> Violations:
    """Check what GET says of a video: every comment once and in the order of the log."""
    found = [(one["commentID"], one.get("ref")) for one in comments]
    acknowledged = list(history.acknowledged(video))
    return [
        *checker.lost_or_doubled(acknowledged, found, deleted=history.deleted),
        *checker.unexpected(found, history, video=video),
        *checker.out_of_order([comment_id for comment_id, _ in found], acknowledged),
    ]


def audit_totals(comments: Sequence[Comment], history: History) -> Violations:
    """Check the totals in GET against a recount of the acknowledged reactions."""
    recount = history.recount()
    found = {one["commentID"]: one["reactions"] for one in comments}
    return checker.wrong_totals({one: recount[one] for one in found if one in recount}, found)


def audit_stores(
    stores: Stores, comments: Sequence[Comment], history: History, video: str
) -> Violations:
    """Check the store's rows and the log's records against GET and the recount."""
    order = [one["commentID"] for one in comments]
    stored = stores.comments(video)
    logged = dict.fromkeys(stores.logged(video))  # a duplicate counts once
    violations = checker.lost_or_doubled(
        history.acknowledged(video), stored, deleted=history.deleted
    )
    if [comment_id for comment_id, _ in stored] != order:
        violations.append("I3 the rows of the store are not in the order of GET")
    if [one for one in logged if one in set(order)] != order:
        violations.append("I3 the records of the log are not in the order of GET")
    recount = {one: counts for one, counts in history.recount().items() if one in set(order)}
    reactions = stores.reactions(video)
    violations += [f"{one} (rows)" for one in checker.wrong_totals(recount, reactions.counted)]
    violations += [f"{one} (totals)" for one in checker.wrong_totals(recount, reactions.stated)]
    certain = history.hearts[video]
    possible = certain + history.unknown_hearts[video]
    if not certain <= (hearts := stores.hearts(video)) <= possible:
        violations.append(f"I5 {hearts} hearts, not {certain} to {possible}")
    return [f"{one} (stores)" for one in violations]


def audit_viewer(viewer: Viewer, comments: Sequence[Comment], history: History) -> Violations:
    """Check that a viewer saw one unbroken order, up to the last comment."""
    order = [one["commentID"] for one in comments]
    return [
        *checker.gaps(viewer.seen.segments, order, deleted=history.deleted),
        *checker.incomplete(viewer.seen.segments, order, deleted=history.deleted),
    ]


async def audit(
    deployment: Deployment,
    client: Client,
    history: History,
    video: str,
    *,
    viewers: Iterable[Viewer] = (),
    within: float = CONVERGES_WITHIN_S,
) -> Violations:
    """Check a video that nobody writes to any more; returns the violations that stay."""
    assert not history.unsettled, "unknown outcomes prove nothing"
    comments = await client.every_comment(video)
    if violations := audit_reads(comments, history, video):
        return violations  # a read after the answer must be right at once

    async def attempt() -> str | None:
        nonlocal violations, comments
        comments = await client.every_comment(video)
        violations = [
            *audit_reads(comments, history, video),
            *audit_totals(comments, history),
            *await asyncio.to_thread(audit_stores, deployment.stores, comments, history, video),
        ]
        for viewer in viewers:
            violations += audit_viewer(viewer, comments, history)
        return None if violations else "agreed"

    with contextlib.suppress(NeverHappened):
        await wait_for_result(attempt, within=within, what="agreement")
    return violations

"""What was answered 201 is in the next GET, whoever asks, with the projections stopped too."""

import asyncio

import pytest

from tests.acceptance.harness.audit import audit
from tests.acceptance.harness.client import connect
from tests.acceptance.harness.deploying import Deploy, Figure
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.history import History, Sent
from tests.acceptance.harness.scale import scaled, seeded
from tests.acceptance.harness.writers import Writer

pytestmark = pytest.mark.stack

AT_ONCE = 16


async def test_a_comment_is_read_right_after_its_201_with_persist_paused(
    deploy: Deploy, figure: Figure
) -> None:
    """POST on one connection, GET on another as soon as the answer is there; then catch up."""
    server = deploy()
    await asyncio.to_thread(server.pause_persist)
    total = scaled(1000, full=1000)
    history = History()
    present = 0
    async with connect(server) as posting, connect(server) as reading:

        async def post_then_get(worker: int) -> None:
            nonlocal present
            video = f"paused-{worker % 4}"
            writer = Writer(posting, history, seeded("reads"), user=f"u{worker}", videos=[video])
            for _ in range(worker, total, AT_ONCE):
                sent: Sent = writer.compose(video)
                answer = await posting.post_comment(video, sent.user, sent.text, key=sent.ref)
                assert answer.status == 201, (answer.status, answer.body)
                body = answer.json()
                history.accept(sent, body["commentID"], answer.position)
                page = await reading.comments(video, f"?since={body['timestamp']}&limit=500")
                present += body["commentID"] in {one["commentID"] for one in page}

        await asyncio.gather(*(post_then_get(worker) for worker in range(AT_ONCE)))
        figure("present at once", f"{present} of {total}")
        assert present == total

        await asyncio.to_thread(server.resume_persist)
        for video in {one.video for one in history.sent.values()}:
            assert await audit(server, reading, history, video) == []


async def test_pages_follow_each_other_without_a_gap(shared: Deployment, video: str) -> None:
    """`Link` leads through all comments whatever the page size; `limit` is kept."""
    async with connect(shared) as client:
        ids = []
        for i in range(12):
            answer = await client.post_comment(video, "ada", f"comment {i}")
            ids.append(answer.json()["commentID"])
        for limit in (1, 5, 12, 500):
            pages = await client.every_comment(video, limit=limit)
            assert [one["commentID"] for one in pages] == ids
            assert len(await client.comments(video, f"?limit={limit}")) == min(limit, 12)


async def test_since_takes_a_time_or_a_position(shared: Deployment, video: str) -> None:
    """A time includes its own millisecond, a position the comments after it."""
    async with connect(shared) as client:
        answers = [await client.post_comment(video, "ada", f"comment {i}") for i in range(4)]
        texts = [f"comment {i}" for i in range(4)]
        by_time = await client.comments(video, f"?since={answers[2].json()['timestamp']}")
        assert [one["commentText"] for one in by_time][-2:] == texts[2:]
        by_position = await client.comments(video, f"?since={answers[1].position}")
        assert [one["commentText"] for one in by_position] == texts[2:]


async def test_replies_are_read_by_their_thread(shared: Deployment, video: str) -> None:
    """GET replies names those of one comment only, in order, page by page."""
    async with connect(shared) as client:
        parent = (await client.post_comment(video, "ada", "parent")).json()["commentID"]
        other = (await client.post_comment(video, "ada", "other")).json()["commentID"]
        replies = []
        for i in range(5):
            answer = await client.post_comment(video, "bob", f"reply {i}", reply_to=parent)
            replies.append(answer.json()["commentID"])
            await client.post_comment(video, "bob", f"elsewhere {i}", reply_to=other)
        found = await client.every_reply(video, parent, limit=2)
        assert [one["commentID"] for one in found] == replies
        assert {one["replyToCommentID"] for one in found} == {parent}

"""Totals are a recount: on the screens, in GET and in the store, whatever was toggled."""

import asyncio

import pytest

from tests.acceptance.harness import checker
from tests.acceptance.harness.audit import CONVERGES_WITHIN_S, audit
from tests.acceptance.harness.client import Client, connect
from tests.acceptance.harness.deploying import Deploy, Figure
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.history import PLURALS, History
from tests.acceptance.harness.scale import scaled, seeded
from tests.acceptance.harness.viewers import Viewer
from tests.acceptance.harness.waiting import wait_for_result
from tests.acceptance.harness.writers import SocketWriter, Writer

pytestmark = pytest.mark.stack

USERS, SOCKETS, COMMENTS = 24, 4, 6


async def make_comments(client: Client, history: History, video: str, count: int) -> list[str]:
    """Post some comments and return their ids."""
    author = Writer(client, history, seeded("author"), user="author", videos=[video])
    for _ in range(count):
        await author.comment(author.compose(video))
    return [one.comment_id for one in history.acknowledged(video) if one.comment_id]


@pytest.mark.timeout(600)
async def test_toggles_of_many_users_add_up_everywhere(
    shared: Deployment, video: str, figure: Figure
) -> None:
    """Live totals, GET, rows and stated totals all equal a recount of what was acknowledged."""
    history = History()
    each = scaled(40, full=400)
    async with connect(shared) as client, Viewer(shared, video) as viewer:
        comments = await make_comments(client, history, video, COMMENTS)

        async def toggle(number: int) -> None:
            rng = seeded(f"toggle-{number}")
            kind = SocketWriter if number < SOCKETS else Writer
            user = kind(client, history, rng, user=f"fan{number}", videos=[video])
            if isinstance(user, SocketWriter):
                await user.connect(shared, video)
            for _ in range(each):
                await user.react(video, rng.choice(comments), rng.choice([*PLURALS, None]))
                if rng.random() < 0.2:
                    await user.heart(video)
            if isinstance(user, SocketWriter):
                await user.close()

        await asyncio.gather(*(toggle(number) for number in range(USERS)))
        assert await audit(shared, client, history, video, viewers=[viewer]) == []
        expected = history.recount()
        await viewer.wait_for(
            lambda seen: not checker.wrong_totals(expected, seen.totals),
            within=CONVERGES_WITHIN_S,
            what="right totals on the screen",
        )
        hearts = history.hearts[video]
        await viewer.wait_for(
            lambda seen: seen.hearts >= hearts, within=CONVERGES_WITHIN_S, what="all hearts"
        )
        assert viewer.seen.hearts == hearts
        async with Viewer(shared, video) as late:
            assert checker.wrong_totals(expected, late.seen.totals) == []
    figure("toggles", USERS * each)
    figure("hearts", hearts)


async def test_an_answer_counts_the_callers_own_reaction(shared: Deployment, video: str) -> None:
    """The count in an answer is right at once: set, replaced, taken back, by HTTP and socket."""
    async with connect(shared) as client:
        history = History()
        [comment] = await make_comments(client, history, video, 1)
        expected = dict.fromkeys(PLURALS.values(), 0)
        steps: list[tuple[str, str | None, dict[str, int]]] = [
            ("ada", "like", {"likes": 1}),
            ("ada", "like", {"likes": 1}),
            ("bob", "like", {"likes": 2}),
            ("ada", "love", {"likes": 1, "loves": 1}),
            ("bob", None, {"loves": 1}),
            ("bob", None, {"loves": 1}),
            ("ada", None, {}),
        ]
        for user, reaction, counts in steps:
            answer = await client.react(video, comment, user, reaction)
            assert answer.status == 200
            assert answer.json() == {"status": "success", "reactionCount": expected | counts}


async def test_totals_missed_during_a_cut_are_caught_up(shared: Deployment, video: str) -> None:
    """A viewer that resumes ends at the same totals as one that never left."""
    async with connect(shared) as client, Viewer(shared, video) as viewer:
        history = History()
        [comment] = await make_comments(client, history, video, 1)
        await viewer.wait_for(lambda seen: comment in seen.comments, what="the comment")
        await viewer.cut()
        async with Viewer(shared, video) as other:
            for user in ("ada", "bob"):
                assert (await client.react(video, comment, user, "wow")).status == 200
            await other.wait_for(
                lambda seen: seen.totals.get(comment) == {"wows": 2}, what="totals elsewhere"
            )
            await viewer.open()
            await viewer.wait_for(
                lambda seen: seen.totals.get(comment) == {"wows": 2}, what="totals after a resume"
            )


async def test_totals_go_on_after_a_kill(deploy: Deploy) -> None:
    """A reaction after a restart is added to those before it, in answers, GET and on screens."""
    server = deploy()
    async with connect(server) as client:
        history = History()
        [comment] = await make_comments(client, history, "counted", 1)
        before = ["ada", "bob", "eve"]
        for user in before:
            assert (await client.react("counted", comment, user, "like")).status == 200
            history.react(comment, user, "like")
        assert await audit(server, client, history, "counted") == []
        await asyncio.to_thread(server.kill9)
        await asyncio.to_thread(server.start)
        async with Viewer(server, "counted") as viewer:
            assert (await client.react("counted", comment, "eve", "wow")).status == 200
            history.react(comment, "eve", "wow")
            answer = await client.react("counted", comment, "dan", "like")
            history.react(comment, "dan", "like")
            assert answer.json()["reactionCount"]["likes"] == 3
            assert await audit(server, client, history, "counted") == []
            await viewer.wait_for(
                lambda seen: seen.totals.get(comment) == {"likes": 3, "wows": 1},
                within=CONVERGES_WITHIN_S,
                what="right totals on the screen",
            )


async def test_hearts_survive_a_restart(deploy: Deploy) -> None:
    """Hearts are counted once each; the answer's count goes on where it was."""
    server = deploy()
    async with connect(server) as client:
        for _ in range(20):
            assert (await client.heart("hearts", "ada")).status == 200
        await asyncio.to_thread(server.kill9)
        await asyncio.to_thread(server.start)

        async def folded() -> str | None:
            stored = await asyncio.to_thread(server.stores.hearts, "hearts")
            return "all of them" if stored == 20 else None

        # An answer's count is what the store holds, and folding goes on where the kill met it.
        await wait_for_result(folded, within=CONVERGES_WITHIN_S, what="the hearts of before")
        answer = await client.heart("hearts", "bob")
        assert answer.json()["reactionCount"]["loves"] == 21

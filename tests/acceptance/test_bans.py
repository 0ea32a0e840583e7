"""Two seconds after a ban at the latest its user writes and watches nothing, on any node."""

import asyncio
import json
import time

import pytest

from tests.acceptance.harness.client import TIMEOUT, Answer, Client, connect, problem_of
from tests.acceptance.harness.deploying import Deploy, Figure
from tests.acceptance.harness.deployment import Deployment
from tests.acceptance.harness.viewers import Cut, SocketStream

pytestmark = pytest.mark.stack

HEEDED_WITHIN_S = 2.0
PROBES = 40  # writes over several connections: enough to meet every node
BANNED = 4503
WRITERS = 4
WRITES_AFTER = 200  # that begin when the ban must hold


async def order(
    client: Client,
    method: str,
    path: str,
    *,
    body: object = None,
    user: str = "mod",
    role: str = "moderator",
) -> Answer:
    """Send a moderator's command; it must be carried out."""
    headers = client.authorization(user, role=role)
    answer = await client.request(method, path, body=body, headers=headers)
    assert answer.status == 200, (answer.status, answer.body)
    return answer


async def known_stream(deployment: Deployment, video: str, user: str) -> SocketStream:
    """Open a stream that knows its viewer."""
    stream = await SocketStream.open(deployment, video, None)
    await stream.send({"type": "auth", "ref": "a1", "token": deployment.token(user)})
    async with asyncio.timeout(TIMEOUT.total):
        while (message := json.loads(await stream.next_text())).get("ref") != "a1":
            pass
    assert message["type"] == "ack", message
    return stream


async def end_of(stream: SocketStream) -> int | None:
    """Read until the server closes; return the code."""
    try:
        async with asyncio.timeout(TIMEOUT.total):
            while True:
                await stream.next_text()
    except Cut as cut:
        return cut.code


async def write_at_once(client: Client, video: str, user: str) -> list[Answer]:
    """Post many comments side by side."""
    posts = (client.post_comment(video, user, f"probe {n}") for n in range(PROBES))
    return list(await asyncio.gather(*posts))


async def until_all_answer(client: Client, video: str, user: str, status: int) -> float:
    """Write until every node answers so; return how long it took, in seconds."""

    async def all_do() -> bool:
        return {answer.status for answer in await write_at_once(client, video, user)} == {status}

    began = time.monotonic()
    async with asyncio.timeout(TIMEOUT.total):
        while not await all_do():
            pass
    return time.monotonic() - began


async def test_a_ban_is_heeded_everywhere_within_two_seconds(
    shared: Deployment, video: str, figure: Figure
) -> None:
    """What the user writes all the while is not accepted from then on, and the stream closes."""
    async with connect(shared) as client:
        stream = await known_stream(shared, video, "ada")
        banned_at = float("inf")
        late: list[Answer] = []  # answers to writes that began when the ban had to hold

        async def write() -> None:
            while len(late) < WRITES_AFTER:
                began = time.monotonic()
                answer = await client.post_comment(video, "ada", "again")
                assert answer.status in {201, 403}, answer
                if began > banned_at + HEEDED_WITHIN_S:
                    late.append(answer)

        async with asyncio.TaskGroup() as writers:
            for _ in range(WRITERS):
                writers.create_task(write())
            answer = await order(client, "PUT", f"/live/{video}/bans/ada", body={"reason": "spam"})
            banned_at = time.monotonic()
            assert answer.json() == {"status": "banned", "userID": "ada", "until": None}
            assert await end_of(stream) == BANNED
            closed_after = time.monotonic() - banned_at
        figure("stream closed after the ban, s", round(closed_after, 3))
        assert closed_after < HEEDED_WITHIN_S
        assert {answer.status for answer in late} == {403}
        assert {problem_of(answer) for answer in late} == {"banned"}

        comment = (await client.post_comment(video, "bob", "others go on")).json()["commentID"]
        for answer in (
            await client.react(video, comment, "ada", "like"),
            await client.react(video, comment, "ada", None),
            await client.heart(video, "ada"),
        ):
            assert (answer.status, problem_of(answer)) == (403, "banned")
        assert (await client.post_comment(f"{video[-60:]}-2", "ada", "elsewhere")).status == 201


async def test_a_banned_user_gets_no_stream(shared: Deployment, video: str) -> None:
    """Whoever says so in the request gets a problem, whoever says so later 4503."""
    async with connect(shared) as client:
        await order(client, "PUT", f"/live/{video}/bans/ada")
        await until_all_answer(client, video, "ada", 403)
        headers = {**client.authorization("ada"), "Accept": "text/event-stream"}
        path = f"/live/{video}/comments/stream"

        async def is_refused() -> bool:
            answer = await client.request("GET", path, headers=headers)
            return answer.status == 403 and problem_of(answer) == "banned"

        async with asyncio.timeout(HEEDED_WITHIN_S):
            while not await is_refused():
                pass
        stream = await SocketStream.open(shared, video, None)
        await stream.send({"type": "auth", "ref": "a1", "token": shared.token("ada")})
        assert await end_of(stream) == BANNED


async def test_a_lifted_ban_leaves_no_trace(shared: Deployment, video: str) -> None:
    """Within the same time, for writing and watching."""
    async with connect(shared) as client:
        await order(client, "PUT", f"/live/{video}/bans/ada", body={"seconds": 3600})
        await until_all_answer(client, video, "ada", 403)
        listed = (await order(client, "GET", f"/live/{video}/bans")).json()
        assert [(ban["userID"], ban["moderator"]) for ban in listed] == [("ada", "mod")]
        await order(client, "DELETE", f"/live/{video}/bans/ada")
        assert await until_all_answer(client, video, "ada", 201) < HEEDED_WITHIN_S
        stream = await known_stream(shared, video, "ada")
        await stream.cut()


async def test_a_ban_runs_out_by_itself(shared: Deployment, video: str) -> None:
    """Nobody has to lift it."""
    async with connect(shared) as client:
        await order(client, "PUT", f"/live/{video}/bans/ada", body={"seconds": 6})
        assert await until_all_answer(client, video, "ada", 403) < HEEDED_WITHIN_S
        await until_all_answer(client, video, "ada", 201)


async def test_an_admin_bans_on_every_video(shared: Deployment, video: str) -> None:
    """Streams of several videos close, wherever they are; a moderator may not."""
    videos = [f"{video[-58:]}-{n}" for n in range(6)]
    async with connect(shared) as client:
        streams = [await known_stream(shared, one, "eve") for one in videos]
        headers = client.authorization("mod", role="moderator")
        answer = await client.request("PUT", "/bans/eve", headers=headers)
        assert (answer.status, problem_of(answer)) == (403, "not_moderator")
        await order(client, "PUT", "/bans/eve", user="root", role="admin")
        banned_at = time.monotonic()
        assert await asyncio.gather(*map(end_of, streams)) == [BANNED] * len(streams)
        assert time.monotonic() - banned_at < HEEDED_WITHIN_S
        for one in videos:
            await until_all_answer(client, one, "eve", 403)
        await order(client, "DELETE", "/bans/eve", user="root", role="admin")
        await until_all_answer(client, videos[0], "eve", 201)


async def test_bans_stand_before_a_killed_system_is_ready_again(deploy: Deploy, video: str) -> None:
    """The first write after the start is refused, not the first after a while."""
    system = deploy()
    async with connect(system) as client:
        await order(client, "PUT", f"/live/{video}/bans/ada")
        await order(client, "PUT", f"/live/{video}/bans/bob")
        await order(client, "DELETE", f"/live/{video}/bans/bob")
        await asyncio.to_thread(system.kill9)
        await asyncio.to_thread(system.start)
        answers = await write_at_once(client, video, "ada")
        assert {problem_of(answer) for answer in answers} == {"banned"}
        assert {answer.status for answer in await write_at_once(client, video, "bob")} == {201}
        assert await client.comments(video)

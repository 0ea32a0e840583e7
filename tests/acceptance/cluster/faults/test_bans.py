"""I6: what a banned user writes is refused on every node within 2 s, in the middle of a load."""

import asyncio
import random
import time

import pytest

from groundswell.contract import close_codes
from tests.acceptance.cluster.harness.cycles import seeds
from tests.acceptance.cluster.harness.load import judged, under_load
from tests.acceptance.harness.client import Client, connect
from tests.acceptance.harness.cluster import Cluster
from tests.acceptance.harness.deploying import Figure
from tests.acceptance.harness.history import History, Sent
from tests.acceptance.harness.viewers import SocketStream
from tests.acceptance.harness.waiting import wait_until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

HEEDED_WITHIN_S = 2.0
TRIED_FOR_S = 4.0


class Pest:
    """Posts to one node without a pause; knows when each accepted post was begun."""

    def __init__(self, client: Client, history: History, *, user: str, video: str) -> None:
        self.accepted_at: list[float] = []
        self.refused_at: list[float] = []
        self._client = client
        self._history = history
        self._user = user
        self._video = video

    async def run(self, stop: asyncio.Event) -> None:
        """Post until told to stop."""
        while not stop.is_set():
            began = time.monotonic()
            ref = f"{self._user}.{len(self._history.sent)}"
            sent = self._history.sent[ref] = Sent(self._video, self._user, f"text {ref}", ref)
            answer = await self._client.post_comment(self._video, self._user, sent.text, key=ref)
            if answer.status == 201:
                self.accepted_at.append(began)
                self._history.accept(sent, answer.json()["commentID"], answer.position)
            else:
                assert (answer.status, answer.code) == (403, "banned"), answer
                self.refused_at.append(began)


async def test_a_ban_in_the_middle_of_a_load_holds_everywhere_within_two_seconds(
    cluster: Cluster, figure: Figure
) -> None:
    """Both ingests refuse, the open stream is closed with 4503, nobody else notices."""
    fault = "a user banned"
    latest_s = 0.0
    for number, seed in enumerate(seeds(fault)):
        async with under_load(cluster, random.Random(seed), name=f"ban-{number}") as load:
            video, user = load.videos[0], f"banned-{number}"
            stop = asyncio.Event()
            async with (
                connect(cluster.of("ingest")[0].entrance) as one,
                connect(cluster.of("ingest")[1].entrance) as two,
            ):
                pests = [
                    Pest(client, load.history, user=user, video=video) for client in (one, two)
                ]
                stream = await SocketStream.open(cluster, video, None)
                await stream.send({"type": "auth", "token": cluster.token(user)})
                running = [asyncio.create_task(pest.run(stop)) for pest in pests]
                await wait_until(
                    lambda: all(pest.accepted_at for pest in pests),  # noqa: B023
                    within=10,
                    what="comments before the ban",
                )
                answer = await one.request(
                    "PUT",
                    f"/live/{video}/bans/{user}",
                    body={"reason": "a test"},
                    headers=one.authorization("mod", role="moderator"),
                )
                banned_at = time.monotonic()
                assert answer.status == 200, answer
                await load.last(TRIED_FOR_S)
                stop.set()
                await asyncio.gather(*running)
                assert stream.connection.close_code == close_codes.BANNED.code
                await stream.cut()
            last = max(max(pest.accepted_at) for pest in pests)
            latest_s = max(latest_s, last - banned_at)
            assert last - banned_at < HEEDED_WITHIN_S, "I6 a banned user's comment was accepted"
            assert all(pest.refused_at for pest in pests)
            await judged(load, fault=fault, seed=seed, recovery_s=max(0.0, last - banned_at))
    figure("latest accepted after the ban's answer, s", f"{latest_s:.3f}")

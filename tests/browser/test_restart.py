"""A server that is killed while people watch: nothing lost, nothing twice, nobody reloads."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.acceptance.harness.client import connect
from tests.acceptance.harness.deploying import Deploy
from tests.browser.harness.audience import QUIET, SERVER_AWAY, Audience

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

AWAY = ("reconnecting", "connecting")  # it changes between the two while nobody answers
BACK = ("catching-up", "live")


async def test_two_pages_come_back_after_kill_9_with_everything_once_and_in_order(
    deploy: Deploy, audience: Audience, video: str
) -> None:
    """What is written while the server is away is shown dimmed, and sent when it is back."""
    server = deploy(**QUIET)
    ada = await audience(server, video, user="ada", forgiven=SERVER_AWAY)
    bob = await audience(server, video, user="bob", forgiven=SERVER_AWAY)
    await ada.post("before")
    await bob.reply("before", "a reply before")
    await bob.choose("before", "wow")
    await expect(ada.chip("before", "wow")).to_contain_text("1")

    await asyncio.to_thread(server.kill9)
    for one in (ada, bob):
        await one.reaches(*AWAY)
        await expect(one.texts).to_have_text(["before", "a reply before"])
    await ada.write("ada while it was away")
    await bob.write("bob while it was away")
    for one, text in ((ada, "ada while it was away"), (bob, "bob while it was away")):
        await expect(one.comment(text)).to_have_class("comment sending")

    await asyncio.to_thread(server.start)
    for one in (ada, bob):
        await one.reaches(*BACK)
        await one.reaches("live")
    await ada.has_posted("ada while it was away")
    await bob.has_posted("bob while it was away")
    await ada.post("after")
    for one in (ada, bob):
        await expect(one.comments).to_have_count(5)
        await expect(one.comment("after")).to_be_visible()
        await expect(one.chip("before", "wow")).to_contain_text("1")
        await expect(one.missed).to_have_count(0)
    async with connect(server) as client:
        stored = [comment["commentID"] for comment in await client.every_comment(video)]
    assert len(stored) == 5
    assert await ada.ids() == await bob.ids() == stored


async def test_a_page_that_cannot_resume_says_that_comments_were_missed(
    deploy: Deploy, audience: Audience, video: str
) -> None:
    """With a snapshot of 3 the comments before them are no longer there; nothing is pretended."""
    server = deploy(**QUIET, room_resume_window="0", room_snapshot="3")
    ada = await audience(server, video, user="ada", forgiven=SERVER_AWAY)
    for number in range(3):
        await ada.post(f"before {number}")
    await asyncio.to_thread(server.kill9)
    await ada.reaches(*AWAY)
    with server.elsewhere():  # or the page might be back before all four are written
        await asyncio.to_thread(server.start)
        async with connect(server) as client:
            for number in range(4):
                await client.post_comment(video, "bob", f"while away {number}")
        await asyncio.to_thread(server.kill9)
    await asyncio.to_thread(server.start)
    await ada.reaches("live")
    await expect(ada.missed).to_be_visible()
    await expect(ada.texts).to_have_text([f"while away {number}" for number in (1, 2, 3)])


async def test_a_server_that_is_stopped_in_peace_is_waited_for(
    deploy: Deploy, audience: Audience, video: str
) -> None:
    """The close code of a drain is no ending: the page counts down and comes back."""
    server = deploy(**QUIET)
    ada = await audience(server, video, user="ada", forgiven=SERVER_AWAY)
    await ada.post("before")
    assert await asyncio.to_thread(server.terminate) == 0
    await ada.reaches(*AWAY)
    await expect(ada.connection).to_contain_text("onnecting")
    await asyncio.to_thread(server.start)
    await ada.reaches("live")
    await ada.post("after")
    await expect(ada.texts).to_have_text(["before", "after"])

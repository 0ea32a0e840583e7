"""What one page does, the other page shows."""

import pytest
from playwright.async_api import expect

from tests.acceptance.harness.embedded import Embedded
from tests.acceptance.harness.waiting import wait_for_result
from tests.browser.harness.audience import Audience
from tests.browser.harness.watcher import Watcher

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SEEN_WITHIN_S = 10.0


async def two(audience: Audience, server: Embedded, video: str) -> tuple[Watcher, Watcher]:
    """Open two pages of different people."""
    ada = await audience(server, video, user="ada")
    return ada, await audience(server, video, user="bob")


async def test_a_comment_is_acked_in_one_page_and_shown_in_the_other(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """The author's page and the other one show the same comment once, with the same id."""
    ada, bob = await two(audience, quiet, video)
    await expect(ada.page.locator("#empty")).to_be_visible()
    await ada.post("hello from ada")
    await expect(bob.comment("hello from ada")).to_be_visible()
    await expect(bob.comment("hello from ada").locator(".author")).to_have_text("ada")
    await expect(ada.page.locator("#empty")).to_be_hidden()
    assert await ada.ids() == await bob.ids()
    await expect(ada.input).to_have_value("")


async def test_a_guest_may_write_without_signing_in(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """In demo mode the page gets a guest's token by itself."""
    guest = await audience(quiet, video)
    bob = await audience(quiet, video, user="bob")
    await guest.post("nobody asked for my name")
    await expect(bob.comment("nobody asked for my name")).to_be_visible()


async def test_both_pages_show_how_many_watch(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """The count follows who comes and who goes."""
    ada, bob = await two(audience, quiet, video)
    for one in (ada, bob):
        await expect(one.page.get_by_test_id("viewers")).to_have_text("2")
    await bob.page.close()
    await expect(ada.page.get_by_test_id("viewers")).to_have_text("1")


async def test_a_reply_stands_under_its_comment_in_both_pages(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """Also when other comments came in between."""
    ada, bob = await two(audience, quiet, video)
    await ada.post("a question")
    await ada.post("something else")
    await bob.reply("a question", "an answer")
    parent = await bob.comment("a question").get_attribute("data-comment-id")
    for one in (ada, bob):
        thread = one.page.locator(f"[data-testid=replies][data-parent-id='{parent}']")
        await expect(thread.get_by_test_id("comment-text")).to_have_text(["an answer"])
        await expect(one.texts).to_have_text(["a question", "an answer", "something else"])
        await expect(thread.locator(".replies-label")).to_have_text("1 reply")


async def test_reactions_are_counted_in_both_pages_and_taken_back(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """Another type replaces the first; the same one again takes it back."""
    ada, bob = await two(audience, quiet, video)
    await ada.post("react to this")
    await bob.choose("react to this", "like")
    await ada.choose("react to this", "like")
    for one in (ada, bob):
        await expect(one.chip("react to this", "like")).to_contain_text("2")
        await expect(one.chip("react to this", "like")).to_have_attribute("aria-pressed", "true")
    await bob.choose("react to this", "haha")
    for one in (ada, bob):
        await expect(one.chip("react to this", "like")).to_contain_text("1")
        await expect(one.chip("react to this", "haha")).to_contain_text("1")
    await bob.chip("react to this", "haha").click()
    await ada.chip("react to this", "like").click()
    for one in (ada, bob):
        await expect(one.comment("react to this").get_by_test_id("reaction-chip")).to_have_count(0)


async def test_a_heart_rises_in_the_other_page(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """The canvas over the broadcast is blank until somebody sends one."""
    ada = await audience(quiet, video, user="ada", motion="no-preference")
    bob = await audience(quiet, video, user="bob", motion="no-preference")

    async def picture(watcher: Watcher) -> str:
        drawn: str = await watcher.page.locator("#hearts").evaluate("canvas => canvas.toDataURL()")
        return drawn

    blank = await picture(bob)
    await ada.page.get_by_test_id("heart-button").click()
    for one in (ada, bob):

        async def risen(watcher: Watcher = one) -> bool | None:
            return await picture(watcher) != blank or None

        await wait_for_result(risen, within=SEEN_WITHIN_S, what="a heart")


async def test_what_a_moderator_deletes_is_gone_from_every_page(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """The replies to it stand, and a page that comes later does not see it, either."""
    ada, bob = await two(audience, quiet, video)
    moderator = await audience(quiet, video, user="mod", role="moderator")
    assert "token" not in moderator.page.url
    await bob.post("kind words")
    await bob.post("unkind words")
    await ada.reply("unkind words", "please do not")
    await expect(bob.page.get_by_test_id("delete-button")).to_have_count(0)
    await moderator.press("unkind words", "delete")
    for one in (moderator, ada, bob):
        await expect(one.texts).to_have_text(["kind words", "please do not"])
    late = await audience(quiet, video, user="late")
    await expect(late.texts).to_have_text(["kind words", "please do not"])


async def test_a_reload_keeps_comments_threads_and_counts(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """The page is the same person's afterwards."""
    ada, bob = await two(audience, quiet, video)
    await ada.post("first")
    await ada.post("second")
    await bob.reply("first", "to the first")
    await bob.choose("second", "love")
    await expect(ada.chip("second", "love")).to_contain_text("1")
    before = await ada.ids()
    for one in (ada, bob):
        await one.page.reload()
        await one.reaches("live")
        await expect(one.texts).to_have_text(["first", "to the first", "second"])
        await expect(one.chip("second", "love")).to_contain_text("1")
        assert await one.ids() == before
    await expect(ada.page.locator("#name-button")).to_have_text("ada")
    await ada.post("third")
    await expect(bob.comment("third")).to_be_visible()

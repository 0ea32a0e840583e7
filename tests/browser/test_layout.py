"""Nothing scrolls sideways and nothing is cut off, down to 320 pixels."""

import pytest
from playwright.async_api import ViewportSize, expect

from tests.acceptance.harness.client import connect
from tests.acceptance.harness.embedded import Embedded
from tests.browser.harness.audience import Audience
from tests.browser.harness.watcher import Watcher

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SCREENS: tuple[ViewportSize, ...] = (
    {"width": 320, "height": 568},
    {"width": 390, "height": 844},
    {"width": 861, "height": 600},
    {"width": 1440, "height": 900},
)
# Elements with a box that is neither the skip link's nor there for screen readers only.
OUTSIDE = """() => [...document.querySelectorAll("body *")].filter((node) => {
  const box = node.getBoundingClientRect();
  const unseen = box.width <= 1 || node.closest(".skip, .visually-hidden, svg");
  const hidden = getComputedStyle(node).clipPath !== "none";
  return !unseen && !hidden && (box.left < -0.5 || box.right > innerWidth + 0.5);
}).map((node) => `${node.tagName}.${node.className}`)"""
WIDER = """() => [document.scrollingElement, ...document.querySelectorAll("#scroller, .watch")]
  .filter((node) => node.scrollWidth > node.clientWidth).map((node) => node.className)"""


async def fits(watcher: Watcher) -> None:
    """Fail if something is wider than the screen."""
    assert await watcher.page.evaluate(OUTSIDE) == []
    assert await watcher.page.evaluate(WIDER) == []


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: f"{screen['width']}px")
async def test_nothing_is_wider_than_the_screen(
    quiet: Embedded, audience: Audience, video: str, screen: ViewportSize
) -> None:
    """Long words, deep threads, every chip, the open palette, the quote, a full composer."""
    async with connect(quiet) as client:
        first = (await client.post_comment(video, "u" * 64, "W" * 500)).json()["commentID"]
        kinds = ("like", "love", "haha", "wow", "sad", "angry")
        for number, kind in enumerate(kinds):
            await client.react(video, first, f"user-{number}", kind)
        await client.post_comment(video, "bob", "M" * 200, reply_to=first)
        await client.post_comment(video, "bob", "the last one")
    ada = await audience(quiet, video, user="a" * 64, viewport=screen)
    await expect(ada.page.get_by_test_id("reaction-chip")).to_have_count(len(kinds))
    await fits(ada)
    await ada.press("the last one", "react")
    await expect(ada.page.get_by_role("menu", name="Reactions")).to_be_visible()
    await fits(ada)
    await ada.page.keyboard.press("Escape")
    await ada.press("M" * 200, "reply")
    await ada.input.fill("word " * 90)
    await expect(ada.page.locator("#quote")).to_be_visible()
    await fits(ada)
    send = await ada.page.get_by_test_id("composer-send").bounding_box()
    assert send is not None
    assert send["y"] + send["height"] <= screen["height"], "the composer stays on the screen"


async def test_the_theme_follows_the_switch_and_stays(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """Dark or light as the system has it, then as the person chose, over a reload."""
    ada = await audience(quiet, video, user="ada")
    root = ada.page.locator("html")
    await ada.page.emulate_media(color_scheme="dark")
    await expect(root).to_have_attribute("data-theme", "dark")
    await ada.page.get_by_role("button", name="Switch between light and dark").click()
    await expect(root).to_have_attribute("data-theme", "light")
    await ada.page.reload()
    await ada.reaches("live")
    await expect(root).to_have_attribute("data-theme", "light")


async def test_the_palette_stays_with_its_comment_and_leaves_with_it(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """A list that moves a little must not close it under the pointer."""
    async with connect(quiet) as client:
        for number in range(40):
            await client.post_comment(video, "bob", f"comment {number}")
    ada = await audience(quiet, video, user="ada")
    palette = ada.page.get_by_role("menu", name="Reactions")
    scroller = ada.page.locator("#scroller")
    await expect(ada.comments).to_have_count(40)
    await ada.press("comment 36", "react")
    before = await palette.bounding_box()
    await scroller.evaluate("list => list.scrollBy(0, -40)")
    await expect(ada.comment("comment 20")).to_be_in_viewport()
    after = await palette.bounding_box()
    assert before is not None
    assert after is not None
    assert after["y"] == pytest.approx(before["y"] + 40, abs=1)
    await scroller.evaluate("list => list.scrollTo(0, 0)")
    await expect(palette).to_be_hidden()

"""Everything that one can do with a pointer, one can do with the keyboard alone."""

import pytest
from playwright.async_api import expect

from tests.acceptance.harness.embedded import Embedded
from tests.browser.harness.audience import Audience

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_write_reply_and_react_without_a_pointer(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """From the address bar: skip to the chat, write, walk the list, answer, react, take back."""
    ada = await audience(quiet, video, user="ada")
    bob = await audience(quiet, video, user="bob")
    await bob.post("the first one")
    keys = ada.page.keyboard

    await keys.press("Tab")
    await expect(ada.page.get_by_role("link", name="Skip to the chat")).to_be_focused()
    await keys.press("Enter")
    await expect(ada.input).to_be_focused()
    await keys.type("two lines,")
    await keys.press("Shift+Enter")
    await keys.type("one comment")
    await keys.press("Enter")
    await expect(bob.texts).to_have_text(["the first one", "two lines,\none comment"])

    await keys.press("Shift+Tab")
    await expect(ada.page.locator("#scroller")).to_be_focused()
    await keys.press("ArrowUp")
    await keys.press("ArrowUp")
    await expect(ada.comment("the first one")).to_be_focused()
    await keys.press("r")
    await expect(ada.input).to_be_focused()
    await expect(ada.page.locator("#quote-text")).to_have_text("bob: the first one")
    await keys.type("an answer")
    await keys.press("Enter")
    await expect(bob.page.get_by_test_id("replies")).to_contain_text("an answer")

    await keys.press("Shift+Tab")
    for _ in range(3):
        await keys.press("ArrowUp")
    await expect(ada.comment("the first one")).to_be_focused()
    await keys.press("e")
    await keys.press("ArrowRight")
    await expect(ada.page.get_by_role("menuitemradio", name="Love")).to_be_focused()
    await keys.press("Enter")
    await expect(bob.chip("the first one", "love")).to_contain_text("1")
    await expect(ada.comment("the first one")).to_be_focused()
    await keys.press("Tab")  # its chip comes first
    await expect(ada.chip("the first one", "love")).to_be_focused()
    await keys.press("Space")
    await expect(bob.chip("the first one", "love")).to_have_count(0)


async def test_escape_gives_up_a_reply_and_closes_the_palette(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """Without sending anything, and the focus is where it was."""
    ada = await audience(quiet, video, user="ada")
    await ada.post("only one")
    keys = ada.page.keyboard
    await keys.press("Shift+Tab")
    await keys.press("ArrowUp")
    await keys.press("e")
    await expect(ada.page.get_by_role("menuitemradio", name="Like")).to_be_focused()
    await keys.press("Escape")
    await expect(ada.page.get_by_role("menu", name="Reactions")).to_be_hidden()
    await expect(ada.comment("only one")).to_be_focused()
    await keys.press("r")
    await expect(ada.page.locator("#quote")).to_be_visible()
    await keys.press("Escape")
    await expect(ada.page.locator("#quote")).to_be_hidden()
    await expect(ada.input).to_be_focused()
    await expect(ada.comments).to_have_count(1)


async def test_the_panel_for_the_curious_opens_with_i_but_not_while_one_writes(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """An `i` in a comment is a letter."""
    ada = await audience(quiet, video, user="ada")
    panel = ada.page.locator("#curious")
    await ada.input.focus()
    await ada.page.keyboard.type("i")
    await expect(panel).to_be_hidden()
    await ada.input.fill("")
    await ada.page.locator("#scroller").focus()
    await ada.page.keyboard.press("i")
    await expect(panel).to_contain_text("Median delivery")
    await ada.page.keyboard.press("i")
    await expect(panel).to_be_hidden()

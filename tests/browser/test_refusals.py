"""What the server refuses is not lost: the text comes back, with the reason and a time."""

import re

import pytest
from playwright.async_api import expect

from tests.acceptance.harness.deploying import Deploy
from tests.acceptance.harness.embedded import Embedded
from tests.browser.harness.audience import QUIET, Audience

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_writing_too_fast_keeps_the_text_and_says_when_to_try_again(
    deploy: Deploy, audience: Audience, video: str
) -> None:
    """The send button cools down, then the same text goes through."""
    limits = {"limits_enabled": "true", "limits_user_comments_burst": "1"}
    server = deploy(**QUIET | limits)
    ada = await audience(server, video, user="ada")
    await ada.post("the first")
    await ada.write("too soon")
    note = ada.page.locator("#composer-note")
    await expect(note).to_contain_text("You can send again in")
    await expect(ada.input).to_have_value("too soon")
    await expect(ada.texts).to_have_text(["the first"])
    await expect(ada.page.get_by_test_id("composer-send")).to_be_enabled()
    await expect(note).to_be_hidden()
    await ada.input.press("Enter")
    await ada.has_posted("too soon")


async def test_a_text_that_is_too_long_is_counted_and_not_sent(
    quiet: Embedded, audience: Audience, video: str
) -> None:
    """Characters are counted as the server counts them: one emoji of two units is one."""
    ada = await audience(quiet, video, user="ada")
    counter = ada.page.locator("#counter")
    send = ada.page.get_by_test_id("composer-send")
    await ada.input.fill("🌊" * 500)
    await expect(counter).to_have_text("500 / 500")
    await expect(send).to_be_enabled()
    await ada.input.fill("🌊" * 501)
    await expect(counter).to_have_class(re.compile(r"\bover\b"))
    await expect(send).to_be_disabled()
    await ada.input.press("Enter")
    await expect(ada.input).to_have_value("🌊" * 501)
    await expect(ada.comments).to_have_count(0)


async def test_without_a_token_one_reads_along(deploy: Deploy, audience: Audience) -> None:
    """Where there are no guests the page shows no composer, and says why."""
    server = deploy()
    reader = await audience(server, "some-video", forgiven=("404 (Not Found)",))
    await expect(reader.page.locator("#read-only")).to_be_visible()
    await expect(reader.input).to_be_hidden()
    await expect(reader.page.get_by_test_id("heart-button")).to_be_disabled()

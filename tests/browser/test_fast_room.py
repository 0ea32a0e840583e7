"""A room that is faster than anybody reads: bounded, calm where one points, and complete."""

import re

import pytest
from playwright.async_api import expect

from tests.acceptance.harness.deploying import Deploy
from tests.acceptance.harness.waiting import wait_for_result
from tests.browser.harness.audience import QUIET, Audience
from tests.browser.harness.watcher import Watcher

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RATE = "250"  # comments a second, all of them shown
MOST_COMMENTS = 200
# How many comments there are at each frame of half a second; an interval, not a wait.
COUNTS = """() => new Promise((resolve) => {
  const counts = [];
  const began = performance.now();
  const look = (now) => {
    counts.push(document.querySelectorAll("article.comment").length);
    if (now - began < 1000) requestAnimationFrame(look);
    else resolve(counts);
  };
  requestAnimationFrame(look);
})"""
# The comment at the upper edge of the list, and where it is.
AT_THE_TOP = """(scroller) => {
  const top = scroller.getBoundingClientRect().top;
  const node = [...scroller.querySelectorAll("article.comment")]
    .find((comment) => comment.getBoundingClientRect().top >= top);
  return [node.dataset.key, Math.round(node.getBoundingClientRect().top - top)];
}"""


async def unseen(watcher: Watcher, *, more_than: int) -> int | None:
    """Return what the pill counts once it counts more than this."""
    words = await watcher.pill.inner_text()
    number = int(re.sub(r"\D", "", words) or 0)
    return number if number > more_than else None


async def test_a_fast_room_stays_bounded_and_holds_still_where_one_reads(
    deploy: Deploy, audience: Audience
) -> None:
    """At 250 comments a second: 200 nodes at most, and the pill counts what is not looked at."""
    server = deploy(**QUIET | {"demo_comments": RATE})
    ada = await audience(server, "demo", user="ada", motion="no-preference")
    scroller = ada.page.locator("#scroller")
    await expect(ada.comments).to_have_count(MOST_COMMENTS)
    following: list[int] = await ada.page.evaluate(COUNTS)
    assert max(following) <= MOST_COMMENTS
    assert not await ada.pill.is_visible()

    await scroller.hover(position={"x": 60, "y": 100})
    await ada.page.mouse.wheel(0, -600)
    await expect(ada.pill).to_have_text(re.compile(r"^\s*[1-9][\d,]* new\s*$"))
    reading = await scroller.evaluate(AT_THE_TOP)
    number = await wait_for_result(
        lambda: unseen(ada, more_than=0), within=10, what="comments below"
    )
    await wait_for_result(
        lambda: unseen(ada, more_than=number + 100), within=10, what="many more comments below"
    )
    assert await scroller.evaluate(AT_THE_TOP) == reading, "nothing moves while one reads"
    held: list[int] = await ada.page.evaluate(COUNTS)
    assert max(held) <= MOST_COMMENTS

    last = (await ada.ids())[-1]
    await ada.pill.click()
    await expect(ada.pill).to_be_hidden()
    await ada.write("I can still get a word in")
    await ada.has_posted("I can still get a word in")
    assert last not in await ada.ids()

"""Take the pictures of `docs/images/`: a demo room after its crowd has talked for a while.

Run it with `.venv/bin/python scripts/take-pictures.py` from anywhere; names of pictures as
arguments take only those. Needs Debian's Chromium. Takes about a minute and a half.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import (
    Browser,
    FloatRect,
    Locator,
    Page,
    ViewportSize,
    async_playwright,
    expect,
)

FOLDER = Path(__file__).parents[1] / "docs" / "images"
COMMAND = Path(sys.executable).with_name("groundswell")
PORT = 18599
POLL_S = 0.05
READY_WITHIN_S = 20.0
CROWD = {"GROUNDSWELL_DEMO_COMMENTS": "2.5", "GROUNDSWELL_DEMO_REACTIONS": "12"}
TALK_MS = 62_000  # what the crowd needs to fill the list and the curve of the last minute
RISE_MS = 1_500  # until hearts are on their way
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
CLOSE_UP_PX = 620  # height of the part of the chat that is shown large

Prepare = Callable[[Page], Awaitable[FloatRect | None]]


@dataclass(frozen=True)
class Picture:
    """`prepare` brings a page into the state to show, and returns the part to show, or all."""

    name: str
    theme: str
    viewport: ViewportSize
    prepare: Prepare
    scale: int = 1


async def lively(page: Page) -> None:
    """Show what everybody sees: hearts on their way, an answer, a reaction of one's own."""
    await answer(page, await recent(page, 3), "finally somebody said it 😂")
    await react(page, await recent(page, 6))
    for _ in range(4):
        await page.get_by_test_id("heart-button").click()
    await page.mouse.move(0, 0)
    await page.wait_for_timeout(RISE_MS)


async def curious(page: Page) -> None:
    """Open the panel for the curious."""
    await page.get_by_role("button", name="For the curious").click()
    await lively(page)


async def thread(page: Page) -> FloatRect:
    """Answer a comment twice, and open the palette over the first answer."""
    root = await recent(page, 3)
    parent = await root.get_attribute("data-comment-id")
    await answer(page, root, "best seat in the house, and it is my sofa")
    await answer(page, root, "and the snacks are closer, too")
    await page.locator("#scroller").hover(position={"x": 60, "y": 300})
    await page.mouse.wheel(0, -120)
    await press(page, root, "reply")
    await page.get_by_test_id("composer-input").fill("Who else is on the sofa team?")
    replies = page.locator(f"[data-parent-id='{parent}']").get_by_test_id("comment")
    await react(page, replies.first)
    await press(page, replies.first, "react")
    await page.get_by_test_id("reaction-choice").nth(2).hover()
    await page.wait_for_timeout(RISE_MS)
    width, height = DESKTOP["width"], DESKTOP["height"]
    left = await page.get_by_role("region", name="Chat").evaluate("chat => chat.offsetLeft")
    return {"x": left, "y": height - CLOSE_UP_PX, "width": width - left, "height": CLOSE_UP_PX}


async def recent(page: Page, back: int) -> Locator:
    """Return the comment that now has so many threads from it to the end."""
    comment = page.locator(".thread > .comment").nth(-back)
    return page.locator(f"[data-comment-id='{await comment.get_attribute('data-comment-id')}']")


async def press(page: Page, comment: Locator, button: str) -> None:
    """Click a button that a comment shows while one points at it."""
    await comment.scroll_into_view_if_needed()
    await comment.hover(position={"x": 60, "y": 12})
    await comment.get_by_test_id(f"{button}-button").click()


async def answer(page: Page, comment: Locator, text: str) -> None:
    """Reply to a comment, and wait until everybody sees it."""
    await press(page, comment, "reply")
    await page.get_by_test_id("composer-input").fill(text)
    await page.get_by_test_id("composer-send").click()
    await expect(page.locator(".sending")).to_have_count(0)


async def react(page: Page, comment: Locator) -> None:
    """Love a comment."""
    await press(page, comment, "react")
    await page.locator("[data-testid=reaction-choice][data-type=love]").click()


PICTURES = (
    Picture("watch", "dark", DESKTOP, lively),
    Picture("watch-light", "light", DESKTOP, lively),
    Picture("phone", "dark", PHONE, lively),
    Picture("phone-light", "light", PHONE, lively),
    Picture("curious", "dark", DESKTOP, curious),
    Picture("thread", "dark", DESKTOP, thread, scale=2),
)


def wait_until_ready(url: str) -> None:
    """Ask until the server says that it is ready."""
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(url):  # noqa: S310  # our own server
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


@contextmanager
def demo(data: str) -> Iterator[str]:
    """Run the demo on a data folder of its own; yields its address."""
    ports = ("--port", str(PORT), "--internal-port", str(PORT - 1))
    arguments = [str(COMMAND), "serve", "--demo", "--data", data, *ports]
    server = subprocess.Popen(  # noqa: S603  # our own command
        arguments, env=os.environ | CROWD, stderr=subprocess.DEVNULL
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{PORT - 1}/ready")
        yield f"http://127.0.0.1:{PORT}/watch/demo"
    finally:
        server.terminate()
        server.wait()


async def open_page(browser: Browser, picture: Picture, address: str) -> Page:
    """Open a page as the picture wants it; its own picture stands still until it is taken."""
    context = await browser.new_context(
        viewport=picture.viewport,
        device_scale_factor=picture.scale,
        reduced_motion="reduce",
        color_scheme="light" if picture.theme == "light" else "dark",
    )
    await context.add_init_script("localStorage.setItem('groundswell.name', 'you')")
    page = await context.new_page()
    await page.goto(address)
    await expect(page.get_by_test_id("connection")).to_have_attribute("data-state", "live")
    return page


async def take(names: set[str]) -> None:
    """Take all pictures, or those with these names."""
    wanted = [picture for picture in PICTURES if not names or picture.name in names]
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, demo(data) as address:
        async with async_playwright() as playwright:
            chromium = shutil.which("chromium")
            flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
            pages = [(picture, await open_page(browser, picture, address)) for picture in wanted]
            await asyncio.sleep(TALK_MS / 1000)
            for picture, page in pages:
                await page.bring_to_front()
                await page.emulate_media(reduced_motion="no-preference")
                await page.wait_for_timeout(RISE_MS)
                part = await picture.prepare(page)
                path = FOLDER / f"{picture.name}.png"
                await page.screenshot(path=path, clip=part)
                await page.context.close()
                sys.stdout.write(f"{path.name} {path.stat().st_size // 1000} kB\n")
            await browser.close()


if __name__ == "__main__":
    asyncio.run(take(set(sys.argv[1:])))

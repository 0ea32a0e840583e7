"""People before their screens, each in a browser profile of their own."""

from typing import Literal

from playwright.async_api import Browser, ViewportSize

from tests.acceptance.harness.embedded import Embedded
from tests.browser.harness.watcher import Watcher

# Options of a server with a page for guests, and nobody but the test in the room.
QUIET = {
    "demo_enabled": "true",
    "demo_comments": "0",
    "demo_reactions": "0",
    "server_drain_time": "0.5",
}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
# What Chromium itself writes on the console while nobody listens at the address.
SERVER_AWAY = ("net::ERR_CONNECTION_REFUSED", "net::ERR_CONNECTION_RESET")


class Audience:
    """Opens pages and, at the end, asks whether one of them had something to complain about."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._watchers: list[tuple[Watcher, tuple[str, ...]]] = []

    async def __call__(
        self,
        server: Embedded,
        video: str,
        *,
        user: str | None = None,
        role: str = "viewer",
        viewport: ViewportSize = DESKTOP,
        motion: Literal["reduce", "no-preference"] = "reduce",
        forgiven: tuple[str, ...] = (),
    ) -> Watcher:
        """Open the page and wait until it is live; without a `user` one comes as a guest.

        Without a graphics card the moving picture takes most of a core, so it stands still
        where the test is not about what moves. `forgiven` complaints contain one of these texts.
        """
        context = await self._browser.new_context(viewport=viewport, reduced_motion=motion)
        watcher = Watcher(await context.new_page())
        self._watchers.append((watcher, forgiven))
        token = f"#token={server.token(user, role=role)}" if user else ""
        await watcher.page.goto(f"{server.base_url}/watch/{video}{token}")
        await watcher.reaches("live")
        return watcher

    async def leave(self) -> None:
        """Close every page; fail if one wrote an error, or opened a dialog."""
        for watcher, _ in self._watchers:
            await watcher.page.context.close()
        complaints = [
            complaint
            for watcher, forgiven in self._watchers
            for complaint in watcher.complaints
            if not any(words in complaint for words in forgiven)
        ]
        assert not complaints, "\n".join(complaints)

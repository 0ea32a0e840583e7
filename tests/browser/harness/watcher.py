"""The viewer page as a person has it: what is shown, and what one can do with it."""

import re

from playwright.async_api import ConsoleMessage, Dialog, Error, Locator, Page, expect

_LEVELS = ("error", "warning")  # a violated policy is written as either
_ANY_ID = re.compile(r"^[0-9a-f-]{36}$")
_SENDING = re.compile(r"\bsending\b")


class Watcher:
    """One open page. Ids and texts are listed from top to bottom, as they are shown."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.comments = page.get_by_test_id("comment")
        self.texts = page.get_by_test_id("comment-text")
        self.input = page.get_by_test_id("composer-input")
        self.connection = page.get_by_test_id("connection")
        self.pill = page.get_by_test_id("new-pill")
        self.missed = page.get_by_test_id("missed")
        page.on("console", self._heard)
        page.on("pageerror", self._failed)
        page.on("dialog", self._asked)

    async def reaches(self, *states: str) -> None:
        """Wait until the connection is in one of these states."""
        shown = [f"[data-testid=connection][data-state={state}]" for state in states]
        await expect(self.page.locator(", ".join(shown))).to_be_visible()

    def comment(self, text: str) -> Locator:
        """Return the one comment with exactly this text."""
        return self.comments.filter(has=self.page.get_by_text(text, exact=True))

    async def ids(self) -> list[str | None]:
        """Return the ids of all comments; None for one that still waits for its ack."""
        listed: list[str | None] = await self.comments.evaluate_all(
            "nodes => nodes.map((node) => node.dataset.commentId ?? null)"
        )
        return listed

    async def write(self, text: str) -> None:
        """Send what the composer then has, with its button."""
        await self.input.fill(text)
        await self.page.get_by_test_id("composer-send").click()

    async def post(self, text: str) -> None:
        """Write a comment and wait until the server has it."""
        await self.write(text)
        await self.has_posted(text)

    async def has_posted(self, text: str) -> None:
        """Wait until one's own comment is acked: it has an id and is no longer dimmed."""
        comment = self.comment(text)
        await expect(comment).to_have_attribute("data-comment-id", _ANY_ID)
        await expect(comment).not_to_have_class(_SENDING)

    async def press(self, text: str, button: str) -> None:
        """Click one of a comment's own buttons: `reply`, `react` or `delete`."""
        comment = self.comment(text)
        await comment.hover()
        await comment.get_by_test_id(f"{button}-button").click()

    async def reply(self, parent: str, text: str) -> None:
        """Answer a comment and wait until the server has the answer."""
        await self.press(parent, "reply")
        await self.post(text)

    async def choose(self, text: str, reaction: str) -> None:
        """Choose a reaction on the palette of a comment."""
        await self.press(text, "react")
        await self.page.locator(f"[data-testid=reaction-choice][data-type={reaction}]").click()
        await self.page.mouse.move(0, 0)  # a pointer over the list would hold it still

    def chip(self, text: str, reaction: str) -> Locator:
        """Return the chip of a reaction under a comment."""
        return self.comment(text).locator(f"[data-testid=reaction-chip][data-type={reaction}]")

    async def _asked(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in _LEVELS:
            self.complaints.append(f"console {message.type}: {message.text} {message.location}")

    def _failed(self, error: Error) -> None:
        self.complaints.append(f"page error: {error.message}\n{error.stack or ''}")

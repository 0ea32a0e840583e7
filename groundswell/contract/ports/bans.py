"""Bans, as every process has them in memory: asked without waiting, told when they change."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from groundswell.contract.control import Ban

BanListener = Callable[[Collection[str]], None]
"""`(user ids)`: bans of these users have come into force. Must not raise and not take long."""


class Bans(Protocol):
    """What `control` says about users. All methods belong to one event loop."""

    def __len__(self) -> int:
        """Return how many bans are kept."""
        ...

    def banned(self, user_id: str, video_id: str) -> Ban | None:
        """Return the ban that keeps a user from a video now: its own, else that of every video."""
        ...

    def bans_of(self, video_id: str, *, after: str = "", limit: int = 100) -> Sequence[Ban]:
        """Return bans that hold on exactly this video (or `EVERY_VIDEO`), by user id.

        `after` is a user id to page on.
        """
        ...

    def listen(self, listener: BanListener) -> Callable[[], None]:
        """Be told of new bans from now on; the result ends it."""
        ...

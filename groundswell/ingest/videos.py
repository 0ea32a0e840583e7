"""Which videos may be written to."""

from typing import Final

from groundswell.contract.clock import Clock
from groundswell.contract.names import is_video_id
from groundswell.contract.ports.accounts import Accounts, AccountsUnavailable
from groundswell.contract.problems import Refused

_KNOWN_FOR: Final = 60.0  # seconds that a registered video is not asked for again
_UNKNOWN_FOR: Final = 2.0  # seconds; short: a video is often registered just before it starts
_REMEMBERED: Final = 10_000


class Videos:
    """Tells whether a video exists: every well-formed id does, unless only registered ones do."""

    def __init__(self, accounts: Accounts, *, registered_only: bool, clock: Clock) -> None:
        self._accounts = accounts
        self._registered_only = registered_only
        self._clock = clock
        self._answers: dict[str, tuple[bool, float]] = {}  # video -> registered, valid until

    def knows(self, video_id: str) -> bool:
        """Tell whether a video surely exists, without asking for it."""
        if not self._registered_only:
            return is_video_id(video_id)
        registered, until = self._answers.get(video_id, (False, 0.0))
        return registered and self._clock.monotonic() < until

    async def require(self, video_id: str) -> None:
        """Raise `Refused` `bad_video_id` or `no_such_video` unless the video exists."""
        if not is_video_id(video_id):
            raise Refused("bad_video_id")
        if self._registered_only and not await self._is_registered(video_id):
            raise Refused("no_such_video")

    async def _is_registered(self, video_id: str) -> bool:
        answer, now = self._answers.get(video_id), self._clock.monotonic()
        if answer is not None and now < answer[1]:
            return answer[0]
        try:
            registered = await self._accounts.video(video_id) is not None
        except AccountsUnavailable as error:
            if answer is not None:  # what was true a while ago is the best that is known
                return answer[0]
            raise Refused("store_unavailable", "registered videos cannot be read") from error
        if answer is None and len(self._answers) >= _REMEMBERED:
            del self._answers[next(iter(self._answers))]
        self._answers[video_id] = registered, now + (_KNOWN_FOR if registered else _UNKNOWN_FOR)
        return registered

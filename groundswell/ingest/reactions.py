"""Reactions in: the checks of a reaction or heart before it is packed."""

from groundswell.contract.events import Reaction
from groundswell.contract.ids import CommentIds
from groundswell.contract.problems import Refused
from groundswell.contract.reactions import BY_NAME, NO_REACTION, Counts
from groundswell.ingest.limits import Limits
from groundswell.ingest.packer import Packer


class Reactions:
    """Checks, then hands to the packer. Who asks was authenticated before."""

    def __init__(self, *, ids: CommentIds, limits: Limits, packer: Packer) -> None:
        self._ids = ids
        self._limits = limits
        self._packer = packer

    async def react(
        self,
        video_id: str,
        comment_id: str,
        reaction: str | None,
        *,
        user_id: str,
        address_hash: bytes,
    ) -> Counts:
        """Set or (None) take back a reaction; returns the comment's counts. Raises `Refused`."""
        code = NO_REACTION if reaction is None else _code_of(reaction)
        if not self._ids.issued(video_id, comment_id):
            raise Refused("no_such_comment")
        await self._limits.take_reaction(user_id, address_hash)
        return await self._packer.react(Reaction(video_id, comment_id, user_id, code))

    async def heart(
        self, video_id: str, reaction: str, *, user_id: str, address_hash: bytes
    ) -> Counts:
        """Count a heart; returns the video's counts, approximate. Raises `Refused`."""
        code = _code_of(reaction)
        await self._limits.take_reaction(user_id, address_hash)
        return await self._packer.heart(video_id, code)


def _code_of(reaction: str) -> int:
    row = BY_NAME.get(reaction)
    if row is None:
        raise Refused("unknown_reaction")
    return row.code

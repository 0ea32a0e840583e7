"""What a verified token says about its bearer."""

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What a user may do. Each role may do what those before it may."""

    VIEWER = "viewer"
    MODERATOR = "moderator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who a token says its bearer is: its claims `sub`, `role` and `video`."""

    user_id: str
    role: Role
    video_id: str | None = None  # None: valid for every video

    @property
    def moderates(self) -> bool:
        """Whether the bearer may delete comments and ban users."""
        return self.role in (Role.MODERATOR, Role.ADMIN)

    @property
    def bannable(self) -> bool:
        """Whether bans hold for the bearer: not for admins, so that somebody can lift them."""
        return self.role is not Role.ADMIN

    def covers(self, video_id: str) -> bool:
        """Tell whether the token is for this video."""
        return self.video_id is None or self.video_id == video_id


@dataclass(frozen=True, slots=True)
class Claims(Bearer):
    """The claims that we use of a token whose signature, audience, issuer and time were checked."""

    expires_s: int = field(kw_only=True)  # Unix time, seconds

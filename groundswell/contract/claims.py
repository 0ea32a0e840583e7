"""What a verified token says about its bearer."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a user may do. Each role may do what those before it may."""

    VIEWER = "viewer"
    MODERATOR = "moderator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims that we use: `sub`, `role`, `video` and `exp` of a token whose signature,
    audience, issuer and time were checked.
    """

    user_id: str
    role: Role
    expires_s: int  # Unix time, seconds
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

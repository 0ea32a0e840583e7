"""Why a stream was closed: one table for code, metric label and documentation.

4000-4499: reconnect (with the last position); 4500-4999: do not, the same will happen again.
Below 4000 are the codes of RFC 6455 section 7.4.1 that we send.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CloseCode:
    """One row. `reason` travels in the close frame (at most 123 bytes, RFC 6455 section 5.5)."""

    code: int
    name: str  # metric label
    reason: str
    meaning: str  # for the documentation: when it happens and what a client should do

    @property
    def reconnect(self) -> bool:
        """Whether a client should come back, with backoff and its position."""
        return self.code < 4500 and self.code not in (1002, 1003, 1007, 1009)


NORMAL = CloseCode(1000, "normal", "bye", "The client closed; the server answers in kind.")
PROTOCOL_ERROR = CloseCode(
    1002,
    "protocol_error",
    "protocol error",
    "A frame breaks RFC 6455, or a message RFC 7692. A bug in the client.",
)
UNSUPPORTED_DATA = CloseCode(
    1003, "unsupported_data", "text messages only", "A binary message came. A bug in the client."
)
INVALID_UTF8 = CloseCode(
    1007, "invalid_utf8", "text is not valid UTF-8", "A text message is not UTF-8."
)
TOO_BIG = CloseCode(
    1009,
    "message_too_big",
    "message over the limit",
    "A message is over `stream.message_bytes`, as it came or inflated.",
)
DRAIN = CloseCode(
    4000,
    "drain",
    "server is restarting",
    "The server is going away; closes are spread over its drain time. Reconnect and resume.",
)
SLOW = CloseCode(
    4008, "slow", "viewer is too slow", "The viewer fell behind the ring. Reconnect and resume."
)
IDLE = CloseCode(
    4009,
    "idle",
    "no sign of life",
    "No `pong`, or not the rest of a message, came within the time allowed. Reconnect, resume.",
)
UNAVAILABLE = CloseCode(
    4013, "unavailable", "try again later", "The room cannot be opened now. Reconnect, back off."
)
TOKEN_EXPIRED = CloseCode(
    4401, "token_expired", "token expired", "Reconnect with a fresh token and the position."
)
FLOOD = CloseCode(
    4429, "flood", "too many messages", "Far more messages came than the limits allow. Back off."
)
AUTH_TIMEOUT = CloseCode(
    4500, "auth_timeout", "no auth message came", "The room requires auth and none came in time."
)
AUTH_REFUSED = CloseCode(
    4501, "auth_refused", "token refused", "The token is not valid here. Get another one first."
)
BAD_MESSAGE = CloseCode(
    4502, "bad_message", "too many bad messages", "Message after message was not understood."
)
BANNED = CloseCode(4503, "banned", "banned", "The user may not watch or write here.")

CLOSE_CODES = (
    NORMAL,
    PROTOCOL_ERROR,
    UNSUPPORTED_DATA,
    INVALID_UTF8,
    TOO_BIG,
    DRAIN,
    SLOW,
    IDLE,
    UNAVAILABLE,
    TOKEN_EXPIRED,
    FLOOD,
    AUTH_TIMEOUT,
    AUTH_REFUSED,
    BAD_MESSAGE,
    BANNED,
)
BY_CODE = {row.code: row for row in CLOSE_CODES}

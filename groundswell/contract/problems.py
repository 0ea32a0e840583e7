"""Every refusal a client can meet: one table for status, code and documentation (RFC 9457)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One row. `code` is stable: clients decide by it; `title` is for people."""

    status: int
    code: str
    title: str
    meaning: str  # for the documentation: what a client should do


_ROWS = (
    # The request itself
    Problem(400, "bad_json", "The body is not a JSON object", "Send UTF-8 JSON."),
    Problem(400, "bad_field", "A field is missing, unknown or malformed", "See `detail`."),
    Problem(400, "bad_video_id", "Not a video id", "Letters, digits, `_`, `.`, `-`; 1-64."),
    Problem(400, "bad_position", "Not a position or time", "Pass on what a server gave you."),
    Problem(400, "bad_limit", "The limit is out of range", "See `detail`."),
    Problem(400, "bad_ref", "Not a usable ref or Idempotency-Key", "1-64 of `A-Za-z0-9_.:-`."),
    Problem(400, "bad_request", "Not a valid HTTP request", "See RFC 9112."),
    Problem(400, "text_empty", "The comment has nothing visible", "Ask the author for text."),
    Problem(400, "text_too_long", "The comment is too long", "At most 500 characters."),
    Problem(400, "text_forbidden", "The comment has forbidden characters", "See `detail`."),
    Problem(400, "unknown_reaction", "There is no such reaction type", "See the protocol."),
    Problem(400, "bad_subprotocol", "No supported subprotocol", "Offer `groundswell.v1`."),
    # Who asks
    Problem(401, "token_missing", "A token is needed", "Send `Authorization: Bearer`."),
    Problem(401, "token_invalid", "The token is not valid here", "Get another token."),
    Problem(401, "token_expired", "The token has expired", "Get a fresh token."),
    Problem(403, "user_mismatch", "`userID` is not the token's subject", "Leave it out."),
    Problem(403, "wrong_video", "The token is for another video", "Get one for this video."),
    Problem(403, "not_moderator", "Moderators only", "A token with a moderator's role."),
    Problem(403, "banned", "You are banned here", "Nothing helps but a moderator."),
    Problem(403, "origin_refused", "This origin may not connect", "See `server.origins`."),
    # What it names
    Problem(404, "no_such_route", "There is nothing at this path", "See the protocol."),
    Problem(404, "no_such_comment", "No such comment on this video", "The id is not ours."),
    Problem(404, "no_such_video", "No such video", "Videos must be registered here."),
    Problem(405, "method_not_allowed", "This path has other methods", "See `Allow`."),
    Problem(408, "request_timeout", "The request took too long to arrive", "Send it again."),
    Problem(411, "length_required", "Content-Length is needed", "Send the body's length."),
    Problem(413, "body_too_large", "The body is too large", "At most 16 KiB."),
    Problem(415, "not_json", "The body must be application/json", "Set `Content-Type`."),
    Problem(422, "key_reused", "This Idempotency-Key named another comment", "Use a new key."),
    Problem(426, "upgrade_required", "This is a WebSocket", "Upgrade, or ask for SSE."),
    # Try later
    Problem(429, "rate_limited", "Too many requests", "Wait for `Retry-After`."),
    Problem(500, "internal", "Something went wrong on our side", "Report `request_id`."),
    Problem(503, "log_unavailable", "Comments cannot be stored right now", "Wait; retry."),
    Problem(503, "outcome_unknown", "It may or may not be stored", "Retry with the same key."),
    Problem(503, "reads_behind", "Reads are catching up", "Wait for `Retry-After`."),
    Problem(503, "store_unavailable", "Stored comments cannot be read now", "Wait; retry."),
    Problem(503, "busy", "The server is at its limit", "Wait for `Retry-After`."),
    Problem(503, "draining", "The server is restarting", "Reconnect to another."),
    Problem(507, "disk_full", "The server's disk is full", "Wait for `Retry-After`."),
)

PROBLEMS = {row.code: row for row in _ROWS}
RETRY_STATUSES = frozenset({429, 503, 507})  # these always say when to come back


class Refused(Exception):
    """A request or message that we do not carry out, with the row that says why.

    `retry_after` is in seconds; rows of 429, 503 and 507 get 1 s where nobody knows better.
    """

    def __init__(
        self, code: str, detail: str | None = None, *, retry_after: float | None = None
    ) -> None:
        self.problem = PROBLEMS[code]
        self.detail = detail
        if retry_after is None and self.problem.status in RETRY_STATUSES:
            retry_after = 1.0
        self.retry_after = retry_after
        super().__init__(code, detail)

    @property
    def code(self) -> str:
        """The stable code of the row."""
        return self.problem.code

    def __str__(self) -> str:
        return self.code if self.detail is None else f"{self.code}: {self.detail}"

    def body(self, request_id: str | None = None) -> dict[str, object]:
        """Return the RFC 9457 object."""
        body: dict[str, object] = {
            "type": f"urn:groundswell:problem:{self.problem.code}",
            "title": self.problem.title,
            "status": self.problem.status,
            "code": self.problem.code,
        }
        if self.detail is not None:
            body["detail"] = self.detail
        if self.retry_after is not None:
            body["retry_after"] = round(self.retry_after, 3)
        if request_id is not None:
            body["request_id"] = request_id
        return body

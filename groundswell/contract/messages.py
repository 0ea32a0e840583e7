"""Wire messages: bodies of requests, messages of a client, answers of a server.

`update` and `welcome` are not here: they are spliced from bytes that already exist
(`broker/frames.py`). Their form is in `docs/protocol.md`.
"""

from typing import Annotated

import msgspec

BAN_SECONDS_MAX = 10 * 366 * 86_400  # ten years: more than any clock's whim, less than an overflow


class CommentBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /live/{videoID}/comments`."""

    commentText: str
    userID: str | None = None
    replyToCommentID: str | None = None


class ReactionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST .../reactions` of a comment or a video."""

    reactionType: str
    userID: str | None = None


class ReactionRemoval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `DELETE .../comments/{commentID}/reactions`; it may be left out."""

    userID: str | None = None
    reactionType: str | None = None  # accepted and ignored: there is one reaction a user


class BanBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT .../bans/{userID}`; it may be left out. `seconds` None: until it is lifted."""

    seconds: Annotated[int, msgspec.Meta(ge=1, le=BAN_SECONDS_MAX)] | None = None
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="auth"):
    """Who is watching; answered by the `welcome` where the room waits for it, else by `ack`."""

    token: str
    ref: str | None = None


class PostComment(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="comment"
):
    """A comment over the socket; `ref` is also its idempotency key."""

    ref: str
    commentText: str
    replyToCommentID: str | None = None


class React(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="reaction"
):
    """A reaction over the socket: to a comment, or without `commentID` to the video.

    `reactionType` null takes the reaction to a comment back.
    """

    ref: str
    reactionType: str | None
    commentID: str | None = None


class Pong(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="pong"):
    """The answer to a `ping`."""


ClientMessage = Auth | PostComment | React | Pong


class Ack(msgspec.Struct, frozen=True, omit_defaults=True, tag="ack", tag_field="type"):
    """The message with this `ref` was carried out."""

    ref: str | None
    commentID: str | None = None
    timestamp: str | None = None
    position: str | None = None
    reactionCount: dict[str, int] | None = None


class Error(msgspec.Struct, frozen=True, omit_defaults=True, tag="error", tag_field="type"):
    """The message with this `ref` was refused; `code` and `detail` as in the problem table."""

    ref: str | None
    code: str
    title: str
    detail: str | None = None
    retry_after: float | None = None


_client: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_encoder = msgspec.json.Encoder()
encode = _encoder.encode


def decode_client_message(text: bytes) -> ClientMessage:
    """Read a message of a client.

    Raises `msgspec.DecodeError`, `UnicodeDecodeError` or `RecursionError`, nothing else.
    """
    return _client.decode(text)

"""Writes what is sent to viewers: room frames, WebSocket frames, server-sent events.

Splices bytes that exist and parses nothing: arguments are compact JSON and are trusted.
"""

from groundswell.cext import EXTENSION_LOADED

if EXTENSION_LOADED:
    from groundswell.cext._frames import (
        sse_event,
        update,
        websocket_close,
        websocket_ping,
        websocket_pong,
        websocket_text,
        with_reactions,
    )
else:
    from groundswell.cext.pure_frames import (
        sse_event,
        update,
        websocket_close,
        websocket_ping,
        websocket_pong,
        websocket_text,
        with_reactions,
    )

__all__ = [
    "update",
    "with_reactions",
    "websocket_text",
    "websocket_close",
    "websocket_ping",
    "websocket_pong",
    "sse_event",
]

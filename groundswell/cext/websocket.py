"""Reads the frames of a WebSocket client (RFC 6455), without I/O."""

from groundswell.cext import EXTENSION_LOADED
from groundswell.cext.rfc6455 import BINARY, CLOSE, DEFLATED_TEXT, PING, PONG, TEXT

if EXTENSION_LOADED:
    from groundswell.cext._websocket import Parser, is_utf8, unmask
else:
    from groundswell.cext.pure_websocket import Parser, is_utf8, unmask

__all__ = [
    "Parser",
    "is_utf8",
    "unmask",
    "TEXT",
    "DEFLATED_TEXT",
    "BINARY",
    "CLOSE",
    "PING",
    "PONG",
]

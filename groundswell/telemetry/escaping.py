"""The log-injection guard: whatever a value holds, it stays one harmless value of one line."""

from collections.abc import Mapping
from typing import Any

TEXT_CHARACTERS_MAX = 4096  # a name of 1 MB is an attack on the log, not information
TRACEBACK = "exception"  # the key that structlog puts a formatted traceback under


def escape(text: str) -> str:
    """Write control characters, line separators, bidi and other invisible characters as escapes.

    They could end a line, colour a terminal or turn what is read around. Long text is cut.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        text = f"{text[:TEXT_CHARACTERS_MAX]}... ({len(text)} characters)"
    if text.isprintable():
        return text
    return "".join(ch if ch.isprintable() else _escaped(ch) for ch in text)


def escape_event(
    _logger: object, _method: str, event: Mapping[str, Any] | dict[str, Any]
) -> dict[str, Any]:
    """Escape every value of a log event; a structlog processor."""
    return {
        key: _traceback(value)
        if key == TRACEBACK and isinstance(value, str)
        else value
        if key.startswith("_")  # structlog's own, taken out before anything is written
        else _safe(value)
        for key, value in event.items()
    }


def _safe(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, Mapping):
        return {escape(str(key)): _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_safe(item) for item in value]
    return escape(repr(value))


def _traceback(text: str) -> str:
    # Lines stay lines, but none can pass for an event: an exception may quote what a user sent.
    return "\n".join(f"  | {escape(line)}" for line in text.split("\n"))


def _escaped(ch: str) -> str:
    code = ord(ch)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

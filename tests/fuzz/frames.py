"""Target: frames of clients, read by the native parser and by its twin in Python.

The oracle is RFC 6455 written twice: after every piece of input both must have the same events,
close code and bytes held; and how the stream was cut must not matter.
"""

from groundswell.cext import _websocket, pure_websocket

MESSAGE_BYTES = (300, 5_000)
FRAGMENTS = (1, 3, 64, 1024)
HEAD = 2  # bytes of an input before the stream: options, length of the pieces


class Frames:
    """Input: an octet of options, the length of the pieces (0: uncut), and a client's stream."""

    def __call__(self, data: bytes) -> None:
        if len(data) < HEAD:
            return
        options, step, stream = data[0], data[1] or len(data), data[HEAD:]
        limits = {
            "message_bytes": MESSAGE_BYTES[options & 1],
            "max_fragments": FRAGMENTS[options >> 1 & 3],
            "binary": bool(options & 8),
        }
        native = _websocket.Parser(**limits)
        pure = pure_websocket.Parser(**limits)
        events = []
        for at in range(0, len(stream), step):
            piece = stream[at : at + step]
            found = native.feed(piece)
            assert found == pure.feed(piece), (found, at)
            assert (native.failed, native.buffered) == (pure.failed, pure.buffered), at
            assert native.under_way == pure.under_way, at
            assert native.buffered <= limits["message_bytes"] + 125
            events += found
        whole = _websocket.Parser(**limits)
        assert whole.feed(stream) == events
        assert (whole.failed, whole.buffered) == (native.failed, native.buffered)

    def close(self) -> None:
        """Nothing is kept."""

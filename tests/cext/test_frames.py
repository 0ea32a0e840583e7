"""What is sent: known answers, JSON that parses back, and native equal to pure."""

import json
from types import ModuleType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cext import pure_frames

POSITION = b"00000000000000ab:17"
ANY_BYTES = st.binary(max_size=300)
OBJECTS = st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=4).map(orjson.dumps)


class TestUpdate:
    def test_leaves_out_parts_that_are_empty(self, frames: ModuleType) -> None:
        """Only `type` and `position` are always there."""
        assert frames.update(POSITION, []) == (
            b'{"type":"update","position":"00000000000000ab:17"}'
        )

    def test_splices_comments_events_and_tail_in_this_order(self, frames: ModuleType) -> None:
        """The bytes given come out as they are, between the brackets of their part."""
        payload = frames.update(POSITION, (b"1", b"2"), [b"3"], b',"viewers":4')
        assert payload == (
            b'{"type":"update","position":"00000000000000ab:17",'
            b'"comments":[1,2],"events":[3],"viewers":4}'
        )

    def test_takes_comments_only_as_bytes(self, frames: ModuleType) -> None:
        """Text by mistake is refused, and not written as memory."""
        with pytest.raises(TypeError):
            frames.update(POSITION, ["text"])

    @given(comments=st.lists(OBJECTS, max_size=5), events=st.lists(OBJECTS, max_size=5))
    def test_is_json_with_the_parts_given(
        self, frames: ModuleType, comments: list[bytes], events: list[bytes]
    ) -> None:
        """Whatever objects are spliced, a JSON parser finds them again."""
        parsed = json.loads(frames.update(POSITION, comments, events, b',"viewers":null'))
        assert parsed.pop("comments", []) == [json.loads(comment) for comment in comments]
        assert parsed.pop("events", []) == [json.loads(event) for event in events]
        assert parsed == {"type": "update", "position": POSITION.decode(), "viewers": None}


class TestWithReactions:
    def test_adds_the_counts_as_last_member(self, frames: ModuleType) -> None:
        """The counts follow the members that were there."""
        comment = frames.with_reactions(b'{"a":1}', b'{"likes":2}')
        assert comment == b'{"a":1,"reactions":{"likes":2}}'

    def test_needs_no_comma_in_an_empty_object(self, frames: ModuleType) -> None:
        """An empty object gets its first member."""
        assert frames.with_reactions(b"{}", b"{}") == b'{"reactions":{}}'

    @pytest.mark.parametrize("not_an_object", [b"", b"{", b"}", b"[]", b'{"a":1} ', b"null"])
    def test_refuses_what_is_no_object(self, frames: ModuleType, not_an_object: bytes) -> None:
        """There must be a last brace to splice before."""
        with pytest.raises(ValueError, match="not a JSON object"):
            frames.with_reactions(not_an_object, b"{}")


class TestWebsocketFrames:
    def test_text_is_the_example_of_the_rfc(self, frames: ModuleType) -> None:
        """RFC 6455 section 5.7: a single-frame unmasked text message."""
        assert frames.websocket_text(b"Hello") == bytes.fromhex("810548656c6c6f")

    def test_ping_is_the_example_of_the_rfc(self, frames: ModuleType) -> None:
        """RFC 6455 section 5.7: an unmasked ping request."""
        assert frames.websocket_ping(b"Hello") == bytes.fromhex("890548656c6c6f")

    def test_pong_carries_the_payload_of_the_ping(self, frames: ModuleType) -> None:
        """RFC 6455 section 5.5.3."""
        assert frames.websocket_pong(b"Hello") == bytes.fromhex("8a0548656c6c6f")

    @pytest.mark.parametrize(
        ("size", "head"),
        [
            (0, "8100"),
            (125, "817d"),
            (126, "817e007e"),
            (256, "817e0100"),
            (65_535, "817effff"),
            (65_536, "817f0000000000010000"),
        ],
    )
    def test_length_takes_the_fewest_octets(self, frames: ModuleType, size: int, head: str) -> None:
        """RFC 6455 section 5.2: 7, 16 or 64 bits; 256 and 65,536 as in section 5.7."""
        payload = b"x" * size
        assert frames.websocket_text(payload) == bytes.fromhex(head) + payload

    def test_close_has_the_code_before_the_reason(self, frames: ModuleType) -> None:
        """RFC 6455 section 5.5.1: two octets in network order, then UTF-8."""
        assert frames.websocket_close(4008, b"slow") == bytes.fromhex("88060fa8") + b"slow"

    @pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 2**70])
    def test_close_refuses_codes_that_may_not_travel(self, frames: ModuleType, code: int) -> None:
        """RFC 6455 section 7.4: some codes are reserved, others undefined."""
        with pytest.raises(ValueError, match=f"close code {code} may not be sent"):
            frames.websocket_close(code, b"")

    def test_control_frames_hold_at_most_125_bytes(self, frames: ModuleType) -> None:
        """RFC 6455 section 5.5."""
        assert frames.websocket_ping(b"x" * 125)[:2] == b"\x89\x7d"
        assert frames.websocket_close(1000, b"x" * 123)[:2] == b"\x88\x7d"
        with pytest.raises(ValueError, match="control frame of 126 bytes, at most 125"):
            frames.websocket_ping(b"x" * 126)
        with pytest.raises(ValueError, match="control frame of 126 bytes, at most 125"):
            frames.websocket_close(1000, b"x" * 124)


class TestSseEvent:
    def test_has_event_id_and_data(self, frames: ModuleType) -> None:
        """Three fields and an empty line, which dispatches the event."""
        assert frames.sse_event(b"update", b"ab:17", b'{"a":1}') == (
            b'event: update\nid: ab:17\ndata: {"a":1}\n\n'
        )

    @pytest.mark.parametrize("breaking", [b"a\nb", b"a\rb", b"\r\n"])
    @pytest.mark.parametrize("field", [0, 1, 2])
    def test_refuses_line_breaks(self, frames: ModuleType, field: int, breaking: bytes) -> None:
        """A line break would end the field and start another one."""
        fields = [b"update", b"ab:17", b"{}"]
        fields[field] = breaking
        with pytest.raises(ValueError, match="line break"):
            frames.sse_event(*fields)


class TestNativeEqualsPure:
    @given(ANY_BYTES, st.lists(ANY_BYTES, max_size=4), st.lists(ANY_BYTES, max_size=4), ANY_BYTES)
    def test_in_updates(
        self,
        native_frames: ModuleType,
        position: bytes,
        comments: list[bytes],
        events: list[bytes],
        tail: bytes,
    ) -> None:
        """Any bytes in any number."""
        assert native_frames.update(position, comments, events, tail) == pure_frames.update(
            position, comments, events, tail
        )

    @given(st.binary(max_size=20), ANY_BYTES)
    def test_in_reactions(self, native_frames: ModuleType, inner: bytes, counts: bytes) -> None:
        """Any bytes between the braces."""
        comment = b"{%b}" % inner
        assert native_frames.with_reactions(comment, counts) == pure_frames.with_reactions(
            comment, counts
        )

    @given(st.integers(0, 70_000))
    def test_in_text_frames(self, native_frames: ModuleType, size: int) -> None:
        """Every form of length."""
        payload = b"x" * size
        assert native_frames.websocket_text(payload) == pure_frames.websocket_text(payload)

    @pytest.mark.parametrize("name", ["websocket_ping", "websocket_pong"])
    def test_in_control_frames(self, native_frames: ModuleType, name: str) -> None:
        """Every size that is allowed."""
        for size in range(126):
            payload = b"x" * size
            assert getattr(native_frames, name)(payload) == getattr(pure_frames, name)(payload)

    def test_in_close_codes(self, native_frames: ModuleType) -> None:
        """Every code of 16 bits is sent by both, in the same way, or by neither."""
        for code in range(1 << 16):
            assert _close(native_frames, code) == _close(pure_frames, code)


def _close(module: ModuleType, code: int) -> bytes | None:
    try:
        frame: bytes = module.websocket_close(code, b"bye")
    except ValueError:
        return None
    return frame

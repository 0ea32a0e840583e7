"""Hot pages as bytes."""

import msgspec

from groundswell.contract.ports.cache import HotPage
from groundswell.contract.ports.store import StoredComment

_VERSION = 1
_Packed = tuple[int, int, int, int, list[tuple[int, int, str, bytes]]]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Packed)


def pack_page(page: HotPage) -> bytes:
    """Write a page as one value."""
    comments = [(c.offset, c.append_ms, c.comment_id, c.public_json) for c in page.comments]
    return _encoder.encode((_VERSION, page.generation, page.first, page.upto, comments))


def unpack_page(packed: bytes) -> HotPage | None:
    """Read a page; None if another version of the program wrote it."""
    try:
        version, generation, first, upto, comments = _decoder.decode(packed)
    except msgspec.DecodeError:
        return None
    if version != _VERSION:
        return None
    return HotPage(generation, first, upto, [StoredComment(*comment) for comment in comments])

"""Group 6 of the Autobahn test suite on both planes: what is UTF-8 and what is not.

The sequences are those of wstest 0.8 and of Markus Kuhn's UTF-8 stress test, which it takes them
from. A valid one stands in a comment, whose text must reach the gate as it was; an invalid one ends
the stream with 1007 (RFC 6455 section 8.1), whole or octet by octet.
"""

from itertools import product

from tests.broker.harness.conversation import (
    CONTINUATION,
    TEXT,
    case,
    chopped,
    comment,
    frame,
)

KOSME = "\u03ba\u1f79\u03c3\u03bc\u03b5"
HELLO = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!"
SURROGATES = ("eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf")
NONCHARACTERS = [plane << 16 | end for plane in range(17) for end in (0xFFFE, 0xFFFF)]
SPECIALS = range(0xFFF9, 0x10000)


def _whole(data):
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


VALID = {
    "6.5 Greek": KOSME,
    "6.7 the first of one octet that JSON allows": " ",
    "6.7 the first of two": "\x80",
    "6.7 the first of three": "\u0800",
    "6.7 the first of four": "\U00010000",
    "6.9 the last of one": "\x7f",
    "6.9 the last of two": "\u07ff",
    "6.9 the last of three": "\uffff",
    "6.9 the last of four": "\U0010ffff",
    "6.11 before the surrogates": "\ud7ff",
    "6.11 behind the surrogates": "\ue000",
    "6.11 the replacement character": "\ufffd",
    **{f"6.22 noncharacter {code:x}": chr(code) for code in NONCHARACTERS},
    **{f"6.23 special {code:x}": chr(code) for code in SPECIALS},
}

INVALID = {
    "6.3 a surrogate in a text": KOSME.encode().hex() + "eda080656469746564",
    **{
        f"6.6 {KOSME!a} cut at {cut}": KOSME.encode()[:cut].hex()
        for cut in range(1, len(KOSME.encode()))
        if not _whole(KOSME.encode()[:cut])
    },
    "6.8 the first of five": "f888808080",
    "6.8 the first of six": "fc8480808080",
    "6.10 the last of four": "f7bfbfbf",
    "6.10 the last of five": "fbbfbfbfbf",
    "6.10 the last of six": "fdbfbfbfbfbf",
    "6.11 over the last": "f4908080",
    **{f"6.12 {count} continuations": "80bf80bf80bf80bf"[: 2 * count] for count in range(1, 9)},
    "6.12 the last continuation": "bf",
    "6.12 all continuations": bytes(range(0x80, 0xC0)).hex(),
    **{
        f"6.13 lonely {first:x} to {last:x}": b"".join(
            bytes((lead, 0x20)) for lead in range(first, last + 1)
        ).hex()
        for first, last in ((0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD))
    },
    **{
        f"6.14 {cut} without its last": cut
        for cut in (
            *("c0", "e080", "f08080", "f8808080", "fc80808080"),
            *("df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf"),
        )
    },
    "6.15 all of these": "c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf",
    **{f"6.16 {wrong}": wrong for wrong in ("fe", "ff", "fefeffff")},
    **{
        f"6.17 overlong slash {wrong}": wrong
        for wrong in ("c0af", "e080af", "f08080af", "f8808080af", "fc80808080af")
    },
    **{
        f"6.18 the greatest overlong {wrong}": wrong
        for wrong in ("c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf")
    },
    **{
        f"6.19 overlong nothing {wrong}": wrong
        for wrong in ("c080", "e08080", "f0808080", "f880808080", "fc8080808080")
    },
    **{f"6.20 surrogate {wrong}": wrong for wrong in SURROGATES},
    **{
        f"6.21 surrogates {high}{low}": high + low
        for high, low in product(SURROGATES[:4], SURROGATES[4:])
    },
}

EMPTY = {
    "6.1.1 empty": case(frame(TEXT), errors=("bad_json",)),
    "6.1.2 three empty fragments": case(
        frame(TEXT, fin=False),
        frame(CONTINUATION, fin=False),
        frame(CONTINUATION),
        errors=("bad_json",),
    ),
    "6.1.3 with something in the midst": case(
        frame(TEXT, fin=False),
        frame(CONTINUATION, comment("midst"), fin=False),
        frame(CONTINUATION),
        heard=("midst",),
    ),
}


def in_two(payload, at):
    return frame(TEXT, payload[:at], fin=False), frame(CONTINUATION, payload[at:])


def octets(payload):
    """A fragment for each octet."""
    return (
        frame(TEXT, payload[:1], fin=False),
        *(frame(CONTINUATION, payload[i : i + 1], fin=False) for i in range(1, len(payload))),
        frame(CONTINUATION),
    )


def invalid(wrong):
    return b'{"type":"comment","ref":"r","commentText":"' + bytes.fromhex(wrong) + b'"}'


async def test_empty_texts_are_texts(hold):
    """An empty message is no JSON; empty fragments are nothing."""
    await hold(EMPTY)


async def test_valid_text_arrives_as_it_was_sent(hold):
    """Whole, in two fragments cut within a character, a fragment an octet, and octet by octet."""
    cases = {}
    for name, text in (VALID | {"6.2 hello": HELLO}).items():
        payload = comment(text)
        cut = payload.index(text.encode()) + 1
        cases |= {
            f"{name}, whole": case(frame(TEXT, payload), heard=(text,)),
            f"{name}, in two": case(*in_two(payload, cut), heard=(text,)),
            f"{name}, a fragment an octet": case(b"".join(octets(payload)), heard=(text,)),
        }
    for name in ("6.5 Greek", "6.9 the last of four"):
        text = VALID[name]
        cases[f"{name}, octet by octet"] = case(*chopped(frame(TEXT, comment(text))), heard=(text,))
    await hold(cases)


async def test_invalid_text_ends_the_stream(hold):
    """1007, and nothing of it is heard; the same in two fragments and with a fragment an octet."""
    cases = {}
    for name, wrong in INVALID.items():
        payload = invalid(wrong)
        cut = payload.index(bytes.fromhex(wrong)) + 1
        cases |= {
            f"{name}, whole": case(frame(TEXT, payload), code=1007),
            f"{name}, at the end": case(frame(TEXT, payload[:-2]), code=1007),
            f"{name}, in two": case(*in_two(payload, cut), code=1007),
            f"{name}, a fragment an octet": case(b"".join(octets(payload)), code=1007),
        }
    await hold(cases)


async def test_text_that_goes_wrong_is_not_waited_for(hold):
    """6.4: the stream ends with the first wrong octet, within a fragment and within a frame."""
    good, wrong, rest = KOSME.encode(), bytes.fromhex("f4908080"), b"edited"
    whole = frame(TEXT, good + wrong + rest)
    head = len(whole) - len(good + wrong + rest)
    cases = {
        "6.4.1 fragment by fragment": case(
            frame(TEXT, good, fin=False),
            frame(CONTINUATION, wrong, fin=False),
            code=1007,
            unfinished=True,
        ),
        "6.4.2 in the midst of the character": case(
            frame(TEXT, good + wrong[:1], fin=False),
            frame(CONTINUATION, wrong[1:2], fin=False),
            code=1007,
            unfinished=True,
        ),
        "6.4.3 within one frame": case(
            whole[: head + len(good)],
            whole[head + len(good) : head + len(good) + 4],
            code=1007,
            unfinished=True,
        ),
        "6.4.4 within one frame, in the midst of the character": case(
            whole[: head + len(good) + 1],
            whole[head + len(good) + 1 : head + len(good) + 2],
            code=1007,
            unfinished=True,
        ),
        **{
            f"6.4 the second octet of {start}": case(
                *chopped(frame(TEXT, good + bytes.fromhex(start) + rest)[: head + len(good) + 2]),
                code=1007,
                unfinished=True,
            )
            for start in ("e09f", "eda0", "f08f", "f490", "c320")
        },
    }
    await hold(cases)

"""What a viewer that only watches costs, apart from its row in the hub."""

import gc
import itertools
import tracemalloc

import pytest

from groundswell.broker.plane import PLACES
from groundswell.broker.session import Session, Sessions
from groundswell.broker.stream import open_stream
from groundswell.contract.claims import Claims, Role
from groundswell.contract.ports.uplink import Origin
from groundswell.contract.settings import RoomSettings, StreamSettings

VIEWERS = 20_000


class Nobody:
    """A plane, rooms and a gate that keep nothing."""

    def identify(self, handle, expires_s):
        pass

    def join_nowait(self, handle, video_id, resume):
        return True


def make_sessions(*, auth_required=False):
    nobody = Nobody()
    return Sessions(
        plane=nobody,
        rooms=nobody,
        uplink=nobody,
        control=nobody,
        clock=nobody,
        room_settings=RoomSettings(),
        stream_settings=StreamSettings(),
        auth_required=auth_required,
        token_leeway=0.0,
    )


def handles():
    """As the native plane gives them: two threads, first generation."""
    for slot in itertools.count():
        for thread in range(2):
            yield PLACES | thread << 24 | slot


def arrival(number, *, same_address, token):
    """A viewer as a request brings it: every text is an object of its own."""
    address = "192.0.2.1" if same_address else f"10.1.{number >> 8}.{number & 255}"
    claims = Claims(f"user-{number:031}", Role.VIEWER, expires_s=2**40 + number) if token else None
    origin = Origin("".join(address), f"request-{number}")
    return Session("".join(["vid", "eo"]), origin, claims, None)


@pytest.mark.parametrize(
    ("same_address", "token", "allowed"),
    [
        (True, False, 70),  # 48 for the stream and 16 for its place in the table
        (False, False, 140),  # the address besides
        (False, True, 230),  # and a user id of 36 characters
    ],
)
def test_a_viewer_that_only_watches_costs_little(same_address, token, allowed):
    """Bytes of Python for each; the hub's row is apart."""
    sessions = make_sessions()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number, handle in zip(range(VIEWERS), handles(), strict=False):
            sessions.begin(handle, arrival(number, same_address=same_address, token=token))
        kept = tracemalloc.get_traced_memory()[0] - before
        assert len(sessions) == VIEWERS
        assert kept / VIEWERS < allowed
        sessions.closed([(h, 0) for h in itertools.islice(handles(), VIEWERS)])
        assert len(sessions) == 0
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert left < kept / 5, "what was kept of them is gone, but for some shared texts"


def test_a_viewer_that_never_said_who_it_is_leaves_no_position():
    """It may go before its `auth`: what it wanted to resume from goes too."""
    sessions = make_sessions(auth_required=True)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number, handle in zip(range(VIEWERS), handles(), strict=False):
            position = "".join(["e:", str(number)])
            sessions.begin(handle, Session("v", Origin("192.0.2.1"), None, position))
            sessions.closed([(handle, 0)])
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert left / VIEWERS < 1


def test_a_stream_knows_its_author_once_a_token_said_so():
    """With the rights of the token, on this video."""
    stream = open_stream("v", "192.0.2.1")
    assert (stream.author, stream.origin) == (None, Origin("192.0.2.1"))
    author = stream.known_as(Claims("ada", Role.MODERATOR, expires_s=1)).author
    assert author is not None
    assert (author.user_id, author.moderates, author.covers("v")) == ("ada", True, True)
    assert not author.covers("w")

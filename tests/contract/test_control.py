"""Bans as records: when they hold, what they are kept under."""

import pytest

from groundswell.contract.claims import Claims, Role
from groundswell.contract.control import EVERY_VIDEO, Ban, ban_key, ban_subject, decode_control
from groundswell.contract.events import VERSION, UnreadableRecord, encode


def test_a_ban_holds_until_its_end() -> None:
    """The end itself is free; without one it holds for good."""
    ban = Ban(VERSION, "v1", "ada", 1000, "mo", 0)
    assert (ban.holds(999), ban.holds(1000)) == (True, False)
    assert Ban(VERSION, "v1", "ada", None, "mo", 0).holds(1 << 60)


def test_a_ban_is_read_as_it_was_written() -> None:
    """What is of a later program, or of none, is told apart."""
    ban = Ban(VERSION, "v1", "ada", None, "mo", 5, "spam")
    assert decode_control(encode(ban)) == ban
    later = Ban(VERSION + 1, "v1", "ada", None, "mo", 5)
    for value in (b"", b"nonsense", encode(["unban", VERSION]), encode(later)):
        with pytest.raises(UnreadableRecord):
            decode_control(value)


def test_a_bans_key_names_its_subject() -> None:
    """Also for every video; other keys name none."""
    for subject in (("v1", "auth0|5"), (EVERY_VIDEO, "a@b")):
        assert ban_subject(ban_key(*subject)) == subject
    for key in (b"", b"binding", b"ban", b"ban/v1", b"\xff/a/b", b"other/v/u"):
        assert ban_subject(key) is None


def test_bans_hold_for_all_but_admins() -> None:
    """Somebody must be able to lift them."""
    bannable = {role for role in Role if Claims("ada", role, expires_s=0).bannable}
    assert bannable == {Role.VIEWER, Role.MODERATOR}

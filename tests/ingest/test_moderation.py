"""Deleting comments: who may, what is appended, what is written down."""

from typing import Any

import orjson
import pytest

from groundswell.contract.claims import Role
from groundswell.contract.events import EventKind
from groundswell.contract.partition import key_hash64
from groundswell.contract.problems import Refused


async def delete(
    world: Any, comment_id: str, user: str = "mo", role: Role = Role.MODERATOR
) -> None:
    await world.moderation.delete_comment(
        "v1", comment_id, moderator=world.claims(user, role), origin=world.origin
    )


async def test_a_deletion_is_an_event_of_the_video(world: Any) -> None:
    """Viewers get its JSON as it is; the audit knows who it was."""
    comment = world.ids.mint("v1")
    await delete(world, comment)
    [event] = world.log.events()
    assert (event.kind, event.comment_id, event.user_id) == (EventKind.DELETION, comment, "mo")
    assert orjson.loads(event.public_json) == {"type": "deleted", "commentID": comment}
    [entry] = world.accounts.entries
    assert (entry.actor, entry.action, entry.target) == ("mo", "comment.delete", comment)
    assert (entry.video_id, entry.request_id) == ("v1", "r1")


async def test_deleting_twice_is_well(world: Any) -> None:
    """The second time changes nothing and is no error."""
    comment = world.ids.mint("v1")
    await delete(world, comment)
    await delete(world, comment)


async def test_a_deletion_is_no_duplicate_of_the_comment(world: Any) -> None:
    """A moderator can delete a comment of their own: its key is not the comment's."""
    accepted = await world.gate.post_comment(
        "v1", "mine", author=world.claims("mo", Role.MODERATOR), origin=world.origin
    )
    await delete(world, accepted.comment_id)
    comment, deletion = world.log.events()
    assert comment.key_hash == key_hash64("v1", "mo", accepted.comment_id)
    assert deletion.key_hash != comment.key_hash


async def test_a_role_that_was_granted_counts_like_one_in_the_token(world: Any) -> None:
    """Roles come from the token or from the accounts."""
    comment = world.ids.mint("v1")
    world.accounts.roles["eve", "v1"] = Role.MODERATOR
    await delete(world, comment, "eve", Role.VIEWER)
    assert len(world.log.events()) == 1


async def test_a_viewer_may_not_delete(world: Any) -> None:
    """Nothing is appended."""
    with pytest.raises(Refused) as caught:
        await delete(world, world.ids.mint("v1"), "ada", Role.VIEWER)
    assert caught.value.code == "not_moderator"
    assert world.log.events() == []


async def test_unknown_roles_are_not_guessed(world: Any) -> None:
    """Without the accounts a viewer's token may still be a moderator's: try later."""
    world.accounts.away = True
    with pytest.raises(Refused) as caught:
        await delete(world, world.ids.mint("v1"), "ada", Role.VIEWER)
    assert caught.value.code == "store_unavailable"


async def test_a_lost_audit_entry_does_not_undo_a_deletion(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged instead."""
    world.accounts.away = True
    comment = world.ids.mint("v1")
    await delete(world, comment)
    assert len(world.log.events()) == 1
    assert comment in caplog.text


async def test_an_id_that_is_not_ours_is_refused(world: Any) -> None:
    """Also one of another video."""
    for comment in ("x", "5678", world.ids.mint("v2")):
        with pytest.raises(Refused) as caught:
            await delete(world, comment)
        assert caught.value.code == "no_such_comment"

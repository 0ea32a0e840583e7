"""What `Accounts` promises, on every engine.

SQLite always runs. PostgreSQL runs where `GROUNDSWELL_ACCOUNTS_URL` names a database, in a schema
of its own for each test.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from groundswell.accounts import SqlAccounts, migrate
from groundswell.accounts.engine import make_engine
from groundswell.contract.claims import Role
from groundswell.contract.ports.accounts import Accounts, AccountsUnavailable, AuditEntry, Video
from tests.accounts.databases import ENGINES, empty_database


@pytest.fixture(params=ENGINES)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Where an empty database of the engine is."""
    async with empty_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
async def accounts(url: str) -> AsyncIterator[Accounts]:
    """Return started accounts on a migrated database."""
    await migrate(url)
    accounts = SqlAccounts(url)
    await accounts.start()
    yield accounts
    await accounts.close()


async def test_a_video_is_found_as_it_was_registered(accounts: Accounts) -> None:
    """Registering again returns the first registration."""
    assert await accounts.video("v1") is None
    video = await accounts.register_video("v1", "Final", created_ms=1_700_000_000_000)
    assert video == Video("v1", "Final", 1_700_000_000_000)
    assert await accounts.register_video("v1", "Other", created_ms=5) == video
    assert await accounts.video("v1") == video


async def test_videos_are_paged_in_the_order_of_their_ids(accounts: Accounts) -> None:
    """Bytes order ids on every engine: upper case before `_` before lower case."""
    for video_id in ("b", "B", "_", "a", "10", "9"):
        await accounts.register_video(video_id, video_id, created_ms=1)
    listed = [video.video_id for video in await accounts.videos()]
    assert listed == ["10", "9", "B", "_", "a", "b"]
    page = await accounts.videos(after="9", limit=2)
    assert [video.video_id for video in page] == ["B", "_"]
    assert await accounts.videos(after="b") == []


async def test_without_a_role_one_is_a_viewer(accounts: Accounts) -> None:
    """Nobody has to be known."""
    assert await accounts.role_of("stranger", "v1") is Role.VIEWER


async def test_a_role_holds_on_its_video_or_on_all(accounts: Accounts) -> None:
    """A role without a video is everywhere."""
    await accounts.grant_role("ada", Role.MODERATOR, video_id="v1")
    await accounts.grant_role("bob", Role.ADMIN)
    assert await accounts.role_of("ada", "v1") is Role.MODERATOR
    assert await accounts.role_of("ada", "v2") is Role.VIEWER
    assert await accounts.role_of("bob", "v2") is Role.ADMIN


async def test_the_highest_role_counts(accounts: Accounts) -> None:
    """Lower roles given besides take nothing away; what is taken back leaves the next."""
    for role in (Role.VIEWER, Role.ADMIN, Role.MODERATOR):
        await accounts.grant_role("ada", role, video_id="v1")
        await accounts.grant_role("ada", role, video_id="v1")  # again: no error, no change
    await accounts.grant_role("ada", Role.MODERATOR)
    assert await accounts.role_of("ada", "v1") is Role.ADMIN
    await accounts.revoke_role("ada", Role.ADMIN, video_id="v1")
    await accounts.revoke_role("ada", Role.ADMIN, video_id="v1")  # absent: no error
    assert await accounts.role_of("ada", "v1") is Role.MODERATOR
    await accounts.revoke_role("ada", Role.MODERATOR, video_id="v1")
    assert await accounts.role_of("ada", "v1") is Role.MODERATOR  # the one on all videos
    await accounts.revoke_role("ada", Role.MODERATOR)
    assert await accounts.role_of("ada", "v1") is Role.VIEWER


async def test_the_audit_log_is_paged_newest_first(accounts: Accounts) -> None:
    """Entries come back whole, with the number they got; `before` pages on."""
    entries = [
        AuditEntry(
            time_ms=1_700_000_000_000 + n,
            actor="mod",
            action="comment.delete",
            target=f"c{n}",
            video_id="v1" if n % 2 else None,
            detail="spam" if n else None,
            request_id="r1",
        )
        for n in range(5)
    ]
    for entry in entries:
        await accounts.append_audit(entry)
    found = await accounts.audit(limit=3)
    assert [entry.target for entry in found] == ["c4", "c3", "c2"]
    assert found[0].time_ms == entries[4].time_ms
    assert (found[0].detail, found[0].request_id, found[0].video_id) == ("spam", "r1", None)
    older = await accounts.audit(before=found[-1].entry_id)
    assert [entry.target for entry in older] == ["c1", "c0"]
    assert older[-1].detail is None
    assert [entry.target for entry in await accounts.audit(video_id="v1")] == ["c3", "c1"]


async def test_a_user_is_remembered_by_first_and_last_sight(accounts: Accounts, url: str) -> None:
    """The order in which sights are told does not matter."""
    for seen_ms in (200, 100, 300, 250):
        await accounts.touch_user("ada", seen_ms=seen_ms)
    await accounts.close()  # embedded, there may be one connection only
    engine = make_engine(url)
    async with engine.connect() as connection:
        rows = (await connection.execute(text("SELECT * FROM users"))).all()
    await engine.dispose()
    assert [tuple(row) for row in rows] == [("ada", 100, 300)]


async def test_concurrent_calls_take_turns(accounts: Accounts) -> None:
    """Nothing is lost and nothing fails when many ask at once."""
    await asyncio.gather(
        *(accounts.register_video(f"v{n % 10}", "t", created_ms=n) for n in range(50)),
        *(accounts.grant_role(f"u{n}", Role.MODERATOR) for n in range(20)),
    )
    assert len(await accounts.videos()) == 10
    assert await accounts.role_of("u19", "v1") is Role.MODERATOR


async def test_a_cancelled_call_leaves_the_others_working(accounts: Accounts) -> None:
    """The connection is given back, or replaced."""
    task = asyncio.create_task(accounts.register_video("v1", "t", created_ms=1))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await accounts.register_video("v2", "t", created_ms=1)).video_id == "v2"


async def test_hostile_text_is_stored_as_text(accounts: Accounts) -> None:
    """Values never become SQL."""
    title = "'; DROP TABLE videos; -- \U0001f600 \u202e"
    assert (await accounts.register_video("v1", title, created_ms=1)).title == title
    assert await accounts.role_of("' OR 1=1 --", "v1") is Role.VIEWER


async def test_migrating_again_changes_nothing(accounts: Accounts, url: str) -> None:
    """What is current stays as it is, with its rows."""
    await accounts.register_video("v1", "Final", created_ms=1)
    await accounts.close()
    await migrate(url)
    again = SqlAccounts(url)
    await again.start()
    assert await again.video("v1") == Video("v1", "Final", 1)
    await again.close()


async def test_a_database_that_was_not_migrated_is_not_used(url: str) -> None:
    """The message says what to do."""
    accounts = SqlAccounts(url)
    with pytest.raises(AccountsUnavailable, match="run `groundswell migrate`"):
        await accounts.start()


async def test_a_start_that_failed_can_be_tried_again(url: str) -> None:
    """Until it worked nothing is answered."""
    accounts = SqlAccounts(url)
    with pytest.raises(AccountsUnavailable):
        await accounts.start()
    assert not accounts.available()
    with pytest.raises(AccountsUnavailable):
        await accounts.video("v1")
    await migrate(url)
    await accounts.start()
    assert accounts.available()
    assert await accounts.video("v1") is None
    await accounts.close()
    assert not accounts.available()


async def test_closed_accounts_are_unavailable(accounts: Accounts) -> None:
    """Closing twice is fine; a call after it says so instead of opening a new connection."""
    await accounts.close()
    await accounts.close()
    with pytest.raises(AccountsUnavailable):
        await accounts.video("v1")

"""A room: ticks, frames, positions, welcomes, deletions, slow viewers."""

import asyncio
import itertools

import msgspec
import pytest

from groundswell.contract.close_codes import UNAVAILABLE
from groundswell.contract.events import VERSION, TotalsRecord


def position(offset, epoch="00000000000000ff"):
    return f"{epoch}:{offset}"


def texts(message):
    return [comment["commentText"] for comment in message.get("comments", ())]


async def turn():
    """Let what was scheduled for now run."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_an_idle_room_sends_a_comment_at_once(stage):
    """The leading edge: no timer stands between a comment and its viewers."""
    client = stage.join()
    stage.write("hello")
    await turn()
    assert texts(client.updates[0]) == ["hello"]
    assert client.position == position(1)


async def test_what_comes_in_one_batch_is_one_frame(stage):
    """Frames grow with the load."""
    client = stage.join()
    stage.write("one", "two")
    stage.write("three")
    await turn()
    assert [texts(update) for update in client.updates] == [["one", "two", "three"]]


async def test_comments_gather_while_a_pass_runs(stage):
    """The next frame waits until every viewer had its turn, then has all of them."""
    client = stage.join()
    stage.plane.holds_passes = True
    stage.write("first")
    await turn()
    for text in ("a", "b", "c"):
        stage.write(text)
        await turn()
    assert [texts(update) for update in client.updates] == [["first"]]
    stage.plane.holds_passes = False
    stage.plane.audiences[0].passed(0.0)
    await turn()
    assert [texts(update) for update in client.updates] == [["first"], ["a", "b", "c"]]


async def test_the_tick_follows_the_time_that_a_pass_takes(make_stage):
    """A little longer than the pass, between the bounds."""
    stage = make_stage(tick_min=0.02, tick_max=0.25)
    stage.join()
    for seconds, tick in ((0.001, 0.02), (0.05, 0.06), (9.0, 0.25)):
        stage.plane.pass_seconds = seconds
        stage.write("x")
        stage.room.flush()
        assert stage.room.statistics().tick_seconds == pytest.approx(tick)


async def test_two_frames_are_a_tick_apart(make_stage, wait_until):
    """The second comment waits for what is left of the tick."""
    stage = make_stage(tick_min=0.05)
    client = stage.join()
    stage.write("one")
    await turn()
    stage.write("two")
    await turn()
    assert len(client.updates) == 1
    stage.clock.advance(0.05)
    await wait_until(lambda: len(client.updates) == 2)


async def test_a_frame_is_complete_to_its_position(stage):
    """Also beyond its last comment: records of other videos are passed."""
    client = stage.join()
    stage.write("one")
    stage.feed(stage.author.comment(video="other"))
    await turn()
    assert client.position == position(2)


async def test_a_welcome_is_complete_to_its_position_without_what_is_pending(stage):
    """The pending comment comes with the next frame, exactly once."""
    stage.write("old")
    stage.room.flush()
    stage.write("pending")
    client = stage.join()
    assert client.welcomes[0]["position"] == position(1)
    assert texts(client.welcomes[0]) == ["old"]
    await turn()
    assert client.texts() == ["old", "pending"]
    assert client.position == position(2)


async def test_a_quiet_rooms_position_follows_the_partition(stage):
    """So that its viewers stay resumable: pings carry it."""
    client = stage.join()
    assert client.position == position(0)
    stage.feed(*(stage.author.comment(video="other") for _ in range(3)))
    assert str(stage.room.position) == position(3)
    assert stage.plane.audiences[0].ring.ping().position == position(3)


async def test_a_ping_does_not_claim_what_is_pending(stage):
    """A viewer that is cut after it would miss the pending comment."""
    stage.join()
    stage.write("pending")
    assert stage.plane.audiences[0].ring.ping().position == position(0)


async def test_a_room_that_is_being_opened_gathers_what_comes(make_stage):
    """The snapshot is what was before the first of it."""
    stage = make_stage(opened=False)
    old = stage.author.entry(stage.author.comment("old"), 0)
    stage.write("new")
    await turn()
    assert stage.room.boundary == 0
    stage.room.open([old], [])
    client = stage.join()
    await turn()
    assert client.texts() == ["old", "new"]


async def test_a_deletion_while_the_room_is_opened_takes_the_comment_out(make_stage):
    """Of the snapshot, which was fetched before, and of what is pending."""
    stage = make_stage(opened=False)
    old = stage.author.comment("old secret")
    (new,) = stage.write("new secret")
    stage.feed(stage.author.deletion(old.comment_id), stage.author.deletion(new))
    stage.room.open([stage.author.entry(old, 0)], [])
    client = stage.join()
    await turn()
    assert client.texts() == []


async def test_totals_that_came_while_the_room_was_opened_are_sent(make_stage):
    """Newer than the snapshot's, so nobody would send them again."""
    stage = make_stage(opened=False)
    old = stage.author.comment("old")
    stage.room.accept_totals(stage.author.totals(old.comment_id, 5, offset=9))
    snapshot_totals = stage.author.totals(old.comment_id, 4, offset=8)
    stage.room.open([stage.author.entry(old, 0)], [snapshot_totals])
    client = stage.join()
    await turn()
    assert client.welcomes[0]["comments"][0]["reactions"] == {"likes": 5}


async def test_totals_are_sent_for_what_was_shown_and_latest_only(stage, wait_until):
    """Of a comment that no viewer has, totals are kept to oneself."""
    client = stage.join()
    (shown,) = stage.write("x")
    await turn()
    for offset in range(1, 6):
        stage.room.accept_totals(stage.author.totals(shown, offset, offset=offset))
    stage.room.accept_totals(stage.author.totals("unknown", 9, offset=1))
    stage.clock.advance(1)
    stage.room.flush()
    await wait_until(lambda: len(client.updates) == 2)
    assert client.updates[1]["reactions"] == [{"commentID": shown, "reactionCount": {"likes": 5}}]


async def test_many_totals_are_spread_over_frames_of_200(stage, wait_until):
    """A frame stays small; the next carries the rest."""
    client = stage.join()
    ids = stage.write(*(str(n) for n in range(250)))
    await turn()
    for comment_id in ids:
        stage.room.accept_totals(stage.author.totals(comment_id, 1, offset=1))
    stage.clock.advance(1)
    stage.room.flush()
    stage.clock.advance(1)
    await wait_until(lambda: len(client.updates) == 3)
    assert [len(update["reactions"]) for update in client.updates[1:]] == [200, 50]


async def test_totals_of_a_pending_comment_come_with_it(stage):
    """They are not lost because the comment was not shown yet."""
    client = stage.join()
    (comment_id,) = stage.write("x")
    stage.room.accept_totals(stage.author.totals(comment_id, 2, offset=1))
    await turn()
    assert client.updates[0]["reactions"][0]["reactionCount"] == {"likes": 2}


async def test_hearts_are_increments_with_a_window(stage):
    """What was counted before the room opened is not sent again."""
    client = stage.join()
    hearts = TotalsRecord(VERSION, "v", "", 0, 1, 1, (40,))
    stage.clock.advance(0.5)
    stage.room.accept_totals(hearts)
    stage.room.flush()
    stage.clock.advance(0.25)
    stage.room.accept_totals(msgspec.structs.replace(hearts, offset=2, counts=(43,)))
    stage.room.flush()
    assert [update["hearts"] for update in client.updates] == [
        {"count": 40, "window_ms": 500},
        {"count": 3, "window_ms": 250},
    ]


async def test_hearts_of_the_snapshot_are_not_sent(make_stage):
    """A new room does not rain the hearts of a whole day."""
    stage = make_stage(opened=False)
    stage.room.open([], [TotalsRecord(VERSION, "v", "", 0, 1, 1, (1_000_000,))])
    client = stage.join()
    stage.room.flush()
    assert client.updates == []


async def test_a_changed_viewer_count_is_sent_once(stage):
    """And is in the next welcome; not known is null there."""
    client = stage.join()
    assert client.welcomes[0]["viewers"] is None
    stage.room.set_viewers(7)
    stage.room.flush()
    stage.room.set_viewers(7)
    stage.room.flush()
    assert [update["viewers"] for update in client.updates] == [7]
    assert stage.join().welcomes[0]["viewers"] == 7


async def test_skipped_comments_are_counted_and_not_sent(make_stage, privileged):
    """The budget's sample, with the moderator's comment in it."""
    stage = make_stage(display_rate=10)
    client = stage.join()
    stage.write(*(str(n) for n in range(500)))
    stage.clock.advance(1)
    stage.write(*(str(n) for n in range(500)))
    stage.write("moderator", flags=privileged)
    stage.room.flush()
    update = client.updates[-1]
    assert update["skipped"] + len(update["comments"]) == 1001
    assert update["skipped"] > 400
    assert texts(update)[-1] == "moderator"


async def test_a_deleted_comment_is_in_nothing_that_is_sent_later(stage):
    """Ring, pending, welcome and catch-up alike; the event itself is sent."""
    slow = stage.plane.connect()
    stage.room.join(slow, None)
    stage.plane.stalled.add(slow)
    resume = stage.room.position
    (flushed,) = stage.write("flushed secret")
    stage.room.flush()
    early = stage.join(resume)
    assert early.texts() == ["flushed secret"]
    (pending,) = stage.write("pending secret")
    stage.feed(stage.author.deletion(flushed), stage.author.deletion(pending))
    late, joined = stage.join(resume), stage.join()
    await turn()
    stage.plane.stalled.clear()
    stage.plane.audiences[0].deliver()
    for client in (stage.plane.clients[slow], late, joined):
        assert client.texts() == []
    deleted = [e["commentID"] for u in late.updates for e in u.get("events", ())]
    assert deleted == [flushed, pending]
    assert early.shown == []


async def test_a_viewer_behind_the_ring_skips_to_now_with_a_welcome(make_stage):
    """The gap is said: what it shows is replaced."""
    stage = make_stage(ring_time=1.0)
    handle = stage.plane.connect()
    stage.room.join(handle, None)
    stage.plane.stalled.add(handle)
    for second in range(5):
        stage.write(f"{second}")
        stage.room.flush()
        stage.clock.advance(1)
    stage.plane.stalled.clear()
    stage.plane.audiences[0].deliver()
    client = stage.plane.clients[handle]
    assert [welcome["recovered"] for welcome in client.welcomes] == [False, False]
    assert texts(client.welcomes[1]) == ["0", "1", "2", "3", "4"]
    assert client.updates == []


async def test_a_welcome_is_shared_until_something_changes(stage):
    """A crowd that comes together costs one encoding."""
    room = stage.room
    stage.write("one")
    room.flush()
    first, second = stage.join(), stage.join()
    assert first.sent == second.sent
    stage.write("two")
    room.flush()
    assert texts(stage.join().welcomes[0]) == ["one", "two"]


async def test_a_dismissed_room_closes_its_viewers_with_a_code_to_come_back(stage):
    """Nobody may hang in a room that gets no more comments."""
    client = stage.join()
    stage.room.dismiss()
    assert client.closed is UNAVAILABLE
    assert client.closed.reconnect


async def test_a_closed_room_stays_still(stage):
    """A pass that ends after the room was closed starts nothing."""
    stage.join()
    stage.plane.holds_passes = True
    stage.write("one")
    await turn()
    stage.write("two")
    stage.room.close()
    stage.plane.audiences[0].passed(0.0)
    await turn()
    assert stage.room.statistics().frames == 1


async def test_an_empty_room_drains_its_totals_and_rests(stage, wait_until):
    """Without viewers no pass ends, so the room must arm itself."""
    ids = stage.write(*(str(n) for n in range(450)))
    stage.room.flush()
    for offset, comment_id in enumerate(ids):
        stage.room.accept_totals(stage.author.totals(comment_id, 1, offset=offset))
    for _ in range(3):
        stage.clock.advance(1)
        stage.room.flush()
    frames = stage.room.statistics().frames
    assert frames == 4
    stage.room.flush()
    assert stage.room.statistics().frames == frames


@pytest.mark.parametrize("order", list(itertools.permutations(["comment", "totals", "viewers"])))
async def test_a_comment_never_waits_for_slower_news(make_stage, wait_until, order):
    """Totals and viewers wait for `tick_max`; a comment that comes takes them along."""
    stage = make_stage(tick_min=0.0, tick_max=10.0)
    client = stage.join()
    (first,) = stage.write("first")
    await turn()
    news = {
        "comment": lambda: stage.write("second"),
        "totals": lambda: stage.room.accept_totals(stage.author.totals(first, 1, offset=1)),
        "viewers": lambda: stage.room.set_viewers(3),
    }
    for name in order:
        news[name]()
    await wait_until(lambda: len(client.updates) == 2)
    assert {"comments", "reactions", "viewers"} <= client.updates[1].keys()

"""Resume: exactly once and in order where it says so, an honest snapshot where it does not."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.broker.room import CATCH_UP_BYTES
from groundswell.contract.position import Position

EPOCH = "00000000000000ff"
SNAPSHOT = 50


def at(offset, epoch=EPOCH):
    return Position(epoch, offset)


async def test_a_resume_sends_what_was_missed_and_then_goes_on(stage):
    """The welcome is empty and says the position that was asked for."""
    stage.write("seen")
    stage.room.flush()
    stage.write("missed one", "missed two")
    stage.room.flush()
    client = stage.join(at(1))
    assert client.welcomes == [client.sent[0]]
    assert client.sent[0]["recovered"] is True
    assert client.sent[0]["comments"] == []
    # A viewer that is cut before the frames come must ask for them again.
    assert client.sent[0]["position"] == str(at(1))
    assert client.texts() == ["missed one", "missed two"]
    assert client.position == str(at(3))
    stage.write("live")
    stage.room.flush()
    assert client.texts() == ["missed one", "missed two", "live"]


async def test_a_position_inside_what_is_pending_is_resumed_exactly(stage):
    """The part before it was seen elsewhere: an ack's position, another broker's frame."""
    stage.write("a", "b", "c")
    client = stage.join(at(2))
    assert client.welcomes[0]["recovered"] is True
    stage.room.flush()
    assert client.texts() == ["c"]


async def test_a_position_at_the_end_needs_no_frames(stage):
    """A reload in a quiet room."""
    stage.write("a")
    stage.room.flush()
    client = stage.join(at(1))
    assert [message["type"] for message in client.sent] == ["welcome"]
    assert client.sent[0]["recovered"] is True


@pytest.mark.parametrize(
    "position", [at(2), at(10**15), at(0, epoch="0" * 16)], ids=["future", "far", "epoch"]
)
async def test_forged_positions_are_not_recovered(stage, position):
    """Nobody gave them out: a snapshot says so."""
    stage.write("a")
    stage.room.flush()
    client = stage.join(position)
    assert client.welcomes[0]["recovered"] is False
    assert client.texts() == ["a"]


async def test_the_window_is_strict_about_the_first_missed_record(make_stage):
    """At the window's edge it recovers, a millisecond later it does not."""
    stage = make_stage(resume_window=10.0)
    stage.write("seen")
    stage.write("missed")
    stage.room.flush()
    stage.clock.advance(10.0)
    assert stage.join(at(1)).welcomes[0]["recovered"] is True
    stage.clock.advance(0.001)
    assert stage.join(at(1)).welcomes[0]["recovered"] is False
    # Who missed nothing can stay away for as long as nothing is written.
    assert stage.join(at(2)).welcomes[0]["recovered"] is True


async def test_what_the_backlog_forgot_is_not_recovered(make_stage):
    """Also when it was the memory cap that made it forget."""
    stage = make_stage()
    stage.write("a", "b", "c", "d")
    stage.room.flush()
    stage.partition.backlog.forget_oldest(0.5)
    assert stage.join(at(1)).welcomes[0]["recovered"] is False
    assert stage.join(at(2)).texts() == ["c", "d"]


async def test_a_long_catch_up_comes_in_frames_of_64_kb(stage):
    """Each with a position of its own, so that a second cut loses little."""
    size = 1000
    stage.write(*(f"{n:04}" + "x" * size for n in range(300)))
    stage.room.flush()
    client = stage.join(at(0))
    lengths = [len(update["comments"]) for update in client.updates if "comments" in update]
    assert sum(lengths) == 300
    assert max(lengths) * size <= CATCH_UP_BYTES + 2 * size
    assert len(lengths) >= 300 * size // CATCH_UP_BYTES
    ends = [int(update["position"].partition(":")[2]) for update in client.updates]
    assert ends == sorted(ends)
    assert ends[-1] == 300
    done = 0
    for update, end in zip(client.updates, ends, strict=True):
        done += len(update.get("comments", ()))
        assert done == end


async def test_a_storm_of_resumes_shares_its_frames(stage, monkeypatch):
    """Encoded once for all who come with the same position."""
    stage.write("a", "b")
    stage.room.flush()
    asked = []
    since = stage.partition.backlog.since
    monkeypatch.setattr(
        stage.partition.backlog, "since", lambda *args: asked.append(args) or since(*args)
    )
    clients = [stage.join(at(0)) for _ in range(100)]
    assert len(asked) == 1
    assert all(client.sent == clients[0].sent for client in clients)


async def test_a_resume_brings_the_latest_totals(stage):
    """What changed during the cut is not known one by one."""
    (comment_id,) = stage.write("a")
    stage.room.flush()
    stage.room.accept_totals(stage.author.totals(comment_id, 4, offset=1))
    stage.room.flush()
    client = stage.join(at(1))
    assert client.updates[-1]["reactions"] == [
        {"commentID": comment_id, "reactionCount": {"likes": 4}}
    ]


class Model:
    """Drives a stage by random steps and knows what every client must show."""

    def __init__(self, make_stage):
        self.stage = make_stage(resume_window=20.0, ring_time=3.0, snapshot=SNAPSHOT)
        self.written = []  # (id, offset, append_ms) of "v"
        self.times = []  # append time of every record
        self.deleted = set()
        self.clients = {}  # handle -> client, connected
        self.away = []  # clients that were cut
        self.since = {}  # client -> offset that its list is complete from

    def write(self, count, video):
        stage = self.stage
        for _ in range(count):
            event = stage.author.comment("text", video=video)
            (offset,) = stage.feed(event)
            self.times.append(stage.clock.wall)
            if video == "v":
                self.written.append((event.comment_id, offset))

    def delete(self, pick):
        if self.written:
            comment_id, _ = self.written[pick % len(self.written)]
            self.deleted.add(comment_id)
            self.stage.feed(self.stage.author.deletion(comment_id))
            self.times.append(self.stage.clock.wall)

    def connect(self, client, frames):
        plane = self.stage.plane
        resume = None if client.position is None else Position.parse(client.position)
        recovers = resume is not None and self.recovers(resume.offset)
        handle = plane.connect(client)
        before = len(client.sent)
        plane.private_frames = frames
        self.stage.room.join(handle, resume)
        plane.private_frames = None
        if len(client.sent) > before:
            assert client.sent[before]["recovered"] is recovers
        self.check_texts(client.sent[before:])
        if frames is None:
            self.clients[handle] = client
        else:  # cut again before everything came
            plane.leave(handle)
            self.away.append(client)

    def recovers(self, offset):
        missed = self.times[offset : offset + 1]
        oldest = self.stage.clock.wall - 20_000
        return not missed or missed[0] >= oldest

    def check_texts(self, messages):
        """Nothing that is sent now may hold what was deleted before."""
        for message in messages:
            for comment in message.get("comments", ()):
                assert comment["commentID"] not in self.deleted

    def flush(self):
        before = {client: len(client.sent) for client in self.clients.values()}
        self.stage.room.flush()
        self.stage.plane.audiences[0].deliver()
        for client, sent in before.items():
            self.check_texts(client.sent[sent:])

    def step(self, name, number):
        stage, handles = self.stage, list(self.clients)
        if name == "write":
            self.write(number % 4 + 1, "v")
        elif name == "foreign":
            self.write(number % 4 + 1, "other")
        elif name == "delete":
            self.delete(number)
        elif name == "flush":
            self.flush()
        elif name == "time":
            stage.clock.advance(number % 40 / 4)
        elif name == "housekeep":
            stage.partition.forget_before(stage.clock.wall - 20_000)
        elif name == "join":
            self.connect(stage.new_client(), None)
        elif name == "cut" and handles:
            handle = handles[number % len(handles)]
            stage.plane.leave(handle)
            stage.plane.stalled.discard(handle)
            self.away.append(self.clients.pop(handle))
        elif name == "resume" and self.away:
            client = self.away.pop(number % len(self.away))
            self.connect(client, None if number % 3 else number // 3 % 3)
        elif name == "stall" and handles:
            stage.plane.stalled ^= {handles[number % len(handles)]}

    def finish(self):
        """Everybody comes back, and everybody must show the same."""
        stage = self.stage
        stage.plane.stalled.clear()
        for client in self.away:
            self.connect(client, None)
        self.flush()
        expected = [comment_id for comment_id, _ in self.written if comment_id not in self.deleted]
        for client in self.clients.values():
            shown = client.shown
            assert shown == expected[len(expected) - len(shown) :], "lost, doubled or out of order"
            assert len(shown) >= min(len(expected), SNAPSHOT - len(self.deleted))


STEPS = (
    "write",
    "foreign",
    "delete",
    "flush",
    "time",
    "housekeep",
    "join",
    "cut",
    "resume",
    "stall",
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1000)), min_size=30, max_size=90))
def test_every_comment_is_seen_exactly_once_in_order_through_any_cuts(make_stage, steps):
    """Random writes, deletions, foreign records, flushes, cuts, resumes and stalls."""

    async def run():
        model = Model(make_stage)
        model.connect(model.stage.new_client(), None)
        for name, number in steps:
            model.step(name, number)
        model.finish()
        model.stage.room.close()

    asyncio.run(run())

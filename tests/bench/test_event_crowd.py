"""The crowd of the event: it sends what is due, and remembers only what was acknowledged."""

import asyncio
import json
from collections import Counter
from collections.abc import Set

from groundswell.bench import event_crowd
from groundswell.bench.event_crowd import GOAL, MAIN, Crowd, Outcome, Plan
from groundswell.bench.event_http import LOST, Answer
from groundswell.contract.reactions import BY_NAME

PLAN = Plan(
    ports=[],
    secret="x" * 48,
    seconds=0.6,
    comments=200,
    reactions=500,
    quiet=10,
    spike=400,
    spike_at=0.3,
    spike_seconds=0.1,
    users=50,
    seed=3,
)


class Servers:
    """Answers like the product; the connection ends at requests with the numbers `fails`, and
    nothing ever comes at those of `hangs`."""

    def __init__(self, *, fails: Set[int] = frozenset(), hangs: Set[int] = frozenset()) -> None:
        self._hangs = hangs
        self.requests = 0
        self.comments: Counter[str] = Counter()
        self.codes: dict[tuple[str, str], int] = {}
        self._fails = fails

    async def ask(self, method: str, path: str, *, token: str, body: bytes = b"") -> Answer:
        self.requests += 1
        number = self.requests
        if number in self._fails:
            return LOST
        if number in self._hangs:
            await asyncio.Event().wait()
        _, _, video, *rest = path.split("/")
        if rest == ["comments"]:
            self.comments[video] += 1
            return Answer(201, json.dumps({"commentID": f"{video}-{number}"}).encode())
        kind = json.loads(body)["reactionType"] if method == "POST" else None
        self.codes[rest[1], token] = BY_NAME[kind].code if kind else 0
        return Answer(200, b"{}")


async def test_what_is_never_answered_is_counted_and_given_up(monkeypatch):
    """A comment of it may be stored or not; its reactions are in doubt."""
    monkeypatch.setattr(event_crowd, "ANSWER_S", 0.01)
    servers = Servers(hangs=set(range(50, 300, 7)))
    outcome = await outcome_of(servers)
    comments, reactions = (
        outcome.statuses[f"{kind} unanswered"] for kind in ("comment", "reaction")
    )
    assert comments + reactions == len(range(50, 300, 7))
    assert sum(map(len, outcome.comments.values())) == 165 - comments
    assert len(outcome.doubtful) == reactions


async def outcome_of(servers: Servers) -> Outcome:
    return await Crowd(PLAN, servers).run()


async def test_everything_due_is_sent_and_what_was_answered_is_remembered():
    """0.6 s of 200 comments a second, and a spike of 40 in the other video."""
    servers = Servers()
    outcome = await outcome_of(servers)
    assert servers.comments == {MAIN: 120, GOAL: 3 + 40 + 2}
    assert {video: len(ids) for video, ids in outcome.comments.items()} == servers.comments
    assert outcome.statuses["comment 201"] == 165
    assert len(outcome.ack_ms) == 165
    assert outcome.ack_ms == sorted(outcome.ack_ms)


async def test_the_last_acknowledged_reaction_of_a_user_counts():
    """Reactions are toggled and taken back; the outcome is what the server has in the end."""
    servers = Servers()
    outcome = await outcome_of(servers)
    assert outcome.reaction_acks == outcome.statuses["reaction 200"] > 200
    assert Counter(code for _, _, code in outcome.reactions) == Counter(servers.codes.values())
    assert len(outcome.reactions) == len(servers.codes) < outcome.reaction_acks
    assert outcome.doubtful == []


async def test_what_was_not_answered_is_not_acknowledged_and_leaves_its_pair_in_doubt():
    """A lost comment is none of the acks, a lost reaction may stand or not."""
    outcome = await outcome_of(Servers(fails=set(range(50, 300, 7))))
    lost = outcome.statuses["comment 0"] + outcome.statuses["reaction 0"]
    assert lost == len(range(50, 300, 7))
    assert sum(map(len, outcome.comments.values())) == 165 - outcome.statuses["comment 0"]
    assert 0 < len(outcome.doubtful) <= outcome.statuses["reaction 0"]

"""The people of the event: `python -m groundswell.bench.event_crowd PLAN.json OUTCOME`.

All load is open loop: what is due is sent, whether or not the former was answered. What was
acknowledged is remembered and written to a file at the end, to be compared with what is stored.
"""

import asyncio
import bisect
import itertools
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from pathlib import Path

import jwt
import msgspec
import uvloop

from groundswell.bench.event_http import Clients
from groundswell.bench.tokens import AUDIENCE, ISSUER, LIFETIME
from groundswell.contract.reactions import NO_REACTION, REACTION_TYPES

MAIN = "event"  # the video that everybody watches
GOAL = "goal"  # the one with the spike
TEXT_CHARS = 80
TOGGLES = 0.1  # of the reactions: by a user who reacted to that comment before
POPULAR = 1000  # comments that are reacted to at a time, with weights 1/rank
REFRESH_S = 5.0  # after which others are popular
CONNECTIONS = 512
UNANSWERED = "unanswered"
ANSWER_S = 60.0  # for what is still unanswered at the end

Pair = tuple[str, str]
"""(comment id, user id)"""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the crowd does. Rates are per second, times are seconds from the start."""

    ports: list[int]
    secret: str
    seconds: float
    comments: float
    reactions: float
    quiet: float  # comments a second on the video with the spike
    spike: float  # the same during the spike
    spike_at: float
    spike_seconds: float
    users: int
    seed: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What was acknowledged."""

    comments: dict[str, list[str]]  # by video: ids
    reactions: list[tuple[str, str, int]]  # comment, user, code of the last that was acknowledged
    doubtful: list[Pair]  # not all of their reactions were acknowledged
    statuses: dict[str, int]  # "comment 201" -> how many
    reaction_acks: int
    ack_ms: list[float]  # of comments: sorted, from when each was due


class Crowd:
    """Sends what is due, and remembers what was acknowledged."""

    def __init__(self, plan: Plan, clients: Clients) -> None:
        self._plan = plan
        self._clients = clients
        self._random = random.Random(plan.seed)  # noqa: S311 - reproducible, nothing secret
        self._tokens: dict[str, str] = {}
        self._comments: dict[str, list[str]] = {MAIN: [], GOAL: []}
        self._latest: deque[str] = deque(maxlen=POPULAR)
        self._popular: list[str] = []
        self._popular_until = 0.0
        self._weights = list(itertools.accumulate(1 / rank for rank in range(1, POPULAR + 1)))
        self._codes: dict[Pair, int] = {}
        self._pairs: list[Pair] = []
        self._under_way: set[Pair] = set()
        self._doubtful: set[Pair] = set()
        self._statuses: Counter[str] = Counter()
        self._reaction_acks = 0
        self._ack_ms: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> Outcome:
        """Do all of the plan."""
        plan = self._plan
        spike_end = plan.spike_at + plan.spike_seconds
        await asyncio.gather(
            self._paced(plan.comments, 0, plan.seconds, lambda at: self._comment(MAIN, at)),
            self._paced(plan.quiet, 0, plan.spike_at, lambda at: self._comment(GOAL, at)),
            self._paced(plan.spike, plan.spike_at, spike_end, lambda at: self._comment(GOAL, at)),
            self._paced(plan.quiet, spike_end, plan.seconds, lambda at: self._comment(GOAL, at)),
            self._paced(plan.reactions, 0, plan.seconds, self._react),
        )
        if self._tasks:
            _, unanswered = await asyncio.wait(self._tasks, timeout=ANSWER_S)
            for task in unanswered:
                task.cancel()
            await asyncio.gather(*unanswered, return_exceptions=True)
        self._doubtful |= self._under_way
        return Outcome(
            comments=self._comments,
            reactions=[(*pair, code) for pair, code in self._codes.items()],
            doubtful=sorted(self._doubtful),
            statuses={name: count for name, count in self._statuses.items() if count},
            reaction_acks=self._reaction_acks,
            ack_ms=sorted(self._ack_ms),
        )

    async def _paced(
        self, rate: float, begin: float, end: float, send: Callable[[float], Awaitable[None]]
    ) -> None:
        """Start `send(due)` at begin, begin + 1/rate, ... before `end`."""
        started = time.monotonic()
        for number in range(round(rate * (end - begin))):
            due = started + begin + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.ensure_future(send(due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _comment(self, video: str, due: float) -> None:
        wall_ns = time.time_ns() - int((time.monotonic() - due) * 1e9)
        text = f"t={wall_ns};{len(self._ack_ms)} ".ljust(TEXT_CHARS, "x")
        user = f"user-{self._random.randrange(self._plan.users)}"
        body = b'{"commentText":"%b"}' % text.encode()
        self._statuses[f"comment {UNANSWERED}"] += 1
        answer = await self._clients.ask(
            "POST", f"/live/{video}/comments", token=self._token(user), body=body
        )
        self._statuses[f"comment {UNANSWERED}"] -= 1
        self._statuses[f"comment {answer.status}"] += 1
        self._ack_ms.append(1000 * (time.monotonic() - due))
        if answer.status == 201:
            comment_id = msgspec.json.decode(answer.body)["commentID"]
            self._comments[video].append(comment_id)
            if video == MAIN:
                self._latest.append(comment_id)

    async def _react(self, due: float) -> None:
        chosen = self._choose(due)
        if chosen is None:  # nobody has commented yet, or that user is at it
            return
        pair, code = chosen
        comment_id, user = pair
        self._under_way.add(pair)
        self._statuses[f"reaction {UNANSWERED}"] += 1
        path, token = f"/live/{MAIN}/comments/{comment_id}/reactions", self._token(user)
        if code == NO_REACTION:
            answer = await self._clients.ask("DELETE", path, token=token)
        else:
            body = b'{"reactionType":"%b"}' % REACTION_TYPES[code - 1].name.encode()
            answer = await self._clients.ask("POST", path, token=token, body=body)
        self._statuses[f"reaction {UNANSWERED}"] -= 1
        self._statuses[f"reaction {answer.status}"] += 1
        self._under_way.discard(pair)
        if 200 <= answer.status < 300:
            self._reaction_acks += 1
            self._codes[pair] = code
            self._pairs.append(pair)
        else:
            self._doubtful.add(pair)

    def _choose(self, now: float) -> tuple[Pair, int] | None:
        if now >= self._popular_until:
            self._popular = self._random.sample(list(self._latest), len(self._latest))
            self._popular_until = now + REFRESH_S if self._popular else 0.0
        if not self._popular:
            return None
        if self._pairs and self._random.random() < TOGGLES:
            pair = self._random.choice(self._pairs)
            code = self._random.randrange(len(REACTION_TYPES) + 1)
        else:
            top = self._weights[len(self._popular) - 1]
            rank = bisect.bisect(self._weights, self._random.random() * top)
            user = f"user-{self._random.randrange(self._plan.users)}"
            pair = (self._popular[min(rank, len(self._popular) - 1)], user)
            code = self._random.randrange(1, len(REACTION_TYPES) + 1)
        return None if pair in self._under_way else (pair, code)

    def _token(self, user: str) -> str:
        token = self._tokens.get(user)
        if token is None:
            expires = int(time.time()) + LIFETIME
            claims = {"sub": user, "aud": AUDIENCE, "iss": ISSUER, "exp": expires}
            token = self._tokens[user] = jwt.encode(claims, self._plan.secret, algorithm="HS256")
        return token


async def _run(plan: Plan) -> Outcome:
    clients = Clients(plan.ports, connections=CONNECTIONS)
    await clients.connect()
    print("ready", flush=True)  # noqa: T201 - whoever started it reads its stdout
    await asyncio.to_thread(sys.stdin.readline)
    try:
        return await Crowd(plan, clients).run()
    finally:
        clients.close()


def main(plan_file: Path, outcome_file: Path) -> None:
    """Wait for a line of stdin, do what the plan says, write down what was acknowledged."""
    plan = msgspec.json.decode(plan_file.read_bytes(), type=Plan)
    outcome = uvloop.run(_run(plan))
    outcome_file.write_bytes(msgspec.msgpack.encode(outcome))
    print("done", flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

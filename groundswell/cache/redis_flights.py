"""Gathers what is asked at about the same time and sends it as few commands.

One flight is under way on a wire; whatever is asked meanwhile is the next. So at rest a question
goes at once, under load a hundred share a command, and nobody waits for longer than two flights.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from redis.exceptions import ResponseError

from groundswell.cache.redis_breaker import Breaker
from groundswell.cache.redis_scripts import Script
from groundswell.cache.redis_wire import FAILURES, Wire
from groundswell.contract.ports.cache import CacheUnavailable

# Items of one flight: about 20 ms of Redis. More than that waiting means it does not keep up.
WAITING_MAX: Final = 2000
# A loop that comes back after so many timeouts stood still: it has not read what may have arrived
# long ago, or not even asked, and waits once more before it takes Redis for the culprit.
_STOOD_STILL: Final = 1.1

log = structlog.get_logger(__name__)

Argument = str | bytes | int


@dataclass(slots=True)
class FlightCounts:
    """What all flights of a cache did."""

    commands: int = 0
    items: int = 0
    timeouts: int = 0
    errors: int = 0  # connections that broke, and answers that were errors
    overloads: int = 0  # questions refused because too many waited


@dataclass(slots=True)
class _Asked:
    items: int
    keys: Sequence[str]
    arguments: Sequence[Argument]
    answer: asyncio.Future[list[Any]]


class Flights:
    """Everything that goes over one wire. Belongs to one event loop."""

    def __init__(
        self,
        wire: Wire,
        *,
        timeout: float,
        breaker: Breaker,
        counts: FlightCounts,
        now: Callable[[], Argument],
        failed: Callable[[str], None],
    ) -> None:
        self._wire = wire
        self._timeout = timeout
        self._breaker = breaker
        self._counts = counts
        self._now = now
        self._failed = failed  # told, after the breaker, why a flight failed
        self._waiting: dict[Script, list[_Asked]] = {}
        self._items = 0
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def ask(
        self,
        script: Script,
        *,
        items: int,
        keys: Sequence[str],
        arguments: Sequence[Argument] = (),
    ) -> asyncio.Future[list[Any]]:
        """Await a script's answers to `items` items, which must not be above its `items_max`.

        Questions to one script are answered in the order asked. Awaiting raises
        `CacheUnavailable`, at once while Redis is bypassed and else within about two timeouts.
        """
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        overloaded = self._items > 0 and self._items + items > WAITING_MAX
        self._counts.overloads += overloaded
        if self._breaker.open or self._closed or overloaded:
            answer.set_exception(CacheUnavailable())
            return answer
        self._waiting.setdefault(script, []).append(_Asked(items, keys, arguments, answer))
        self._items += items
        if self._task is None:
            self._task = asyncio.create_task(self._fly(), name="redis flights")
        return answer

    async def close(self) -> None:
        """Wait for what is under way, refuse all else, close the wire. Idempotent."""
        self._closed = True
        if self._task is not None:
            await asyncio.wait([self._task])
        await self._wire.close()

    async def _fly(self) -> None:
        try:
            while self._items:
                waiting, self._waiting, self._items = self._waiting, {}, 0
                await self._flight(waiting)
        finally:
            self._task = None

    async def _flight(self, waiting: dict[Script, list[_Asked]]) -> None:
        """Ask and answer everything that waited; never raises."""
        parts = [(script, part) for script in waiting for part in _parts(script, waiting[script])]
        answers: Sequence[Any] = ()
        if not self._breaker.open:
            now = self._now()
            commands = [_command(script, part, now) for script, part in parts]
            self._counts.commands += len(commands)
            self._counts.items += sum(one.items for _, part in parts for one in part)
            answers = await self._exchange(commands)
        if not answers:
            for _, part in parts:
                _refuse(part)
            return
        for (_, part), answer in zip(parts, answers, strict=True):
            if isinstance(answer, ResponseError):
                _refuse(part)
            else:
                _answer(part, answer)

    async def _exchange(self, commands: list[list[Argument]]) -> Sequence[Any]:
        """Return the answers, some of which may be errors; none if there is nothing to hope for."""
        exchange = asyncio.create_task(self._wire.ask(commands))
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.wait([exchange], timeout=self._timeout)
        if not exchange.done() and loop.time() - began > _STOOD_STILL * self._timeout:
            await asyncio.wait([exchange], timeout=self._timeout)
        if not exchange.done():
            exchange.cancel()
            await asyncio.wait([exchange])
        if exchange.cancelled():
            self._counts.timeouts += 1
            return self._fail("no answer in time")
        error = exchange.exception()
        if error is not None:
            self._counts.errors += 1
            if not isinstance(error, (ValueError, *FAILURES)):
                log.error("redis flight failed", exc_info=error)
            return self._fail(str(error))
        answers = exchange.result()
        refusals = [answer for answer in answers if isinstance(answer, ResponseError)]
        if refusals:  # it is there, and loading, read-only or out of memory
            self._counts.errors += len(refusals)
            self._fail(str(refusals[0]))
        else:
            self._breaker.succeeded()
        return answers

    def _fail(self, reason: str) -> Sequence[Any]:
        self._breaker.failed()
        self._failed(reason)
        return ()


def _parts(script: Script, waiting: list[_Asked]) -> list[list[_Asked]]:
    """Divide what waits for a script into what one command may ask."""
    parts: list[list[_Asked]] = [[]]
    items = 0
    for one in waiting:
        if items and items + one.items > script.items_max:
            parts.append([])
            items = 0
        parts[-1].append(one)
        items += one.items
    return parts


def _command(script: Script, part: list[_Asked], now: Argument) -> list[Argument]:
    # Where all items share one key (the era) it is named once.
    keys = part[0].keys if script.one_key else [key for one in part for key in one.keys]
    arguments = [argument for one in part for argument in one.arguments]
    return ["EVALSHA", script.sha, len(keys), *keys, now, *arguments]


def _answer(part: list[_Asked], answers: list[Any]) -> None:
    start = 0
    for one in part:
        if not one.answer.done():  # who asked may have gone
            one.answer.set_result(answers[start : start + one.items])
        start += one.items


def _refuse(part: list[_Asked]) -> None:
    for one in part:
        if not one.answer.done():
            # An exception of its own for each: a shared one would collect their tracebacks.
            one.answer.set_exception(CacheUnavailable())

"""What the internal port says of all workers: each is asked, when somebody asks us."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import aiohttp
import msgspec

from groundswell.contract.statistics import GROWS
from groundswell.supervisor.keeper import Keeper
from groundswell.telemetry.merging import merged
from groundswell.telemetry.metrics import StatisticsCollector, exposition, make_registry

LABEL: Final = "worker"
OWN: Final = "supervisor"  # what our own metrics are labelled with
_ANSWER_SECONDS: Final = 2.0  # a worker that is this late does not answer
_NO_ANSWER: Final = {"status": "not ready", "reason": "the worker does not answer"}


@dataclass(frozen=True, slots=True)
class WorkersStatistics:
    """Which workers answered last, and how often each was started again."""

    up_by_worker: dict[int, bool]
    restarts_by_worker: Annotated[dict[int, int], GROWS]


class Overview:
    """Answers for all workers."""

    def __init__(self, keepers: Sequence[Keeper]) -> None:
        self._keepers = keepers
        self._up = {keeper.worker.number: False for keeper in keepers}
        self._draining = False
        collector = StatisticsCollector()
        collector.register("workers", self.statistics)
        self._registry = make_registry(collector)

    def drain(self) -> None:
        """From now on, and for good, no traffic may come."""
        self._draining = True

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Return whether every worker is ready, and what each says."""
        answers = await self._ask("/ready")
        workers = []
        for keeper, answer in zip(self._keepers, answers, strict=True):
            said = _NO_ANSWER if answer is None else msgspec.json.decode(answer[1])
            workers.append({"worker": keeper.worker.number, "pid": keeper.pid, **said})
        ready = not self._draining and all(
            answer is not None and answer[0] == 200 for answer in answers
        )
        degraded = any(worker["status"] == "degraded" for worker in workers)
        body: dict[str, Any] = {
            "status": "not ready" if not ready else "degraded" if degraded else "ready",
            "checks": {"not draining": not self._draining},
            "workers": workers,
        }
        return ready, body

    async def metrics(self) -> bytes:
        """Return the metrics of all workers that answer, and our own."""
        answers = await self._ask("/metrics")
        texts: dict[str, str] = {}
        for keeper, answer in zip(self._keepers, answers, strict=True):
            number = keeper.worker.number
            self._up[number] = answer is not None and answer[0] == 200
            if answer is not None and answer[0] == 200:
                texts[str(number)] = answer[1].decode()
        texts[OWN] = exposition(self._registry).decode()
        return merged(texts, label=LABEL)

    def statistics(self) -> WorkersStatistics:
        """Return how the workers stand."""
        restarts = {keeper.worker.number: keeper.restarts for keeper in self._keepers}
        return WorkersStatistics(self._up, restarts)

    async def _ask(self, route: str) -> list[tuple[int, bytes] | None]:
        """Return the answer (status, body) of each worker; None where there is none."""
        return await asyncio.gather(
            *(_fetch(keeper.worker.internal_path, route) for keeper in self._keepers)
        )


async def _fetch(path: str, route: str) -> tuple[int, bytes] | None:
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    connector = aiohttp.UnixConnector(path)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"http://worker{route}") as answer,
        ):
            return answer.status, await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None

"""Appending to the log, with the log's errors told as refusals."""

from dataclasses import dataclass

from groundswell.contract.clock import Clock
from groundswell.contract.ports.log import (
    Appended,
    Log,
    LogFull,
    LogUnavailable,
    OutcomeUnknown,
    Topic,
)
from groundswell.contract.problems import Refused
from groundswell.contract.statistics import Histogram
from groundswell.ingest.deadline import Deadline

_FULL_RETRY = 5.0  # seconds: space does not come back in an instant


@dataclass(frozen=True, slots=True)
class AppendStatistics:
    """How long appends took, refused ones included."""

    append_seconds: Histogram


class Appender:
    """Appends within a deadline (seconds). What it raises says whether to repeat with the key."""

    def __init__(self, log: Log, *, clock: Clock, deadline: float = 5.0) -> None:
        self._log = log
        self._clock = clock
        self._seconds = Histogram()
        self._deadline = Deadline(deadline)

    async def append(
        self, topic: Topic, partition: int, value: bytes | None, *, key: bytes | None = None
    ) -> Appended:
        """Return once the record is durable; see `Log.append`.

        Raises `Refused`: `disk_full` and `log_unavailable` (nothing was appended), or
        `outcome_unknown`, also when the deadline passes: the record may still come.
        """
        began = self._clock.monotonic()
        try:
            return await self._deadline.wait(self._log.append(topic, partition, value, key=key))
        except LogFull as error:
            raise Refused("disk_full", retry_after=_FULL_RETRY) from error
        except LogUnavailable as error:
            raise Refused("log_unavailable") from error
        except (OutcomeUnknown, TimeoutError) as error:
            raise Refused("outcome_unknown") from error
        finally:
            self._seconds.observe(self._clock.monotonic() - began)

    def statistics(self) -> AppendStatistics:
        """Return what was observed, for the metrics."""
        return AppendStatistics(self._seconds)

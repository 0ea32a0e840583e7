"""How long answers take and what they are, counted where aiohttp would write an access log."""

from dataclasses import dataclass
from typing import Annotated, Final

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from groundswell.contract.statistics import GROWS, Histogram

_METHODS: Final = ("GET", "POST", "DELETE")  # what the protocol has; the client names any other
_OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class AnswerStatistics:
    """Answers since the start. Streams are none: they take as long as somebody watches."""

    seconds_by_method: dict[str, Histogram]
    answers_by_status: Annotated[dict[int, int], GROWS]


class Latency(AbstractAccessLogger):
    """Observes every answer of a listener, from its request's head to its last byte."""

    def __init__(self) -> None:
        """Nothing has been answered yet."""
        self._seconds = {method: Histogram() for method in (*_METHODS, _OTHER)}
        self._statuses: dict[int, int] = {}

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Count one answer; aiohttp calls it."""
        if not isinstance(response, web.Response):
            return
        method = request.method if request.method in self._seconds else _OTHER
        self._seconds[method].observe(time)
        status = response.status
        self._statuses[status] = self._statuses.get(status, 0) + 1

    def statistics(self) -> AnswerStatistics:
        """Return what was counted."""
        return AnswerStatistics(self._seconds, self._statuses)

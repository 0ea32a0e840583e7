"""The busiest route, found without aiohttp's router, middlewares and signals.

Those cost a comment as much as the whole gate. A request that is not exactly
`POST <before><one segment><after>` goes to the application unchanged, where the same handler stands
as an ordinary route, so the shortcut decides nothing but the price.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import hdrs, web

from groundswell.contract.names import is_video_id

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A route by what stands before and after its video id, and who answers it."""

    before: str
    after: str
    handler: Callable[[web.Request, str], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Around:
    """Puts a shortcut around a server's handling of requests.

    `finish` does with an answer what the application's middlewares and signals do.
    """

    shortcut: Shortcut
    finish: Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]

    def wrap(self, otherwise: Answer) -> Answer:
        """Return the server's handler: the shortcut's route, and `otherwise` for all else."""
        before, after = self.shortcut.before, self.shortcut.after
        start, end = len(before), -len(after)
        handler, finish = self.shortcut.handler, self.finish

        async def answer(request: web.Request) -> web.StreamResponse:
            path = request.raw_path
            if (
                request.method == hdrs.METH_POST
                and path.startswith(before)
                and path.endswith(after)
                and is_video_id(video_id := path[start:end])
                and hdrs.EXPECT not in request.headers  # 100-continue is the application's
            ):
                return await finish(request, lambda request: handler(request, video_id))
            return await otherwise(request)

        return answer

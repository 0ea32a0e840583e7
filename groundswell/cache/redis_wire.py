"""One connection to Redis, on which many commands go out together.

redis-py's client takes a lock and five times as long for a command; its connections alone, with
hiredis, do all that is needed here.
"""

import ssl
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    InvalidResponse,
    NoPermissionError,
    NoScriptError,
    RedisError,
    ResponseError,
)

from groundswell.cache.redis_scripts import ALL

# What a connection that is away, or a server that cannot serve, raises.
FAILURES = (RedisError, OSError, EOFError, InvalidResponse, ssl.SSLError)
_LOAD = [("SCRIPT", "LOAD", script.text) for script in ALL]

Command = Sequence[str | bytes | int]


def connection_maker(url: str) -> Callable[[], AbstractConnection]:
    """Return what makes connections to a URL.

    Raises `ValueError` whose text names the option, and nothing of the URL but its scheme.
    """
    try:
        options = dict(parse_url(url))
        urlsplit(url).port  # noqa: B018  raises for a port that is none
    except ValueError:
        scheme = url.partition("://")[0] if "://" in url else ""
        raise ValueError(
            "redis.url: expected redis://user:password@host:port/database, rediss:// or unix://"
            + (f", not {scheme}://..." if scheme and len(scheme) < 16 else "")
        ) from None
    kind: Any = options.pop("connection_class", Connection)
    # Time limits are the callers': one for a whole flight, not one for each of its answers.
    options |= {
        "protocol": 3,
        "socket_timeout": None,
        "socket_connect_timeout": None,
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,
    }
    return lambda: kind(**options)


class Wire:
    """A connection that is opened when it is needed. One task at a time may use it."""

    def __init__(self, make: Callable[[], AbstractConnection]) -> None:
        self._make = make
        self._connection: AbstractConnection | None = None

    async def connect(self) -> None:
        """Open the connection if it is not open; raises `ValueError` for a refused password."""
        if self._connection is not None:
            return
        connection = self._make()
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # of redis-py
        except (AuthenticationError, NoPermissionError) as error:
            await connection.disconnect(nowait=True)
            raise ValueError(f"redis.url: Redis refused user or password: {error}") from None
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._connection = connection

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands and return their answers; one may be a `ResponseError`.

        Scripts that the server lost are loaded, and what needed them is asked again. After any
        other exception, cancellation included, the connection is closed: answers may still come.
        """
        await self.connect()
        try:
            answers = await self._exchange(commands)
            again = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            if again:
                await self._exchange(_LOAD)
                asked = await self._exchange([commands[n] for n in again])
                for n, answer in zip(again, asked, strict=True):
                    answers[n] = answer
        except BaseException:
            await self.close()
            raise
        return answers

    async def load_scripts(self) -> None:
        """Give the server all scripts; raises what it answers instead of taking them."""
        for answer in await self.ask(_LOAD):
            if isinstance(answer, ResponseError):
                raise answer

    async def close(self) -> None:
        """Close the connection; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _exchange(self, commands: Sequence[Command]) -> list[Any]:
        connection = self._connection
        if connection is None:
            raise ConnectionResetError("closed meanwhile")
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        return [await self._answer(connection) for _ in commands]

    async def _answer(self, connection: AbstractConnection) -> Any:
        try:
            return await connection.read_response(disconnect_on_error=False)
        except ResponseError as error:
            return error

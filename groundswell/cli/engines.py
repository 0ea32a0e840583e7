"""Asks the engines that are shared with other processes how they are, for `doctor`.

Nothing is written: a doctor that binds a database to a log would decide what only `migrate` and the
first start may. Drivers are loaded only for the engines that are chosen.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from groundswell.contract.clock import SystemClock
from groundswell.contract.ports.accounts import AccountsUnavailable
from groundswell.contract.ports.log import LogError, Topic
from groundswell.contract.ports.store import StoreMismatch, StoreUnavailable
from groundswell.contract.settings import Settings

WITHIN: Final = 15.0  # seconds for one engine: its driver's own time limits end before
_TABLE: Final = (
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s"
)
_MIGRATE: Final = "`groundswell migrate`"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedEngine:
    """How one engine answered: `problem` is None if it did."""

    subject: str
    required: bool  # False: the server does without it, and less well
    found: str
    problem: str | None
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    subject: str
    required: bool
    ask: Callable[[Settings], Awaitable[str]]
    advice: str


def shared_engines(settings: Settings) -> list[SharedEngine]:
    """Ask every chosen engine that other processes use too; all at once."""
    questions = list(_questions(settings))
    if not questions:
        return []
    return asyncio.run(_ask_all(questions, settings))


async def _ask_all(questions: list[_Question], settings: Settings) -> list[SharedEngine]:
    return await asyncio.gather(*(_ask(question, settings) for question in questions))


async def _ask(question: _Question, settings: Settings) -> SharedEngine:
    found, problem = "", None
    try:
        async with asyncio.timeout(WITHIN):
            found = await question.ask(settings)
    except (LogError, StoreMismatch, StoreUnavailable, AccountsUnavailable) as error:
        problem = str(error)
    except TimeoutError:
        problem = f"does not answer within {WITHIN:g} s"
    except ImportError as error:
        problem = f"its driver is not installed: {error}"
    except (OSError, ValueError) as error:
        problem = str(error) or type(error).__name__
    return SharedEngine(
        subject=question.subject,
        required=question.required,
        found=found,
        problem=problem,
        advice=question.advice,
    )


def _questions(settings: Settings) -> list[_Question]:
    chosen = []
    if settings.log.engine == "kafka":
        chosen.append(
            _Question(
                subject="Kafka",
                required=True,
                ask=_kafka,
                advice=f"see kafka.servers; new topics are made and bound by {_MIGRATE}",
            )
        )
    if settings.store.engine == "cassandra":
        chosen.append(
            _Question(
                subject="Cassandra",
                required=True,
                ask=_cassandra,
                advice=f"see cassandra.hosts; keyspace and tables are made by {_MIGRATE}",
            )
        )
    if settings.accounts.url:
        chosen.append(
            _Question(
                subject="accounts",
                required=True,
                ask=_accounts,
                advice=f"see accounts.url; the tables are made by {_MIGRATE}",
            )
        )
    if settings.cache.engine == "redis":
        chosen.append(
            _Question(
                subject="Redis",
                required=False,
                ask=_redis,
                advice="see redis.url; without it limits and counts are those of each process",
            )
        )
    return chosen


async def _kafka(settings: Settings) -> str:
    from groundswell.log.kafka_log import KafkaLog

    log = KafkaLog(settings.kafka, clock=SystemClock())
    await log.start()
    try:
        partitions = log.partitions(Topic.EVENTS)
        return f"topics are bound to generation {log.generation()}, {partitions} partitions"
    finally:
        await log.close()


async def _cassandra(settings: Settings) -> str:
    from groundswell.persist.cassandra_session import connect, unavailable

    keyspace = settings.cassandra.keyspace

    def look() -> str:
        cluster, session = connect(settings.cassandra, keyspace=None)
        try:
            # Asked of Cassandra's own tables first: a keyspace that is not there is no error here.
            there = session.execute(_TABLE, (keyspace, "logs")).all()
            rows = session.execute(f'SELECT generation FROM "{keyspace}".logs') if there else ()  # noqa: S608  # it is a keyspace's name
            generations = [row[0] for row in rows]
        except Exception as error:
            raise unavailable(error, f"read keyspace {keyspace}") from error
        finally:
            cluster.shutdown()
        if not there:
            raise StoreUnavailable(f"there is no keyspace {keyspace} with tables of this program")
        log = f"the log of generation {max(generations)}" if generations else "no log yet"
        return f"keyspace {keyspace} belongs to {log}"

    return await asyncio.to_thread(look)


async def _accounts(settings: Settings) -> str:
    from groundswell.accounts.sql_accounts import SqlAccounts

    accounts = SqlAccounts(settings.accounts.url, connections=1)
    await accounts.start()
    await accounts.close()
    return "the schema is this program's"


async def _redis(settings: Settings) -> str:
    from groundswell.cache.redis_wire import FAILURES, Wire, connection_maker

    wire = Wire(connection_maker(settings.redis.url))
    try:
        await wire.connect()
        await wire.ask([("PING",)])
    except FAILURES as error:
        raise OSError(str(error) or type(error).__name__) from error
    finally:
        await wire.close()
    return "answers"

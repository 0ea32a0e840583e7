"""`groundswell migrate`: bring every engine of the configuration up to date."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import click

from groundswell.cli.failures import FAILURE, CommandFailed
from groundswell.cli.sources import Sources, with_sources
from groundswell.contract.settings import Settings

HOUR_MS = 3_600_000


@click.command("migrate")
@click.option(
    "--check", is_flag=True, help="Change nothing; exit status 1 if something is missing."
)
@with_sources("server.data")
def command(*, sources: Sources, check: bool) -> int:
    """Make what the engines need: folder, secrets, topics, tables.

    It can be repeated, and run on several machines at once. What is done stays done when a later
    step fails. --check looks at folder, secrets and accounts.
    """
    settings = sources.settings()
    if check:
        missing = list(_missing(settings))
        for line in missing:
            click.echo(f"missing: {line}")
        if not missing:
            click.echo("nothing is missing")
        return FAILURE if missing else 0
    for line in _steps(settings):
        click.echo(line)
    return 0


def _steps(settings: Settings) -> Iterator[str]:
    """Yield a line for each step that is done, in the order in which they need each other."""
    if _needs_folder(settings):
        yield _folder(settings)
    if settings.log.engine == "kafka":
        yield _topics(settings)
    if settings.store.engine == "cassandra":
        yield _store(settings)
    yield _accounts(settings)


def _needs_folder(settings: Settings) -> bool:
    embedded = settings.log.engine == "sqlite" or settings.store.engine == "sqlite"
    return embedded or not settings.accounts.url or bool(_secrets(settings))


def _secrets(settings: Settings) -> list[str]:
    """Return the names of the secrets that nobody set and this machine makes for itself."""
    names = []
    # A cluster's processes need the same ones, so there nothing is made.
    if settings.log.engine == "sqlite":
        if not settings.ids.secret:
            names.append("ids.secret")
        if not settings.auth.secret and not settings.auth.keys:
            names.append("auth.secret")
    return names


def _folder(settings: Settings) -> str:
    from groundswell.secrets import development_secret

    data = Path(settings.server.data)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandFailed(
            f"cannot make the data folder {str(data)!r}: {error.strerror}", hint="see --data"
        ) from None
    names = _secrets(settings)
    for name in names:
        development_secret(data, name)
    return f"data folder: {data} is there{', with ' + ' and '.join(names) if names else ''}"


def _topics(settings: Settings) -> str:
    from groundswell.contract.ports.log import LogError
    from groundswell.log.kafka_topics import migrate_topics

    try:
        migrated = asyncio.run(
            migrate_topics(settings.kafka, retention_ms=int(settings.log.retention * HOUR_MS))
        )
    except LogError as error:
        raise CommandFailed(f"Kafka: {error}", hint="see kafka.servers") from None
    made = f"made {', '.join(migrated.made)}" if migrated.made else "all topics are there"
    return f"Kafka: {made}; generation {migrated.generation}"


def _store(settings: Settings) -> str:
    from groundswell.contract.ports.store import StoreMismatch, StoreUnavailable
    from groundswell.persist.cassandra_schema import migrate_store

    try:
        asyncio.run(migrate_store(settings.cassandra))
    except (StoreUnavailable, StoreMismatch) as error:
        raise CommandFailed(
            f"Cassandra: {error}", hint="see cassandra.hosts, cassandra.port"
        ) from None
    return f"Cassandra: keyspace {settings.cassandra.keyspace} is current"


def _accounts(settings: Settings) -> str:
    from groundswell.accounts import migrate
    from groundswell.accounts.engine import FILE_NAME
    from groundswell.cli.accounts import accounts_url
    from groundswell.contract.ports.accounts import AccountsUnavailable

    name = "PostgreSQL" if settings.accounts.url else str(Path(settings.server.data) / FILE_NAME)
    try:
        asyncio.run(migrate(accounts_url(settings)))
    except AccountsUnavailable as error:
        hint = "see accounts.url" if settings.accounts.url else "see --data"
        raise CommandFailed(f"accounts: {error}", hint=hint) from None
    return f"accounts: {name} is current"


def _missing(settings: Settings) -> Iterator[str]:
    data = Path(settings.server.data)
    if _needs_folder(settings):
        if not data.is_dir():
            yield f"data folder {data}"
        for name in _secrets(settings):
            if not (data / name).is_file():
                yield f"secret {data / name}"
    yield from _missing_of_accounts(settings)


def _missing_of_accounts(settings: Settings) -> Iterator[str]:
    from groundswell.accounts.engine import FILE_NAME
    from groundswell.accounts.migrate import missing_revision
    from groundswell.contract.ports.accounts import AccountsUnavailable

    file = Path(settings.server.data) / FILE_NAME
    # Only looked at, so it needs no lock, and must not be made.
    url = settings.accounts.url or f"sqlite+aiosqlite:///file:{file}?mode=rw&uri=true"
    if not settings.accounts.url and not file.is_file():
        yield f"accounts in {file}"
        return
    try:
        revision = asyncio.run(missing_revision(url))
    except AccountsUnavailable as error:
        raise CommandFailed(f"accounts: {error}", hint="see accounts.url") from None
    if revision is not None:
        yield f"migration {revision} of the accounts"

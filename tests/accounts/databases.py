"""Empty databases of every engine, for the suites that run on all of them."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from groundswell.accounts import sqlite_url
from groundswell.accounts.engine import make_engine

POSTGRESQL_URL = os.environ.get("GROUNDSWELL_ACCOUNTS_URL", "")

ENGINES = [
    "sqlite",
    pytest.param(
        "postgresql",
        marks=[
            pytest.mark.stack,
            pytest.mark.skipif(not POSTGRESQL_URL, reason="GROUNDSWELL_ACCOUNTS_URL is not set"),
        ],
    ),
]


@asynccontextmanager
async def empty_database(engine: str, folder: Path) -> AsyncIterator[str]:
    """Return the URL of a database that is empty, and gone afterwards."""
    if engine == "sqlite":
        yield sqlite_url(folder / "accounts.db").render_as_string(hide_password=False)
        return
    schema = f"test_{secrets.token_hex(6)}"
    await on_server(f"CREATE SCHEMA {schema}")
    try:
        separator = "&" if "?" in POSTGRESQL_URL else "?"
        # Tests lose nothing by a power cut, and need not wait for a disk that others use, too.
        yield f"{POSTGRESQL_URL}{separator}search_path={schema}&synchronous_commit=off"
    finally:
        await on_server(f"DROP SCHEMA {schema} CASCADE")


async def on_server(statement: str) -> None:
    """Run a statement of the test's own on PostgreSQL."""
    engine = make_engine(POSTGRESQL_URL)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()

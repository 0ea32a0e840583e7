"""Users, videos, roles and the audit log in SQL: SQLite when embedded, PostgreSQL in a cluster."""

from groundswell.accounts.engine import sqlite_url
from groundswell.accounts.migrate import migrate
from groundswell.accounts.sql_accounts import SqlAccounts
from groundswell.accounts.sql_index import SqlIndex

__all__ = ["SqlAccounts", "SqlIndex", "migrate", "sqlite_url"]

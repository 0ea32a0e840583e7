"""Users, videos, roles and the audit log in SQL: SQLite when embedded, PostgreSQL in a cluster."""

from groundswell.accounts.engine import sqlite_url
from groundswell.accounts.migrate import migrate
from groundswell.accounts.sql_accounts import SqlAccounts

__all__ = ["SqlAccounts", "migrate", "sqlite_url"]

"""Engines of the log: SQLite for one process. The interface is `contract/ports/log.py`."""

from groundswell.log.requests import LogStatistics
from groundswell.log.sqlite_log import SqliteLog

__all__ = ["LogStatistics", "SqliteLog"]

"""Engines of the cache: memory, for one process. The interface is `contract/ports/cache.py`."""

from groundswell.cache.memory import CacheStatistics, MemoryCache

__all__ = ["CacheStatistics", "MemoryCache"]

"""A Redis of the test's own, and caches on it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from groundswell.cache.redis_cache import RedisCache
from groundswell.contract.clock import SystemClock
from groundswell.contract.settings import RedisSettings
from tests.cache.harness.own_redis import OwnRedis


@pytest.fixture(name="redis")
async def fixture_redis(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    """A running Redis, killed at the end."""
    redis = OwnRedis(tmp_path)
    await redis.start()
    yield redis
    redis.kill()


@pytest.fixture(name="connect")
async def fixture_connect(redis: OwnRedis) -> AsyncIterator[Callable[..., Awaitable[RedisCache]]]:
    """Start a cache with these settings; closed at the end."""
    caches: list[RedisCache] = []

    async def make(**settings: object) -> RedisCache:
        cache = RedisCache(RedisSettings(**{"url": redis.url, **settings}), clock=SystemClock())  # type: ignore[arg-type]
        caches.append(cache)
        await cache.start()
        return cache

    yield make
    for cache in caches:
        await cache.close()
